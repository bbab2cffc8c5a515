"""Metrics re-computed from their definitions, row by row and group by group."""

import numpy as np
from scipy.stats import rankdata


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


def drawn_calibration_errors(probabilities, timestamp, symbol, span, draws, seed):
    """Return the calibration error of labels that come as foretold and last a span, by draw."""
    random = np.random.default_rng(seed)
    spans = sorted({(int(s), int(t // span)) for s, t in zip(symbol, timestamp, strict=True)})
    drawn = random.random((draws, len(spans)))
    errors = []
    for quantiles in drawn:
        of = dict(zip(spans, quantiles, strict=True))
        label = []
        for p, s, t in zip(probabilities, symbol, timestamp, strict=True):
            quantile = of[(int(s), int(t // span))]
            label.append(0 if quantile < p[0] else 1 if quantile < p[0] + p[1] else 2)
        errors.append(calibration_error(probabilities, np.array(label)))
    return np.array(errors)
