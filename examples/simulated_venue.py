"""A venue to practise on: orders, fills and an account, driven by the ticks of a file or simulator.

It takes market orders and post-only limit orders of one symbol, in lots, above a minimum notional.
Orders and fill messages take ``LATENCY_S`` to travel. A market order takes what stands at the top
of the book, tick after tick, so that large ones fill in parts and pay the taker fee. A limit order
fills at its price, for the maker fee, once the other side of the book reaches it. As real venues
do, it turns down an order now and then, and sends a message twice. Its ledger is in decimals: what
a bot's risk manager says can be compared with it to the cent.

It is a teaching aid: queues, hidden size and the market's answer to one's own orders are left out.
"""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

LATENCY_S = 2.0
TAKER_FEE = Decimal("0.00005")
MAKER_FEE = Decimal("0.00002")
LOT_SIZE = Decimal("0.001")
MIN_NOTIONAL = Decimal("50")
EVERY_REJECT = 7  # so many orders apart
EVERY_DUPLICATE = 5  # so many fills apart


class OrderRejected(Exception):
    """The venue does not take an order; the text says why."""


class SimulatedVenue:
    """One account and one symbol at a venue.

    Parameters
    ----------
    ticks
        Rows of market data as dictionaries, in time order.
    symbol
        What is traded.
    cash
        At the start.
    """

    def __init__(self, ticks: list[dict[str, Any]], symbol: str, cash: str) -> None:
        self.symbol = symbol
        self.cash = Decimal(cash)
        self.quantity = Decimal(0)
        self.entry_price = Decimal(0)
        self.fees = Decimal(0)
        self.fills: list[dict[str, Any]] = []  # all of them, as the history of a venue gives them
        self.rejected = 0
        self.repeated = 0
        self.tick: dict[str, Any] = ticks[0]
        self._ticks = ticks
        self._place = 0
        self._orders: dict[int, dict[str, Any]] = {}
        self._sent = 0
        self._outbox: list[tuple[float, dict[str, Any]]] = []
        self._subscriber: asyncio.Queue[dict[str, Any]] | None = None

    # ---- what a bot calls ----------------------------------------------------------------------

    def subscribe(self) -> "asyncio.Queue[dict[str, Any]]":
        """Return the queue that fill messages come in from now on; an older one gets no more."""
        self._subscriber = asyncio.Queue()
        return self._subscriber

    async def stream(self, ticks: int) -> AsyncIterator[dict[str, Any]]:
        """Yield the next ticks; the venue lives on with each."""
        for _ in range(ticks):
            self.advance()
            await asyncio.sleep(0)  # a real stream waits here for the network
            yield self.tick

    async def submit(self, side: str, size: float, limit: float | None = None) -> int:
        """Send an order, a market order without ``limit``; return its number.

        Raises
        ------
        OrderRejected
            Less than a lot or the minimum notional, or the venue is busy.
        """
        await asyncio.sleep(0)
        lots = Decimal(repr(size)) / LOT_SIZE
        whole = lots.to_integral_value() * LOT_SIZE
        price = Decimal(repr(limit if limit is not None else self.tick["ask_price"]))
        self._sent += 1
        if abs(lots * LOT_SIZE - whole) > Decimal("1e-9") or whole <= 0:
            self._reject(f"size {size} is no multiple of {LOT_SIZE}")
        if limit is not None and whole * price < MIN_NOTIONAL:
            self._reject(f"notional below {MIN_NOTIONAL}")
        if self._sent % EVERY_REJECT == 0:
            self._reject("busy, send it again")
        self._orders[self._sent] = {
            "side": side,
            "left": whole,
            "limit": None if limit is None else price,
            "arrives": self.tick["timestamp"] + LATENCY_S / 2,
        }
        return self._sent

    async def cancel(self, order: int) -> float:
        """Cancel an order; return how much of it was left."""
        await asyncio.sleep(0)
        cancelled = self._orders.pop(order, None)
        return 0.0 if cancelled is None else float(cancelled["left"])

    async def cancel_all(self) -> None:
        """Cancel every order."""
        for order in self.open_orders():
            await self.cancel(order)

    def open_orders(self) -> list[int]:
        """Return the numbers of the orders that may still fill."""
        return list(self._orders)

    def account(self) -> tuple[dict[str, Any], float]:
        """Return the position, and the equity after leaving it at the quote for the taker fee."""
        side = "LONG" if self.quantity > 0 else "SHORT" if self.quantity < 0 else "FLAT"
        position = {
            "symbol": self.symbol,
            "side": side,
            "size": float(abs(self.quantity)),
            "entry_price": float(self.entry_price),
        }
        leave = self.tick["bid_price" if self.quantity > 0 else "ask_price"]
        value = self.quantity * (Decimal(repr(leave)) - self.entry_price)
        fee = abs(self.quantity) * Decimal(repr(leave)) * TAKER_FEE
        return position, float(self.cash + value - fee)

    # ---- the venue's own life ------------------------------------------------------------------

    def advance(self) -> None:
        """Take the next tick: fill what can be filled, deliver what has arrived."""
        self.tick = self._ticks[self._place]
        self._place += 1
        now = self.tick["timestamp"]
        for number, order in list(self._orders.items()):
            if order["arrives"] <= now:
                self._match(number, order)
        due = [message for when, message in self._outbox if when <= now]
        self._outbox = [(when, message) for when, message in self._outbox if when > now]
        for message in due:
            if self._subscriber is not None:
                self._subscriber.put_nowait(message)

    def disconnect(self) -> None:
        """Lose the bot's connection: messages on their way reach nobody."""
        self._subscriber = None

    def _reject(self, reason: str) -> None:
        self.rejected += 1
        raise OrderRejected(reason)

    def _match(self, number: int, order: dict[str, Any]) -> None:
        buys = order["side"] == "BUY"
        there = "ask" if buys else "bid"
        price = Decimal(repr(float(self.tick[f"{there}_price"])))
        size = Decimal(repr(float(self.tick[f"{there}_volume"]))) // LOT_SIZE * LOT_SIZE
        rate = TAKER_FEE
        if order["limit"] is not None:
            if (price > order["limit"]) if buys else (price < order["limit"]):
                return
            price, rate = order["limit"], MAKER_FEE
        taken = min(order["left"], size)
        if taken <= 0:
            return
        order["left"] -= taken
        if order["left"] == 0:
            del self._orders[number]
        self._book(taken if buys else -taken, price, taken * price * rate)
        fill = {
            "id": f"fill-{len(self.fills) + 1}",
            "order": number,
            "symbol": self.symbol,
            "side": order["side"],
            "size": float(taken),
            "price": float(price),
            "fee": float(taken * price * rate),
            "liquidity": "taker" if rate == TAKER_FEE else "maker",
            "timestamp": self.tick["timestamp"],
        }
        self.fills.append(fill)
        self._outbox.append((self.tick["timestamp"] + LATENCY_S / 2, fill))
        if len(self.fills) % EVERY_DUPLICATE == 0:
            self.repeated += 1
            self._outbox.append((self.tick["timestamp"] + LATENCY_S, fill))

    def _book(self, quantity: Decimal, price: Decimal, fee: Decimal) -> None:
        """Bring position, cash and fees up to date."""
        before = self.quantity
        self.quantity += quantity
        self.fees += fee
        self.cash -= fee
        if before * quantity >= 0:
            self.entry_price = (before * self.entry_price + quantity * price) / self.quantity
            return
        closed = min(abs(before), abs(quantity)) * (1 if before > 0 else -1)
        self.cash += closed * (price - self.entry_price)
        if self.quantity * before < 0:
            self.entry_price = price
