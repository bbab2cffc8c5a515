"""What a calibration error may be by chance: against its definition, and on made-up forecasts."""

import tracemalloc

import numpy as np
import pytest

from alphaseeker.training.calibration_limit import DRAWS, SEED, calibration_limit
from alphaseeker.training.metrics import expected_calibration_error
from oracles.metrics import drawn_calibration_errors, known_forecasts

SECOND = 1_000_000_000


def forecasts(rows, *, seed, sharpness=1.0):
    """Return probabilities, and time stamps a second apart."""
    random = np.random.default_rng(seed)
    odds = np.exp(sharpness * random.normal(size=(rows, 3)))
    return odds / odds.sum(axis=1, keepdims=True), np.arange(rows) * SECOND


@pytest.mark.parametrize(("alike", "steps"), [(True, 1), (False, 8)])
def test_it_is_the_mean_and_the_quantile_of_drawn_errors(alike, steps):
    """Labels that never change have one step in a span, and labels without memory all eight."""
    probabilities, timestamp = forecasts(120, seed=1)
    symbol = np.repeat([0, 1], 60)
    label = np.zeros(120, np.int8) if alike else np.arange(120, dtype=np.int8) % 3
    span = 8 * SECOND
    errors = drawn_calibration_errors(probabilities, timestamp, symbol, span, DRAWS, SEED, steps)
    expected, limit = calibration_limit(probabilities, label, timestamp, symbol, span)
    assert expected == pytest.approx(errors.mean(), rel=1e-12)
    assert limit == pytest.approx(np.quantile(errors, 0.95), rel=1e-12)


@pytest.mark.parametrize(("span", "jumps"), [(1, None), (10, None), (10, 3)])
def test_calibrated_forecasts_stay_below_it_in_nineteen_cases_of_twenty(span, jumps):
    """``benchmarks/calibration_limit.py`` has more runs, and other forecasts."""
    found, runs = [], 120
    symbol, timestamp = np.zeros(1_200, np.int64), np.arange(1_200) * SECOND
    for seed in range(runs):
        probabilities, label = known_forecasts(1_200, span, seed, jumps)
        figures = calibration_limit(probabilities, label, timestamp, symbol, span * SECOND)
        found.append((expected_calibration_error(probabilities, label), *figures))
    errors, expected, limits = np.array(found).T
    # Of 120 runs 95 % are told to 2 %.
    assert 0.91 <= (errors <= limits).mean() <= 0.99
    assert expected.mean() == pytest.approx(errors.mean(), rel=0.1)


def test_labels_of_two_symbols_and_of_distant_times_share_nothing():
    """As many errors by chance as there are labels, wherever in time they lie."""
    probabilities, timestamp = forecasts(900, seed=6)
    one, label = np.zeros(900, np.int64), np.zeros(900, np.int8)
    apart = timestamp + 10**6 * SECOND * (timestamp // (300 * SECOND))
    shifted = np.tile(timestamp[:300], 3)
    found = [
        calibration_limit(probabilities, label, apart, one, 30 * SECOND),
        calibration_limit(probabilities, label, shifted, np.repeat([4, 0, 9], 300), 30 * SECOND),
    ]
    assert found[0] == pytest.approx(found[1], rel=0.1)
    together = calibration_limit(probabilities, label, shifted, one, 30 * SECOND)
    assert together[0] > 1.2 * found[1][0]


def test_overconfident_forecasts_lie_above_it():
    probabilities, timestamp = forecasts(3_000, seed=2)
    random = np.random.default_rng(3)
    label = (random.random(3_000)[:, None] > probabilities.cumsum(axis=1)[:, :2]).sum(axis=1)
    sharper = probabilities**2 / (probabilities**2).sum(axis=1, keepdims=True)
    label = label.astype(np.int8)
    symbol = np.zeros(3_000, np.int64)
    expected, limit = calibration_limit(sharper, label, timestamp, symbol, SECOND)
    assert expected_calibration_error(sharper, label) > limit > expected > 0.0


def test_fewer_independent_labels_leave_more_to_chance():
    probabilities, timestamp = forecasts(2_000, seed=4)
    symbol = np.zeros(2_000, np.int64)
    label = np.arange(2_000, dtype=np.int8) % 3
    found = [
        calibration_limit(probabilities, label, timestamp, symbol, n * SECOND) for n in (1, 20, 200)
    ]
    assert found[0][0] < found[1][0] < found[2][0]
    assert found[0][1] < found[1][1] < found[2][1]
    assert calibration_limit(probabilities, label, timestamp, symbol, SECOND) == found[0]


def test_memory_is_that_of_one_draw():
    rows = 20_000
    probabilities, timestamp = forecasts(rows, seed=5)
    symbol = np.zeros(rows, np.int64)
    label = np.arange(rows, dtype=np.int8) % 3
    calibration_limit(probabilities, label, timestamp, symbol, SECOND)
    tracemalloc.start()
    try:
        calibration_limit(probabilities, label, timestamp, symbol, SECOND)
        assert tracemalloc.get_traced_memory()[1] < 40 * 8 * rows < DRAWS * 8 * rows
    finally:
        tracemalloc.stop()
