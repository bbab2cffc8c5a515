"""The stop's volatility against the formula over the full history."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import pytest

from alphaseeker.risk.state import allocate_position
from alphaseeker.risk.volatility import sigma_step, volatility_step
from oracles.risk_rules import Book

START = 1_700_000_000 * 10**9


def test_sigma_is_that_of_the_full_history_and_unknown_before_a_half_life() -> None:
    rng = np.random.default_rng(2)
    position, book, now, mid = allocate_position(), Book(), START, 100.0
    known = 0
    for _ in range(300):
        now += int(rng.choice([0, 1, 10**6, 10**9, 7 * 10**9]))
        mid *= math.exp(rng.standard_normal() * 1e-3)
        bid, ask = mid - 0.01, mid + 0.01
        volatility_step(position, now, bid, ask, 30.0)
        book.quotes.append((now, bid, ask))
        expected = book.sigma(30.0)
        sigma = sigma_step(position, 30.0)
        if expected is None:
            assert math.isnan(sigma)
        else:
            known += 1
            assert sigma == pytest.approx(expected, rel=1e-9)
    assert 100 < known < 300


def test_sigma_of_a_random_walk_is_its_own_whatever_the_sampling() -> None:
    """Ticks with 0, 0.1 or 5 s between them: the same 1e-4 per root second comes out."""
    rng = np.random.default_rng(3)
    position, now, log_mid = allocate_position(), START, 0.0
    estimates = []
    for index in range(20_000):
        wait = int(rng.choice([0, 10**8, 5 * 10**9]))
        now += wait
        log_mid += rng.standard_normal() * 1e-4 * math.sqrt(wait * 1e-9)
        mid = math.exp(log_mid)
        volatility_step(position, now, mid, mid, 600.0)
        if index > 5_000:
            estimates.append(sigma_step(position, 600.0) ** 2)
    assert math.sqrt(np.mean(estimates)) == pytest.approx(1e-4, rel=0.05)


def test_a_flat_market_has_no_volatility() -> None:
    position = allocate_position()
    for index in range(10):
        volatility_step(position, START + index * 10**10, 99.0, 101.0, 60.0)
    assert sigma_step(position, 60.0) == 0.0


def test_from_another_jitted_function() -> None:
    @numba.njit
    def run(position: Any) -> float:
        volatility_step(position, 1_000_000_000, 99.0, 101.0, 1.0)
        volatility_step(position, 3_000_000_000, 99.5, 101.5, 1.0)
        return sigma_step(position, 1.0)

    expected = math.log(201.0 / 200.0) / math.sqrt(2.0)
    assert run(allocate_position()) == pytest.approx(expected, rel=1e-12)
