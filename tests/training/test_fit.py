import numpy as np
import pytest

from alphaseeker.config import ModelConfig
from alphaseeker.training.fit import (
    fit_model,
    leaf_size,
    lightgbm_parameters,
    raw_scores,
)

NAMES = ("book.imbalance", "b", "c", "d")


@pytest.fixture(scope="module")
def parts():
    random = np.random.default_rng(0)
    matrix = random.normal(size=(3000, 4)).astype(np.float32)
    latent = matrix[:, 0] + random.normal(size=3000)
    label = np.digitize(latent, [-1.0, 0.3]).astype(np.int8)
    weight = np.ones(3000)
    return tuple((matrix[p], label[p], weight[p]) for p in (slice(2000), slice(2000, None)))


def fitted(parts, **config):
    keys = {"num_boost_round": 12, "early_stopping_rounds": 3, "num_threads": 1, **config}
    return fit_model(*parts, NAMES, ModelConfig(**keys))


def test_the_same_seed_gives_the_same_bytes(parts):
    assert fitted(parts).model_text == fitted(parts).model_text


@pytest.mark.parametrize(
    "change",
    [
        {"objective": "multiclassova"},
        {"random_state": 7},
        {"num_leaves": 4},
        {"learning_rate": 0.3},
        {"feature_fraction": 0.5},
        {"lambda_l2": 0.0},
        {"num_boost_round": 2},
        {"min_data_in_leaf": 400},
        {"min_gain_to_split": 50.0},
        {"linear_part": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_model_key_changes_the_trees(parts, change):
    def trees(text):
        return text.partition("end of trees")[0]

    base = {"min_gain_to_split": 0.0, "linear_part": False}
    changed = fitted(parts, **{**base, **change})
    assert trees(changed.model_text) != trees(fitted(parts, **base).model_text)


def test_the_remaining_keys_reach_lightgbm(parts):
    assert "[num_threads: 2]" in fitted(parts, num_threads=2).model_text
    hasty = fitted(parts, num_boost_round=300, early_stopping_rounds=1, learning_rate=0.5)
    patient = fitted(parts, num_boost_round=300, early_stopping_rounds=60, learning_rate=0.5)
    assert hasty.best_iteration <= patient.best_iteration < 300
    assert lightgbm_parameters(ModelConfig(), 100)["num_class"] == ModelConfig().num_class


def test_the_fit_stops_where_the_validation_loss_is_least(parts):
    fit = fitted(parts, num_boost_round=200, learning_rate=0.3, linear_part=False)
    assert 1 <= fit.best_iteration < 200
    assert fit.num_trees == 3 * fit.best_iteration


def test_leaves_grow_with_the_data_unless_set():
    assert leaf_size(ModelConfig(), 100) == 50
    assert leaf_size(ModelConfig(), 100_000) == 5000
    assert leaf_size(ModelConfig(min_data_in_leaf=7), 100_000) == 7


def test_the_weights_change_the_trees(parts):
    (matrix, label, weight), validation = parts
    heavy = (matrix, label, np.where(label == 0, 3.0, weight))
    assert fitted((heavy, validation)).model_text != fitted(parts).model_text
    # Against lambda_l2 the scale of all weights counts.
    scaled = tuple((one, own, 0.01 * each) for one, own, each in parts)
    assert fitted(scaled).model_text != fitted(parts).model_text


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
def test_the_uninformed_scores_are_those_of_a_model_without_splits(parts, objective):
    keys = {"min_gain_to_split": 1e9, "linear_part": False, "objective": objective}
    weighed = tuple((one, own, np.where(own == 2, 2.0, each)) for one, own, each in parts)
    fit = fitted(weighed, **keys)
    scores = raw_scores(fit.model_text)(parts[1][0])
    assert scores == pytest.approx(np.tile(fit.uninformed, (1000, 1)), abs=1e-6)


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
def test_a_fit_goes_on_from_another_one(parts, objective):
    (matrix, label, weight), validation = parts
    few = (matrix[:500], label[:500], np.where(label[:500] == 0, 3.0, weight[:500]))
    first = fitted((few, validation), objective=objective)
    keys = ModelConfig(
        num_boost_round=6, early_stopping_rounds=3, num_threads=1, objective=objective
    )
    second = fit_model(*parts, NAMES, keys, start=first.model_text)
    # The new trees learn how the class shares moved, so nothing of the old ones is left over.
    shares = np.bincount(label, minlength=3) / len(label)
    odds = shares / (1.0 - shares) if objective == "multiclassova" else shares
    assert second.uninformed == pytest.approx(np.log(odds))
    assert second.uninformed != pytest.approx(first.uninformed, abs=0.1)
    assert second.num_trees == first.num_trees + 3 * second.best_iteration
    assert second.model_text.count("Tree=") == second.num_trees


def test_the_linear_part_is_added(parts):
    fit = fitted(parts)
    assert 0.0 < fit.blend["linear"] <= 1.0
    assert fit.num_trees == 3 * (fit.best_iteration + 1)
    alone = fitted(parts, linear_part=False)
    assert alone.blend == {"trees": 1.0, "linear": 0.0}

    def loss(model):
        scores = raw_scores(model.model_text)(parts[1][0])
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return -logs[np.arange(1000), parts[1][1]].mean()

    assert loss(fit) <= loss(alone)


def test_progress_is_told_after_each_round(parts):
    seen = []
    fit_model(
        *parts,
        NAMES,
        ModelConfig(num_boost_round=4, num_threads=1),
        on_round=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_scores_are_those_of_the_saved_text(parts):
    fit = fitted(parts)
    scores = raw_scores(fit.model_text)(parts[1][0])
    assert scores.shape == (1000, 3)
    assert scores.dtype == np.float64
    assert np.corrcoef(scores[:, 2] - scores[:, 0], parts[1][0][:, 0])[0, 1] > 0.8
