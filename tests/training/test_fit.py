import numpy as np
import pytest

from alphaseeker.config import ModelConfig
from alphaseeker.training.fit import (
    class_weights,
    fit_model,
    leaf_size,
    lightgbm_parameters,
    raw_scores,
)

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def parts():
    random = np.random.default_rng(0)
    matrix = random.normal(size=(3000, 4)).astype(np.float32)
    latent = matrix[:, 0] + random.normal(size=3000)
    label = np.digitize(latent, [-1.0, 0.3]).astype(np.int8)
    return (matrix[:2000], label[:2000]), (matrix[2000:], label[2000:])


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
        {"class_weight": None},
        {"num_leaves": 4},
        {"learning_rate": 0.3},
        {"feature_fraction": 0.5},
        {"lambda_l2": 0.0},
        {"num_boost_round": 2},
        {"min_data_in_leaf": 400},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_model_key_changes_the_trees(parts, change):
    def trees(text):
        return text.partition("end of trees")[0]

    changed = {"feature_fraction": 0.8, **change}
    assert trees(fitted(parts, **changed).model_text) != trees(fitted(parts).model_text)


def test_the_remaining_keys_reach_lightgbm(parts):
    assert "[num_threads: 2]" in fitted(parts, num_threads=2).model_text
    hasty = fitted(parts, num_boost_round=300, early_stopping_rounds=1, learning_rate=0.5)
    patient = fitted(parts, num_boost_round=300, early_stopping_rounds=60, learning_rate=0.5)
    assert hasty.best_iteration <= patient.best_iteration < 300
    assert lightgbm_parameters(ModelConfig(), 100)["num_class"] == ModelConfig().num_class


def test_the_fit_stops_where_the_validation_loss_is_least(parts):
    fit = fitted(parts, num_boost_round=200, learning_rate=0.3)
    assert 1 <= fit.best_iteration < 200
    assert fit.num_trees == 3 * fit.best_iteration


def test_leaves_grow_with_the_data_unless_set():
    assert leaf_size(ModelConfig(), 100) == 50
    assert leaf_size(ModelConfig(), 100_000) == 5000
    assert leaf_size(ModelConfig(min_data_in_leaf=7), 100_000) == 7


def test_balanced_classes_weigh_the_same():
    label = np.array([0, 1, 1, 1, 2, 2], np.int8)
    weights = class_weights(label, ModelConfig())
    assert weights * np.bincount(label) == pytest.approx([2.0, 2.0, 2.0])
    assert class_weights(label, ModelConfig(class_weight=None)).tolist() == [1, 1, 1]


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
