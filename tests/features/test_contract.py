"""What every declaration promises: its history, its unit's scale law, and no clock of its own."""

import math

import numpy as np
import pytest

from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.readiness import required_buckets

# Units and what prices times ten (with the tick size as it was) make of a column.
PRICE_LAWS = {
    "bp": 1.0,
    "bp^2": 1.0,
    "bp/s": 1.0,
    "ticks": 10.0,
    "1": 1.0,
    "-1..1": 1.0,
    "0..1": 1.0,
    "1/s": 1.0,
    "spreads": 1.0,
    "moves": 1.0,
}
BOUNDS = {"-1..1": (-1.0, 1.0), "0..1": (0.0, 1.0)}
CLOSE = {"rtol": 2e-6, "atol": 2e-6}


def needs_ten_returns(feature):
    return "non-zero returns" in feature.formula


@pytest.fixture(scope="module")
def busy(walk):
    """Ticks that move the mid in nearly every second, for longer than every history."""
    return walk(5000)


@pytest.fixture(scope="module")
def busy_run(busy, run):
    return run(busy)


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_nan_until_the_declared_history_and_finite_after(busy_run, feature):
    column = busy_run.values[:, FEATURES.index(feature)]
    ready = busy_run.history >= feature.history_buckets(1.0)
    assert ready[-1]
    assert np.isnan(column[~ready]).all()
    assert np.isfinite(column[ready]).all()


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_on_captures_only_the_rule_of_ten_returns_makes_nan(capture, feature):
    needed = feature.history_buckets(capture.settings.bucket_s)
    for run in capture.runs:
        accepted = (run.verdicts >= 0) & (run.verdicts < 10)
        column = run.values[accepted, FEATURES.index(feature)]
        if needed is None:
            assert np.isnan(column).all()
            continue
        ready = run.history[accepted] >= needed
        assert np.isnan(column[~ready]).all()
        assert not np.isinf(column).any()
        if not needs_ten_returns(feature):
            assert np.isfinite(column[ready]).all()


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_bounded_units_stay_in_their_bounds(capture, feature):
    low, high = BOUNDS.get(feature.unit, (-math.inf, math.inf))
    for run in capture.runs:
        column = run.values[:, FEATURES.index(feature)]
        finite = column[np.isfinite(column)]
        assert np.all((low <= finite) & (finite <= high))
        assert not np.any(np.signbit(finite) & (finite == 0.0))


@pytest.mark.parametrize("bucket_s", [1.5, 3.6, 30.0])
def test_histories_hold_in_buckets_of_any_length(walk, run, bucket_s):
    result = run(walk(3000, interval_s=1.2), bucket_s=bucket_s)
    for column, feature in zip(result.values.T, FEATURES, strict=True):
        needed = feature.history_buckets(bucket_s)
        if needed is None:
            assert np.isnan(column).all(), feature.name
            continue
        ready = result.history >= needed
        assert np.isnan(column[~ready]).all(), feature.name
        assert needs_ten_returns(feature) or np.isfinite(column[ready]).all(), feature.name


def test_prices_times_ten(busy, busy_run, run):
    ticks = busy.ticks.copy()
    for field in ("bid_price", "ask_price", "close"):
        ticks[field] = np.round(ticks[field] * 10, 6)
    scaled = run(type(busy)(symbol="", ticks=ticks, rows=busy.rows))
    for index, feature in enumerate(FEATURES):
        np.testing.assert_allclose(
            scaled.values[:, index],
            busy_run.values[:, index] * PRICE_LAWS[feature.unit],
            err_msg=feature.name,
            **CLOSE,
        )


def test_sizes_times_ten(busy, busy_run, run):
    ticks = busy.ticks.copy()
    for field in ("bid_volume", "ask_volume"):
        ticks[field] *= 10
    scaled = run(type(busy)(symbol="", ticks=ticks, rows=busy.rows))
    logs = [
        np.log1p(one.ticks["bid_volume"]) + np.log1p(one.ticks["ask_volume"])
        for one in (busy, type(busy)(symbol="", ticks=ticks, rows=busy.rows))
    ]
    for index, feature in enumerate(FEATURES):
        expected = busy_run.values[:, index].astype(float)
        if feature.name == "book.depth":
            expected += math.log(10.0)
        elif feature.name == "book.quote_slope":
            expected *= logs[0] / logs[1]
        np.testing.assert_allclose(scaled.values[:, index], expected, err_msg=feature.name, **CLOSE)


@pytest.mark.parametrize("buckets", [1, 3600, -86_400 * 365])
def test_time_shifted_by_whole_buckets(busy, busy_run, run, buckets):
    ticks = busy.ticks.copy()
    ticks["timestamp"] += buckets * 10**9
    shifted = run(type(busy)(symbol="", ticks=ticks, rows=busy.rows))
    assert shifted.values.tobytes() == busy_run.values.tobytes()


def test_every_column_at_once_is_ready_after_the_longest_history(busy_run):
    needed = required_buckets(
        [feature.name for feature in FEATURES], bucket_s=1.0, ready_history_s=900
    )
    assert needed == 901
    assert np.isfinite(busy_run.values[busy_run.history >= needed]).all()


def test_every_column_varies(busy_run):
    """A column that is never anything but one number carries nothing."""
    last = busy_run.values[busy_run.history >= 901]
    constant = [f.name for f, column in zip(FEATURES, last.T, strict=True) if np.ptp(column) == 0]
    assert constant == []
