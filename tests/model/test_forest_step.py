"""The step from one row to the next: what it says, and that it always says the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from alphaseeker.model import forest_step
from alphaseeker.model.forest_predictor import ForestPredictor
from alphaseeker.model.lightgbm_text import read_splits
from alphaseeker.model.predictor import call_predictor
from model.exactness import SPECIAL, assert_exact, train

K = 8
NEVER = 3  # a column that no node looks at


def _constant(matrix, random):
    matrix[:, NEVER] = 1.0


MODEL = train("step", n_features=K, leaves=31, rounds=12, missing=0.1, spoil=_constant)
CASES = {
    "missing": MODEL,
    "none missing": train("none missing", n_features=K, leaves=20, rounds=6, spoil=_constant),
    "zeros": train("zeros", n_features=K, leaves=64, rounds=3, use_missing=False, spoil=_constant),
}


@njit
def step(address, context, fresh):
    return call_predictor(address, (context, fresh))


class Stepper:
    def __init__(self, model):
        self.features, self.scores = np.zeros(K, np.float32), np.full(3, np.nan)
        self.bound = ForestPredictor(model.text).bind(self.features, self.scores)

    def __call__(self, fresh=0):
        return step(self.bound.entry, self.bound.context, fresh)


@pytest.fixture
def stepper():
    return Stepper(MODEL)


def test_the_first_row_is_predicted_and_the_same_one_stands(stepper):
    stepper.features[:] = 0.5
    assert stepper() == 1
    expected = MODEL.scores(stepper.features[None])[0]
    assert stepper.scores.tobytes() == expected.tobytes()
    stepper.scores[:] = -1.0
    assert stepper() == 0
    assert (stepper.scores == -1.0).all()  # they stand: nothing is written
    assert stepper(fresh=1) == 1
    assert stepper.scores.tobytes() == expected.tobytes()


def test_within_an_interval_and_across_its_end(stepper):
    column, threshold = read_splits(MODEL.text)[0]  # a root: its tree always changes its leaf
    at = np.float32(threshold)
    below = at if float(at) <= threshold else np.nextafter(at, np.float32(-np.inf))
    stepper.features[column] = below
    assert stepper() == 1
    before = stepper.scores.copy()
    stepper.features[column] = np.nextafter(below, np.float32(np.inf))
    assert stepper() == 1
    assert stepper.scores.tobytes() == MODEL.scores(stepper.features[None])[0].tobytes()
    stepper.features[column] = below
    assert stepper() == 1
    assert stepper.scores.tobytes() == before.tobytes()


def test_a_column_that_no_node_looks_at_changes_nothing(stepper):
    assert NEVER not in {column for column, _ in read_splits(MODEL.text)}
    assert stepper() == 1
    for value in SPECIAL:
        stepper.features[NEVER] = value
        assert stepper() == 0


def test_missing_values_that_stay_missing_cost_nothing(stepper):
    stepper()
    stepper.features[0] = np.nan
    assert stepper() == 1
    stepper.features.view(np.uint32)[0] = 0xFFC00001  # another NaN
    assert stepper() == 0


@pytest.mark.parametrize("few_columns", [0, 2, 1_000])
@pytest.mark.parametrize("name", CASES)
def test_every_way_through_is_exact(name, few_columns, monkeypatch):
    """Rows that are near one another and far, whichever of the ways is taken for which."""
    model = CASES[name]
    predictor = ForestPredictor(model.text)
    bind = predictor.bind

    def bind_with_bounds(features, scores):
        bound = bind(features, scores)
        bound._state.record["few_columns"] = few_columns
        bound._state.record["few_crossings"] = few_columns
        return bound

    monkeypatch.setattr(predictor, "bind", bind_with_bounds)
    assert_exact(predictor, model)


values = st.sampled_from(
    [*SPECIAL.tolist(), *np.float32([value for _, value in read_splits(MODEL.text)]).tolist()]
) | st.floats(width=32)
changes = st.lists(
    st.tuples(st.dictionaries(st.integers(0, K - 1), values, max_size=K), st.sampled_from([0, 1])),
    min_size=1,
    max_size=50,
)


@given(st.sampled_from(sorted(CASES)), changes)
@settings(max_examples=150)
def test_any_sequence_of_changes(name, sequence):
    model, stepper = CASES[name], Stepper(CASES[name])
    rows, given_scores = [], []
    for change, fresh in sequence:
        for column, value in change.items():
            stepper.features[column] = value
        before = stepper.scores.copy()
        told = stepper(fresh)
        assert told == 1 or (fresh == 0 and stepper.scores.tobytes() == before.tobytes())
        rows.append(stepper.features.copy())
        given_scores.append(stepper.scores.copy())
    assert np.stack(given_scores).tobytes() == model.scores(np.stack(rows)).tobytes()


def test_rows_without_relation_and_back_to_ticks():
    """After any number of far rows the near ones are exact, and soon stand again."""
    model = train("wide", n_features=60, leaves=31, rounds=30)
    random = np.random.default_rng(0)
    features, scores = np.zeros(60, np.float32), np.zeros(3)
    bound = ForestPredictor(model.text).bind(features, scores)
    for far in (1, 2, 7, 40, 100):
        for _ in range(far):
            features[:] = random.normal(size=60)
            assert step(bound.entry, bound.context, 0) == 1
            assert scores.tobytes() == model.scores(features[None])[0].tobytes()
        told = [step(bound.entry, bound.context, 0) for _ in range(64)]
        assert told[-1] == 0
        assert told == sorted(told, reverse=True)
        assert scores.tobytes() == model.scores(features[None])[0].tobytes()


def test_public_names():
    assert set(forest_step.__all__) == {"CONTEXT", "FOREST_ENTRY", "forest_rows", "forest_step"}
