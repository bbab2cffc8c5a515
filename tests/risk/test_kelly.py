"""The three-class Kelly stake against a root search, and at its edges."""

from __future__ import annotations

import math

import numba
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.risk.kelly import kelly_fraction
from oracles.kelly import kelly_stake


@pytest.mark.parametrize(
    ("p_gain", "p_loss", "cost", "expected"),
    [
        (0.45, 0.35, 0.0, 12.5),
        (0.45, 0.35, 0.001, 0.0),  # a knife edge: the edge is the cost
        (0.50, 0.30, 0.001, 12.699583),
    ],
)
def test_reference_values(p_gain: float, p_loss: float, cost: float, expected: float) -> None:
    found = kelly_fraction(p_gain, p_loss, 0.01, 0.01, cost)
    assert found == pytest.approx(expected, rel=1e-7)
    assert (found == 0.0) == (expected == 0.0)


@settings(max_examples=300, deadline=None)
@given(
    shares=st.tuples(*(3 * [st.floats(0.0, 1.0)])),
    gain=st.floats(1e-4, 0.2),
    loss=st.floats(1e-4, 0.2),
    cost=st.sampled_from([0.0, 1e-4, 1e-3, 0.01]),
)
def test_the_stake_is_the_root_of_its_equation(
    shares: tuple[float, float, float], gain: float, loss: float, cost: float
) -> None:
    total = sum(shares)
    p_gain, p_loss = (shares[0] / total, shares[1] / total) if total > 1e-9 else (0.4, 0.4)
    found = kelly_fraction(p_gain, p_loss, gain, loss, cost)
    assert 0.0 <= found <= 1.0 / (loss + cost)
    # near a fair bet both are differences of nearly equal numbers
    expected = kelly_stake(p_gain, p_loss, gain, loss, cost)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-7 / (loss + cost))


def test_what_cannot_lose_stakes_all_that_a_loss_would_take() -> None:
    assert kelly_fraction(0.5, 0.0, 0.01, 0.01, 0.0) == pytest.approx(100.0)
    assert kelly_fraction(1.0, 0.0, 0.01, 0.01, 0.001) == pytest.approx(1 / 0.011)


def test_a_nan_is_not_taken_for_an_edge() -> None:
    values = [0.6, 0.2, 0.01, 0.01, 0.001]
    for index in range(5):
        changed = [math.nan if place == index else value for place, value in enumerate(values)]
        assert math.isnan(kelly_fraction(*changed))


def test_from_another_jitted_function() -> None:
    @numba.njit
    def doubled(p: float) -> float:
        return 2.0 * kelly_fraction(p, 0.35, 0.01, 0.01, 0.0)

    assert doubled(0.45) == pytest.approx(25.0)
