"""Every key of RISK_CONFIG does something that a user of ``manage`` sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from alphaseeker.config import RISK_CONFIG
from alphaseeker.risk.manager import RiskManager

START = 1_700_006_400
BUY = {"signal": 1, "signal_strength": 0.5}
HOLD = {"signal": 0}


def quote(bid: float, after: float) -> dict[str, Any]:
    return {"bid_price": bid, "ask_price": bid + 0.02, "timestamp": START + after}


def entry(config: dict[str, Any]) -> Any:
    """Size, stop and target of a first entry, and what it cost."""
    result = RiskManager(config).manage(quote(99.99, 0), BUY, 10_000)
    return result["action"], result["reason"], result["position"], result["risk_status"]["equity"]


def entry_after_moves(config: dict[str, Any]) -> Any:
    """Stop of an entry once volatility is known: 0.4 bp moves each second, then 6 bp ones."""
    manager = RiskManager(config)
    for index in range(200):
        move = 0.004 if index < 100 else 0.06
        manager.manage(quote(99.99 + move * (index % 2), index), HOLD, 10_000)
    return manager.manage(quote(99.99, 200), BUY, 10_000)["position"]


def loss(config: dict[str, Any]) -> Any:
    """What happens to a long of full size as the market falls by 0.2 %."""
    manager = RiskManager({"STOP_LOSS_PCT": 0.1, "RISK_PER_TRADE": 1.0} | config)
    manager.manage(quote(99.99, 0), BUY, 10_000)
    result = manager.manage(quote(99.79, 1), HOLD, 10_000)
    return result["action"], result["risk_status"]["state"]


def maker_fill(config: dict[str, Any]) -> Any:
    manager = RiskManager(config)
    manager.on_fill({"id": 1, "side": "BUY", "size": 1.0, "price": 100.0, "liquidity": "maker"})
    return manager.metrics()["fees"]


CASES: dict[str, tuple[Callable[[dict[str, Any]], Any], Any]] = {
    "TAKE_PROFIT_PCT": (entry, 0.01),
    "STOP_LOSS_PCT": (entry, 0.01),
    "custom_stop_loss": (entry, 0.003),
    "TRANSACTION_COST_PCT": (entry, 0.001),
    "MAKER_COST_PCT": (maker_fill, -0.0001),
    "MAX_POSITION_SIZE": (entry, 0.5),
    "RISK_PER_TRADE": (entry, 0.001),
    "dynamic_position_sizing": (entry, False),
    "LOT_SIZE": (entry, 7.0),
    "MIN_NOTIONAL": (entry, 6_000.0),
    "MAX_DAILY_LOSS": (loss, 0.001),
    "MAX_DRAWDOWN": (loss, 0.001),
    "VOLATILITY_BASED_SL": (entry_after_moves, False),
    "VOLATILITY_MULTIPLIER": (entry_after_moves, 3.0),
    "VOLATILITY_HALF_LIFE_S": (entry_after_moves, 30.0),
    "MAX_STOP_LOSS_PCT": (entry_after_moves, 0.003),
}


def test_every_key_has_a_case() -> None:
    assert set(CASES) == set(RISK_CONFIG)


@pytest.mark.parametrize("key", CASES)
def test_a_key_changes_what_a_user_sees(key: str) -> None:
    run, value = CASES[key]
    assert value != RISK_CONFIG[key]
    assert run({key: value}) != run({})
    assert run({key: RISK_CONFIG[key]}) == run({})


def test_a_custom_stop_switches_the_volatility_stop_off() -> None:
    custom = entry_after_moves({"custom_stop_loss": 0.003})
    assert custom["stop_loss"] == pytest.approx(100.01 * 0.997, rel=1e-15)
    assert custom["take_profit"] == pytest.approx(100.01 * 1.004, rel=1e-15)
    assert (
        entry_after_moves({})["stop_loss"]
        != entry_after_moves({"VOLATILITY_BASED_SL": False})["stop_loss"]
    )


def test_a_volatility_stop_scales_its_target() -> None:
    position = entry_after_moves({"TAKE_PROFIT_PCT": 0.006})
    price = position["entry_price"]
    stop, target = price - position["stop_loss"], position["take_profit"] - price
    assert target / stop == pytest.approx(1.5, rel=1e-9)
