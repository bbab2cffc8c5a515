"""Family 5, volatility: size, symmetry and jumps of the bucket returns."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import kernel
from alphaseeker.features.buckets import LAMBDA
from alphaseeker.features.catalogue import MIN_RETURNS, VOLATILITY_WINDOWS, WINDOWS
from alphaseeker.features.layout import (
    MOVED,
    PRODUCT_ABS,
    RETURN_2,
    RETURN_3,
    RETURN_4,
    RETURN_UP,
)
from alphaseeker.features.output import as_output

__all__ = ["write_volatility"]

FIRST = WINDOWS.index(VOLATILITY_WINDOWS[0])
N_VOLATILITY = len(VOLATILITY_WINDOWS)
SHORT = WINDOWS.index(30)
LONG = WINDOWS.index(300)
EWMA_BUCKETS = 12
BP = 1e4
HALF_PI = math.pi / 2.0


@kernel
def write_volatility(rec: Any, change: float) -> None:
    """Write every column; ``change`` is the return of the bucket in progress."""
    out = rec.out.volatility
    clock = rec.clock
    sums = rec.buckets.sums
    square = change * change
    cube = square * change
    fourth = square * square
    square_up = square if change > 0.0 else 0.0
    product = abs(change * rec.buckets.last_return)
    moved = 1.0 if change != 0.0 else 0.0
    size = abs(change)
    for i in range(N_VOLATILITY):
        w = FIRST + i
        length = clock.lengths[w]
        if length == 0 or clock.seen < length:
            continue
        variance = sums[w, RETURN_2] + square
        realized = math.sqrt(variance)
        out.realized[i] = as_output(realized * BP)
        if sums[w, MOVED] + moved < MIN_RETURNS:
            out.up_share[i] = math.nan
            out.skew[i] = math.nan
            out.kurt[i] = math.nan
            out.max_move[i] = math.nan
            out.bipower[i] = math.nan
            out.jump_share[i] = math.nan
            continue
        count = length + 1.0
        inverse = 1.0 / variance
        third = sums[w, RETURN_3] + cube
        out.up_share[i] = as_output((sums[w, RETURN_UP] + square_up) * inverse)
        out.skew[i] = as_output(math.sqrt(count) * third * inverse / realized)
        out.kurt[i] = as_output(count * (sums[w, RETURN_4] + fourth) * inverse * inverse)
        out.max_move[i] = as_output(max(rec.moves.maxima[w], size) / realized)
        if clock.seen < length + 1:
            continue
        bipower = HALF_PI * (sums[w, PRODUCT_ABS] + product)
        out.bipower[i] = as_output(bipower * BP * BP)
        out.jump_share[i] = as_output(max(0.0, 1.0 - bipower * inverse))
    if clock.seen >= EWMA_BUCKETS:
        variance = LAMBDA * rec.state.variance + (1.0 - LAMBDA) * square
        out.ewma = as_output(math.sqrt(variance) * BP)
    short_length = clock.lengths[SHORT]
    long_length = clock.lengths[LONG]
    if short_length > 0 and clock.seen >= long_length:
        long_variance = (sums[LONG, RETURN_2] + square) / (long_length + 1.0)
        if long_variance > 0.0:
            short_variance = (sums[SHORT, RETURN_2] + square) / (short_length + 1.0)
            out.ratio_short_long = as_output(math.sqrt(short_variance / long_variance))
        else:
            out.ratio_short_long = as_output(1.0)
