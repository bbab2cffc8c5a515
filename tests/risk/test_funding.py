"""Funding: what longs pay to shorts at fixed times, as cash."""

from __future__ import annotations

import math
from typing import Any

import pytest

from alphaseeker.risk.funding import next_funding
from alphaseeker.risk.manager import RiskManager

HOUR = 3_600
START = 1_700_006_400  # midnight UTC, and a multiple of eight hours
BUY = {"signal": 1, "signal_strength": 0.5}
SELL = {"signal": -1, "signal_strength": 0.5}
HOLD = {"signal": 0}


def quote(hours: float, bid: float = 99.99, **other: Any) -> dict[str, Any]:
    return {"bid_price": bid, "ask_price": bid + 0.02, "timestamp": START + hours * HOUR} | other


def opened(signal: dict[str, Any] = BUY, **config: Any) -> RiskManager:
    manager = RiskManager({"VOLATILITY_BASED_SL": False, "FUNDING_RATE": 0.001} | config)
    manager.manage(quote(1), signal, 10_000)
    return manager


def test_times_are_utc_multiples_and_the_next_one_is_later() -> None:
    assert next_funding(0, 100) == 100
    assert next_funding(99, 100) == 100
    assert next_funding(100, 100) == 200


@pytest.mark.parametrize(("signal", "sign"), [(BUY, -1.0), (SELL, 1.0)])
@pytest.mark.parametrize(("hours", "times"), [(7.999, 0), (8, 1), (9, 1), (25, 3)])
def test_longs_pay_shorts_once_for_each_time(
    signal: dict[str, Any], sign: float, hours: float, times: int
) -> None:
    manager = opened(signal)
    size, before = manager.position("")["size"], manager.equity
    manager.manage(quote(hours), HOLD, 10_000)
    expected = sign * size * 100.0 * 0.001 * times
    assert manager.metrics()["funding"] == pytest.approx(expected)
    assert manager.equity == pytest.approx(before + expected)
    assert manager.metrics()["realised_pnl"] == -manager.metrics()["fees"]
    assert manager.cash_flows == []
    # the same time is never paid twice
    manager.manage(quote(hours), HOLD, 10_000)
    assert manager.metrics()["funding"] == pytest.approx(expected)


def test_the_quotes_own_rate_counts_and_that_of_the_quote_before() -> None:
    manager = opened()
    size = manager.position("")["size"]
    manager.manage(quote(2, funding_rate=-0.002), HOLD, 10_000)
    manager.manage(quote(8, bid=100.09, funding_rate=0.5), HOLD, 10_000)
    # at the mid and the rate that were known before the funding time
    assert manager.metrics()["funding"] == pytest.approx(size * 100.0 * 0.002)
    for unknown in (None, math.nan):
        manager = opened()
        manager.manage(quote(2, funding_rate=unknown), HOLD, 10_000)
        manager.manage(quote(8), HOLD, 10_000)
        assert manager.metrics()["funding"] == pytest.approx(-size * 100.0 * 0.001)


def test_what_is_left_before_or_entered_at_the_time_pays_nothing() -> None:
    manager = opened()
    manager.manage(quote(7), {"signal_label": "CLOSE_LONG"}, 10_000)
    manager.manage(quote(8), BUY, 10_000)
    manager.manage(quote(15), HOLD, 10_000)
    assert manager.metrics()["funding"] == 0.0


def test_a_position_that_the_venue_closes_later_has_paid_before() -> None:
    manager = RiskManager({"VOLATILITY_BASED_SL": False, "FUNDING_RATE": 0.001})
    manager.manage(quote(1), HOLD, 10_000)
    fill = {"side": "BUY", "size": 10.0, "price": 100.0, "timestamp": START + HOUR}
    manager.on_fill(fill | {"id": 1})
    manager.on_fill(fill | {"id": 2, "side": "SELL", "timestamp": START + 9 * HOUR})
    assert manager.metrics()["funding"] == pytest.approx(-1.0)


def test_funding_turns_a_gain_into_a_loss_that_counts() -> None:
    manager = opened(FUNDING_RATE=0.01)
    manager.manage(quote(9, bid=100.3), {"signal_label": "CLOSE_LONG"}, 10_000)
    figures = manager.metrics()
    assert figures["realised_pnl"] > 0.0
    assert (figures["trades"], figures["wins"], figures["consecutive_losses"]) == (1, 0, 1)


def test_a_paper_position_that_never_was_has_paid_nothing() -> None:
    manager = opened()
    manager.manage(quote(9), HOLD, 10_000)
    assert manager.metrics()["funding"] < 0.0
    found = manager.reconcile({"": {"side": "FLAT"}}, 10_000)
    assert found["cash_flow"] == pytest.approx(0.0, abs=1e-9)
    assert manager.metrics()["funding"] == pytest.approx(0.0, abs=1e-12)
    assert manager.equity == 10_000.0


def test_an_equity_of_the_venue_has_paid_what_was_due_before_it() -> None:
    """After a pause over a funding time, reconcile comes before the first quote."""
    now = START + HOUR

    def clock() -> int:
        return round(now * 1e9)

    config = {"VOLATILITY_BASED_SL": False, "FUNDING_RATE": 0.001, "STOP_LOSS_PCT": 0.1}
    manager = RiskManager(config, clock=clock, monotonic=clock)
    manager.manage(quote(1), HOLD, 10_000)
    manager.on_fill({"id": 1, "side": "BUY", "size": 10.0, "price": 100.0, "timestamp": now})
    manager.manage(quote(1), HOLD, manager.equity)
    equity = manager.equity
    now += 8 * HOUR
    found = manager.reconcile({"side": "LONG", "size": 10.0, "entry_price": 100.0}, equity - 1.0)
    assert found["cash_flow"] == pytest.approx(0.0, abs=1e-9)
    assert manager.metrics()["funding"] == pytest.approx(-1.0)
    manager.manage(quote(9), HOLD, equity - 1.0)
    assert manager.equity == pytest.approx(equity - 1.0)
    assert manager.metrics()["daily_pnl"] == pytest.approx(equity - 1.0 - 10_000)
