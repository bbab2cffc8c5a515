"""Slow, plain definitions of what ``alphaseeker.factors`` computes."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np


def label_end(timestamp, segment, horizon_ns):
    rows = len(timestamp)
    end = []
    for row in range(rows):
        found = -1
        for later in range(row, rows):
            if segment[later] != segment[row]:
                break
            if timestamp[later] - timestamp[row] >= horizon_ns:
                found = later
                break
        end.append(found)
    return np.array(end, dtype=np.int64)


def unseen(times, moment_index, horizon_ns):
    """Whether nothing follows one of a segment's rows within the horizon, on a coarse grid."""
    later = [t - times[moment_index] for t in times[moment_index + 1 :]]
    if not later or min(later) <= horizon_ns:
        return False
    steps = [int(b - a) for a, b in itertools.pairwise(times)]
    middle = statistics.median(steps)
    regular = sum(0.75 * middle <= step <= 1.25 * middle for step in steps)
    return 2 * regular >= len(steps) and middle >= horizon_ns / 4


def prevailing_row(timestamp, segment, horizon_ns):
    """The last row of the segment at or before the horizon, where the segment reaches it."""
    found = []
    for row in range(len(timestamp)):
        moment = timestamp[row] + horizon_ns
        same = [j for j in range(row, len(timestamp)) if segment[j] == segment[row]]
        reached = any(timestamp[j] >= moment for j in same)
        whole = [j for j in range(len(timestamp)) if segment[j] == segment[row]]
        if unseen(timestamp[whole], whole.index(row), horizon_ns):
            reached = False
        found.append([j for j in same if timestamp[j] <= moment][-1] if reached else -1)
    return np.array(found, dtype=np.int64)


def forward_return(timestamp, price, segment, horizon_ns):
    result = np.full(len(price), math.nan)
    for row, last in enumerate(prevailing_row(timestamp, segment, horizon_ns)):
        if last >= 0 and price[last] > 0 and price[row] > 0:
            result[row] = math.log(price[last] / price[row])
    return result


def average_ranks(values):
    """One plus what is smaller, plus half of the others that are equal."""
    values = np.asarray(values)
    return np.array([1 + np.sum(values < v) + (np.sum(values == v) - 1) / 2 for v in values])


def pearson(left, right):
    both = np.isfinite(left) & np.isfinite(right)
    a, b = left[both], right[both]
    if len(a) < 2 or np.all(a == a[0]) or np.all(b == b[0]):
        return math.nan
    a, b = a - a.mean(), b - b.mean()
    return float(np.sum(a * b) / math.sqrt(np.sum(a * a) * np.sum(b * b)))


def spearman(left, right):
    both = np.isfinite(left) & np.isfinite(right)
    return pearson(average_ranks(left[both]), average_ranks(right[both]))


def block_ics(factor, returns, blocks, min_rows):
    ics = []
    for start, stop in blocks:
        left, right = factor[start:stop], returns[start:stop]
        pairs = np.sum(np.isfinite(left) & np.isfinite(right))
        ics.append(spearman(left, right) if pairs >= min_rows else math.nan)
    return np.array(ics)


def quantile_edges(values, quantiles):
    """Largest value of the lowest quantile and smallest of the highest, ceil(n / q) in each."""
    values = np.sort(values)
    share = math.ceil(len(values) / quantiles)
    return values[share - 1], values[-share]


def block_edges(factor, returns, blocks, quantiles, min_rows):
    edges = []
    for start, stop in blocks:
        kept = np.isfinite(factor[start:stop]) & np.isfinite(returns[start:stop])
        enough = kept.sum() >= min_rows
        values = factor[start:stop][kept]
        edges.append(quantile_edges(values, quantiles) if enough else (math.nan, math.nan))
    return np.array(edges)


def quantile_positions(factor, blocks, edges):
    position = np.full(len(factor), np.nan)
    for block, (start, stop) in enumerate(blocks):
        known = [edge for edge in edges[:block] if np.isfinite(edge[0])]
        if not known:
            continue
        low, high = known[-1]
        for row in range(start, stop):
            if np.isfinite(factor[row]):
                position[row] = int(factor[row] >= high) - int(factor[row] <= low)
    return position


def _long_and_short(position, values):
    known = np.isfinite(position) & np.isfinite(values)
    side = {s: values[known & (position == s)] for s in (-1, 0, 1)}
    for long, short in ((1, -1), (1, 0), (0, -1)):
        if len(side[long]) and len(side[short]):
            return side[long].mean(), side[short].mean()
    return math.nan, math.nan


def quantile_spread(position, returns):
    long, short = _long_and_short(position, returns)
    return long - short


def quantile_costs(position, costs):
    return sum(_long_and_short(position, costs))


def known_directions(ics, starts, known_at):
    """Block by block: the sign of the mean of what was known by its start."""
    pairs = [
        (moment, ic)
        for moments, values in zip(known_at, ics, strict=True)
        for moment, ic in zip(moments, values, strict=True)
        if math.isfinite(ic)
    ]
    found = []
    for start in starts:
        before = [[ic for moment, ic in pairs if moment <= begin] for begin in start]
        means = [np.mean(known) if known else 0.0 for known in before]
        found.append([np.sign(mean) if mean else math.nan for mean in means])
    return found


def block_gains(position, returns, blocks):
    gains = []
    for start, stop in blocks:
        gain = position[start:stop] * returns[start:stop]
        gain = gain[np.isfinite(gain)]
        gains.append(gain.mean() if len(gain) else math.nan)
    return np.array(gains)


def portfolio_periods(position, price, cost, end, timestamp, segment, delay_ns):
    """Pick the rows at which a period begins, draw what is held from row to row, then account."""
    starts = []
    for number in dict.fromkeys(segment.tolist()):
        rows = np.flatnonzero(segment == number)
        usable = [r for r in rows if end[r] >= 0 and math.isfinite(position[r])]
        free = 0
        for row in usable:
            if row >= free and timestamp[row] - timestamp[usable[0]] >= delay_ns:
                starts.append(row)
                free = end[row]
    held = np.zeros(len(position))  # from this row to the next one
    for row in starts:
        held[row : end[row]] = position[row]
    changes = np.abs(np.diff(held, prepend=0.0))
    gains = [position[r] * (price[end[r]] - price[r]) / price[r] for r in starts]
    trades, costs = [], []
    for row in starts:
        traded = [row] if end[row] in starts else [row, end[row]]
        trades.append(changes[traded].sum())
        costs.append((changes * cost)[traded].sum())
    held_ns = [timestamp[end[r]] - timestamp[r] for r in starts]
    return tuple(np.array(column) for column in (gains, trades, costs, held_ns))


def newey_west(series, lags):
    """Mean and standard error: autocovariances with Bartlett weights, written out."""
    n = len(series)
    centred = series - series.mean()
    total = np.sum(centred * centred)
    for lag in range(1, min(lags, n - 1) + 1):
        total += 2 * (1 - lag / (lags + 1)) * np.sum(centred[lag:] * centred[:-lag])
    return series.mean(), math.sqrt(total) / n


def max_drawdown(returns):
    worst, wealth, peak = 0.0, 1.0, 1.0
    for value in returns:
        wealth *= 1.0 + value
        peak = max(peak, wealth)
        worst = min(worst, wealth / peak - 1.0)
    return worst
