"""Stop distance and size."""

from __future__ import annotations

import math
from typing import Any

import numba
import pytest

from alphaseeker.config import RiskConfig
from alphaseeker.risk.sizing import size_step, stop_distance_step, target_distance_step
from alphaseeker.risk.state import Reason, allocate_account


def account_of(equity: float = 10_000.0, **config: Any) -> Any:
    account = allocate_account(RiskConfig(**config))
    account["equity"] = equity
    return account


@pytest.mark.parametrize(
    ("sigma", "expected"),
    [
        (math.nan, 0.004),  # not known yet: fixed
        (0.0, 2 * (0.001 + 0.0002)),  # floor: two round trips
        (3e-4, 2 * 3e-4 * math.sqrt(60)),
        (1.0, 0.02),  # cap
        (math.inf, 0.02),
    ],
)
def test_stop_distance(sigma: float, expected: float) -> None:
    distance = stop_distance_step(account_of(), sigma, 99.99, 100.01)
    assert distance == pytest.approx(expected, rel=1e-12)


def test_the_cap_holds_before_the_volatility_is_known() -> None:
    rules = {"STOP_LOSS_PCT": 0.05, "MAX_STOP_LOSS_PCT": 0.01}
    assert stop_distance_step(account_of(**rules), math.nan, 99.99, 100.01) == 0.01
    fixed = account_of(VOLATILITY_BASED_SL=False, **rules)
    assert stop_distance_step(fixed, math.nan, 99.99, 100.01) == 0.05
    custom = account_of(custom_stop_loss=0.05, MAX_STOP_LOSS_PCT=0.01)
    assert stop_distance_step(custom, math.nan, 99.99, 100.01) == 0.05


@pytest.mark.parametrize(
    ("notional", "size"),
    [(0.0, 100.0), (4_000.0, 60.0), (10_000.0, 0.0), (10_000.0 - 1e-7, 0.0), (15_000.0, 0.0)],
)
def test_what_other_positions_hold_is_taken_off_the_cap(notional: float, size: float) -> None:
    account = account_of()
    account["notional"] = notional
    found, reason = size_step(account, 100.0, 1, 0.004, 1.0)
    assert found == pytest.approx(size, rel=1e-12)
    assert reason == Reason.MAX_POSITION_SIZE


def test_a_notional_that_is_none_leaves_no_size() -> None:
    account = account_of()
    account["notional"] = math.nan
    assert size_step(account, 100.0, 1, 0.004, 1.0)[0] == 0.0


def test_the_target_keeps_its_ratio_to_a_volatility_stop_and_is_fixed_otherwise() -> None:
    account = account_of(TAKE_PROFIT_PCT=0.006)
    assert target_distance_step(account, 0.008) == pytest.approx(0.012)
    fixed = account_of(TAKE_PROFIT_PCT=0.006, custom_stop_loss=0.003)
    assert target_distance_step(fixed, 0.003) == 0.006


def test_a_stopped_trade_loses_the_budget_with_both_fees() -> None:
    account = account_of(MAX_POSITION_SIZE=100.0)
    for side in (1, -1):
        size, reason = size_step(account, 100.0, side, 0.004, 1.0)
        stop = 100.0 * (1.0 - side * 0.004)
        loss = size * (0.4 + 0.0005 * (100.0 + stop))
        assert loss == pytest.approx(100.0, rel=1e-12)
        assert reason == Reason.RISK_PER_TRADE


@pytest.mark.parametrize(
    ("config", "strength", "expected", "reason"),
    [
        ({}, 1.0, 100.0, Reason.MAX_POSITION_SIZE),
        ({}, 0.25, 25.0, Reason.MAX_POSITION_SIZE),
        ({"dynamic_position_sizing": False}, 0.25, 100.0, Reason.MAX_POSITION_SIZE),
        ({}, 0.0, 0.0, Reason.NO_SIGNAL_STRENGTH),
        ({"LOT_SIZE": 30.0}, 1.0, 90.0, Reason.MAX_POSITION_SIZE),
        ({"LOT_SIZE": 0.1}, 0.003, 0.3, Reason.MAX_POSITION_SIZE),
        ({"LOT_SIZE": 1e-300}, 1.0, 100.0, Reason.MAX_POSITION_SIZE),
        ({"LOT_SIZE": 101.0}, 1.0, 0.0, Reason.LOT_SIZE),
        ({"MIN_NOTIONAL": 10_001.0}, 1.0, 0.0, Reason.MIN_NOTIONAL),
        ({"MAX_POSITION_SIZE": 0.0}, 1.0, 0.0, Reason.MAX_POSITION_SIZE),
        ({"RISK_PER_TRADE": 0.0}, 1.0, 0.0, Reason.RISK_PER_TRADE),
    ],
)
def test_size(config: dict[str, Any], strength: float, expected: float, reason: Reason) -> None:
    size, bound = size_step(account_of(**config), 100.0, 1, 0.004, strength)
    assert size == pytest.approx(expected, rel=1e-12)
    assert bound == reason


@pytest.mark.parametrize("equity", [math.nan, math.inf, 0.0, -5.0])
def test_an_equity_that_is_none_gives_no_size(equity: float) -> None:
    assert size_step(account_of(equity), 100.0, 1, 0.004, 1.0)[0] == 0.0


def test_from_another_jitted_function() -> None:
    @numba.njit
    def enter(account: Any) -> float:
        distance = stop_distance_step(account, 1e-4, 99.99, 100.01)
        return size_step(account, 100.0, 1, distance, 1.0)[0] + target_distance_step(
            account, distance
        )

    assert enter(account_of()) == pytest.approx(100.0, rel=1e-3)
