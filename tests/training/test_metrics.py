import json

import numpy as np
import pytest
from scipy.stats import spearmanr
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


@pytest.fixture(scope="module")
def ranked():
    random = np.random.default_rng(2)
    symbol = random.permutation(np.repeat([0, 2, 3], [50, 40, 25]))
    score = random.integers(-4, 4, len(symbol)).astype(float)
    return score, np.round(0.3 * score + random.normal(size=len(symbol)), 1), symbol


def test_rank_correlations_within_symbols_equal_their_oracles(ranked):
    found = metrics.symbol_rank_correlation(*ranked)
    assert found == pytest.approx(oracle.symbol_correlation(*ranked))
    score, outcome, symbol = ranked
    alone = metrics.symbol_rank_correlation(score, outcome, np.zeros_like(symbol))
    assert alone == pytest.approx(spearmanr(score, outcome).statistic)
    left, right = (metrics.signed_ranks(values, symbol) for values in (score, outcome))
    found = (left @ right) / np.sqrt((left @ left) * (right @ right))
    assert found == pytest.approx(oracle.signed_correlation(*ranked))


def test_a_shift_between_symbols_does_not_matter(ranked):
    score, outcome, symbol = ranked
    shifted = metrics.symbol_rank_correlation(score + 100.0 * symbol, outcome, symbol)
    assert shifted == pytest.approx(metrics.symbol_rank_correlation(*ranked))


def test_the_reference_value_with_ties():
    values = np.array([1.0, 2, 2, 3, 5]), np.array([2.0, 1, 4, 4, 5])
    found = metrics.symbol_rank_correlation(*values, np.zeros(5, np.int64))
    assert found == pytest.approx(0.763158, abs=1e-6)


def test_nothing_to_correlate_is_zero():
    empty = np.empty(0)
    assert metrics.symbol_rank_correlation(empty, empty, np.empty(0, np.int64)) == 0.0
    ones, rising = np.ones(9), np.arange(9.0)
    assert metrics.symbol_rank_correlation(ones, rising, np.zeros(9, np.int64)) == 0.0


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


def test_directional_accuracy_counts_sides_alone():
    score = np.array([0.2, -0.1, 0.3, 0.0, -0.4, 0.9])
    label = np.array([2, 0, 0, 2, 1, 1], np.int8)
    # Right, right, wrong, undecided; HOLD rows have no side.
    assert metrics.directional_accuracy(score, label) == pytest.approx(2.5 / 4)
    assert metrics.directional_accuracy(score, np.ones(6, np.int8)) == 0.5


def test_directional_accuracy_of_the_best_score_at_a_correlation_of_a_tenth():
    random = np.random.default_rng(0)
    known, own = random.normal(size=(2, 400_000))
    outcome = 0.1 * known + np.sqrt(0.99) * own
    label = np.digitize(outcome, (-0.4307, 0.4307)).astype(np.int8)
    assert metrics.directional_accuracy(known, label) == pytest.approx(0.5437, abs=0.002)
