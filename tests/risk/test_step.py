"""The state machine against the rules written slowly, and what it must never do."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alphaseeker.config import RISK_CONFIG, RiskConfig
from alphaseeker.risk.state import (
    Action,
    Intent,
    Reason,
    Refusal,
    State,
    allocate_account,
    allocate_position,
)
from alphaseeker.risk.step import risk_step
from oracles.ledger import Ledger
from oracles.risk_rules import RiskRules

SECOND = 10**9
DAY = 86_400 * SECOND
START = 1_700_006_400 * SECOND  # midnight UTC

CONFIGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "fixed": {"VOLATILITY_BASED_SL": False},
    "custom": {"custom_stop_loss": 0.003},
    "fast volatility": {"VOLATILITY_HALF_LIFE_S": 2.0, "VOLATILITY_MULTIPLIER": 5.0},
    "lots": {"LOT_SIZE": 3.0, "MIN_NOTIONAL": 500.0},
    "budget": {"RISK_PER_TRADE": 0.001, "dynamic_position_sizing": False},
    "low cap": {"STOP_LOSS_PCT": 0.05, "MAX_STOP_LOSS_PCT": 0.01, "MAX_POSITION_SIZE": 2.0},
    "tight": {"MAX_DAILY_LOSS": 0.004, "MAX_DRAWDOWN": 0.009},
    "no fees": {"TRANSACTION_COST_PCT": 0.0, "MAX_POSITION_SIZE": 5.0, "RISK_PER_TRADE": 1.0},
}

INTENTS = [intent.name for intent in Intent]

Event = tuple[int, int, float, float, str, float, str]
events = st.tuples(
    st.integers(0, 1),  # symbol
    st.sampled_from([0, 0, 1, 3, 70, 4_000, 50_000, -2, -100]),  # seconds since the last event
    st.floats(-80.0, 80.0),  # move of the mid in basis points
    st.floats(-0.5, 20.0),  # spread in basis points; below 0 the book is crossed
    st.sampled_from(INTENTS),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from(["own", "own", "own", "same", "deposit", "withdrawal"]),
)


def step(account: Any, position: Any, now: int, bid: float, ask: float, **other: Any) -> Action:
    """Take one step with the defaults of a quiet call."""
    balance = other.get("balance", account["equity"][0])
    intent = other.get("intent", Intent.HOLD)
    strength = other.get("strength", 1.0)
    bid_volume = other.get("bid_volume", 1.0)
    p_up, p_down = other.get("p_up", math.nan), other.get("p_down", math.nan)
    volumes, funding = (bid_volume, 1.0), other.get("funding_rate", math.nan)
    request = (int(intent), strength, p_up, p_down, funding)
    return Action(risk_step(account, position, now, bid, ask, *volumes, balance, *request))


def started(config: dict[str, Any] | None = None) -> tuple[Any, Any]:
    """Return an account of 10,000 and a position with one quote."""
    account = allocate_account(RiskConfig(**(config or {})))
    position = allocate_position()
    step(account, position, START, 99.99, 100.01, balance=10_000.0)
    return account, position


def report(position: Any) -> Any:
    return position["report"][0]


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=st.lists(events, min_size=1, max_size=40))
def test_every_decision_is_that_of_the_rules_and_every_cent_that_of_the_ledger(
    name: str, sequence: list[Event]
) -> None:
    compare(name, sequence)


@pytest.mark.parametrize("name", CONFIGS)
def test_decisions_are_those_of_the_rules_where_time_jumps_back(name: str) -> None:
    rng = np.random.default_rng(11)
    sequence: list[Event] = []
    for index in range(300):
        wait = -int(rng.integers(20, 200)) if index % 15 == 14 else int(rng.integers(0, 6))
        intent = INTENTS[int(rng.integers(5))]
        move, spread = rng.normal(0.0, 15.0), rng.uniform(0.1, 4.0)
        sequence.append((int(rng.integers(2)), wait, move, spread, intent, 0.3, "own"))
    rules = compare(name, sequence)
    assert rules.begun_anew > 5


def compare(name: str, sequence: list[Event]) -> RiskRules:
    """Run the machine, the rules and the ledger side by side; return the rules."""
    config = RISK_CONFIG | CONFIGS[name]
    account = allocate_account(RiskConfig(**config))
    positions = [allocate_position(), allocate_position()]
    rules, ledger = RiskRules(config), Ledger(10_000.0)
    mids, now, balance = [100.0, 3.0], START + 40_000 * SECOND, 10_000.0
    quotes: dict[str, tuple[float, float]] = {}
    for symbol, wait, move, spread, intent, strength, news in sequence:
        now += wait * SECOND
        mids[symbol] *= 1.0 + move * 1e-4
        bid = mids[symbol] * (1.0 - spread * 5e-5)
        ask = mids[symbol] * (1.0 + spread * 5e-5)
        if account["started"][0] == 1:
            own = float(account["equity"][0])
            balance = {"own": own, "same": balance, "deposit": own * 1.5, "withdrawal": own / 3}[
                news
            ]
        position = positions[symbol]
        held = float(position["quantity"][0])
        action = step(
            account,
            position,
            now,
            bid,
            ask,
            balance=balance,
            intent=Intent[intent],
            strength=strength,
        )
        expected = rules.step(str(symbol), now, bid, ask, balance, intent, strength)
        out = report(position)
        assert (action.name, Reason(out["reason"]).name) == expected
        assert State(account["state"][0]).name == rules.state
        book = rules.books[str(symbol)]
        for field, value in (
            ("quantity", book.quantity),
            ("entry_price", book.entry),
            ("stop_loss", book.stop),
            ("take_profit", book.target),
        ):
            assert position[field][0] == pytest.approx(value, rel=1e-9, abs=1e-12)
        assert out["daily_pnl"] == pytest.approx(rules.equity() - rules.day_start, abs=1e-7)
        # the ledger knows fills and quotes only
        if out["reason"] not in (Reason.CROSSED_BOOK, Reason.OUT_OF_ORDER) and bid <= ask:
            quotes[str(symbol)] = (float(position["bid_price"][0]), float(position["ask_price"][0]))
        if out["cash_flow"] != 0.0:
            ledger.flow(float(out["cash_flow"]))
        rate = config["TRANSACTION_COST_PCT"]
        if position["quantity"][0] != held:
            if held != 0.0:
                ledger.close(str(symbol), float(out["price"]), rate)
            else:
                quantity, price = float(position["quantity"][0]), float(out["price"])
                ledger.fill(str(symbol), quantity, price, abs(quantity) * price * rate)
        assert account["equity"][0] == pytest.approx(float(ledger.equity(quotes, rate)), rel=1e-9)
        assert account["fees"][0] == pytest.approx(float(ledger.fees), rel=1e-9, abs=1e-9)
    return rules


@pytest.mark.parametrize("seed", range(3))
def test_limits_are_never_bypassed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    limits = {"MAX_DAILY_LOSS": 0.01, "MAX_DRAWDOWN": 0.03, "MAX_POSITION_SIZE": 3.0}
    account = allocate_account(RiskConfig(RISK_PER_TRADE=0.05, **limits))
    positions = [allocate_position() for _ in range(3)]
    mids, now = np.array([100.0, 5.0, 30_000.0]), START
    opened = touched = 0
    for index in range(6_000):
        which = int(rng.integers(3))
        now += int(rng.integers(0, 900)) * SECOND
        mids[which] *= math.exp(rng.standard_normal() * 2e-3)
        half = mids[which] * rng.uniform(1e-5, 4e-4)
        balance = 10_000.0 if index == 0 else float(account["equity"][0])
        if rng.random() < 0.01:
            balance *= rng.uniform(0.5, 2.0)
        before = int(account["state"][0])
        day = int(account["day"][0])
        action = step(
            account,
            positions[which],
            now,
            mids[which] - half,
            mids[which] + half,
            balance=balance,
            intent=int(rng.integers(-2, 3)),
            strength=float(rng.random()),
        )
        out = report(positions[which])
        loss = 1.0 - account["equity"][0] / account["day_base"][0]
        drawdown = 1.0 - account["equity"][0] / account["peak_equity"][0]
        new_day = int(account["day"][0]) > day
        if action == Action.OPEN_POSITION:
            opened += 1
            assert before == State.ACTIVE or (before == State.REDUCING and new_day)
            assert loss < 0.01
            assert drawdown < 0.03
            assert out["exposure"] <= 3.0 * 1.01  # of all symbols; entering costs equity
        if account["state"][0] != State.ACTIVE:
            touched += 1
            assert positions[which]["quantity"][0] == 0.0
        else:
            assert loss < 0.01
            assert drawdown < 0.03
        if before == State.REDUCING and account["state"][0] == State.ACTIVE:
            assert new_day
        if before == State.HALTED:
            assert account["state"][0] == State.HALTED
            account["state"] = State.ACTIVE
            account["peak_equity"] = account["equity"]
    assert opened > 50
    assert touched > 50


@pytest.mark.parametrize("intent", list(Intent))
@pytest.mark.parametrize("side", [Intent.BUY, Intent.SELL])
def test_a_stop_fires_whatever_the_signal_says(side: Intent, intent: Intent) -> None:
    account, position = started({"VOLATILITY_BASED_SL": False})
    assert step(account, position, START + SECOND, 99.99, 100.01, intent=side) == 1
    stop = float(position["stop_loss"][0])
    bid, ask = (stop, stop + 0.02) if side == Intent.BUY else (stop - 0.02, stop)
    action = step(account, position, START + 2 * SECOND, bid, ask, intent=intent)
    assert action == Action.CLOSE_POSITION
    assert report(position)["reason"] == Reason.STOP_LOSS
    assert position["quantity"][0] == 0.0


@pytest.mark.parametrize(("side", "sign"), [(Intent.BUY, 1.0), (Intent.SELL, -1.0)])
def test_a_stop_is_judged_on_the_price_of_the_exit(side: Intent, sign: float) -> None:
    """A long is left at the bid: an ask above the stop does not save it, a mid does not either."""
    account, position = started({"VOLATILITY_BASED_SL": False})
    step(account, position, START + SECOND, 99.99, 100.01, intent=side)
    stop = float(position["stop_loss"][0])
    near, far = stop + sign * 1e-6, stop + sign * 0.5
    assert step(account, position, START + 2 * SECOND, min(near, far), max(near, far)) == 0
    near = stop - sign * 1e-6
    assert step(account, position, START + 3 * SECOND, min(near, far), max(near, far)) == 2


@pytest.mark.parametrize(("side", "bid", "ask"), [(1, 95.0, 95.02), (-1, 104.98, 105.0)])
def test_a_gap_through_the_stop_fills_at_the_gapped_price(
    side: int, bid: float, ask: float
) -> None:
    account, position = started({"VOLATILITY_BASED_SL": False, "MAX_DAILY_LOSS": 0.5})
    step(account, position, START + SECOND, 99.99, 100.01, intent=side)
    size = float(position["quantity"][0])
    entry = float(position["entry_price"][0])
    step(account, position, START + 2 * SECOND, bid, ask)
    leave = bid if side > 0 else ask
    assert report(position)["price"] == leave
    expected = 10_000.0 + size * (leave - entry) - abs(size) * (leave + entry) * 0.0005
    assert account["equity"][0] == pytest.approx(expected, rel=1e-12)
    assert account["realised_pnl"][0] == pytest.approx(expected - 10_000.0, rel=1e-12)


def test_both_sides_pay_fees_and_the_spread() -> None:
    account, position = started({"VOLATILITY_BASED_SL": False})
    step(account, position, START + SECOND, 99.99, 100.01, intent=Intent.BUY)
    size = float(position["quantity"][0])
    assert position["entry_price"][0] == 100.01
    before = float(account["equity"][0])
    step(account, position, START + 2 * SECOND, 99.99, 100.01, intent=Intent.CLOSE_LONG)
    assert account["fees"][0] == pytest.approx(size * 0.0005 * (100.01 + 99.99), rel=1e-12)
    assert account["equity"][0] == pytest.approx(10_000 - size * 0.02 - account["fees"][0])
    # what was unrealised became realised, to the last digit that floats keep
    assert account["equity"][0] == pytest.approx(before, rel=1e-14)


def test_a_target_closes_and_an_opposite_signal_closes_without_reversing() -> None:
    account, position = started({"VOLATILITY_BASED_SL": False})
    step(account, position, START + SECOND, 99.99, 100.01, intent=Intent.BUY)
    assert step(account, position, START + 2 * SECOND, 100.42, 100.44, intent=Intent.BUY) == 2
    assert report(position)["reason"] == Reason.TAKE_PROFIT
    step(account, position, START + 3 * SECOND, 100.42, 100.44, intent=Intent.BUY)
    assert step(account, position, START + 4 * SECOND, 100.42, 100.44, intent=Intent.SELL) == 2
    assert report(position)["reason"] == Reason.OPPOSITE_SIGNAL
    assert position["quantity"][0] == 0.0


def test_the_daily_limit_closes_holds_the_day_and_ends_at_midnight_utc() -> None:
    account, position = started({"VOLATILITY_BASED_SL": False, "MAX_DAILY_LOSS": 0.003})
    late = START + DAY - 10 * SECOND
    step(account, position, late, 99.99, 100.01, intent=Intent.BUY)
    assert step(account, position, late + SECOND, 99.70, 99.72) == Action.HALT
    assert report(position)["reason"] == Reason.MAX_DAILY_LOSS
    assert position["quantity"][0] == 0.0
    assert account["state"][0] == State.REDUCING
    for wait in (2, 9):
        assert step(account, position, late + wait * SECOND, 99.7, 99.72, intent=1) == 3
    assert step(account, position, START + DAY, 99.7, 99.72, intent=1) == Action.OPEN_POSITION
    assert account["state"][0] == State.ACTIVE
    # the day never goes back: a late quote does not end the new day or restart the old one
    day = int(account["day"][0])
    step(account, position, START, 99.7, 99.72)
    assert account["day"][0] == day
    assert report(position)["reason"] == Reason.OUT_OF_ORDER


def test_a_gap_over_midnight_counts_for_the_new_day() -> None:
    account, position = started({"VOLATILITY_BASED_SL": False, "MAX_DAILY_LOSS": 0.01})
    step(account, position, START + DAY - SECOND, 99.99, 100.01, intent=Intent.BUY)
    assert step(account, position, START + DAY + SECOND, 98.0, 98.02, intent=Intent.BUY) == 4
    assert account["state"][0] == State.REDUCING
    assert report(position)["daily_pnl"] < -150.0


def test_the_drawdown_limit_outlives_the_day() -> None:
    account, position = started({"MAX_DRAWDOWN": 0.003, "VOLATILITY_BASED_SL": False})
    step(account, position, START + SECOND, 99.99, 100.01, intent=Intent.BUY)
    assert step(account, position, START + 2 * SECOND, 99.7, 99.72) == Action.HALT
    assert account["state"][0] == State.HALTED
    assert step(account, position, START + 3 * DAY, 99.7, 99.72, intent=1) == Action.REJECT_SIGNAL


def test_a_limit_closes_the_other_symbols_too() -> None:
    account, first = started({"VOLATILITY_BASED_SL": False, "MAX_DAILY_LOSS": 0.01})
    second = allocate_position()
    step(account, first, START + SECOND, 99.99, 100.01, intent=Intent.BUY, strength=0.8)
    step(account, second, START + SECOND, 9.999, 10.001, intent=Intent.SELL)
    assert second["quantity"][0] < 0.0
    assert step(account, first, START + 2 * SECOND, 98.0, 98.02) == Action.HALT
    assert step(account, second, START + 3 * SECOND, 9.999, 10.001) == Action.HALT
    assert second["quantity"][0] == 0.0
    assert account["open_positions"][0] == 0
    assert account["unrealised"][0] == 0.0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"now": 0}, Refusal.BAD_TIMESTAMP),
        ({"now": -5}, Refusal.BAD_TIMESTAMP),
        ({"bid": math.nan}, Refusal.BAD_BID_PRICE),
        ({"bid": 0.0}, Refusal.BAD_BID_PRICE),
        ({"bid": math.inf}, Refusal.BAD_BID_PRICE),
        ({"ask": -1.0}, Refusal.BAD_ASK_PRICE),
        ({"ask": 1e39}, Refusal.BAD_ASK_PRICE),
        ({"bid_volume": -1.0}, Refusal.BAD_VOLUME),
        ({"balance": math.nan}, Refusal.BAD_BALANCE),
        ({"balance": math.inf}, Refusal.BAD_BALANCE),
        ({"intent": 3}, Refusal.BAD_INTENT),
        ({"strength": math.nan}, Refusal.BAD_STRENGTH),
        ({"strength": 1.1}, Refusal.BAD_STRENGTH),
        ({"p_up": -0.1}, Refusal.BAD_PROBABILITY),
        ({"p_down": 0.8}, Refusal.BAD_PROBABILITY),
        ({"p_up": math.nan, "p_down": 1.1}, Refusal.BAD_PROBABILITY),
        ({"funding_rate": math.inf}, Refusal.BAD_FUNDING_RATE),
    ],
)
@pytest.mark.parametrize("warm", [False, True])
def test_a_refused_input_changes_no_byte(
    changes: dict[str, float], code: Refusal, warm: bool
) -> None:
    account, position = allocate_account(RiskConfig()), allocate_position()
    if warm:
        account, position = started()
        step(account, position, START + SECOND, 99.99, 100.01, intent=Intent.BUY)
    before = account.tobytes() + position.tobytes()
    values = {
        "now": START + 2 * SECOND,
        "bid": 90.0,
        "ask": 90.1,
        "bid_volume": 1.0,
        "ask_volume": 1.0,
        "balance": 10_000.0,
        "intent": 1,
        "strength": 1.0,
        "p_up": 0.5,
        "p_down": 0.3,
        "funding_rate": math.nan,
    }
    assert risk_step(account, position, *(values | changes).values()) == code
    assert account.tobytes() + position.tobytes() == before


@pytest.mark.parametrize(
    ("bid", "ask", "volume", "reason"),
    [
        (101.0, 100.0, 1.0, Reason.CROSSED_BOOK),
        (math.nan, 100.0, 0.0, Reason.EMPTY_SIDE),
        (0.0, 100.0, 0.0, Reason.EMPTY_SIDE),
    ],
)
@pytest.mark.parametrize("intent", [Intent.BUY, Intent.CLOSE_LONG])
def test_nothing_fills_on_a_book_that_cannot_be_trusted(
    bid: float, ask: float, volume: float, reason: Reason, intent: Intent
) -> None:
    account, position = started({"VOLATILITY_BASED_SL": False})
    for held in (False, True):
        size = float(position["quantity"][0])
        action = step(
            account, position, START + 5 * SECOND, bid, ask, bid_volume=volume, intent=intent
        )
        assert action == Action.MONITOR
        assert report(position)["reason"] == reason
        assert position["quantity"][0] == size
        if not held:
            step(account, position, START + 5 * SECOND, 99.99, 100.01, intent=Intent.BUY)


def test_a_locked_book_allows_exits_only() -> None:
    account, position = started({"VOLATILITY_BASED_SL": False})
    assert step(account, position, START + SECOND, 100.0, 100.0, intent=Intent.BUY) == 3
    assert report(position)["reason"] == Reason.LOCKED_BOOK
    step(account, position, START + SECOND, 99.99, 100.01, intent=Intent.BUY)
    assert step(account, position, START + 2 * SECOND, 99.5, 99.5) == Action.CLOSE_POSITION


def test_an_unknown_volume_is_not_an_empty_side() -> None:
    account, position = started()
    book, request = (99.99, 100.01, math.nan, math.nan), (10_000.0, 1, 1.0)
    action = risk_step(account, position, START + SECOND, *book, *request, *(3 * (math.nan,)))
    assert action == Action.OPEN_POSITION


@pytest.mark.parametrize("field", ["balance", "day_base", "peak_equity", "unrealised_error"])
def test_nan_in_the_account_fails_closed(field: str) -> None:
    account, position = started()
    step(account, position, START, 99.99, 100.01, intent=1, balance=10_000.0)
    account[field] = math.nan
    action = step(account, position, START + SECOND, 99.99, 100.01, intent=1, balance=10_000.0)
    assert action == Action.HALT
    assert position["quantity"][0] == 0.0
    assert account["state"][0] != State.ACTIVE
    action = step(account, position, START + 2 * SECOND, 99.99, 100.01, intent=1, balance=10_000.0)
    assert action == Action.REJECT_SIGNAL


def test_an_entry_whose_cost_alone_touches_a_limit_is_not_made() -> None:
    account, position = started({"MAX_DAILY_LOSS": 0.0005})
    assert step(account, position, START + SECOND, 99.99, 100.01, intent=1) == 3
    assert report(position)["reason"] == Reason.COST_BREAKS_LIMIT
    assert account["equity"][0] == 10_000.0


def test_a_spread_wider_than_the_stop_is_not_entered() -> None:
    account, position = started({"VOLATILITY_BASED_SL": False, "MAX_SPREAD_PCT": 0.1})
    assert step(account, position, START + SECOND, 99.7, 100.3, intent=1) == 3
    assert report(position)["reason"] == Reason.STOP_INSIDE_SPREAD


def test_five_symbols_share_one_cap() -> None:
    """Without MAX_EXPOSURE, MAX_POSITION_SIZE caps all: the first may leave nothing for others."""
    for strength, actions in ((1.0, [1, 3, 3, 3, 3]), (0.4, [1, 1, 1, 1, 1])):
        account = allocate_account(RiskConfig(MAX_POSITION_SIZE=1.0, TRANSACTION_COST_PCT=0.0))
        notional = 0.0
        for action in actions:
            position = allocate_position()
            step(account, position, START, 99.99, 100.01, balance=10_000.0)
            done = step(
                account, position, START, 99.99, 100.01, intent=1, strength=strength, balance=10_000
            )
            assert done == action
            assert report(position)["reason"] in (Reason.MAX_POSITION_SIZE, Reason.MAX_EXPOSURE)
            notional += float(position["quantity"][0]) * 100.01
        assert 9_000 < notional <= 10_000 * (1 + 1e-12)


@pytest.mark.parametrize("equity", [0.0, -250.0])
def test_without_equity_positions_are_left_and_none_is_entered(equity: float) -> None:
    account, first = started({"MAX_POSITION_SIZE": 3.0, "RISK_PER_TRADE": 1.0})
    second = allocate_position()
    step(account, first, START + SECOND, 99.99, 100.01, intent=1, strength=0.5)
    step(account, second, START + SECOND, 99.99, 100.01, intent=1, strength=0.5)
    assert first["quantity"][0] != 0.0 != second["quantity"][0]
    after = START + 2 * SECOND
    assert step(account, first, after, 99.99, 100.01, balance=equity) == Action.HALT
    assert step(account, second, after, 99.99, 100.01, balance=equity, intent=1) == Action.HALT
    assert account["open_positions"][0] == 0
    assert step(account, first, after, 99.99, 100.01, balance=equity, intent=1) == 3


def test_three_late_quotes_that_rise_set_the_time_anew_and_the_stop_fires() -> None:
    account, position = started({"VOLATILITY_BASED_SL": False, "MAX_DAILY_LOSS": 0.5})
    step(account, position, START + SECOND, 99.99, 100.01, intent=1)
    step(account, position, START + 2 * DAY, 99.99, 100.01)  # one odd time stamp
    day = int(account["day"][0])
    for second, late in ((2, 1), (3, 2)):
        assert step(account, position, START + second * SECOND, 95.0, 95.02) == Action.MONITOR
        assert report(position)["reason"] == Reason.OUT_OF_ORDER
        assert report(position)["late_quotes"] == late
    assert step(account, position, START + 4 * SECOND, 95.0, 95.02) == Action.CLOSE_POSITION
    assert report(position)["reason"] == Reason.STOP_LOSS
    assert report(position)["late_quotes"] == 0
    # the account's clock and its day only move forward
    assert account["timestamp"][0] == START + 2 * DAY
    assert account["day"][0] == day == (START + 2 * DAY) // DAY


@numba.njit
def _replay(account: Any, positions: Any, quotes: Any, actions: Any) -> None:
    for index in range(quotes.shape[0]):
        which = index % positions.shape[0]
        now = np.int64(1_700_006_400_000_000_000 + index * 1_000_000_000)
        equity = account[0].equity if index > 0 else 10_000.0
        actions[index] = risk_step(
            account,
            positions[which : which + 1],
            now,
            quotes[index, 0],
            quotes[index, 1],
            1.0,
            1.0,
            equity,
            np.int64(quotes[index, 2]),
            1.0,
            np.nan,
            np.nan,
            np.nan,
        )


def test_one_jitted_loop_over_two_symbols_gives_what_single_calls_give() -> None:
    rng = np.random.default_rng(5)
    mids = np.exp(np.cumsum(rng.standard_normal((200, 2)) * 1e-3, axis=0)).ravel() * 100.0
    quotes = np.stack([mids - 0.01, mids + 0.01, rng.integers(-2, 3, 400)], axis=1)
    account = allocate_account(RiskConfig())
    looped = np.zeros(2, dtype=allocate_position().dtype)
    actions = np.zeros(400, dtype=np.int64)
    _replay(account, looped, quotes, actions)
    other, singles = allocate_account(RiskConfig()), [allocate_position(), allocate_position()]
    for index, (bid, ask, intent) in enumerate(quotes):
        now = START + index * SECOND
        balance = 10_000.0 if index == 0 else other["equity"][0]
        action = step(other, singles[index % 2], now, bid, ask, intent=int(intent), balance=balance)
        assert action == actions[index]
    assert account.tobytes() == other.tobytes()
    assert looped.tobytes() == singles[0].tobytes() + singles[1].tobytes()
    assert len(set(actions.tolist())) >= 3


SCENARIO = """
import json
from alphaseeker.config import RiskConfig
from alphaseeker.risk.state import allocate_account, allocate_position
from alphaseeker.risk.step import risk_step
account = allocate_account(RiskConfig(VOLATILITY_HALF_LIFE_S=2.0))
position = allocate_position()
rows = []
for index in range(60):
    bid = 100.0 + 0.4 * ((index * 7919) % 13 - 6) / 6.0
    equity = 10_000.0 if index == 0 else float(account["equity"][0])
    now = 1_700_006_400_000_000_000 + index * 1_500_000_000
    intent = index % 5 - 2
    unknown = 3 * (float("nan"),)
    risk_step(account, position, now, bid, bid + 0.01, 1.0, 1.0, equity, intent, 0.5, *unknown)
    rows.append([float(value) for value in position["report"].item()])
print(json.dumps(rows))
"""


def test_the_machine_runs_the_same_without_the_compiler() -> None:
    results = []
    for disabled in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", SCENARIO],
            env=os.environ | {"NUMBA_DISABLE_JIT": disabled},
            capture_output=True,
            text=True,
            check=True,
        )
        results.append(np.array(json.loads(done.stdout)))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)
    assert len(set(results[0][:, 0])) >= 3
