"""Fit of the isotonic calibration of three-class probabilities.

For each class the share of rows in which it happened is fitted as a rising step function of its
probability (pool adjacent violators), the classes each against the others (Zadrozny and Elkan,
2002). What is kept are the ends of the steps, as plain numbers: see ``model.isotonic``, which
applies them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.model.isotonic import MAX_KNOTS

__all__ = ["fit_isotonic"]

N_CLASSES = 3


def fit_isotonic(
    probabilities: npt.NDArray[np.float64],
    label: npt.NDArray[np.int8],
    *,
    weights: npt.NDArray[np.float64] | None = None,
    least_step: float = 0.0,
    trust: float = 0.0,
) -> dict[str, list[list[float]]]:
    """Return the knots of the three classes, fitted on rows that the model was not fitted on.

    With W the sum of the weights, values are kept within 1 / (W + 2) of 0 and 1: what did not
    happen in W rows is not impossible (Laplace). So a class that is absent, or never wrong, has
    that bound, and the three values of a row never sum to 0. Where all probabilities of a class
    are equal there is one knot: the share.

    Steps are then pooled into the mean of two neighbours, first the lightest one with the
    neighbour that costs the fewest weighted squares, until each holds ``least_step``; then the two
    that cost the fewest, until no class has more than ``MAX_KNOTS`` knots.

    Parameters
    ----------
    probabilities
        Shape (n, 3), float64, from 0 to 1.
    label
        Shape (n,), int8: 0, 1, 2.
    weights
        Shape (n,), float64, finite, at least 0, one of them above; None for equal ones. Their sum
        is taken as the number of independent rows.
    least_step
        Weight that a step holds at least, where there are two.
    trust
        Weight of the probabilities themselves beside W: the knots' values are drawn towards their
        positions by trust / (W + trust).

    Raises
    ------
    DataError
        No row, a shape that does not fit, or a value that is not allowed.
    """
    if weights is None:
        weights = np.ones(len(probabilities))
    _check_fit(probabilities, label, weights)
    used = weights > 0.0
    total = float(weights.sum())
    lowest = 1.0 / (total + 2.0)
    kept = trust / (total + trust)
    positions, values = [], []
    for one in range(N_CLASSES):
        happened = (label[used] == one).astype(np.float64)
        steps = _steps(probabilities[used, one], happened, weights[used])
        steps = _thinned(steps, least_step)
        x, y = steps.knots()
        y = np.clip(y, lowest, 1.0 - lowest)
        positions.append(x.tolist())
        values.append(np.minimum((1.0 - kept) * y + kept * x, 1.0).tolist())
    return {"positions": positions, "values": values}


@dataclass(frozen=True, kw_only=True)
class _Steps:
    """Rising steps: first and last place, value and weight of each, shape (s,), float64."""

    first: npt.NDArray[np.float64]
    last: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]

    def knots(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the places and values of both ends of every step; one for a step of one place."""
        places = np.stack((self.first, self.last), axis=1).ravel()
        new = np.append(True, places[1:] > places[:-1])
        # Pooling may round a value below the one before it.
        values = np.maximum.accumulate(np.repeat(self.value, 2))
        return places[new], values[new]

    def count(self) -> int:
        return len(self.first) + int((self.last > self.first).sum())

    def pooled(self, left: int) -> _Steps:
        """Make one of the steps ``left`` and ``left + 1``."""
        pair = slice(left, left + 2)
        weight = self.weight[pair].sum()
        value = (self.weight[pair] * self.value[pair]).sum() / weight
        return _Steps(
            first=np.delete(self.first, left + 1),
            last=np.delete(self.last, left),
            value=_replaced(self.value, left, value),
            weight=_replaced(self.weight, left, weight),
        )

    def costs(self) -> npt.NDArray[np.float64]:
        """Return what the sum of squares grows by when each step is pooled with the next one."""
        left, right = self.weight[:-1], self.weight[1:]
        return np.asarray(left * right / (left + right) * np.diff(self.value) ** 2)


def _replaced(values: npt.NDArray[np.float64], left: int, value: float) -> npt.NDArray[np.float64]:
    result = np.delete(values, left + 1)
    result[left] = value
    return result


def _steps(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> _Steps:
    """Return the isotonic regression of ``y`` on ``x``."""
    from scipy.optimize import isotonic_regression

    places, group = np.unique(x, return_inverse=True)
    total = np.bincount(group, weights)
    fitted = isotonic_regression(np.bincount(group, weights * y) / total, weights=total)
    starts = fitted.blocks[:-1]
    return _Steps(
        first=places[starts],
        last=places[fitted.blocks[1:] - 1],
        value=np.asarray(fitted.x, dtype=np.float64)[starts],
        weight=np.add.reduceat(total, starts),
    )


def _thinned(steps: _Steps, least_step: float) -> _Steps:
    while len(steps.weight) > 1 and steps.weight.min() < least_step:
        lightest = int(steps.weight.argmin())
        costs = np.concatenate(([np.inf], steps.costs(), [np.inf]))
        steps = steps.pooled(lightest - int(costs[lightest] <= costs[lightest + 1]))
    while steps.count() > MAX_KNOTS:
        steps = steps.pooled(int(steps.costs().argmin()))
    return steps


def _check_fit(
    probabilities: npt.NDArray[np.float64],
    label: npt.NDArray[np.int8],
    weights: npt.NDArray[np.float64],
) -> None:
    rows = len(probabilities)
    shapes = probabilities.shape, label.shape, weights.shape
    if rows == 0 or shapes != ((rows, N_CLASSES), (rows,), (rows,)):
        raise DataError(
            f"probabilities, label and weights have shapes {', '.join(map(str, shapes))}; "
            "give (n, 3), (n,) and (n,) with at least one row"
        )
    for name, allowed, good in (
        ("probability", "from 0 to 1", (0.0 <= probabilities) & (probabilities <= 1.0)),
        ("class", "0, 1 or 2", (0 <= label) & (label < N_CLASSES)),
        ("weight", "finite, at least 0", (0.0 <= weights) & (weights < np.inf)),
    ):
        bad = np.argwhere(~good)
        if len(bad):
            raise DataError(f"a {name} of row {bad[0, 0]} is not allowed; it must be {allowed}")
    if not (weights > 0.0).any():
        raise DataError("all weights are 0; give at least one row a weight above 0")
