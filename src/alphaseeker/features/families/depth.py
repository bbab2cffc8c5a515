"""Family 9, depth: what stands behind the touch, in data that has levels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part
from alphaseeker.features.declared.depth import DEPTH_WINDOWS, INTEGRATED_WINDOWS
from alphaseeker.features.groups import DEPTH, INTEGRATED, LEVEL_2, LEVEL_3, LEVEL_4, LEVEL_5
from alphaseeker.features.output import as_output
from alphaseeker.features.window_lanes import reader, writer
from alphaseeker.kernels.lane_math import (
    absolute,
    anywhere,
    larger,
    largest,
    logarithm,
    total,
    where,
)
from alphaseeker.kernels.lanes import WIDE, broadcast, load_wide, store

__all__ = ["begin_levels", "take_in_levels", "write_level_flow", "write_levels"]

DEEPEST_FLOW = 5  # levels 2 to 5 have an order flow of their own
BP = 1e4
_sum = reader(INTEGRATED_WINDOWS)
_write = writer(INTEGRATED_WINDOWS)
_write_level = writer(DEPTH_WINDOWS)


@part
def _read_levels(
    rec: Any,
    levels: npt.NDArray[np.float64],
    bid: float,
    ask: float,
    bid_volume: float,
    ask_volume: float,
) -> bool:
    """Move the present levels back, read the new ones, and say whether any differs."""
    depth = rec.depth
    prices = depth.prices
    sizes = depth.sizes
    wanted = rec.fitted.depth_levels
    for first in range(0, 2 * wanted, WIDE):
        store(depth.prices_before, first, load_wide(prices, first))
        store(depth.sizes_before, first, load_wide(sizes, first))
    depth.count_before = depth.count
    prices[0] = bid
    sizes[0] = bid_volume
    prices[wanted] = ask
    sizes[wanted] = ask_volume
    # A level counts where both sides have it and every better one.
    count = 1 if bid > 0.0 and ask > 0.0 else 0
    for level in range(1, min(wanted, levels.shape[0])):
        prices[level] = levels[level, 0]
        sizes[level] = levels[level, 1]
        prices[wanted + level] = levels[level, 2]
        sizes[wanted + level] = levels[level, 3]
        if count == level and levels[level, 0] > 0.0 and levels[level, 2] > 0.0:
            count += 1
    for level in range(max(1, levels.shape[0]), wanted):
        prices[level] = math.nan
        sizes[level] = math.nan
        prices[wanted + level] = math.nan
        sizes[wanted + level] = math.nan
    depth.count = count
    changed = count != depth.count_before
    for first in range(0, 2 * wanted, WIDE):
        moved = load_wide(prices, first) != load_wide(depth.prices_before, first)
        resized = load_wide(sizes, first) != load_wide(depth.sizes_before, first)
        counts = load_wide(depth.level, first) < float(count)
        changed = changed or anywhere((moved | resized) & counts)
    return bool(changed)


@part
def begin_levels(
    rec: Any,
    levels: npt.NDArray[np.float64],
    bid: float,
    ask: float,
    bid_volume: float,
    ask_volume: float,
) -> None:
    """Read the levels of a segment's first tick."""
    rec.depth.count = 0
    _read_levels(rec, levels, bid, ask, bid_volume, ask_volume)


@part
def take_in_levels(
    rec: Any,
    levels: npt.NDArray[np.float64],
    bid: float,
    ask: float,
    bid_volume: float,
    ask_volume: float,
) -> bool:
    """Add the order flow at every level, and say whether any of them changed."""
    if not _read_levels(rec, levels, bid, ask, bid_volume, ask_volume):
        return False
    depth = rec.depth
    partial = rec.levels.partial
    weights = rec.fitted.ofi_weights
    wanted = rec.fitted.depth_levels
    common = min(depth.count, depth.count_before)
    for first in range(0, 2 * wanted, WIDE):
        # An ask is a bid with the signs turned.
        side = load_wide(depth.sides, first)
        price = side * load_wide(depth.prices, first)
        before = side * load_wide(depth.prices_before, first)
        came = where(price >= before, load_wide(depth.sizes, first), 0.0)
        left = where(price <= before, load_wide(depth.sizes_before, first), 0.0)
        store(depth.terms, first, side * (came - left))
    integrated = 0.0
    for level in range(common):
        flow = depth.terms[level] + depth.terms[wanted + level]
        integrated += weights[level] * flow
        if 0 < level < DEEPEST_FLOW:
            partial[LEVEL_2 + level - 1] += flow
    partial[INTEGRATED] += integrated
    return True


