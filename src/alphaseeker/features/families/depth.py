"""Family 9, depth: what stands behind the touch, in data that has levels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part
from alphaseeker.features.declared.depth import DEPTH_WINDOWS, INTEGRATED_WINDOWS
from alphaseeker.features.declared.flow import FLOW_WINDOWS
from alphaseeker.features.groups import DEPTH, INTEGRATED, LEVEL_2, LEVEL_3, LEVEL_4, LEVEL_5
from alphaseeker.features.output import as_output

__all__ = ["begin_levels", "take_in_levels", "write_level_flow", "write_levels"]

N_FLOWS = len(DEPTH_WINDOWS)
FIRST_FLOW = FLOW_WINDOWS.index(INTEGRATED_WINDOWS[0])
DEEPEST_FLOW = 5  # levels 2 to 5 have an order flow of their own
BP = 1e4


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
    present = depth.present
    wanted = rec.fitted.depth_levels
    depth.count_before = depth.count
    changed = False
    count = 0
    for level in range(wanted):
        for column in range(4):
            depth.before[level, column] = present[level, column]
        if level == 0:
            row_bid, row_bid_volume, row_ask, row_ask_volume = bid, bid_volume, ask, ask_volume
        elif level < levels.shape[0]:
            row_bid = levels[level, 0]
            row_bid_volume = levels[level, 1]
            row_ask = levels[level, 2]
            row_ask_volume = levels[level, 3]
        else:
            row_bid = math.nan
            row_ask = math.nan
            row_bid_volume = math.nan
            row_ask_volume = math.nan
        # A level counts where both sides have it and every better one.
        if count == level and row_bid > 0.0 and row_ask > 0.0:
            if (
                row_bid != present[level, 0]
                or row_bid_volume != present[level, 1]
                or row_ask != present[level, 2]
                or row_ask_volume != present[level, 3]
            ):
                changed = True
            count += 1
        present[level, 0] = row_bid
        present[level, 1] = row_bid_volume
        present[level, 2] = row_ask
        present[level, 3] = row_ask_volume
    depth.count = count
    return changed or count != depth.count_before


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
    integrated = 0.0
    for level in range(min(depth.count, depth.count_before)):
        before = depth.before[level]
        present = depth.present[level]
        flow = 0.0
        if present[0] >= before[0]:
            flow += present[1]
        if present[0] <= before[0]:
            flow -= before[1]
        if present[2] <= before[2]:
            flow -= present[3]
        if present[2] >= before[2]:
            flow += before[3]
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
    for i in range(group.count):
        length = group.lengths[i]
        if length == 0 or rec.clock.seen < length:
            continue
        scale = (length + 1.0) / (rec.flow.sums[FIRST_FLOW + i, DEPTH] + depth)
        out.integrated_ofi[i] = as_output((sums[i, INTEGRATED] + partial[INTEGRATED]) * scale)
        if i < N_FLOWS:
            out.ofi_level2[i] = as_output((sums[i, LEVEL_2] + partial[LEVEL_2]) * scale)
            if levels >= 3:
                flow = sums[i, LEVEL_3] + partial[LEVEL_3]
                out.ofi_level3[i] = as_output(flow * scale)
            if levels >= 4:
                flow = sums[i, LEVEL_4] + partial[LEVEL_4]
                out.ofi_level4[i] = as_output(flow * scale)
            if levels >= 5:
                flow = sums[i, LEVEL_5] + partial[LEVEL_5]
                out.ofi_level5[i] = as_output(flow * scale)


@part
def _side_slope(rec: Any, column: int | np.int64) -> float:
    """Return Naes & Skjeltorp's slope of the side whose prices stand in ``column``."""
    present = rec.depth.present
    levels = rec.fitted.depth_levels
    total = present[0, column + 1]
    price = present[0, column]
    # ln(1 + x) and not log1p: it takes half the time, and sizes are no smaller than 1e-8.
    logarithm = math.log(1.0 + total)
    slope = 0.0
    distance = abs(price - rec.quote.mid)
    if distance > 0.0:
        slope = logarithm * rec.quote.mid / distance
    for level in range(1, levels):
        total += present[level, column + 1]
        grown = math.log(1.0 + total)
        distance = abs(present[level, column] - price)
        if distance > 0.0 and logarithm > 0.0:
            slope += (grown - logarithm) * price / (logarithm * distance)
        price = present[level, column]
        logarithm = grown
    return math.log(1.0 + slope / levels)


