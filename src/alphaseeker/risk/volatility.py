"""Volatility of the mid for the stop: an average by elapsed time, one for each symbol."""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.kernels.ewma import flow_step, level_step

__all__ = ["sigma_step", "volatility_step"]

LN2 = math.log(2.0)


@kernel
def volatility_step(
    position: npt.NDArray[Any],
    timestamp: int,
    bid_price: float,
    ask_price: float,
    half_life_s: float,
) -> None:
    """Take one trusted quote into the position's volatility, time and quote.

    Notes
    -----
    The squared log return of the mid is spread evenly over the time it took, and averaged with
    half-life ``half_life_s``: its weight is r^2 (1 - 2^(-dt/h)) / dt, whose limit r^2 ln 2 / h
    counts moves between quotes of one time stamp. The weight of time is kept beside it, so that
    the average is unbiased from the first interval on.
    """
    p = position[0]
    if p.quotes == 0:
        p.first_timestamp = timestamp
    else:
        elapsed = (timestamp - p.timestamp) * 1e-9
        move = math.log((bid_price + ask_price) / (p.bid_price + p.ask_price))
        rate = LN2 / half_life_s
        if elapsed > 0.0:
            rate = -math.expm1(-elapsed * rate) / elapsed
        p.return_square = flow_step(p.return_square, move * move * rate, elapsed, half_life_s)
        p.return_weight = level_step(p.return_weight, 1.0, elapsed, half_life_s)
    p.quotes += 1
    p.timestamp = timestamp
    p.bid_price = bid_price
    p.ask_price = ask_price


@kernel
def sigma_step(position: npt.NDArray[Any], half_life_s: float) -> float:
    """Return the volatility per square root of a second; NaN before a half-life was observed."""
    p = position[0]
    observed = (p.timestamp - p.first_timestamp) * 1e-9
    if p.quotes < 2 or observed < half_life_s:
        return math.nan
    return math.sqrt(p.return_square / p.return_weight)
