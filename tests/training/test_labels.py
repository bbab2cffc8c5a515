import os
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.factors.forward_returns import prevailing_row
from alphaseeker.training import labels
from alphaseeker.training.target import target_from_config
from oracles import labels as oracle

SECOND = 1_000_000_000

compiled_scan = njit(oracle.scan)
compiled_only = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="thousands of rows need compiled kernels"
)


def target(**overrides):
    return target_from_config(Config().override(overrides))


def random_ticks(seed, n=120):
    """Event-like times with equal stamps, several segments, prices that sometimes stand still."""
    random = np.random.default_rng(seed)
    segment = np.sort(random.integers(0, 4, n))
    step = random.choice([0, 1, 1, 2, 7], size=n) * SECOND
    price = 100.0 * np.exp(np.cumsum(random.choice([0.0, 2e-3, -2e-3], size=n)))
    return np.cumsum(step), price, segment


def test_triple_barrier_gives_the_reference_vector(make_block):
    block = make_block([100, 100.5, 101.2, 100.9, 99.2, 98.7, 99.5])
    wanted = target(KIND="triple_barrier", HORIZON_S=4, TAKE_PROFIT_PCT=0.01, STOP_LOSS_PCT=0.01)
    found = labels.outcomes(block, wanted)
    assert found.barrier is not None
    assert found.barrier.tolist() == [2, 0, 0, 0, -1, -1, -1]
    touched = block.timestamp[[2, 4, 4, 4]]
    assert found.end.tolist() == [*touched, -1, -1, -1]
    assert np.isnan(found.forward_return[4:]).all()
    assert found.forward_return[0] == np.log(101.2 / 100)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("horizon", [1, 3, 10])
def test_fixed_horizon_equals_its_oracle(make_block, seed, horizon):
    times, price, segment = random_ticks(seed)
    block = make_block(price, timestamp=times, segment=segment)
    found = labels.outcomes(block, target(HORIZON_S=horizon))
    expected = oracle.forward_return(times, price, segment, horizon * SECOND)
    np.testing.assert_allclose(found.forward_return, expected, rtol=0, atol=1e-15)
    resolved = ~np.isnan(expected)
    assert (found.end[resolved] == times[resolved] + horizon * SECOND).all()
    assert (found.end[~resolved] == -1).all()


@pytest.mark.parametrize("seed", range(8))
def test_triple_barrier_equals_its_oracle(make_block, seed):
    times, price, segment = random_ticks(seed)
    block = make_block(price, timestamp=times, segment=segment)
    wanted = target(KIND="triple_barrier", HORIZON_S=6, TAKE_PROFIT_PCT=4e-3, STOP_LOSS_PCT=3e-3)
    found = labels.outcomes(block, wanted)
    side, end = oracle.triple_barrier(times, price, segment, 6 * SECOND, 4e-3, 3e-3)
    expected = np.where(np.isnan(side), -1, side + 1)
    np.testing.assert_array_equal(found.barrier, expected)
    np.testing.assert_array_equal(found.end, end)


def test_a_label_stays_in_its_segment(make_block):
    times = np.arange(10) * SECOND
    block = make_block(np.arange(10) + 100.0, timestamp=times, segment=[0] * 5 + [3] * 5)
    found = labels.outcomes(block, target(HORIZON_S=2))
    assert np.isnan(found.forward_return).tolist() == ([False] * 3 + [True] * 2) * 2


def test_the_horizon_is_time_and_not_rows(make_block):
    block = make_block([100, 101, 102, 103], timestamp=np.array([0, 1, 9, 20]) * SECOND)
    found = labels.outcomes(block, target(HORIZON_S=10))
    assert found.forward_return[0] == np.log(102 / 100)
    assert found.forward_return[1] == np.log(102 / 101)
    assert np.isnan(found.forward_return[3])


def test_close_can_be_the_label_price_while_trades_stay_on_the_mid(make_block):
    block = make_block([100, 101, 102], close=np.array([100.0, 90.0, 80.0]))
    found = labels.outcomes(block, target(HORIZON_S=1, LABEL_PRICE="close"))
    assert found.forward_return[0] == np.log(0.9)
    assert found.trade_return[0] == np.log(1.01)


def test_kernels_run_inside_another_jitted_function():
    times, price, segment = random_ticks(3)

    @njit
    def caller(times, price, segment, end_row, label):
        labels.triple_barrier(times, price, segment, 3 * SECOND, 1e-3, 1e-3, label, end_row)
        low, high = labels.block_extremes(price, labels.FINE)
        far = labels.block_extremes(price, labels.COARSE)
        return labels.first_touch(price, low, high, *far, 0, len(price), 0.0, price.max())

    end_row, label = np.empty(len(times), np.int64), np.empty(len(times), np.int8)
    assert caller(times, price, segment, end_row, label) == np.argmax(price)
    again = np.empty_like(label), np.empty_like(end_row)
    labels.triple_barrier(times, price, segment, 3 * SECOND, 1e-3, 1e-3, *again)
    assert np.array_equal(label, again[0])
    assert np.array_equal(end_row, again[1])


def jittered_bars(rows=800, seed=3):
    """Minute bars some milliseconds early or late, two of them missing, of a moving price."""
    random = np.random.default_rng(seed)
    kept = np.delete(np.arange(rows), [100, 400])
    times = kept * 60 * SECOND + random.integers(-5_000_000, 5_000_001, len(kept))
    return times, 100.0 * np.exp(np.cumsum(1e-3 * random.normal(size=len(kept))))


