"""The clock: closes buckets as time passes, carries empty ones, and starts a segment afresh."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import inlined
from alphaseeker.features.families.aggressor import begin_sides
from alphaseeker.features.families.bars import begin_bars, close_bars
from alphaseeker.features.families.flow import close_flow
from alphaseeker.features.families.liquidity import close_liquidity
from alphaseeker.features.families.momentum import close_strength
from alphaseeker.features.families.trades import begin_trades, close_trades
from alphaseeker.features.families.volatility import close_returns
from alphaseeker.features.groups import (
    HIGH,
    LOG_DEPTH,
    LOG_VOLUME,
    LOW,
    MID,
    MOVE,
    SPREAD,
    VOLUME,
)
from alphaseeker.features.layout import PLAN, RING
from alphaseeker.kernels.deviations import rolling_deviations_reset, rolling_deviations_step
from alphaseeker.kernels.extrema import rolling_maxima_reset, rolling_maxima_step
from alphaseeker.kernels.windows import window_sums_ask, window_sums_reset, window_sums_step

__all__ = ["advance_clock", "begin_segment"]


@inlined
def _clear_flows(rec: Any) -> None:
    """Begin a bucket: what collects during it begins at nothing, the rest is set at its end."""
    rec.flow.partial[:] = 0.0
    rec.trades.partial[:] = 0.0
    rec.levels.partial[:] = 0.0
    rec.sides.partial[:] = 0.0


@inlined
def _begin_windows(rec: Any) -> None:
    """Forget the buckets of every group."""
    _clear_flows(rec)
    window_sums_reset(rec.memory[:], PLAN, rec.windows[:], rec.begins[:])
    extrema = rec.extrema
    rolling_maxima_reset(extrema.prefix, extrema.positions, extrema.lengths, extrema.stagger)
    group = rec.deviations
    quote = rec.quote
    group.partial[MID] = quote.mid
    group.partial[SPREAD] = quote.spread
    group.partial[LOG_DEPTH] = quote.log_depth
    group.partial[LOG_VOLUME] = 0.0
    rolling_deviations_reset(
        group.prefix,
        group.references,
        group.positions,
        group.lengths,
        group.stagger,
        group.partial,
    )
    rec.state.levels[:] = math.nan


@inlined
def begin_segment(rec: Any, timestamp: int) -> None:
    """Forget everything: ``timestamp`` is the first of a segment, whose quote stands already."""
    clock = rec.clock
    clock.segments += 1
    clock.timestamp = timestamp
    clock.first_bucket = timestamp // clock.bucket_ns
    clock.bucket = clock.first_bucket
    clock.seen = 0
    clock.minute = -1
    quote = rec.quote
    _begin_windows(rec)
    before = (clock.bucket - 1) & (RING - 1)
    rec.rings.mids[before] = quote.mid
    rec.rings.log_mids[before] = quote.log_mid
    averages = rec.averages
    averages.mids[:] = quote.mid
    averages.imbalances[:] = quote.imbalance
    averages.flows[:] = 0.0
    averages.buys[:] = 0.0
    averages.sells[:] = 0.0
    averages.gains[:] = 0.0
    averages.losses[:] = 0.0
    averages.variance = 0.0
    averages.variance_count = 0
    state = rec.state
    state.high = quote.mid
    state.low = quote.mid
    state.last_return = 0.0
    state.run_length = 0
    begin_trades(rec, quote.close)
    begin_sides(rec)
    begin_bars(rec, quote.mid)


@inlined
def _close_series(rec: Any) -> None:
    """Take the values at the end of the bucket into the deviations."""
    group = rec.deviations
    quote = rec.quote
    state = rec.state
    values = group.partial
    volume = rec.trades.partial[VOLUME]
    values[MID] = quote.mid
    values[SPREAD] = quote.spread
    values[LOG_DEPTH] = quote.log_depth
    values[LOG_VOLUME] = math.log1p(volume) if volume > 0.0 else 0.0
    for series in range(values.shape[0]):
        if values[series] != state.levels[series]:
            state.levels[series] = values[series]
            state.level_since[series] = rec.clock.bucket
    rolling_deviations_step(
        group.slots,
        group.prefix,
        group.references,
        group.sums,
        group.positions,
        group.lengths[: group.count],
        group.offsets,
        values,
    )


@inlined
def _close_extrema(rec: Any, change: float) -> None:
    group = rec.extrema
    group.partial[HIGH] = rec.state.high
    group.partial[LOW] = -rec.state.low
    group.partial[MOVE] = abs(change)
    rolling_maxima_step(
        group.slots,
        group.prefix,
        group.sums,
        group.positions,
        group.lengths[: group.count],
        group.offsets,
        group.partial,
    )


@inlined
def _close_bucket(rec: Any) -> None:
    """Close the bucket in progress and open the next, with the quote carried into it."""
    clock = rec.clock
    quote = rec.quote
    rings = rec.rings
    here = clock.bucket & (RING - 1)
    before = (clock.bucket - 1) & (RING - 1)
    change = quote.log_mid - rings.log_mids[before]
    move = quote.mid - rings.mids[before]
    price_change = quote.close - rec.trade.bucket_close
    rings.mids[here] = quote.mid
    rings.log_mids[here] = quote.log_mid

    close_flow(rec)
    close_returns(rec, move, change)
    _close_extrema(rec, change)
    _close_series(rec)
    close_bars(rec)
    close_liquidity(rec, move, change, price_change)
    close_trades(rec, price_change)
    window_sums_step(rec.memory[:], PLAN, rec.windows[:])
    _clear_flows(rec)
    rec.state.high = quote.mid
    rec.state.low = quote.mid
    # The first bucket began before it was watched.
    if clock.bucket > clock.first_bucket:
        close_strength(rec, move)
        clock.seen += 1
    clock.bucket += 1


@inlined
def advance_clock(rec: Any, timestamp: int) -> bool:
    """Close every bucket that ended before ``timestamp``; say whether there was one."""
    bucket = timestamp // rec.clock.bucket_ns
    rolled: bool = bucket > rec.clock.bucket
    if rolled:
        window_sums_ask(rec.memory[:], PLAN, rec.windows[:])
    while rec.clock.bucket < bucket:
        _close_bucket(rec)
    return rolled
