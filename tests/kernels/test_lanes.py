"""Lanes against NumPy: every function and operator, to the last bit, with and without the compiler.

In a process without the compiler these tests run once more: there lanes are NumPy arrays.
"""

import itertools
import math
import operator
import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from alphaseeker.kernels import lane_math, lanes
from alphaseeker.kernels.lane_math import (
    absolute,
    anywhere,
    larger,
    largest,
    logarithm,
    lower_upper,
    root,
    smaller,
    total,
    twice,
    where,
)
from alphaseeker.kernels.lanes import (
    FOUR,
    SMALLEST,
    WIDE,
    broadcast,
    column_reader,
    lanes_of,
    load_four,
    load_integers,
    load_wide,
    output_writer,
    prefetch,
    store,
)

COMPILED = not numba.config.DISABLE_JIT
LOADERS = {FOUR: load_four, WIDE: load_wide}
MARK = 12_345.678  # what stands beside all that is written
EDGE = 1e-35
POSITIVE = (
    0.0,
    5e-324,  # the smallest subnormal
    2.2250738585072009e-308,  # the largest
    2.2250738585072014e-308,
    np.nextafter(EDGE, 0.0),
    EDGE,
    np.nextafter(EDGE, 1.0),
    0.1,
    1.0,
    1.0 + 2.0**-52,
    3.0,
    60_000.1,
    1e39,  # above every float32
    1e308,
    1.7976931348623157e308,
    math.inf,
)
VALUES = np.array([*POSITIVE, *(-value for value in POSITIVE), math.nan])
# Every value beside every value, at every place among eight lanes, and a whole number of eights.
PAIRS = np.array([*itertools.product(VALUES, VALUES)])
PAIRS = PAIRS[np.random.default_rng(0).permutation(len(PAIRS))]
PAIRS = PAIRS[: len(PAIRS) // WIDE * WIDE]
FIRST, SECOND = np.ascontiguousarray(PAIRS.T)
every_width = pytest.mark.parametrize("count", [FOUR, WIDE])

ARITHMETIC = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
}
COMPARISONS = {
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
}


def bits(numbers):
    """Return the bits of float64, those of any NaN alike."""
    numbers = np.asarray(numbers, dtype=np.float64)
    return np.where(np.isnan(numbers), np.nan, numbers).view(np.int64)


def assert_same(got, expected):
    np.testing.assert_array_equal(bits(got), bits(expected))


def silent(function, *arguments):
    """Call with NumPy silent about what IEEE 754 has an answer for."""
    with np.errstate(all="ignore"):
        return function(*arguments)


def marked(shape, dtype=np.float64):
    return np.full(shape, MARK, dtype=dtype)


def run_pairs(function, count, first=FIRST, second=SECOND):
    """Return ``function`` of the two, taken ``count`` at a time."""
    load = LOADERS[count]

    @numba.njit
    def run(first, second, out):
        for i in range(0, len(out), count):
            store(out, i, function(load(first, i), load(second, i)))

    out = marked(len(first))
    run(first, second, out)
    return out


def jitted(function):
    """What a kernel calls; without the compiler, as it is."""
    return numba.njit(error_model="numpy")(function)


def by_lanes(function):
    return jitted(lambda first, second: function(first, second))


# ---- operators ----------------------------------------------------------------------------------


@every_width
@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic(name, count):
    symbol = ARITHMETIC[name]
    assert_same(run_pairs(by_lanes(symbol), count), silent(symbol, FIRST, SECOND))


@every_width
@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name, count):
    """NaN is greater, less and equal to nothing, and unequal to everything."""
    symbol = COMPARISONS[name]
    answer = jitted(lambda first, second: where(symbol(first, second), 1.0, 0.0))
    expected = symbol(FIRST, SECOND)
    assert_same(run_pairs(answer, count), expected.astype(float))
    unknown = np.isnan(FIRST) | np.isnan(SECOND)
    assert unknown.sum() > 50
    assert np.all(expected[unknown] == (name == "not_equal"))


