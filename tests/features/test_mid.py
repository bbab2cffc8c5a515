"""The mid of decimals: equal where it is on paper, and untouched where that cannot be said."""

import numpy as np
import pytest

from alphaseeker._jit import kernel
from alphaseeker.features.mid import decimal_mid, decimal_scale, decimal_spread


@kernel
def mid_of(bid: float, ask: float) -> float:
    return decimal_mid(bid, ask, decimal_scale(0.5 * (bid + ask)))


@pytest.mark.parametrize("tick", [1e-8, 1e-4, 0.01, 0.1, 0.5, 25.0])
def test_quotes_around_one_mid_have_one_mid(tick):
    rng = np.random.default_rng(0)
    units = rng.integers(100, 10**6, 2000)
    for unit in units:
        text = [f"{(unit + shift) * tick:.10f}" for shift in (-3, -1, 0, 1, 3)]
        outer, inner, middle = (mid_of(float(text[i]), float(text[4 - i])) for i in range(3))
        assert outer == inner == middle
        assert middle == pytest.approx(float(text[2]), rel=1e-15)


@pytest.mark.parametrize("tick", [1e-8, 1e-4, 0.01, 0.1, 0.5, 25.0])
def test_quotes_of_one_width_have_one_spread(tick):
    rng = np.random.default_rng(1)
    floats, spreads = set(), set()
    scale = decimal_scale(1000 * tick)
    for unit in rng.integers(500, 5_000, 500):
        bid, ask = float(f"{unit * tick:.10f}"), float(f"{(unit + 3) * tick:.10f}")
        floats.add(ask - bid)
        spreads.add(decimal_spread(bid, ask, scale))
    assert len(spreads) == 1
    assert spreads.pop() == pytest.approx(3 * tick, rel=1e-10)
    assert len(floats) > 1 or tick >= 0.5  # halves and whole numbers are exact


def test_a_locked_book_has_no_spread():
    assert decimal_spread(10.1, 10.1, decimal_scale(10.1)) == 0.0


def test_half_a_tick_is_a_move():
    scale = decimal_scale(60_000.0)
    assert decimal_mid(60_000.1, 60_000.2, scale) == 60_000.15
    assert decimal_mid(60_000.1, 60_000.3, scale) == 60_000.2


@pytest.mark.parametrize("price", [1e-300, 1e-30, 1e-8, 1.0, 1e8, 1e30])
def test_any_price_keeps_its_size(price):
    assert mid_of(price, price) == pytest.approx(price, rel=1e-13)


def test_far_from_the_price_of_the_scale_the_float_stands():
    scale = decimal_scale(1.0)
    assert decimal_mid(1e9 + 0.1, 1e9 + 0.2, scale) == 0.5 * ((1e9 + 0.1) + (1e9 + 0.2))
    assert decimal_mid(1e-9, 3e-9, scale) == 0.5 * (1e-9 + 3e-9)
    assert decimal_spread(1e9 + 0.1, 1e9 + 1e6, scale) == 1e9 + 1e6 - (1e9 + 0.1)
