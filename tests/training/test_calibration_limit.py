"""What a calibration error may be by chance: against its definition, and on made-up forecasts."""

import tracemalloc

import numpy as np
import pytest

from alphaseeker.training.calibration_limit import DRAWS, SEED, calibration_limit
from alphaseeker.training.metrics import expected_calibration_error
from oracles.metrics import drawn_calibration_errors

SECOND = 1_000_000_000


def forecasts(rows, *, seed, sharpness=1.0):
    """Return probabilities, and time stamps a second apart."""
    random = np.random.default_rng(seed)
    odds = np.exp(sharpness * random.normal(size=(rows, 3)))
    return odds / odds.sum(axis=1, keepdims=True), np.arange(rows) * SECOND


def test_it_is_the_mean_and_the_quantile_of_drawn_errors():
    probabilities, timestamp = forecasts(120, seed=1)
    symbol = np.repeat([0, 1], 60)
    errors = drawn_calibration_errors(probabilities, timestamp, symbol, 7 * SECOND, DRAWS, SEED)
    expected, limit = calibration_limit(probabilities, timestamp, symbol, 7 * SECOND)
    assert expected == pytest.approx(errors.mean(), rel=1e-12)
    assert limit == pytest.approx(np.quantile(errors, 0.95), rel=1e-12)


@pytest.mark.parametrize("span", [1, 10])
def test_calibrated_forecasts_stay_below_it_in_nineteen_cases_of_twenty(span):
    below, runs = 0, 120
    for seed in range(runs):
        probabilities, timestamp = forecasts(1_200, seed=seed)
        # Overlapping labels: a quantile that moves on by a new part of its span with each row.
        random = np.random.default_rng(10_000 + seed)
        steps = random.normal(size=len(timestamp) + span - 1)
        moves = np.convolve(steps, np.ones(span), "valid")
        quantile = np.argsort(np.argsort(moves)) / len(moves) if span > 1 else random.random(1_200)
        label = (quantile[:, None] > probabilities.cumsum(axis=1)[:, :2]).sum(axis=1)
        _, limit = calibration_limit(
            probabilities, timestamp, np.zeros(len(label), np.int64), span * SECOND
        )
        below += expected_calibration_error(probabilities, label.astype(np.int8)) <= limit
    assert 0.89 * runs <= below


def test_overconfident_forecasts_lie_above_it():
    probabilities, timestamp = forecasts(3_000, seed=2)
    random = np.random.default_rng(3)
    label = (random.random(3_000)[:, None] > probabilities.cumsum(axis=1)[:, :2]).sum(axis=1)
    sharper = probabilities**2 / (probabilities**2).sum(axis=1, keepdims=True)
    expected, limit = calibration_limit(sharper, timestamp, np.zeros(3_000, np.int64), SECOND)
    assert expected_calibration_error(sharper, label.astype(np.int8)) > limit > expected > 0.0


def test_fewer_independent_labels_leave_more_to_chance():
    probabilities, timestamp = forecasts(2_000, seed=4)
    symbol = np.zeros(2_000, np.int64)
    found = [calibration_limit(probabilities, timestamp, symbol, n * SECOND) for n in (1, 20, 200)]
    assert found[0][0] < found[1][0] < found[2][0]
    assert found[0][1] < found[1][1] < found[2][1]
    assert calibration_limit(probabilities, timestamp, symbol, SECOND) == found[0]


def test_memory_is_that_of_one_draw():
    rows = 20_000
    probabilities, timestamp = forecasts(rows, seed=5)
    symbol = np.zeros(rows, np.int64)
    calibration_limit(probabilities, timestamp, symbol, SECOND)
    tracemalloc.start()
    try:
        calibration_limit(probabilities, timestamp, symbol, SECOND)
        assert tracemalloc.get_traced_memory()[1] < 40 * 8 * rows < DRAWS * 8 * rows
    finally:
        tracemalloc.stop()