@every_width
@pytest.mark.parametrize("name", [*ARITHMETIC, *COMPARISONS])
def test_operators_with_a_number_on_either_side(name, count):
    symbol = (ARITHMETIC | COMPARISONS)[name]
    load = LOADERS[count]
    if name in ARITHMETIC:
        result = jitted(lambda answer: answer)
    else:
        result = jitted(lambda answer: where(answer, 1.0, 0.0))

    @numba.njit
    def run(numbers, values, after, before):
        for i in range(len(numbers)):
            for j in range(0, len(values), count):
                taken = load(values, j)
                store(after[i], j, result(symbol(taken, numbers[i])))
                store(before[i], j, result(symbol(numbers[i], taken)))

    values = np.resize(VALUES, 5 * WIDE)
    after, before = marked((2, len(VALUES), len(values)))
    run(VALUES, values, after, before)
    numbers = VALUES[:, None]
    assert_same(after, silent(symbol, values, numbers).astype(float))
    assert_same(before, silent(symbol, numbers, values).astype(float))


@every_width
def test_masks_hold_both_or_either(count):
    load = LOADERS[count]

    @numba.njit
    def run(first, second, both, either):
        for i in range(0, len(first), count):
            one, other = load(first, i) > 0.5, load(second, i) > 0.5
            store(both, i, where(one & other, 1.0, 0.0))
            store(either, i, where(one | other, 1.0, 0.0))

    first, second = np.random.default_rng(1).integers(0, 2, size=(2, 40 * WIDE)).astype(float)
    both, either = marked((2, len(first)))
    run(first, second, both, either)
    assert_same(both, np.minimum(first, second))
    assert_same(either, np.maximum(first, second))


def test_an_operation_rounds_by_itself():
    """A product and a sum are not fused: each is rounded, as in NumPy."""
    random = np.random.default_rng(2)
    first, second = random.normal(size=(2, 1_000 * WIDE))
    fused = run_pairs(jitted(lambda a, b: a * b - a / (b * b + 1.0)), WIDE, first, second)
    assert_same(fused, first * second - first / (second * second + 1.0))


# ---- choices ------------------------------------------------------------------------------------


@every_width
def test_where(count):
    load = LOADERS[count]

    @numba.njit
    def run(asked, yes, no, out):
        for i in range(0, len(asked), count):
            mask, one, other = load(asked, i) > 0.5, load(yes, i), load(no, i)
            store(out[0], i, where(mask, one, other))
            store(out[1], i, where(mask, one, -0.0))
            store(out[2], i, where(mask, math.nan, other))
            store(out[3], i, where(mask, 2.5, -7.5))
            store(out[4], i, where(mask, yes[0], no[0]))

    asked = np.random.default_rng(3).integers(0, 2, len(FIRST)).astype(float)
    out = marked((5, len(FIRST)))
    run(asked, FIRST, SECOND, out)
    mask = asked == 1.0
    assert_same(out[0], np.where(mask, FIRST, SECOND))
    assert_same(out[1], np.where(mask, FIRST, -0.0))
    assert_same(out[2], np.where(mask, np.nan, SECOND))
    assert_same(out[3], np.where(mask, 2.5, -7.5))
    assert_same(out[4], np.where(mask, FIRST[0], SECOND[0]))


@every_width
def test_anywhere(count):
    load = LOADERS[count]

    @numba.njit
    def run(values, found):
        for i in range(len(found)):
            found[i] = anywhere(load(values, i) > 0.5)

    every_mask = np.array([*itertools.product((0.0, 1.0), repeat=count)])
    found = np.zeros(len(every_mask), dtype=bool)
    run(every_mask, found)
    assert found.tolist() == every_mask.any(axis=1).tolist()
    assert found.sum() == 2**count - 1


@every_width
def test_larger_and_smaller_are_those_of_python(count):
    """Of equal ones the second is taken, and the second where one is NaN."""
    bigger = run_pairs(jitted(lambda first, second: larger(first, second)), count)
    less = run_pairs(jitted(lambda first, second: smaller(first, second)), count)
    pairs = [*zip(FIRST.tolist(), SECOND.tolist(), strict=True)]
    assert_same(bigger, [max(second, first) for first, second in pairs])
    assert_same(less, [min(second, first) for first, second in pairs])


