import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from alphaseeker.training import baselines
from oracles import labels as oracle


@pytest.mark.parametrize("seed", range(5))
def test_the_last_label_is_one_that_was_known_by_then(seed):
    random = np.random.default_rng(seed)
    n = 150
    segment = np.sort(random.integers(0, 3, n))
    times = np.cumsum(random.integers(0, 3, n))
    label = random.integers(-1, 3, n).astype(np.int8)
    end = np.where(label >= 0, times + random.integers(1, 9, n), -1)
    found = baselines.last_resolved_label(times, segment, end, label)
    assert found.tolist() == oracle.last_resolved(end, label, times, segment).tolist()


def test_the_transition_table_is_the_training_frequency():
    last = np.array([0, 0, 0, 1, 2, -1], np.int8)
    label = np.array([0, 0, 2, 1, 2, 1], np.int8)
    prior = (0.25, 0.5, 0.25)
    table = baselines.fit_last_label(last, label, prior)
    assert table[0] == pytest.approx([2.25 / 4, 0.5 / 4, 1.25 / 4])
    assert table[3] == pytest.approx(prior)
    np.testing.assert_allclose(np.sum(table, axis=1), 1.0)
    found = baselines.last_label_probabilities(np.array([2, -1], np.int8), table)
    assert found.tolist() == [table[2], table[3]]


def test_columns_are_the_nearest_there_are():
    names = [
        "book.imbalance",
        "flow.ofi_5s",
        "flow.ofi_30s",
        "momentum.return_300s",
        "flow.ofi_bid_60s",
    ]
    assert baselines.logistic_columns(names) == [
        "book.imbalance",
        "flow.ofi_30s",
        "momentum.return_300s",
    ]
    assert baselines.logistic_columns(["book.spread"]) == []


def test_logistic_regression_is_scikit_learns_in_plain_numbers():
    random = np.random.default_rng(0)
    matrix = random.normal(size=(600, 2)).astype(np.float32)
    label = np.digitize(matrix[:, 0] + random.normal(size=600), [-0.5, 0.5]).astype(np.int8)
    matrix[5, 1] = np.nan
    fitted = baselines.fit_logistic(matrix, ["a", "b"], label)
    fitted = json.loads(json.dumps(fitted))
    found = baselines.logistic_probabilities(matrix, fitted)
    filled = matrix.astype(float)
    filled[5, 1] = np.nanmedian(filled[:, 1])
    filled = np.clip(filled, *np.quantile(filled, (0.005, 0.995), axis=0))
    filled = (filled - filled.mean(axis=0)) / filled.std(axis=0)
    model = LogisticRegression(max_iter=1000).fit(filled, label)
    np.testing.assert_allclose(found, model.predict_proba(filled), atol=1e-12)


def test_columns_without_a_value_do_not_stop_the_logistic_regression():
    matrix = np.full((30, 1), np.nan, np.float32)
    fitted = baselines.fit_logistic(matrix, ["a"], np.repeat([0, 1, 2], 10).astype(np.int8))
    np.testing.assert_allclose(baselines.logistic_probabilities(matrix, fitted), 1 / 3, atol=1e-6)


@pytest.fixture(scope="module")
def fitted():
    random = np.random.default_rng(0)
    matrix = random.normal(size=(3000, 1)).astype(np.float32)
    label = np.digitize(matrix[:, 0] + random.normal(size=3000), [-0.5, 0.5]).astype(np.int8)
    prior = (np.bincount(label, minlength=3) / 3000).tolist()
    return baselines.fit_logistic(matrix, ["a"], label), matrix, label, prior


def test_an_outlier_is_no_certainty(fitted):
    logistic, matrix, _, _ = fitted
    tail = np.quantile(matrix, 0.995)
    extreme, usual = (
        baselines.logistic_probabilities(np.array([[value]], np.float32), logistic)
        for value in (1e6, tail)
    )
    np.testing.assert_allclose(extreme, usual, rtol=1e-6)


def test_baselines_are_tempered_on_the_validation_part(fitted):
    logistic, matrix, label, prior = fitted
    kept = baselines.temper_logistic(logistic, (matrix, label), prior)
    np.testing.assert_allclose(
        baselines.logistic_probabilities(matrix, kept),
        baselines.logistic_probabilities(matrix, logistic),
        atol=0.01,
    )
    # Where nothing of it holds any more, what is left is the prior.
    other = np.random.default_rng(1).permutation(label)
    silent = json.loads(json.dumps(baselines.temper_logistic(logistic, (matrix, other), prior)))
    found = baselines.logistic_probabilities(matrix, silent)
    np.testing.assert_allclose(found, np.tile(prior, (3000, 1)), atol=0.03)


def test_rows_of_one_label_temper_a_baseline_as_one(fitted):
    logistic, matrix, label, prior = fitted
    few = (matrix[:60], label[:60])
    whole = baselines.temper_logistic(logistic, few, prior)
    worth = baselines.temper_logistic(logistic, few, prior, np.full(60, 0.1))
    sizes = [np.abs(item["coefficients"]).max() for item in (whole, worth)]
    assert sizes[1] < 0.7 * sizes[0]
    table, last = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], list(prior)], label
    steep = baselines.temper_last_label(table, (last, label), prior)
    weighted = baselines.temper_last_label(table, (last, label), prior, np.full(len(label), 1e-3))
    assert weighted[0][0] < steep[0][0] - 0.05


def test_the_transition_table_is_tempered_too():
    prior, table = (
        [0.3, 0.4, 0.3],
        [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]],
    )
    random = np.random.default_rng(0)
    last = random.integers(-1, 3, 5000).astype(np.int8)
    label = random.choice(3, p=prior, size=5000).astype(np.int8)
    found = baselines.temper_last_label(table, (last, label), prior)
    np.testing.assert_allclose(found, np.tile(prior, (4, 1)), atol=0.04)
    np.testing.assert_allclose(np.sum(found, axis=1), 1.0)
    label = np.where(last >= 0, last, label)
    assert baselines.temper_last_label(table, (last, label), prior)[0] == pytest.approx(table[0])
