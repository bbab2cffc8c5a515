"""The linear part of a model: which way, from imbalance, order flow and past return alone.

Trees on two hundred columns know more about *whether* the price will move than three columns do,
but their word on *which way* is noisier than a logistic regression's. So that regression is fitted
on the rows that moved, without an intercept: it leans neither up nor down by itself. Half its
log-odds go to BUY and, with the opposite sign, to SELL; HOLD is left to the trees. It becomes step
functions of one column each, and those become trees of the same model (``tree_text``).

Measured walk-forward on two captures with one configuration (every eighth and sixth row, 4 folds):

=======================  ==============  ================  ========
held-back rows           trees alone     trees and linear  logistic
=======================  ==============  ================  ========
NEXO 60 s: skill, nats   .048            .050              .023
NEXO 60 s: IC            .228            .241              .234
BTC 100 ms, 1 s: skill   .083            .136              .078
BTC 100 ms, 1 s: IC      .384            .409              .366
=======================  ==============  ================  ========

Starting the trees from the linear scores instead (boosting what they leave) gave an IC of .223 on
the first, and a regression of all three classes in the place of this one .239 with a calibration
error of .038 instead of .025.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.training.target import BUY, HOLD

__all__ = ["Steps", "blend_weights", "direction_scores", "fit_direction"]

CLIPPED_QUANTILES = (0.005, 0.995)

# A tree of 64 leaves is the largest that training makes; an odd number gives zero its own step.
MOST_STEPS = 63

# A part with less weight than this is left out: it only costs time.
LEAST_WEIGHT = 0.01
SILENT = 1e-9


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A step function of one column: ``values[i]`` up to and including ``thresholds[i]``.

    Attributes
    ----------
    name
        The column.
    thresholds
        Shape (m,), float64, rising.
    values
        Shape (m + 1,), float64: half the log-odds of up against down.
    counts
        Shape (m + 1,), int64: training rows on each step.
    missing
        Step of a missing value: that of zero, which says nothing.
    """

    name: str
    thresholds: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    missing: int


def fit_direction(
    columns: Sequence[npt.NDArray[np.float32]],
    names: Sequence[str],
    label: npt.NDArray[np.int8],
    weight: npt.NDArray[np.float64],
) -> tuple[Steps, ...]:
    """Fit up against down on the rows that are not HOLD, and cut it into steps.

    Parameters
    ----------
    columns
        Training rows of each column, shape (n,); a missing value counts as zero.
    names
        Their names.
    label
        Classes, shape (n,): SELL and BUY both occur.
    weight
        Shape (n,), float64. Their sum is the number of labels that the data is worth, against
        which the penalty of the regression (C = 1) stands.

    Returns
    -------
    tuple
        One step function a column; none for a column that is constant.
    """
    from sklearn.linear_model import LogisticRegression

    filled = [np.where(np.isfinite(c), c, 0.0).astype(np.float64) for c in columns]
    limits = [np.quantile(values, CLIPPED_QUANTILES) for values in filled]
    clipped = [np.clip(v, low, high) for v, (low, high) in zip(filled, limits, strict=True)]
    scales = [float(values.std()) for values in clipped]
    used = [number for number, scale in enumerate(scales) if scale > 0.0]
    moved = label != HOLD
    if not used or len(np.unique(label[moved])) < 2:
        return ()
    matrix = np.column_stack([clipped[number][moved] / scales[number] for number in used])
    model = LogisticRegression(fit_intercept=False, max_iter=1000)
    model.fit(matrix, label[moved] == BUY, sample_weight=weight[moved])
    return tuple(
        _cut(names[number], clipped[number], float(slope) / scales[number])
        for number, slope in zip(used, model.coef_[0], strict=True)
    )


def _cut(name: str, values: npt.NDArray[np.float64], slope: float) -> Steps:
    """Cut a line into steps of nearly as many rows each, each at the mean of its rows."""
    levels = np.quantile(values, np.arange(1, MOST_STEPS) / MOST_STEPS, method="lower")
    thresholds = np.unique(levels)
    thresholds = thresholds[thresholds < values.max()]
    step = np.searchsorted(thresholds, values, side="left")
    counts = np.bincount(step, minlength=len(thresholds) + 1)
    means = np.bincount(step, values, minlength=len(thresholds) + 1) / counts
    return Steps(
        name=name,
        thresholds=thresholds,
        values=0.5 * slope * means,
        counts=counts.astype(np.int64),
        missing=int(np.searchsorted(thresholds, 0.0, side="left")),
    )


def direction_scores(
    steps: Sequence[Steps], columns: Sequence[npt.NDArray[np.float32]]
) -> npt.NDArray[np.float64]:
    """Return what the steps add to the score of BUY, and take from that of SELL, shape (n,)."""
    total = np.zeros(len(columns[0]))
    for one, values in zip(steps, columns, strict=True):
        step = np.searchsorted(one.thresholds, values.astype(np.float64), side="left")
        total += one.values[np.where(np.isnan(values), one.missing, step)]
    return total


def blend_weights(
    trees: npt.NDArray[np.float64],
    direction: npt.NDArray[np.float64],
    label: npt.NDArray[np.int8],
    weight: npt.NDArray[np.float64],
    log_prior: npt.NDArray[np.float64],
) -> tuple[float, float]:
    """Return the weights of trees and linear part, each in [0, 1], with the least log loss.

    Parameters
    ----------
    trees
        Scores of the validation rows beyond those of a model that has learnt nothing,
        shape (n, 3).
    direction
        From ``direction_scores``, shape (n,).
    label, weight
        Shape (n,).
    log_prior
        Log shares of the classes under ``weight``'s rule, shape (3,).
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    silent = bool(np.abs(trees - trees[0]).max() < SILENT)
    rows = np.arange(len(label))
    lean = np.zeros((len(label), 3))
    lean[:, 0], lean[:, 2] = -direction, direction
    share = weight / weight.sum()

    def loss(pair: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        logs = log_softmax(pair[0] * trees + pair[1] * lean + log_prior, axis=1)
        excess = np.exp(logs)
        excess[rows, label] -= 1.0
        slopes = [float((share * (excess * part).sum(axis=1)).sum()) for part in (trees, lean)]
        return -float((share * logs[rows, label]).sum()), np.array(slopes)

    found = minimize(loss, np.array([0.5, 0.5]), jac=True, bounds=[(0.0, 1.0)] * 2)
    first, second = (float(value) if value >= LEAST_WEIGHT else 0.0 for value in found.x)
    if silent:  # no tree was split: their weight is where the search began
        first = 0.0
    # Of two parts that both say nothing the trees stay, and the temperature silences them.
    return (first, second) if first or second else (1.0, 0.0)
