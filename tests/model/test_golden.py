import lightgbm
import numpy as np
import pytest

from alphaseeker._jit import kernel
from alphaseeker.errors import ModelError
from alphaseeker.model.golden import GOLDEN_ROWS, build_golden, time_in_turn, verify_golden
from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
from alphaseeker.model.lightgbm_text import read_splits
from alphaseeker.model.predictor import row_entry

MATRIX = np.random.default_rng(8).normal(size=(400, 6)).astype(np.float32)


def test_golden_rows_are_scored_by_lightgbm(model_text):
    features, scores = build_golden(model_text, MATRIX)
    assert (features.shape, features.dtype) == ((GOLDEN_ROWS, 6), np.float32)
    expected = lightgbm.Booster(model_str=model_text).predict(features, raw_score=True)
    assert scores.tobytes() == expected.tobytes()


def test_golden_rows_hold_real_rows_thresholds_and_special_values(model_text):
    features, _ = build_golden(model_text, MATRIX)
    plain, changed = features[: len(features) // 2], features[len(features) // 2 :]
    assert (plain[:, None] == MATRIX[None]).all(axis=2).any(axis=1).all()
    for column in range(6):
        values = changed[:, column]
        assert np.isnan(values).any()
        assert np.isposinf(values).any()
        assert (np.signbit(values) & (values == 0)).any()
        assert ((values != 0) & (np.abs(values) < 1e-38)).any()
    splits = {(column, float(np.float32(value))) for column, value in read_splits(model_text)}
    met = {(column, float(v)) for column in range(6) for v in changed[:, column]}
    assert len(splits & met) > len(splits) / 2


def test_the_first_half_are_runs_of_neighbours(model_text):
    features, _ = build_golden(model_text, MATRIX)
    plain = features[: len(features) // 2]
    places = [int(np.flatnonzero((MATRIX == row).all(axis=1))[0]) for row in plain]
    assert (np.diff(places) == 1).mean() > 0.9
    assert max(places) - min(places) > len(MATRIX) / 2


def test_a_row_in_turn_takes_time(model_text):
    features, _ = build_golden(model_text, MATRIX, rows=50)
    assert 0.0 < time_in_turn(LightGBMPredictor(model_text), features) < 1e9


def test_the_same_seed_gives_the_same_rows(model_text):
    one, other = (build_golden(model_text, MATRIX, rows=50) for _ in range(2))
    assert [a.tobytes() for a in one] == [a.tobytes() for a in other]
    different = build_golden(model_text, MATRIX, rows=50, seed=1)[0]
    assert different.tobytes() != one[0].tobytes()


def test_few_rows_are_enough(model_text):
    features, scores = build_golden(model_text, MATRIX[:1], rows=20)
    verify_golden(LightGBMPredictor(model_text), features, scores)


@pytest.mark.parametrize(
    ("matrix", "rows", "words"),
    [
        (MATRIX[:0], 10, "golden rows need rows of 6 features"),
        (MATRIX[:, :5], 10, "golden rows need rows of 6 features"),
        (MATRIX, 1001, "must lie in 2..1000"),
        (MATRIX, 1, "must lie in 2..1000"),
    ],
)
def test_rows_that_cannot_be_golden_are_refused(model_text, matrix, rows, words):
    with pytest.raises(ModelError, match=words):
        build_golden(model_text, matrix, rows=rows)


def test_a_score_that_differs_in_its_last_bit_is_found(model_text):
    features, scores = build_golden(model_text, MATRIX, rows=50)
    predictor = LightGBMPredictor(model_text)
    verify_golden(predictor, features, scores)
    scores[7, 1] = np.nextafter(scores[7, 1], 9)
    with pytest.raises(ModelError, match=r"in 1 of 50 rows; row 7 gives"):
        verify_golden(predictor, features, scores)


class Half(LightGBMPredictor):
    """A predictor that goes wrong in one of its forms."""

    name = "half"


class RightByRowOnly(Half):
    def predict_matrix(self, matrix):
        return np.full((len(matrix), 3), np.nan)


@kernel
def leave_scores(context, fresh):
    """Say that no feature crossed a threshold, whatever came."""
    return 0


class Standing:
    entry = row_entry(leave_scores).address
    context = 0


class RightUntilItKeepsScores(Half):
    def __init__(self, model_text):
        super().__init__(model_text)
        self.bind = lambda features, scores: Standing()


@pytest.mark.parametrize(
    ("predictor", "form"), [(RightByRowOnly, "matrix"), (RightUntilItKeepsScores, "ticks")]
)
def test_every_form_is_replayed(model_text, predictor, form):
    golden = build_golden(model_text, MATRIX, rows=50)
    with pytest.raises(ModelError, match=rf"'half' \({form}\) differs .* in 50 of 50 rows"):
        verify_golden(predictor(model_text), *golden)