@pytest.mark.parametrize("kind", ["fixed_horizon", "triple_barrier"])
def test_bars_at_the_horizon_make_no_false_hold(make_block, kind):
    times, price = jittered_bars()
    wide = {"TAKE_PROFIT_PCT": 0.5, "STOP_LOSS_PCT": 0.5}
    found = labels.outcomes(make_block(price, timestamp=times), target(KIND=kind, **wide))
    # The next bar is the only one that can be seen: in time, or the row is not resolved.
    in_time = np.append(np.diff(times) <= 60 * SECOND, False)
    assert 0.4 < in_time.mean() < 0.6
    assert np.array_equal(found.end >= 0, in_time)
    moved = np.append(np.diff(np.log(price)), np.nan)
    np.testing.assert_allclose(found.forward_return, np.where(in_time, moved, np.nan), atol=1e-12)
    assert not (found.forward_return == 0.0).any()
    if found.barrier is not None:
        assert set(found.barrier[in_time]) == {1}
        assert set(found.barrier[~in_time]) == {-1}


@pytest.mark.parametrize("kind", ["fixed_horizon", "triple_barrier"])
def test_a_quiet_stream_of_events_keeps_its_true_holds(make_block, kind):
    random = np.random.default_rng(8)
    times = np.cumsum(random.exponential(30 * SECOND, 2000)).astype(np.int64)
    price = 100.0 * np.exp(np.cumsum(1e-3 * random.normal(size=2000)))
    wide = {"TAKE_PROFIT_PCT": 0.5, "STOP_LOSS_PCT": 0.5}
    found = labels.outcomes(make_block(price, timestamp=times), target(KIND=kind, **wide))
    assert np.array_equal(found.end >= 0, times + 60 * SECOND <= times[-1])
    quiet = np.append(np.diff(times) > 60 * SECOND, False)
    assert 0.1 < quiet.mean() < 0.2
    assert np.array_equal(found.forward_return == 0.0, quiet)


@compiled_only
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("barriers", [(2e-4, 3e-4), (2e-3, 2e-3), (0.2, 0.2), (3e-4, 0.2)])
def test_skipping_runs_gives_what_the_scan_gives(seed, barriers):
    random = np.random.default_rng(seed)
    rows = 12_000
    times = np.cumsum(random.integers(0, 3, rows)) * 10_000_000
    price = 100.0 * np.exp(np.cumsum(2e-5 * random.integers(-1, 2, rows)))
    segment = np.searchsorted([5, 4000, 4001, 9000], np.arange(rows), side="right")
    found = np.empty(rows, np.int8), np.empty(rows, np.int64)
    labels.triple_barrier(times, price, segment, 8 * SECOND, *barriers, *found)
    label, end_row = compiled_scan(times, price, segment, 8 * SECOND, *barriers)
    np.testing.assert_array_equal(found[0], label)
    np.testing.assert_array_equal(found[1], end_row)


@compiled_only
def test_long_horizons_of_many_events_cost_little():
    rows = 400_000
    times = np.arange(rows) * 5_000_000
    price = 100.0 * np.exp(np.cumsum(1e-6 * np.random.default_rng(0).integers(-1, 2, rows)))
    segment = np.zeros(rows, np.int64)
    label, end_row = np.empty(rows, np.int8), np.empty(rows, np.int64)
    arrays = (times, price, segment)
    labels.triple_barrier(*(a[:9] for a in arrays), SECOND, 0.1, 0.1, label[:9], end_row[:9])
    begin = time.thread_time()
    labels.triple_barrier(*arrays, 300 * SECOND, 4e-3, 4e-3, label, end_row)
    # A scan takes 60,000 ticks for each row: half a minute. Skipping takes some hundredths.
    assert time.thread_time() - begin < 10.0
    assert (end_row >= 0).sum() == rows - 60_000


def test_runs_know_their_extremes():
    price = np.array([3.0, 1.0, np.nan, 2.0, 5.0, np.nan, np.nan, np.nan])
    low, high = labels.block_extremes(price, 3)
    assert low.tolist() == [1.0, 2.0, np.inf]
    assert high.tolist() == [3.0, 5.0, -np.inf]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_a_label_depends_on_no_tick_after_its_end(steps, horizon):
    times = np.cumsum(np.array(steps, np.int64)) * SECOND
    segment = np.zeros(len(times), np.int64)
    whole = prevailing_row(times, segment, horizon * SECOND)
    for i in np.flatnonzero(whole >= 0):
        # One tick beyond the end is all that may be asked for.
        known = int(np.searchsorted(times, times[i] + horizon * SECOND, side="right")) + 1
        part = prevailing_row(times[:known], segment[:known], horizon * SECOND)
        # Whether a row without a successor in time is kept is a matter of the grid it stands on.
        assert part[i] == whole[i] or (whole[i] == i and part[i] == -1)


def test_falling_times_and_bad_prices_are_refused(make_block):
    with pytest.raises(DataError, match="fall from source row 2 to row 3"):
        labels.outcomes(make_block([1, 2, 3], timestamp=[5, 6, 4]), target())
    with pytest.raises(DataError, match=r"mid .* is nan in source row 2"):
        labels.outcomes(make_block([1, np.nan, 3]), target())
