"""One tick through the gate and every family: the step that trains, backtests and trades."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import carray
from numba.core import config as numba_config

from alphaseeker._address import Entry, address_of, pointer
from alphaseeker._jit import allocate_record, inlined, kernel
from alphaseeker.features.buckets import advance_clock, begin_segment
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.elapsed import pass_time
from alphaseeker.features.families.aggressor import take_in_sides
from alphaseeker.features.families.book import take_logarithms
from alphaseeker.features.families.depth import begin_levels, take_in_levels
from alphaseeker.features.families.flow import take_in_quote
from alphaseeker.features.families.momentum import take_in_mid
from alphaseeker.features.families.trades import take_in_trade
from alphaseeker.features.layout import NO_LEVELS, NUMBER, RECORD, feature_vector
from alphaseeker.features.mid import decimal_mid, decimal_scale, decimal_spread
from alphaseeker.features.write import write_first, write_tick
from alphaseeker.market.gate import Verdict, gate_step

__all__ = ["STEP", "call_step", "feature_step", "tick_step"]

N_FEATURES = len(FEATURES)
AFTER_GAP = int(Verdict.AFTER_GAP)
NEW_SESSION = int(Verdict.NEW_SESSION)
REPEATED = int(Verdict.REPEATED)


@inlined
def _set_sizes(rec: Any, bid_volume: float, ask_volume: float) -> None:
    """Set the quote's sizes and what follows from them."""
    quote = rec.quote
    quote.bid_volume = bid_volume
    quote.ask_volume = ask_volume
    both = bid_volume + ask_volume
    quote.imbalance = (bid_volume - ask_volume) / both
    difference = bid_volume - ask_volume
    quote.sign = 1.0 if difference > 0.0 else -1.0 if difference < 0.0 else 0.0


@inlined
def _set_prices(rec: Any, bid_price: float, ask_price: float, mid: float) -> None:
    """Set the quote's prices and what follows from them."""
    quote = rec.quote
    quote.bid_price = bid_price
    quote.ask_price = ask_price
    quote.spread = decimal_spread(bid_price, ask_price, rec.state.mid_scale)
    if mid != quote.mid:
        quote.mid = mid
        quote.log_mid = math.log(mid)


@inlined
def _begin(
    rec: Any,
    vector: npt.NDArray[np.float32],
    levels: npt.NDArray[np.float64],
    timestamp: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
) -> None:
    """Begin a segment with its first tick: what was traded before it counts for nothing."""
    vector[:] = math.nan
    rec.state.mid_scale = decimal_scale(0.5 * (bid_price + ask_price))
    mid = decimal_mid(bid_price, ask_price, rec.state.mid_scale)
    _set_prices(rec, bid_price, ask_price, mid)
    _set_sizes(rec, bid_volume, ask_volume)
    rec.quote.close = close
    rec.quote.changed = timestamp
    rec.quote.mid_changed = timestamp
    take_logarithms(rec, timestamp)
    begin_segment(rec, timestamp)
    if rec.fitted.depth_levels > 0:
        begin_levels(rec, levels, bid_price, ask_price, bid_volume, ask_volume)
    write_first(rec, timestamp)


@inlined
def feature_step(
    rec: Any,
    vector: npt.NDArray[np.float32],
    levels: npt.NDArray[np.float64],
    timestamp: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
    fresh: bool,
) -> None:
    """Take one accepted tick into the record and bring its output up to date.

    Parameters
    ----------
    rec
        A record of ``layout.RECORD``.
    vector
        The record's output as one vector, shape (number of columns,): ``layout.feature_vector``.
    levels
        Shape (levels, 4): bid price, bid volume, ask price, ask volume, best first; no row where
        there is no depth.
    timestamp
        Nanoseconds UTC, not before the last one.
    bid_price, ask_price, bid_volume, ask_volume, close, volume, buy_volume, sell_volume
        As judged by the gate.
    fresh
        Begin a new segment: nothing before this tick counts.
    """
    clock = rec.clock
    quote = rec.quote
    lost = timestamp // clock.bucket_ns - clock.bucket > clock.longest
    if fresh or lost or clock.segments == 0:
        _begin(rec, vector, levels, timestamp, bid_price, ask_price, bid_volume, ask_volume, close)
        return

    # A bucket that closes moves the clock on to its end.
    elapsed_ns = timestamp - clock.timestamp
    rolled = advance_clock(rec, timestamp)
    pass_time(rec, timestamp, elapsed_ns)
    repriced = bid_price != quote.bid_price or ask_price != quote.ask_price
    resized = bid_volume != quote.bid_volume or ask_volume != quote.ask_volume
    changed = repriced or resized
    held = quote.mid
    mid = decimal_mid(bid_price, ask_price, rec.state.mid_scale) if repriced else held
    moved = mid != held
    traded = volume > 0.0
    if traded:
        take_in_trade(rec, close, volume, buy_volume, sell_volume, held)
    # A tick may tell the aggressors' volumes and none of its own.
    struck = buy_volume > 0.0 or sell_volume > 0.0
    if rec.fitted.aggressor == 1 and (changed or struck):
        take_in_sides(rec, bid_price, ask_price, bid_volume, ask_volume, buy_volume, sell_volume)
    deeper = False
    if rec.fitted.depth_levels > 0:
        deeper = take_in_levels(rec, levels, bid_price, ask_price, bid_volume, ask_volume)
    if changed:
        quote.changed = timestamp
        take_in_quote(rec, bid_price, ask_price, bid_volume, ask_volume)
    if moved:
        take_in_mid(rec, mid)
        quote.mid_changed = timestamp
    if repriced:
        _set_prices(rec, bid_price, ask_price, mid)
    if resized:
        _set_sizes(rec, bid_volume, ask_volume)
    take_logarithms(rec, timestamp)
    priced = close != quote.close
    quote.close = close
    write_tick(
        rec,
        timestamp,
        rolled,
        changed,
        moved,
        traded or priced,
        struck,
        deeper,
        elapsed_ns > 0,
    )


