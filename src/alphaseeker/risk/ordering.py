"""The order of one symbol's quotes in time: which are late, and when the time begins anew."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["LATE_QUOTES", "order_step"]

# One odd time stamp must not switch off the stops: so many late quotes in a row, whose own times
# rise, say that the last time was the wrong one.
LATE_QUOTES = 3


@kernel
def order_step(position: npt.NDArray[Any], timestamp: int) -> bool:
    """Return whether a quote is in order; False where it is older than the last trusted one.

    Parameters
    ----------
    position
        Shape (1,), dtype ``POSITION``: its time, and the late quotes counted so far.
    timestamp
        Of the quote, ns.

    Notes
    -----
    The last of ``LATE_QUOTES`` late quotes in a row whose times rise is in order: the symbol's
    time begins anew with it. So does its volatility, because the time between quotes that was
    measured up to here ended on a wrong clock.
    """
    p = position[0]
    if p.quotes == 0 or timestamp >= p.timestamp:
        p.late_quotes = 0
        return True
    if p.late_quotes > 0 and timestamp > p.late_timestamp:
        p.late_quotes += 1
    else:
        p.late_quotes = 1
    p.late_timestamp = timestamp
    if p.late_quotes < LATE_QUOTES:
        return False
    p.late_quotes = 0
    p.quotes = 0
    p.return_square = 0.0
    p.return_weight = 0.0
    return True
