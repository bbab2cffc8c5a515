import lightgbm
import numpy as np
import pytest

from alphaseeker.training import importance as module
from alphaseeker.training.fit import raw_scores
from alphaseeker.training.importance import HeldSample, feature_importance, sample_places

NAMES = ("a", "b", "c", "d")
CALIBRATION = {"temperature": 1.0, "bias": [0.0, 0.0, 0.0], "min_confidence": 0.0}


@pytest.fixture(scope="module")
def fitted():
    """The text of a model of a and b, and rows that it has not seen."""
    random = np.random.default_rng(0)
    matrix = random.normal(size=(6000, 4)).astype(np.float32)
    latent = matrix[:, 0] + 0.3 * matrix[:, 1] + random.normal(size=6000)
    label = np.digitize(latent, [-0.6, 0.6]).astype(np.int8)
    train = lightgbm.Dataset(matrix[:4000], label[:4000], feature_name=list(NAMES))
    keys = {"objective": "multiclass", "num_class": 3, "num_leaves": 6, "verbosity": -1}
    text = lightgbm.train({**keys, "num_threads": 1}, train, 20).model_to_string()
    return text, matrix[4000:], label[4000:]


def sample_of(fitted, names=NAMES):
    text, matrix, label = fitted
    return HeldSample(
        names=names,
        matrix=matrix,
        label=label,
        score_matrix=raw_scores(text),
        calibration=CALIBRATION,
    )


def test_gain_and_permutation_find_what_the_labels_are_made_of(fitted):
    rows = feature_importance(fitted[0], NAMES, [sample_of(fitted)])
    assert [row["feature"] for row in rows[:2]] == ["a", "b"]
    assert sum(row["gain_share"] for row in rows) == pytest.approx(1.0)
    assert rows[0]["permutation"] > rows[1]["permutation"] > 0.01
    assert all(abs(row["permutation"]) < 0.005 for row in rows[2:])
    assert all(row["permuted"] for row in rows)


def test_it_is_the_mean_rise_of_the_loss_over_the_rows_of_all_samples(fitted):
    one = feature_importance(fitted[0], NAMES, [sample_of(fitted)])
    two = feature_importance(fitted[0], NAMES, [sample_of(fitted)] * 2)
    for row, other in zip(one, two, strict=True):
        assert other["permutation"] == pytest.approx(row["permutation"])
    # A fold that did not select a feature lost nothing without it.
    renamed = sample_of(fitted, ("x", "b", "c", "d"))
    (first, *_) = feature_importance(fitted[0], NAMES, [sample_of(fitted), renamed])
    assert first["permutation"] == pytest.approx(one[0]["permutation"] / 2)


def test_the_same_rows_give_the_same_numbers(fitted):
    found = [feature_importance(fitted[0], NAMES, [sample_of(fitted)]) for _ in range(2)]
    assert found[0] == found[1]


def test_features_beyond_the_largest_gains_are_not_shuffled(fitted, monkeypatch):
    monkeypatch.setattr(module, "PERMUTED_FEATURES", 1)
    rows = feature_importance(fitted[0], NAMES, [sample_of(fitted)])
    assert [row["permuted"] for row in rows] == [True, False, False, False]
    assert [row["permutation"] for row in rows[1:]] == [0.0] * 3


def test_the_sample_is_bounded_and_spread_evenly():
    assert sample_places(5).tolist() == [0, 1, 2, 3, 4]
    places = sample_places(1_000_000)
    assert len(places) == 2_000
    assert (places[0], places[-1]) == (0, 999_999)
    assert np.ptp(np.diff(places)) <= 1
