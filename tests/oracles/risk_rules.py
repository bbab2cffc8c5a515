"""The risk rules, written slowly from their text: full histories, everything recomputed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from oracles.kelly import kelly_stake

DAY = 86_400 * 10**9
MINUTE = 60 * 10**9


@dataclass
class Book:
    """One symbol: its position and every quote that was trusted."""

    symbol: str = ""
    quantity: float = 0.0
    entry: float = 0.0
    first_stop: float = 0.0
    stop: float = 0.0
    target: float = 0.0
    opened: int = 0
    funded: int = 0  # up to when
    result: float = 0.0  # of the open trade, after fees and funding
    rate: float = 0.0  # of funding, at the last quote
    quotes: list[tuple[int, float, float]] = field(default_factory=list)
    late: list[int] = field(default_factory=list)  # times out of order since the last in order
    begun_anew: int = 0

    def is_late(self, now: int) -> bool:
        """Say whether a quote is out of order; three late ones that rise begin the time anew."""
        if self.quotes and now < self.quotes[-1][0]:
            self.late.append(now)
            if len(self.late) < 3 or not self.late[-3] < self.late[-2] < self.late[-1]:
                return True
            self.quotes = []
            self.begun_anew += 1
        self.late = []
        return False

    def exit(self) -> float:
        _, bid, ask = self.quotes[-1]
        return bid if self.quantity > 0 else ask

    def sigma(self, half_life: float) -> float | None:
        """Volatility per root second; None before a half-life was observed."""
        end = self.quotes[-1][0]
        observed = (end - self.quotes[0][0]) * 1e-9
        if len(self.quotes) < 2 or observed < half_life:
            return None
        squares = 0.0
        for (t0, b0, a0), (t1, b1, a1) in zip(self.quotes, self.quotes[1:], strict=False):
            move = math.log((b1 + a1) / (b0 + a0))
            elapsed = (t1 - t0) * 1e-9
            share = -math.expm1(-math.log(2.0) * elapsed / half_life)
            spread_out = share / elapsed if elapsed > 0 else math.log(2.0) / half_life
            squares += move**2 * spread_out * 0.5 ** ((end - t1) * 1e-9 / half_life)
        return math.sqrt(squares / (1.0 - 0.5 ** (observed / half_life)))


class RiskRules:
    """One account; ``config`` is the dictionary of RISK_CONFIG keys."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.c = config
        self.books: dict[str, Book] = {}
        self.state = "ACTIVE"
        self.why = ""
        self.now = 0
        self.balance = math.nan
        self.reported = math.nan
        self.last_equity = math.nan
        self.given: list[float] = []  # equities given out since the last cash flow
        self.day_start = self.day_base = self.peak = math.nan
        self.day = -1
        self.drift = False
        self.orders: list[int] = []  # times of entries
        self.losses = 0
        self.cool_until = 0
        self.last_sizes: dict[str, float] = {}
        self.funding: list[tuple[str, float, float]] = []  # symbol, price and rate, of this step

    def rule(self, symbol: str, key: str) -> float:
        """Return a setting of a symbol: its own one, or the account's."""
        return float(self.c["SYMBOL_RULES"].get(symbol, {}).get(key, self.c[key]))

    def fee(self, book: Book) -> float:
        return self.rule(book.symbol, "TRANSACTION_COST_PCT")

    @property
    def begun_anew(self) -> int:
        """How often a symbol's time began anew."""
        return sum(book.begun_anew for book in self.books.values())

    def equity(self) -> float:
        total = self.balance
        for book in self.books.values():
            if book.quantity != 0:
                price = book.exit()
                total += book.quantity * (price - book.entry)
                total -= abs(book.quantity) * price * self.fee(book)
        return total

    def touched(self) -> str | None:
        """Return the limit that is newly touched, if any."""
        equity = self.equity()
        why = None
        day_loss = 1 - equity / self.day_base if self.day_base > 0 else 1.0
        drawdown = 1 - equity / self.peak if self.peak > 0 else 1.0
        if self.state == "ACTIVE" and day_loss >= self.c["MAX_DAILY_LOSS"]:
            self.state, why = "REDUCING", "MAX_DAILY_LOSS"
        if self.state != "HALTED" and drawdown >= self.c["MAX_DRAWDOWN"]:
            self.state, why = "HALTED", "MAX_DRAWDOWN"
        self.why = why or self.why
        return why

    def stop_distance(self, book: Book) -> float:
        if self.c["custom_stop_loss"] is not None:
            return float(self.c["custom_stop_loss"])
        half_life = self.c["VOLATILITY_HALF_LIFE_S"]
        sigma = book.sigma(half_life)
        if not self.c["VOLATILITY_BASED_SL"]:
            return float(self.c["STOP_LOSS_PCT"])
        if sigma is None:
            return float(min(self.c["STOP_LOSS_PCT"], self.c["MAX_STOP_LOSS_PCT"]))
        _, bid, ask = book.quotes[-1]
        floor = 2 * (2 * self.fee(book) + (ask - bid) / ((ask + bid) / 2))
        wanted = self.c["VOLATILITY_MULTIPLIER"] * sigma * math.sqrt(half_life)
        return float(min(max(wanted, floor), self.c["MAX_STOP_LOSS_PCT"]))

    def target_distance(self, stop: float) -> float:
        if self.c["custom_stop_loss"] is not None or not self.c["VOLATILITY_BASED_SL"]:
            return float(self.c["TAKE_PROFIT_PCT"])
        return float(min(self.c["TAKE_PROFIT_PCT"] * stop / self.c["STOP_LOSS_PCT"], 1.0))

    def step(
        self,
        symbol: str,
        now: int,
        bid: float,
        ask: float,
        balance: float,
        intent: str,
        strength: float,
        p_up: float = math.nan,
        p_down: float = math.nan,
        funding_rate: float = math.nan,
    ) -> tuple[str, str]:
        """Return action and reason, both as names."""
        last_equity = self.last_equity
        if now > self.now:
            self.now = now
        if 0 < self.cool_until <= self.now:
            self.losses = self.cool_until = 0
        if not math.isnan(self.balance) and self.now // DAY > self.day:
            self.day = self.now // DAY
            self.day_start = self.day_base = last_equity
            if self.state == "REDUCING":
                self.state, self.why = "ACTIVE", ""
        book = self.books.setdefault(symbol, Book(symbol))
        self.fund(book)
        trusted = ""
        if bid > ask:
            trusted = "CROSSED_BOOK"
        elif book.is_late(now):
            trusted = "OUT_OF_ORDER"
        else:
            book.quotes.append((now, bid, ask))
            book.rate = self.c["FUNDING_RATE"] if math.isnan(funding_rate) else funding_rate
            self.trail(book)
        if math.isnan(self.balance):
            self.balance = self.reported = balance
            self.day_start = self.day_base = self.peak = balance
            self.day = self.now // DAY
        else:
            self.peak = max(self.peak, self.equity())
            news = balance != self.reported
            self.reported = balance
            # Its own figure differs from the account's in the last digits.
            own = [last_equity, *self.given[-16:]]
            if news and not any(math.isclose(balance, one, rel_tol=1e-12) for one in own):
                before = self.equity()
                self.given = []
                self.balance += balance - before
                self.day_start += balance - before
                if before > 0 and balance > 0:
                    self.day_base *= balance / before
                    self.peak *= balance / before
                else:
                    self.day_base += balance - before
                    self.peak += balance - before
        result = self.decide(book, trusted, intent, strength, (p_up, p_down))
        self.last_equity = self.equity()
        if self.given[-1:] != [self.last_equity]:
            self.given.append(self.last_equity)
        return result

    def fund(self, book: Book) -> None:
        """Pay for each funding time that was passed, at the last mid and rate before it."""
        self.funding = []
        every = round(self.c["FUNDING_INTERVAL_S"] * 1e9)
        if book.quantity != 0:
            for _ in range(self.now // every - book.funded // every):
                _, bid, ask = book.quotes[-1]
                mid = (bid + ask) / 2
                self.balance -= book.quantity * mid * book.rate
                book.result -= book.quantity * mid * book.rate
                self.funding.append((book.symbol, mid, book.rate))
        book.funded = self.now
        if self.funding:
            self.peak = max(self.peak, self.equity())

    def trail(self, book: Book) -> None:
        """Pull the stop after the price; what it once was it stays, or tighter."""
        share = self.c["TRAILING_STOP_PCT"]
        if share is not None and book.quantity != 0:
            if book.quantity > 0:
                book.stop = max(book.stop, book.exit() * (1 - share))
            else:
                book.stop = min(book.stop, book.exit() * (1 + share))

    def decide(
        self,
        book: Book,
        trusted: str,
        intent: str,
        strength: float,
        odds: tuple[float, float],
    ) -> tuple[str, str]:
        touched = self.touched()
        if trusted:
            return ("HALT", touched) if touched else ("MONITOR", trusted)
        if self.state != "ACTIVE":
            if book.quantity != 0:
                self.trade(book, -book.quantity)
                return "HALT", self.why
            if touched:
                return "HALT", touched
            return "REJECT_SIGNAL" if intent in ("BUY", "SELL") else "MONITOR", self.why
        if book.quantity != 0:
            why = self.exit_reason(book, intent)
            if why is None:
                return "MONITOR", "IN_POSITION"
            self.trade(book, -book.quantity)
            return "CLOSE_POSITION", why
        if intent not in ("BUY", "SELL"):
            return "MONITOR", "NO_SIGNAL" if intent == "HOLD" else "NOTHING_TO_CLOSE"
        return self.enter(book, 1 if intent == "BUY" else -1, strength, odds)

    def exit_reason(self, book: Book, intent: str) -> str | None:
        price = book.exit()
        long = book.quantity > 0
        if (price <= book.stop) if long else (price >= book.stop):
            return "STOP_LOSS" if book.stop == book.first_stop else "TRAILING_STOP"
        if (price >= book.target) if long else (price <= book.target):
            return "TAKE_PROFIT"
        longest = self.c["MAX_HOLDING_S"]
        if longest is not None and self.now - book.opened >= round(longest * 1e9):
            return "TIME_LIMIT"
        if intent in (("SELL", "CLOSE_LONG") if long else ("BUY", "CLOSE_SHORT")):
            return "OPPOSITE_SIGNAL"
        return None

    def denial(self, book: Book) -> str | None:
        """Return why no entry is made now, whatever its size."""
        at, bid, ask = book.quotes[-1]
        if bid == ask:
            return "LOCKED_BOOK"
        if self.drift and self.c["BLOCK_ON_DRIFT"]:
            return "MODEL_DRIFT"
        if self.now < self.cool_until:
            return "COOLDOWN"
        if self.now - at > round(self.c["MAX_QUOTE_AGE_S"] * 1e9):
            return "STALE_QUOTE"
        most = self.c["MAX_ORDERS_PER_MINUTE"]
        in_minute = sum(time // MINUTE == self.now // MINUTE for time in self.orders)
        if most is not None and in_minute >= most:
            return "MAX_ORDERS_PER_MINUTE"
        if (ask - bid) / ((ask + bid) / 2) > self.c["MAX_SPREAD_PCT"]:
            return "MAX_SPREAD"
        return None

    def sizes(
        self, book: Book, price: float, side: int, distance: float, odds: tuple[float, float]
    ) -> dict[str, float]:
        """Return the size that each rule allows, by its name."""
        c = self.c
        equity = self.equity()
        stop = price * (1 - side * distance)
        loss_of_one = abs(price - stop) + self.fee(book) * (price + stop)
        held = sum(abs(b.quantity) * b.exit() for b in self.books.values() if b.quantity != 0)
        share = c["MAX_POSITION_SIZE"] if c["MAX_EXPOSURE"] is None else c["MAX_EXPOSURE"]
        cap = share * equity
        sizes = {
            "RISK_PER_TRADE": c["RISK_PER_TRADE"] * equity / loss_of_one,
            "MAX_POSITION_SIZE": c["MAX_POSITION_SIZE"] * equity / price,
            "MAX_EXPOSURE": (cap - held if cap - held > 1e-9 * cap else 0.0) / price,
        }
        if c["MAX_NOTIONAL"] is not None:
            sizes["MAX_NOTIONAL"] = c["MAX_NOTIONAL"] / price
        if c["VOLATILITY_TARGET"] is not None:
            sigma = book.sigma(c["VOLATILITY_HALF_LIFE_S"])
            if sigma is None:
                return {"VOLATILITY_TARGET": 0.0}
            if sigma > 0:
                yearly = sigma * math.sqrt(365 * 86_400)
                sizes["VOLATILITY_TARGET"] = c["VOLATILITY_TARGET"] / yearly * equity / price
        if c["KELLY_FRACTION"] is not None and not math.isnan(sum(odds)):
            _, bid, ask = book.quotes[-1]
            cost = 2 * self.fee(book) + (ask - bid) / ((ask + bid) / 2)
            gain = self.target_distance(distance)
            stake = kelly_stake(*(odds if side > 0 else odds[::-1]), gain, distance, cost)
            sizes["KELLY"] = c["KELLY_FRACTION"] * stake * equity / price
        return sizes

    def enter(
        self, book: Book, side: int, strength: float, odds: tuple[float, float]
    ) -> tuple[str, str]:
        denied = self.denial(book)
        if denied is not None:
            return "REJECT_SIGNAL", denied
        _, bid, ask = book.quotes[-1]
        price, leave = (ask, bid) if side > 0 else (bid, ask)
        distance = self.stop_distance(book)
        stop = price * (1 - side * distance)
        if (leave <= stop) if side > 0 else (leave >= stop):
            return "REJECT_SIGNAL", "STOP_INSIDE_SPREAD"
        self.last_sizes = sizes = self.sizes(book, price, side, distance, odds)
        why = min(sizes, key=lambda name: sizes[name])
        size = sizes[why]
        if self.c["dynamic_position_sizing"]:
            if strength == 0:
                return "REJECT_SIGNAL", "NO_SIGNAL_STRENGTH"
            size *= strength
        if size <= 0:
            return "REJECT_SIGNAL", why
        lot = self.rule(book.symbol, "LOT_SIZE")
        if lot > 0:
            size = math.floor(size / lot * (1 + 1e-12)) * lot
            if size == 0:
                return "REJECT_SIGNAL", "LOT_SIZE"
        if size * price < self.rule(book.symbol, "MIN_NOTIONAL"):
            return "REJECT_SIGNAL", "MIN_NOTIONAL"
        after = self.equity() - size * (abs(price - leave) + self.fee(book) * (price + leave))
        day_ok = after > self.day_base * (1 - self.c["MAX_DAILY_LOSS"])
        if not (day_ok and after > self.peak * (1 - self.c["MAX_DRAWDOWN"])):
            return "REJECT_SIGNAL", "COST_BREAKS_LIMIT"
        self.trade(book, side * size, price)
        self.orders.append(self.now)
        book.opened = self.now
        book.first_stop = book.stop = stop
        book.target = price * (1 + side * self.target_distance(distance))
        self.trail(book)
        return "OPEN_POSITION", why

    def trade(self, book: Book, quantity: float, price: float | None = None) -> None:
        """Fill at the quote; closing realises the PnL, every side pays its fee."""
        at = book.exit() if price is None else price
        fee = abs(quantity) * at * self.fee(book)
        self.balance -= fee
        book.result -= fee
        if book.quantity == 0:
            book.quantity, book.entry = quantity, at
            return
        profit = book.quantity * (at - book.entry)
        self.balance += profit
        self.losses = self.losses + 1 if book.result + profit < 0 else 0
        most = self.c["MAX_CONSECUTIVE_LOSSES"]
        if most is not None and self.losses >= most:
            self.cool_until = self.now + round(self.c["COOLDOWN_S"] * 1e9)
        book.quantity = book.entry = book.stop = book.target = book.result = 0.0
