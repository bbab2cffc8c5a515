"""The mid of two decimal prices, to the last digit that they have.

Quotes of one and the same mid, such as 100.0 / 100.3 and 100.1 / 100.2, can give floats that differ
in the last bit. Taken as a move, that would make a z-score of a quiet market out of nothing.
"""

from __future__ import annotations

import math

from alphaseeker._jit import part

__all__ = ["decimal_mid", "decimal_scale", "decimal_spread"]

DIGITS = 13.0  # before the decimal point, once scaled; halves of a tick included
MOST_ZEROS = 300.0
# Where a price has moved so far from the one the scale was made for, the float stands as it is.
LEAST, MOST = 1e11, 1e15


@part
def decimal_scale(price: float) -> float:
    """Return the power of ten that brings ``price`` to 14 digits before the point."""
    scale: float = 10.0 ** min(MOST_ZEROS, DIGITS - math.floor(math.log10(price)))
    return scale


@part
def decimal_mid(bid: float, ask: float, scale: float) -> float:
    """Return the mid, rounded to whole units of 1 / ``scale``."""
    mid = 0.5 * (bid + ask)
    scaled = mid * scale
    if LEAST <= scaled <= MOST:
        return math.floor(scaled + 0.5) / scale
    return mid


@part
def decimal_spread(bid: float, ask: float, scale: float) -> float:
    """Return ask - bid, rounded as the mid is."""
    spread = ask - bid
    scaled = spread * scale
    if scaled <= MOST:
        return math.floor(scaled + 0.5) / scale
    return spread
