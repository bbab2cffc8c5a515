"""Numbers of a tick: which types are taken, and the sentence for a value that is refused."""

import math
from decimal import Decimal

import numpy as np
import pytest

from alphaseeker.errors import DataError
from alphaseeker.market.tick_values import number, refusal

TICK = (100.0, 100.01, 5.0, 4.0, 100.0, 1.0, math.nan, math.nan)


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), np.float64(0.5), np.longdouble(0.5), Decimal("0.5")]
)
def test_a_number_of_any_kind_becomes_a_float(value):
    assert number("volume", value) == 0.5
    assert type(number("volume", value)) is float


def test_a_decimal_that_is_no_number_is_nan_or_infinite():
    assert math.isnan(number("close", Decimal("NaN")))
    assert math.isnan(number("close", Decimal("sNaN")))
    assert number("close", Decimal("-Infinity")) == -math.inf
    assert number("close", Decimal("1e400")) == math.inf


@pytest.mark.parametrize("value", ["0.5", None, True, np.True_, np.array(0.5), [0.5], b"1", 1j])
def test_anything_else_is_refused_by_name_and_type(value):
    with pytest.raises(DataError, match=rf"^close is .*{type(value).__name__}.* convert it"):
        number("close", value)


def test_a_refusal_says_where_float32_ends():
    text = str(refusal(-2, 0, (1e39, *TICK[1:])))
    assert text.startswith("bid_price is 1e+39, which float32 cannot hold; it must be a finite")
    for value in (-1.0, 0.0, math.inf, math.nan):
        assert "float32" not in str(refusal(-2, 0, (value, *TICK[1:])))
