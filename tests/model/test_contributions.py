"""TreeSHAP by LightGBM: sums, order of classes, and an oracle that sums over all coalitions."""

import itertools
import math
import re

import lightgbm
import numpy as np
import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model import contributions as module
from alphaseeker.model.contributions import RELATIVE_TOLERANCE, contributions

EDGES = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 3.4e38, -3.4e38], dtype=np.float32)


def raw_scores(text, row):
    return lightgbm.Booster(model_str=text).predict(row[np.newaxis], raw_score=True)[0]


def expected_of(tree, row, known):
    """Return what a tree gives where only the features ``known`` are known: others by share."""
    if "leaf_value" in tree:
        return tree["leaf_value"]
    children = [tree["left_child"], tree["right_child"]]
    if tree["split_feature"] in known:
        value = float(row[tree["split_feature"]])
        missing = math.isnan(value) and tree["missing_type"] == "NaN"
        value = 0.0 if math.isnan(value) else value
        left = tree["default_left"] if missing else value <= tree["threshold"]
        return expected_of(children[0 if left else 1], row, known)
    counts = [child.get("internal_count", child.get("leaf_count")) for child in children]
    values = [expected_of(child, row, known) for child in children]
    return sum(c * v for c, v in zip(counts, values, strict=True)) / sum(counts)


def shapley_values(booster, row):
    """Return Shapley values by their definition, over every coalition of features: (3, k + 1)."""
    trees = booster.dump_model()["tree_info"]
    count = len(row)
    result = np.zeros((3, count + 1))
    coalitions = [
        frozenset(chosen)
        for size in range(count + 1)
        for chosen in itertools.combinations(range(count), size)
    ]
    for number, info in enumerate(trees):
        tree = info["tree_structure"]
        worth = {known: expected_of(tree, row, known) for known in coalitions}
        result[number % 3, count] += worth[frozenset()]
        for feature in range(count):
            for known in coalitions:
                if feature in known:
                    continue
                size = len(known)
                weight = math.factorial(size) * math.factorial(count - size - 1)
                gain = worth[known | {feature}] - worth[known]
                result[number % 3, feature] += weight / math.factorial(count) * gain
    return result


def test_they_are_the_shapley_values_of_the_definition(model_text, artifact):
    booster = lightgbm.Booster(model_str=model_text)
    for row in artifact.golden_features[:4]:
        given = contributions(model_text, row)
        np.testing.assert_allclose(given, shapley_values(booster, row), rtol=0, atol=1e-12)


def test_each_class_sums_to_its_raw_score(model_text, artifact):
    random = np.random.default_rng(2)
    odd = random.choice(EDGES, size=(40, artifact.golden_features.shape[1]))
    for row in (*artifact.golden_features[:60], *odd):
        shares = contributions(model_text, row)
        assert shares.shape == (3, len(row) + 1)
        assert shares.dtype == np.float64
        missed = np.abs(shares.sum(axis=1) - raw_scores(model_text, row))
        assert (missed <= RELATIVE_TOLERANCE * np.abs(shares).sum(axis=1)).all()


def test_the_last_column_is_the_same_for_every_row(model_text, artifact):
    first, second = (contributions(model_text, row) for row in artifact.golden_features[:2])
    assert (first[:, -1] == second[:, -1]).all()
    assert (first[:, :-1] != second[:, :-1]).any()


def test_a_feature_that_no_tree_reads_adds_nothing(train, artifact):
    text = train(rounds=2, leaves=2)
    used = {int(name) for line in re.findall(r"split_feature=(.*)", text) for name in line.split()}
    unused = [index for index in range(artifact.golden_features.shape[1]) if index not in used]
    assert unused
    shares = contributions(text, artifact.golden_features[0])
    assert not shares[:, unused].any()
    assert shares[:, sorted(used)].any()


def test_two_models_in_turn(train, artifact):
    row = artifact.golden_features[0]
    texts = [train(rounds=2), train(rounds=3)]
    for text in (*texts, *texts):
        sums = contributions(text, row).sum(axis=1)
        np.testing.assert_allclose(sums, raw_scores(text, row), rtol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (7,), (2, 6), ()])
def test_another_shape_is_refused(model_text, shape):
    with pytest.raises(ModelError, match="features has shape"):
        contributions(model_text, np.zeros(shape, dtype=np.float32))


def test_a_damaged_text_does_not_reach_lightgbm(model_text, artifact):
    damaged = model_text.replace("left_child=", "left_child=9")
    with pytest.raises(ModelError):
        contributions(damaged, artifact.golden_features[0])


def test_a_sum_that_misses_the_score_is_refused(model_text, artifact, monkeypatch):
    class Wrong:
        def num_feature(self):
            return artifact.golden_features.shape[1]

        def predict(self, matrix, **how):
            right = lightgbm.Booster(model_str=model_text).predict(matrix, **how)
            return right * (1.0 + 1e-8) if "pred_contrib" in how else right

    monkeypatch.setattr(module, "_booster", lambda text: Wrong())
    with pytest.raises(ModelError, match="sum to"):
        contributions(model_text, artifact.golden_features[0])
