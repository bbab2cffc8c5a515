import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from alphaseeker.errors import ModelError
from alphaseeker.model.isotonic import (
    MAX_KNOTS,
    apply_isotonic,
    check_isotonic,
    isotonic_step,
    knot_arrays,
)
from oracles import isotonic as oracle


def knots_of(seed, count=MAX_KNOTS):
    """Knots of three classes, up to ``count`` of each."""
    random = np.random.default_rng(seed)
    counts = [count, max(1, count // 2), 1]
    return {
        "positions": [np.sort(random.random(size)).tolist() for size in counts],
        "values": [np.sort(random.uniform(0.05, 0.95, size)).tolist() for size in counts],
    }


@njit
def step_rows(offsets, positions, values, rows):
    for row in range(len(rows)):
        isotonic_step(offsets, positions, values, rows[row])


def by_steps(calibration, probabilities):
    rows = np.array(probabilities, np.float64)
    step_rows(*knot_arrays(calibration), rows)
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_rows_and_matrices_give_the_same_bits(seed):
    fitted = knots_of(seed)
    random = np.random.default_rng(seed)
    knots = np.column_stack([random.choice(x, 500) for x in fitted["positions"]])
    special = [[0, 0, 1], [1, 0, 0], [-1, 0.5, 2], [np.inf, -np.inf, 0], [np.nan, 0.5, 0.5]]
    rows = np.vstack([random.dirichlet([1, 1, 1], 5000), knots, special])
    whole = apply_isotonic(fitted, rows)
    assert by_steps(fitted, rows).tobytes() == whole.tobytes()
    assert np.isnan(whole[-1]).all()
    assert np.isfinite(whole[:-1]).all()


@pytest.mark.parametrize("seed", range(3))
def test_it_equals_its_oracle(seed):
    fitted = knots_of(seed)
    rows = np.random.default_rng(seed).dirichlet([1, 1, 1], 200)
    maps = [dict(zip(x, y, strict=True)) for x, y in zip(*fitted.values(), strict=True)]
    raw = [[oracle.interpolate(maps[k], row[k]) for k in range(3)] for row in rows.tolist()]
    expected = np.array(raw) / np.sum(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(apply_isotonic(fitted, rows), expected, rtol=1e-12)


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
    fitted = knots_of(0)
    row = np.array([0.2, 0.5, 0.3])
    isotonic_step(*knot_arrays(fitted), row)
    assert np.array_equal(row, apply_isotonic(fitted, np.array([[0.2, 0.5, 0.3]]))[0])


GOOD = {"positions": [[0.1, 0.9]] * 3, "values": [[0.2, 0.8]] * 3}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("positions", None, "no list of 3 lists under 'positions'"),
        ("values", [[0.2, 0.8]] * 2, "no list of 3 lists under 'values'"),
        ("positions", [[0.1, 0.9], [], [0.1, 0.9]], "class 1 needs as many values as positions"),
        ("positions", [np.linspace(0, 1, MAX_KNOTS + 1).tolist()] * 3, "1 to 64, all finite"),
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


@pytest.mark.parametrize("given_", [5, [0.1], "knots"])
def test_what_is_no_dictionary_is_refused(given_):
    with pytest.raises(ModelError, match=r"isotonic is a .*, it must be None or a dictionary"):
        check_isotonic(given_)