@part
def write_level_flow(rec: Any) -> None:
    """Write the order flows below the touch."""
    out = rec.out.depth
    group = rec.levels
    sums = group.sums
    partial = group.partial
    levels = rec.fitted.depth_levels
    depth = 0.5 * (rec.quote.bid_volume + rec.quote.ask_volume)
    full = load_wide(group.full, 0)
    ready = full <= float(rec.clock.seen)
    scale = (full + 1.0) / (_sum(rec.flow.sums, DEPTH) + depth)
    scale = where(ready, scale, math.nan)
    _write(out.integrated_ofi, (_sum(sums, INTEGRATED) + partial[INTEGRATED]) * scale)
    _write_level(out.ofi_level2, (_sum(sums, LEVEL_2) + partial[LEVEL_2]) * scale)
    if levels >= 3:
        _write_level(out.ofi_level3, (_sum(sums, LEVEL_3) + partial[LEVEL_3]) * scale)
    if levels >= 4:
        _write_level(out.ofi_level4, (_sum(sums, LEVEL_4) + partial[LEVEL_4]) * scale)
    if levels >= 5:
        _write_level(out.ofi_level5, (_sum(sums, LEVEL_5) + partial[LEVEL_5]) * scale)


@part
def _slope(rec: Any, start: int | np.int64) -> float:
    """Return Naes & Skjeltorp's slope of the side that begins at place ``start``.

    The terms of all levels but the first stand in ``terms``, at the place before.
    """
    depth = rec.depth
    slope = 0.0
    distance = abs(depth.prices[start] - rec.quote.mid)
    if distance > 0.0:
        slope = depth.logs[start] * rec.quote.mid / distance
    for level in range(rec.fitted.depth_levels - 1):
        slope += depth.terms[start + level]
    return float(slope / rec.fitted.depth_levels)


@part
def _set_slope_terms(rec: Any) -> None:
    """Set ``logs`` to ln(1 + size up to a level), and ``terms`` to what the next level adds."""
    depth = rec.depth
    levels = rec.fitted.depth_levels
    for first in range(0, 2 * levels, WIDE):
        store(depth.logs, first, logarithm(load_wide(depth.totals, first) + 1.0))
    for first in range(0, 2 * levels, WIDE):
        here = load_wide(depth.logs, first)
        price = load_wide(depth.prices, first)
        distance = absolute(load_wide(depth.prices, first + 1) - price)
        term = (load_wide(depth.logs, first + 1) - here) * price / (here * distance)
        known = (distance > 0.0) & (here > 0.0)
        store(depth.terms, first, where(known, term, 0.0))


@part
def _average_price(rec: Any, start: int | np.int64, units: float) -> float:
    """Return what ``units`` cost on average on the side that begins at place ``start``."""
    depth = rec.depth
    levels = rec.fitted.depth_levels
    left = units
    paid = 0.0
    for level in range(levels):
        taken = min(left, depth.sizes[start + level])
        if level == levels - 1:
            taken = left
        # As distances from the mid: the prices' common digits would cancel.
        paid += taken * (depth.prices[start + level] - rec.quote.mid)
        left -= taken
        if left <= 0.0:
            break
    return paid / units