@part
def _average_price(rec: Any, column: int | np.int64, units: float) -> float:
    """Return what ``units`` cost on average on the side whose prices stand in ``column``."""
    present = rec.depth.present
    levels = rec.fitted.depth_levels
    left = units
    paid = 0.0
    for level in range(levels):
        taken = min(left, present[level, column + 1])
        if level == levels - 1:
            taken = left
        # As distances from the mid: the prices' common digits would cancel.
        paid += taken * (present[level, column] - rec.quote.mid)
        left -= taken
        if left <= 0.0:
            break
    return paid / units


@part
def write_levels(rec: Any) -> None:
    """Write what the present levels say; NaN where the tick has fewer than wanted."""
    out = rec.out.depth
    depth = rec.depth
    present = depth.present
    levels = rec.fitted.depth_levels
    mid = rec.quote.mid
    bp = BP / mid
    bids = 0.0
    asks = 0.0
    weighted = 0.0
    weights = 0.0
    weight = 1.0
    crossed = 0.0
    within_5 = 0.0
    within_10 = 0.0
    within_25 = 0.0
    largest = 0.0
    complete = depth.count == levels
    for level in range(depth.count):
        bid, bid_volume = present[level, 0], present[level, 1]
        ask, ask_volume = present[level, 2], present[level, 3]
        bids += bid_volume
        asks += ask_volume
        weighted += weight * (bid_volume - ask_volume)
        weights += weight * (bid_volume + ask_volume)
        weight *= 0.5
        crossed += (ask - mid) * bid_volume + (bid - mid) * ask_volume
        largest = max(largest, bid_volume, ask_volume)
        below = abs(mid - bid) * bp
        above = abs(ask - mid) * bp
        if below <= 5.0:
            within_5 += bid_volume
        if above <= 5.0:
            within_5 += ask_volume
        if below <= 10.0:
            within_10 += bid_volume
        if above <= 10.0:
            within_10 += ask_volume
        if below <= 25.0:
            within_25 += bid_volume
        if above <= 25.0:
            within_25 += ask_volume
        if level == 2:
            out.imbalance_3 = as_output((bids - asks) / (bids + asks))
        elif level == 4:
            out.imbalance_5 = as_output((bids - asks) / (bids + asks))
        elif level == 9:
            out.imbalance_10 = as_output((bids - asks) / (bids + asks))
    if depth.count < 3:
        out.imbalance_3 = math.nan
    if depth.count < 5:
        out.imbalance_5 = math.nan
    if depth.count < 10:
        out.imbalance_10 = math.nan
    if not complete:
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
        return
    both = bids + asks
    units = rec.fitted.round_trip_notional / mid
    out.imbalance_weighted = as_output(weighted / weights)
    out.mid_dev = as_output(crossed / both * bp)
    out.bid_slope = as_output(_side_slope(rec, np.int64(0)))
    out.ask_slope = as_output(_side_slope(rec, np.int64(2)))
    cost = _average_price(rec, np.int64(2), units) - _average_price(rec, np.int64(0), units)
    out.round_trip_cost = as_output(cost * bp)
    out.within_5bp = as_output(math.log(1.0 + within_5))
    out.within_10bp = as_output(math.log(1.0 + within_10))
    out.within_25bp = as_output(math.log(1.0 + within_25))
    ask_gap = present[1, 2] - present[0, 2]
    bid_gap = present[0, 0] - present[1, 0]
    out.gap = as_output((ask_gap - bid_gap) * bp)
    out.largest_share = as_output(largest / both)
