"""The loop: session step, risk step and fills over the rows of all symbols in time order.

With a latency of 0 the risk machine fills on paper, at the quote it decides on. With a latency it
runs as under a venue: its decision becomes an order that fills at the quote that prevails once the
latency has passed, and fills alone change positions. A symbol has one order in flight at most;
what the machine repeats meanwhile is no second order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import carray

from alphaseeker._address import lent, pointer
from alphaseeker._jit import kernel, part
from alphaseeker.backtest.equity_log import (
    SAMPLES_A_TICK,
    pass_time,
    sample_equity,
    watch_equity,
)
from alphaseeker.backtest.orders import fill_due, fill_order, log_fill
from alphaseeker.backtest.signals import signal_of
from alphaseeker.backtest.state import END_OF_DATA, Phase, Stop
from alphaseeker.market.schema import TICK
from alphaseeker.risk.costs import exit_price, taker_cost_step
from alphaseeker.risk.fills import fill_step
from alphaseeker.risk.funding import funding_step
from alphaseeker.risk.state import Action, Intent, State
from alphaseeker.risk.step import act_step, decide_step

__all__ = ["finish", "run_rows"]

_OPEN, _CLOSE = int(Action.OPEN_POSITION), int(Action.CLOSE_POSITION)
_REJECT, _HALT = int(Action.REJECT_SIGNAL), int(Action.HALT)
_CLOSE_SHORT, _CLOSE_LONG = int(Intent.CLOSE_SHORT), int(Intent.CLOSE_LONG)
_HALTED = int(State.HALTED)
_NEW, _DECIDED = int(Phase.NEW), int(Phase.DECIDED)
_DONE, _FULL, _PROPOSED = int(Stop.DONE), int(Stop.FULL), int(Stop.PROPOSED)
_NAN = np.nan


@part
def _decide(
    control: npt.NDArray[Any],
    account: npt.NDArray[Any],
    position: npt.NDArray[Any],
    feed: Any,
    order: Any,
    tick: Any,
    row: int,
) -> int:
    """Take a row up to the machine's decision; -1 where the row is refused."""
    c = control[0]
    verdict, side, strength, p_up, p_down = signal_of(feed, tick, row)
    c.ticks += 1
    if verdict < 0:
        c.refused += 1
        return -1
    c.signals[side + 1] += 1
    p = position[0]
    intent = side
    if order.pending == 1:
        intent = 0  # an order is in flight: exits alone, and no second entry to be counted
    elif p.quantity > 0.0 and side < 0:
        intent = _CLOSE_LONG
    elif p.quantity < 0.0 and side > 0:
        intent = _CLOSE_SHORT
    funding = _NAN
    if feed.funding != 0:
        funding = carray(pointer(feed.funding), (feed.rows,), np.float64)[row]
    action = decide_step(
        account,
        position,
        tick.timestamp,
        tick.bid_price,
        tick.ask_price,
        tick.bid_volume,
        tick.ask_volume,
        account[0].equity,
        intent,
        strength,
        p_up,
        p_down,
        funding,
    )
    if action < 0:
        c.refused += 1
        return -1
    trusted = (
        tick.bid_volume != 0.0
        and tick.ask_volume != 0.0
        and p.timestamp == tick.timestamp
        and p.bid_price == tick.bid_price
        and p.ask_price == tick.ask_price
    )
    if trusted:
        order.row = row
    return int(action)


@part
def _act(
    control: npt.NDArray[Any],
    account: npt.NDArray[Any],
    position: npt.NDArray[Any],
    feed: Any,
    order: Any,
    fills: npt.NDArray[Any],
    symbol: int,
    tick: Any,
    row: int,
) -> None:
    """Carry the decision out: fill it on paper, or send an order."""
    c = control[0]
    a = account[0]
    p = position[0]
    report = p.report
    action = report.action
    reason = report.reason
    price = report.price
    before = p.quantity
    funding = 0.0 - p.funding
    wanted = report.side * report.quantity if action == _OPEN else -before
    waited = order.pending == 1 and order.waits == 1
    if action == _REJECT:
        c.rejected[reason] += 1
    act_step(account, position)
    if a.state == _HALTED and c.halted_at == 0:
        c.halted_at = tick.timestamp
    trades = action in (_OPEN, _CLOSE, _HALT)
    if a.venue == 0:
        if trades and p.quantity != before:
            c.orders += 1
            fee = abs(wanted) * price * taker_cost_step(account, position)
            log_fill(
                control,
                account,
                position,
                fills,
                symbol,
                tick.timestamp,
                tick.timestamp,
                action,
                reason,
                wanted,
                p.quantity - before,
                price,
                fee,
                funding,
            )
    elif trades and order.pending == 0 and price > 0.0 and wanted != 0.0:
        c.orders += 1
        order.pending = 1
        order.waits = 0
        order.decided = tick.timestamp
        order.due = tick.timestamp + c.latency
        order.quantity = wanted
        order.action = action
        order.reason = reason
        c.next_due = min(c.next_due, order.due)
    elif waited and order.row == row:
        # The machine has seen the quote first: its marks are those that the fill is valued at.
        fill_order(control, account, position, feed, order, fills, symbol, tick.timestamp)
    watch_equity(control, account)


