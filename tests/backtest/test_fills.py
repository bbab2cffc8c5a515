"""A market order at one quote: the touch, the levels, and what is left."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alphaseeker.backtest.fills import market_fill
from oracles.backtest import take

NO_LEVELS = np.empty((0, 4))
LEVELS = np.array([[99.0, 1.0, 101.0, 2.0], [98.0, 3.0, 102.0, 1.5], [97.0, 9.0, np.nan, np.nan]])


@pytest.mark.parametrize(
    ("quantity", "size", "price"),
    [
        (1.5, 1.5, 101.0),
        (2.0, 2.0, 101.0),
        (3.0, 3.0, (2 * 101.0 + 1 * 102.0) / 3),
        (9.0, 3.5, (2 * 101.0 + 1.5 * 102.0) / 3.5),  # the third level is not known
        (-0.5, 0.5, 99.0),
        (-5.0, 5.0, (99.0 + 3 * 98.0 + 97.0) / 5),
    ],
)
def test_levels_are_walked(quantity, size, price):
    got = market_fill(quantity, 99.0, 101.0, 1.0, 2.0, LEVELS)
    assert got == pytest.approx((size, price), rel=1e-15)


@pytest.mark.parametrize(
    ("quantity", "bid_volume", "ask_volume", "expected"),
    [
        (5.0, 1.0, 2.0, (2.0, 101.0)),
        (-5.0, 1.0, 2.0, (1.0, 99.0)),
        (5.0, 1.0, math.nan, (5.0, 101.0)),  # a size that is not known fills any order
        (1.0, 1.0, 2.0, (1.0, 101.0)),
    ],
)
def test_without_levels_the_touch_fills(quantity, bid_volume, ask_volume, expected):
    assert market_fill(quantity, 99.0, 101.0, bid_volume, ask_volume, NO_LEVELS) == expected


def test_an_empty_side_fills_nothing():
    size, price = market_fill(1.0, 99.0, 101.0, 1.0, 0.0, NO_LEVELS)
    assert size == 0.0
    assert math.isnan(price)


def test_a_first_level_without_a_price_leaves_the_touch():
    levels = np.full((2, 4), np.nan)
    assert market_fill(3.0, 99.0, 101.0, 1.0, 2.0, levels) == (2.0, 101.0)


sizes = st.floats(0.01, 100.0)


@given(st.floats(0.01, 300.0), st.sampled_from([1, -1]), st.lists(sizes, min_size=8, max_size=8))
def test_any_book_against_the_oracle(wanted, side, volumes):
    levels = np.array([[99.0 - n, volumes[n], 101.0 + n, volumes[4 + n]] for n in range(4)])
    size, price = market_fill(side * wanted, 99.0, 101.0, volumes[0], volumes[4], levels)
    from decimal import Decimal

    quote = (0, 99.0, 101.0, volumes[0], volumes[4])
    taken, money = take(Decimal(wanted), side, quote, levels.tolist())
    assert size == pytest.approx(float(taken), rel=1e-12)
    assert size * price == pytest.approx(float(money), rel=1e-12)
