"""One tick through the gate and every family: the step that trains, backtests and trades."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.features.book import write_ages, write_book
from alphaseeker.features.buckets import advance_clock, begin_segment
from alphaseeker.features.flow import take_in_quote, write_flow
from alphaseeker.features.layout import RING
from alphaseeker.features.mid import decimal_mid, decimal_scale
from alphaseeker.features.momentum import (
    take_in_mid,
    write_autocorrelation,
    write_ema_gaps,
    write_momentum,
)
from alphaseeker.features.volatility import write_volatility
from alphaseeker.market.gate import Verdict, gate_step

__all__ = ["feature_step", "tick_step"]

AFTER_GAP = int(Verdict.AFTER_GAP)
NEW_SESSION = int(Verdict.NEW_SESSION)
REPEATED = int(Verdict.REPEATED)
SECONDS = 1e-9


@kernel
def feature_step(
    rec: Any,
    vector: npt.NDArray[np.float32],
    timestamp: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    fresh: bool,
) -> None:
    """Take one accepted tick into the record and bring its output up to date.

    Parameters
    ----------
    rec
        A record of ``layout.RECORD``.
    vector
        The record's output as one vector, shape (number of columns,): ``layout.feature_vector``.
    timestamp
        Nanoseconds UTC, not before the last one.
    bid_price, ask_price, bid_volume, ask_volume, close
        As judged by the gate.
    fresh
        Begin a new segment: nothing before this tick counts.
    """
    clock = rec.clock
    quote = rec.quote
    lost = timestamp // clock.bucket_ns - clock.bucket > clock.longest
    if fresh or lost or clock.segments == 0:
        rec.state.mid_scale = decimal_scale(0.5 * (bid_price + ask_price))
        mid = decimal_mid(bid_price, ask_price, rec.state.mid_scale)
        vector[:] = math.nan
        begin_segment(rec, timestamp, mid)
        quote.bid_price = bid_price
        quote.ask_price = ask_price
        quote.bid_volume = bid_volume
        quote.ask_volume = ask_volume
        rec.out.momentum.run_length = 0.0
        write_book(rec, close)
        write_ages(rec, timestamp)
        return

    rolled = advance_clock(rec, timestamp)
    elapsed = (timestamp - clock.timestamp) * SECONDS
    clock.timestamp = timestamp
    held = quote.mid
    repriced = bid_price != quote.bid_price or ask_price != quote.ask_price
    mid = decimal_mid(bid_price, ask_price, rec.state.mid_scale) if repriced else held
    moved = mid != held
    if repriced or bid_volume != quote.bid_volume or ask_volume != quote.ask_volume:
        quote.changed = timestamp
    take_in_quote(rec, bid_price, ask_price, bid_volume, ask_volume, elapsed)
    if moved:
        take_in_mid(rec, mid)
        quote.mid = mid
        quote.log_mid = math.log(mid)
        quote.mid_changed = timestamp
    quote.bid_price = bid_price
    quote.ask_price = ask_price
    quote.bid_volume = bid_volume
    quote.ask_volume = ask_volume

    write_book(rec, close)
    write_ages(rec, timestamp)
    write_flow(rec)
    write_ema_gaps(rec, held, elapsed)
    # The other columns change only with the mid or with the buckets behind it: 3 % of the ticks of
    # an event stream (BTC quotes), every tick of a one-second grid.
    if moved or rolled:
        change = quote.log_mid - rec.buckets.log_mids[(clock.bucket - 1) & (RING - 1)]
        write_momentum(rec)
        write_autocorrelation(rec, change)
        write_volatility(rec, change)


@kernel
def tick_step(
    records: npt.NDArray[Any],
    vector: npt.NDArray[np.float32],
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
        One-element array of ``layout.RECORD``.
    vector
        ``layout.feature_vector(records)``.
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
            timestamp,
            bid_price,
            ask_price,
            bid_volume,
            ask_volume,
            close,
            fresh,
        )
    return verdict
