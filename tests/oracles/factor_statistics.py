"""Slow, plain definitions of what surrounds the evaluation of a factor."""

from __future__ import annotations

import datetime
import math

import numpy as np

from oracles.factors import average_ranks, prevailing_row, spearman


def rank_correlation(left, right, symbol, min_rows):
    """Spearman's correlation with ranks centred within each symbol, where both are finite."""
    both = np.isfinite(left) & np.isfinite(right)
    if both.sum() < min_rows:
        return 0.0
    ranks = [[], []]
    for name in sorted(set(symbol.tolist())):
        own = both & (symbol == name)
        if own.any():
            for side, values in zip(ranks, (left, right), strict=True):
                numbers = average_ranks(values[own])
                side.extend(numbers - numbers.mean())
    left_ranks, right_ranks = np.array(ranks[0]), np.array(ranks[1])
    power = math.sqrt(np.sum(left_ranks**2) * np.sum(right_ranks**2))
    return float(np.sum(left_ranks * right_ranks) / power) if power > 0 else 0.0


def complete_linkage(distance, limit):
    """Join the two clusters whose most different members differ least, up to ``limit``."""
    clusters = [{place} for place in range(len(distance))]
    while len(clusters) > 1:
        pairs = [
            (max(distance[i, j] for i in a for j in b), x, y)
            for x, a in enumerate(clusters)
            for y, b in enumerate(clusters)
            if x < y
        ]
        nearest, x, y = min(pairs)
        if nearest > limit:
            break
        clusters[x] |= clusters[y]
        del clusters[y]
    return clusters


def rank_autocorrelation(factor, timestamp, segment, horizon_ns):
    """All pairs, no sample."""
    later = prevailing_row(timestamp, segment, horizon_ns)
    rows = np.flatnonzero(later >= 0)
    found = spearman(factor[rows], factor[later[rows]]) if len(rows) else math.nan
    return found if math.isfinite(found) else 0.0


def realised_volatility(timestamp, mid, segment, blocks):
    found = []
    for start, stop in blocks:
        square, nanoseconds = 0.0, 0
        for row in range(start + 1, stop):
            if segment[row] == segment[row - 1] and mid[row] > 0 and mid[row - 1] > 0:
                square += (math.log(mid[row]) - math.log(mid[row - 1])) ** 2
                nanoseconds += int(timestamp[row] - timestamp[row - 1])
        found.append(math.sqrt(square / (nanoseconds / 1e9)) if nanoseconds else math.nan)
    return np.array(found)


def volatility_before(volatility):
    found = []
    for block in range(len(volatility)):
        known = [value for value in volatility[:block] if math.isfinite(value)]
        found.append(known[-1] if known else math.nan)
    return np.array(found)


def ic_by_day(ics, starts):
    days = {}
    for ic, start in zip(ics, starts, strict=True):
        if math.isfinite(ic):
            moment = datetime.datetime.fromtimestamp(int(start) / 1e9, tz=datetime.UTC)
            days.setdefault(moment.date().isoformat(), []).append(ic)
    return [
        {"day": day, "ic": sum(values) / len(values), "n_blocks": len(values)}
        for day, values in sorted(days.items())
    ]
