import numpy as np
import pytest

from alphaseeker.training.bootstrap import (
    MAX_CELLS,
    MIN_CELLS,
    cell_length,
    interval,
    resample_counts,
    time_cells,
)

SECOND = 1_000_000_000


def test_cells_are_at_least_five_label_spans_long():
    times = np.arange(1000) * SECOND
    cells = time_cells(times, 60 * SECOND)
    assert cells.max() == 3
    assert np.bincount(cells).tolist() == [300, 300, 300, 100]


def test_long_samples_have_a_bounded_number_of_cells():
    cells = time_cells(np.arange(100_000) * SECOND, SECOND)
    assert MAX_CELLS <= cells.max() + 1 <= MAX_CELLS + 2


def test_time_between_sessions_makes_no_cells():
    times = np.concatenate([np.arange(600), np.arange(600) + 10**7]) * SECOND
    cells = time_cells(times, 60 * SECOND)
    assert sorted(set(cells.tolist())) == list(range(cells.max() + 1))
    assert 4 <= cells.max() + 1 <= 5


def test_each_draw_takes_as_many_cells_as_there_are_in_pairs():
    counts = resample_counts(11, resamples=200)
    assert counts.shape == (200, 11)
    assert (counts.sum(axis=1) == 11).all()
    assert np.array_equal(counts, resample_counts(11, resamples=200))
    assert counts.mean() == pytest.approx(1.0)
    assert resample_counts(1, resamples=3).tolist() == [[1.0]] * 3


def test_the_interval_of_a_mean_has_the_width_of_theory():
    values = np.random.default_rng(0).normal(size=400)
    low, high = interval(resample_counts(400, resamples=2000) @ values / 400)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.15)
    assert interval(np.array([np.nan, np.nan])) == []


def test_intervals_of_the_fewest_cells_allowed_hold_what_they_should():
    random = np.random.default_rng(0)
    draws = resample_counts(MIN_CELLS)
    lows = [interval(draws @ random.normal(size=MIN_CELLS) / MIN_CELLS)[0] for _ in range(1500)]
    # Nominal .025; at 6 cells it was .11.
    assert np.mean(np.array(lows) > 0.0) < 0.06


def test_a_cell_is_as_long_as_said():
    stamps = np.arange(86_400, dtype=np.int64) * 1_000_000_000
    length = cell_length(stamps, 60_000_000_000)
    assert length == 86_399 * 1_000_000_000 // 60
    cells = time_cells(stamps, 60_000_000_000)
    assert (np.diff(cells)[(np.diff(stamps // length)) == 0] == 0).all()
    assert cell_length(stamps[:3_600], 60_000_000_000) == 300_000_000_000
