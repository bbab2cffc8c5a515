import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from alphaseeker.errors import DataError
from alphaseeker.model.isotonic import MAX_KNOTS, apply_isotonic, check_isotonic
from alphaseeker.training.isotonic import fit_isotonic
from alphaseeker.training.metrics import expected_calibration_error, log_loss_terms
from oracles import isotonic as oracle


def sample(rows=300, seed=0, digits=2):
    """Probabilities with ties, and outcomes that are half as sure of themselves."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([1.0, 2.0, 1.0], rows)
    true = 0.5 * probabilities + 1 / 6
    label = (random.random((rows, 1)) > true.cumsum(axis=1)[:, :2]).sum(axis=1)
    return np.round(probabilities, digits), label.astype(np.int8)


def scikit_learns(probabilities, label, weights, rows):
    lowest = 1 / (weights.sum() + 2)
    raw = np.empty((len(rows), 3))
    for one in range(3):
        judge = IsotonicRegression(y_min=lowest, y_max=1 - lowest, out_of_bounds="clip")
        judge.fit(probabilities[:, one], label == one, sample_weight=weights)
        raw[:, one] = judge.predict(rows[:, one])
    return raw / raw.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weighted", [False, True])
def test_it_equals_scikit_learns(seed, weighted):
    probabilities, label = sample(seed=seed)
    random = np.random.default_rng(seed)
    weights = random.choice([0.0, 0.5, 1.0, 3.0], 300) if weighted else np.ones(300)
    found = fit_isotonic(probabilities, label, weights=weights if weighted else None)
    rows = random.dirichlet([0.3, 0.3, 0.3], 500)
    expected = scikit_learns(probabilities, label, weights, rows)
    np.testing.assert_allclose(apply_isotonic(found, rows), expected, rtol=1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_it_equals_its_oracle(seed):
    probabilities, label = sample(40, seed, digits=1)
    weights = np.random.default_rng(seed).uniform(0.2, 2.0, 40)
    rows = np.vstack([probabilities, np.eye(3), np.full((1, 3), 1 / 3)])
    expected = oracle.calibrated(
        probabilities.tolist(), label.tolist(), weights.tolist(), rows.tolist()
    )
    found = apply_isotonic(fit_isotonic(probabilities, label, weights=weights), rows)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_it_is_kept_as_plain_numbers():
    probabilities, label = sample(2000, digits=12)
    found = fit_isotonic(probabilities, label)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    check_isotonic(found)


def test_it_calibrates_what_is_too_sure_of_itself():
    probabilities, label = sample(20_000, digits=12)
    fitted = fit_isotonic(probabilities[:10_000], label[:10_000])
    rows, happened = probabilities[10_000:], label[10_000:]
    after = apply_isotonic(fitted, rows)
    assert expected_calibration_error(rows, happened) > 0.1
    assert expected_calibration_error(after, happened) < 0.03
    assert log_loss_terms(after, happened).mean() < log_loss_terms(rows, happened).mean() - 0.05


# ---- degenerate inputs ------------------------------------------------------------------------


def test_equal_probabilities_give_the_shares():
    label = np.repeat([0, 1, 2], [20, 50, 30]).astype(np.int8)
    fitted = fit_isotonic(np.full((100, 3), 1 / 3), label)
    assert [len(x) for x in fitted["positions"]] == [1, 1, 1]
    found = apply_isotonic(fitted, np.array([[1 / 3, 1 / 3, 1 / 3], [0.9, 0.1, 0.0]]))
    np.testing.assert_allclose(found, [[0.2, 0.5, 0.3]] * 2, rtol=1e-14)


def test_a_class_that_is_absent_is_all_but_impossible():
    probabilities, label = sample()
    label[label == 2] = 1
    fitted = fit_isotonic(probabilities, label)
    assert set(fitted["values"][2]) == {1 / 302}
    found = apply_isotonic(fitted, probabilities)
    assert (found[:, 2] > 0.0).all()
    assert found[:, 2].max() < 0.02
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-15 * 4)


def test_a_single_class_and_a_single_row():
    fitted = fit_isotonic(np.array([[0.1, 0.8, 0.1]]), np.array([1], np.int8))
    assert np.ravel(fitted["values"]) == pytest.approx([1 / 3, 2 / 3, 1 / 3])
    found = apply_isotonic(fitted, np.array([[0.1, 0.8, 0.1]]))
    np.testing.assert_allclose(found, [[0.25, 0.5, 0.25]], rtol=1e-14)


def test_no_probability_is_ever_zero_where_the_raw_ones_would_sum_to_zero():
    # Each class happened only where it was likely: low values alone stand for "never".
    probabilities = np.repeat(0.9 * np.eye(3) + 0.05, 10, axis=0)
    fitted = fit_isotonic(probabilities, np.repeat([0, 1, 2], 10).astype(np.int8))
    found = apply_isotonic(fitted, np.array([[0.05, 0.05, 0.05], [0.95, 0.05, 0.05]]))
    np.testing.assert_allclose(found[0], 1 / 3, rtol=1e-14)
    assert found[1, 0] > 0.9


@pytest.mark.parametrize(
    ("probabilities", "label", "weights", "message"),
    [
        (np.empty((0, 3)), np.empty(0, np.int8), None, "at least one row"),
        (np.full((2, 2), 0.5), np.zeros(2, np.int8), None, r"shapes \(2, 2\)"),
        (np.full((2, 3), 0.5), np.zeros(3, np.int8), None, r"\(2, 3\), \(3,\)"),
        (np.array([[0.5, 0.5, 1.1]]), np.zeros(1, np.int8), None, "probability of row 0"),
        (np.array([[0.5, 0.5, np.nan]]), np.zeros(1, np.int8), None, "probability of row 0"),
        (np.full((2, 3), 0.5), np.array([0, 3]), None, "class of row 1"),
        (np.full((2, 3), 0.5), np.array([0, -1]), None, "class of row 1"),
        (np.full((2, 3), 0.5), np.array([0, 1]), np.array([1.0, -1.0]), "weight of row 1"),
        (np.full((2, 3), 0.5), np.array([0, 1]), np.array([np.nan, 1.0]), "weight of row 0"),
        (np.full((2, 3), 0.5), np.array([0, 1]), np.zeros(2), "all weights are 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(probabilities, label, weights, message):
    with pytest.raises(DataError, match=message):
        fit_isotonic(probabilities, label, weights=weights)


# ---- what keeps it from fitting noise -----------------------------------------------------------


def jagged(rows=4000, seed=0):
    """Outcomes without noise, in many steps: class 0 by the hundredths, the others half each."""
    random = np.random.default_rng(seed)
    first = random.random(rows)
    probabilities = np.column_stack([first, (1 - first) / 2, (1 - first) / 2])
    hundredth = np.floor(100 * first) / 100
    label = np.where(random.random(rows) < hundredth, 0, random.choice([1, 2], rows))
    return probabilities, label.astype(np.int8), hundredth


def test_no_class_has_more_knots_than_the_hot_path_takes():
    # A place for each of 200 probabilities, and shares that rise from one to the next.
    places = np.repeat(np.arange(1, 201) / 400, 400)
    number = np.tile(np.arange(400), 200)
    label = np.where(number < 400 * places, 0, 1).astype(np.int8)
    probabilities = np.column_stack([places, 1 - places, np.zeros(len(places))])
    found = fit_isotonic(probabilities, label)
    assert [len(x) for x in found["positions"]] == [MAX_KNOTS, MAX_KNOTS, 1]
    check_isotonic(found)
    # What was pooled are neighbours: the line is still the line.
    np.testing.assert_allclose(apply_isotonic(found, probabilities)[:, 0], places, atol=0.01)


def test_pooled_steps_keep_the_mean_of_all_rows():
    probabilities, label, _ = jagged()
    weights = np.random.default_rng(1).uniform(0.5, 1.5, len(label))
    found = fit_isotonic(probabilities, label, weights=weights, least_step=300.0)
    x, y = found["positions"][0], found["values"][0]
    steps = sorted(set(y))
    assert 2 <= len(steps) <= weights.sum() / 300
    held = np.interp(probabilities[:, 0], x, y)
    inside = [np.isclose(held, value) for value in steps]
    for value, rows in zip(steps, inside, strict=True):
        assert weights[rows].sum() >= 300.0
        assert value == pytest.approx(np.average(label[rows] == 0, weights=weights[rows]))


def test_a_step_that_no_data_fills_is_one_share():
    probabilities, label = sample(100)
    found = fit_isotonic(probabilities, label, least_step=1000.0)
    for one in range(3):
        assert found["values"][one] == pytest.approx([np.mean(label == one)] * 2)


@pytest.mark.parametrize("trust", [0.0, 100.0, 1e12])
def test_trust_draws_the_values_towards_the_probabilities(trust):
    probabilities, label = sample(300)
    plain = fit_isotonic(probabilities, label)
    found = fit_isotonic(probabilities, label, trust=trust)
    share = trust / (300 + trust)
    for one in range(3):
        x, y = np.array(plain["positions"][one]), np.array(plain["values"][one])
        np.testing.assert_allclose(found["values"][one], (1 - share) * y + share * x, rtol=1e-12)
    check_isotonic(found)


def test_bounds_go_by_the_weight_and_not_by_the_number_of_rows():
    probabilities, label = sample(300)
    label[:] = 1
    found = fit_isotonic(probabilities, label, weights=np.full(300, 0.01))
    assert found["values"][0] == pytest.approx([1 / 5] * len(found["values"][0]))
    assert found["values"][1] == pytest.approx([4 / 5] * len(found["values"][1]))