@inlined
def _judge(
    records: npt.NDArray[Any],
    vector: npt.NDArray[np.float32],
    levels: npt.NDArray[np.float64],
    timestamp: int,
    session: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
) -> int:
    """Do what ``tick_step`` says; the arguments are the same."""
    rec = records[0]
    verdict = gate_step(
        rec.gate,
        timestamp,
        session,
        bid_price,
        ask_price,
        bid_volume,
        ask_volume,
        close,
        volume,
        buy_volume,
        sell_volume,
    )
    if 0 <= verdict < REPEATED:
        fresh = verdict in (AFTER_GAP, NEW_SESSION)
        feature_step(
            rec,
            vector,
            levels,
            timestamp,
            bid_price,
            ask_price,
            bid_volume,
            ask_volume,
            close,
            volume,
            buy_volume,
            sell_volume,
            fresh,
        )
    return verdict


@kernel
def _whole_step(
    record: int,
    vector: int,
    levels: int,
    depth: int,
    timestamp: int,
    session: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
) -> int:
    """Do what ``tick_step`` says; the arrays are given by their addresses, and ``depth`` rows."""
    return _judge(
        carray(pointer(record), (1,), RECORD),
        carray(pointer(vector), (N_FEATURES,), NUMBER),
        carray(pointer(levels), (depth, 4), np.float64),
        timestamp,
        session,
        bid_price,
        ask_price,
        bid_volume,
        ask_volume,
        close,
        volume,
        buy_volume,
        sell_volume,
    )


def _samples() -> tuple[Any, ...]:
    return (*(0,) * 6, *(0.0,) * 8)


STEP = Entry(_whole_step, _samples)
_call_step = STEP.call
_of_records = address_of("records", lambda: allocate_record(RECORD))
_of_vector = address_of("vector", lambda: feature_vector(allocate_record(RECORD)))
_of_levels = address_of("levels", lambda: NO_LEVELS)


@inlined
def _call_by_address(
    records: npt.NDArray[Any],
    vector: npt.NDArray[np.float32],
    levels: npt.NDArray[np.float64],
    timestamp: int,
    session: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
) -> int:
    """Do what ``tick_step`` says, as part of the kernel that calls it."""
    arguments = (
        _of_records(records),
        _of_vector(vector),
        _of_levels(levels),
        levels.shape[0],
        timestamp,
        session,
        bid_price,
        ask_price,
        bid_volume,
        ask_volume,
        close,
        volume,
        buy_volume,
        sell_volume,
    )
    return int(_call_step(records[0].step, arguments))


# Without the compiler there is nothing at an address.
call_step = _judge if numba_config.DISABLE_JIT else _call_by_address


@kernel
def tick_step(
    records: npt.NDArray[Any],
    vector: npt.NDArray[np.float32],
    levels: npt.NDArray[np.float64],
    timestamp: int,
    session: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
) -> int:
    """Judge one tick and, where it is accepted, take it into the features.

    Parameters
    ----------
    records
        One-element array of ``layout.RECORD``, from ``allocation.allocate_session``.
    vector
        ``layout.feature_vector(records)``.
    levels
        Shape (levels, 4): depth, best level first; no row (``layout.NO_LEVELS``) where there is
        none.
    timestamp
        Nanoseconds UTC.
    session
        Code of the continuous capture.
    bid_price, ask_price, close
        Price units.
    bid_volume, ask_volume, volume, buy_volume, sell_volume
        Size units; the last two NaN where unknown.

    Returns
    -------
    int
        The gate's verdict (``market.gate.Verdict``).
    """
    return call_step(
        records,
        vector,
        levels,
        timestamp,
        session,
        bid_price,
        ask_price,
        bid_volume,
        ask_volume,
        close,
        volume,
        buy_volume,
        sell_volume,
    )
