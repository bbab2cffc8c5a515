"""Entries proposed under a venue keep their room until they fill, are replaced, or are too old."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from alphaseeker.risk.manager import RiskManager

START = 1_700_006_400
PLAIN = {"RISK_PER_TRADE": 1.0, "VOLATILITY_BASED_SL": False, "TRANSACTION_COST_PCT": 0.0}
BUY, HOLD = {"signal": 1}, {"signal": 0}
NAMES = [f"S{index}" for index in range(10)]


def quote(symbol: str, after: float, bid: float = 99.99) -> dict[str, Any]:
    ask = bid + 0.02
    return {"symbol": symbol, "bid_price": bid, "ask_price": ask, "timestamp": START + after}


def under_venue(**config: Any) -> RiskManager:
    manager = RiskManager(PLAIN | config)
    manager.manage(quote("S0", -1), HOLD, 10_000)
    manager.reconcile({"symbol": "S0", "side": "FLAT"}, 10_000)
    return manager


def pending(manager: RiskManager) -> float:
    return float(manager.metrics()["pending_notional"])


def ask_of(manager: RiskManager, symbol: str, after: float, signal: dict[str, Any]) -> Any:
    return manager.manage(quote(symbol, after), signal, manager.equity)


@pytest.mark.parametrize("cap", [None, 2.5])
def test_entries_of_ten_symbols_before_any_fill_keep_to_the_exposure(cap: float | None) -> None:
    manager = under_venue(MAX_EXPOSURE=cap)
    answers = [ask_of(manager, name, 0, BUY) for name in NAMES]
    sizes = [answer["position"]["size"] for answer in answers]
    assert sum(sizes) * 100.01 == pytest.approx((cap or 1.0) * 10_000)
    assert pending(manager) == pytest.approx((cap or 1.0) * 10_000)
    assert answers[-1]["action"] == "reject_signal"
    assert answers[-1]["reason"].startswith("MAX_EXPOSURE")
    for index, (name, size) in enumerate(zip(NAMES, sizes, strict=True)):
        if size > 0.0:
            fill = {"id": index, "symbol": name, "side": "BUY", "size": size, "price": 100.01}
            manager.on_fill(fill | {"timestamp": START + 1, "fee": 0.0})
    assert pending(manager) == 0.0
    assert manager.metrics()["notional"] == pytest.approx((cap or 1.0) * 10_000, rel=1e-3)


def test_a_symbol_that_is_proposed_anew_does_not_bound_itself() -> None:
    manager = under_venue()
    sizes = {ask_of(manager, "S0", after, BUY)["position"]["size"] for after in range(5)}
    assert len(sizes) == 1
    assert pending(manager) == pytest.approx(10_000)


def test_partial_fills_give_back_their_part_and_the_rest_expires() -> None:
    manager = under_venue(PENDING_ENTRY_S=30.0)
    size = ask_of(manager, "S0", 0, BUY)["position"]["size"]
    part = {"id": 1, "symbol": "S0", "side": "BUY", "size": 0.25 * size, "price": 100.0}
    manager.on_fill(part | {"timestamp": START + 1})
    assert pending(manager) == pytest.approx(7_500)
    # What is held and what may still fill leave next to no room for another symbol.
    assert 0.0 < ask_of(manager, "S1", 2, BUY)["position"]["size"] * 100.01 < 2.0
    ask_of(manager, "S0", 29.9, HOLD)
    assert pending(manager) == pytest.approx(7_500, abs=1.0)
    ask_of(manager, "S0", 30, HOLD)
    assert pending(manager) < 1.0
    assert ask_of(manager, "S1", 30, BUY)["position"]["size"] == pytest.approx(75.0, rel=0.01)


def test_reconcile_gives_back_what_expired_though_no_quote_comes() -> None:
    manager = under_venue()
    ask_of(manager, "S0", 0, BUY)
    ask_of(manager, "S1", 61, HOLD)
    assert pending(manager) == pytest.approx(10_000)
    manager.reconcile({"symbol": "S1", "side": "FLAT"}, 10_000)
    assert pending(manager) == 0.0


def test_paper_fills_keep_nothing_aside() -> None:
    manager = RiskManager(PLAIN)
    manager.manage(quote("S0", 0), BUY, 10_000)
    assert pending(manager) == 0.0


def test_what_is_kept_aside_outlives_a_restart() -> None:
    manager = under_venue()
    ask_of(manager, "S0", 0, BUY)
    other = RiskManager(PLAIN)
    other.restore_bytes(manager.state_bytes())
    assert pending(other) == pending(manager) > 0.0
    assert ask_of(other, "S1", 1, BUY)["action"] == "reject_signal"


@pytest.mark.parametrize("seed", range(5))
def test_random_orders_that_fill_late_in_parts_or_never(seed: int) -> None:
    """What is held and what may fill never pass the cap at an entry, and every sum agrees."""
    rng = np.random.default_rng(seed)
    manager = under_venue(MAX_EXPOSURE=1.7, PENDING_ENTRY_S=20.0, MAX_CONSECUTIVE_LOSSES=None)
    orders: dict[str, tuple[float, float]] = {}  # signed size that is left, and its price
    entries = fills = 0
    now = 0.0
    for _ in range(600):
        now += float(rng.choice([0.0, 0.5, 3.0]))
        name = NAMES[int(rng.integers(5))]
        before = manager.metrics()
        signal = {"signal": int(rng.integers(-1, 2))}
        answer = ask_of(manager, name, now, signal)
        position, size = answer["position"], answer["position"]["size"]
        side = 1.0 if position["side"] == "LONG" else -1.0
        if answer["action"] == "open_position":
            entries += 1
            pending_of_others = before["pending_notional"] - _own(manager, name, before)
            taken = before["notional"] + size * position["entry_price"]
            assert taken + pending_of_others <= 1.7 * before["equity"] * (1.0 + 1e-9)
            orders[name] = (side * size, position["entry_price"])
        elif answer["action"] == "close_position":
            orders[name] = (-side * size, 100.0)
        for other, (left, price) in list(orders.items()):
            if rng.random() < 0.3:
                part = left if rng.random() < 0.5 else 0.5 * left
                fills += 1
                direction = "BUY" if part > 0.0 else "SELL"
                told = {"id": fills, "symbol": other, "side": direction, "size": abs(part)}
                manager.on_fill(told | {"price": price, "timestamp": START + now, "fee": 0.0})
                orders[other] = (left - part, price)
                if part == left or rng.random() < 0.2:  # filled, or cancelled
                    del orders[other]
        _check_sums(manager)
    assert entries > 30
    assert fills > 30


def _own(manager: RiskManager, name: str, before: dict[str, Any]) -> float:
    """What the symbol's own last entry took before it was proposed anew."""
    others = sum(
        float(record["pending"][0])
        for symbol, record in manager._positions.items()
        if symbol != name
    )
    return max(float(before["pending_notional"]) - others, 0.0)


def _check_sums(manager: RiskManager) -> None:
    account = manager._account
    each = [float(record["pending"][0]) for record in manager._positions.values()]
    assert pending(manager) == pytest.approx(sum(each), abs=1e-7)
    assert min(each) >= 0.0
    assert account["pending_entries"][0] == sum(value != 0.0 for value in each)
    if not any(each):
        assert pending(manager) == 0.0
