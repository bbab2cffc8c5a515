"""Alerts: once per crossing, to the logger, a callback and the figures."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from alphaseeker.risk.alerts import KEPT_ALERTS
from alphaseeker.risk.manager import RiskManager
from alphaseeker.risk.state import Alert

START = 1_700_006_400
BUY = {"signal": 1, "signal_strength": 1.0}
HOLD = {"signal": 0}
DAY = 86_400


def quote(after: float = 0.0, bid: float = 99.99, ask: float | None = None) -> dict[str, Any]:
    ask = bid + 0.02 if ask is None else ask
    return {"bid_price": bid, "ask_price": ask, "timestamp": START + after, "symbol": "BTC"}


def heard(**config: Any) -> tuple[RiskManager, list[dict[str, Any]]]:
    alerts: list[dict[str, Any]] = []
    manager = RiskManager({"VOLATILITY_BASED_SL": False} | config, on_alert=alerts.append)
    return manager, alerts


def kinds(alerts: list[dict[str, Any]]) -> list[str]:
    return [alert["kind"] for alert in alerts]


def test_a_touched_limit_is_told_once_and_again_after_it_has_recovered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    manager, alerts = heard(MAX_DAILY_LOSS=0.003)
    for day in (0, DAY):
        manager.manage(quote(day), BUY, 10_000)
        with caplog.at_level(logging.WARNING):
            for index in range(3):
                manager.manage(quote(day + 1 + index, bid=99.5), BUY, 10_000)
    assert kinds(alerts) == ["daily_loss", "daily_loss"]
    alert = alerts[0]
    assert set(alert) == {"kind", "name", "value", "limit", "symbol", "sentence"}
    assert (alert["name"], alert["limit"], alert["symbol"]) == ("MAX_DAILY_LOSS", 0.003, "")
    assert alert["value"] >= 0.003
    assert sum(alert["sentence"] in record.message for record in caplog.records) >= 1
    told = manager.metrics()["alerts"]
    assert told["counts"]["daily_loss"] == 2
    assert told["active"] == ["daily_loss"]
    assert told["recent"] == alerts
    json.dumps(told, allow_nan=False)


def test_every_kind_is_told() -> None:
    manager, alerts = heard(
        MAX_DRAWDOWN=0.004, MAX_DAILY_LOSS=0.5, MAX_CONSECUTIVE_LOSSES=1, MAX_ORDERS_PER_MINUTE=1
    )
    manager.manage(quote(), HOLD, 10_000)
    manager.manage(quote(1, ask=101.0), HOLD, 10_000)
    assert kinds(alerts) == ["spread"]
    assert alerts[0]["symbol"] == "BTC"
    manager.set_drift(True)
    manager.manage(quote(2), BUY, 10_000)
    assert kinds(alerts)[1:] == ["order_rate", "model_drift"]
    manager.manage(quote(3) | {"symbol": "ETH"}, HOLD, 10_000)
    manager.manage(quote(100) | {"symbol": "ETH"}, HOLD, 10_000)
    manager.manage(quote(3), HOLD, 10_000)
    assert kinds(alerts)[3:] == ["stale_price"] * 2  # it ceased, and then came late
    manager.manage(quote(101, bid=98.0), HOLD, 10_000)
    assert set(kinds(alerts)[5:]) == {"drawdown", "consecutive_losses"}
    manager, alerts = heard(MAX_EXPOSURE=0.5, STOP_LOSS_PCT=0.5, RISK_PER_TRADE=1.0)
    manager.manage(quote(), BUY, 10_000)
    manager.manage(quote(1), HOLD, 4_000)  # a withdrawal
    assert kinds(alerts) == ["exposure"]
    assert {alert.name.lower() for alert in Alert} == {
        *("spread", "order_rate", "model_drift", "stale_price", "drawdown", "consecutive_losses"),
        *("exposure", "daily_loss"),
    }


def test_an_exposure_that_moves_about_its_cap_is_no_news() -> None:
    manager, alerts = heard(STOP_LOSS_PCT=0.5, TAKE_PROFIT_PCT=0.5, RISK_PER_TRADE=1.0)
    for index in range(20):
        manager.manage(quote(index, bid=99.99 + 0.05 * (index % 2)), BUY, 10_000)
    assert manager.metrics()["notional"] / manager.equity > 0.99
    assert alerts == []


def test_an_exposure_is_told_again_only_after_it_was_back_inside_its_cap() -> None:
    manager, alerts = heard(STOP_LOSS_PCT=0.5, MAX_DAILY_LOSS=0.5, MAX_DRAWDOWN=0.9)
    manager.manage(quote(), HOLD, 10_000)
    fill = {"side": "BUY", "symbol": "BTC", "price": 100.0, "fee": 0.0}
    for index, side, size in ((1, "BUY", 106.0), (2, "SELL", 4.0), (3, "BUY", 4.0)):
        manager.on_fill(fill | {"id": index, "side": side, "size": size})
        manager.manage(quote(index), HOLD, manager.equity)
    assert kinds(alerts) == ["exposure"]  # 1.06, 1.02, 1.06
    for index, side, size in ((4, "SELL", 8.0), (5, "BUY", 8.0)):
        manager.on_fill(fill | {"id": index, "side": side, "size": size})
        manager.manage(quote(index), HOLD, manager.equity)
    assert kinds(alerts) == ["exposure", "exposure"]  # 0.98, 1.06


def test_a_position_whose_quotes_have_ceased_is_told_by_those_of_another(tmp_path: Path) -> None:
    config = {"STOP_LOSS_PCT": 0.5, "VOLATILITY_BASED_SL": False}
    alerts: list[dict[str, Any]] = []
    with RiskManager(config, on_alert=alerts.append, journal=tmp_path) as manager:
        manager.manage(quote(0), BUY, 10_000)
        for after in range(0, 300, 10):
            manager.manage(quote(after) | {"symbol": "ETH"}, HOLD, 10_000)
        assert [(alert["kind"], alert["symbol"]) for alert in alerts] == [("stale_price", "BTC")]
        assert 30.0 < alerts[0]["value"] <= 90.0
        assert manager.metrics()["alerts"]["recent"] == alerts
        state = manager.state_bytes()
    with RiskManager(config, on_alert=alerts.append, journal=tmp_path) as manager:
        assert manager.state_bytes() == state
        manager.manage(quote(300) | {"symbol": "ETH"}, HOLD, 10_000)
        assert len(alerts) == 2  # told again after the restart
        # It is heard again, and falls silent again.
        manager.manage(quote(301), HOLD, 10_000)
        for after in range(310, 500, 10):
            manager.manage(quote(after) | {"symbol": "ETH"}, HOLD, 10_000)
    assert kinds(alerts) == ["stale_price"] * 3


def test_a_position_that_no_quote_was_ever_seen_of_is_told() -> None:
    manager, alerts = heard()
    manager.manage(quote(0), HOLD, 10_000)
    fill = {"id": 1, "symbol": "BTC-USD", "side": "BUY", "size": 1.0, "price": 100.0}
    manager.on_fill(fill | {"timestamp": START + 1})
    for after in range(5, 120, 10):
        manager.manage(quote(after), HOLD, manager.equity)
    assert [(alert["kind"], alert["symbol"]) for alert in alerts] == [("stale_price", "BTC-USD")]
    assert 30.0 < alerts[0]["value"] < 70.0


def test_a_flat_symbol_may_fall_silent() -> None:
    manager, alerts = heard()
    manager.manage(quote(0), HOLD, 10_000)
    manager.manage(quote(200) | {"symbol": "ETH"}, HOLD, 10_000)
    assert alerts == []


def test_a_callback_that_fails_stops_no_trading(caplog: pytest.LogCaptureFixture) -> None:
    def broken(alert: dict[str, Any]) -> None:
        raise RuntimeError("no network")

    manager = RiskManager({"MAX_SPREAD_PCT": 0.001}, on_alert=broken)
    manager.manage(quote(), BUY, 10_000)
    with caplog.at_level(logging.ERROR):
        manager.manage(quote(1, ask=100.4), HOLD, 10_000)
    assert "no network" in caplog.text
    assert manager.manage(quote(2, bid=99.0), HOLD, 10_000)["action"] == "close_position"


def test_alerts_outlast_a_restart_and_are_not_told_again() -> None:
    manager, alerts = heard(MAX_SPREAD_PCT=0.001)
    manager.manage(quote(ask=100.4), HOLD, 10_000)
    again, later = heard(MAX_SPREAD_PCT=0.001)
    again.restore_bytes(manager.state_bytes())
    again.manage(quote(1, ask=100.4), HOLD, 10_000)
    assert (kinds(alerts), later) == (["spread"], [])
    assert again.metrics()["alerts"]["counts"]["spread"] == 1


def test_only_the_last_alerts_are_listed() -> None:
    manager, alerts = heard(MAX_SPREAD_PCT=0.001)
    for index in range(2 * KEPT_ALERTS + 4):
        manager.manage(quote(index, ask=100.4 if index % 2 else 100.01), HOLD, 10_000)
    told = manager.metrics()["alerts"]
    assert len(told["recent"]) == KEPT_ALERTS
    assert told["counts"]["spread"] == len(alerts) == KEPT_ALERTS + 2
