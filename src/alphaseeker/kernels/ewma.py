"""Exponentially weighted averages by elapsed time, for ticks that come at uneven times.

A *level* (spread, imbalance, mid) holds until the next tick: its old value is weighted by the time
it stood. A *flow* (order flow, volume) happens at an instant: it is added to what is left of the
earlier ones, so that events with no time between them all count.
"""

from __future__ import annotations

import math

from alphaseeker._jit import kernel

__all__ = ["flow_step", "level_step"]

LN2 = math.log(2.0)


@kernel
def level_step(average: float, held: float, elapsed: float, half_life: float) -> float:
    """Return the average after ``held`` stood for ``elapsed``.

    Parameters
    ----------
    average
        The average before.
    held
        The level that held during the elapsed time.
    elapsed, half_life
        Seconds; ``elapsed`` at least 0, ``half_life`` above 0.

    Notes
    -----
    ``expm1`` keeps the weight's digits: microseconds against minutes leave 1 - 2^-x with seven.
    """
    return average - (held - average) * math.expm1(-elapsed / half_life * LN2)


@kernel
def flow_step(total: float, impulse: float, elapsed: float, half_life: float) -> float:
    """Return what is left of ``total`` after ``elapsed`` seconds, plus the new ``impulse``."""
    return total * math.exp(-elapsed / half_life * LN2) + impulse
