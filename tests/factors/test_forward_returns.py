import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.factors.forward_returns import (
    forward_return,
    grid_interval,
    is_coarse,
    label_end,
    prevailing_row,
    unresolve_unseen,
)
from oracles import factors as oracle

SECOND = 10**9


def test_label_ends_at_first_row_whose_horizon_has_passed():
    timestamp = np.array([0, 10, 59, 61, 70, 130]) * SECOND
    segment = np.zeros(6, dtype=np.int64)
    assert label_end(timestamp, segment, 60 * SECOND).tolist() == [3, 4, 5, 5, 5, -1]


def test_the_quote_that_prevails_is_the_last_one_by_then():
    timestamp = np.array([0, 10, 59, 61, 70, 130]) * SECOND
    segment = np.zeros(6, dtype=np.int64)
    assert prevailing_row(timestamp, segment, 60 * SECOND).tolist() == [2, 4, 4, 4, 5, -1]


def test_return_is_the_logarithm_of_the_price_ratio():
    timestamp = np.array([0, 1, 2]) * SECOND
    price = np.array([100.0, 110.0, 99.0])
    result = forward_return(timestamp, price, np.zeros(3, dtype=np.int64), SECOND)
    assert result[:2] == pytest.approx([math.log(1.1), math.log(0.9)])
    assert math.isnan(result[2])


def test_nothing_crosses_a_segment():
    timestamp = np.array([0, 1, 2, 3]) * SECOND
    segment = np.array([0, 0, 1, 1])
    price = np.array([1.0, 2.0, 4.0, 8.0])
    result = forward_return(timestamp, price, segment, SECOND)
    assert np.isnan(result).tolist() == [False, True, False, True]


def test_price_that_is_not_above_zero_has_no_return():
    timestamp = np.array([0, 1, 2, 3]) * SECOND
    price = np.array([1.0, 0.0, math.nan, 1.0])
    result = forward_return(timestamp, price, np.zeros(4, dtype=np.int64), SECOND)
    assert np.isnan(result).all()


def test_no_rows():
    none = np.empty(0, dtype=np.int64)
    assert len(forward_return(none, np.empty(0), none, 1)) == 0


ROW = st.tuples(st.integers(0, 4), st.booleans(), st.floats(0.5, 2.0))


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=40), st.integers(1, 12))
def test_equals_the_oracle(rows, horizon):
    steps = np.array([row[0] for row in rows], dtype=np.int64)
    timestamp = np.cumsum(steps)
    segment = np.cumsum([row[1] for row in rows], dtype=np.int64)
    price = np.array([row[2] for row in rows], dtype=np.float64)
    assert np.array_equal(
        label_end(timestamp, segment, horizon), oracle.label_end(timestamp, segment, horizon)
    )
    assert np.array_equal(
        prevailing_row(timestamp, segment, horizon),
        oracle.prevailing_row(timestamp, segment, horizon),
    )
    np.testing.assert_allclose(
        forward_return(timestamp, price, segment, horizon),
        oracle.forward_return(timestamp, price, segment, horizon),
        rtol=1e-13,
    )


MINUTE = 60 * SECOND


def price_at(moment):
    """A price that is known at every moment and never stands still for a second."""
    minutes = moment / MINUTE
    return 100.0 * np.exp(0.01 * np.sin(minutes) + 0.003 * minutes)


def bars(rng, rows, jitter_s):
    return np.arange(rows) * MINUTE + rng.integers(0, round(jitter_s * SECOND) + 1, rows)


@pytest.mark.parametrize("jitter_s", [0.005, 1.0, 10.0])
@pytest.mark.parametrize("horizon_s", [30, 60, 90, 120, 240])
def test_bars_near_the_horizon_have_no_return_that_was_not_seen(jitter_s, horizon_s):
    timestamp = bars(np.random.default_rng(2), 3000, jitter_s)
    price, segment = price_at(timestamp), np.zeros(3000, dtype=np.int64)
    found = forward_return(timestamp, price, segment, horizon_s * SECOND)
    # Bar by bar, from the times alone: how many whole bars pass within the horizon.
    step = np.diff(timestamp)
    ahead = np.array([np.searchsorted(np.cumsum(step[i : i + 9]), horizon_s * SECOND, "right")
                      for i in range(2980)])  # fmt: skip
    assert np.array_equal(np.isfinite(found[:2980]), ahead > 0)
    for row in np.flatnonzero(ahead):
        assert found[row] == pytest.approx(math.log(price[row + ahead[row]] / price[row]))
    assert not np.any(found == 0.0)


