"""Order book snapshots mended with dictionaries: the last volume at a price stays, then sort."""

import math

import numpy as np


def mend_side(pairs, *, best_is_highest):
    """Return (sorted pairs without duplicates, was out of order, had a duplicate)."""
    priced = [(price, volume) for price, volume in pairs if not math.isnan(price)]
    last_volume = dict(priced)
    first_seen = list(dict.fromkeys(price for price, _ in priced))
    in_order = sorted(first_seen, reverse=best_is_highest)
    blank = [math.isnan(price) for price, _ in pairs]
    hole = any(blank[i] and not all(blank[i:]) for i in range(len(blank)))
    mended = [(price, last_volume[price]) for price in in_order]
    return mended, hole or in_order != first_seen, len(first_seen) < len(priced)


def mend_snapshot(levels):
    """Return (mended copy, was out of order, had a duplicate) of a (levels, 4) snapshot."""
    mended = np.full_like(levels, math.nan)
    unsorted = duplicated = False
    for column, best_is_highest in ((0, True), (2, False)):
        pairs = [tuple(pair) for pair in levels[:, column : column + 2].tolist()]
        side, moved, doubled = mend_side(pairs, best_is_highest=best_is_highest)
        for row, pair in enumerate(side):
            mended[row, column : column + 2] = pair
        unsorted |= moved
        duplicated |= doubled
    return mended, unsorted, duplicated
