"""Rolling deviation sums, scores and slopes against exact rational arithmetic."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.kernels.deviations import (
    COLUMNS,
    SERIES,
    TIME,
    rolling_deviations_reset,
    rolling_deviations_step,
    window_score,
    window_slope,
)
from alphaseeker.kernels.lane_math import larger
from alphaseeker.kernels.lanes import WIDE, column_reader, load_integers, store
from oracles import kernels as oracle

FIXED = settings(deadline=None, derandomize=True)
LENGTHS = (0, 1, 2, 7, 30)
FENCE, MARK = 2, 12_345.678
STAGGERS = range(8)
STEPS = 10_000 if numba.config.DISABLE_JIT else 1_000_000
every_stagger = pytest.mark.parametrize("stagger", STAGGERS)


read_column = column_reader(range(WIDE))


@numba.njit
def answer(totals, references, positions, lengths, present, scores, slopes):
    """Write every window's scores, by window and series, and slopes."""
    whole = load_integers(lengths)
    for c in range(SERIES):
        deviation = present[c] - read_column(references, c)
        score = window_score(
            read_column(totals, c), read_column(totals, SERIES + c), whole + 1.0, deviation
        )
        store(scores, c, score)
    slope = window_slope(
        read_column(totals, TIME),
        read_column(totals, 0),
        load_integers(positions),
        larger(whole, 1.0),
        present[0] - read_column(references, 0),
    )
    store(slopes, 0, slope)


def run(slots, prefix, references, totals, positions, lengths, offsets, count, history, asked, out):
    all_totals, all_references, all_positions, scores, slopes = out
    for i in range(history.shape[0] - 1):
        rolling_deviations_step(
            slots, prefix, references, totals, positions, lengths[:count], offsets, history[i]
        )
        all_totals[i] = totals
        all_references[i] = references
        all_positions[i] = positions
        if asked[i]:
            # The next row, not yet a whole bucket, is the present value.
            answer(totals, references, positions, lengths, history[i + 1], scores[i], slopes[i])


compiled_run = numba.njit(run)


class Windows:
    """The arrays of one set of windows; feeding keeps what each step gave.

    The slots begin as NaN: what is read before it was written shows. Around them, and in the rows
    of windows that are not there, stand numbers that nobody has any business with.
    """

    def __init__(self, first, lengths=LENGTHS, stagger=0, run=compiled_run):
        self.count = len(lengths)
        self.lengths = np.zeros(WIDE, dtype=np.int64)
        self.lengths[: self.count] = lengths
        self.offsets = FENCE + np.cumsum(self.lengths) - self.lengths
        self.slots = np.full((self.lengths.sum() + 2 * FENCE, COLUMNS), MARK)
        self.slots[FENCE:-FENCE] = np.nan
        self.prefix, self.totals = np.full((2, WIDE, COLUMNS), MARK)
        self.references = np.full((WIDE, SERIES), MARK)
        self.positions = np.full(WIDE, -1)
        for array in (self.prefix, self.totals, self.references):
            array[: self.count] = np.nan
        self.stagger = stagger
        self.run = run
        self.reset(first)

    def reset(self, first):
        rolling_deviations_reset(
            self.prefix[: self.count],
            self.references,
            self.positions,
            self.lengths[: self.count],
            self.stagger,
            np.array(first, dtype=float),
        )

    def feed(self, history, places=None):
        """Feed all rows but the last, each with the one after it as the present value.

        Scores and slopes are those at ``places``, or at all of them.
        """
        history = np.ascontiguousarray(history, dtype=float)
        steps = len(history) - 1
        asked = np.isin(np.arange(steps), np.arange(steps) if places is None else places)
        out = (
            np.empty((steps, WIDE, COLUMNS)),
            np.empty((steps, WIDE, SERIES)),
            np.empty((steps, WIDE), dtype=np.int64),
            np.full((steps, SERIES, WIDE), np.nan),
            np.full((steps, WIDE), np.nan),
        )
        self.run(
            self.slots,
            self.prefix,
            self.references,
            self.totals,
            self.positions,
            self.lengths,
            self.offsets,
            self.count,
            history,
            asked,
            out,
        )
        assert np.all(self.slots[:FENCE] == MARK)
        assert np.all(self.slots[-FENCE:] == MARK)
        for array in (self.prefix, self.totals, self.references):
            assert np.all(array[self.count :] == MARK)
        assert np.all(self.positions[self.count :] == -1)
        totals, references, positions, scores, slopes = out
        parts = (totals, references, positions, scores.transpose(0, 2, 1), slopes)
        return tuple(part[:, : self.count] for part in parts)


def fed(history, lengths=LENGTHS, stagger=0, run=compiled_run, places=None):
    return Windows(history[0], lengths, stagger, run).feed(history, places)


def complete(lengths, places):
    """Yield window, length and place wherever a window is complete."""
    for w, length in enumerate(lengths):
        for i in places:
            if 0 < length <= i + 1:
                yield w, length, i


