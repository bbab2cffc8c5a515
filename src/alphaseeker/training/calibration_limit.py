"""The calibration error that a perfectly calibrated forecaster would show on so many labels.

A calibration error is a mean of absolute values and never 0 on a sample. What it would be by chance
alone is found by drawing: labels come from the forecaster's own probabilities, and overlap as real
ones do. Each symbol has a random walk with a few steps in a label's span. How far it goes within
the span of a row is, in the order SELL, HOLD, BUY, the quantile at which the row finds its class:
rows whose labels overlap share that part of their future, and a mean over them is worth what so
much time is worth.

How many steps is for the labels themselves to say. Where prices jump now and then, labels are the
same until the next jump, as those of a walk with one step a span; where they creep, two labels that
overlap by half differ as often as those of a walk with many. Drawn with the one or with the other,
the limit of 95 % held 96 to 100 % or 67 to 98 % of the errors of forecasters that were right. So
walks with 1, 2, 4 and 8 steps are asked how often labels that overlap are the same, and the limit
lies between those of the two on either side of what was seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.training.metrics import CALIBRATION_BINS

__all__ = ["calibration_limit"]

DRAWS = 300
LIMIT = 0.95
SEED = 0

STEPS = (1, 2, 4, 8)  # of a walk in a span
FINEST = STEPS[-1]
COMPARED_DRAWS = 10
COMPARED_ROWS = 5_000

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@kernel
def _error(
    moves: npt.NDArray[np.float64],
    label: npt.NDArray[np.int64],
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    bins: npt.NDArray[np.int64],
    confidence: npt.NDArray[np.float64],
) -> float:
    """Return the calibration error of one draw; ``confidence`` is summed by bin."""
    gap = confidence.copy()
    for row in range(len(label)):
        move = moves[label[row]]
        if low[row] <= move < high[row]:
            gap[bins[row]] -= 1.0
    return float(np.abs(gap).sum() / len(label))


@dataclass(frozen=True, kw_only=True)
class _Walks:
    """Where on a walk of its symbol each label begins and ends.

    Attributes
    ----------
    label
        Number of the label of each row, shape (n,): rows of a symbol within a step share theirs.
    begin, end
        Numbers of the points where labels begin and end, shape (labels,).
    deviation
        Of the move to each point from the one before, shape (points,); of a label's it is 1.
    """

    label: Integers
    begin: Integers
    end: Integers
    deviation: Floats

    def moves(self, random: np.random.Generator) -> Floats:
        """Draw the walks; return how far each label goes, shape (labels,)."""
        walk = np.cumsum(random.standard_normal(len(self.deviation)) * self.deviation)
        return np.asarray(walk[self.end] - walk[self.begin])


def _walks(timestamp: Integers, symbol: Integers, span_ns: int, steps: int) -> _Walks:
    part = max(1, span_ns // steps)
    starts, label = np.unique(_moments(timestamp, symbol, part, steps), return_inverse=True)
    points = np.union1d(starts, starts + steps)
    return _Walks(
        label=label.astype(np.int64),
        begin=np.asarray(np.searchsorted(points, starts), dtype=np.int64),
        end=np.asarray(np.searchsorted(points, starts + steps), dtype=np.int64),
        deviation=np.sqrt(np.diff(points, prepend=points[0]) / steps),
    )


def _moments(timestamp: Integers, symbol: Integers, part: int, reach: int) -> Integers:
    """Count time in parts, one symbol after another and further apart than ``reach`` parts."""
    moment = timestamp // part
    moment -= moment.min()
    _, number = np.unique(symbol, return_inverse=True)
    return np.asarray(number * (int(moment.max()) + reach + 1) + moment, dtype=np.int64)


def _pairs(timestamp: Integers, symbol: Integers, span_ns: int) -> tuple[Integers, Integers]:
    """Return rows, and of each the first of its symbol that is a part of a span later.

    The parts are 1, 3, 5 and 7 eighths. Rows whose labels do not overlap are left out, and of very
    many some.
    """
    reach = FINEST * FINEST
    moment = _moments(timestamp, symbol, max(1, span_ns // reach), reach)
    order = np.argsort(moment, kind="stable")
    ordered = moment[order]
    every = np.arange(0, len(order), -(-len(order) // COMPARED_ROWS))
    found = []
    for part in range(1, FINEST, 2):
        later = np.searchsorted(ordered, ordered[every] + part * FINEST)
        first, second = every[later < len(order)], later[later < len(order)]
        overlap = ordered[second] < ordered[first] + reach
        found.append((order[first[overlap]], order[second[overlap]]))
    first, second = (np.concatenate(rows) for rows in zip(*found, strict=True))
    return first, second


def _same(walks: _Walks, edges: Floats, pairs: tuple[Integers, Integers]) -> float:
    """Return how often the labels of pairs of rows are the same in draws of the walks."""
    random = np.random.default_rng(SEED)
    same = 0.0
    for _ in range(COMPARED_DRAWS):
        moves = walks.moves(random)
        one, two = (
            (moves[walks.label[rows], np.newaxis] >= edges[rows, 1:3]).sum(axis=1) for rows in pairs
        )
        same += float((one == two).mean())
    return same / COMPARED_DRAWS


def calibration_limit(
    probabilities: npt.NDArray[np.float64],
    label: npt.NDArray[np.int8],
    timestamp: npt.NDArray[np.int64],
    symbol: npt.NDArray[np.int64],
    span_ns: int,
) -> tuple[float, float]:
    """Return mean and 95 % quantile of the calibration error of labels drawn as they were foretold.

    Parameters
    ----------
    probabilities
        Shape (n, 3), float64.
    label
        Shape (n,), int8: what happened, of which only how long it lasts is looked at.
    timestamp, symbol
        Shape (n,), int64: nanoseconds UTC, and the number of the symbol.
    span_ns
        How long a label looks ahead.

    Returns
    -------
    tuple
        Of 300 draws, the same in every call. An error above the second comes by chance in one case
        of twenty; an error below it cannot be told from none.
    """
    from scipy.special import ndtri

    rows = len(timestamp)
    top = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(rows), top]
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    edges = np.concatenate([np.zeros((rows, 1)), np.cumsum(probabilities, axis=1)], axis=1)
    edges[:, -1] = 1.0
    edges = ndtri(np.minimum(edges, 1.0))
    own = (
        edges[np.arange(rows), top],
        edges[np.arange(rows), top + 1],
        bins,
        np.bincount(bins, confidence, CALIBRATION_BINS).astype(np.float64),
    )

    def drawn(steps: int) -> Floats:
        walks = _walks(timestamp, symbol, span_ns, steps)
        random = np.random.default_rng(SEED)
        # One draw at a time: with as many labels as rows, all would be 2.4 GB a million.
        errors = [_error(walks.moves(random), walks.label, *own) for _ in range(DRAWS)]
        return np.array([np.mean(errors), np.quantile(errors, LIMIT)])

    place = _place(label, edges, timestamp, symbol, span_ns)
    before = math.floor(place)
    found = drawn(STEPS[before])
    if place > before:
        found += (place - before) * (drawn(STEPS[before + 1]) - found)
    return float(found[0]), float(found[1])


def _place(
    label: npt.NDArray[np.int8],
    edges: Floats,
    timestamp: Integers,
    symbol: Integers,
    span_ns: int,
) -> float:
    """Return where among ``STEPS`` the walks lie whose labels last as long as those seen."""
    pairs = _pairs(timestamp, symbol, span_ns)
    if len(pairs[0]) == 0:  # no two labels overlap
        return 0.0
    seen = float((label[pairs[0]] == label[pairs[1]]).mean())
    same = [_same(_walks(timestamp, symbol, span_ns, k), edges, pairs) for k in STEPS]
    # The more steps, the less often.
    falling = np.minimum.accumulate(same)
    return float(np.interp(-seen, -falling, np.arange(len(STEPS))))