@part
def _write_imbalances(rec: Any) -> None:
    """Write the imbalances of the first levels, and add the sizes up in ``totals``."""
    out = rec.out.depth
    depth = rec.depth
    levels = rec.fitted.depth_levels
    bids = 0.0
    asks = 0.0
    out.imbalance_3 = math.nan
    out.imbalance_5 = math.nan
    out.imbalance_10 = math.nan
    for level in range(depth.count):
        bids += depth.sizes[level]
        asks += depth.sizes[levels + level]
        depth.totals[level] = bids
        depth.totals[levels + level] = asks
        if level == 2:
            out.imbalance_3 = as_output((bids - asks) / (bids + asks))
        elif level == 4:
            out.imbalance_5 = as_output((bids - asks) / (bids + asks))
        elif level == 9:
            out.imbalance_10 = as_output((bids - asks) / (bids + asks))


@part
def _write_nothing(rec: Any) -> None:
    """Write the columns that need every level, where the tick has fewer than wanted."""
    out = rec.out.depth
    out.imbalance_weighted = math.nan
    out.mid_dev = math.nan
    out.bid_slope = math.nan
    out.ask_slope = math.nan
    out.round_trip_cost = math.nan
    out.within_5bp = math.nan
    out.within_10bp = math.nan
    out.within_25bp = math.nan
    out.gap = math.nan
    out.largest_share = math.nan


@part
def write_levels(rec: Any) -> None:
    """Write what the present levels say; NaN where the tick has fewer than wanted."""
    _write_imbalances(rec)
    out = rec.out.depth
    depth = rec.depth
    levels = rec.fitted.depth_levels
    if depth.count < levels:
        _write_nothing(rec)
        return
    mid = rec.quote.mid
    bp = BP / mid
    weighted = broadcast(0.0)
    weights = broadcast(0.0)
    crossed = broadcast(0.0)
    within_5 = broadcast(0.0)
    within_10 = broadcast(0.0)
    within_25 = broadcast(0.0)
    greatest = broadcast(0.0)
    for first in range(0, 2 * levels, WIDE):
        side = load_wide(depth.sides, first)
        price = load_wide(depth.prices, first)
        size = load_wide(depth.sizes, first)
        weight = load_wide(depth.halves, first) * size
        weighted = weighted + weight * side
        weights = weights + weight
        distance = absolute(price - mid) * bp
        within_5 = within_5 + where(distance <= 5.0, size, 0.0)
        within_10 = within_10 + where(distance <= 10.0, size, 0.0)
        within_25 = within_25 + where(distance <= 25.0, size, 0.0)
        greatest = larger(greatest, size)
        asked = load_wide(depth.prices, first + levels) - mid
        offered = load_wide(depth.sizes, first + levels)
        crossed = crossed + where(side > 0.0, asked * size + (price - mid) * offered, 0.0)
    both = depth.totals[levels - 1] + depth.totals[2 * levels - 1]
    units = rec.fitted.round_trip_notional / mid
    out.imbalance_weighted = as_output(total(weighted) / total(weights))
    out.mid_dev = as_output(total(crossed) / both * bp)
    cost = _average_price(rec, levels, units) - _average_price(rec, np.int64(0), units)
    out.round_trip_cost = as_output(cost * bp)
    ask_gap = depth.prices[levels + 1] - depth.prices[levels]
    bid_gap = depth.prices[0] - depth.prices[1]
    out.gap = as_output((ask_gap - bid_gap) * bp)
    out.largest_share = as_output(largest(greatest) / both)
    _set_slope_terms(rec)
    ends = depth.terms
    bid_slope = _slope(rec, np.int64(0))
    ask_slope = _slope(rec, levels)
    ends[0] = bid_slope
    ends[1] = ask_slope
    ends[2] = total(within_5)
    ends[3] = total(within_10)
    ends[4] = total(within_25)
    # As everywhere here ln(1 + x) and not log1p: sizes are no smaller than 1e-8.
    store(ends, 0, logarithm(load_wide(ends, 0) + 1.0))
    out.bid_slope = as_output(ends[0])
    out.ask_slope = as_output(ends[1])
    out.within_5bp = as_output(ends[2])
    out.within_10bp = as_output(ends[3])
    out.within_25bp = as_output(ends[4])
