"""Isotonic calibration of three-class probabilities, as plain numbers.

For each class the share of rows in which it happened is fitted as a rising step function of its
probability (pool adjacent violators), the classes each against the others; a row's three values
are then divided by their sum (Zadrozny and Elkan, 2002). What is kept are the ends of the steps,
between which values are interpolated.

    {"positions": [[...], [...], [...]], "values": [[...], [...], [...]]}

The matrix and the row form do the same operations in the same order and give the same bits.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part
from alphaseeker.errors import DataError, ModelError

__all__ = [
    "apply_isotonic",
    "check_isotonic",
    "fit_isotonic",
    "isotonic_step",
    "knot_arrays",
]

N_CLASSES = 3


def fit_isotonic(
    probabilities: npt.NDArray[np.float64],
    label: npt.NDArray[np.int8],
    *,
    weights: npt.NDArray[np.float64] | None = None,
) -> dict[str, list[list[float]]]:
    """Return the knots of the three classes, fitted on rows that the model was not fitted on.

    Values are kept within 1 / (n + 2) of 0 and 1: what did not happen in n rows is not impossible
    (Laplace). So a class that is absent, or never wrong, has that bound, and the three values of a
    row never sum to 0. Where all probabilities of a class are equal there is one knot: the share.

    Parameters
    ----------
    probabilities
        Shape (n, 3), float64, from 0 to 1.
    label
        Shape (n,), int8: 0, 1, 2.
    weights
        Shape (n,), float64, finite, at least 0, one of them above; None for equal ones.

    Raises
    ------
    DataError
        No row, a shape that does not fit, or a value that is not allowed.
    """
    rows = len(probabilities)
    if weights is None:
        weights = np.ones(rows)
    _check_fit(probabilities, label, weights)
    used = weights > 0.0
    lowest = 1.0 / (rows + 2.0)
    positions, values = [], []
    for one in range(N_CLASSES):
        happened = (label[used] == one).astype(np.float64)
        x, y = _steps(probabilities[used, one], happened, weights[used])
        positions.append(x.tolist())
        values.append(np.clip(y, lowest, 1.0 - lowest).tolist())
    return {"positions": positions, "values": values}


def _steps(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the first and the last place of every step of the isotonic regression, and values."""
    from scipy.optimize import isotonic_regression

    places, group = np.unique(x, return_inverse=True)
    total = np.bincount(group, weights)
    fitted = isotonic_regression(np.bincount(group, weights * y) / total, weights=total)
    starts = fitted.blocks[:-1]
    ends = fitted.blocks[1:] - 1
    kept = np.unique(np.concatenate((starts, ends)))
    return places[kept], np.asarray(fitted.x, dtype=np.float64)[kept]


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


def check_isotonic(calibration: Mapping[str, Any]) -> None:
    """Raise ``ModelError`` unless ``calibration`` can be applied.

    Each class needs as many values as positions, at least one; finite positions that rise strictly
    and values above 0, up to 1, that never fall.
    """
    positions: Any = calibration.get("positions")
    values: Any = calibration.get("values")
    for name, lists in (("positions", positions), ("values", values)):
        if not isinstance(lists, (list, tuple)) or len(lists) != N_CLASSES:
            raise ModelError(
                f"isotonic calibration has no list of {N_CLASSES} lists under {name!r}; "
                "train the model again"
            )
    for one, (x, y) in enumerate(zip(positions, values, strict=True)):
        if not (_numbers(x) and _numbers(y) and len(x) == len(y) > 0):
            given = "as many values as positions, at least one, all finite numbers"
        elif any(left >= right for left, right in itertools.pairwise(x)):
            given = "positions that rise strictly"
        elif not (0.0 < y[0] and y[-1] <= 1.0) or list(y) != sorted(y):
            given = "values above 0, up to 1, that never fall"
        else:
            continue
        raise ModelError(f"isotonic calibration of class {one} needs {given}; train again")


def _numbers(values: Any) -> bool:
    largest = sys.float_info.max
    return isinstance(values, (list, tuple)) and all(
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and -largest <= value <= largest
        for value in values
    )


def knot_arrays(
    calibration: Mapping[str, Any],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return (offsets, positions, values): class k has the knots offsets[k] to offsets[k + 1].

    Returns
    -------
    Shapes (4,), (m,), (m,); int64, float64, float64.

    Raises
    ------
    ModelError
        The calibration cannot be applied (`check_isotonic`).
    """
    check_isotonic(calibration)
    counts = [len(x) for x in calibration["positions"]]
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    positions = np.concatenate([np.asarray(x, np.float64) for x in calibration["positions"]])
    values = np.concatenate([np.asarray(y, np.float64) for y in calibration["values"]])
    return offsets, positions, values


def apply_isotonic(
    calibration: Mapping[str, Any], probabilities: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return calibrated probabilities, shape (n, 3), of probabilities, shape (n, 3).

    Beyond the outer knots a class keeps their values. A row with a NaN becomes three NaN.

    Raises
    ------
    ModelError
        The calibration cannot be applied (`check_isotonic`).
    """
    offsets, positions, values = knot_arrays(calibration)
    result = np.empty((len(probabilities), N_CLASSES))
    for one in range(N_CLASSES):
        x = positions[offsets[one] : offsets[one + 1]]
        y = values[offsets[one] : offsets[one + 1]]
        p = probabilities[:, one]
        after = np.searchsorted(x, p, side="right")
        left = np.clip(after - 1, 0, len(x) - 1)
        right = np.minimum(after, len(x) - 1)
        # Beyond the outer knots both are one and the same: its value, whatever the share.
        inside = left < right
        width = np.where(inside, x[right] - x[left], 1.0)
        share = np.where(inside, p - x[left], 0.0) / width
        value = np.minimum(y[left] + share * (y[right] - y[left]), y[right])
        result[:, one] = np.where(np.isnan(p), np.nan, value)
    total = result[:, 0] + result[:, 1] + result[:, 2]
    return np.asarray(result / total[:, None])


@part
def isotonic_step(
    offsets: npt.NDArray[np.int64],
    positions: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    probabilities: npt.NDArray[np.float64],
) -> None:
    """Calibrate the three probabilities of one row in place, as `apply_isotonic` does.

    Parameters
    ----------
    offsets, positions, values
        From `knot_arrays`.
    probabilities
        Shape (3,), float64, read and written.
    """
    total = 0.0
    for one in range(3):
        p = probabilities[one]
        first = offsets[one]
        after = offsets[one + 1]
        last = after - 1
        low = first
        while low < after:  # the first knot above p
            middle = (low + after) // 2
            if positions[middle] <= p:
                low = middle + 1
            else:
                after = middle
        if math.isnan(p):
            value = p
        elif low == first:
            value = values[first]
        elif low > last:
            value = values[last]
        else:
            share = (p - positions[low - 1]) / (positions[low] - positions[low - 1])
            value = min(values[low - 1] + share * (values[low] - values[low - 1]), values[low])
        probabilities[one] = value
        total += value
    probabilities[0] /= total
    probabilities[1] /= total
    probabilities[2] /= total
