"""Rolling pair moments, slope and covariance against exact sums over the kept history."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.kernels.moments import COUNT, XX, XY, YY
from alphaseeker.kernels.regression import (
    covariance,
    rolling_pairs_reset,
    rolling_pairs_step,
    slope,
)
from oracles import kernels as oracle

FIXED = settings(deadline=None, derandomize=True)
LENGTHS = (0, 1, 2, 7, 30)
STEPS = 10_000 if numba.config.DISABLE_JIT else 1_000_000


def run(slots, prefix, moments, positions, lengths, offsets, x, y, out):
    for i in range(len(x)):
        rolling_pairs_step(slots, prefix, moments, positions, lengths, offsets, x[i], y[i])
        for w in range(len(lengths)):
            out[i, w, :6] = moments[w]
            out[i, w, 6] = slope(moments[w])
            out[i, w, 7] = covariance(moments[w])


compiled_run = numba.njit(run)
SLOPE, COVARIANCE = 6, 7


class Pairs:
    """The arrays of one set of windows; feeding gives moments, slope and covariance a step."""

    def __init__(self, lengths=LENGTHS, run=compiled_run):
        self.lengths = np.array(lengths, dtype=np.int64)
        self.offsets = np.concatenate(([0], np.cumsum(self.lengths)[:-1]))
        self.slots = np.zeros((max(1, self.lengths.sum()), 6))
        self.prefix = np.zeros((len(lengths), 6))
        self.moments = np.zeros((len(lengths), 6))
        self.positions = np.zeros(len(lengths), dtype=np.int64)
        self.run = run

    def feed(self, x, y):
        out = np.empty((len(x), len(self.lengths), 8))
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        self.run(
            self.slots,
            self.prefix,
            self.moments,
            self.positions,
            self.lengths,
            self.offsets,
            x,
            y,
            out,
        )
        return out

    def reset(self):
        rolling_pairs_reset(self.prefix, self.positions)


def impact(rows, seed=0):
    """Order flow and the return that it moves, with a few large events."""
    random = np.random.default_rng(seed)
    x = random.standard_t(3, size=rows)
    return x, 0.3 * x + random.normal(size=rows)


def assert_windows(out, x, y, lengths, places, *, tolerance):
    for w, length in enumerate(lengths):
        for i in places:
            if length == 0 or i + 1 < length:
                continue
            last_x, last_y = (v[i + 1 - length : i + 1].tolist() for v in (x, y))
            expected = oracle.pair_moments(last_x, last_y)
            got = out[i, w]
            scale = np.array([1.0, *np.abs([last_x, last_y]).max(axis=1), 0.0, 0.0, 0.0])
            scale[XX], scale[YY] = expected[XX], expected[YY]
            scale[XY] = np.sqrt(expected[XX] * expected[YY])
            assert np.all(np.abs(got[:6] - expected) <= tolerance * scale), (length, i)
            assert got[COVARIANCE] == pytest.approx(
                oracle.covariance(last_x, last_y), rel=0, abs=tolerance * scale[XY] / length
            )
            steepest = scale[XY] / scale[XX] if scale[XX] else 0.0
            assert got[SLOPE] == pytest.approx(
                oracle.slope(last_x, last_y), rel=0, abs=2 * tolerance * steepest
            )


def test_windows_hold_the_moments_of_the_last_pairs():
    x, y = impact(200)
    assert_windows(Pairs().feed(x, y), x, y, LENGTHS, range(200), tolerance=1e-12)


@settings(FIXED, max_examples=50)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=3).map(sorted),
    pairs=st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=40),
)
def test_any_lengths_with_many_ties(lengths, pairs):
    x, y = np.array(pairs, dtype=float).T
    out = Pairs(lengths).feed(x, y)
    assert_windows(out, x, y, lengths, range(len(x)), tolerance=1e-12)


def test_steps_from_another_kernel_give_the_same_bits():
    x, y = impact(150, seed=1)
    assert Pairs(run=run).feed(x, y).tobytes() == Pairs().feed(x, y).tobytes()


@pytest.mark.parametrize("size", [1.0, 1e-12, 1e12])
def test_a_line_is_found_at_any_scale(size):
    x = size * np.random.default_rng(2).normal(size=100)
    out = Pairs((30,)).feed(x, 5.0 * size - 2.5 * x)
    assert np.allclose(out[29:, 0, SLOPE], -2.5, rtol=1e-12, atol=0)


def test_a_window_that_turns_quiet_has_no_moments_at_all():
    pairs = Pairs()
    pairs.feed(*(1e6 * v for v in impact(400, seed=3)))
    out = pairs.feed(np.full(100, 0.1), np.full(100, 60_000.1))
    for w, length in enumerate(LENGTHS[1:], start=1):
        quiet = out[length - 1 :, w]
        assert np.all(quiet == [length, 0.1, 60_000.1, 0.0, 0.0, 0.0, 0.0, 0.0])


def test_a_constant_x_has_slope_zero_and_a_single_pair_too():
    random = np.random.default_rng(4)
    out = Pairs((1, 20)).feed(np.full(60, 0.3), random.normal(size=60))
    assert np.all(out[19:, :, SLOPE] == 0.0)
    assert np.all(out[19:, :, COVARIANCE] == 0.0)
    assert np.all(out[19:, 0, YY] == 0.0)
    assert np.all(out[19:, 1, YY] > 0.0)


def test_no_pair_has_slope_and_covariance_zero():
    assert slope(np.zeros(6)) == 0.0
    assert covariance(np.zeros(6)) == 0.0


def test_a_window_of_no_bucket_is_passed_over():
    pairs = Pairs((0, 4))
    pairs.moments[0] = 9.0
    out = pairs.feed(*impact(30, seed=5))
    assert np.all(out[:, 0, :6] == 9.0)
    assert np.all(out[3:, 1, COUNT] == 4)


@pytest.mark.parametrize("before", [1, 29, 30, 44])
def test_a_reset_forgets_all_pairs(before):
    x, y = impact(100, seed=6)
    used = Pairs()
    used.feed(*(1e9 * v for v in impact(before, seed=7)))
    used.reset()
    again, fresh = used.feed(x, y), Pairs().feed(x, y)
    for w, length in enumerate(LENGTHS[1:], start=1):
        assert again[length - 1 :, w].tobytes() == fresh[length - 1 :, w].tobytes()


def test_a_long_run_does_not_drift():
    x, y = impact(STEPS, seed=8)
    lengths = (30, 300)
    out = Pairs(lengths).feed(x, y)
    assert_windows(out, x, y, lengths, range(STEPS - 20, STEPS), tolerance=1e-12)
