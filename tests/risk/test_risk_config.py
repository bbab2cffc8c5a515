"""Every key of RISK_CONFIG does something that a user of ``manage`` sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
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


def moved(config: dict[str, Any]) -> Any:
    """How a long that first gains, then gives half of it back, ends."""
    manager = RiskManager({"VOLATILITY_BASED_SL": False} | config)
    manager.manage(quote(99.99, 0), BUY, 10_000)
    for bid, after in ((100.2, 1), (100.1, 100)):
        result = manager.manage(quote(bid, after), HOLD, 10_000)
    return result["action"], result["reason"]


def two_symbols(config: dict[str, Any]) -> Any:
    """Entries of two symbols, each at full strength."""
    manager = RiskManager(config)
    signal = BUY | {"signal_strength": 1.0}
    results = [
        manager.manage(quote(99.99, 0) | {"symbol": name}, signal, 10_000)
        for name in ("BINANCE:BTC", "BINANCE:ETH")
    ]
    return [(result["action"], result["reason"], result["position"]) for result in results]


def likely_entry(config: dict[str, Any]) -> Any:
    """An entry on a signal whose probabilities pay little more than its costs."""
    signal = BUY | {"probabilities": {"BUY": 0.7, "HOLD": 0.1, "SELL": 0.2}}
    result = RiskManager(config).manage(quote(99.99, 0), signal, 10_000)
    return result["action"], result["reason"], result["position"]["size"]


def losses(config: dict[str, Any]) -> Any:
    """Seven entries, each left at a loss; then one more after ten minutes."""
    manager = RiskManager({"MAX_POSITION_SIZE": 0.1} | config)
    answers = []
    for index in range(7):
        answers.append(manager.manage(quote(99.99, 2 * index), BUY, 10_000)["reason"])
        manager.manage(quote(99.99, 2 * index + 1), {"signal_label": "CLOSE_LONG"}, 10_000)
    answers.append(manager.manage(quote(99.99, 600), BUY, 10_000)["reason"])
    return answers, manager.metrics()["consecutive_losses"]


def wide_entry(config: dict[str, Any]) -> Any:
    manager = RiskManager({"VOLATILITY_BASED_SL": False} | config)
    return manager.manage(quote(99.99, 0) | {"ask_price": 100.1}, BUY, 10_000)["reason"]


def old_entry(config: dict[str, Any]) -> Any:
    """An entry on a quote that is 20 s older than another symbol's."""
    manager = RiskManager(config)
    manager.manage(quote(99.99, 20) | {"symbol": "OTHER"}, HOLD, 10_000)
    return manager.manage(quote(99.99, 0), BUY, 10_000)["reason"]


def proposed_beside(config: dict[str, Any]) -> Any:
    """An entry twenty seconds after one of another symbol that no fill has come of."""
    manager = RiskManager(config)
    manager.manage(quote(99.99, 0) | {"symbol": "A"}, HOLD, 10_000)
    manager.reconcile({"symbol": "A", "side": "FLAT"}, 10_000)
    signal = BUY | {"signal_strength": 1.0}
    for name, after, asked in (("A", 0, signal), ("A", 20, {"signal": 0}), ("B", 20, signal)):
        result = manager.manage(quote(99.99, after) | {"symbol": name}, asked, 10_000)
    return result["action"], result["reason"]


def drifted_entry(config: dict[str, Any]) -> Any:
    manager = RiskManager(config)
    manager.set_drift(True)
    return manager.manage(quote(99.99, 0), BUY, 10_000)["reason"]


def value_at_risk(config: dict[str, Any]) -> Any:
    """VaR of a long over two hours of moving minutes."""
    manager = RiskManager({"STOP_LOSS_PCT": 0.1, "custom_stop_loss": 0.1} | config)
    manager.manage(quote(99.99, 0), BUY, 10_000)
    for index, move in enumerate(np.random.default_rng(4).laplace(size=300)):
        manager.manage(quote(99.99 + 0.05 * move, 60 * index), HOLD, 10_000)
    return [manager.metrics()[name] for name in ("var_95", "cvar_95", "var_method")]


def held_over_night(config: dict[str, Any]) -> Any:
    """Funding of a long that is held over nine hours."""
    manager = RiskManager({"VOLATILITY_BASED_SL": False, "MAX_QUOTE_AGE_S": 1e6} | config)
    manager.manage(quote(99.99, 0), BUY, 10_000)
    manager.manage(quote(99.99, 9 * 3_600), HOLD, 10_000)
    return manager.metrics()["funding"]


def funded_at_a_rate(config: dict[str, Any]) -> Any:
    return held_over_night({"FUNDING_RATE": 0.001} | config)


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
    "TRAILING_STOP_PCT": (moved, 0.0005),
    "MAX_HOLDING_S": (moved, 50.0),
    "MAX_EXPOSURE": (two_symbols, 1.5),
    "MAX_NOTIONAL": (entry, 250.0),
    "KELLY_FRACTION": (likely_entry, 0.001),
    "VOLATILITY_TARGET": (entry, 0.5),
    "MAX_CONSECUTIVE_LOSSES": (losses, 2),
    "COOLDOWN_S": (losses, 60.0),
    "MAX_ORDERS_PER_MINUTE": (losses, 1),
    "MAX_SPREAD_PCT": (wide_entry, 0.001),
    "MAX_QUOTE_AGE_S": (old_entry, 10.0),
    "PENDING_ENTRY_S": (proposed_beside, 10.0),
    "BLOCK_ON_DRIFT": (drifted_entry, True),
    "VAR_METHOD": (value_at_risk, "cornish_fisher"),
    "FUNDING_RATE": (held_over_night, 0.001),
    "FUNDING_INTERVAL_S": (funded_at_a_rate, 3_600.0),
    "SYMBOL_RULES": (two_symbols, {"BINANCE:*": {"LOT_SIZE": 30.0}}),
}


def test_every_key_has_a_case() -> None:
    # Those of the journal are tested in test_journal.py.
    assert set(CASES) == {key for key in RISK_CONFIG if not key.startswith("JOURNAL_")}


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
