"""Order book snapshots mended with dictionaries: the last volume at a price stays, then sort."""

import math
import struct

import numpy as np


def fits_float32(value):
    """Say whether a number is finite, and still is as float32."""
    try:
        struct.pack("<f", value)
    except OverflowError:
        return False
    return math.isfinite(value)


def is_absent(price, volume):
    """Say whether a cell pair tells of no level: both missing, or no size at no price."""
    return (math.isnan(price) and math.isnan(volume)) or (
        volume == 0 and (price == 0 or math.isnan(price))
    )


def is_damaged(price, volume):
    """Say whether a pair is neither a level (price above 0, volume from 0 up) nor absent."""
    level = fits_float32(price) and price > 0 and fits_float32(volume) and volume >= 0
    return not (level or is_absent(price, volume))


def first_damaged(levels):
    """Return the first damaged (level, column of its price) by levels, bids first; else None."""
    for level, row in enumerate(levels.tolist()):
        for column in (0, 2):
            if is_damaged(*row[column : column + 2]):
                return level, column
    return None


def mend_side(pairs, *, best_is_highest):
    """Return (sorted pairs without duplicates, was out of order, had a duplicate, was damaged).

    What stands behind a damaged level is not known to be the next one: it is missing with it.
    """
    damaged = [is_damaged(*pair) for pair in pairs]
    pairs = pairs[: damaged.index(True)] if any(damaged) else pairs
    priced = [pair for pair in pairs if not is_absent(*pair)]
    last_volume = dict(priced)
    first_seen = list(dict.fromkeys(price for price, _ in priced))
    in_order = sorted(first_seen, reverse=best_is_highest)
    blank = [is_absent(*pair) for pair in pairs]
    hole = any(blank[i] and not all(blank[i:]) for i in range(len(blank)))
    mended = [(price, last_volume[price]) for price in in_order]
    doubled = len(first_seen) < len(priced)
    return mended, hole or in_order != first_seen, doubled, any(damaged)


def mend_snapshot(levels):
    """Return (mended copy, was out of order, had a duplicate, was damaged) of (levels, 4)."""
    mended = np.full_like(levels, math.nan)
    unsorted = duplicated = damaged = False
    for column, best_is_highest in ((0, True), (2, False)):
        pairs = [tuple(pair) for pair in levels[:, column : column + 2].tolist()]
        side, moved, doubled, harmed = mend_side(pairs, best_is_highest=best_is_highest)
        for row, pair in enumerate(side):
            mended[row, column : column + 2] = pair
        unsorted |= moved
        duplicated |= doubled
        damaged |= harmed
    return mended, unsorted, duplicated, damaged
