"""The risk rules, written slowly from their text: full histories, everything recomputed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

DAY = 86_400 * 10**9


@dataclass
class Book:
    """One symbol: its position and every quote that was trusted."""

    quantity: float = 0.0
    entry: float = 0.0
    stop: float = 0.0
    target: float = 0.0
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
        self.day_start = self.day_base = self.peak = math.nan
        self.day = -1

    @property
    def begun_anew(self) -> int:
        """How often a symbol's time began anew."""
        return sum(book.begun_anew for book in self.books.values())

    def equity(self) -> float:
        rate = self.c["TRANSACTION_COST_PCT"]
        total = self.balance
        for book in self.books.values():
            if book.quantity != 0:
                price = book.exit()
                total += book.quantity * (price - book.entry)
                total -= abs(book.quantity) * price * rate
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
        floor = 2 * (2 * self.c["TRANSACTION_COST_PCT"] + (ask - bid) / ((ask + bid) / 2))
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
    ) -> tuple[str, str]:
        """Return action and reason, both as names."""
        last_equity = self.last_equity
        if now > self.now:
            self.now = now
        if not math.isnan(self.balance) and self.now // DAY > self.day:
            self.day = self.now // DAY
            self.day_start = self.day_base = last_equity
            if self.state == "REDUCING":
                self.state, self.why = "ACTIVE", ""
        book = self.books.setdefault(symbol, Book())
        trusted = ""
        if bid > ask:
            trusted = "CROSSED_BOOK"
        elif book.is_late(now):
            trusted = "OUT_OF_ORDER"
        else:
            book.quotes.append((now, bid, ask))
        if math.isnan(self.balance):
            self.balance = self.reported = balance
            self.day_start = self.day_base = self.peak = balance
            self.day = self.now // DAY
        else:
            self.peak = max(self.peak, self.equity())
            news = balance != self.reported
            self.reported = balance
            # Its own figure differs from the account's in the last digits.
            if news and not math.isclose(balance, last_equity, rel_tol=1e-12):
                before = self.equity()
                self.balance += balance - before
                self.day_start += balance - before
                if before > 0 and balance > 0:
                    self.day_base *= balance / before
                    self.peak *= balance / before
                else:
                    self.day_base += balance - before
                    self.peak += balance - before
        result = self.decide(book, trusted, intent, strength)
        self.last_equity = self.equity()
        return result

    def decide(self, book: Book, trusted: str, intent: str, strength: float) -> tuple[str, str]:
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
        return self.enter(book, 1 if intent == "BUY" else -1, strength)

    def exit_reason(self, book: Book, intent: str) -> str | None:
        price = book.exit()
        long = book.quantity > 0
        if (price <= book.stop) if long else (price >= book.stop):
            return "STOP_LOSS"
        if (price >= book.target) if long else (price <= book.target):
            return "TAKE_PROFIT"
        if intent in (("SELL", "CLOSE_LONG") if long else ("BUY", "CLOSE_SHORT")):
            return "OPPOSITE_SIGNAL"
        return None

    def enter(self, book: Book, side: int, strength: float) -> tuple[str, str]:
        _, bid, ask = book.quotes[-1]
        if bid == ask:
            return "REJECT_SIGNAL", "LOCKED_BOOK"
        price, leave = (ask, bid) if side > 0 else (bid, ask)
        rate = self.c["TRANSACTION_COST_PCT"]
        distance = self.stop_distance(book)
        stop = price * (1 - side * distance)
        if (leave <= stop) if side > 0 else (leave >= stop):
            return "REJECT_SIGNAL", "STOP_INSIDE_SPREAD"
        equity = self.equity()
        loss_of_one = abs(price - stop) + rate * (price + stop)
        held = sum(abs(b.quantity) * b.exit() for b in self.books.values() if b.quantity != 0)
        cap = self.c["MAX_POSITION_SIZE"] * equity
        room = cap - held if cap - held > 1e-9 * cap else 0.0
        sizes = {
            "RISK_PER_TRADE": self.c["RISK_PER_TRADE"] * equity / loss_of_one,
            "MAX_POSITION_SIZE": room / price,
        }
        why = min(sizes, key=lambda name: sizes[name])
        size = sizes[why]
        if self.c["dynamic_position_sizing"]:
            if strength == 0:
                return "REJECT_SIGNAL", "NO_SIGNAL_STRENGTH"
            size *= strength
        if size <= 0:
            return "REJECT_SIGNAL", why
        lot = self.c["LOT_SIZE"]
        if lot > 0:
            size = math.floor(size / lot * (1 + 1e-12)) * lot
            if size == 0:
                return "REJECT_SIGNAL", "LOT_SIZE"
        if size * price < self.c["MIN_NOTIONAL"]:
            return "REJECT_SIGNAL", "MIN_NOTIONAL"
        after = equity - size * (abs(price - leave) + rate * (price + leave))
        day_ok = after > self.day_base * (1 - self.c["MAX_DAILY_LOSS"])
        if not (day_ok and after > self.peak * (1 - self.c["MAX_DRAWDOWN"])):
            return "REJECT_SIGNAL", "COST_BREAKS_LIMIT"
        self.trade(book, side * size, price)
        book.stop = stop
        book.target = price * (1 + side * self.target_distance(distance))
        return "OPEN_POSITION", why

    def trade(self, book: Book, quantity: float, price: float | None = None) -> None:
        """Fill at the quote; closing realises the PnL, every side pays its fee."""
        at = book.exit() if price is None else price
        if book.quantity != 0:
            self.balance += book.quantity * (at - book.entry)
            book.quantity = book.entry = book.stop = book.target = 0.0
        else:
            book.quantity, book.entry = quantity, at
        self.balance -= abs(quantity) * at * self.c["TRANSACTION_COST_PCT"]
