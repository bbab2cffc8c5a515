import math

import numpy as np
import pytest

from alphaseeker.factors.direction import known_directions
from oracles import factors as oracle


def test_direction_is_the_sign_of_what_was_known():
    ics = [np.array([-0.3, 0.1, 0.4, math.nan, -0.9, -0.9])]
    starts = [np.arange(6) * 100]
    (found,) = known_directions(ics, starts, [starts[0] + 90 + 5])
    # Known five after the end of each block, which is before the next one begins.
    np.testing.assert_array_equal(found, [math.nan, -1, -1, 1, 1, -1])
    (late,) = known_directions(ics, starts, [starts[0] + 90 + 15])
    np.testing.assert_array_equal(late, [math.nan, math.nan, -1, -1, 1, 1])


def test_symbols_teach_each_other_and_no_later_block_counts():
    ics = [np.array([0.2, 0.2]), np.array([-0.5, -0.5])]
    starts = [np.array([0, 100]), np.array([1000, 1100])]
    found = known_directions(ics, starts, [start + 100 for start in starts])
    np.testing.assert_array_equal(found[0], [math.nan, 1])
    np.testing.assert_array_equal(found[1], [1, -1])


def test_no_direction_without_any_or_with_a_mean_of_zero():
    assert known_directions([], [], []) == []
    (never,) = known_directions([np.full(3, np.nan)], [np.arange(3)], [np.arange(3)])
    assert np.isnan(never).all()
    (even,) = known_directions([np.array([0.5, -0.5, 1])], [np.arange(3)], [np.arange(3)])
    np.testing.assert_array_equal(even, [1.0, math.nan, 1.0])


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_oracle(seed):
    rng = np.random.default_rng(seed)
    sizes = (30, 1, 0, 20)
    starts = [np.sort(rng.integers(0, 1000, size)) for size in sizes]
    known_at = [start + rng.integers(1, 90, len(start)) for start in starts]
    ics = [np.where(rng.random(size) < 0.2, np.nan, rng.standard_normal(size)) for size in sizes]
    found = known_directions(ics, starts, known_at)
    expected = oracle.known_directions(ics, starts, known_at)
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, other)
