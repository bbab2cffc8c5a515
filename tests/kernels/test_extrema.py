"""Two-stack rolling maxima against maxima over the kept history; all equal to the bit."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.kernels.extrema import rolling_maxima_reset, rolling_maxima_step
from oracles import kernels as oracle

FIXED = settings(deadline=None, derandomize=True)
LENGTHS = (0, 1, 2, 5, 60)
CHANNELS = 4
FENCE, MARK = 2, 12_345.678
STAGGERS = range(8)
STEPS = 20_000 if numba.config.DISABLE_JIT else 1_000_000


def run(slots, prefix, maxima, positions, lengths, offsets, history, out):
    for i in range(history.shape[0]):
        rolling_maxima_step(slots, prefix, maxima, positions, lengths, offsets, history[i])
        out[i] = maxima


compiled_run = numba.njit(run)


class Maxima:
    """The arrays of one set of windows, and the maxima after each bucket fed.

    The slots begin greater than anything fed: what is read before it was written shows. Around the
    arrays stand numbers that nobody has any business with.
    """

    def __init__(self, lengths=LENGTHS, stagger=0, run=compiled_run):
        self.lengths = np.array(lengths, dtype=np.int64)
        self.offsets = FENCE + np.cumsum(self.lengths) - self.lengths
        self.memory = [
            np.full((rows + 2 * FENCE, CHANNELS), MARK)
            for rows in (self.lengths.sum(), len(lengths), len(lengths))
        ]
        self.slots = self.memory[0]
        self.prefix, self.maxima = (memory[FENCE:-FENCE] for memory in self.memory[1:])
        self.slots[FENCE:-FENCE] = math.inf
        self.prefix[:] = math.inf
        self.maxima[:] = math.nan
        self.positions = np.full(len(lengths), -1)
        self.stagger = stagger
        self.run = run
        self.reset()

    def feed(self, history):
        history = np.ascontiguousarray(history, dtype=float)
        out = np.empty((len(history), *self.maxima.shape))
        self.run(
            self.slots,
            self.prefix,
            self.maxima,
            self.positions,
            self.lengths,
            self.offsets,
            history,
            out,
        )
        for memory in self.memory:
            assert np.all(memory[:FENCE] == MARK)
            assert np.all(memory[-FENCE:] == MARK)
        return out

    def reset(self):
        rolling_maxima_reset(self.prefix, self.positions, self.lengths, self.stagger)


def assert_maxima(out, history, lengths):
    for w, length in enumerate(lengths):
        if 0 < length <= len(history):
            expected = oracle.rolling_maxima(history, length)
            assert np.array_equal(out[length - 1 :, w], expected), length


def path(shape, rows=500):
    """Four channels: the shape, its negation, whose maximum is the minimum of the shape, and two
    of other scales that run ahead of it and behind it.
    """
    random = np.random.default_rng(1)
    values = {
        "walk": np.cumsum(random.normal(size=rows)),
        "noise": random.normal(size=rows),
        "ties": random.integers(0, 3, size=rows).astype(float),
        "rising": np.arange(rows, dtype=float),
        "saw": np.arange(rows) % 61 * -1.0,
        "constant": np.full(rows, -0.0),
    }[shape]
    ahead, behind = np.roll(values, -7) * 1e9, np.roll(-values, 11) * 1e-9
    return np.column_stack([values, -values, ahead, behind])


SHAPES = ("walk", "noise", "ties", "rising", "saw", "constant")
every_shape = pytest.mark.parametrize("shape", SHAPES)
every_stagger = pytest.mark.parametrize("stagger", STAGGERS)


@every_shape
@every_stagger
def test_maxima_are_those_of_the_last_buckets(shape, stagger):
    history = path(shape)
    assert_maxima(Maxima(stagger=stagger).feed(history), history, LENGTHS)


@settings(FIXED, max_examples=100)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=4).map(sorted),
    stagger=st.sampled_from(STAGGERS),
    forgotten=st.integers(0, 30),
    values=st.lists(
        st.tuples(
            *[
                st.one_of(st.integers(-3, 3).map(float), st.floats(allow_nan=False))
                for _ in range(CHANNELS)
            ]
        ),
        min_size=1,
        max_size=60,
    ),
)
def test_any_lengths_and_any_values(lengths, stagger, forgotten, values):
    history = np.array(values)
    maxima = Maxima(lengths, stagger=stagger)
    maxima.feed(np.full((forgotten, CHANNELS), math.inf))
    maxima.reset()
    assert_maxima(maxima.feed(history), history, lengths)


@every_shape
def test_steps_from_another_kernel_give_the_same_bits(shape):
    history = path(shape, rows=200)
    used, again = Maxima(stagger=5, run=run), Maxima(stagger=5)
    assert used.feed(history).tobytes() == again.feed(history).tobytes()


def test_a_minimum_is_the_maximum_of_the_negated_values():
    history = path("walk")
    out = Maxima((20,)).feed(history)
    assert -out[19, 0, 1] == history[:20, 0].min()
    assert -out[-1, 0, 1] == history[-20:, 0].min()


def test_infinities_leave_with_their_bucket():
    inputs = np.array([0.0, math.inf, 1.0, -math.inf, -math.inf, -math.inf])
    for channel in range(CHANNELS):
        history = np.zeros((len(inputs), CHANNELS))
        history[:, channel] = inputs
        out = Maxima((2,)).feed(history)
        expected = [math.inf, math.inf, 1.0, -math.inf, -math.inf]
        assert out[1:, 0, channel].tolist() == expected
        assert np.all(np.delete(out[1:, 0], channel, axis=1) == 0.0)


def test_a_window_of_no_bucket_is_passed_over():
    maxima = Maxima((0, 0, 3))
    out = maxima.feed(path("noise"))
    assert np.isnan(out[:, :2]).all()
    assert maxima.positions[:2].tolist() == [0, 0]
    assert_maxima(out, path("noise"), (0, 0, 3))


@every_stagger
@pytest.mark.parametrize("before", [1, 59, 60, 77])
def test_a_reset_forgets_all_buckets(before, stagger):
    used = Maxima(stagger=stagger)
    used.feed(path("noise", rows=before) + 1e9)
    used.reset()
    history = path("walk")
    assert_maxima(used.feed(history), history, LENGTHS)


@every_stagger
@pytest.mark.parametrize("stale", [math.nan, math.inf, 1e300, -7.25])
def test_a_full_window_has_nothing_of_what_stood_in_its_slots(stale, stagger):
    maxima = Maxima(stagger=stagger)
    maxima.slots[FENCE:-FENCE] = stale
    history = path("walk", rows=200)
    assert_maxima(maxima.feed(history), history, LENGTHS)


@every_stagger
def test_a_reset_begins_an_empty_block_at_its_stagger(stagger):
    maxima = Maxima(stagger=stagger)
    maxima.feed(path("noise", rows=77))
    maxima.reset()
    assert np.all(maxima.prefix == -math.inf)
    assert maxima.positions.tolist() == [length * stagger // 8 for length in LENGTHS]


@pytest.mark.parametrize("shape", ["walk", "saw"])
def test_a_long_run_stays_exact(shape):
    history = path(shape, rows=STEPS)
    lengths = (5, 60, 300)
    out = Maxima(lengths, stagger=2).feed(history)
    assert_maxima(out[-9_000:], history[-9_000:], lengths)
