"""Family 4, momentum: where the mid stands against its own past."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from alphaseeker._jit import part
from alphaseeker.features.declaration import MIN_RETURNS
from alphaseeker.features.declared.momentum import MOMENTUM_WINDOWS
from alphaseeker.features.declared.volatility import VOLATILITY_WINDOWS
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
    STACKS,
)
from alphaseeker.features.layout import HALF_LIVES, RING
from alphaseeker.features.output import as_output
from alphaseeker.kernels.deviations import window_slope

__all__ = [
    "close_strength",
    "take_in_mid",
    "write_ema_gaps",
    "write_momentum",
    "write_return_statistics",
]

FIRST_STATISTIC = MOMENTUM_WINDOWS.index(VOLATILITY_WINDOWS[0])
FIRST_AVERAGE = HALF_LIVES.index(MOMENTUM_WINDOWS[0])
VARIANCE_LAG = 10  # buckets of the longer return in the variance ratio
TIME_SUM = STACKS["deviations"].width - 1  # column of a row: time times the mid
STILL = 1e-12  # of the mid: average moves below this are none
FORGOTTEN = 1e-18
BP = 1e4


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
    shares = rec.moves.shares
    gain = max(move, 0.0)
    loss = max(-move, 0.0)
    least = FORGOTTEN * rec.quote.mid
    for i in range(rec.moves.count):
        share = shares[i]
        up = averages.gains[i] + (gain - averages.gains[i]) * share
        down = averages.losses[i] + (loss - averages.losses[i]) * share
        # What is far below any price step goes, before it becomes subnormal and slow.
        averages.gains[i] = up if up > least else 0.0
        averages.losses[i] = down if down > least else 0.0


@part
def write_ema_gaps(rec: Any) -> None:
    """Write the distance of the mid from its averages."""
    averages = rec.averages.mids
    out = rec.out.momentum
    seen = rec.clock.seen
    lengths = rec.moves.lengths
    mid = rec.quote.mid
    bp = BP / mid
    for i in range(rec.moves.count):
        if lengths[i] > 0 and seen >= lengths[i]:
            out.ema_gap[i] = as_output((mid - averages[FIRST_AVERAGE + i]) * bp)


@part
def write_momentum(rec: Any, every: bool) -> None:
    """Write what changes only when the mid moves or a bucket closes.

    ``every`` is false where no mid moved: what rests on returns alone is then written only for the
    windows whose sums have changed.
    """
    out = rec.out.momentum
    clock = rec.clock
    quote = rec.quote
    rings = rec.rings
    state = rec.state
    group = rec.moves
    mid = quote.mid
    move = mid - rings.mids[(clock.bucket - 1) & (RING - 1)]
    gain = max(move, 0.0)
    loss = max(-move, 0.0)
    bp = BP / mid
    slope_bp = bp / (clock.bucket_ns * 1e-9)
    for i in range(rec.moves.count):
        length = group.lengths[i]
        if length == 0 or clock.seen < length:
            continue
        if every or group.changed[i] != 0.0:
            carried = (clock.bucket - length - 1) & (RING - 1)
            out["return"][i] = as_output((quote.log_mid - rings.log_mids[carried]) * BP)
            travelled = group.sums[i, PATH] + abs(move)
            if travelled > 0.0:
                out.efficiency[i] = as_output(abs(mid - rings.mids[carried]) / travelled)
            else:
                out.efficiency[i] = as_output(0.0)
        out.zscore[i] = as_output(series_score(rec, np.int64(MID), i, mid))

        sums = rec.deviations.sums[i]
        rise = window_slope(
            sums[TIME_SUM],
            sums[MID],
            rec.deviations.positions[i],
            length,
            mid - rec.deviations.references[i, MID],
        )
        level = state.level_since[MID] <= clock.bucket - length and move == 0.0
        out.slope[i] = as_output(0.0 if level else rise * slope_bp)

        high = max(rec.extrema.sums[i, HIGH], state.high)
        low = min(-rec.extrema.sums[i, LOW], state.low)
        if high > low:
            out.range_position[i] = as_output((mid - low) / (high - low))
        else:
            out.range_position[i] = as_output(0.5)

        share = group.shares[i]
        up = rec.averages.gains[i] + (gain - rec.averages.gains[i]) * share
        down = rec.averages.losses[i] + (loss - rec.averages.losses[i]) * share
        if up + down > STILL * mid:
            out.rsi[i] = as_output(100.0 * up / (up + down))
        else:
            out.rsi[i] = as_output(50.0)


@part
def write_return_statistics(rec: Any, change: float, every: bool) -> None:
    """Write autocorrelations and variance ratios, as ``write_volatility`` does."""
    out = rec.out.momentum
    clock = rec.clock
    group = rec.returns
    sums = group.sums
    moved = 1.0 if change != 0.0 else 0.0
    square = change * change
    product = change * rec.state.last_return
    long_change = rec.quote.log_mid - rec.rings.log_mids[(clock.bucket - VARIANCE_LAG) & (RING - 1)]
    # Ten buckets after the mid went and came back, a long return begins though no sum changed.
    fresh = every or long_change != 0.0
    for i in range(group.count):
        length = group.lengths[i]
        if length == 0 or clock.seen < length + 1 or not (fresh or group.changed[i] != 0.0):
            continue
        if sums[i, MOVED] + moved < MIN_RETURNS:
            out.autocorr[i] = math.nan
            out.variance_ratio[i] = math.nan
            continue
        inverse = 1.0 / (length + 1.0)
        mean = (rec.moves.sums[FIRST_STATISTIC + i, RETURN_1] + change) * inverse
        mean_square = (sums[i, RETURN_2] + square) * inverse
        variance = mean_square - mean * mean
        # Below this the difference holds rounding only: all returns are equal.
        if variance > 1e-12 * mean_square:
            mean_product = (sums[i, PRODUCT] + product) * inverse
            out.autocorr[i] = as_output((mean_product - mean * mean) / variance)
        else:
            out.autocorr[i] = as_output(0.0)
        if clock.seen >= length + VARIANCE_LAG - 1:
            long_squares = sums[i, RETURN_10] + long_change * long_change
            short_squares = VARIANCE_LAG * (sums[i, RETURN_2] + square)
            out.variance_ratio[i] = as_output(long_squares / short_squares)
