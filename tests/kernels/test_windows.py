"""Two-stack window sums against sums over the kept history."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.kernels.windows import (
    CHANGED,
    GROUP,
    LENGTH,
    NOTHING,
    OCCUPIED,
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


def never_empty(windows, history):
    """Feed the history with a channel more, which is never zero, and return the sums without it."""
    twin = Windows(
        windows.lengths, history.shape[1] + 1, windows.stagger, windows.run, windows.number
    )
    full = twin.feed(np.column_stack([history, np.ones(len(history))]))
    return full[:, :, :-1]


def complete(out, lengths):
    """Yield each window's number, its length and its sums from the bucket that completes it."""
    for w, length in enumerate(lengths):
        if length > 0:
            yield w, length, np.ascontiguousarray(out[length - 1 :, w])


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
    assert not windows.written[:, 0].any()
    assert windows.written[:, 1].all()


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
    numbers = np.repeat(np.arange(3), [len(windows.lengths) for windows in fresh])
    plan[:, GROUP] = numbers
    for column in (PARTIAL, PREFIX, TOTAL, SLOTS, CHANGED, NOTHING):
        plan[:, column] += places[numbers]
    occupied = np.ones((3, OCCUPIED), dtype=np.uint8)
    window_sums_reset(memory, plan, occupied)
    assert not occupied.any()
    for i in range(rows):
        for group, history in enumerate(histories):
            partial = plan[numbers == group, PARTIAL][0]
            memory[partial:].reshape(-1)[: history.shape[1]] = history[i]
        window_sums_step(memory, plan, occupied, 900 + i)
        for row, group in enumerate(numbers):
            length, total = plan[row, [LENGTH, TOTAL]]
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


@every_stagger
@pytest.mark.parametrize("share", [0.0, 0.005, 0.05, 0.5])
def test_passing_over_empty_buckets_changes_no_bit(share, stagger):
    history = mostly_empty(2_000, share, seed=stagger)
    lengths = (1, 2, 5, 60, 300)
    windows = Windows(lengths, stagger=stagger)
    full = never_empty(windows, history)
    out = windows.feed(history)
    for (_, length, skipped), (_, _, plain) in zip(
        complete(out, lengths), complete(full, lengths), strict=True
    ):
        assert skipped.tobytes() == plain.tobytes(), length


@settings(FIXED, max_examples=100)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4).map(sorted),
    stagger=st.sampled_from(STAGGERS),
    number=st.integers(0, 3_000),
    before=st.integers(0, 30),
    steps=st.lists(
        st.tuples(st.integers(0, 25), st.sampled_from([1.0, -1.0, 0.1, 0.2, -0.3, 1e9])),
        min_size=1,
        max_size=20,
    ),
)
def test_any_run_of_empty_buckets(lengths, stagger, number, before, steps):
    """Each step is a number of empty buckets and the value of the bucket after them."""
    history = np.concatenate([[0.0] * empty + [value] for empty, value in steps])[:, None]
    windows = Windows(lengths, 1, stagger, number=number)
    windows.feed(np.full((before, 1), 1e300))
    windows.reset()
    full = never_empty(windows, history)
    out = windows.feed(history)
    assert_sums(out, history, lengths, range(len(history)), tolerance=24 * EPSILON)
    for (_, length, skipped), (_, _, plain) in zip(
        complete(out, lengths), complete(full, lengths), strict=True
    ):
        assert skipped.tobytes() == plain.tobytes(), length


@every_stagger
def test_a_window_says_when_its_sums_were_written(stagger):
    history = mostly_empty(1_000, 0.02, seed=20 + stagger)
    windows = Windows(stagger=stagger)
    out = windows.feed(history)
    held = history.any(axis=1)
    for w, length in enumerate(LENGTHS):
        if length == 0:
            continue
        written = windows.written[length:, w]
        enters, leaves = held[length:], held[:-length]
        assert np.all(written[enters | leaves])
        moved = (out[length:, w] != out[length - 1 : -1, w]).any(axis=1)
        assert np.all(written[moved])
        # Otherwise only when a block is full, once in so many buckets.
        idle = written & ~(enters | leaves)
        assert idle.sum() <= len(history) / length
        assert length < 5 or not written.all()


def test_clearing_the_mark_is_the_readers_affair():
    windows = Windows((3,), channels=1)
    windows.feed([[1.0]])
    for number in range(windows.number, windows.number + 9):
        windows.partial[:] = 0.0
        window_sums_step(windows.memory, windows.plan, windows.occupied, number)
        assert windows.changed[0] == 1.0


@every_stagger
def test_what_lies_before_a_reset_counts_as_empty(stagger):
    # Numbers go round the ring of flags: those of a thousand full buckets stand in all of it.
    windows = Windows((900,), channels=1, stagger=stagger)
    windows.feed(np.full((OCCUPIED + 500, 1), 1e300))
    windows.reset()
    assert not windows.occupied.any()
    history = mostly_empty(1_500, 0.01, channels=1, seed=stagger)
    out = windows.feed(history)
    assert_sums(out, history, (900,), range(899, 1_500, 40), tolerance=900 * EPSILON)


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
def test_a_reset_begins_an_empty_block_at_its_stagger(stagger):
    windows = Windows(stagger=stagger)
    windows.feed(prices_and_flows(77))
    windows.reset()
    assert np.all(windows.prefix == 0.0)
    assert np.all(windows.occupied == 0)
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
