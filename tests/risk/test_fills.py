"""Fills against a ledger in Decimal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numba
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.config import RiskConfig
from alphaseeker.risk.account import clock_step, mark_step, start_step
from alphaseeker.risk.fills import discard_step, fill_step, missed_loss_step, position_set_step
from alphaseeker.risk.state import allocate_account, allocate_position
from oracles.ledger import Ledger

RATE = 0.0005


def records() -> tuple[Any, Any]:
    account = allocate_account(RiskConfig(VOLATILITY_BASED_SL=False))
    start_step(account, 10_000.0)
    return account, allocate_position()


fills = st.tuples(
    st.integers(0, 1),
    st.sampled_from([-30, -10, -7, -3, -1, 1, 3, 7, 10, 30]),  # tenths
    st.floats(50.0, 200.0),
    st.floats(-0.5, 2.0),  # fee
    st.floats(0.0, 1.0),  # spread of the quote that follows
)


@settings(max_examples=80, deadline=None)
@given(sequence=st.lists(fills, min_size=1, max_size=40))
def test_every_sequence_of_fills_agrees_with_the_ledger(
    sequence: list[tuple[int, int, float, float, float]],
) -> None:
    account, first = records()
    positions = [first, allocate_position()]
    ledger = Ledger(10_000.0)
    tenths = [0, 0]
    quotes: dict[str, tuple[float, float]] = {}
    for which, count, price, fee, spread in sequence:
        position = positions[which]
        before = float(account["balance"][0])
        realised = fill_step(account, position, count / 10.0, price, fee)
        assert account["balance"][0] == pytest.approx(before + realised, rel=1e-12)
        ledger.fill(str(which), count / 10.0, price, fee)
        tenths[which] += count
        position["quotes"] = 1
        position["bid_price"], position["ask_price"] = price - spread, price + spread
        quotes[str(which)] = (price - spread, price + spread)
        mark_step(account, position)
        # sizes are exact in tenths: flat is exactly flat
        if tenths[which] == 0:
            assert position["quantity"][0] == 0.0
            ledger.held[str(which)] = Decimal(0)
        else:
            assert position["quantity"][0] == pytest.approx(tenths[which] / 10.0, rel=1e-12)
        assert account["open_positions"][0] == sum(item != 0 for item in tenths)
        assert account["equity"][0] == pytest.approx(float(ledger.equity(quotes, RATE)), rel=1e-9)
        assert account["fees"][0] == pytest.approx(float(ledger.fees), rel=1e-9, abs=1e-9)
        flow_free = account["balance"][0] - account["realised_pnl"][0]
        assert flow_free == pytest.approx(10_000.0, rel=1e-9)


def test_an_average_entry_and_its_stop_follow_what_was_added() -> None:
    account, position = records()
    fill_step(account, position, 1.0, 100.0, 0.05)
    assert position["stop_loss"][0] == pytest.approx(99.6, rel=1e-12)
    fill_step(account, position, 3.0, 104.0, 0.15)
    assert position["entry_price"][0] == pytest.approx(103.0, rel=1e-12)
    assert position["stop_loss"][0] == pytest.approx(103.0 * 0.996, rel=1e-12)
    assert position["take_profit"][0] == pytest.approx(103.0 * 1.004, rel=1e-12)
    fill_step(account, position, -2.0, 105.0, 0.1)
    assert position["entry_price"][0] == pytest.approx(103.0, rel=1e-12)
    assert position["entry_fees"][0] == pytest.approx(0.1, rel=1e-12)


def test_an_overfill_flips_and_splits_its_fee() -> None:
    account, position = records()
    fill_step(account, position, 1.0, 100.0, 0.05)
    realised = fill_step(account, position, -3.0, 110.0, 0.3)
    assert realised == pytest.approx(10.0 - 0.3, rel=1e-12)
    assert position["quantity"][0] == -2.0
    assert position["entry_price"][0] == 110.0
    assert position["entry_fees"][0] == pytest.approx(0.2, rel=1e-12)
    assert position["stop_loss"][0] == pytest.approx(110.44, rel=1e-12)
    assert account["trades"][0] == 1
    assert account["wins"][0] == 1
    fill_step(account, position, 2.0, 109.95, 0.2)  # 0.1 gained, 0.4 paid
    assert account["trades"][0] == 2
    assert account["wins"][0] == 1


def test_a_flips_part_of_the_fee_is_the_new_trades() -> None:
    account, position = records()
    fill_step(account, position, 1.0, 100.0, 0.0)
    fill_step(account, position, -3.0, 101.0, 0.9)  # closes one, sells two for a fee of 0.6
    assert position["trade_pnl"][0] == pytest.approx(-0.6)
    assert (account["trades"][0], account["wins"][0]) == (1, 1)
    fill_step(account, position, 2.0, 100.8, 0.0)  # gains 0.4
    assert (account["trades"][0], account["wins"][0]) == (2, 1)
    assert account["consecutive_losses"][0] == 1


def test_fills_of_decimal_sizes_leave_no_residue() -> None:
    account, position = records()
    for size in (0.1, 0.2):
        fill_step(account, position, size, 100.0, 0.0)
    fill_step(account, position, -0.3, 101.0, 0.0)
    assert position["quantity"][0] == 0.0
    assert account["open_positions"][0] == 0
    assert account["equity"][0] == pytest.approx(10_000.3, rel=1e-12)


def test_discarding_a_paper_position_leaves_the_money_of_before() -> None:
    account, position = records()
    fill_step(account, position, 5.0, 100.0, 0.25)
    position["paper"] = 1
    discard_step(account, position)
    assert account["balance"][0] == account["equity"][0] == 10_000.0
    assert account["fees"][0] == account["realised_pnl"][0] == 0.0
    fill_step(account, position, 5.0, 100.0, 0.25)
    discard_step(account, position)  # not on paper: it stays
    assert position["quantity"][0] == 5.0


def test_setting_a_position_moves_no_equity_and_no_peak() -> None:
    account, position = records()
    fill_step(account, position, 5.0, 100.0, 0.25)
    equity, peak = float(account["equity"][0]), float(account["peak_equity"][0])
    position_set_step(account, position, -2.0, 300.0)
    assert account["equity"][0] == equity
    assert account["peak_equity"][0] == peak
    assert account["open_positions"][0] == 1
    assert position["stop_loss"][0] == pytest.approx(301.2, rel=1e-12)
    missed_loss_step(account, -7.0)
    assert account["equity"][0] == equity - 7.0
    assert account["realised_pnl"][0] == pytest.approx(-7.25, rel=1e-12)


def test_from_another_jitted_function() -> None:
    @numba.njit
    def there_and_back(account: Any, position: Any) -> float:
        fill_step(account, position, 2.0, 100.0, 0.1)
        return fill_step(account, position, -2.0, 101.0, 0.1)

    account, position = records()
    assert there_and_back(account, position) == pytest.approx(1.9, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(sequence=st.lists(st.tuples(fills, st.integers(0, 40)), min_size=1, max_size=30))
def test_fills_with_funding_between_agree_with_the_ledger(sequence: list[Any]) -> None:
    account = allocate_account(RiskConfig(FUNDING_RATE=0.0007, FUNDING_INTERVAL_S=36_000.0))
    start_step(account, 10_000.0)
    position, ledger = allocate_position(), Ledger(10_000.0)
    hours = tenths = 0
    last = (0.0, 0.0)
    for (_, count, price, fee, spread), wait in sequence:
        clock_step(account, (hours + wait) * 3_600 * 10**9)
        if tenths:
            for _ in range((hours + wait) // 10 - hours // 10):
                ledger.fund("A", sum(last) / 2, 0.0007)
        hours += wait
        fill_step(account, position, count / 10.0, price, fee)
        ledger.fill("A", count / 10.0, price, fee)
        tenths += count
        last = (price, price + spread)
        position["bid_price"], position["ask_price"] = last
        mark_step(account, position)
        quotes = {"A": last} if tenths else {}
        ledger.held["A"] = ledger.held["A"] if tenths else Decimal(0)
        assert abs(account["equity"][0] - float(ledger.equity(quotes, RATE))) < 0.005
        assert abs(account["funding"][0] - float(ledger.funding)) < 0.005
    assert account["open_positions"][0] == (tenths != 0)
