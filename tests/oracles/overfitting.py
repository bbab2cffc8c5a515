"""Combinatorially symmetric cross-validation, one combination and one trial at a time."""

import itertools
import math
import statistics


def _sharpe(returns):
    if len(set(returns)) == 1:
        return math.copysign(1e6, returns[0]) if returns[0] else 0.0
    return statistics.fmean(returns) / statistics.stdev(returns)


def _parts(periods, blocks):
    """Runs of rows, one after another; the first ones take a row more where it does not divide."""
    rows = iter(range(periods))
    sizes = [periods // blocks + (block < periods % blocks) for block in range(blocks)]
    return [[next(rows) for _ in range(size)] for size in sizes]


def cross_validation(matrix, blocks):
    """(logit, in-sample, out-of-sample Sharpe, trial) of the best trial of every combination."""
    parts = _parts(len(matrix), blocks)
    trials = range(len(matrix[0]))
    found = []
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        inside = [row for block in chosen for row in parts[block]]
        outside = [row for block in range(blocks) if block not in chosen for row in parts[block]]
        before = [_sharpe([float(matrix[row][trial]) for row in inside]) for trial in trials]
        after = [_sharpe([float(matrix[row][trial]) for row in outside]) for trial in trials]
        best = before.index(max(before))
        below = sum(value < after[best] for value in after)
        equal = sum(value == after[best] for value in after)
        share = (below + (equal + 1) / 2) / (len(after) + 1)
        found.append((math.log(share / (1 - share)), before[best], after[best], best))
    return found


def probability(found):
    return sum(logit <= 0 for logit, *_ in found) / len(found)


def loss_probability(found):
    return sum(after < 0 for _, _, after, _ in found) / len(found)
