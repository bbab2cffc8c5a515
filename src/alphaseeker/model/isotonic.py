"""Isotonic calibration of three-class probabilities from plain numbers, as a kernel.

    {"positions": [[...], [...], [...]], "values": [[...], [...], [...]]}

Each class has knots, between which its value is interpolated and beyond which it stays; a row's
three values are then divided by their sum (Zadrozny and Elkan, 2002). How the knots are fitted
stands in ``training.isotonic``. The matrix and the row form do the same operations in the same
order and give the same bits.
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
from alphaseeker.errors import ModelError

__all__ = ["MAX_KNOTS", "apply_isotonic", "check_isotonic", "isotonic_step", "knot_arrays"]

N_CLASSES = 3

# Of a class: its knots have a fixed place in the decision record, and are found in six halvings.
MAX_KNOTS = 64


def check_isotonic(calibration: Any) -> None:
    """Raise ``ModelError`` unless ``calibration`` can be applied.

    Each class needs as many values as positions, 1 to ``MAX_KNOTS``; finite positions that rise
    strictly and values above 0, up to 1, that never fall.
    """
    if not isinstance(calibration, Mapping):
        raise ModelError(
            f"calibration isotonic is a {type(calibration).__name__}, it must be None or a "
            "dictionary of positions and values; train the model again"
        )
    positions: Any = calibration.get("positions")
    values: Any = calibration.get("values")
    for name, lists in (("positions", positions), ("values", values)):
        if not isinstance(lists, (list, tuple)) or len(lists) != N_CLASSES:
            raise ModelError(
                f"isotonic calibration has no list of {N_CLASSES} lists under {name!r}; "
                "train the model again"
            )
    for one, (x, y) in enumerate(zip(positions, values, strict=True)):
        if not (_numbers(x) and _numbers(y) and 0 < len(x) == len(y) <= MAX_KNOTS):
            given = f"as many values as positions, 1 to {MAX_KNOTS}, all finite numbers"
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
