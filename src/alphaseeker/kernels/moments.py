"""Count, mean and centred second moments of one or two variables, grown and merged.

Sums of raw squares lose every digit when the spread of the values is small beside their size (a
price of 60,000 that moves by 0.1). Centred moments keep them, and stay exactly zero while all
values are equal. Formulas: Welford (1962) for one value, Chan, Golub and LeVeque (1979) for two
sets.

A pair's moments are a row of six: count, mean of x, mean of y, and the sums of squares and products
of the deviations, xx, yy and xy.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["COUNT", "MEAN_X", "MEAN_Y", "XX", "XY", "YY", "moments_step", "pair_merge", "pair_step"]

COUNT, MEAN_X, MEAN_Y, XX, YY, XY = range(6)

Row = npt.NDArray[np.float64]


@kernel
def moments_step(
    count: float, mean: float, squares: float, value: float
) -> tuple[float, float, float]:
    """Return count, mean and sum of squared deviations with ``value`` taken in."""
    count += 1.0
    deviation = value - mean
    mean += deviation / count
    return count, mean, squares + deviation * (value - mean)


@kernel
def pair_step(row: Row, x: float, y: float) -> None:
    """Take the pair (x, y) into ``row`` in place."""
    count = row[COUNT] + 1.0
    dx = x - row[MEAN_X]
    dy = y - row[MEAN_Y]
    share = row[COUNT] / count
    row[COUNT] = count
    row[MEAN_X] += dx / count
    row[MEAN_Y] += dy / count
    row[XX] += dx * dx * share
    row[YY] += dy * dy * share
    row[XY] += dx * dy * share


@kernel
def pair_merge(first: Row, second: Row, merged: Row) -> None:
    """Write the moments of both rows' pairs together; ``merged`` may be one of the two."""
    n_first = first[COUNT]
    n_second = second[COUNT]
    count = n_first + n_second
    if count == 0.0:
        merged[:] = 0.0
        return
    dx = second[MEAN_X] - first[MEAN_X]
    dy = second[MEAN_Y] - first[MEAN_Y]
    share = n_second / count
    weight = n_first * share
    merged[MEAN_X] = first[MEAN_X] + dx * share
    merged[MEAN_Y] = first[MEAN_Y] + dy * share
    merged[XX] = first[XX] + second[XX] + dx * dx * weight
    merged[YY] = first[YY] + second[YY] + dy * dy * weight
    merged[XY] = first[XY] + second[XY] + dx * dy * weight
    merged[COUNT] = count
