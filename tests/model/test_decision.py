import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker._jit import kernel
from alphaseeker.errors import ModelError
from alphaseeker.model import isotonic
from alphaseeker.model.decision import (
    FILTER_REASONS,
    Choice,
    allocate_decision,
    decide,
    decision_step,
    probabilities_of,
    probability_step,
)
from oracles import decision as oracle


def calibration(temperature=1.0, bias=(0.0, 0.0, 0.0), min_confidence=0.0):
    return {"temperature": temperature, "bias": list(bias), "min_confidence": min_confidence}


def probabilities(scores, **settings):
    record = allocate_decision(calibration(**settings))
    return probabilities_of(record, np.array([scores], dtype=np.float64))[0]


def choice(probability, min_confidence=0.0):
    """Ask the decision kernel alone, from inside another compiled function."""
    record = allocate_decision(calibration(min_confidence=min_confidence))
    return Choice(_choose(record, np.array(probability, dtype=np.float64)))


@kernel
def _choose(record, probability):
    return decision_step(record[0], probability)


SCORE = st.floats(-1e308, 1e308)
TRIPLE = st.tuples(SCORE, SCORE, SCORE)
MILD = st.tuples(*[st.floats(-30, 30)] * 3)


@settings(deadline=None)
@given(TRIPLE, st.floats(1e-3, 1e3), MILD)
def test_probabilities_are_the_formula(scores, temperature, bias):
    given_ = probabilities(scores, temperature=temperature, bias=bias)
    # exp turns a rounding of its argument, at most of the size of the scores, into a relative one
    spread = max(scores) - min(scores)
    slack = 1e-15 * (100 + min(spread / temperature, 1000))
    np.testing.assert_allclose(
        given_, oracle.probabilities(scores, temperature, bias), rtol=slack, atol=1e-300
    )


@settings(deadline=None)
@given(TRIPLE, st.floats(1e-3, 1e3), MILD)
def test_probabilities_sum_to_one_and_lie_in_range(scores, temperature, bias):
    given_ = probabilities(scores, temperature=temperature, bias=bias)
    assert math.isclose(given_.sum(), 1.0, abs_tol=4e-16)
    assert ((given_ >= 0) & (given_ <= 1)).all()


@settings(deadline=None)
@given(st.tuples(*[st.integers(-1000, 1000)] * 3), st.integers(-1000, 1000))
def test_a_constant_added_to_all_scores_changes_nothing(scores, constant):
    shifted = [float(score + constant) for score in scores]
    assert probabilities(shifted).tobytes() == probabilities([float(s) for s in scores]).tobytes()


@settings(deadline=None)
@given(MILD)
def test_swapping_sell_and_buy_swaps_their_probabilities(scores):
    sell, hold, buy = scores
    np.testing.assert_allclose(
        probabilities((buy, hold, sell)), probabilities(scores)[::-1], rtol=1e-14
    )


def test_a_higher_temperature_softens():
    assert probabilities((0.0, 0.0, 2.0), temperature=2.0)[2] < probabilities((0.0, 0.0, 2.0))[2]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_score_that_is_not_finite_is_a_hold_with_its_reason(bad, place):
    scores = np.zeros((2, 3))
    scores[0, place] = bad
    record = allocate_decision(calibration())
    probability, choices = decide(record, scores)
    assert np.isnan(probability[0]).all()
    assert choices.tolist() == [Choice.BAD_SCORES, Choice.HOLD]
    assert FILTER_REASONS[Choice.BAD_SCORES] == "bad_scores"


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5]), min_size=3, max_size=3),
    st.sampled_from([0.0, 0.3, 0.4, 0.45, 1.0]),
)
def test_decision_is_the_oracles(probability, min_confidence):
    assert choice(probability, min_confidence).name == oracle.decide(probability, min_confidence)


@pytest.mark.parametrize(
    ("probability", "min_confidence", "expected"),
    [
        ([0.2, 0.3, 0.5], 0.5, Choice.BUY),
        ([0.5, 0.3, 0.2], 0.5, Choice.SELL),
        ([0.2, 0.3, 0.5], np.nextafter(0.5, 1), Choice.LOW_CONFIDENCE),
        ([0.1, 0.8, 0.1], 0.9, Choice.HOLD),
        ([0.45, 0.1, 0.45], 0.0, Choice.HOLD),
        ([0.2, 0.4, 0.4], 0.0, Choice.HOLD),
        ([1 / 3, 1 / 3, 1 / 3], 0.0, Choice.HOLD),
        ([math.nan, 0.0, 1.0], 0.0, Choice.BAD_SCORES),
    ],
)
def test_ties_and_confidence(probability, min_confidence, expected):
    assert choice(probability, min_confidence) is expected


