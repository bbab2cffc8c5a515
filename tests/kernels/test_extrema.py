"""Rolling maxima from one deque against maxima over the kept history; all equal to the bit."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.kernels.extrema import rolling_maximum_reset, rolling_maximum_step
from oracles import kernels as oracle

FIXED = settings(deadline=None, derandomize=True)
LENGTHS = (0, 1, 2, 5, 60)
STEPS = 20_000 if numba.config.DISABLE_JIT else 1_000_000
FIRST_BUCKET = 1_600_000_000


def run(values, buckets, heads, tail, maxima, lengths, first, inputs, out):
    for i in range(len(inputs)):
        rolling_maximum_step(values, buckets, heads, tail, maxima, lengths, first + i, inputs[i])
        out[i] = maxima


compiled_run = numba.njit(run)


class Maxima:
    """The arrays of one deque, and the maxima after each value fed."""

    def __init__(self, lengths=LENGTHS, run=compiled_run):
        capacity = 1 << int(lengths[-1]).bit_length()
        self.lengths = np.array(lengths, dtype=np.int64)
        self.values = np.full(capacity, np.nan)
        self.buckets = np.zeros(capacity, dtype=np.int64)
        self.heads = np.zeros(len(lengths), dtype=np.int64)
        self.tail = np.zeros(1, dtype=np.int64)
        self.maxima = np.full(len(lengths), np.nan)
        self.run = run

    def feed(self, inputs, first=FIRST_BUCKET):
        inputs = np.asarray(inputs, dtype=float)
        out = np.empty((len(inputs), len(self.lengths)))
        self.run(
            self.values,
            self.buckets,
            self.heads,
            self.tail,
            self.maxima,
            self.lengths,
            first,
            inputs,
            out,
        )
        return out


def assert_maxima(out, inputs, lengths):
    for w, length in enumerate(lengths):
        if 0 < length <= len(inputs):
            expected = oracle.rolling_maxima(inputs, length)
            assert np.array_equal(out[length - 1 :, w], expected), length


def path(shape, rows=500):
    random = np.random.default_rng(1)
    return {
        "walk": np.cumsum(random.normal(size=rows)),
        "noise": random.normal(size=rows),
        "ties": random.integers(0, 3, size=rows).astype(float),
        "rising": np.arange(rows, dtype=float),
        "falling": -np.arange(rows, dtype=float),
        "saw": np.arange(rows) % 61 * -1.0,
        "constant": np.full(rows, -0.0),
    }[shape]


SHAPES = ("walk", "noise", "ties", "rising", "falling", "saw", "constant")


@pytest.mark.parametrize("shape", SHAPES)
def test_maxima_are_those_of_the_last_buckets(shape):
    inputs = path(shape)
    assert_maxima(Maxima().feed(inputs), inputs, LENGTHS)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 1023])
def test_windows_around_the_capacity(length):
    inputs = path("falling", rows=3 * length + 5)
    assert_maxima(Maxima((length,)).feed(inputs), inputs, (length,))


@settings(FIXED, max_examples=100)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=4).map(sorted),
    inputs=st.lists(
        st.one_of(st.integers(-3, 3).map(float), st.floats(allow_nan=False)),
        min_size=1,
        max_size=60,
    ),
)
def test_any_lengths_and_any_values(lengths, inputs):
    assert_maxima(Maxima(lengths).feed(inputs), np.array(inputs), lengths)


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_from_another_kernel_give_the_same_bits(shape):
    inputs = path(shape, rows=200)
    assert Maxima(run=run).feed(inputs).tobytes() == Maxima().feed(inputs).tobytes()


def test_a_minimum_is_the_maximum_of_the_negated_values():
    inputs = path("walk")
    lows = -Maxima((20,)).feed(-inputs)
    assert lows[19, 0] == inputs[:20].min()
    assert lows[-1, 0] == inputs[-20:].min()


def test_infinities_leave_with_their_bucket():
    inputs = np.array([0.0, math.inf, 1.0, -math.inf, -math.inf, -math.inf])
    out = Maxima((2,)).feed(inputs)
    assert out[1:, 0].tolist() == [math.inf, math.inf, 1.0, -math.inf, -math.inf]


def test_a_window_of_no_bucket_is_passed_over():
    maxima = Maxima((0, 0, 3))
    out = maxima.feed(path("noise"))
    assert np.isnan(out[:, :2]).all()
    assert maxima.heads[:2].tolist() == [0, 0]
    assert_maxima(out, path("noise"), (0, 0, 3))


@pytest.mark.parametrize("shape", ["rising", "falling", "noise"])
@pytest.mark.parametrize("gap", [-100, 0, 10**6])
def test_a_reset_forgets_all_buckets(shape, gap):
    used = Maxima()
    used.feed(path(shape) + 1e9)
    rolling_maximum_reset(used.heads, used.tail)
    inputs = path("walk")
    assert_maxima(used.feed(inputs, FIRST_BUCKET + len(inputs) + gap), inputs, LENGTHS)


@pytest.mark.parametrize("shape", ["walk", "saw"])
def test_a_long_run_stays_exact(shape):
    inputs = path(shape, rows=STEPS)
    lengths = (5, 60, 300)
    assert_maxima(Maxima(lengths).feed(inputs), inputs, lengths)
