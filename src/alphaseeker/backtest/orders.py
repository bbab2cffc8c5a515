"""Orders on their way: when they fill, at which quote, and the log of fills."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import carray

from alphaseeker._address import pointer
from alphaseeker._jit import part
from alphaseeker.backtest.equity_log import watch_equity
from alphaseeker.backtest.fills import market_fill
from alphaseeker.backtest.signals import levels_of
from alphaseeker.backtest.state import NEVER
from alphaseeker.market.schema import TICK
from alphaseeker.risk.account import clock_step
from alphaseeker.risk.costs import taker_cost_step
from alphaseeker.risk.fills import fill_step
from alphaseeker.risk.funding import funding_step

__all__ = ["fill_due", "fill_order", "log_fill"]


@part
def log_fill(
    control: npt.NDArray[Any],
    account: npt.NDArray[Any],
    position: npt.NDArray[Any],
    fills: npt.NDArray[Any],
    symbol: int,
    time: int,
    decided: int,
    action: int,
    reason: int,
    wanted: float,
    quantity: float,
    price: float,
    fee: float,
    funding: float,
) -> None:
    """Write a fill, after which ``position`` stands as it does, into the log."""
    c = control[0]
    p = position[0]
    fill = fills[c.fills]
    fill.timestamp = time
    fill.decided = decided
    fill.symbol = symbol
    fill.action = action
    fill.reason = reason
    fill.wanted = wanted
    fill.quantity = quantity
    fill.price = price
    fill.mid = 0.5 * (p.bid_price + p.ask_price)
    fill.fee = fee
    fill.position = p.quantity
    fill.funding = funding
    fill.equity = account[0].equity
    c.fills += 1


@part
def fill_order(
    control: npt.NDArray[Any],
    account: npt.NDArray[Any],
    position: npt.NDArray[Any],
    feed: Any,
    order: Any,
    fills: npt.NDArray[Any],
    symbol: int,
    time: int,
) -> None:
    """Fill an order at the symbol's last quote, as a venue's fill reaches the machine."""
    c = control[0]
    ticks = carray(pointer(feed.ticks), (feed.rows,), TICK)
    tick = ticks[order.row]
    size, price = market_fill(
        order.quantity,
        tick.bid_price,
        tick.ask_price,
        tick.bid_volume,
        tick.ask_volume,
        levels_of(feed, order.row, feed.levels),
    )
    order.pending = 0
    order.waits = 0
    if size == 0.0:
        c.unfilled += 1
        return
    if size < abs(order.quantity):
        c.partial += 1
    quantity = size if order.quantity > 0.0 else -size
    fee = size * price * taker_cost_step(account, position)
    clock_step(account, time)
    # A position that the fill closes forgets what it was paid.
    funding_step(account, position)
    funding = 0.0 - position[0].funding
    fill_step(account, position, quantity, price, fee)
    log_fill(
        control,
        account,
        position,
        fills,
        symbol,
        time,
        order.decided,
        order.action,
        order.reason,
        order.quantity,
        quantity,
        price,
        fee,
        funding,
    )
    watch_equity(control, account)


@part
def fill_due(
    control: npt.NDArray[Any],
    account: npt.NDArray[Any],
    positions: npt.NDArray[Any],
    feeds: npt.NDArray[Any],
    orders: npt.NDArray[Any],
    fills: npt.NDArray[Any],
    time: int,
) -> None:
    """Fill the orders that are due before ``time``, in the order of their times."""
    c = control[0]
    while c.next_due < time:
        symbol = -1
        after = NEVER
        for s in range(len(orders)):
            order = orders[s]
            if order.pending == 1 and order.waits == 0:
                if symbol < 0 and order.due == c.next_due:
                    symbol = s
                else:
                    after = min(after, order.due)
        c.next_due = after
        if symbol < 0:
            continue
        order = orders[symbol]
        feed = feeds[symbol]
        last_rows = carray(pointer(feed.last_rows), (feed.rows,), np.int8)
        ticks = carray(pointer(feed.ticks), (feed.rows,), TICK)
        if last_rows[order.row] == 1 and order.due > ticks[order.row].timestamp:
            order.waits = 1
            c.waited += 1
            continue
        place = positions[symbol : symbol + 1]
        fill_order(control, account, place, feed, order, fills, symbol, order.due)
