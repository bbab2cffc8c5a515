"""The rules of a backtest's fills, in plain Python: Decimal money, one tick after the other.

The machine is reduced to what these rules need: all equity in one position, no stop, no target,
an exit on the opposite side alone, which is repeated until nothing is held.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

DIGITS = 50


def take(wanted, side, quote, levels):
    """Return size and money of a market order at one quote; ``side`` is 1 or -1."""
    _, bid, ask, bid_volume, ask_volume = quote
    if levels is None:
        shown = [(ask, ask_volume)] if side > 0 else [(bid, bid_volume)]
    else:
        shown = [(row[2], row[3]) if side > 0 else (row[0], row[1]) for row in levels]
    size, money = Decimal(0), Decimal(0)
    for price, volume in shown:
        taken = min(wanted - size, Decimal(volume))
        size += taken
        money += taken * Decimal(price)
    return size, money


def trade(quotes, sides, *, equity, latency_ns, rate, levels=None):
    """Return the trades as (side, size, entry money, exit money, fees) and the cash at the end.

    Parameters
    ----------
    quotes
        (time, bid, ask, bid volume, ask volume) by tick, in time order.
    sides
        1, 0, -1 by tick.
    levels
        By tick: rows of (bid price, bid volume, ask price, ask volume), or None.
    """
    with localcontext(prec=DIGITS):
        cash, held, rate = Decimal(equity), Decimal(0), Decimal(rate)
        order = None  # (due, signed size)
        open_trade = None
        leaving = False
        trades = []

        def book(size, money, side):
            nonlocal cash, held, open_trade
            fee = money * rate
            cash -= side * money + fee
            held += side * size
            if open_trade is None:
                open_trade = [side, size, money, Decimal(0), fee]
                return
            open_trade[3] += money
            open_trade[4] += fee
            if held == 0:
                trades.append(tuple(open_trade))
                open_trade = None

        for number, (quote, side) in enumerate(zip(quotes, sides, strict=True)):
            now, bid, ask = quote[:3]
            if order is not None and order[0] < now:
                wanted = order[1]
                direction = 1 if wanted > 0 else -1
                before = None if levels is None else levels[number - 1]
                size, money = take(abs(wanted), direction, quotes[number - 1], before)
                order = None
                if size > 0:
                    book(size, money, direction)
            if order is not None:
                continue
            if held == 0 and side != 0 and bid < ask:
                price = Decimal(ask if side > 0 else bid)
                order = (now + latency_ns, side * cash / price)
            elif held != 0 and (leaving or side * held < 0):
                order = (now + latency_ns, -held)
            leaving = order is not None and order[1] * held < 0
        if held != 0:
            price = Decimal(quotes[-1][1] if held > 0 else quotes[-1][2])
            book(abs(held), abs(held) * price, -1 if held > 0 else 1)
        return trades, cash
