"""Depth levels of the order book: mending their order, and checking that there are enough.

A snapshot has shape (levels, 4): bid price, bid volume, ask price, ask volume, best level first.
A level without a price is NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.errors import DataError

__all__ = [
    "DEPTH_COLUMNS",
    "DUPLICATED",
    "MAX_LEVELS",
    "UNSORTED",
    "repair_depth",
    "repair_depth_series",
    "require_levels",
]

MAX_LEVELS = 10
DEPTH_COLUMNS = ("bid_price", "bid_volume", "ask_price", "ask_volume")

UNSORTED = 1
DUPLICATED = 2


@kernel
def _repair_side(levels: npt.NDArray[np.float64], price_column: int, sign: float) -> int:
    """Mend one side; ``sign`` is -1 for bids, whose best price is the highest, else 1."""
    repaired = 0
    kept = 0
    hole = False
    for level in range(levels.shape[0]):
        price = levels[level, price_column]
        volume = levels[level, price_column + 1]
        if math.isnan(price):
            hole = True
            continue
        place = kept
        while place > 0 and sign * price < sign * levels[place - 1, price_column]:
            place -= 1
        if place > 0 and levels[place - 1, price_column] == price:
            levels[place - 1, price_column + 1] = volume
            repaired |= DUPLICATED
            continue
        if place < kept or hole:
            repaired |= UNSORTED
        for row in range(kept, place, -1):
            levels[row, price_column] = levels[row - 1, price_column]
            levels[row, price_column + 1] = levels[row - 1, price_column + 1]
        levels[place, price_column] = price
        levels[place, price_column + 1] = volume
        kept += 1
    for row in range(kept, levels.shape[0]):
        levels[row, price_column] = math.nan
        levels[row, price_column + 1] = math.nan
    return repaired


@kernel
def repair_depth(levels: npt.NDArray[np.float64]) -> int:
    """Sort one snapshot in place, best level first; of a duplicated price the last one stays.

    Parameters
    ----------
    levels
        Shape (levels, 4), float64, changed in place. Levels left over, and levels without a
        price, end as NaN at the back.

    Returns
    -------
    int
        0 where the snapshot was in order, else ``UNSORTED``, ``DUPLICATED`` or their sum.
    """
    return _repair_side(levels, 0, -1.0) | _repair_side(levels, 2, 1.0)


@kernel
def repair_depth_series(depth: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Mend every snapshot of shape (n, levels, 4) in place.

    Returns
    -------
    tuple[int, int]
        How many snapshots had levels out of order, and how many had a duplicated level.
    """
    unsorted = 0
    duplicated = 0
    for tick in range(depth.shape[0]):
        repaired = repair_depth(depth[tick])
        if repaired & UNSORTED:
            unsorted += 1
        if repaired & DUPLICATED:
            duplicated += 1
    return unsorted, duplicated


def require_levels(depth: npt.NDArray[Any] | None, needed: int) -> None:
    """Check that a snapshot (levels, 4) or a series of them (n, levels, 4) is deep enough.

    Raises
    ------
    DataError
        Fewer levels than ``needed`` (None counts as no levels), or another shape.
    """
    if needed <= 0:
        return
    if depth is not None and (depth.ndim not in (2, 3) or depth.shape[-1] != 4):
        raise DataError(
            f"depth has the shape {depth.shape}; it must be (levels, 4) or (n, levels, 4) with "
            "bid price, bid volume, ask price, ask volume"
        )
    given = 0 if depth is None else int(depth.shape[-2])
    if given < needed:
        raise DataError(
            f"depth has {given} levels, {needed} are needed; give bid_price_1 .. "
            f"ask_volume_{needed}, or use a model that needs fewer levels"
        )