@every_width
@pytest.mark.parametrize("number", [0.0, -0.0, 1.0, -math.inf, math.nan])
def test_larger_and_smaller_than_a_number(number, count):
    load = LOADERS[count]

    @numba.njit
    def run(values, number, out):
        for i in range(0, len(values), count):
            taken = load(values, i)
            store(out[0], i, larger(taken, number))
            store(out[1], i, larger(number, taken))
            store(out[2], i, smaller(taken, number))
            store(out[3], i, smaller(number, taken))

    values = np.resize(VALUES, 5 * WIDE)
    out = marked((4, len(values)))
    run(values, number, out)
    assert_same(out[0], [max(number, value) for value in values.tolist()])
    assert_same(out[1], [max(value, number) for value in values.tolist()])
    assert_same(out[2], [min(number, value) for value in values.tolist()])
    assert_same(out[3], [min(value, number) for value in values.tolist()])


@every_width
def test_absolute_and_root(count):
    load = LOADERS[count]

    @numba.njit
    def run(values, sizes, roots):
        for i in range(0, len(values), count):
            store(sizes, i, absolute(load(values, i)))
            store(roots, i, root(load(values, i)))

    values = np.concatenate([FIRST, np.random.default_rng(4).exponential(size=100 * WIDE)])
    sizes, roots = marked((2, len(values)))
    run(values, sizes, roots)
    assert_same(sizes, np.abs(values))
    assert_same(roots, silent(np.sqrt, values))


# ---- loading and storing ------------------------------------------------------------------------


@every_width
def test_any_start_is_loaded_and_stored_and_nothing_beside_it(count):
    load = LOADERS[count]

    @numba.njit
    def copy(source, start, target, place):
        store(target, place, load(source, start))

    source = np.arange(40.0)
    for start in range(len(source) - count + 1):
        place = (start * 7 + 3) % (len(source) - count + 1)
        target = marked(len(source))
        copy(source, start, target, place)
        expected = marked(len(source))
        expected[place : place + count] = source[start : start + count]
        assert target.tolist() == expected.tolist()
    # Views that begin where no eight numbers are aligned.
    for begin in range(9):
        target = marked(len(source))
        copy(source[begin:], 1, target[begin:-1], 2)
        expected = marked(len(source))
        expected[begin + 2 : begin + 2 + count] = source[begin + 1 : begin + 1 + count]
        assert target.tolist() == expected.tolist()


@every_width
@pytest.mark.parametrize("columns", [WIDE, WIDE + 1, 13])
def test_a_row_of_a_matrix_is_loaded_and_stored_and_nothing_beside_it(columns, count):
    load = LOADERS[count]

    @numba.njit
    def copy(source, start, target, place):
        store(target, place, load(source, start))

    source = np.arange(6.0 * columns).reshape(6, columns)
    for rows, first in itertools.product((np.s_[:], np.s_[1::2]), range(columns - WIDE + 1)):
        read = source[rows, first:]
        for row in range(len(read)):
            target = marked(source.shape)
            written = target[rows, first:]
            copy(read, row, written, len(read) - 1 - row)
            assert written[len(read) - 1 - row, :count].tolist() == read[row, :count].tolist()
            written[len(read) - 1 - row, :count] = MARK
            assert np.all(target == MARK)


def test_all_bits_survive_loading_and_storing():
    payload = np.array([0x7FF8_0000_0000_0123, -1, 1, -(2**63)] * 4, dtype=np.int64)

    @numba.njit
    def copy(source, target):
        store(target, 0, load_wide(source, 0))
        store(target, WIDE, load_four(source, 0))
        store(target, WIDE + FOUR, load_four(source, FOUR))

    target = marked(2 * WIDE)
    copy(payload.view(np.float64), target)
    assert target.view(np.int64).tolist() == payload.tolist()


