"""What the model file holds of its features on the training part."""

import json

import numpy as np
import pytest

from alphaseeker.model.stability import bin_counts, stability_index
from alphaseeker.training.reference import feature_reference

SECOND = 1_000_000_000


def persistent(n, half_life, seed):
    """Return a stationary series, shape (n,), that takes ``half_life`` rows to forget a half."""
    decay = 0.5 ** (1.0 / half_life)
    shocks = np.random.default_rng(seed).standard_normal(n) * np.sqrt(1.0 - decay**2)
    series = np.empty(n)
    series[0] = shocks[0] / np.sqrt(1.0 - decay**2)
    for i in range(1, n):
        series[i] = decay * series[i - 1] + shocks[i]
    return series.astype(np.float32)


def reference(matrix, stamps, segment=None):
    segment = np.zeros(len(stamps), dtype=np.int64) if segment is None else segment
    return feature_reference(matrix.__getitem__, np.asarray(stamps), segment)


def test_a_window_is_an_eighth_of_the_training_and_a_day_at_most():
    for days, window_days in ((1, 1 / 8), (4, 0.5), (20, 1.0)):
        stamps = np.arange(0, days * 86_400, 30) * SECOND
        found = reference(np.zeros((len(stamps), 1), dtype=np.float32), stamps)
        span = found["window_rows"] * max(found["spacing_s"], 30.0)
        assert span == pytest.approx(window_days * 86_400, rel=0.3)
        assert found["windows"] >= 8
        assert found["window_rows"] <= 512


def test_rows_are_taken_a_fixed_time_apart_in_every_segment():
    stamps = np.concatenate([np.arange(0, 4_000), np.arange(100, 4_100)]) * SECOND
    segment = np.repeat([1, 2], 4_000)
    rows = []

    def take(numbers):
        rows.extend(numbers.tolist())
        return np.zeros((len(numbers), 1), dtype=np.float32)

    found = feature_reference(take, stamps, segment)
    assert found["spacing_s"] == 10.0
    assert rows == [*range(0, 4_000, 10), *range(4_000, 8_000, 10)]
    assert found["grid_interval_s"] == 1.0


def test_events_have_no_grid():
    stamps = np.cumsum(np.random.default_rng(1).exponential(0.2 * SECOND, 50_000)).astype(np.int64)
    assert reference(np.zeros((50_000, 1), dtype=np.float32), stamps)["grid_interval_s"] == 0.0


def test_persistent_features_usually_look_moved_and_quick_ones_do_not():
    n = 100_000
    matrix = np.stack([persistent(n, 2.0, 1), persistent(n, 1_000.0, 2)], axis=1)
    found = reference(matrix, np.arange(n) * SECOND)
    quick, slow = found["usual_psi"]
    assert quick < 0.1
    assert slow > 0.25
    # A later window of the same market passes for usual, one of another market does not.
    size, spacing = found["window_rows"], round(found["spacing_s"])
    for column, (series, half_life) in enumerate([(quick, 2.0), (slow, 1_000.0)]):
        later = persistent(n, half_life, 7)[: size * spacing : spacing]
        for values, moved in ((later, False), (later + 3.0, True)):
            counts = bin_counts(values, found["edges"][column])
            share = np.array(found["shares"][column])
            psi = stability_index(share, counts, found["rows"])
            assert (psi > max(0.25, series)) is moved, (column, psi)


def test_too_short_a_training_part_tells_nothing_of_windows():
    stamps = np.arange(1_000) * SECOND
    found = reference(np.zeros((1_000, 2), dtype=np.float32), stamps)
    assert (found["window_rows"], found["windows"], found["rows"]) == (0, 0, 100)
    assert len(found["shares"]) == 2


def test_it_is_plain_and_small():
    matrix = np.random.default_rng(3).standard_normal((40_000, 20)).astype(np.float32)
    matrix[:, 3] = np.nan
    matrix[:, 4] = 1.0
    matrix[::3, 5] = np.nan
    found = reference(matrix, np.arange(40_000) * SECOND)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for edges, shares in zip(found["edges"], found["shares"], strict=True):
        assert len(shares) == len(edges) + 2 <= 11
        assert sum(shares) == pytest.approx(1.0)
    assert found["shares"][3] == [0.0, 1.0]
    assert found["shares"][5][-1] == pytest.approx(1 / 3, abs=0.01)
