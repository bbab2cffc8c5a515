"""Exponentially weighted averages by elapsed time, for ticks that come at uneven times.

A *level* (spread, imbalance, mid) holds until the next tick: its old value is weighted by the time
it stood. A *flow* (order flow, volume) happens at an instant: it is added to what is left of the
earlier ones, so that events with no time between them all count.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part
from alphaseeker.kernels.lanes import load_wide, store

__all__ = ["fill_weights", "flow_step", "level_step"]

Floats = npt.NDArray[np.float64]

LN2 = math.log(2.0)

# Below this the series of 1 - e^-x to the seventh power is as exact as a float can be: the next
# term is 6e-18 of the whole.
SMALL = 1.0 / 64.0
C2, C3, C4, C5, C6, C7 = (1.0 / math.factorial(k) for k in range(2, 8))


@part
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


@part
def flow_step(total: float, impulse: float, elapsed: float, half_life: float) -> float:
    """Return what is left of ``total`` after ``elapsed`` seconds, plus the new ``impulse``."""
    return total * math.exp(-elapsed / half_life * LN2) + impulse


@part
def fill_weights(weights: Floats, rates: Floats, elapsed: float) -> None:
    """Write what a level that stood for ``elapsed`` weighs in each average: 1 - 2^(-elapsed / h).

    Parameters
    ----------
    weights
        Shape (8,): written.
    rates
        Shape (8,): ln 2 / h of each half-life h, falling, 0 where there is none; 1/s.
    elapsed
        Seconds, at least 0.

    Notes
    -----
    Ticks mostly come close together, and the series takes 9 ns for six averages where ``expm1``
    takes 22. Series that reach further are slower than ``expm1`` again.
    """
    if elapsed * rates[0] < SMALL:
        x = elapsed * load_wide(rates, 0)
        tail = C4 - x * (C5 - x * (C6 - x * C7))
        store(weights, 0, x * (1.0 - x * (C2 - x * (C3 - x * tail))))
    else:
        for i in range(weights.shape[0]):
            weights[i] = -math.expm1(-elapsed * rates[i])
