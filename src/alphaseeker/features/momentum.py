"""Family 4, momentum: where the mid stands against its own past."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import kernel
from alphaseeker.features.catalogue import (
    MIN_RETURNS,
    MOMENTUM_WINDOWS,
    VOLATILITY_WINDOWS,
    WINDOWS,
)
from alphaseeker.features.layout import (
    MOVED,
    PATH,
    PRODUCT,
    RETURN_1,
    RETURN_2,
    RING,
)
from alphaseeker.features.output import as_output
from alphaseeker.kernels.ewma import level_step
from alphaseeker.kernels.moments import MEAN_X, MEAN_Y, XX, XY, YY

__all__ = ["take_in_mid", "write_autocorrelation", "write_ema_gaps", "write_momentum"]

FIRST = WINDOWS.index(MOMENTUM_WINDOWS[0])
N_MOMENTUM = len(MOMENTUM_WINDOWS)
FIRST_AUTOCORR = WINDOWS.index(VOLATILITY_WINDOWS[0])
N_AUTOCORR = len(VOLATILITY_WINDOWS)
HALF_LIVES = tuple(float(window) for window in WINDOWS)
BP = 1e4


@kernel
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


@kernel
def write_ema_gaps(rec: Any, held: float, elapsed: float) -> None:
    """Move the averages on by ``elapsed`` seconds of the ``held`` mid and write the gaps."""
    averages = rec.state.mid_averages
    out = rec.out.momentum
    clock = rec.clock
    mid = rec.quote.mid
    for i in range(N_MOMENTUM):
        w = FIRST + i
        if elapsed > 0.0:
            averages[w] = level_step(averages[w], held, elapsed, HALF_LIVES[w])
        if clock.lengths[w] > 0 and clock.seen >= clock.lengths[w]:
            out.ema_gap[i] = as_output((mid - averages[w]) / mid * BP)


@kernel
def write_momentum(rec: Any) -> None:
    """Write what changes only when the mid moves or a bucket closes."""
    out = rec.out.momentum
    clock = rec.clock
    quote = rec.quote
    buckets = rec.buckets
    state = rec.state
    mid = quote.mid
    now = float(clock.bucket - clock.first_bucket)
    seconds = clock.bucket_ns * 1e-9
    path = abs(mid - buckets.mids[(clock.bucket - 1) & (RING - 1)])
    for i in range(N_MOMENTUM):
        w = FIRST + i
        length = clock.lengths[w]
        if length == 0 or clock.seen < length:
            continue
        carried = (clock.bucket - length - 1) & (RING - 1)
        out["return"][i] = as_output((quote.log_mid - buckets.log_mids[carried]) * BP)

        # The present mid joins the moments of the whole buckets as one more pair.
        row = rec.pairs.moments[w]
        dx = now - row[MEAN_X]
        dy = mid - row[MEAN_Y]
        share = length / (length + 1.0)
        squares = row[YY] + dy * dy * share
        if squares > 0.0:
            deviation = dy * share
            out.zscore[i] = as_output(deviation / math.sqrt(squares / (length + 1.0)))
        else:
            out.zscore[i] = as_output(0.0)
        rise = (row[XY] + dx * dy * share) / (row[XX] + dx * dx * share)
        out.slope[i] = as_output(rise / seconds / mid * BP)

        high = max(rec.highs.maxima[w], state.high)
        low = min(-rec.lows.maxima[w], state.low)
        if high > low:
            out.range_position[i] = as_output((mid - low) / (high - low))
        else:
            out.range_position[i] = as_output(0.5)

        travelled = buckets.sums[w, PATH] + path
        if travelled > 0.0:
            out.efficiency[i] = as_output(abs(mid - buckets.mids[carried]) / travelled)
        else:
            out.efficiency[i] = as_output(0.0)


@kernel
def write_autocorrelation(rec: Any, change: float) -> None:
    """Write the autocorrelations; ``change`` is the return of the bucket in progress."""
    out = rec.out.momentum
    clock = rec.clock
    sums = rec.buckets.sums
    moved = 1.0 if change != 0.0 else 0.0
    for i in range(N_AUTOCORR):
        w = FIRST_AUTOCORR + i
        length = clock.lengths[w]
        if length == 0 or clock.seen < length + 1:
            continue
        if sums[w, MOVED] + moved < MIN_RETURNS:
            out.autocorr[i] = math.nan
            continue
        count = length + 1.0
        mean = (sums[w, RETURN_1] + change) / count
        mean_square = (sums[w, RETURN_2] + change * change) / count
        mean_product = (sums[w, PRODUCT] + change * rec.buckets.last_return) / count
        variance = mean_square - mean * mean
        # Below this the difference holds rounding only: all returns are equal.
        if variance > 1e-12 * mean_square:
            out.autocorr[i] = as_output((mean_product - mean * mean) / variance)
        else:
            out.autocorr[i] = as_output(0.0)
