"""Family 5, volatility: size, symmetry and jumps of the bucket returns."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.declaration import MIN_RETURNS
from alphaseeker.features.declared.volatility import VOLATILITY_WINDOWS
from alphaseeker.features.groups import (
    MOVE,
    MOVED,
    PATH,
    PRODUCT,
    PRODUCT_ABS,
    RETURN_1,
    RETURN_2,
    RETURN_3,
    RETURN_4,
    RETURN_10,
    RETURN_UP,
)
from alphaseeker.features.layout import RING
from alphaseeker.features.output import as_output
from alphaseeker.features.window_lanes import lane_of, reader, writer
from alphaseeker.kernels.lane_math import larger, root, where
from alphaseeker.kernels.lanes import load_wide

__all__ = ["close_returns", "write_volatility"]

SHORT, LONG = lane_of(30), lane_of(300)
LAMBDA = 0.94  # RiskMetrics (1996)
EWMA_BUCKETS = 12
LONG_RETURN = 10  # buckets
BP = 1e4
HALF_PI = math.pi / 2.0
_sum = reader(VOLATILITY_WINDOWS)
_write = writer(VOLATILITY_WINDOWS)


@part
def close_returns(rec: Any, move: float, change: float) -> None:
    """Complete the bucket in progress.

    Parameters
    ----------
    move, change
        Of the mid and of its logarithm over the bucket in progress, which closes.
    """
    group = rec.returns
    clock = rec.clock
    partial = group.partial
    averages = rec.averages
    square = change * change
    product = change * rec.state.last_return
    partial[RETURN_2] = square
    partial[RETURN_3] = square * change
    partial[RETURN_4] = square * square
    partial[RETURN_UP] = square if change > 0.0 else 0.0
    partial[PRODUCT] = product
    partial[PRODUCT_ABS] = abs(product)
    partial[MOVED] = 1.0 if change != 0.0 else 0.0
    rec.moves.partial[PATH] = abs(move)
    rec.moves.partial[RETURN_1] = change
    # Ahead of its history the long return is not known, and its windows are not read.
    if clock.bucket - clock.first_bucket >= LONG_RETURN - 1:
        before = rec.rings.log_mids[(clock.bucket - LONG_RETURN) & (RING - 1)]
        partial[RETURN_10] = (rec.quote.log_mid - before) ** 2
    else:
        partial[RETURN_10] = 0.0
    rec.state.last_return = change
    # The first bucket began before it was watched: its return is not a whole bucket's.
    if clock.bucket > clock.first_bucket:
        if averages.variance_count == 0:
            averages.variance = square
        else:
            averages.variance = LAMBDA * averages.variance + (1.0 - LAMBDA) * square
        averages.variance_count += 1


@part
def write_volatility(rec: Any, change: float) -> None:
    """Write every column; ``change`` is the return of the bucket in progress."""
    out = rec.out.volatility
    clock = rec.clock
    sums = rec.returns.sums
    full = load_wide(rec.returns.full, 0)
    seen = float(clock.seen)
    square = change * change
    product = abs(change * rec.state.last_return)
    variance = _sum(sums, RETURN_2) + square
    realized = root(variance)
    ready = full <= seen
    _write(out.realized, where(ready, realized * BP, math.nan))

    moved = 1.0 if change != 0.0 else 0.0
    enough = ready & (_sum(sums, MOVED) + moved >= MIN_RETURNS)
    count = full + 1.0
    inverse = where(enough, 1.0 / variance, math.nan)
    square_up = square if change > 0.0 else 0.0
    third = _sum(sums, RETURN_3) + square * change
    fourth = _sum(sums, RETURN_4) + square * square
    largest = larger(_sum(rec.extrema.sums, MOVE), abs(change))
    _write(out.up_share, (_sum(sums, RETURN_UP) + square_up) * inverse)
    _write(out.skew, root(count) * third * inverse * realized * inverse)
    _write(out.kurt, count * fourth * inverse * inverse)
    _write(out.max_move, largest * realized * inverse)

    paired = enough & (count <= seen)
    bipower = HALF_PI * (_sum(sums, PRODUCT_ABS) + product)
    _write(out.bipower, where(paired, bipower * BP * BP, math.nan))
    jumps = larger(1.0 - bipower * inverse, 0.0)
    _write(out.jump_share, where(paired, jumps, math.nan))

    if clock.seen >= EWMA_BUCKETS:
        smoothed = LAMBDA * rec.averages.variance + (1.0 - LAMBDA) * square
        out.ewma = as_output(math.sqrt(smoothed) * BP)
    short_length = rec.returns.lengths[SHORT]
    long_length = rec.returns.lengths[LONG]
    if short_length > 0 and clock.seen >= long_length:
        long_variance = (sums[LONG, RETURN_2] + square) / (long_length + 1.0)
        if long_variance > 0.0:
            short_variance = (sums[SHORT, RETURN_2] + square) / (short_length + 1.0)
            out.ratio_short_long = as_output(math.sqrt(short_variance / long_variance))
        else:
            out.ratio_short_long = as_output(1.0)
