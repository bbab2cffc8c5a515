import json

import numpy as np
import pytest
from sklearn.metrics import log_loss

from alphaseeker.training import metrics
from oracles import metrics as oracle


@pytest.fixture(scope="module")
def sample():
    random = np.random.default_rng(4)
    probabilities = random.dirichlet([2.0, 2.0, 2.0], 500)
    label = np.array([random.choice(3, p=p) for p in probabilities], np.int8)
    return probabilities, label


def test_ours_equal_their_oracles(sample):
    probabilities, label = sample
    assert metrics.expected_calibration_error(probabilities, label) == pytest.approx(
        oracle.calibration_error(probabilities, label)
    )
    assert metrics.brier_terms(probabilities, label).mean() == pytest.approx(
        oracle.brier(probabilities, label)
    )
    assert metrics.log_loss_terms(probabilities, label).mean() == pytest.approx(
        log_loss(label, probabilities, labels=[0, 1, 2])
    )


def test_rank_correlations_within_groups_equal_scipys():
    random = np.random.default_rng(2)
    group = random.permutation(np.repeat([0, 1, 2, 3, 5], [50, 9, 40, 30, 25]))
    score = random.integers(0, 6, len(group)).astype(float)
    outcome = np.round(0.3 * score + random.normal(size=len(group)), 1)
    score[group == 2] = 1.0
    outcome[group == 3] = 0.0
    found = metrics.group_rank_correlations(score, outcome, group)
    expected = oracle.group_correlations(score, outcome, group)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.isnan(found).tolist() == [False, True, False, True, True, False]
    assert metrics.mean_rank_correlation(score, outcome, group) == pytest.approx(
        np.nanmean(expected)
    )


def test_the_reference_value_with_ties():
    once = np.array([1.0, 2, 2, 3, 5]), np.array([2.0, 1, 4, 4, 5])
    # Thrice the same five rows: average ranks scale, so the correlation stays.
    score, outcome = (np.tile(values, 3) for values in once)
    found = metrics.group_rank_correlations(score, outcome, np.zeros(15, np.int64))
    assert found[0] == pytest.approx(0.763158, abs=1e-6)


def test_no_groups_have_no_correlation():
    empty = np.empty(0)
    assert metrics.mean_rank_correlation(empty, empty, np.empty(0, np.int64)) == 0.0


def test_rates_of_confusion_matrices_equal_scikit_learns(sample):
    probabilities, label = sample
    for choice in (probabilities.argmax(axis=1), np.ones(500, np.int64)):
        card = metrics.classification_metrics(label, choice.astype(np.int8))
        found = metrics.rates(np.array([card["confusion_matrix"]], float))
        for name, values in found.items():
            assert values[0] == pytest.approx(card[name], abs=1e-12), name
        assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_an_absent_class_is_no_error():
    label = np.array([1, 1, 2, 2], np.int8)
    card = metrics.classification_metrics(label, label)
    assert card["accuracy"] == 1.0
    assert card["confusion_matrix"] == [[0, 0, 0], [0, 2, 0], [0, 0, 2]]


def test_direction_auc():
    assert metrics.direction_auc(np.array([1.0, 2, 3]), np.array([-1.0, 0, 1])) == 1.0
    assert metrics.direction_auc(np.array([1.0, 2]), np.array([1.0, 1.0])) == 0.5