@pytest.mark.parametrize("named", [(0,), (7,), (0, 1), (2, 5, 6), (6, 2), tuple(range(WIDE))])
def test_a_column_is_read_in_the_named_rows_alone(named):
    read = column_reader(named)

    @numba.njit
    def run(matrix, column, out):
        store(out, 1, read(matrix, column))

    others = [row for row in range(WIDE) if row not in named]
    whole = np.random.default_rng(5).normal(size=(WIDE, 7))
    whole[others] = np.nan
    # No row below the last that is named is there at all.
    for matrix in (whole, whole[:, 1:6], np.asfortranarray(whole), whole[: max(named) + 1]):
        for column in range(matrix.shape[1]):
            out = marked(WIDE + 2)
            run(matrix, column, out)
            expected = np.zeros(WIDE)
            expected[[*named]] = matrix[[*named], column]
            assert out.tolist() == [MARK, *expected, MARK]


def test_whole_numbers_are_loaded_as_numbers():
    @numba.njit
    def run(whole, out):
        store(out, 1, load_integers(whole))

    values = [0, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 900, 10**15, 7, 8, 9]
    whole = np.array([*values, *values], dtype=np.int64)
    for start in range(len(values)):
        out = marked(WIDE + 2)
        run(whole[start : start + len(values)], out)
        expected = [float(value) for value in whole[start : start + WIDE].tolist()]
        assert out.tolist() == [MARK, *expected, MARK]


@pytest.mark.parametrize("number", [0.0, -0.0, 1e-300, math.inf, math.nan])
def test_a_number_is_broadcast_to_all_lanes(number):
    @numba.njit
    def run(number, out):
        store(out, 1, broadcast(number))

    out = marked(WIDE + 2)
    run(number, out)
    assert_same(out, [MARK, *[number] * WIDE, MARK])


def test_halves_are_doubled_and_put_together():
    @numba.njit
    def run(values, out):
        store(out[0], 1, twice(load_four(values, 2)))
        store(out[1], 1, lower_upper(load_wide(values, 0), load_wide(values, WIDE)))

    values = np.arange(2.0 * WIDE)
    out = marked((2, WIDE + 2))
    run(values, out)
    assert out[0].tolist() == [MARK, 2.0, 3.0, 4.0, 5.0, 2.0, 3.0, 4.0, 5.0, MARK]
    assert out[1].tolist() == [MARK, 0.0, 1.0, 2.0, 3.0, 12.0, 13.0, 14.0, 15.0, MARK]


