import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alphaseeker.errors import ModelError
from alphaseeker.model import forest_table
from alphaseeker.model.forest_table import (
    LEAF,
    MAX_LEAVES,
    build_table,
    order_key,
    table_bytes,
    threshold_keys,
)
from alphaseeker.model.trees import parse_trees
from model.exactness import SPECIAL, train

ZERO = float(np.float32(1e-35))
FINITE = SPECIAL[~np.isnan(SPECIAL)]
singles = st.floats(width=32, allow_nan=False) | st.sampled_from(FINITE.tolist())
near_singles = st.builds(
    lambda value, direction: float(np.nextafter(np.float64(value), direction)),
    singles,
    st.sampled_from([-math.inf, math.inf]),
)
doubles = st.floats(allow_nan=False) | singles | near_singles


@pytest.fixture(scope="module")
def trees():
    return parse_trees(train("table", leaves=31, rounds=10, n_features=9, missing=0.1).text)


@given(singles, singles)
def test_keys_are_in_the_order_of_the_values(first, second):
    a, b = order_key(np.float32([first, second])).tolist()
    if first < second:
        assert a < b
    elif first == second != 0.0:
        assert a == b


@given(singles, doubles)
def test_a_key_decides_as_lightgbm_does_in_doubles(value, threshold):
    (key,) = order_key(np.float32([value]))
    (limit,) = threshold_keys(np.float64([threshold]))
    seen = 0.0 if abs(value) <= ZERO else value
    assert (key <= limit) == (seen <= threshold)


@pytest.mark.parametrize("threshold", [0.0, -0.0, ZERO, -ZERO, 5e-324, -5e-324, math.inf, 1e300])
def test_every_special_value_beside_special_thresholds(threshold):
    seen = np.where(np.abs(FINITE) <= ZERO, 0.0, FINITE.astype(np.float64))
    left = order_key(FINITE) <= threshold_keys(np.float64([threshold]))
    assert left.tolist() == (seen <= threshold).tolist()


def test_crossings_are_all_nodes_by_column_and_threshold(trees):
    table = build_table(trees)
    assert len(table.crossings) == len(table.thresholds) == len(trees.column)
    seen = set()
    for column in range(table.n_features):
        part = slice(table.starts[column], table.starts[column + 1])
        assert (np.diff(table.thresholds[part].astype(np.int64)) >= 0).all()
        for crossing, key in zip(table.crossings[part], table.thresholds[part], strict=True):
            tree = crossing["tree"]
            node = table.first_node[tree] + crossing["node"]
            seen.add(int(node))
            assert (trees.tree[node], trees.column[node]) == (tree, column)
            assert table.nodes["key"][node] == key
            first = trees.first_leaf[node] - trees.leaf_start[tree]
            assert crossing["first"] == LEAF + first
            assert crossing["behind"] == LEAF + first + trees.leaves[node]
    assert seen == set(range(len(trees.column)))


def test_a_missing_value_has_the_key_that_goes_the_nodes_way(trees):
    table = build_table(trees)
    low = table.nodes["slot"] >= table.n_features
    assert (low == np.where(trees.nan_is_zero, trees.threshold >= 0.0, trees.default_left)).all()
    assert low.any()
    assert not low.all()


def test_a_table_is_read_only(trees):
    table = build_table(trees)
    for array in (table.nodes, table.crossings, table.leaf_value, table.starts):
        assert not array.flags.writeable


def test_the_size_is_known_beforehand(trees, monkeypatch):
    table = build_table(trees)
    size = sum(item.nbytes for item in vars(table).values() if isinstance(item, np.ndarray))
    assert table_bytes(trees) == size
    monkeypatch.setattr(forest_table, "MAX_TABLE_BYTES", size - 1)
    with pytest.raises(ModelError, match=rf"needs {size:,} bytes, at most {size - 1:,}"):
        build_table(trees)
    monkeypatch.setattr(forest_table, "MAX_TABLE_BYTES", size)
    build_table(trees)


def test_a_tree_may_have_64_leaves_and_no_more():
    trees = parse_trees(train("64", leaves=MAX_LEAVES, rounds=1).text)
    assert max(trees.leaves) == MAX_LEAVES == 64
    build_table(trees)
    with pytest.raises(ModelError, match="has 65 leaves, at most 64"):
        build_table(parse_trees(train("65", leaves=65, rounds=1).text))


def test_too_many_features_are_refused(trees):
    with pytest.raises(ModelError, match="40000 features, at most 32767"):
        build_table(replace(trees, n_features=40_000))
