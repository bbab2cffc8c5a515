"""Fits the feature settings: bucket length to the data's cadence, tick size to its prices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.features.block import LONGEST_BUCKET_S, SHORTEST_BUCKET_S, FeatureSettings
from alphaseeker.market.schema import TickSeries

__all__ = ["fit_settings", "infer_bucket_s", "infer_tick_size"]

MAX_DECIMALS = 10
# Relative: wide enough for prices that a program computed, and half a step of a price of ten digits
# (60000.12345) does not pass for rounding.
ROUNDING = 1e-11


def infer_bucket_s(series: Sequence[TickSeries]) -> float:
    """Return the median interval between ticks of a session in whole seconds, at least 1.

    Event streams and one-second grids share the one-second bucket; slower data gets its cadence.
    """
    intervals = []
    for one in series:
        step = np.diff(one.ticks["timestamp"])
        same = np.diff(one.ticks["session"]) == 0
        intervals.append(step[same & (step > 0)])
    every = np.concatenate(intervals) if intervals else np.zeros(0)
    if len(every) == 0:
        return SHORTEST_BUCKET_S
    median = round(float(np.median(every)) * 1e-9)
    return float(min(LONGEST_BUCKET_S, max(SHORTEST_BUCKET_S, median)))


def infer_tick_size(prices: npt.NDArray[np.float64]) -> float:
    """Return the largest step that every price is a multiple of, in price units.

    Prices are read as decimals of at most ten places: the step is the greatest common divisor of
    their integer form at the number of places that 99.9 % of them need, so that a stray price does
    not decide. NaN where there is no positive finite price.
    """
    good = prices[np.isfinite(prices) & (prices > 0.0)]
    if len(good) == 0:
        return float("nan")
    distinct = np.unique(good)
    for decimals in range(MAX_DECIMALS + 1):
        scaled = distinct * 10.0**decimals
        whole = np.rint(scaled)
        exact = np.abs(scaled - whole) <= ROUNDING * np.maximum(scaled, 1.0)
        if exact.mean() >= 0.999 or decimals == MAX_DECIMALS:
            units = whole[exact | (decimals == MAX_DECIMALS)]
            steps = np.gcd.reduce(units[units < 2.0**62].astype(np.int64))
            return float(max(int(steps), 1)) / 10.0**decimals
    return float("nan")


def fit_settings(series: Sequence[TickSeries], config: Config) -> FeatureSettings:
    """Fit the settings on ``series``, which must be of the training part only."""
    bucket = config.data.BUCKET_S
    prices: dict[str, list[npt.NDArray[np.float64]]] = {}
    for one in series:
        both = prices.setdefault(one.symbol, [])
        both.extend(one.ticks[side] for side in ("bid_price", "ask_price"))
    sizes = {name: infer_tick_size(np.concatenate(both)) for name, both in prices.items()}
    known = {name: size for name, size in sizes.items() if size > 0.0}
    return FeatureSettings(
        bucket_s=infer_bucket_s(series) if isinstance(bucket, str) else float(bucket),
        tick_size=min(known.values(), default=math.nan),
        max_gap_s=config.inference.MAX_GAP_S,
        max_jump=config.inference.MAX_JUMP,
        tick_sizes=known,
    )