@kernel
def run_rows(
    control: npt.NDArray[Any],
    account: npt.NDArray[Any],
    positions: npt.NDArray[Any],
    feeds: npt.NDArray[Any],
    orders: npt.NDArray[Any],
    symbols: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    times: npt.NDArray[np.int64],
    fills: npt.NDArray[Any],
    samples: npt.NDArray[Any],
    end: int,
) -> int:
    """Go on from where ``control`` stands up to row ``end`` of the merged order; return a ``Stop``.

    Parameters
    ----------
    control, account
        Shape (1,), dtypes ``CONTROL`` and ``risk.state.ACCOUNT``.
    positions, feeds, orders
        Shape (symbols,), dtypes ``risk.state.POSITION``, ``FEED`` and ``ORDER``.
    symbols, rows
        Shape (n,): number of the symbol, and of the row among its own, in merged order.
    times
        Shape (n,), int64, ns, never falling: when each row is known.
    fills, samples
        Logs, dtypes ``FILL`` and ``SAMPLE``; ``control`` counts what stands in them. They must
        have room for a fill a symbol and one more, and for ``SAMPLES_A_TICK``.
    """
    control, account, positions = lent(control), lent(account), lent(positions)
    feeds, orders, fills, samples = lent(feeds), lent(orders), lent(fills), lent(samples)
    c = control[0]
    while c.cursor < end:
        symbol = symbols[c.cursor]
        row = rows[c.cursor]
        feed = feeds[symbol]
        order = orders[symbol]
        position = positions[symbol : symbol + 1]
        tick = carray(pointer(feed.ticks), (feed.rows,), TICK)[row]
        if c.phase == _NEW:
            if c.fills + len(orders) + 1 > len(fills):
                return _FULL
            if c.samples + SAMPLES_A_TICK > len(samples):
                return _FULL
            time = times[c.cursor]
            if c.next_due < time:
                fill_due(control, account, positions, feeds, orders, fills, time)
            pass_time(control, account, samples, time)
            action = _decide(control, account, position, feed, order, tick, row)
            if action < 0:
                c.cursor += 1
                continue
            if action == _OPEN and c.asks == 1:
                c.phase = _DECIDED
                return _PROPOSED
        c.phase = _NEW
        _act(control, account, position, feed, order, fills, symbol, tick, row)
        c.cursor += 1
    return _DONE


@kernel
def finish(
    control: npt.NDArray[Any],
    account: npt.NDArray[Any],
    positions: npt.NDArray[Any],
    orders: npt.NDArray[Any],
    fills: npt.NDArray[Any],
    samples: npt.NDArray[Any],
) -> None:
    """Give up orders in flight and leave every position at its last quote, fees paid.

    The equity stays as it was: an open position is valued at what leaving it would bring.
    """
    c = control[0]
    for symbol in range(len(orders)):
        if orders[symbol].pending == 1:
            orders[symbol].pending = 0
            c.expired += 1
        position = positions[symbol : symbol + 1]
        p = position[0]
        if p.quantity == 0.0:
            continue
        quantity = -p.quantity
        price = exit_price(p.quantity, p.bid_price, p.ask_price)
        fee = abs(quantity) * price * taker_cost_step(account, position)
        funding_step(account, position)
        funding = 0.0 - p.funding
        fill_step(account, position, quantity, price, fee)
        log_fill(
            control,
            account,
            position,
            fills,
            symbol,
            c.time,
            c.time,
            _CLOSE,
            END_OF_DATA,
            quantity,
            quantity,
            price,
            fee,
            funding,
        )
    watch_equity(control, account)
    if c.minute >= 0:
        sample_equity(control, account, samples, c.time)
