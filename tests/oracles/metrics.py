"""Metrics re-computed from their definitions, row by row and group by group."""

import numpy as np
from scipy.stats import norm, poisson, rankdata


def calibration_error(probabilities, label, bins=15):
    total = 0.0
    top = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    for k in range(bins):
        low, high = k / bins, (k + 1) / bins
        inside = (confidence >= low) & ((confidence < high) | (k == bins - 1))
        if inside.any():
            hits = (top[inside] == label[inside]).mean()
            total += inside.mean() * abs(confidence[inside].mean() - hits)
    return total


def brier(probabilities, label):
    rows = []
    for p, k in zip(probabilities, label, strict=True):
        rows.append(sum((p[c] - (1.0 if c == k else 0.0)) ** 2 for c in range(3)))
    return float(np.mean(rows))


def _parts(symbol):
    for one in sorted(set(symbol.tolist())):
        yield np.flatnonzero(symbol == one)


def symbol_correlation(score, outcome, symbol):
    left, right = np.zeros(len(score)), np.zeros(len(score))
    for rows in _parts(symbol):
        for values, ranks in ((score, left), (outcome, right)):
            ranks[rows] = (rankdata(values[rows]) - (len(rows) + 1) / 2) / len(rows)
    return np.corrcoef(left, right)[0, 1]


def signed_correlation(score, outcome, symbol):
    left, right = np.zeros(len(score)), np.zeros(len(score))
    for rows in _parts(symbol):
        for values, ranks in ((score, left), (outcome, right)):
            size = rankdata([abs(v) for v in values[rows]]) / len(rows)
            ranks[rows] = [
                r if v > 0 else -r if v < 0 else 0.0
                for r, v in zip(size, values[rows], strict=True)
            ]
    return (left * right).sum() / np.sqrt((left**2).sum() * (right**2).sum())


def trades(timestamp, segment, label_end, side):
    taken = []
    for i in range(len(side)):
        blocked = any(segment[j] == segment[i] and label_end[j] > timestamp[i] for j in taken)
        if side[i] != 0 and not blocked:
            taken.append(i)
    return taken


def drawn_calibration_errors(probabilities, timestamp, symbol, span, draws, seed, steps):
    """Return the calibration error of labels that come as foretold and overlap, by draw.

    Each symbol has a random walk of so many steps in a span; a row's label is the quantile of its
    move over a span.
    """
    random = np.random.default_rng(seed)
    part = span // steps
    first = min(timestamp) // part
    begin = [(int(s), int(t // part - first)) for s, t in zip(symbol, timestamp, strict=True)]
    points = sorted({*begin, *((s, t + steps) for s, t in begin)})
    errors = []
    for _ in range(draws):
        normal = random.standard_normal(len(points))
        walk, before, height = {}, None, 0.0
        for point, step in zip(points, normal, strict=True):
            same = before is not None and before[0] == point[0]
            height = height + step * np.sqrt(point[1] - before[1]) if same else 0.0
            walk[point], before = height, point
        label = []
        for p, (s, t) in zip(probabilities, begin, strict=True):
            quantile = norm.cdf((walk[s, t + steps] - walk[s, t]) / np.sqrt(steps))
            label.append(0 if quantile < p[0] else 1 if quantile < p[0] + p[1] else 2)
        errors.append(calibration_error(probabilities, np.array(label)))
    return np.array(errors)


def known_forecasts(rows, span, seed, jumps=None):
    """Return probabilities that are right, and labels that overlap, of a walk of known volatility.

    A row's label is the side of the next ``span`` steps, HOLD within a threshold. With ``jumps`` a
    step holds a random number of moves, so many in a span in the mean.
    """
    random = np.random.default_rng(seed)
    moods = random.normal(size=-(-(rows + span) // (5 * span)))
    clock = np.exp(0.5 * np.repeat(moods, 5 * span)[: rows + span])
    clock *= 1.0 if jumps is None else jumps / span
    spent = clock if jumps is None else random.poisson(clock)
    walk = np.append(0.0, np.cumsum(np.sqrt(spent) * random.normal(size=rows + span)))
    passed = np.append(0.0, np.cumsum(clock))
    move = walk[span : span + rows] - walk[:rows]
    variance = passed[span : span + rows] - passed[:rows]
    threshold = 0.45 * np.sqrt(span if jumps is None else jumps)
    if jumps is None:
        side = norm.cdf(-threshold / np.sqrt(variance))
    else:
        counts = np.arange(1, 10 * jumps + 20)
        levels, level = np.unique(np.round(variance, 9), return_inverse=True)
        beyond = norm.cdf(-threshold / np.sqrt(counts))
        side = (poisson.pmf(counts, levels[:, None]) @ beyond)[level]
    label = np.where(move > threshold, 2, np.where(move < -threshold, 0, 1))
    return np.column_stack((side, 1.0 - 2.0 * side, side)), label.astype(np.int8)
