"""Averages and totals that fade by elapsed time, against their closed forms."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.kernels.ewma import fill_weights, flow_step, level_step
from alphaseeker.kernels.lanes import WIDE
from oracles import kernels as oracle

FIXED = settings(deadline=None, derandomize=True)
EPSILON = np.finfo(float).eps
STEPS = 20_000 if numba.config.DISABLE_JIT else 1_000_000

values = st.floats(-1e6, 1e6)
half_lives = st.sampled_from([0.1, 1.0, 60.0, 900.0])
# A tenth of a microsecond to a day, and the ticks of one instant.
durations = st.one_of(st.just(0.0), st.floats(1e-7, 86_400.0))
stretches = st.lists(st.tuples(values, durations), min_size=1, max_size=30)


def level_steps(average, levels, elapsed, half_life):
    for i in range(len(levels)):
        average = level_step(average, levels[i], elapsed[i], half_life)
    return average


def flow_steps(total, impulses, elapsed, half_life):
    for i in range(len(impulses)):
        total = flow_step(total, impulses[i], elapsed[i], half_life)
    return total


compiled_level_steps = numba.njit(level_steps)
compiled_flow_steps = numba.njit(flow_steps)


@FIXED
@given(start=values, stretches=stretches, half_life=half_lives)
def test_level_is_the_weighted_past(start, stretches, half_life):
    levels, elapsed = (np.array(column) for column in zip(*stretches, strict=True))
    got = compiled_level_steps(start, levels, elapsed, half_life)
    expected = oracle.level_average(start, levels.tolist(), elapsed.tolist(), half_life)
    size = max(abs(start), *np.abs(levels))
    assert got == pytest.approx(expected, rel=0, abs=4 * (len(levels) + 1) * EPSILON * size)


@FIXED
@given(start=values, stretches=stretches, half_life=half_lives)
def test_flow_is_the_sum_of_what_is_left(start, stretches, half_life):
    impulses, elapsed = (np.array(column) for column in zip(*stretches, strict=True))
    got = compiled_flow_steps(start, impulses, elapsed, half_life)
    expected = oracle.flow_total(start, impulses.tolist(), elapsed.tolist(), half_life)
    size = abs(start) + math.fsum(np.abs(impulses))
    # Underflow in what is left of a day: far below any impulse.
    assert got == pytest.approx(expected, rel=0, abs=8 * len(impulses) * EPSILON * size + 1e-290)


@pytest.mark.parametrize("half_life", [0.1, 60.0])
@pytest.mark.parametrize(
    ("steps", "compiled"),
    [(level_steps, compiled_level_steps), (flow_steps, compiled_flow_steps)],
)
def test_steps_from_another_kernel_give_the_same_bits(steps, compiled, half_life):
    random = np.random.default_rng(1)
    inputs = random.normal(size=500)
    elapsed = random.exponential(size=500) * (random.random(500) > 0.1)
    assert compiled(1.0, inputs, elapsed, half_life) == steps(1.0, inputs, elapsed, half_life)


@FIXED
@given(average=values, held=values, half_life=half_lives)
def test_no_time_changes_no_level_and_loses_no_flow(average, held, half_life):
    assert level_step(average, held, 0.0, half_life) == average
    assert flow_step(average, held, 0.0, half_life) == average + held


@pytest.mark.parametrize("half_life", [0.5, 1.0, 60.0])
def test_one_half_life_halves(half_life):
    assert level_step(3.0, 7.0, half_life, half_life) == pytest.approx(5.0, rel=2 * EPSILON)
    assert flow_step(8.0, 0.0, half_life, half_life) == pytest.approx(4.0, rel=2 * EPSILON)


@FIXED
@given(average=values, held=values, elapsed=durations, half_life=half_lives)
def test_a_stretch_in_two_halves_is_the_stretch(average, held, elapsed, half_life):
    whole = level_step(average, held, elapsed, half_life)
    half = level_step(average, held, elapsed / 2, half_life)
    both = level_step(half, held, elapsed / 2, half_life)
    assert both == pytest.approx(whole, rel=0, abs=8 * EPSILON * (abs(average) + abs(held)))


@FIXED
@given(
    average=values,
    held=values,
    cuts=st.lists(st.floats(0.0, 300.0), min_size=1, max_size=20),
    half_life=half_lives,
)
def test_uneven_pieces_of_a_stretch_are_the_stretch(average, held, cuts, half_life):
    pieces = np.diff(np.sort([0.0, *cuts]))
    whole = level_step(average, held, max(cuts), half_life)
    parts = compiled_level_steps(average, np.full(len(pieces), held), pieces, half_life)
    size = abs(average) + abs(held)
    assert parts == pytest.approx(whole, rel=0, abs=8 * len(pieces) * EPSILON * size)


@FIXED
@given(level=values, elapsed=durations, half_life=half_lives)
def test_a_level_that_holds_stays_exactly(level, elapsed, half_life):
    assert level_step(level, level, elapsed, half_life) == level


def test_a_flow_of_nothing_stays_exactly_zero():
    assert flow_step(0.0, 0.0, 1.5, 60.0) == 0.0
    assert level_step(0.0, 0.0, 1.5, 60.0) == 0.0


def test_a_long_silence_forgets_the_past():
    assert level_step(5.0, 3.0, 1e9, 60.0) == 3.0
    assert flow_step(5.0, 3.0, 1e9, 60.0) == 3.0


@pytest.mark.parametrize("elapsed", [1e-7, 1e-6, 1e-3])
def test_the_weight_of_a_short_stretch_keeps_its_digits(elapsed):
    exact = float(1 - oracle.half_life_weight(elapsed, 900.0))
    assert level_step(0.0, 1.0, elapsed, 900.0) == pytest.approx(exact, rel=8 * EPSILON, abs=0)


@pytest.mark.parametrize("half_life", [1.0, 60.0])
def test_a_long_run_does_not_drift(half_life):
    random = np.random.default_rng(2)
    levels = 60_000 + np.cumsum(random.normal(size=STEPS))
    impulses = random.normal(size=STEPS)
    elapsed = random.exponential(0.05, size=STEPS) * (random.random(STEPS) > 0.06)
    # What is older than eighty half-lives has no weight left.
    recent = np.searchsorted(np.cumsum(elapsed[::-1]), 80 * half_life) + 1
    last = slice(max(0, STEPS - recent), STEPS)
    weights = np.exp2(-np.concatenate(([0.0], np.cumsum(elapsed[last][:0:-1])))[::-1] / half_life)
    older = weights * np.exp2(-elapsed[last] / half_life)
    # At the level's own instants: the stretch that ends last has age 0 at its end.
    expected = math.fsum(levels[last] * (weights - older)) + levels[last][0] * older[0]
    got = compiled_level_steps(levels[0], levels, elapsed, half_life)
    assert got == pytest.approx(expected, rel=1e-9)

    terms = impulses[last] * weights
    got = compiled_flow_steps(0.0, impulses, elapsed, half_life)
    assert got == pytest.approx(math.fsum(terms), rel=0, abs=1e-9 * math.fsum(np.abs(terms)))


# ---- the weights of several averages at once ----------------------------------------------------

HALF_LIVES = (1.0, 5.0, 30.0, 60.0, 300.0, 900.0)
RATES = math.log(2.0) / np.array(HALF_LIVES)
MARK = 12_345.678  # what stands beside the weights
# Where the fastest of the averages passes from the series to the exponential.
TURN = 1.0 / 64.0 / RATES[0]


def weights_run(elapsed, rates, out):
    for i in range(len(elapsed)):
        fill_weights(out[i, 1:-1], rates, elapsed[i])
    return out


compiled_weights_run = numba.njit(weights_run)


def weights_of(elapsed, half_lives=HALF_LIVES, run=compiled_weights_run):
    elapsed = np.array(elapsed)
    rates = np.zeros(WIDE)
    rates[: len(half_lives)] = math.log(2.0) / np.array(half_lives)
    out = np.full((len(elapsed), WIDE + 2), MARK)
    out[:, 1:-1] = np.nan
    run(elapsed, rates, out)
    assert np.all(out[:, [0, -1]] == MARK)
    weights, rest = np.split(out[:, 1:-1], [len(half_lives)], axis=1)
    assert np.all(rest == 0.0), "where there is no half-life nothing is ever taken away"
    return weights


def assert_weights(got, elapsed, half_lives):
    for row, passed in zip(got, elapsed, strict=True):
        for weight, half_life in zip(row, half_lives, strict=True):
            exact = float(1 - oracle.half_life_weight(passed, half_life))
            assert weight == pytest.approx(exact, rel=1e-15, abs=0), (passed, half_life)


def test_weights_on_both_sides_of_the_turn():
    below, above = np.nextafter(TURN, 0.0), np.nextafter(TURN, 1.0)
    elapsed = [1e-9, 1e-6, 1e-3, below, TURN, above, 2 * TURN, 0.1, 1.0, 900.0, 86_400.0]
    assert_weights(weights_of(elapsed), elapsed, HALF_LIVES)


@FIXED
@given(
    half_lives=st.lists(st.floats(0.1, 3600.0), min_size=1, max_size=WIDE, unique=True).map(sorted),
    elapsed=st.lists(durations, min_size=1, max_size=5),
)
def test_weights_have_all_their_digits(half_lives, elapsed):
    assert_weights(weights_of(elapsed, half_lives), elapsed, half_lives)


def test_weights_rise_with_time_and_fall_with_half_life():
    elapsed = np.sort(np.concatenate((np.geomspace(1e-6, 100.0, 400), TURN * np.ones(3))))
    got = weights_of(elapsed)
    assert np.all(np.diff(got, axis=0) >= 0.0)
    assert np.all(np.diff(got, axis=1) < 0.0)


def test_no_time_weighs_nothing_and_a_long_silence_everything():
    assert weights_of([0.0]).tolist() == [[0.0] * 6]
    assert weights_of([1e9]).tolist() == [[1.0] * 6]


def test_weights_move_a_level_as_its_step_does():
    for elapsed in (0.003, 0.4):
        (weights,) = weights_of([elapsed])
        for weight, half_life in zip(weights, HALF_LIVES, strict=True):
            by_step = level_step(0.0, 1.0, elapsed, half_life)
            assert weight == pytest.approx(by_step, rel=8 * EPSILON, abs=0)


def test_weights_from_another_kernel_are_the_same_bits():
    elapsed = np.random.default_rng(3).exponential(0.05, size=500)
    assert (elapsed < TURN).any()
    assert (elapsed > TURN).any()
    assert weights_of(elapsed, run=weights_run).tobytes() == weights_of(elapsed).tobytes()
