"""Clock, cash flows and limits of the account."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import pytest

from alphaseeker.config import RiskConfig
from alphaseeker.risk.account import (
    balance_step,
    clock_step,
    flow_step,
    lift_halt_step,
    limit_shares,
    limit_step,
    start_step,
)
from alphaseeker.risk.state import RETURN_MINUTES, State, allocate_account

MINUTE = 60 * 10**9
DAY = 1440 * MINUTE
START = 19_676 * DAY  # midnight UTC


def account_of(equity: float = 10_000.0) -> Any:
    account = allocate_account(RiskConfig())
    clock_step(account, START)
    start_step(account, equity)
    return account


def set_equity(account: Any, equity: float) -> None:
    account["balance"] = equity
    account["equity"] = equity


def test_a_minute_has_one_return_and_empty_minutes_have_none() -> None:
    account = account_of()
    set_equity(account, 10_100.0)
    clock_step(account, START + MINUTE + 5)
    set_equity(account, 10_201.0)
    clock_step(account, START + 2 * MINUTE - 1)
    assert account["samples"][0] == 1
    clock_step(account, START + 5 * MINUTE)
    assert account["samples"][0] == 5
    expected = [0.01, 0.01, 0.0, 0.0, 0.0, 0.0]
    np.testing.assert_allclose(account["returns"][0][:6], expected, atol=1e-15)


def test_the_ring_of_returns_wraps_and_a_long_silence_costs_one_turn() -> None:
    account = account_of()
    clock_step(account, START + 10_000_000 * MINUTE)
    assert account["samples"][0] == RETURN_MINUTES + 1
    assert account["minute"][0] == (START // MINUTE) + 10_000_000


def test_time_and_day_never_go_back() -> None:
    account = account_of()
    clock_step(account, START + DAY)
    before = account.tobytes()
    clock_step(account, START)
    clock_step(account, START + DAY)
    assert account.tobytes() == before


@pytest.mark.parametrize("amount", [5_000.0, -5_000.0, 1e-6])
def test_a_cash_flow_is_neither_profit_nor_loss(amount: float) -> None:
    account = account_of()
    set_equity(account, 9_900.0)
    loss, drawdown = limit_shares(account)
    flow_step(account, amount)
    assert account["equity"][0] == pytest.approx(9_900.0 + amount, rel=1e-14)
    assert account["equity"][0] - account["day_start_equity"][0] == pytest.approx(-100.0)
    assert limit_shares(account) == pytest.approx((loss, drawdown), rel=1e-12)
    clock_step(account, START + MINUTE)
    assert account["returns"][0][0] == pytest.approx(-0.01, rel=1e-12)


def test_a_flow_from_or_to_nothing_keeps_the_loss_in_money() -> None:
    account = account_of()
    set_equity(account, -50.0)
    flow_step(account, 1_000.0)
    assert account["equity"][0] == 950.0
    assert account["peak_equity"][0] == 11_000.0


def test_only_news_is_a_cash_flow() -> None:
    account = account_of()
    set_equity(account, 9_900.0)
    assert balance_step(account, 10_000.0, 9_950.0) == 0.0  # the venue's last figure
    assert balance_step(account, 9_950.0, 9_950.0) == 0.0  # our own last figure
    assert balance_step(account, 9_950.0, 9_930.0) == 0.0  # and the same again, marks moved on
    assert balance_step(account, 9_901.0, 9_950.0) == pytest.approx(1.0)
    assert balance_step(account, 9_901.0, 9_901.0) == 0.0
    assert account["cash_flows"][0] == 1
    assert account["cash_flow"][0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("equity", "state"),
    [
        (9_800.01, State.ACTIVE),
        (9_800.0 - 1e-9, State.REDUCING),
        (9_000.01, State.REDUCING),
        (9_000.0 - 1e-9, State.HALTED),
        (-1.0, State.HALTED),
        (math.nan, State.HALTED),
    ],
)
def test_limits(equity: float, state: State) -> None:
    account = account_of()
    set_equity(account, equity)
    assert limit_step(account) is (state != State.ACTIVE)
    assert account["state"][0] == state
    assert limit_step(account) is False  # once


def test_a_limit_of_zero_allows_nothing() -> None:
    account = allocate_account(RiskConfig(MAX_DAILY_LOSS=0.0))
    clock_step(account, START)
    start_step(account, 10_000.0)
    assert limit_step(account)
    assert account["state"][0] == State.REDUCING


def test_lifting_a_halt_keeps_the_days_loss() -> None:
    account = account_of()
    set_equity(account, 8_900.0)
    limit_step(account)
    lift_halt_step(account)
    assert account["state"][0] == State.REDUCING
    clock_step(account, START + DAY)
    assert account["state"][0] == State.ACTIVE
    assert not limit_step(account)


def test_from_another_jitted_function() -> None:
    @numba.njit
    def lose(account: Any) -> bool:
        clock_step(account, np.int64(1_700_100_000_000_000_000))
        flow_step(account, 100.0)
        balance_step(account, 20_000.0, 1.0)
        account[0].equity = 1.0
        touched = limit_step(account)
        lift_halt_step(account)
        return touched and limit_shares(account)[1] == 0.0

    account = account_of()
    assert lose(account)
    assert account["cash_flows"][0] == 2
