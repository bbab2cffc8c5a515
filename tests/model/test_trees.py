import numpy as np
import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model.trees import parse_trees
from model.exactness import SPECIAL, every_model, hard_rows, train


def leaf_of(trees, tree, row):
    """Go down one tree as LightGBM's source does, in doubles."""
    place = int(trees.root[tree])
    while place >= 0:
        value = float(row[trees.column[place]])
        threshold = trees.threshold[place]
        if abs(value) <= float(np.float32(1e-35)) or (np.isnan(value) and trees.nan_is_zero[place]):
            value = 0.0
        if np.isnan(value):
            left = trees.default_left[place]
        else:
            left = value <= threshold
        place = int(trees.left[place] if left else trees.right[place])
    return ~place


@pytest.mark.parametrize("model", every_model()[::6], ids=lambda model: model.name)
def test_the_arrays_say_all_that_lightgbm_needs(model):
    trees = parse_trees(model.text)
    rows = hard_rows(model)
    rows = rows[:: max(1, len(rows) // 40)]
    scores = np.zeros((len(rows), 3))
    for target, row in zip(scores, rows, strict=True):
        for tree in range(len(trees.root)):
            target[tree % trees.n_classes] += trees.leaf_value[leaf_of(trees, tree, row)]
    assert scores.tobytes() == model.scores(rows).tobytes()


def test_leaves_are_numbered_from_left_to_right():
    trees = parse_trees(train("tree", leaves=40, rounds=3).text)

    def leaves_of(place):
        if place < 0:
            return [~place]
        return leaves_of(int(trees.left[place])) + leaves_of(int(trees.right[place]))

    assert [leaf for root in trees.root for leaf in leaves_of(int(root))] == list(
        range(len(trees.leaf_value))
    )
    for node in range(len(trees.column)):
        first, count = trees.first_leaf[node], trees.leaves[node]
        assert leaves_of(node) == list(range(first, first + count))
        assert trees.leaf_start[trees.tree[node]] <= first


def test_a_tree_of_one_leaf_has_no_nodes():
    trees = parse_trees(train("leaf", min_data_in_leaf=400, rounds=2).text)
    assert trees.root.tolist() == [~tree for tree in range(len(trees.root))]
    assert len(trees.column) == len(trees.threshold) == 0
    assert len(trees.leaf_value) == len(trees.root)


def test_the_text_is_validated_first():
    text = train("small", rounds=1, leaves=3).text
    with pytest.raises(ModelError, match="max_feature_idx"):
        parse_trees(text, n_features=7)
    with pytest.raises(ModelError, match="LightGBM model text"):
        parse_trees(text.replace("left_child=", "left_child=9", 1))


def test_special_values_hold_what_they_promise():
    assert np.isnan(SPECIAL).sum() == 4
    assert np.isinf(SPECIAL).sum() == 2
