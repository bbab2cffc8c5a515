"""Two-stack window sums against sums over the kept history."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.kernels.windows import (
    LENGTH,
    PARTIAL,
    PREFIX,
    SLOTS,
    TOTAL,
    window_sums_reset,
    window_sums_step,
)
from oracles import kernels as oracle
from window_sums import LENGTHS, Windows, run

FIXED = settings(deadline=None, derandomize=True)
EPSILON = np.finfo(float).eps
STAGGERS = range(8)
every_stagger = pytest.mark.parametrize("stagger", STAGGERS)
STEPS = 20_000 if numba.config.DISABLE_JIT else 1_000_000


def assert_sums(out, history, lengths, places, *, tolerance):
    for w, length in enumerate(lengths):
        for i in places:
            if length == 0 or i + 1 < length:
                continue
            sums, sizes = oracle.window_sums(history[: i + 1], length)
            assert np.all(np.abs(out[i, w] - sums) <= tolerance * sizes), (length, i)


def mostly_empty(rows, share, channels=3, seed=0):
    """Return buckets of which only ``share`` hold anything, of very uneven size."""
    random = np.random.default_rng(seed)
    history = random.normal(size=(rows, channels)) * 10.0 ** random.integers(-6, 7, (rows, 1))
    history[random.random((rows, channels)) < 0.3] = 0.0
    history[random.random(rows) >= share] = 0.0
    return history


def prices_and_flows(rows, seed=0):
    """Three channels: a price level, a signed flow of very uneven size, and mostly nothing."""
    random = np.random.default_rng(seed)
    level = 60_000 + np.cumsum(random.normal(size=rows))
    flow = random.standard_t(2, size=rows)
    rare = np.where(random.random(rows) < 0.01, random.normal(size=rows) * 1e8, 0.0)
    return np.column_stack([level, flow, rare])


@every_stagger
def test_sums_are_those_of_the_last_buckets(stagger):
    history = prices_and_flows(400)
    out = Windows(stagger=stagger).feed(history)
    assert_sums(out, history, LENGTHS, range(400), tolerance=60 * EPSILON)


@settings(FIXED, max_examples=50)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=4).map(sorted),
    stagger=st.sampled_from(STAGGERS),
    forgotten=st.integers(0, 30),
    values=st.lists(
        st.one_of(st.just(0.0), st.floats(-1e12, 1e12), st.integers(-5, 5).map(float)),
        min_size=1,
        max_size=60,
    ),
)
def test_any_lengths_and_any_values(lengths, stagger, forgotten, values):
    history = np.array(values)[:, None]
    windows = Windows(lengths, channels=1, stagger=stagger)
    windows.feed(np.full((forgotten, 1), 1e300))
    windows.reset()
    out = windows.feed(history)
    assert_sums(out, history, lengths, range(len(values)), tolerance=12 * EPSILON)


def test_steps_from_another_kernel_give_the_same_bits():
    history = prices_and_flows(300, seed=4)
    used, again = Windows(stagger=3, run=run), Windows(stagger=3)
    assert used.feed(history).tobytes() == again.feed(history).tobytes()


def test_a_window_of_one_is_the_last_bucket_itself():
    history = prices_and_flows(100, seed=5)
    assert np.array_equal(Windows((1,)).feed(history)[:, 0], history)


def test_a_window_of_no_bucket_is_passed_over():
    windows = Windows((0, 3))
    windows.sums[0] = -7.0
    out = windows.feed(prices_and_flows(50))
    assert np.all(out[:, 0] == -7.0)
    assert windows.positions[0] == 0
    assert_sums(out, prices_and_flows(50), (0, 3), range(50), tolerance=60 * EPSILON)


def test_after_turbulence_a_sum_of_zeros_is_zero():
    windows = Windows()
    windows.feed(prices_and_flows(500, seed=6) * 1e6)
    out = windows.feed(np.zeros((200, 3)))
    for w, length in enumerate(LENGTHS[1:], start=1):
        assert np.all(out[length - 1 :, w] == 0.0)
        assert np.all(out[: length - 1, w, 0] != 0.0)


def test_groups_in_one_plan_do_not_touch_each_other():
    """A group of rare buckets between two of full ones, of other widths and other windows."""
    rows = 700
    kinds = (((5, 60), 2, 0, 1.0), ((1, 30, 300), 5, 3, 0.02), ((0, 60, 90), 1, 6, 1.0))
    alone = [Windows(lengths, channels, stagger) for lengths, channels, stagger, _ in kinds]
    histories = [
        mostly_empty(rows, share, channels, seed=index)
        for index, (_, channels, _, share) in enumerate(kinds)
    ]
    expected = [windows.feed(history) for windows, history in zip(alone, histories, strict=True)]
    fresh = [Windows(lengths, channels, stagger) for lengths, channels, stagger, _ in kinds]
    places = np.cumsum([0, *(len(windows.memory) for windows in fresh)])
    memory = np.concatenate([windows.memory for windows in fresh])
    plan = np.concatenate([windows.plan for windows in fresh])
    own = np.concatenate([windows.windows for windows in fresh])
    begins = np.concatenate([windows.begins for windows in fresh])
    numbers = np.repeat(np.arange(3), [len(windows.lengths) for windows in fresh])
    for column in (PARTIAL, PREFIX, TOTAL, SLOTS):
        plan[:, column] += places[numbers]
    window_sums_reset(memory, plan, own, begins)
    for i in range(rows):
        for group, history in enumerate(histories):
            partial = plan[numbers == group, PARTIAL][0]
            memory[partial:].reshape(-1)[: history.shape[1]] = history[i]
        window_sums_step(memory, plan, own)
        for row, group in enumerate(numbers):
            length, total = own[row, LENGTH], plan[row, TOTAL]
            if length > 0 and i + 1 >= length:
                window = row - np.argmax(numbers == group)
                got = memory[total:].reshape(-1)[: histories[group].shape[1]]
                assert got.tobytes() == expected[group][i, window].tobytes()


# ---- empty buckets ------------------------------------------------------------------------------


@every_stagger
@pytest.mark.parametrize("share", [0.0, 0.005, 0.05, 0.5])
def test_sums_over_empty_buckets_are_those_of_the_last_buckets(share, stagger):
    history = mostly_empty(400, share, seed=stagger)
    out = Windows(stagger=stagger).feed(history)
    assert_sums(out, history, LENGTHS, range(400), tolerance=60 * EPSILON)


@settings(FIXED, max_examples=100)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4).map(sorted),
    stagger=st.sampled_from(STAGGERS),
    before=st.integers(0, 30),
    steps=st.lists(
        st.tuples(st.integers(0, 25), st.sampled_from([1.0, -1.0, 0.1, 0.2, -0.3, 1e9])),
        min_size=1,
        max_size=20,
    ),
)
def test_any_run_of_empty_buckets(lengths, stagger, before, steps):
    """Each step is a number of empty buckets and the value of the bucket after them."""
    history = np.concatenate([[0.0] * empty + [value] for empty, value in steps])[:, None]
    windows = Windows(lengths, 1, stagger)
    windows.feed(np.full((before, 1), 1e300))
    windows.reset()
    out = windows.feed(history)
    assert_sums(out, history, lengths, range(len(history)), tolerance=24 * EPSILON)


@every_stagger
def test_where_nothing_enters_and_nothing_leaves_no_bit_changes(stagger):
    """But for the bucket that fills a block, whose sums are added in another order."""
    history = mostly_empty(1_000, 0.02, seed=20 + stagger)
    windows = Windows(stagger=stagger)
    filled = []
    out = []
    for bucket in history:
        out.append(windows.feed([bucket])[0])
        filled.append(windows.positions == 0)
    out, filled = np.array(out), np.array(filled)
    held = history.any(axis=1)
    for w, length in enumerate(LENGTHS[2:], start=2):
        idle = ~(held[length:] | held[:-length] | filled[length:, w])
        assert idle.sum() > 100
        assert out[length:, w][idle].tobytes() == out[length - 1 : -1, w][idle].tobytes()


# ---- resets, and long runs ----------------------------------------------------------------------


def test_whole_numbers_are_summed_exactly():
    history = np.random.default_rng(7).integers(-1000, 1000, size=(500, 2)).astype(float)
    out = Windows(channels=2).feed(history)
    assert_sums(out, history, LENGTHS, range(500), tolerance=0.0)


@every_stagger
@pytest.mark.parametrize("before", [1, 59, 60, 77])
def test_a_reset_forgets_all_buckets(before, stagger):
    history = prices_and_flows(200, seed=8)
    used = Windows(stagger=stagger)
    used.feed(prices_and_flows(before, seed=9) * 1e9)
    used.reset()
    again, fresh = used.feed(history), Windows(stagger=stagger).feed(history)
    for w, length in enumerate(LENGTHS[1:], start=1):
        assert again[length - 1 :, w].tobytes() == fresh[length - 1 :, w].tobytes()


@every_stagger
@pytest.mark.parametrize("stale", [math.nan, math.inf, 1e300, -7.25, 5e-324])
def test_a_full_window_has_nothing_of_what_stood_in_its_slots(stale, stagger):
    """Not to the last bit, and whatever stood there: what the sums were before it says nothing."""
    history = prices_and_flows(200, seed=11)
    fresh = Windows(stagger=stagger).feed(history)
    used = Windows(stagger=stagger)
    used.slots[:] = used.sums[:] = stale
    again = used.feed(history)
    for w, length in enumerate(LENGTHS[1:], start=1):
        assert again[length - 1 :, w].tobytes() == fresh[length - 1 :, w].tobytes()
    assert_sums(again, history, LENGTHS, range(0, 200, 3), tolerance=60 * EPSILON)


@every_stagger
def test_any_number_of_buckets_before_a_reset_is_forgotten(stagger):
    """The finite values of a block cut off anywhere stand in the slots of the one that begins."""
    history = prices_and_flows(40, seed=12)
    lengths = (1, 2, 5, 17)
    fresh = Windows(lengths, stagger=stagger).feed(history)
    for before in range(2 * 17 + 2):
        used = Windows(lengths, stagger=stagger)
        used.feed(prices_and_flows(before, seed=13) * 1e3)
        used.reset()
        again = used.feed(history)
        for w, length in enumerate(lengths):
            assert again[length - 1 :, w].tobytes() == fresh[length - 1 :, w].tobytes()


@every_stagger
def test_a_reset_begins_an_empty_block_at_its_stagger(stagger):
    windows = Windows(stagger=stagger)
    windows.feed(prices_and_flows(77))
    windows.reset()
    assert np.all(windows.prefix == 0.0)
    assert windows.positions.tolist() == [length * stagger // 8 for length in LENGTHS]


def test_no_two_staggers_fill_a_block_at_the_same_bucket():
    lengths = (30, 60, 300)
    windows = [Windows(lengths, stagger=stagger) for stagger in STAGGERS]
    filled = []
    for history in np.split(prices_and_flows(600), 600):
        for one in windows:
            one.feed(history)
        filled.append([one.positions == 0 for one in windows])
    per_bucket = np.sum(filled, axis=1)
    assert per_bucket.max() == 1
    assert per_bucket.sum(axis=0).tolist() == [8 * 600 // length for length in lengths]


def test_a_long_run_does_not_drift():
    history = prices_and_flows(STEPS, seed=10)
    lengths = (1, 60, 900)
    out = Windows(lengths).feed(history)
    assert_sums(out, history, lengths, range(STEPS - 50, STEPS), tolerance=1e-9)
    assert_sums(out, history, lengths, range(STEPS - 50, STEPS), tolerance=900 * EPSILON)
