"""Grown and merged moments against exact rational arithmetic."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.kernels.moments import (
    COUNT,
    MEAN_X,
    MEAN_Y,
    XX,
    XY,
    YY,
    moments_step,
    pair_merge,
    pair_step,
)
from oracles import kernels as oracle

FIXED = settings(deadline=None, derandomize=True)
EPSILON = np.finfo(float).eps
STEPS = 20_000 if numba.config.DISABLE_JIT else 1_000_000

# Nothing so small that its square is lost below the smallest float.
number = st.one_of(
    st.just(0.0),
    st.floats(1e-3, 1e6),
    st.floats(-1e6, -1e-3),
    st.floats(-1.0, 1.0).map(lambda x: 60_000 + round(x, 3)),
)
numbers = st.lists(number, min_size=1, max_size=40)
pairs = st.lists(st.tuples(number, number), max_size=25)


def moments_run(values):
    count, mean, squares = 0.0, 0.0, 0.0
    for value in values:
        count, mean, squares = moments_step(count, mean, squares, value)
    return count, mean, squares


def pair_run(x, y, row):
    for i in range(len(x)):
        pair_step(row, x[i], y[i])
    return row


def merge_run(rows, merged):
    for i in range(rows.shape[0]):
        pair_merge(merged, rows[i], merged)
    return merged


compiled_moments_run = numba.njit(moments_run)
compiled_pair_run = numba.njit(pair_run)
compiled_merge_run = numba.njit(merge_run)


def row_of(items):
    x, y = np.array(items, dtype=float).reshape(-1, 2).T
    return compiled_pair_run(np.ascontiguousarray(x), np.ascontiguousarray(y), np.zeros(6))


def assert_row(row, items):
    x, y = np.array(items, dtype=float).reshape(-1, 2).T
    expected = oracle.pair_moments(x.tolist(), y.tolist())
    size_x, size_y = (np.max(np.abs(v), initial=0.0) for v in (x, y))
    # The error of a mean, times the deviations it is subtracted from, over all terms.
    error = 16 * len(items) * EPSILON
    spread_x, spread_y = (math.sqrt(value) for value in expected[[XX, YY]])
    assert row[COUNT] == len(items)
    assert row[MEAN_X] == pytest.approx(expected[MEAN_X], rel=0, abs=error * size_x)
    assert row[MEAN_Y] == pytest.approx(expected[MEAN_Y], rel=0, abs=error * size_y)
    for place, a, b, sa, sb in (
        (XX, spread_x, spread_x, size_x, size_x),
        (YY, spread_y, spread_y, size_y, size_y),
        (XY, spread_x, spread_y, size_x, size_y),
    ):
        bound = error * (a * b + a * sb + b * sa) + error**2 * sa * sb
        assert row[place] == pytest.approx(expected[place], rel=0, abs=bound)


@FIXED
@given(values=numbers)
def test_moments_of_one_variable(values):
    count, mean, squares = compiled_moments_run(np.array(values))
    exact_count, exact_mean, exact_squares = oracle.moments(values)
    size = max(map(abs, values))
    error = 16 * len(values) * EPSILON
    assert count == exact_count
    assert mean == pytest.approx(exact_mean, rel=0, abs=error * size)
    bound = error * (exact_squares + size * math.sqrt(exact_squares)) + (error * size) ** 2
    assert squares == pytest.approx(exact_squares, rel=0, abs=bound)
    assert squares >= 0.0


@FIXED
@given(items=pairs)
def test_moments_of_a_pair(items):
    assert_row(row_of(items), items)


@FIXED
@given(first=pairs, second=pairs)
def test_merged_moments_are_those_of_all_pairs(first, second):
    merged = np.full(6, np.nan)
    pair_merge(row_of(first), row_of(second), merged)
    assert_row(merged, first + second)


@FIXED
@given(first=pairs, second=pairs)
def test_merging_in_place_is_merging(first, second):
    apart = np.empty(6)
    pair_merge(row_of(first), row_of(second), apart)
    into_first, into_second = row_of(first), row_of(second)
    pair_merge(into_first, row_of(second), into_first)
    pair_merge(row_of(first), into_second, into_second)
    assert into_first.tobytes() == apart.tobytes() == into_second.tobytes()


@FIXED
@given(items=pairs)
def test_merging_nothing_changes_nothing(items):
    row = row_of(items)
    for first, second in ((row, np.zeros(6)), (np.zeros(6), row)):
        merged = np.full(6, np.nan)
        pair_merge(first, second, merged)
        assert np.array_equal(merged, row)


@FIXED
@given(value=st.floats(-1e12, 1e12), count=st.integers(1, 50))
def test_equal_values_have_no_variance_at_all(value, count):
    assert compiled_moments_run(np.full(count, value)) == (count, value, 0.0)
    row = row_of([(value, -value)] * count)
    pair_merge(row, row_of([(value, -value)] * 7), row)
    assert row.tolist() == [count + 7, value, -value, 0.0, 0.0, 0.0]


def test_a_small_spread_on_a_large_price_keeps_its_digits():
    x = 60_000 + np.random.default_rng(1).integers(0, 3, size=2000) / 10
    y = 3e9 - x
    row = row_of(np.column_stack([x, y]))
    assert row[XX] == pytest.approx(oracle.moments(x.tolist())[2], rel=1e-9)
    # The very case that sums of raw squares lose.
    raw = np.sum(y * y) - np.sum(y) ** 2 / len(y)
    exact = oracle.moments(y.tolist())[2]
    assert abs(raw - exact) > exact
    assert row[YY] == pytest.approx(exact, rel=1e-4)


def test_steps_from_another_kernel_give_the_same_bits():
    random = np.random.default_rng(2)
    x, y = random.normal(60_000, 1.0, size=300), random.normal(size=300)
    assert moments_run(x) == compiled_moments_run(x)
    by_pairs = pair_run(x, y, np.zeros(6))
    assert by_pairs.tobytes() == compiled_pair_run(x, y, np.zeros(6)).tobytes()
    rows = np.array([row_of([(a, b)] * 3) for a, b in zip(x, y, strict=True)])
    merged = merge_run(rows, np.zeros(6))
    assert merged.tobytes() == compiled_merge_run(rows, np.zeros(6)).tobytes()


def test_a_long_run_does_not_drift():
    random = np.random.default_rng(3)
    x = 60_000 + np.cumsum(random.normal(size=STEPS))
    y = random.normal(size=STEPS)
    count, mean, squares = compiled_moments_run(x)
    centre = math.fsum(x) / STEPS
    assert count == STEPS
    assert mean == pytest.approx(centre, rel=1e-12)
    assert squares == pytest.approx(math.fsum((x - centre) ** 2), rel=1e-9)
    row = compiled_pair_run(x, y, np.zeros(6))
    products = (x - centre) * (y - math.fsum(y) / STEPS)
    size = math.fsum(np.abs(products))
    assert row[XY] == pytest.approx(math.fsum(products), rel=0, abs=1e-9 * size)
