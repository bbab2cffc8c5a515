"""Profit and cost arithmetic."""

from __future__ import annotations

import math

import numba
import pytest

from alphaseeker.risk.costs import exit_price, net_unrealised, round_trip_cost, running_sum_step


def test_a_long_leaves_at_the_bid_and_a_short_at_the_ask() -> None:
    assert exit_price(1.0, 99.0, 101.0) == 99.0
    assert exit_price(-1.0, 99.0, 101.0) == 101.0


def test_unrealised_profit_has_the_exit_fee_deducted() -> None:
    assert net_unrealised(2.0, 100.0, 110.0, 0.001) == pytest.approx(20.0 - 0.22)
    assert net_unrealised(-2.0, 100.0, 110.0, 0.001) == pytest.approx(-20.0 - 0.22)


def test_a_round_trip_costs_the_spread_and_two_fees() -> None:
    assert round_trip_cost(99.9, 100.1, 0.0005) == pytest.approx(0.003)


def test_a_running_sum_keeps_the_digits_that_plain_addition_loses() -> None:
    changes = [1e9, *[0.1] * 20_000]
    total, error, plain = 0.0, 0.0, 0.0
    for change in changes:
        total, error = running_sum_step(total, error, change)
        plain += change
    exact = math.fsum(changes)
    assert abs(total + error - exact) <= math.ulp(exact)
    assert abs(plain - exact) > 10 * math.ulp(exact)


def test_from_another_jitted_function() -> None:
    @numba.njit
    def combine() -> float:
        total, error = running_sum_step(1e16, 0.0, 1.0)
        total, error = running_sum_step(total, error, -1e16)
        price = exit_price(1.0, 99.0, 101.0) + round_trip_cost(99.0, 101.0, 0.0)
        return total + error + price + net_unrealised(1.0, 100.0, 100.0, 0.0)

    assert combine() == pytest.approx(100.02)
