"""The mid of decimals: equal where it is on paper, and untouched where that cannot be said."""

import numpy as np
import pytest

from alphaseeker._jit import kernel
from alphaseeker.features.mid import decimal_mid, decimal_scale


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
