"""Which quotes are late, and when a symbol's time begins anew."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from alphaseeker.risk.ordering import order_step
from alphaseeker.risk.state import allocate_position
from alphaseeker.risk.volatility import sigma_step, volatility_step

SECOND = 10**9
BASE = 1_700_000_000 * SECOND


def position_at(second: int) -> Any:
    position = allocate_position()
    volatility_step(position, BASE, 99.0, 101.0, 60.0)
    volatility_step(position, BASE + second * SECOND, 99.5, 101.5, 60.0)
    return position


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([100], "o"),  # the same time is in order
        ([1, 2, 3], "lLo"),
        ([1, 2, 2, 3, 4], "lLlLo"),  # a repeated time is no rise
        ([3, 2, 1, 0], "llll"),
        ([1, 2, 100, 3, 4, 5], "lLolLo"),  # one in order: counted from the start
        ([1, 2, 3, 1, 2, 3], "lLolLo"),  # the third is the symbol's time from then on
    ],
)
def test_order(seconds: list[int], expected: str) -> None:
    position = position_at(100)
    for second, letter in zip(seconds, expected, strict=True):
        timestamp = BASE + second * SECOND
        in_order = order_step(position, timestamp)
        assert in_order is (letter == "o")
        assert position["late_quotes"][0] == "olL".index(letter)
        if in_order:
            volatility_step(position, timestamp, 99.5, 101.5, 60.0)
            assert position["timestamp"][0] == timestamp


def test_a_new_time_begins_a_new_volatility() -> None:
    position = position_at(100)
    assert sigma_step(position, 60.0) > 0.0
    for second in (1, 2, 3):
        order_step(position, BASE + second * SECOND)
    volatility_step(position, BASE + 3 * SECOND, 50.0, 51.0, 60.0)
    assert np.isnan(sigma_step(position, 60.0))
    volatility_step(position, BASE + 63 * SECOND, 50.0, 51.0, 60.0)
    assert sigma_step(position, 60.0) == 0.0


def test_from_another_jitted_function() -> None:
    @numba.njit
    def last(position: Any, times: Any) -> bool:
        in_order = True
        for time in times:
            in_order = order_step(position, time)
        return in_order

    times = BASE + np.arange(3) * SECOND
    assert not last(position_at(100), times[:2])
    assert last(position_at(100), times)
