"""Family 5, volatility: size, symmetry and jumps of the bucket returns."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.declaration import MIN_RETURNS
from alphaseeker.features.declared.momentum import MOMENTUM_WINDOWS
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

__all__ = ["close_returns", "write_volatility"]

FIRST_EXTREMUM = MOMENTUM_WINDOWS.index(VOLATILITY_WINDOWS[0])
SHORT = VOLATILITY_WINDOWS.index(30)
LONG = VOLATILITY_WINDOWS.index(300)
LAMBDA = 0.94  # RiskMetrics (1996)
EWMA_BUCKETS = 12
LONG_RETURN = 10  # buckets
BP = 1e4
HALF_PI = math.pi / 2.0


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
def write_volatility(rec: Any, change: float, every: bool) -> None:
    """Write the columns of every window, or only of those whose sums have changed.

    ``change`` is the return of the bucket in progress.
    """
    out = rec.out.volatility
    clock = rec.clock
    group = rec.returns
    sums = group.sums
    square = change * change
    product = abs(change * rec.state.last_return)
    square_up = square if change > 0.0 else 0.0
    moved = 1.0 if change != 0.0 else 0.0
    for i in range(group.count):
        length = group.lengths[i]
        if length == 0 or clock.seen < length or not (every or group.changed[i] != 0.0):
            continue
        variance = sums[i, RETURN_2] + square
        realized = math.sqrt(variance)
        out.realized[i] = as_output(realized * BP)
        if sums[i, MOVED] + moved < MIN_RETURNS:
            out.up_share[i] = math.nan
            out.skew[i] = math.nan
            out.kurt[i] = math.nan
            out.max_move[i] = math.nan
            out.bipower[i] = math.nan
            out.jump_share[i] = math.nan
            continue
        count = length + 1.0
        inverse = 1.0 / variance
        third = sums[i, RETURN_3] + square * change
        fourth = sums[i, RETURN_4] + square * square
        largest = max(rec.extrema.sums[FIRST_EXTREMUM + i, MOVE], abs(change))
        out.up_share[i] = as_output((sums[i, RETURN_UP] + square_up) * inverse)
        out.skew[i] = as_output(math.sqrt(count) * third * inverse * realized * inverse)
        out.kurt[i] = as_output(count * fourth * inverse * inverse)
        out.max_move[i] = as_output(largest * realized * inverse)
        if clock.seen < length + 1:
            continue
        bipower = HALF_PI * (sums[i, PRODUCT_ABS] + product)
        out.bipower[i] = as_output(bipower * BP * BP)
        out.jump_share[i] = as_output(max(0.0, 1.0 - bipower * inverse))
    if clock.seen >= EWMA_BUCKETS:
        variance = LAMBDA * rec.averages.variance + (1.0 - LAMBDA) * square
        out.ewma = as_output(math.sqrt(variance) * BP)
    short_length = group.lengths[SHORT]
    long_length = group.lengths[LONG]
    fresh = every or group.changed[SHORT] != 0.0 or group.changed[LONG] != 0.0
    if fresh and short_length > 0 and clock.seen >= long_length:
        long_variance = (sums[LONG, RETURN_2] + square) / (long_length + 1.0)
        if long_variance > 0.0:
            short_variance = (sums[SHORT, RETURN_2] + square) / (short_length + 1.0)
            out.ratio_short_long = as_output(math.sqrt(short_variance / long_variance))
        else:
            out.ratio_short_long = as_output(1.0)
