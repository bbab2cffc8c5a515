"""Which rules a symbol has, and what is refused in their place."""

from __future__ import annotations

from typing import Any

import pytest

from alphaseeker.config import RiskConfig
from alphaseeker.errors import ConfigError
from alphaseeker.risk.manager import RiskManager
from alphaseeker.risk.symbol_rules import symbol_rules

RULES = {
    "BINANCE:BTCUSDT": {"LOT_SIZE": 0.001},
    "BINANCE:*": {"TRANSACTION_COST_PCT": 0.0004, "MAKER_COST_PCT": -0.0001},
    "*": {"MIN_NOTIONAL": 5.0},
}


def test_the_very_name_counts_then_the_first_pattern() -> None:
    config = RiskConfig(SYMBOL_RULES=RULES, LOT_SIZE=2.0)
    assert symbol_rules(config, "BINANCE:BTCUSDT") == (True, 0.001, 0.0, 0.0005, 0.0002)
    assert symbol_rules(config, "BINANCE:ETHUSDT") == (True, 2.0, 0.0, 0.0004, -0.0001)
    assert symbol_rules(config, "binance:ETHUSDT") == (True, 2.0, 5.0, 0.0005, 0.0002)
    assert symbol_rules(RiskConfig(), "BTCUSDT") == (False, 0.0, 0.0, 0.0005, 0.0002)


def test_the_settings_keep_a_copy() -> None:
    given = {"A": {"LOT_SIZE": 1.0}}
    config = RiskConfig(SYMBOL_RULES=given)
    given["A"]["LOT_SIZE"] = 5.0
    assert symbol_rules(config, "A").lot_size == 1.0


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (["BTC"], "mapping of name"),
        ({"BTC": 3.0}, "mapping of name"),
        ({"BTC": {"LOT": 1.0}}, "LOT_SIZE, MIN_NOTIONAL, TRANSACTION_COST_PCT, MAKER_COST_PCT"),
        ({"BTC": {"LOT_SIZE": -1.0}}, "LOT_SIZE is a number from 0 up"),
        ({7: {}}, "mapping of name"),
    ],
)
def test_what_are_no_rules_is_refused(rules: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        RiskConfig(SYMBOL_RULES=rules)


def test_fees_by_symbol_on_paper_and_from_the_venue() -> None:
    market = {"bid_price": 99.99, "ask_price": 100.01, "timestamp": 1_700_006_400}
    buy = {"signal": 1, "signal_strength": 0.1}
    manager = RiskManager({"SYMBOL_RULES": RULES})
    fees = [0.0]
    for symbol in ("BINANCE:ETHUSDT", "KRAKEN:ETHUSD"):
        size = manager.manage(market | {"symbol": symbol}, buy, 10_000)["position"]["size"]
        fees.append(manager.metrics()["fees"])
        paid = (fees[-1] - fees[-2]) / (size * 100.01)
        assert paid == pytest.approx(0.0004 if "BINANCE" in symbol else 0.0005)
    fill = {"side": "BUY", "size": 1.0, "price": 100.0, "liquidity": "maker"}
    venue = RiskManager({"SYMBOL_RULES": RULES})
    venue.on_fill(fill | {"id": 1, "symbol": "BINANCE:ETHUSDT"})
    assert venue.metrics()["fees"] == pytest.approx(-0.01)


def test_new_settings_and_restored_bytes_reach_the_records() -> None:
    market = {"bid_price": 99.99, "ask_price": 100.01, "timestamp": 1_700_006_400, "symbol": "A"}
    manager = RiskManager()
    manager.manage(market, {"signal": 0}, 10_000)
    lots = {"SYMBOL_RULES": {"A": {"LOT_SIZE": 40.0}}}
    other = RiskManager(lots)
    other.restore_bytes(manager.state_bytes())
    manager.configure(lots)
    for one in (manager, other):
        result = one.manage(market, {"signal": 1}, 10_000)
        assert result["position"]["size"] == 80.0
    manager.configure({"SYMBOL_RULES": {}})
    manager.manage(market, {"signal_label": "CLOSE_LONG"}, 10_000)
    assert 80.0 < manager.manage(market, {"signal": 1}, 10_000)["position"]["size"] < 100.0
