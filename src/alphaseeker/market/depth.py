"""Depth levels of the order book: reading live ones, and mending what files hold.

A snapshot has shape (levels, 4): bid price, bid volume, ask price, ask volume, best level first.
Where a side has no such level, both of its cells are NaN; a size of 0 at a price of 0 or NaN says
the same. Whatever else is no price above 0 with a size from 0 up, both finite as float32, is a
damaged level: live it is refused, in a file it is missing, and with it what stands behind it on
its side, which nobody knows to be the next level.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.errors import DataError
from alphaseeker.market.tick_values import real
from alphaseeker.market.verdict import TOO_LARGE, is_price, is_size

__all__ = [
    "DAMAGED",
    "DEPTH_COLUMNS",
    "DUPLICATED",
    "MAX_LEVELS",
    "UNSORTED",
    "count_levels",
    "find_damaged",
    "read_depth",
    "repair_depth",
    "repair_depth_series",
]

MAX_LEVELS = 10
DEPTH_COLUMNS = ("bid_price", "bid_volume", "ask_price", "ask_volume")

UNSORTED = 1
DUPLICATED = 2
DAMAGED = 4

_ALLOWED = (
    "give an array of numbers of shape (levels, 4), best level first: bid price, bid volume, ask "
    "price, ask volume; prices above 0 and volumes 0 or more, finite as float32; NaN for both, or "
    "0, where a side has no such level, which belongs at the back"
)


@part
def _is_absent(price: float, volume: float) -> bool:
    """Say whether there is no level."""
    if math.isnan(price) and math.isnan(volume):
        return True
    return volume == 0.0 and (price == 0.0 or math.isnan(price))


@part
def is_sound(price: float, volume: float) -> bool:
    """Say whether there is a level, or none: anything else is damaged."""
    return (is_price(price) and is_size(volume)) or _is_absent(price, volume)


@part
def _repair_side(levels: npt.NDArray[np.float64], price_column: int | np.int64, sign: float) -> int:
    """Mend one side; ``sign`` is -1 for bids, whose best price is the highest, else 1."""
    repaired = 0
    kept = 0
    hole = False
    for level in range(levels.shape[0]):
        price = levels[level, price_column]
        volume = levels[level, price_column + 1]
        if not is_sound(price, volume):
            repaired |= DAMAGED
            break
        if _is_absent(price, volume):
            hole = True
            continue
        if hole:
            repaired |= UNSORTED
        place = kept
        while place > 0 and sign * price < sign * levels[place - 1, price_column]:
            place -= 1
        if place > 0 and levels[place - 1, price_column] == price:
            levels[place - 1, price_column + 1] = volume
            repaired |= DUPLICATED
            continue
        if place < kept:
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


@part
def is_in_order(levels: npt.NDArray[np.float64], needed: int) -> bool:
    """Say whether the first ``needed`` levels are priced on both sides, the best ones first."""
    if levels.shape[0] < needed:
        return False
    for level in range(needed):
        bid, ask = levels[level, 0], levels[level, 2]
        if not (is_price(bid) and is_price(ask)):
            return False
        if not (is_size(levels[level, 1]) and is_size(levels[level, 3])):
            return False
        if level > 0 and not (bid < levels[level - 1, 0] and ask > levels[level - 1, 2]):
            return False
    return True


@kernel
def repair_depth(levels: npt.NDArray[np.float64]) -> int:
    """Sort one snapshot in place, best level first; of a duplicated price the last one stays.

    A damaged level, and what stands behind it on its side, is missing.

    Parameters
    ----------
    levels
        Shape (levels, 4), float64, changed in place. Levels left over and missing ones end as
        NaN at the back.

    Returns
    -------
    int
        0 where the snapshot was in order, else the sum of those of ``UNSORTED``, ``DUPLICATED``
        and ``DAMAGED`` that it was.
    """
    return _repair_side(levels, np.int64(0), -1.0) | _repair_side(levels, np.int64(2), 1.0)


@kernel
def repair_depth_series(depth: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Mend every snapshot of shape (n, levels, 4) in place.

    Returns
    -------
    tuple[int, int]
        How many snapshots had levels out of order, and how many had a duplicated level; for the
        damaged ones see ``find_damaged``.
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


@kernel
def find_damaged(depth: npt.NDArray[np.float64], cells: npt.NDArray[np.int64]) -> int:
    """Find the first damaged level of every snapshot, before it is mended.

    Parameters
    ----------
    depth
        Shape (n, levels, 4).
    cells
        Shape (n,), written: four times the level, from 0, plus the column of the cell that is out
        of its range; -1 where every level is sound.

    Returns
    -------
    int
        How many snapshots have one.
    """
    damaged = 0
    for tick in range(depth.shape[0]):
        cells[tick] = -1
        for level in range(depth.shape[1]):
            for column in range(0, 4, 2):
                price, volume = depth[tick, level, column], depth[tick, level, column + 1]
                if cells[tick] < 0 and not is_sound(price, volume):
                    cells[tick] = 4 * level + column + (1 if is_price(price) else 0)
        if cells[tick] >= 0:
            damaged += 1
    return damaged


@kernel
def count_levels(depth: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> None:
    """Count the snapshots that have a level, and every better one, on both sides.

    Parameters
    ----------
    depth
        Shape (n, levels, 4), best level first.
    counts
        Shape (levels,), written. The first level is the tick's own quote: every tick has it.
    """
    for level in range(counts.shape[0]):
        counts[level] = 0
    for tick in range(depth.shape[0]):
        for level in range(counts.shape[0]):
            if level > 0:
                bid, ask = depth[tick, level, 0], depth[tick, level, 2]
                if not (is_price(bid) and is_price(ask)):
                    break
                if not (is_size(depth[tick, level, 1]) and is_size(depth[tick, level, 3])):
                    break
            counts[level] += 1


def read_depth(value: Any, *, needed: int = 1) -> npt.NDArray[np.float64]:
    """Return the depth of one live tick.

    Parameters
    ----------
    value
        Anything that NumPy reads as numbers of shape (levels, 4); cells may be ``Decimal``. Levels
        may be out of order or leave holes, which ``repair_depth`` mends.
    needed
        Levels with a price on both sides that a model reads.

    Returns
    -------
    numpy.ndarray
        Shape (levels, 4), float64: a copy.

    Raises
    ------
    DataError
        Text, missing cells, truth values or anything else that is no number; another shape; a
        price or a volume out of its range, or one of them without the other; fewer levels than
        ``needed``.
    """
    try:
        cells = np.array(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"depth cannot be read as an array ({error}); {_ALLOWED}") from error
    if cells.ndim != 2 or cells.shape[0] == 0 or cells.shape[1] != len(DEPTH_COLUMNS):
        given = f"is a {type(value).__name__}" if cells.ndim == 0 else f"has shape {cells.shape}"
        raise DataError(f"depth {given}; {_ALLOWED}")
    if cells.dtype.kind == "O":
        levels = _read_cells(cells)
    elif cells.dtype.kind in "iuf":
        with np.errstate(over="ignore"):  # a long double may become infinite, refused below
            levels = cells.astype(np.float64)
    else:
        raise DataError(f"depth holds {cells.dtype} values; {_ALLOWED}")
    prices, volumes = levels[:, ::2], levels[:, 1::2]
    unpriced = np.isnan(prices)
    absent = np.where(volumes == 0.0, unpriced | (prices == 0.0), unpriced & np.isnan(volumes))
    bad = np.empty(levels.shape, dtype=np.bool_)
    bad[:, ::2] = ~((prices > 0.0) & (prices < TOO_LARGE) | unpriced | absent)
    bad[:, 1::2] = ~np.where(unpriced, absent, (volumes >= 0.0) & (volumes < TOO_LARGE))
    if bad.any():
        level, column = np.argwhere(bad)[0].tolist()
        raise _bad_cell(level, column, float(levels[level, column]))
    if absent.all():
        raise DataError(f"depth has no level with a price; {_ALLOWED}")
    given_levels = int((~absent).sum(axis=0).min())
    if needed > 1 and given_levels < needed:
        raise DataError(
            f"depth has {given_levels} levels with a price on both sides, the model reads "
            f"{needed}: give more levels, or use a model that reads fewer"
        )
    return levels


def _read_cells(cells: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    levels = np.empty(cells.shape, dtype=np.float64)
    for (level, column), cell in np.ndenumerate(cells):
        try:
            levels[level, column] = real(cell)
        except TypeError as error:
            raise _bad_cell(level, column, cell) from error
        except OverflowError as error:
            raise _bad_cell(level, column, math.inf) from error
    return levels


def _bad_cell(level: int, column: int, cell: object) -> DataError:
    place = f"{DEPTH_COLUMNS[column]} of level {level + 1}"
    return DataError(f"depth: {place} is {cell!r} ({type(cell).__name__}); {_ALLOWED}")
