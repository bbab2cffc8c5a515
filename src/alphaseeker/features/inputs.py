"""Depth and the aggressor's side: which data has them, and which columns cannot do without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.errors import DataError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES, feature_named
from alphaseeker.features.layout import NO_LEVELS
from alphaseeker.market.depth import (
    MAX_LEVELS,
    count_levels,
    is_sound,
    read_depth,
    repair_depth,
)
from alphaseeker.market.schema import TickSeries

__all__ = [
    "available_names",
    "check_inputs",
    "check_sides",
    "depth_levels",
    "has_aggressor",
    "live_levels",
    "needed_inputs",
]

# A file may lack a snapshot here and there (before the first one, say) and still have depth.
PRESENT_SHARE = 0.9

INPUTS = {feature.name: frozenset(feature.inputs) for feature in FEATURES}  # custom ones have none


def has_aggressor(series: Sequence[TickSeries]) -> bool:
    """Say whether every series tells the aggressor's side (on nine rows of ten at least)."""
    return bool(series) and all(_side_share(one) >= PRESENT_SHARE for one in series)


def _side_share(series: TickSeries) -> float:
    both = series.ticks["buy_volume"] + series.ticks["sell_volume"]
    return float(np.isfinite(both).mean()) if len(series) else 0.0


def depth_levels(series: Sequence[TickSeries]) -> int:
    """Return the levels, the touch included, that every series has (on nine rows of ten at least).

    0 where one of them has no second level.
    """
    levels = min((_levels_of(one) for one in series), default=0)
    return levels if levels >= 2 else 0


def _levels_of(series: TickSeries) -> int:
    if series.depth is None or len(series) == 0:
        return 0
    counts = np.empty(min(series.depth.shape[1], MAX_LEVELS), dtype=np.int64)
    count_levels(series.depth, counts)
    return int((counts / len(series) >= PRESENT_SHARE).sum())


def available_names(settings: FeatureSettings) -> tuple[str, ...]:
    """Return the columns that data with these settings offers: the catalogue's, the custom."""
    return tuple(
        feature.name
        for feature in (*FEATURES, *settings.custom_columns)
        if not ("aggressor" in feature.inputs and not settings.aggressor)
        and feature.levels <= settings.depth_levels
    )


def needed_inputs(names: Sequence[str], settings: FeatureSettings) -> tuple[str, ...]:
    """Return which of "depth" and "aggressor" the columns ``names`` read with these settings.

    Columns that rest on the sign of trades read the aggressor's side where the training data had
    it, and the tick rule where it had not.

    Raises
    ------
    ConfigError
        A name is not in the catalogue.
    """
    custom = settings.custom_columns
    read = {kind for name in names for kind in feature_named(name, custom).inputs}
    aggressor = "aggressor" in read or ("sign" in read and settings.aggressor)
    return (*(["depth"] if "depth" in read else []), *(["aggressor"] if aggressor else []))


def live_levels(
    depth: Any, needed: int, names: Sequence[str] = ()
) -> tuple[npt.NDArray[np.float64], bool]:
    """Return the depth of one live tick for the step, and whether it had to be mended.

    Of the levels, in order, the best ``MAX_LEVELS`` are returned: no column reads more.

    Parameters
    ----------
    depth
        Shape (levels, 4), or None where the tick has none.
    needed
        Levels that the columns read; 0 where none does: depth that is given is checked all the
        same, and none is returned.
    names
        The columns, which an error then names.

    Raises
    ------
    DataError
        It is needed and missing, has fewer levels, or is no array of (levels, 4) with prices above
        0 and sizes from 0 up.
    """
    if depth is None:
        if needed:
            raise DataError(
                f"depth is missing; {_readers(names, ('depth',))} read {needed} levels of it: "
                "give an array of shape (levels, 4), best level first: bid price, bid volume, ask "
                "price, ask volume"
            )
        return NO_LEVELS, False
    levels, mended, found = _mended(depth)
    if needed == 0:
        return NO_LEVELS, mended
    if found < needed:
        raise DataError(
            f"depth has {found} levels with a price of their own on both sides; "
            f"{_readers(names, ('depth',))} read {needed}: give more levels, or use a model "
            "that reads fewer"
        )
    return (levels if len(levels) <= MAX_LEVELS else levels[:MAX_LEVELS]), mended


