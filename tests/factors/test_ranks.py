import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from alphaseeker.factors.ranks import average_ranks, ranks_in_order, sort_order
from oracles import factors as oracle

FLOATS = st.floats(allow_nan=False, allow_infinity=True, allow_subnormal=True)
FEW = st.sampled_from([-2.0, -0.0, 0.0, 1.0, 1.5])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(FLOATS, FEW), max_size=60))
def test_ranks_equal_the_oracle(numbers):
    values = np.array(numbers, dtype=np.float64)
    assert np.array_equal(average_ranks(values), oracle.average_ranks(values))


@pytest.mark.parametrize("kind", ["float64", "float32", "rounded", "constant", "wide"])
def test_ranks_equal_scipy(kind):
    values = np.random.default_rng(5).standard_normal(3000)
    values = {
        "float64": values,
        "float32": values.astype(np.float32).astype(np.float64),
        "rounded": np.round(values, 1),
        "constant": np.zeros(3000),
        "wide": np.exp(200 * values) * np.sign(values),
    }[kind]
    assert np.array_equal(average_ranks(values), rankdata(values))


def test_order_is_stable():
    values = np.array([1.0, 0.0, 1.0, -0.0, 0.0])
    assert sort_order(values).tolist() == [1, 3, 4, 0, 2]


def test_input_is_left_alone():
    values = np.array([3.0, -0.0, -1.0])
    before = values.tobytes()
    average_ranks(values)
    assert values.tobytes() == before


def test_kernels_compile_inside_another():
    @numba.njit
    def twice(values):
        order = sort_order(values)
        return ranks_in_order(values, order), average_ranks(values)

    known, plain = twice(np.array([5.0, 2.0, 2.0]))
    assert known.tolist() == plain.tolist() == [3.0, 1.5, 1.5]
