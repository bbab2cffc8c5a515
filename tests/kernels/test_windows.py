"""Two-stack window sums against sums over the kept history."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.kernels.windows import window_sums_reset, window_sums_step
from oracles import kernels as oracle

FIXED = settings(deadline=None, derandomize=True)
EPSILON = np.finfo(float).eps
LENGTHS = (0, 1, 2, 5, 60)
STEPS = 20_000 if numba.config.DISABLE_JIT else 1_000_000


def run(slots, prefix, sums, positions, lengths, offsets, history, out):
    for i in range(history.shape[0]):
        window_sums_step(slots, prefix, sums, positions, lengths, offsets, history[i])
        out[i] = sums


compiled_run = numba.njit(run)


class Windows:
    """The arrays of one set of windows, and the sums after each bucket fed."""

    def __init__(self, lengths=LENGTHS, channels=3, run=compiled_run):
        self.lengths = np.array(lengths, dtype=np.int64)
        self.offsets = np.concatenate(([0], np.cumsum(self.lengths)[:-1]))
        self.slots = np.zeros((max(1, self.lengths.sum()), channels))
        self.prefix = np.zeros((len(lengths), channels))
        self.sums = np.zeros((len(lengths), channels))
        self.positions = np.zeros(len(lengths), dtype=np.int64)
        self.run = run

    def feed(self, history):
        history = np.ascontiguousarray(history, dtype=float)
        out = np.empty((len(history), *self.sums.shape))
        self.run(
            self.slots,
            self.prefix,
            self.sums,
            self.positions,
            self.lengths,
            self.offsets,
            history,
            out,
        )
        return out

    def reset(self):
        window_sums_reset(self.prefix, self.positions)


def assert_sums(out, history, lengths, places, *, tolerance):
    for w, length in enumerate(lengths):
        for i in places:
            if length == 0 or i + 1 < length:
                continue
            sums, sizes = oracle.window_sums(history[: i + 1], length)
            assert np.all(np.abs(out[i, w] - sums) <= tolerance * sizes), (length, i)


def prices_and_flows(rows, seed=0):
    """Three channels: a price level, a signed flow of very uneven size, and mostly nothing."""
    random = np.random.default_rng(seed)
    level = 60_000 + np.cumsum(random.normal(size=rows))
    flow = random.standard_t(2, size=rows)
    rare = np.where(random.random(rows) < 0.01, random.normal(size=rows) * 1e8, 0.0)
    return np.column_stack([level, flow, rare])


def test_sums_are_those_of_the_last_buckets():
    history = prices_and_flows(400)
    out = Windows().feed(history)
    assert_sums(out, history, LENGTHS, range(400), tolerance=60 * EPSILON)


@settings(FIXED, max_examples=50)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=4).map(sorted),
    values=st.lists(
        st.one_of(st.just(0.0), st.floats(-1e12, 1e12), st.integers(-5, 5).map(float)),
        min_size=1,
        max_size=60,
    ),
)
def test_any_lengths_and_any_values(lengths, values):
    history = np.array(values)[:, None]
    out = Windows(lengths, channels=1).feed(history)
    assert_sums(out, history, lengths, range(len(values)), tolerance=12 * EPSILON)


def test_steps_from_another_kernel_give_the_same_bits():
    history = prices_and_flows(300, seed=4)
    assert Windows(run=run).feed(history).tobytes() == Windows().feed(history).tobytes()


def test_a_window_of_one_is_the_last_bucket_itself():
    history = prices_and_flows(100, seed=5)
    assert np.array_equal(Windows((1,)).feed(history)[:, 0], history)


def test_a_window_of_no_bucket_is_passed_over():
    windows = Windows((0, 3))
    windows.sums[0] = -7.0
    out = windows.feed(prices_and_flows(50))
    assert np.all(out[:, 0] == -7.0)
    assert windows.positions[0] == 0


def test_after_turbulence_a_sum_of_zeros_is_zero():
    windows = Windows()
    windows.feed(prices_and_flows(500, seed=6) * 1e6)
    out = windows.feed(np.zeros((200, 3)))
    for w, length in enumerate(LENGTHS[1:], start=1):
        assert np.all(out[length - 1 :, w] == 0.0)
        assert np.all(out[: length - 1, w, 0] != 0.0)


def test_whole_numbers_are_summed_exactly():
    history = np.random.default_rng(7).integers(-1000, 1000, size=(500, 2)).astype(float)
    out = Windows(channels=2).feed(history)
    assert_sums(out, history, LENGTHS, range(500), tolerance=0.0)


@pytest.mark.parametrize("before", [1, 59, 60, 77])
def test_a_reset_forgets_all_buckets(before):
    history = prices_and_flows(200, seed=8)
    used = Windows()
    used.feed(prices_and_flows(before, seed=9) * 1e9)
    used.reset()
    again, fresh = used.feed(history), Windows().feed(history)
    for w, length in enumerate(LENGTHS[1:], start=1):
        assert again[length - 1 :, w].tobytes() == fresh[length - 1 :, w].tobytes()


def test_a_long_run_does_not_drift():
    history = prices_and_flows(STEPS, seed=10)
    lengths = (1, 60, 900)
    out = Windows(lengths).feed(history)
    assert_sums(out, history, lengths, range(STEPS - 50, STEPS), tolerance=1e-9)
    assert_sums(out, history, lengths, range(STEPS - 50, STEPS), tolerance=900 * EPSILON)
