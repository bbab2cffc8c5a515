"""Fits the feature settings on training data, and reads them back from a model file.

The bucket length follows the data's cadence, the tick size its prices; the micro-price's table and
the weights of the levels are estimates. Each is fitted by symbol.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.errors import ConfigError, ModelError
from alphaseeker.features.block import LONGEST_BUCKET_S, SHORTEST_BUCKET_S, FeatureSettings
from alphaseeker.features.custom import CustomFeature, find_declared
from alphaseeker.features.inputs import depth_levels, has_aggressor
from alphaseeker.features.integrated_flow import fit_integrated_weights
from alphaseeker.features.microprice import MAX_SPREADS, MICROPRICE_BINS, fit_microprice
from alphaseeker.market.schema import TickSeries

__all__ = ["fit_settings", "infer_bucket_s", "infer_tick_size", "settings_from_plain"]

MAX_DECIMALS = 10
MAX_SHOWN = 80  # characters of a damaged value
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
    not decide. Prices that fit into float32 may have been rounded to it: then the shortest decimals
    that it rounds to the same count, where their step is longer. NaN where there is no positive
    finite price.
    """
    good = prices[np.isfinite(prices) & (prices > 0.0)]
    if len(good) == 0:
        return float("nan")
    distinct = np.unique(good)
    step = _common_step(distinct)
    with np.errstate(over="ignore"):
        single = distinct.astype(np.float32)
    if np.array_equal(single, distinct):
        step = max(step, _common_step(np.unique(single.astype(str).astype(np.float64))))
    return step


def _common_step(distinct: npt.NDArray[np.float64]) -> float:
    """Return the largest step that all of some positive decimals are multiples of."""
    for decimals in range(MAX_DECIMALS + 1):
        scaled = distinct * 10.0**decimals
        whole = np.rint(scaled)
        exact = np.abs(scaled - whole) <= ROUNDING * np.maximum(scaled, 1.0)
        if exact.mean() >= 0.999 or decimals == MAX_DECIMALS:
            units = whole[exact | (decimals == MAX_DECIMALS)]
            steps = np.gcd.reduce(units[units < 2.0**62].astype(np.int64))
            return float(max(int(steps), 1)) / 10.0**decimals
    return float("nan")


def fit_settings(
    series: Sequence[TickSeries],
    config: Config,
    *,
    tick_size: float | None = None,
    like: FeatureSettings | None = None,
) -> FeatureSettings:
    """Fit the settings on ``series``, which must be of the training part only.

    Parameters
    ----------
    series
        Accepted ticks, with mended depth where they have any.
    config
        BUCKET_S, MAX_GAP_S, MAX_JUMP and ROUND_TRIP_NOTIONAL are taken over.
    tick_size
        Of all symbols, where it is known; else inferred from the prices of each.
    like
        Settings whose bucket length, levels of depth and aggressor's side are taken over, where
        columns have been computed with them and only what is estimated is fitted again.

    Returns
    -------
    FeatureSettings
        Depth and the aggressor's side count where every series has them. A symbol with too few
        ticks for a table of the micro-price, or for weights of its levels, gets none.
    """
    bucket = config.data.BUCKET_S
    bucket_s = infer_bucket_s(series) if isinstance(bucket, str) else float(bucket)
    gap = config.inference.MAX_GAP_S
    levels, aggressor = depth_levels(series), has_aggressor(series)
    if like is not None:
        bucket_s, levels, aggressor = like.bucket_s, like.depth_levels, like.aggressor
    by_symbol: dict[str, list[TickSeries]] = {}
    for one in series:
        by_symbol.setdefault(one.symbol, []).append(one)
    sizes, tables, weights = {}, {}, {}
    for symbol, own in by_symbol.items():
        prices = [one.ticks[side] for one in own for side in ("bid_price", "ask_price")]
        sizes[symbol] = tick_size or infer_tick_size(np.concatenate(prices))
        tables[symbol] = fit_microprice(own, sizes[symbol], max_gap_s=gap)
        if levels > 0:
            weights[symbol] = fit_integrated_weights(own, levels, bucket_s, max_gap_s=gap)
    known = {symbol: size for symbol, size in sizes.items() if size > 0.0}
    return FeatureSettings(
        bucket_s=bucket_s,
        tick_size=min(known.values(), default=math.nan),
        max_gap_s=gap,
        max_jump=config.inference.MAX_JUMP,
        tick_sizes={} if tick_size else known,
        microprices={symbol: table for symbol, table in tables.items() if table is not None},
        ofi_weights={symbol: found for symbol, found in weights.items() if found is not None},
        aggressor=aggressor,
        depth_levels=levels,
        round_trip_notional=float(config.feature.ROUND_TRIP_NOTIONAL),
    )


def settings_from_plain(
    plain: Mapping[str, Any], custom: Sequence[CustomFeature] = ()
) -> FeatureSettings:
    """Return the settings that a model file holds as plain values, checked throughout.

    Parameters
    ----------
    plain
        What ``FeatureSettings.to_dict`` gave, tuples as lists: every setting.
    custom
        The custom features at hand: those that ``plain`` declares must be among them.

    Raises
    ------
    ModelError
        A setting is absent, a name is unknown, a value is not of its kind, range or length, or a
        custom feature is absent or defined otherwise.
    """
    for name, value in plain.items():
        check = CHECKS.get(name)
        if check is None or not check(value):
            what = "is no setting that this version knows" if check is None else "is damaged"
            raise ModelError(
                f"settings {name} {what}: {_shortened(value)}; train the model again or get the "
                "file again"
            )
    # A default would stand for what the model was trained with, and no answer would tell.
    absent = next((name for name in CHECKS if name not in plain), None)
    if absent is not None:
        raise ModelError(
            f"settings {absent} is missing; train the model again or get the file again"
        )
    found = find_declared(plain["custom"], custom)
    try:
        return FeatureSettings(**{**plain, "custom": found})
    except ConfigError as error:
        raise ModelError(f"settings are damaged: {error}; get the file again") from error


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _are_numbers(values: Any) -> bool:
    return isinstance(values, (list, tuple)) and all(map(_is_number, values))


def _is_table(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= MAX_SPREADS:
        return False
    return all(_are_numbers(row) and len(row) == MICROPRICE_BINS for row in value)


def _by_symbol(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        return isinstance(value, dict) and all(
            isinstance(symbol, str) and check(item) for symbol, item in value.items()
        )

    return holds


# What each setting must look like in a model file; ranges are the settings' own business.
CHECKS: dict[str, Callable[[Any], bool]] = {
    "bucket_s": _is_number,
    "tick_size": lambda value: type(value) in (int, float),  # NaN where it is unknown
    "max_gap_s": _is_number,
    "max_jump": _is_number,
    "tick_sizes": _by_symbol(_is_number),
    "microprices": _by_symbol(_is_table),
    "ofi_weights": _by_symbol(_are_numbers),
    "aggressor": lambda value: type(value) is bool,
    "depth_levels": lambda value: type(value) is int,
    "round_trip_notional": _is_number,
    "custom": lambda value: isinstance(value, list) and all(isinstance(v, dict) for v in value),
}
