"""Family 4, momentum: where the mid stands against its own past."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from alphaseeker._jit import part
from alphaseeker.features.declaration import MIN_RETURNS
from alphaseeker.features.declared.momentum import MOMENTUM_WINDOWS, RETURN_WINDOWS
from alphaseeker.features.families.dynamics import series_score
from alphaseeker.features.groups import (
    HIGH,
    LOW,
    MID,
    MOVED,
    PATH,
    PRODUCT,
    RETURN_1,
    RETURN_2,
    RETURN_10,
)
from alphaseeker.features.layout import RING
from alphaseeker.features.output import as_output
from alphaseeker.features.window_lanes import reader, writer
from alphaseeker.kernels.deviations import TIME, window_slope
from alphaseeker.kernels.lane_math import absolute, larger, smaller, where
from alphaseeker.kernels.lanes import load_integers, load_wide, store

__all__ = [
    "carry_mids",
    "close_strength",
    "take_in_mid",
    "write_ema_gaps",
    "write_momentum",
    "write_return_statistics",
]

VARIANCE_LAG = 10  # buckets of the longer return in the variance ratio
STILL = 1e-12  # of the mid: average moves below this are none
FORGOTTEN = 1e-18
BP = 1e4
_sum = reader(MOMENTUM_WINDOWS)
_write = writer(MOMENTUM_WINDOWS)
_of_returns = reader(RETURN_WINDOWS)
_write_statistic = writer(RETURN_WINDOWS)


@part
def take_in_mid(rec: Any, mid: float) -> None:
    """Record a move of the mid."""
    state = rec.state
    state.high = max(state.high, mid)
    state.low = min(state.low, mid)
    if mid > rec.quote.mid:
        state.run_length = max(state.run_length, 0) + 1
    else:
        state.run_length = min(state.run_length, 0) - 1
    rec.out.momentum.run_length = as_output(float(state.run_length))


@part
def close_strength(rec: Any, move: float) -> None:
    """Take the whole bucket's ``move`` of the mid into Wilder's averages."""
    averages = rec.averages
    share = load_wide(averages.shares, 0)
    gains = load_wide(averages.gains, 0)
    losses = load_wide(averages.losses, 0)
    least = FORGOTTEN * rec.quote.mid
    up = gains + (max(move, 0.0) - gains) * share
    down = losses + (max(-move, 0.0) - losses) * share
    # What is far below any price step goes, before it becomes subnormal and slow.
    store(averages.gains, 0, where(up > least, up, 0.0))
    store(averages.losses, 0, where(down > least, down, 0.0))


@part
def carry_mids(rec: Any) -> None:
    """Look up the mids that were carried into the windows; a bucket has closed."""
    rings = rec.rings
    state = rec.state
    lengths = rec.moves.lengths
    for i in range(rec.deviations.count):
        carried = (rec.clock.bucket - lengths[i] - 1) & (RING - 1)
        state.carried_mids[i] = rings.mids[carried]
        state.carried_log_mids[i] = rings.log_mids[carried]


@part
def write_ema_gaps(rec: Any) -> None:
    """Write the distance of the mid from its averages."""
    ready = load_wide(rec.moves.full, 0) <= float(rec.clock.seen)
    mid = rec.quote.mid
    gap = (mid - load_wide(rec.averages.mids, 0)) * (BP / mid)
    _write(rec.out.momentum.ema_gap, where(ready, gap, math.nan))


@part
def write_momentum(rec: Any) -> None:
    """Write what changes only when the mid moves or a bucket closes."""
    out = rec.out.momentum
    clock = rec.clock
    quote = rec.quote
    state = rec.state
    group = rec.moves
    mid = quote.mid
    move = mid - rec.rings.mids[(clock.bucket - 1) & (RING - 1)]
    bp = BP / mid
    full = load_wide(group.full, 0)
    ready = full <= float(clock.seen)

    change = (quote.log_mid - load_wide(state.carried_log_mids, 0)) * BP
    _write(out["return"], where(ready, change, math.nan))
    travelled = _sum(group.sums, PATH) + abs(move)
    share = absolute(mid - load_wide(state.carried_mids, 0)) / travelled
    _write(out.efficiency, where(ready, where(travelled > 0.0, share, 0.0), math.nan))

    _write(out.zscore, series_score(rec, np.int64(MID), mid))
    sums = rec.deviations.sums
    rise = window_slope(
        _sum(sums, TIME),
        _sum(sums, MID),
        load_integers(rec.deviations.positions),
        full,
        mid - _sum(rec.deviations.references, MID),
    )
    slope = rise * (bp / (clock.bucket_ns * 1e-9))
    if move == 0.0:
        slope = where(full <= float(clock.bucket - state.level_since[MID]), 0.0, slope)
    _write(out.slope, where(ready, slope, math.nan))

    high = larger(_sum(rec.extrema.sums, HIGH), state.high)
    low = smaller(_sum(rec.extrema.sums, LOW) * -1.0, state.low)
    position = where(high > low, (mid - low) / (high - low), 0.5)
    _write(out.range_position, where(ready, position, math.nan))

    averages = rec.averages
    share = load_wide(averages.shares, 0)
    gains = load_wide(averages.gains, 0)
    losses = load_wide(averages.losses, 0)
    up = gains + (max(move, 0.0) - gains) * share
    down = losses + (max(-move, 0.0) - losses) * share
    strength = where(up + down > STILL * mid, 100.0 * up / (up + down), 50.0)
    _write(out.rsi, where(ready, strength, math.nan))


@part
def write_return_statistics(rec: Any, change: float) -> None:
    """Write autocorrelations and variance ratios; ``change`` as in ``write_volatility``."""
    out = rec.out.momentum
    clock = rec.clock
    sums = rec.returns.sums
    full = load_wide(rec.returns.full, 0)
    seen = float(clock.seen)
    moved = 1.0 if change != 0.0 else 0.0
    square = change * change
    product = change * rec.state.last_return
    long_change = rec.quote.log_mid - rec.rings.log_mids[(clock.bucket - VARIANCE_LAG) & (RING - 1)]
    enough = (full + 1.0 <= seen) & (_of_returns(sums, MOVED) + moved >= MIN_RETURNS)
    inverse = 1.0 / (full + 1.0)
    mean = (_of_returns(rec.moves.sums, RETURN_1) + change) * inverse
    squares = _of_returns(sums, RETURN_2) + square
    mean_square = squares * inverse
    variance = mean_square - mean * mean
    mean_product = (_of_returns(sums, PRODUCT) + product) * inverse
    # Below this the difference holds rounding only: all returns are equal.
    differ = variance > 1e-12 * mean_square
    autocorrelation = where(differ, (mean_product - mean * mean) / variance, 0.0)
    _write_statistic(out.autocorr, where(enough, autocorrelation, math.nan))
    long_squares = _of_returns(sums, RETURN_10) + long_change * long_change
    lagged = enough & (full + (VARIANCE_LAG - 1.0) <= seen)
    ratio = long_squares / (VARIANCE_LAG * squares)
    _write_statistic(out.variance_ratio, where(lagged, ratio, math.nan))
