"""Stop distance and size."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import pytest

from alphaseeker.config import RiskConfig
from alphaseeker.risk.kelly import kelly_fraction
from alphaseeker.risk.sizing import size_step, stop_distance_step, target_distance_step
from alphaseeker.risk.state import Reason, allocate_account, allocate_position


def account_of(equity: float = 10_000.0, **config: Any) -> Any:
    account = allocate_account(RiskConfig(**config))
    account["equity"] = equity
    return account


def position_of(bid: float = 99.99, ask: float = 100.01, **config: Any) -> Any:
    position = allocate_position(RiskConfig(**config), "A")
    position["bid_price"], position["ask_price"] = bid, ask
    return position


def size(account: Any, *, position: Any = None, side: int = 1, **other: float) -> tuple[float, int]:
    """Return size and reason of an entry at 100 with a stop of 0.4 %."""
    values = {"strength": 1.0, "sigma": math.nan, "p_gain": math.nan, "p_loss": math.nan} | other
    at = position_of() if position is None else position
    return size_step(account, at, 100.0, side, 0.004, *values.values())


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
    distance = stop_distance_step(account_of(), position_of(), sigma)
    assert distance == pytest.approx(expected, rel=1e-12)


def test_the_cap_holds_before_the_volatility_is_known() -> None:
    rules = {"STOP_LOSS_PCT": 0.05, "MAX_STOP_LOSS_PCT": 0.01}
    assert stop_distance_step(account_of(**rules), position_of(), math.nan) == 0.01
    fixed = account_of(VOLATILITY_BASED_SL=False, **rules)
    assert stop_distance_step(fixed, position_of(), math.nan) == 0.05
    custom = account_of(custom_stop_loss=0.05, MAX_STOP_LOSS_PCT=0.01)
    assert stop_distance_step(custom, position_of(), math.nan) == 0.05


@pytest.mark.parametrize(
    ("notional", "expected"),
    [(0.0, 100.0), (4_000.0, 60.0), (10_000.0, 0.0), (10_000.0 - 1e-7, 0.0), (15_000.0, 0.0)],
)
def test_what_other_positions_hold_is_taken_off_the_exposure(
    notional: float, expected: float
) -> None:
    account = account_of()
    account["notional"] = notional
    found, reason = size(account)
    assert found == pytest.approx(expected, rel=1e-12)
    assert reason == (Reason.MAX_EXPOSURE if notional else Reason.MAX_POSITION_SIZE)


def test_the_cap_of_one_symbol_is_not_that_of_all() -> None:
    account = account_of(MAX_POSITION_SIZE=0.5, MAX_EXPOSURE=0.8)
    assert size(account) == (50.0, Reason.MAX_POSITION_SIZE)
    account["notional"] = 6_000.0
    assert size(account) == (pytest.approx(20.0), Reason.MAX_EXPOSURE)


def test_a_notional_in_money_bounds_a_position() -> None:
    assert size(account_of(MAX_NOTIONAL=250.0)) == (2.5, Reason.MAX_NOTIONAL)


def test_a_volatility_target_bounds_and_needs_a_volatility() -> None:
    account = account_of(VOLATILITY_TARGET=0.4)
    sigma = 0.8 / math.sqrt(365 * 86_400)
    assert size(account, sigma=sigma) == (pytest.approx(50.0), Reason.VOLATILITY_TARGET)
    assert size(account, sigma=sigma / 4) == (100.0, Reason.MAX_POSITION_SIZE)
    assert size(account, sigma=0.0) == (100.0, Reason.MAX_POSITION_SIZE)
    # neither a later limit nor Kelly takes the place of what is not known
    assert size(account, p_gain=0.9, p_loss=0.05) == (0.0, Reason.VOLATILITY_TARGET)


def test_kelly_bounds_where_the_probabilities_are_known() -> None:
    account = account_of(KELLY_FRACTION=0.01)
    full = kelly_fraction(0.7, 0.2, 0.004, 0.004, 0.001 + 0.0002)
    assert size(account, p_gain=0.7, p_loss=0.2) == (pytest.approx(full), Reason.KELLY)
    assert size(account, p_gain=0.5, p_loss=0.3) == (0.0, Reason.KELLY)
    assert size(account, p_gain=0.7, p_loss=math.nan) == (100.0, Reason.MAX_POSITION_SIZE)
    off = account_of(KELLY_FRACTION=None)
    assert size(off, p_gain=0.5, p_loss=0.3) == (100.0, Reason.MAX_POSITION_SIZE)


def test_a_symbol_of_its_own_has_its_own_fee_lot_and_minimum() -> None:
    rules = {"A": {"LOT_SIZE": 30.0, "TRANSACTION_COST_PCT": 0.0}, "*": {"MIN_NOTIONAL": 1e6}}
    account = account_of(SYMBOL_RULES=rules, MAX_POSITION_SIZE=100.0)
    free = position_of(SYMBOL_RULES=rules)
    assert size(account, position=free)[0] == 240.0  # 250 without fees, by the lot
    other = allocate_position(RiskConfig(SYMBOL_RULES=rules), "B")
    assert size(account, position=other) == (0.0, Reason.MIN_NOTIONAL)


@pytest.mark.parametrize(
    "field", ["equity", "notional", "notional_error", "risk_per_trade", "max_notional"]
)
def test_a_nan_anywhere_leaves_no_size(field: str) -> None:
    account = account_of(VOLATILITY_TARGET=0.4)
    (account if field in account.dtype.names else account["rules"])[field] = math.nan
    assert size(account, sigma=1e-4, p_gain=0.9, p_loss=0.05)[0] == 0.0


def test_a_notional_that_is_none_leaves_no_size() -> None:
    account = account_of()
    account["notional"] = math.nan
    assert size(account)[0] == 0.0


def test_the_target_keeps_its_ratio_to_a_volatility_stop_and_is_fixed_otherwise() -> None:
    account = account_of(TAKE_PROFIT_PCT=0.006)
    assert target_distance_step(account, 0.008) == pytest.approx(0.012)
    fixed = account_of(TAKE_PROFIT_PCT=0.006, custom_stop_loss=0.003)
    assert target_distance_step(fixed, 0.003) == 0.006


def test_a_stopped_trade_loses_the_budget_with_both_fees() -> None:
    account = account_of(MAX_POSITION_SIZE=100.0)
    for side in (1, -1):
        found, reason = size(account, side=side)
        stop = 100.0 * (1.0 - side * 0.004)
        loss = found * (0.4 + 0.0005 * (100.0 + stop))
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
    found, bound = size(account_of(**config), strength=strength)
    assert found == pytest.approx(expected, rel=1e-12)
    assert bound == reason


@pytest.mark.parametrize("equity", [math.nan, math.inf, 0.0, -5.0])
def test_an_equity_that_is_none_gives_no_size(equity: float) -> None:
    assert size(account_of(equity))[0] == 0.0


def test_from_another_jitted_function() -> None:
    @numba.njit
    def enter(account: Any, position: Any) -> float:
        distance = stop_distance_step(account, position, 1e-4)
        size = size_step(account, position, 100.0, 1, distance, 1.0, 1e-4, np.nan, np.nan)[0]
        return size + target_distance_step(account, distance)

    assert enter(account_of(), position_of()) == pytest.approx(100.0, rel=1e-3)
