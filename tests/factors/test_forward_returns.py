import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.factors.forward_returns import forward_return, label_end, prevailing_row
from oracles import factors as oracle

SECOND = 10**9


def test_label_ends_at_first_row_whose_horizon_has_passed():
    timestamp = np.array([0, 10, 59, 61, 70, 130]) * SECOND
    segment = np.zeros(6, dtype=np.int64)
    assert label_end(timestamp, segment, 60 * SECOND).tolist() == [3, 4, 5, 5, 5, -1]


def test_the_quote_that_prevails_is_the_last_one_by_then():
    timestamp = np.array([0, 10, 59, 61, 70, 130]) * SECOND
    segment = np.zeros(6, dtype=np.int64)
    assert prevailing_row(timestamp, segment, 60 * SECOND).tolist() == [2, 4, 4, 4, 5, -1]


def test_return_is_the_logarithm_of_the_price_ratio():
    timestamp = np.array([0, 1, 2]) * SECOND
    price = np.array([100.0, 110.0, 99.0])
    result = forward_return(timestamp, price, np.zeros(3, dtype=np.int64), SECOND)
    assert result[:2] == pytest.approx([math.log(1.1), math.log(0.9)])
    assert math.isnan(result[2])


def test_nothing_crosses_a_segment():
    timestamp = np.array([0, 1, 2, 3]) * SECOND
    segment = np.array([0, 0, 1, 1])
    price = np.array([1.0, 2.0, 4.0, 8.0])
    result = forward_return(timestamp, price, segment, SECOND)
    assert np.isnan(result).tolist() == [False, True, False, True]


def test_price_that_is_not_above_zero_has_no_return():
    timestamp = np.array([0, 1, 2, 3]) * SECOND
    price = np.array([1.0, 0.0, math.nan, 1.0])
    result = forward_return(timestamp, price, np.zeros(4, dtype=np.int64), SECOND)
    assert np.isnan(result).all()


def test_no_rows():
    none = np.empty(0, dtype=np.int64)
    assert len(forward_return(none, np.empty(0), none, 1)) == 0


ROW = st.tuples(st.integers(0, 4), st.booleans(), st.floats(0.5, 2.0))


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=40), st.integers(1, 12))
def test_equals_the_oracle(rows, horizon):
    steps = np.array([row[0] for row in rows], dtype=np.int64)
    timestamp = np.cumsum(steps)
    segment = np.cumsum([row[1] for row in rows], dtype=np.int64)
    price = np.array([row[2] for row in rows], dtype=np.float64)
    assert np.array_equal(
        label_end(timestamp, segment, horizon), oracle.label_end(timestamp, segment, horizon)
    )
    assert np.array_equal(
        prevailing_row(timestamp, segment, horizon),
        oracle.prevailing_row(timestamp, segment, horizon),
    )
    np.testing.assert_allclose(
        forward_return(timestamp, price, segment, horizon),
        oracle.forward_return(timestamp, price, segment, horizon),
        rtol=1e-13,
    )


def test_kernels_compile_inside_another():
    @numba.njit
    def both(timestamp, price, segment):
        return label_end(timestamp, segment, 2), forward_return(timestamp, price, segment, 2)

    timestamp, segment = np.arange(5), np.zeros(5, dtype=np.int64)
    end, result = both(timestamp, np.exp(np.arange(5.0)), segment)
    assert end.tolist() == [2, 3, 4, -1, -1]
    assert result[:3] == pytest.approx([2.0, 2.0, 2.0])