def test_a_confidence_that_is_nan_never_trades():
    record = allocate_decision(calibration())
    record["min_confidence"] = math.nan
    assert Choice(_choose(record, np.array([0.0, 0.0, 1.0]))) is Choice.LOW_CONFIDENCE


def test_a_temperature_of_zero_in_the_record_is_a_hold():
    record = allocate_decision(calibration())
    record["temperature"] = 0.0
    assert decide(record, np.array([[0.0, 0.0, 1.0]]))[1].tolist() == [Choice.BAD_SCORES]


KNOTS = {
    "positions": [np.linspace(0.1, 0.6, isotonic.MAX_KNOTS).tolist(), [0.2, 0.5], [0.3]],
    "values": [np.linspace(0.05, 0.7, isotonic.MAX_KNOTS).tolist(), [0.3, 0.45], [0.3]],
}


def test_isotonic_knots_follow_the_temperature_to_the_last_bit():
    scores = np.random.default_rng(0).normal(0.0, 2.0, (3000, 3))
    plain = calibration(1.5, (0.1, 0.0, -0.2), 0.4)
    tempered, _ = decide(allocate_decision(plain), scores)
    probability, choices = decide(allocate_decision({**plain, "isotonic": KNOTS}), scores)
    assert probability.tobytes() == isotonic.apply_isotonic(KNOTS, tempered).tobytes()
    # The choice is by what the knots say, and so is its confidence.
    expected = [oracle.decide(row, 0.4) for row in probability.tolist()]
    assert [Choice(value).name for value in choices] == expected
    assert {"SELL", "HOLD", "LOW_CONFIDENCE"} <= set(expected)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_bad_scores_stay_bad_with_knots(place):
    scores = np.zeros((1, 3))
    scores[0, place] = math.nan
    probability, choices = decide(allocate_decision({**calibration(), "isotonic": KNOTS}), scores)
    assert np.isnan(probability).all()
    assert choices.tolist() == [Choice.BAD_SCORES]


def test_no_knots_are_none_and_an_older_file_has_no_key():
    scores = np.random.default_rng(1).normal(size=(50, 3))
    old, _ = decide(allocate_decision(calibration()), scores)
    new, _ = decide(allocate_decision({**calibration(), "isotonic": None}), scores)
    assert old.tobytes() == new.tobytes()


def test_kernels_work_inside_another_compiled_function():
    @numba.njit
    def whole(record, scores, probability):
        fine = probability_step(record[0], scores, probability)
        return fine, decision_step(record[0], probability)

    record = allocate_decision(calibration(temperature=2.0, bias=(0.5, 0.0, 0.0)))
    scores, probability = np.array([0.1, 0.2, 3.0]), np.empty(3)
    assert whole(record, scores, probability) == (True, Choice.BUY)
    assert probability.tobytes() == probabilities_of(record, scores[None])[0].tobytes()


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": 10**400}, "temperature"),
        ({"bias": [0.0, 0.0]}, "bias"),
        ({"bias": [0.0, math.nan, 0.0]}, "bias"),
        ({"bias": None}, "bias"),
        ({"min_confidence": 1.5}, "min_confidence"),
        ({"min_confidence": math.nan}, "min_confidence"),
        ({"min_confidence": True}, "min_confidence"),
        ({"isotonic": 1.0}, "isotonic"),
    ],
)
def test_calibration_that_cannot_be_used_is_refused(change, key):
    with pytest.raises(ModelError, match=f"calibration {key}"):
        allocate_decision({**calibration(), **change})


def test_knots_that_cannot_be_used_are_refused():
    with pytest.raises(ModelError, match="class 1 needs positions that rise strictly"):
        allocate_decision(
            {
                **calibration(),
                "isotonic": {
                    **KNOTS,
                    "positions": [[0.1], [0.5, 0.2], [0.3]],
                    "values": [[0.5], [0.3, 0.4], [0.3]],
                },
            }
        )