# ---- outputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "kept", [(0,), (7,), (0, 1), (1, 3, 6), (5, 2), (0, 2, 4, 6), (1, 2, 3, 4, 5), (*range(8),)]
)
def test_a_field_of_the_output_is_written_and_nothing_beside_it(kept, dtype):
    write = output_writer(kept)

    @numba.njit
    def run(field, values, start):
        write(field, load_wide(values, start))

    places = [*kept]
    with np.errstate(over="ignore"):  # 1e39 is infinite as a float32
        for start in range(0, len(FIRST), WIDE):
            out = marked(len(kept) + 20, dtype)
            first = 1 + start // WIDE % 17  # fields begin anywhere
            run(out[first : first + len(kept)], FIRST, start)
            taken = FIRST[start : start + WIDE][places]
            expected = marked(len(out), dtype)
            expected[first : first + len(kept)] = np.where(np.abs(taken) <= EDGE, 0.0, taken)
            assert_same(out, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_flushed_to_zero(dtype):
    write = output_writer(range(WIDE))

    @numba.njit
    def run(field, values):
        write(field, load_wide(values, 0))

    assert SMALLEST == EDGE
    above = np.nextafter(EDGE, 1.0)
    values = np.array([EDGE, -EDGE, above, -above, -0.0, -5e-324, math.nan, -math.inf])
    field = marked(WIDE, dtype)
    run(field, values)
    assert not np.signbit(field[[0, 1, 4, 5]]).any()
    assert np.all(field[[0, 1, 4, 5]] == 0.0)
    assert field[[2, 3]].tolist() == [dtype(above), -dtype(above)]
    assert np.isnan(field[6])
    assert field[7] == -math.inf


# ---- eight at once -----------------------------------------------------------------------------


def test_lanes_of_eight_numbers():
    @numba.njit
    def run(values, out):
        store(out, 0, lanes_of(values[0], values[1], values[2], 3.5, 4.0, 5.0, 6.0, values[7]))

    out = marked(WIDE)
    values = np.array([0.5, -0.0, math.nan, 0.0, 0.0, 0.0, 0.0, math.inf])
    run(values, out)
    assert_same(out, np.array([0.5, -0.0, math.nan, 3.5, 4.0, 5.0, 6.0, math.inf]))


def test_a_total_is_added_in_halves():
    @numba.njit
    def run(values):
        return total(load_wide(values, 0)), largest(load_wide(values, 0))

    rng = np.random.default_rng(3)
    for _ in range(100):
        values = rng.normal(size=WIDE) * 10.0 ** rng.integers(-9, 9, WIDE)
        folded = values
        while len(folded) > 1:
            folded = folded[: len(folded) // 2] + folded[len(folded) // 2 :]
        assert run(values) == (folded[0], values.max())


def test_what_is_asked_for_stays_as_it_is():
    @numba.njit
    def run(matrix, vector):
        for row in range(-1, 5):  # outside, too: nothing is read
            prefetch(matrix, row)
            prefetch(vector, row)

    matrix, vector = marked(WIDE).reshape(2, FOUR), marked(WIDE, np.float32)
    run(matrix, vector)
    assert np.all(matrix == MARK)
    assert np.all(vector == np.float32(MARK))


def logarithms(values):
    @numba.njit
    def run(values, out):
        for first in range(0, len(values), WIDE):
            store(out, first, logarithm(load_wide(values, first)))

    out = np.empty(len(values))
    run(values, out)
    return out


def test_logarithms_against_the_library_of_c():
    rng = np.random.default_rng(5)
    count = 1_000 * WIDE
    values = np.concatenate(
        [
            np.exp(rng.uniform(-700.0, 700.0, count)),
            1.0 + rng.uniform(-1e-3, 1e-3, count),
            rng.uniform(0.5, 2.0, count),
            np.nextafter(np.sqrt(2.0), [0.0, 2.0] * (WIDE // 2)),
            2.0 ** np.arange(-4, 4),
            np.array([2.2250738585072014e-308, 1.7976931348623157e308] * (WIDE // 2)),
        ]
    )
    expected = np.log(values)
    error = np.abs(logarithms(values) - expected)
    assert np.all(error <= 2.0 * np.spacing(np.abs(expected)))
    assert logarithms(np.ones(WIDE)).tolist() == [0.0] * WIDE


def test_logarithms_with_and_without_the_compiler_are_the_same_bits():
    values = np.exp(np.random.default_rng(7).uniform(-50.0, 50.0, 100 * WIDE))
    values = np.concatenate([values, POSITIVE, -np.array(POSITIVE[1:]), [math.nan]])
    values = values[: len(values) // WIDE * WIDE]
    plain = [lane_math._plain_logarithm(values[i : i + WIDE]) for i in range(0, len(values), WIDE)]
    assert_same(logarithms(values), np.concatenate(plain))


def test_logarithms_of_what_is_not_normal_stay_finite():
    out = logarithms(np.array([0.0, 5e-324, math.inf, 1.0] * 2))
    assert np.all(out[:2] < -700.0)
    assert np.all(out[:2] > -710.0)
    assert 709.0 < out[2] < 710.0


def test_logarithms_of_what_has_none_are_nan():
    """Among others that have one; by its bits NaN is a large number."""
    below = np.array([math.nan, -math.nan, -5e-324, -1.0, -1e300, -math.inf])
    values = np.stack([below, np.ones(len(below))], axis=1).ravel()
    values = np.resize(values, 3 * WIDE)
    out = logarithms(values)
    assert np.isnan(out[::2]).all()
    assert np.all(out[1::2] == 0.0)


# ---- in kernels ---------------------------------------------------------------------------------


def test_lanes_pass_through_calls_branches_and_loops():
    @jitted
    def sums(values, first):
        total, squares = broadcast(0.0), broadcast(0.0)
        for i in range(first, len(values), WIDE):
            taken = load_wide(values, i)
            total, squares = total + taken, squares + taken * taken
        return total, squares

    @numba.njit
    def run(values, first, out):
        total, squares = sums(values, first)
        chosen = total if first == 0 else squares
        if anywhere(chosen > 1e300):
            chosen = broadcast(-1.0)
        store(out, 0, chosen)

    values = np.random.default_rng(6).normal(size=4 * WIDE)
    rows = values.reshape(4, WIDE)
    out = marked(WIDE)
    run(values, 0, out)
    assert_same(out, ((rows[0] + rows[1]) + rows[2]) + rows[3])
    run(values, 2 * WIDE, out)
    assert_same(out, rows[2] * rows[2] + rows[3] * rows[3])
    values[3] = math.inf
    run(values, 0, out)
    assert np.all(out == -1.0)


@pytest.mark.skipif(not COMPILED, reason="NumPy says nothing about the length of arrays")
def test_four_and_eight_do_not_mix():
    @numba.njit
    def mixed(values, out):
        store(out, 0, load_four(values, 0) + load_wide(values, 0))

    with pytest.raises(numba.TypingError):
        mixed(np.zeros(WIDE), np.zeros(WIDE))


@every_width
@pytest.mark.skipif(not COMPILED, reason="NumPy converts")
@pytest.mark.parametrize(
    "values", [np.zeros(WIDE, dtype=np.float32), np.zeros(2 * WIDE)[::2], np.zeros(WIDE, dtype=int)]
)
def test_memory_of_another_kind_does_not_compile(values, count):
    load = LOADERS[count]

    @numba.njit
    def read(values, out):
        store(out, 0, load(values, 0))

    with pytest.raises(numba.TypingError, match="contiguous arrays of float64"):
        read(values, np.zeros(WIDE))
    with pytest.raises(numba.TypingError, match="contiguous arrays of float64"):
        read(np.zeros(WIDE), values)


@every_width
def test_going_past_the_end_is_told_where_bounds_are_checked(count, monkeypatch):
    """By Numba where it is told to check them, and without the compiler."""
    monkeypatch.setattr(numba.core.config, "BOUNDSCHECK", 1)
    load = LOADERS[count]

    @numba.njit
    def copy(values, here, out, there):
        store(out, there, load(values, here))

    exact, row = np.arange(float(count)), np.zeros((2, count))
    out = np.zeros(count + 2)
    copy(exact, 0, out, 2)
    assert_same(out[2:], exact)
    copy(row, 1, row, 0)
    short = "index is out of bounds" if COMPILED else "stand there"
    wide = "index is out of bounds" if COMPILED else "could not broadcast"
    for values, here in ((exact, 1), (exact[:-1], 0), (np.zeros((2, count - 1)), 0)):
        with pytest.raises(IndexError, match=short):
            copy(values, here, out, 0)
    for given, there in ((out, 3), (np.zeros((2, count - 1)), 0)):
        with pytest.raises((IndexError, ValueError), match=wide):
            copy(exact, 0, given, there)
    if COMPILED:
        for given in (exact, row):
            with pytest.raises(IndexError, match=short):
                copy(given, -1, out, 0)
        with pytest.raises(IndexError, match=short):
            copy(row, 2, out, 0)
    assert_same(out[2:], exact)


def test_every_name_that_the_modules_show_is_tested_here():
    assert {*lanes.__all__, *lane_math.__all__} <= set(globals())


@pytest.mark.skipif(not COMPILED, reason="that is this process")
def test_without_the_compiler_all_of_this_holds():
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider"),
            *("-W", "error", __file__),
        ],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1_800,
    )
    assert done.returncode == 0, done.stdout[-3_000:]
    assert " passed, 8 skipped" in done.stdout