def _mended(depth: Any) -> tuple[npt.NDArray[np.float64], bool, int]:
    """Return a copy in order, whether it was out of order, and its levels with both prices."""
    try:
        levels = np.array(depth, order="C")
    except (TypeError, ValueError, OverflowError):
        levels = read_depth(depth)  # says what is wrong
    # 2 µs for ten levels; the full reading, which can name a bad cell, takes 35 µs.
    plain = levels.dtype == np.float64 and levels.ndim == 2 and levels.shape[1] == 4
    if not (plain and _are_sound(levels)):
        levels = np.ascontiguousarray(read_depth(depth))
    mended, found = _put_in_order(levels)
    return levels, bool(mended), found


@kernel
def _are_sound(levels: npt.NDArray[np.float64]) -> bool:
    """Say whether every cell is in its range and there is a price at all."""
    priced = False
    for level in range(levels.shape[0]):
        for side in range(0, 4, 2):
            price = levels[level, side]
            if not is_sound(price, levels[level, side + 1]):
                return False
            priced = priced or price > 0.0
    return priced


@kernel
def _put_in_order(levels: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Mend the levels in place; return what was mended and how many have both prices."""
    mended = repair_depth(levels)
    found = 0
    while found < levels.shape[0] and levels[found, 0] > 0.0 and levels[found, 2] > 0.0:
        found += 1
    return mended, found


def check_sides(buy_volume: float, sell_volume: float, names: Sequence[str] = ()) -> None:
    """Refuse a live tick without the aggressor's side, which the columns ``names`` read.

    Raises
    ------
    DataError
        One of the two is NaN.
    """
    for field, value in (("buy_volume", buy_volume), ("sell_volume", sell_volume)):
        if math.isnan(value):
            raise DataError(
                f"{field} is missing; {_readers(names, ('aggressor', 'sign'))} read it: give what "
                "was traded since the previous tick by aggressive buyers and by aggressive "
                "sellers, 0 for none"
            )


def check_inputs(series: TickSeries, names: Sequence[str], settings: FeatureSettings) -> None:
    """Refuse a series without what the columns ``names`` read.

    Raises
    ------
    DataError
        Depth, some of its levels, or the aggressor's side is absent; names columns that read it.
    """
    needed = needed_inputs(names, settings)
    if "aggressor" in needed and (not settings.aggressor or _side_share(series) < PRESENT_SHARE):
        raise DataError(
            f"buy_volume and sell_volume are missing{_of(series)}; "
            f"{_readers(names, ('aggressor', 'sign'))} read them: give data with both columns, "
            "or choose other features"
        )
    if "depth" not in needed:
        return
    custom = settings.custom_columns
    wanted = max(settings.depth_levels, *(feature_named(name, custom).levels for name in names))
    levels = _levels_of(series)
    if levels < wanted or settings.depth_levels < wanted:
        raise DataError(
            f"depth{_of(series)} has {levels if levels >= 2 else 'no'} levels, {wanted} are "
            f"needed: {_readers(names, ('depth',))} read columns such as bid_price_2, "
            f"bid_volume_2, ask_price_2, ask_volume_2; give data with them, or choose other "
            "features"
        )


def _of(series: TickSeries) -> str:
    return f" of {series.symbol!r}" if series.symbol else ""


def _readers(names: Sequence[str], kinds: tuple[str, ...]) -> str:
    """Name the first columns that read one of ``kinds``; a general word where none is known."""
    readers = [name for name in names if INPUTS.get(name, frozenset()).intersection(kinds)]
    more = f" and {len(readers) - 3} more" if len(readers) > 3 else ""
    return ", ".join(readers[:3]) + more or "the features in use"
