"""The machine, the rules written slowly and the ledger side by side, compared at every step."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from alphaseeker.config import RISK_CONFIG, RiskConfig
from alphaseeker.risk.state import (
    Action,
    Intent,
    Reason,
    State,
    allocate_account,
    allocate_position,
)
from alphaseeker.risk.step import risk_step
from oracles.ledger import Ledger
from oracles.risk_rules import MINUTE, RiskRules

SECOND = 10**9
START = 1_700_006_400 * SECOND  # midnight UTC
EQUITY = 10_000.0
SYMBOLS = ("A", "B", "C")
FIRST_MIDS = {"A": 100.0, "B": 3.0, "C": 30_000.0}
NEWS = ("own", "same", "old", "deposit", "withdrawal")
CENT = 0.005


class Event(NamedTuple):
    """One quote and signal; ``wait`` in seconds, moves and spreads in basis points."""

    symbol: str
    wait: float
    move: float
    spread: float
    intent: str
    strength: float
    news: str = "own"
    p_up: float = math.nan
    p_down: float = math.nan
    funding_rate: float = math.nan
    drift: bool = False


def close_to(one: float, other: float, relative: float = 1e-9, absolute: float = 1e-9) -> bool:
    return abs(one - other) <= absolute + relative * abs(other)


class Twin:
    """One account, run three times; every difference is an AssertionError."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config: dict[str, Any] = RISK_CONFIG | config
        settings = RiskConfig(**self.config)
        self.account = allocate_account(settings)
        self.positions = {name: allocate_position(settings, name) for name in SYMBOLS}
        self.rules = RiskRules(self.config)
        self.ledger = Ledger(EQUITY)
        self.now = START + 40_000 * SECOND
        self.mids = dict(FIRST_MIDS)
        self.balance = EQUITY
        self.given: list[float] = []  # equities that the account has given out
        self.quotes: dict[str, tuple[float, float]] = {}
        self.own_fees = {name: self.rules.rule(name, "TRANSACTION_COST_PCT") for name in SYMBOLS}
        self.entries: list[int] = []
        self.counts: Counter[str] = Counter()
        self.overshoot = 0.0  # the largest passing of a limit, as a share of the price gap
        self.worst_cents = 0.0  # the largest distance from the ledger, in money

    def value(self, name: str) -> Any:
        return self.account[name][0].item()

    def take(self, event: Event) -> None:
        """Take one event, and compare."""
        self.now += round(event.wait * SECOND)
        self.mids[event.symbol] *= 1.0 + event.move * 1e-4
        mid = self.mids[event.symbol]
        bid, ask = mid * (1.0 - event.spread * 5e-5), mid * (1.0 + event.spread * 5e-5)
        if self.value("started") == 1:
            own = self.value("equity")
            self.balance = {
                "own": own,
                "same": self.balance,
                "old": self.given[max(-8, -len(self.given))],
                "deposit": own * 1.5,
                "withdrawal": own / 3,
            }[event.news]
        self.account["drift"] = event.drift
        self.rules.drift = event.drift
        position = self.positions[event.symbol]
        last = (float(position["bid_price"][0]), float(position["ask_price"][0]))
        held, equity = float(position["quantity"][0]), self.value("equity")
        exposed = self.value("notional") + self.value("notional_error")
        funding = self.value("funding")
        inputs = (self.now, bid, ask, 1.0, 1.0, self.balance)
        odds = (event.strength, event.p_up, event.p_down, event.funding_rate)
        action = risk_step(self.account, position, *inputs, int(Intent[event.intent]), *odds)
        assert action >= 0, (action, event)
        self._keep_given(float(position["report"]["cash_flow"][0]))
        named = (event.symbol, self.now, bid, ask, self.balance, event.intent)
        expected = self.rules.step(*named, *odds)
        report = position["report"][0]
        found = (Action(action).name, Reason(report["reason"]).name)
        assert self._agree(found, expected), (found, expected, event)
        assert State(self.value("state")).name == self.rules.state
        self.counts[found[0]] += 1
        self.counts[found[1]] += 1
        self._compare_position(event.symbol)
        self._compare_money(event.symbol, report, held)
        if action == Action.OPEN_POSITION:
            self._check_entry(event.symbol, report, (bid, ask), exposed)
        # What changed the equity, with the trades that follow left out.
        gone = equity - self.value("equity")
        if action == Action.HALT and held != 0.0 and report["cash_flow"] == 0.0:
            self._check_loss(event.symbol, held, last, gone, self.value("funding") - funding)

    def _keep_given(self, flow: float) -> None:
        """Keep the equity just given out; those from before a cash flow are no longer known."""
        if flow != 0.0:
            self.given.clear()
        if self.given[-1:] != [self.value("equity")]:
            self.given.append(self.value("equity"))

    def _agree(self, found: tuple[str, str], expected: tuple[str, str]) -> bool:
        """Say whether action and reason are the same; of two limits that tie, either binds."""
        if found == expected:
            return True
        sizes = self.rules.last_sizes
        if found[0] != expected[0] or not {found[1], expected[1]} <= set(sizes):
            return False
        return close_to(sizes[found[1]], sizes[expected[1]], 1e-12, 0.0)

    def _compare_position(self, symbol: str) -> None:
        position, book = self.positions[symbol], self.rules.books[symbol]
        for name, value in (
            ("quantity", book.quantity),
            ("entry_price", book.entry),
            ("stop_loss", book.stop),
            ("take_profit", book.target),
            ("trade_pnl", book.result if book.quantity != 0 else 0.0),
        ):
            assert close_to(position[name][0], value), (name, position[name][0], value)
        assert self.value("consecutive_losses") == self.rules.losses

    def _compare_money(self, symbol: str, report: Any, held: float) -> None:
        """Carry what happened into the ledger, which knows fills, flows and funding only."""
        position = self.positions[symbol]
        for name, price, rate in self.rules.funding:
            self.ledger.fund(name, price, rate)
        if position["quotes"][0] > 0:
            self.quotes[symbol] = (
                float(position["bid_price"][0]),
                float(position["ask_price"][0]),
            )
        if report["cash_flow"] != 0.0:
            self.ledger.flow(float(report["cash_flow"]))
        fee = self.own_fees[symbol]
        quantity = float(position["quantity"][0])
        if quantity != held:
            price = float(report["price"])
            if held != 0.0:
                assert quantity == 0.0
                self.ledger.close(symbol, price, fee)
            else:
                self.ledger.fill(symbol, quantity, price, abs(quantity) * price * fee)
        equity = self.ledger.equity(self.quotes, 0.0, self.own_fees)
        distance = abs(self.value("equity") - float(equity))
        self.worst_cents = max(self.worst_cents, distance)
        assert distance < CENT, (self.value("equity"), equity)
        parts = self.value("realised_pnl") + self.value("funding") + self.value("cash_flow")
        parts += EQUITY + self.value("unrealised") + self.value("unrealised_error")
        assert abs(parts - float(equity)) < CENT, (parts, equity)
        assert abs(self.value("fees") - float(self.ledger.fees)) < CENT
        assert abs(self.value("funding") - float(self.ledger.funding)) < CENT

    def _check_entry(
        self, symbol: str, report: Any, quote: tuple[float, float], exposed: float
    ) -> None:
        """No entry may break a limit, or follow a touched one; read off the account itself."""
        c, bid, ask = self.config, *quote
        size, price, side = (float(report[name]) for name in ("quantity", "price", "side"))
        fee = self.own_fees[symbol]
        leave = bid if side > 0 else ask
        after = self.value("equity")
        equity = after + size * (abs(price - leave) + fee * (price + leave))
        most = 1.0 + 1e-9
        assert self.value("state") == State.ACTIVE
        assert 1.0 - after / self.value("day_base") < c["MAX_DAILY_LOSS"]
        assert 1.0 - after / self.value("peak_equity") < c["MAX_DRAWDOWN"]
        assert size * price <= c["MAX_POSITION_SIZE"] * equity * most
        cap = c["MAX_POSITION_SIZE"] if c["MAX_EXPOSURE"] is None else c["MAX_EXPOSURE"]
        assert exposed + size * price <= cap * equity * most
        assert size * price <= (c["MAX_NOTIONAL"] or math.inf) * most
        stop = price * (1.0 - side * float(report["stop_distance"]))
        risked = size * (abs(price - stop) + fee * (price + stop))
        assert risked <= c["RISK_PER_TRADE"] * equity * most
        lot = self.rules.rule(symbol, "LOT_SIZE")
        assert lot == 0.0 or close_to(size / lot, round(size / lot), 1e-9, 1e-9)
        assert size * price >= self.rules.rule(symbol, "MIN_NOTIONAL") * (1 - 1e-9)
        assert 0.0 < ask - bid <= c["MAX_SPREAD_PCT"] * 0.5 * (ask + bid) * most
        account_now = self.value("timestamp")
        assert account_now - self.now <= c["MAX_QUOTE_AGE_S"] * SECOND
        assert account_now >= self.value("cooldown_until")
        assert not (c["BLOCK_ON_DRIFT"] and self.value("drift"))
        self.entries.append(account_now // MINUTE)
        in_minute = self.entries.count(account_now // MINUTE)
        assert in_minute <= (c["MAX_ORDERS_PER_MINUTE"] or math.inf)
        self.counts["entries checked"] += 1

    def _check_loss(
        self, symbol: str, held: float, last: tuple[float, float], gone: float, funding: float
    ) -> None:
        """A loss may pass its limit by no more than the price gap, exit fee on it, and funding."""
        before = last[0] if held > 0 else last[1]
        now = float(self.positions[symbol]["bid_price" if held > 0 else "ask_price"][0])
        fee = self.own_fees[symbol]
        gap = -held * (now - before) + abs(held) * (now - before) * fee - funding
        assert close_to(gone, gap, 1e-6, 1e-6), (gone, gap)
        floor = max(
            self.value("day_base") * (1.0 - self.config["MAX_DAILY_LOSS"]),
            self.value("peak_equity") * (1.0 - self.config["MAX_DRAWDOWN"]),
        )
        passed = floor - self.value("equity")
        self.counts["losses checked"] += 1
        # The limit of another symbol's step may have been touched before: then this is its exit.
        if passed > 0.0 and floor < self.value("equity") + gone:
            self.counts["limits passed"] += 1
            assert passed <= gap + 1e-6
            self.overshoot = max(self.overshoot, passed / gap)


def random_config(rng: np.random.Generator) -> dict[str, Any]:
    """Return rules drawn at random, most of them left at their default."""
    choices: dict[str, list[Any]] = {
        "VOLATILITY_BASED_SL": [False],
        "VOLATILITY_HALF_LIFE_S": [2.0, 10.0],
        "VOLATILITY_MULTIPLIER": [0.5, 5.0],
        "STOP_LOSS_PCT": [0.001, 0.02],
        "TAKE_PROFIT_PCT": [0.001, 0.02],
        "MAX_STOP_LOSS_PCT": [0.005],
        "TRANSACTION_COST_PCT": [0.0, 0.0001],
        "MAX_POSITION_SIZE": [0.31, 2.93],
        "MAX_EXPOSURE": [0.53, 1.97],
        "MAX_NOTIONAL": [501.3, 5_003.7],
        "RISK_PER_TRADE": [0.00103, 0.47],
        "dynamic_position_sizing": [False],
        "LOT_SIZE": [0.01, 3.0],
        "MIN_NOTIONAL": [497.7],
        "MAX_DAILY_LOSS": [0.003, 0.01],
        "MAX_DRAWDOWN": [0.004, 0.02],
        "TRAILING_STOP_PCT": [0.0005, 0.003],
        "MAX_HOLDING_S": [1.0, 600.0],
        "KELLY_FRACTION": [None, 0.001, 1.0],
        "VOLATILITY_TARGET": [0.3, 2.0],
        "MAX_CONSECUTIVE_LOSSES": [None, 1, 2],
        "COOLDOWN_S": [5.0, 100_000.0],
        "MAX_ORDERS_PER_MINUTE": [None, 1, 2],
        "MAX_SPREAD_PCT": [0.0002, 0.1],
        "MAX_QUOTE_AGE_S": [0.0, 1.0, 10**6],
        "BLOCK_ON_DRIFT": [True],
        "FUNDING_RATE": [0.0005, -0.002],
        "FUNDING_INTERVAL_S": [60.0, 3_600.0],
        "SYMBOL_RULES": [
            {"A": {"LOT_SIZE": 1.0}, "C": {"TRANSACTION_COST_PCT": 0.0, "MIN_NOTIONAL": 100.0}},
            {"B": {"TRANSACTION_COST_PCT": 0.001, "LOT_SIZE": 0.0}},
        ],
    }
    return {
        name: values[int(rng.integers(len(values)))]
        for name, values in choices.items()
        if rng.random() < 0.25
    }


def random_events(rng: np.random.Generator, count: int) -> list[Event]:
    """Return events drawn at random: small moves and gaps, late quotes, midnights, cash flows."""
    waits = (0.0, 0.0, 0.2, 1.0, 1.0, 3.0, 20.0, 70.0, 4_000.0, 50_000.0, -2.0, -100.0)
    intents = ("CLOSE_SHORT", "SELL", "HOLD", "BUY", "CLOSE_LONG")
    favoured = intents[int(rng.integers(5))]
    draws = rng.random((count, 14)).tolist()
    normals = rng.standard_normal((count, 2)).tolist()
    odds = rng.dirichlet([1.0, 1.0, 1.0], count).tolist()
    events = []
    for d, (jump, rate), (p_up, p_down, _) in zip(draws, normals, odds, strict=True):
        known = d[11] < 0.4
        events.append(
            Event(
                symbol=SYMBOLS[int(3 * d[0]) if d[1] < 0.5 else 0],
                wait=waits[int(len(waits) * d[2])],
                move=8.0 * jump if d[3] < 0.9 else 300.0 * d[4] - 150.0,
                spread=0.05 + 3.95 * d[5] if d[6] < 0.9 else 81.0 * d[5] - 1.0,
                intent=favoured if d[7] < 0.4 else intents[int(5 * d[8])],
                strength=(0.0, 0.3, 1.0, 1.0)[int(4 * d[9])],
                news=NEWS[int(50 * d[10])] if d[10] < 0.1 else "own",
                p_up=p_up if known else math.nan,
                p_down=p_down if known else math.nan,
                funding_rate=5e-4 * rate if d[12] < 0.3 else math.nan,
                drift=d[13] < 0.1,
            )
        )
    return events
