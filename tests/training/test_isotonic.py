import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from sklearn.isotonic import IsotonicRegression

from alphaseeker.errors import DataError, ModelError
from alphaseeker.training.isotonic import (
    apply_isotonic,
    check_isotonic,
    fit_isotonic,
    isotonic_step,
    knot_arrays,
)
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
    lowest = 1 / (len(label) + 2)
    raw = np.empty((len(rows), 3))
    for one in range(3):
        judge = IsotonicRegression(y_min=lowest, y_max=1 - lowest, out_of_bounds="clip")
        judge.fit(probabilities[:, one], label == one, sample_weight=weights)
        raw[:, one] = judge.predict(rows[:, one])
    return raw / raw.sum(axis=1, keepdims=True)


@njit
def step_rows(offsets, positions, values, rows):
    for row in range(len(rows)):
        isotonic_step(offsets, positions, values, rows[row])


def by_steps(calibration, probabilities):
    rows = np.array(probabilities, np.float64)
    step_rows(*knot_arrays(calibration), rows)
    return rows


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
    # Two ends of a step at most, not a knot for each row.
    assert max(len(x) for x in found["positions"]) < 150


def test_it_calibrates_what_is_too_sure_of_itself():
    probabilities, label = sample(20_000, digits=12)
    fitted = fit_isotonic(probabilities[:10_000], label[:10_000])
    rows, happened = probabilities[10_000:], label[10_000:]
    after = apply_isotonic(fitted, rows)
    assert expected_calibration_error(rows, happened) > 0.1
    assert expected_calibration_error(after, happened) < 0.03
    assert log_loss_terms(after, happened).mean() < log_loss_terms(rows, happened).mean() - 0.05


# ---- the row form -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_rows_and_matrices_give_the_same_bits(seed):
    probabilities, label = sample(3000, seed, digits=12)
    fitted = fit_isotonic(probabilities, label)
    random = np.random.default_rng(seed)
    knots = np.column_stack([random.choice(x, 500) for x in fitted["positions"]])
    special = [[0, 0, 1], [1, 0, 0], [-1, 0.5, 2], [np.inf, -np.inf, 0], [np.nan, 0.5, 0.5]]
    rows = np.vstack([random.dirichlet([1, 1, 1], 5000), knots, special])
    whole = apply_isotonic(fitted, rows)
    assert by_steps(fitted, rows).tobytes() == whole.tobytes()
    assert np.isnan(whole[-1]).all()
    assert np.isfinite(whole[:-1]).all()


FLOATS = st.floats(0.0, 1.0, allow_subnormal=True)
KNOTS = st.lists(FLOATS, min_size=1, max_size=6, unique=True).map(sorted)


@given(st.tuples(KNOTS, KNOTS, KNOTS), st.lists(st.tuples(FLOATS, FLOATS, FLOATS), max_size=20))
@settings(max_examples=200)
def test_any_knots_give_the_same_bits_and_rising_probabilities(positions, rows):
    values = [[(i + 1.0) / (len(x) + 0.3) / 1.5 for i in range(len(x))] for x in positions]
    calibration = {"positions": list(positions), "values": values}
    probabilities = np.array(rows, np.float64).reshape(-1, 3)
    whole = apply_isotonic(calibration, probabilities)
    assert by_steps(calibration, probabilities).tobytes() == whole.tobytes()
    np.testing.assert_allclose(whole.sum(axis=1), 1.0, rtol=1e-15 * 4)
    # One class alone, the two others held: it never falls where its input rises.
    line = np.full((20, 3), 0.5)
    line[:, 0] = np.sort(np.append(np.linspace(0, 1, 14), positions[0][:6] * 6)[:20])
    assert (np.diff(apply_isotonic(calibration, line)[:, 0]) >= -1e-15).all()


def test_at_a_knot_the_value_is_the_knots_own():
    # 0.05 + (0.21 - 0.05) is less than 0.21.
    knots = {"positions": [[0.2, 0.4, 0.6], [0.5], [0.5]], "values": [[0.05, 0.21, 0.9], [1], [1]]}
    rows = np.array([[0.4, 0.0, 0.0]])
    expected = 0.21 / (0.21 + 1.0 + 1.0)
    assert apply_isotonic(knots, rows)[0, 0] == by_steps(knots, rows)[0, 0] == expected


def test_the_step_can_be_called_from_python():
    probabilities, label = sample()
    fitted = fit_isotonic(probabilities, label)
    row = np.array([0.2, 0.5, 0.3])
    isotonic_step(*knot_arrays(fitted), row)
    assert np.array_equal(row, apply_isotonic(fitted, np.array([[0.2, 0.5, 0.3]]))[0])


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


GOOD = {"positions": [[0.1, 0.9]] * 3, "values": [[0.2, 0.8]] * 3}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("positions", None, "no list of 3 lists under 'positions'"),
        ("values", [[0.2, 0.8]] * 2, "no list of 3 lists under 'values'"),
        ("positions", [[0.1, 0.9], [], [0.1, 0.9]], "class 1 needs as many values as positions"),
        ("positions", [[0.1], [0.1, 0.9], [0.1, 0.9]], "class 0 needs as many values"),
        ("positions", [[0.9, 0.1]] * 3, "class 0 needs positions that rise strictly"),
        ("positions", [[0.1, 0.1]] * 3, "positions that rise strictly"),
        ("positions", [[0.1, float("nan")]] * 3, "all finite numbers"),
        ("positions", [[0.1, 10**400]] * 3, "all finite numbers"),
        ("values", [[0.8, 0.2]] * 3, "values above 0, up to 1, that never fall"),
        ("values", [[0.0, 0.2]] * 3, "values above 0"),
        ("values", [[0.2, 1.2]] * 3, "values above 0, up to 1"),
        ("values", [["0.2", 0.8]] * 3, "all finite numbers"),
        ("values", [[True, 1]] * 3, "all finite numbers"),
    ],
)
def test_what_cannot_be_applied_is_refused(key, value, message):
    check_isotonic(GOOD)
    with pytest.raises(ModelError, match=message):
        knot_arrays({**GOOD, key: value})
