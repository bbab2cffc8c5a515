"""What denies an entry, and what ends a position beside stop and target."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest

from alphaseeker.config import RiskConfig
from alphaseeker.risk.fills import fill_step
from alphaseeker.risk.state import Action, Intent, Reason, allocate_account, allocate_position
from alphaseeker.risk.step import act_step, decide_step, refuse_step, risk_step

SECOND = 10**9
START = 1_700_006_400 * SECOND  # midnight UTC
BUY, SELL, HOLD = Intent.BUY, Intent.SELL, Intent.HOLD


class Desk:
    """One account, and one record a symbol."""

    def __init__(self, **config: Any) -> None:
        fixed = {"VOLATILITY_BASED_SL": False} | config
        self.account = allocate_account(RiskConfig(**fixed))
        self.positions: dict[str, Any] = {}

    def step(
        self,
        second: float,
        bid: float = 99.99,
        ask: float | None = None,
        intent: Intent = HOLD,
        symbol: str = "A",
    ) -> tuple[Action, Reason]:
        position = self.positions.setdefault(symbol, allocate_position())
        ask = bid + 0.02 if ask is None else ask
        balance = float(self.account["equity"][0]) or 10_000.0
        now = START + round(second * SECOND)
        unknown = 3 * (math.nan,)
        request = (balance, int(intent), 1.0, *unknown)
        action = risk_step(self.account, position, now, bid, ask, 1.0, 1.0, *request)
        return Action(action), Reason(position["report"]["reason"][0])


@pytest.mark.parametrize(("side", "sign"), [(BUY, 1.0), (SELL, -1.0)])
def test_a_trailing_stop_follows_the_best_exit_price_and_never_loosens(
    side: Intent, sign: float
) -> None:
    desk = Desk(TRAILING_STOP_PCT=0.002, TAKE_PROFIT_PCT=0.5)
    desk.step(0, intent=side)
    position = desk.positions["A"]
    stops = []
    for second, move in enumerate([0.1, 0.5, 0.4, 0.35, 0.6], start=1):
        assert desk.step(second, bid=99.99 + sign * move)[0] == Action.MONITOR
        stops.append(float(position["stop_loss"][0]))
    assert all(sign * (b - a) >= 0.0 for a, b in pairwise(stops))
    best = 99.99 + 0.6 if sign > 0 else 99.99 - 0.6 + 0.02
    assert stops[-1] == pytest.approx(best * (1.0 - sign * 0.002), rel=1e-12)
    assert position["report"]["stop_loss"][0] == stops[-1]
    found = desk.step(9, bid=99.99 + sign * 0.35)
    assert found == (Action.CLOSE_POSITION, Reason.TRAILING_STOP)


def test_a_gap_through_a_trailing_stop_fills_at_the_gapped_price() -> None:
    desk = Desk(TRAILING_STOP_PCT=0.001, MAX_DAILY_LOSS=0.9)
    desk.step(0, intent=BUY)
    assert desk.step(1, bid=97.0) == (Action.CLOSE_POSITION, Reason.TRAILING_STOP)
    assert desk.positions["A"]["report"]["price"][0] == 97.0


def test_the_first_stop_is_named_where_the_trailing_one_is_further() -> None:
    desk = Desk(TRAILING_STOP_PCT=0.02)
    desk.step(0, intent=BUY)
    assert desk.step(1, bid=99.0) == (Action.CLOSE_POSITION, Reason.STOP_LOSS)


def test_a_fill_that_adds_does_not_loosen_a_trailing_stop() -> None:
    desk = Desk(TRAILING_STOP_PCT=0.002, TAKE_PROFIT_PCT=0.5)
    desk.step(0)
    position = desk.positions["A"]
    fill_step(desk.account, position, 1.0, 100.0, 0.0)
    desk.step(1, bid=101.0)
    before = float(position["stop_loss"][0])
    fill_step(desk.account, position, 1.0, 100.2, 0.0)
    assert position["stop_loss"][0] == before == pytest.approx(101.0 * 0.998)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_position_ends_at_its_time_limit_whatever_the_signal(side: Intent) -> None:
    desk = Desk(MAX_HOLDING_S=60)
    desk.step(0, intent=side)
    assert desk.step(59.999, intent=side)[0] == Action.MONITOR
    assert desk.step(60, intent=side) == (Action.CLOSE_POSITION, Reason.TIME_LIMIT)


def lose(desk: Desk, second: float, symbol: str = "A", *, gain: bool = False) -> Reason:
    """Enter and leave at once, at a loss of spread and fees, or with a gain."""
    reason = desk.step(second, intent=BUY, symbol=symbol)[1]
    bid = 100.3 if gain else 99.99
    desk.step(second + 0.5, bid=bid, intent=Intent.CLOSE_LONG, symbol=symbol)
    return reason


def test_losses_in_a_row_begin_a_cooldown_of_the_whole_account() -> None:
    desk = Desk(MAX_CONSECUTIVE_LOSSES=3, COOLDOWN_S=100, MAX_POSITION_SIZE=0.1)
    for second in (0, 1, 2):
        assert lose(desk, second) == Reason.MAX_POSITION_SIZE
    assert desk.step(3, intent=BUY) == (Action.REJECT_SIGNAL, Reason.COOLDOWN)
    assert desk.step(3, intent=SELL, symbol="B")[1] == Reason.COOLDOWN
    assert desk.step(102.499, intent=BUY)[1] == Reason.COOLDOWN
    assert desk.step(102.5, intent=BUY)[0] == Action.OPEN_POSITION
    assert desk.account["consecutive_losses"][0] == 0


def test_a_gain_between_begins_the_count_anew() -> None:
    desk = Desk(MAX_CONSECUTIVE_LOSSES=3, MAX_POSITION_SIZE=0.1)
    for second, gain in enumerate([False, False, True, False, False]):
        lose(desk, second, gain=gain)
    assert desk.step(5, intent=BUY)[0] == Action.OPEN_POSITION
    assert desk.account["consecutive_losses"][0] == 2


def test_exits_work_in_a_cooldown() -> None:
    desk = Desk(MAX_CONSECUTIVE_LOSSES=1, MAX_POSITION_SIZE=0.3, MAX_EXPOSURE=1.0)
    desk.step(0, intent=BUY, symbol="B")
    lose(desk, 1)
    assert desk.step(2, intent=BUY)[1] == Reason.COOLDOWN
    assert desk.step(3, bid=99.0, symbol="B") == (Action.CLOSE_POSITION, Reason.STOP_LOSS)


def test_entries_are_counted_by_the_minute_and_exits_never_denied() -> None:
    desk = Desk(MAX_ORDERS_PER_MINUTE=2, MAX_POSITION_SIZE=0.1, MAX_CONSECUTIVE_LOSSES=None)
    assert lose(desk, 1) == lose(desk, 2) == Reason.MAX_POSITION_SIZE
    assert desk.step(3, intent=BUY)[1] == Reason.MAX_ORDERS_PER_MINUTE
    assert desk.step(3, intent=SELL, symbol="B")[1] == Reason.MAX_ORDERS_PER_MINUTE
    assert desk.step(60, intent=BUY)[0] == Action.OPEN_POSITION
    desk.step(60, intent=BUY, symbol="B")
    assert desk.step(61, bid=99.0)[0] == Action.CLOSE_POSITION


def test_an_entry_that_a_rule_refused_is_no_order() -> None:
    desk = Desk(MAX_ORDERS_PER_MINUTE=1)
    desk.step(0)
    position = desk.positions["A"]
    inputs = (START + SECOND, 99.99, 100.01, 1.0, 1.0, 10_000.0, 1, 1.0, *(3 * (math.nan,)))
    assert decide_step(desk.account, position, *inputs) == Action.OPEN_POSITION
    refuse_step(position)
    act_step(desk.account, position)
    assert desk.step(2, intent=BUY)[0] == Action.OPEN_POSITION


def test_a_quote_behind_the_accounts_time_is_not_entered_on_but_left_on() -> None:
    desk = Desk(MAX_QUOTE_AGE_S=10, MAX_POSITION_SIZE=0.3, MAX_EXPOSURE=1.0)
    desk.step(0, intent=BUY, symbol="B")
    desk.step(20)
    assert desk.step(9.999, intent=SELL, symbol="C") == (Action.REJECT_SIGNAL, Reason.STALE_QUOTE)
    assert desk.step(10, intent=SELL, symbol="C")[0] == Action.OPEN_POSITION
    assert desk.step(1, bid=99.0, symbol="B")[0] == Action.CLOSE_POSITION


def test_a_wide_spread_is_not_entered_on_but_left_on() -> None:
    desk = Desk(MAX_SPREAD_PCT=0.001, STOP_LOSS_PCT=0.01)
    assert desk.step(0, ask=100.1, intent=BUY) == (Action.REJECT_SIGNAL, Reason.MAX_SPREAD)
    assert desk.step(1, ask=100.08, intent=BUY)[0] == Action.OPEN_POSITION
    assert desk.step(2, bid=98.0, ask=101.0)[0] == Action.CLOSE_POSITION


def test_drift_denies_entries_where_it_shall() -> None:
    for block in (False, True):
        desk = Desk(BLOCK_ON_DRIFT=block)
        desk.step(0)
        desk.account["drift"] = 1
        expected = Action.REJECT_SIGNAL if block else Action.OPEN_POSITION
        assert desk.step(1, intent=BUY)[0] == expected
        desk.account["drift"] = 0
        desk.step(2, intent=BUY)
        desk.account["drift"] = 1
        assert desk.step(3, bid=99.0)[0] == Action.CLOSE_POSITION


@pytest.mark.parametrize("name", ["max_spread", "max_exposure", "max_position_size"])
def test_a_rule_that_is_nan_allows_no_entry(name: str) -> None:
    desk = Desk()
    desk.step(0)
    desk.account["rules"][name] = math.nan
    assert desk.step(1, intent=BUY)[0] == Action.REJECT_SIGNAL


def test_a_trade_whose_result_is_nan_is_a_loss() -> None:
    desk = Desk(MAX_CONSECUTIVE_LOSSES=1)
    desk.step(0, intent=BUY)
    desk.positions["A"]["trade_pnl"] = math.nan
    desk.step(1, intent=Intent.CLOSE_LONG)
    assert desk.step(2, intent=BUY)[0] == Action.REJECT_SIGNAL
