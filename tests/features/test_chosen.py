"""Choosing columns: in a row or not, with custom ones between, and what counts as a change."""

import numpy as np
import pytest

from alphaseeker._jit import kernel
from alphaseeker.features.chosen import N_FEATURES, copy_chosen, first_of_row

RNG = np.random.default_rng(3)


@kernel
def copy(bits, columns, first, features):
    return copy_chosen(bits, columns, first, features)


def chosen(vector, columns, features):
    columns = np.array(columns, dtype=np.int64)
    return copy(
        vector.view(np.uint32),
        columns.view(np.uint64),
        first_of_row(columns),
        features.view(np.uint32),
    )


@pytest.mark.parametrize(
    ("columns", "first"),
    [
        ((), -1),
        ((7,), 7),
        ((0, 1, 2), 0),
        ((4, 5, 6, 7), 4),
        ((4, 5, 7), -1),
        ((5, 4), -1),
        ((4, 4), -1),
        ((-1,), -1),
        ((-2, -1, 0), -1),
        ((-1, 0, 1), -1),
    ],
)
def test_columns_in_a_row(columns, first):
    assert first_of_row(np.array(columns, dtype=np.int64)) == first


@pytest.mark.parametrize(
    "columns", [range(N_FEATURES), range(20, 50), (3, 9, 3, N_FEATURES - 1), (7,), ()]
)
def test_the_chosen_columns_are_copied_bit_by_bit(columns):
    vector = RNG.normal(size=N_FEATURES).astype(np.float32)
    vector[[3, 25]] = np.nan, -0.0
    features = np.full(len(columns), np.nan, dtype=np.float32)
    chosen(vector, columns, features)
    assert features.tobytes() == vector[list(columns)].tobytes()


def test_custom_columns_are_left_alone():
    vector = RNG.normal(size=N_FEATURES).astype(np.float32)
    features = np.array([1.0, 2.0, 3.0], dtype=np.float32)
    chosen(vector, (4, -1, -2), features)
    assert features.tolist() == [vector[4], 2.0, 3.0]


@pytest.mark.parametrize("columns", [(10, 11, 12), (10, 12, 11)])
def test_a_change_is_one_of_bits(columns):
    vector = RNG.normal(size=N_FEATURES).astype(np.float32)
    vector[11] = np.nan
    features = np.zeros(3, dtype=np.float32)
    assert chosen(vector, columns, features)
    assert not chosen(vector, columns, features)
    vector[9] += 1.0  # not chosen
    assert not chosen(vector, columns, features)
    vector[12] = 0.0
    assert chosen(vector, columns, features)
    vector[12] = -0.0
    assert chosen(vector, columns, features)
