"""The latency histogram against NumPy's percentiles."""

import numpy as np
import pytest

from alphaseeker._jit import kernel
from alphaseeker.inference.latency import (
    HISTOGRAMS,
    STAGES,
    TOTAL,
    clear_histograms,
    count_time,
    describe,
)


@kernel
def count_all(histograms, stage, values):
    for value in values:
        count_time(histograms[0], stage, value)


def empty():
    histogram = np.zeros(1, dtype=HISTOGRAMS)
    clear_histograms(histogram)
    return histogram


def filled(values, stage=TOTAL):
    histogram = empty()
    count_all(histogram, stage, np.array(values, dtype=np.int64))
    return histogram


@pytest.mark.parametrize("scale", [300.0, 20_000.0, 5e7])
def test_percentiles_within_one_per_cent(scale):
    values = np.random.default_rng(0).lognormal(np.log(scale), 0.8, 20_000).astype(np.int64) + 10
    found = describe([filled(values)])
    for name, share in (("median", 50), ("p95", 95), ("p99", 99), ("p999", 99.9), ("p9999", 99.99)):
        expected = np.percentile(values, share, method="inverted_cdf") / 1e6
        assert found[f"{name}_ms"] == pytest.approx(expected, rel=0.01)
    assert found["count"] == len(values)
    assert found["mean_ms"] == pytest.approx(values.mean() / 1e6, rel=1e-9)
    assert found["std_ms"] == pytest.approx(values.std() / 1e6, rel=1e-6)
    assert found["min_ms"] == values.min() / 1e6
    assert found["max_ms"] == values.max() / 1e6


def test_stages_are_apart():
    for stage, name in enumerate(STAGES):
        histogram = filled([100 + stage], stage)
        for other in STAGES:
            found = describe([histogram], other)
            assert found["count"] == (other == name)
            assert found["mean_ms"] == pytest.approx((100 + stage) / 1e6 if other == name else 0.0)


def test_several_histograms_are_one():
    low, high = filled([100] * 50), filled([1_000_000] * 50)
    both = describe([low, high])
    assert (both["count"], both["min_ms"], both["max_ms"]) == (100, 1e-4, 1.0)
    assert describe([low])["max_ms"] == 1e-4


def test_nothing_counted_is_zero():
    for result in (describe([]), describe([empty()])):
        assert set(result.values()) == {0}


def test_beyond_an_hour_and_below_zero_stay_in_range():
    found = describe([filled([2**60, -5])])
    assert found["count"] == 2
    assert np.isfinite(list(found.values())).all()


def test_clear():
    histogram = filled([5, 6])
    clear_histograms(histogram)
    assert describe([histogram])["count"] == 0