def assert_sums(out, history, lengths, places, *, tolerance):
    totals, references, positions, _, _ = out
    for w, length, i in complete(lengths, places):
        for c in range(SERIES):
            values = history[i + 1 - length : i + 1, c].tolist()
            reference = references[i, w, c]
            assert reference in values, "the reference left the window"
            sums = oracle.deviation_sums(values, reference, int(positions[i, w]))
            size = math.sqrt(length * sums[1])
            row = totals[i, w]
            assert row[c] == pytest.approx(sums[0], rel=0, abs=tolerance * size)
            assert row[SERIES + c] == pytest.approx(sums[1], rel=tolerance, abs=0)
            if c == 0:
                assert row[TIME] == pytest.approx(sums[2], rel=0, abs=tolerance * sums[3])


def assert_answers(out, history, lengths, places, *, tolerance):
    """Compare scores, and slopes on the scale of the steepest that the spread allows."""
    _, _, _, scores, slopes = out
    for w, length, i in complete(lengths, places):
        columns = history[i + 1 - length : i + 2].T.tolist()
        for c, values in enumerate(columns):
            expected = oracle.score(values)
            assert scores[i, w, c] == pytest.approx(expected, rel=tolerance, abs=tolerance)
        steepest = oracle.deviation(columns[0]) / oracle.deviation(range(length + 1))
        expected = oracle.slope(columns[0])
        assert slopes[i, w] == pytest.approx(expected, rel=0, abs=tolerance * steepest)


def series(shape, rows=200, seed=0):
    """A price of 60,000 on a grid of 0.1 in the given shape, and three series of other scales."""
    random = np.random.default_rng(seed)
    moves = random.integers(-1, 2, size=rows)
    tenths = {
        "walk": np.cumsum(moves),
        "flicker": moves,
        "jumps": np.cumsum(moves) + 1000 * (np.arange(rows) // 41 % 2),
        "trend": np.arange(rows) + moves,
        # Against a reference at the spike every other deviation is the whole range.
        "spikes": (np.arange(rows) % 30 == 29).astype(int),
        "staircase": np.arange(rows) // 25,
    }[shape]
    spread = np.exp(random.normal(size=rows)) * 1e-9
    large, small = random.normal(size=(2, rows))
    return np.column_stack([60_000 + tenths / 10, spread, 1e12 + large, -3.0 + 1e-6 * small])


SHAPES = ("walk", "flicker", "jumps", "trend", "spikes", "staircase")
every_shape = pytest.mark.parametrize("shape", SHAPES)


@every_shape
@every_stagger
def test_sums_are_those_of_the_last_buckets(shape, stagger):
    history = series(shape)
    out = fed(history, stagger=stagger, places=())
    assert_sums(out, history, LENGTHS, range(0, 199, 3), tolerance=1e-13)


@every_shape
@every_stagger
def test_scores_and_slopes_are_exact_to_twelve_digits(shape, stagger):
    history = series(shape, rows=1000)
    lengths = (5, 30, 300)
    places = range(4, 999, 101)
    out = fed(history, lengths, stagger, places=places)
    assert_answers(out, history, lengths, places, tolerance=1e-12)


@every_stagger
@pytest.mark.parametrize("jump", [100.0, -100.0])
def test_a_jump_just_before_the_window_costs_no_digits(jump, stagger):
    length, rows = 900, 1850
    last = rows - 2  # the last window holds the rows 949 to 1848
    for jumped in (last - length + 1, last - 50):
        history = series("flicker", rows, seed=1)
        history[:jumped, 0] += jump
        # The window before it still holds the last value from before the jump.
        places = (last - 1, last)
        out = fed(history, (length,), stagger, places=places)
        assert_answers(out, history, (length,), places, tolerance=1e-10)


@settings(FIXED, max_examples=100)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=3).map(sorted),
    stagger=st.sampled_from(STAGGERS),
    forgotten=st.integers(0, 25),
    values=st.lists(st.tuples(*[st.integers(-4, 4)] * SERIES), min_size=2, max_size=40),
)
def test_any_lengths_with_many_ties(lengths, stagger, forgotten, values):
    history = np.array(values, dtype=float)
    windows = Windows((7.0, -7.0, 0.0, 3.0), lengths, stagger)
    windows.feed(np.full((forgotten + 1, SERIES), 1e6))
    windows.reset(history[0])
    out = windows.feed(history)
    places = range(len(history) - 1)
    assert_sums(out, history, lengths, places, tolerance=0.0)
    assert_answers(out, history, lengths, places, tolerance=1e-13)


@settings(FIXED, max_examples=50)
@given(
    length=st.integers(1, 12),
    stagger=st.sampled_from(STAGGERS),
    values=st.lists(
        st.tuples(*[st.floats(-1e6, 1e6).filter(lambda x: not 0 < abs(x) < 1e-9)] * SERIES),
        min_size=14,
    ),
)
def test_any_values(length, stagger, values):
    history = np.array(values)
    out = fed(history, (length,), stagger)
    assert_answers(out, history, (length,), range(len(values) - 1), tolerance=1e-13)