def test_exact_bars_lose_nothing():
    timestamp, segment = np.arange(50) * MINUTE, np.zeros(50, dtype=np.int64)
    found = forward_return(timestamp, price_at(timestamp), segment, MINUTE)
    assert np.isfinite(found).tolist() == [True] * 49 + [False]


def test_the_row_before_a_missing_bar_is_unresolved():
    kept = np.delete(np.arange(50), [20, 33, 34])
    timestamp, segment = kept * MINUTE, np.zeros(47, dtype=np.int64)
    lost = np.isnan(forward_return(timestamp, price_at(timestamp), segment, MINUTE))
    assert kept[lost].tolist() == [19, 32, 49]
    # Half a return late is what prevailed then: over two minutes the quote was seen to move.
    lost = np.isnan(forward_return(timestamp, price_at(timestamp), segment, 2 * MINUTE))
    assert kept[lost].tolist() == [32, 48, 49]


@pytest.mark.parametrize("pace_s", [0.5, 4.0, 20.0, 45.0])
def test_a_quiet_stream_of_events_has_true_zeros(pace_s):
    rng = np.random.default_rng(5)
    timestamp = np.cumsum(rng.exponential(pace_s * SECOND, 4000)).astype(np.int64)
    timestamp[2000:] += 3 * MINUTE
    price, segment = price_at(timestamp), np.zeros(4000, dtype=np.int64)
    found = forward_return(timestamp, price, segment, MINUTE)
    whole = timestamp + MINUTE <= timestamp[-1]
    assert np.array_equal(np.isfinite(found), whole)
    quiet = np.flatnonzero(found == 0.0)
    assert 1999 in quiet
    assert np.array_equal(quiet, np.flatnonzero(np.diff(timestamp, append=10**18) > MINUTE)
                          [: len(quiet)])  # fmt: skip


def test_a_hole_in_a_fine_grid_is_a_quote_that_stands():
    timestamp = np.concatenate([np.arange(300), np.arange(400, 700)]) * SECOND
    segment = np.zeros(600, dtype=np.int64)
    found = forward_return(timestamp, price_at(timestamp), segment, MINUTE)
    assert found[299] == 0.0
    assert np.isfinite(found[:540]).all()


@pytest.mark.parametrize(
    ("steps", "interval"),
    [
        ([], 0.0),
        ([7], 7.0),
        ([10, 11, 9, 10, 30], 10.0),
        ([1, 1, 2, 1], 1.0),
        ([1, 5, 9, 20], 0.0),
        ([0, 0, 0, 40], 0.0),
    ],
)
def test_a_grid_is_regular(steps, interval):
    assert grid_interval(np.cumsum([0, *steps])) == interval


def test_each_segment_is_judged_by_itself():
    grid = np.arange(30) * MINUTE + np.array([0, 5] * 15) * 10**6
    rng = np.random.default_rng(1)
    events = np.cumsum(rng.exponential(2 * MINUTE, 30)).astype(np.int64) + 10**13
    timestamp, segment = np.concatenate([grid, events]), np.repeat([4, 9], 30)
    found = prevailing_row(timestamp, segment, MINUTE)
    assert np.all(found[0:28:2] == -1)
    assert np.all(found[1:29:2] == np.arange(2, 30, 2))
    assert np.all(found[30:58] >= np.arange(30, 58))


def test_kernels_compile_inside_another():
    @numba.njit
    def both(timestamp, price, segment):
        unresolve_unseen(timestamp, segment, 2, np.arange(5))
        grid_interval(timestamp)
        return label_end(timestamp, segment, 2), forward_return(timestamp, price, segment, 2)

    timestamp, segment = np.arange(5), np.zeros(5, dtype=np.int64)
    end, result = both(timestamp, np.exp(np.arange(5.0)), segment)
    assert end.tolist() == [2, 3, 4, -1, -1]
    assert result[:3] == pytest.approx([2.0, 2.0, 2.0])


@pytest.mark.parametrize("interval", [1_001_000_000, 1_003_000_000, 250_000_000, 333_333_333])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_what_a_model_file_says_of_a_grid_means_what_the_labels_mean(interval, more):
    horizon = 4 * interval + more
    timestamp = np.arange(1, 30, dtype=np.int64) * interval
    timestamp[15:] += 2 * horizon
    end = prevailing_row(timestamp, np.zeros(len(timestamp), np.int64), horizon)
    assert is_coarse(interval / 1e9, horizon) == (end[14] == -1) == (more <= 0)


def test_a_stream_of_events_is_no_coarse_grid():
    assert not is_coarse(0.0, 1)
