"""Metrics re-computed from their definitions, row by row and group by group."""

import numpy as np
from scipy.stats import spearmanr


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


def group_correlations(score, outcome, group):
    result = []
    for k in range(group.max() + 1):
        rows = group == k
        if rows.sum() < 10 or len(set(outcome[rows])) == 1:
            result.append(np.nan)
        elif len(set(score[rows])) == 1:
            result.append(0.0)
        else:
            result.append(spearmanr(score[rows], outcome[rows]).statistic)
    return np.array(result)


def trades(timestamp, segment, label_end, side):
    taken = []
    for i in range(len(side)):
        blocked = any(segment[j] == segment[i] and label_end[j] > timestamp[i] for j in taken)
        if side[i] != 0 and not blocked:
            taken.append(i)
    return taken