def test_steps_from_another_kernel_give_the_same_bits():
    history = series("walk", rows=150)
    parts = zip(fed(history, stagger=3, run=run), fed(history, stagger=3), strict=True)
    for by_steps, compiled in parts:
        for w, length in enumerate(LENGTHS[1:], start=1):
            whole = np.s_[length - 1 :, w]
            assert by_steps[whole].tobytes() == compiled[whole].tobytes()


@every_stagger
def test_a_quiet_window_has_no_deviation_at_all(stagger):
    windows = Windows(series("walk")[0], stagger=stagger)
    windows.feed(series("walk") * 1e3)
    totals, _, _, scores, slopes = windows.feed(np.full((100, SERIES), 60_000.1))
    for w, length in enumerate(LENGTHS[1:], start=1):
        for quiet in (totals, scores, slopes):
            assert np.all(quiet[length - 1 :, w] == 0.0)


@every_stagger
@pytest.mark.parametrize("size", [1.0, 1e-12, 1e12])
def test_a_line_is_found_at_any_scale(size, stagger):
    line = series("flicker", rows=100)
    line[:, 0] = 5.0 * size - 2.5 * size * np.arange(100.0)
    lengths = (1, 2, 30)
    *_, slopes = fed(line, lengths, stagger)
    for w, length in enumerate(lengths):
        assert np.allclose(slopes[length - 1 :, w], -2.5 * size, rtol=1e-12, atol=0)


def test_a_window_of_one_compares_the_present_with_the_last_bucket():
    values = np.array([3.0, 5.0, 4.0, 4.0])
    *_, scores, slopes = fed(np.column_stack([values, -values, 0.0 * values, values * 1e9]), (1,))
    assert scores[:, 0].T.tolist() == [
        [1.0, -1.0, 0.0],
        [-1.0, 1.0, 0.0],
        [0.0, 0.0, 0.0],
        [1.0, -1.0, 0.0],
    ]
    assert slopes[:, 0].tolist() == [2.0, -1.0, 0.0]


def test_a_window_of_no_bucket_is_passed_over():
    history = series("walk", rows=40)
    windows = Windows(history[0], (0, 4))
    windows.totals[0] = 9.0
    totals, references, positions, _, _ = windows.feed(history)
    assert np.all(totals[:, 0] == 9.0)
    assert np.all(positions[:, 0] == 0)
    assert np.all(references[:, 0] == history[0])


@every_stagger
@pytest.mark.parametrize("before", [1, 29, 30, 44])
def test_a_reset_forgets_all_buckets(before, stagger):
    history = series("walk", rows=100, seed=6)
    used = Windows([1e9] * SERIES, stagger=stagger)
    used.feed(series("jumps", rows=before + 1, seed=7) * 1e9)
    used.reset(history[0])
    again, fresh = used.feed(history), fed(history, stagger=stagger)
    for one, other in zip(again, fresh, strict=True):
        for w, length in enumerate(LENGTHS[1:], start=1):
            assert one[length - 1 :, w].tobytes() == other[length - 1 :, w].tobytes()


@every_stagger
@pytest.mark.parametrize("stale", [np.nan, np.inf, 1e300, -7.25])
def test_a_full_window_has_nothing_of_what_stood_in_its_slots(stale, stagger):
    history = series("walk", rows=100, seed=9)
    used = Windows(history[0], stagger=stagger)
    used.slots[FENCE:-FENCE] = stale
    used.totals[: len(LENGTHS)] = stale
    again, fresh = used.feed(history), fed(history, stagger=stagger)
    for one, other in zip(again, fresh, strict=True):
        for w, length in enumerate(LENGTHS[1:], start=1):
            assert one[length - 1 :, w].tobytes() == other[length - 1 :, w].tobytes()


@every_stagger
def test_a_reset_begins_an_empty_block_at_its_stagger(stagger):
    windows = Windows([0.0] * SERIES, stagger=stagger)
    windows.feed(series("walk", rows=78))
    windows.reset((1.0, 2.0, 3.0, 4.0))
    assert np.all(windows.prefix[: len(LENGTHS)] == 0.0)
    assert np.all(windows.references[: len(LENGTHS)] == [1.0, 2.0, 3.0, 4.0])
    begins = [length * stagger // 8 for length in LENGTHS]
    assert windows.positions[: len(LENGTHS)].tolist() == begins


def test_a_long_run_does_not_drift():
    random = np.random.default_rng(8)
    price = 60_000 + np.cumsum(random.integers(-1, 2, size=STEPS)) / 10
    history = np.column_stack([price, *random.normal(size=(SERIES - 1, STEPS))])
    lengths = (30, 300)
    windows = Windows(history[0], lengths, stagger=1)
    rows = 5_000
    places = range(rows - 20, rows - 1)
    for first in range(0, STEPS, rows):
        # A row of the next part is the present value of the last one of this.
        last = history[first : first + rows + 1]
        out = windows.feed(last, places)
    assert_sums(out, last, lengths, places, tolerance=1e-12)
    assert_answers(out, last, lengths, places, tolerance=1e-12)
