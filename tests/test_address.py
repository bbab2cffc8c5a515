"""Kernels and functions in C called through their address."""

import ctypes
import ctypes.util
import gc
import math
import sys

import numba
import numpy as np
import pytest
from numba import carray, types

from alphaseeker._address import Entry, address_of, foreign, lent, pointer
from alphaseeker._jit import kernel


@kernel
def weighted_sum(values, weight, count):
    if count > values.shape[0]:
        raise ValueError("count is above the number of values")
    total = 0.0
    for place in range(count):
        total += values[place] * weight
    return total


ENTRY = Entry(weighted_sum, lambda: (np.zeros(1), 0.0, 0), types.float64)
call = ENTRY.call


@numba.njit
def through(address, values, weight, count):
    return call(address, (values, weight, count))


def test_a_kernel_called_through_its_address():
    values = np.arange(5.0)
    assert through(ENTRY.address, values, 0.5, 4) == weighted_sum(values, 0.5, 4) == 3.0


def test_arguments_are_cast_to_the_types_of_the_kernel():
    values = np.arange(5.0)
    values.flags.writeable = False
    assert through(ENTRY.address, values, 2, np.int32(3)) == 6.0


def test_an_error_comes_through():
    with pytest.raises(ValueError, match="count is above"):
        through(ENTRY.address, np.zeros(2), 1.0, 3)


@pytest.mark.parametrize("values", [np.zeros(8)[::2], np.zeros(4, dtype=np.float32)])
def test_memory_of_another_kind_does_not_compile(values):
    with pytest.raises(
        numba.TypingError, match="argument 1 must be a 1-dimensional array of float64, contiguous"
    ):
        through(ENTRY.address, values, 1.0, 1)


def test_a_wrong_number_of_arguments_does_not_compile():
    @numba.njit
    def short(address, values):
        return call(address, (values, 1.0))

    with pytest.raises(numba.TypingError):
        short(ENTRY.address, np.zeros(2))


def test_python_calls_the_compiled_kernel():
    assert ENTRY.python(np.ones(3), 2.0, 3) == 6.0


def test_a_function_in_c():
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    address = ctypes.cast(library.cbrt, ctypes.c_void_p).value
    cube_root = foreign(types.float64, types.float64)

    @numba.njit
    def root(address, value):
        return cube_root(address, (value,))

    assert root(address, 27.0) == pytest.approx(3.0)
    assert math.isnan(root(address, math.nan))


def test_memory_at_an_address():
    values = np.arange(4, dtype=np.float32)

    @numba.njit
    def doubled(address, count):
        view = carray(pointer(address), (count,), np.float32)
        for place in range(count):
            view[place] *= 2.0

    doubled(values.ctypes.data, 3)
    assert values.tolist() == [0.0, 2.0, 4.0, 3.0]


# ---- arrays lent, and their addresses ------------------------------------------------------------


@numba.njit
def add_one(values):
    values += 1.0
    return values.sum()


@numba.njit
def lend_and_keep(values, times):
    """Hand an array on that somebody else owns; it is used again after the loan."""
    held = lent(values)
    total = 0.0
    for _ in range(times):
        total += add_one(held)
    return total, values.sum(), held.sum()


@numba.njit
def lend_ones_own(count, times):
    """Hand an array on that is made here and freed at the end."""
    values = np.zeros(count)
    held = lent(values[1:])
    for _ in range(times):
        add_one(held)
    return values


def test_an_array_that_was_lent_is_the_same_memory():
    values = np.arange(4.0)
    # Four numbers grow by one at a time: 6 at first, then 10, 14 and 18.
    assert lend_and_keep(values, 3) == (42.0, 18.0, 18.0)
    assert values.tolist() == [3.0, 4.0, 5.0, 6.0]


def test_lending_counts_no_reference():
    values = np.arange(4.0)
    lend_and_keep(values, 1)
    before = sys.getrefcount(values)
    for _ in range(50):
        lend_and_keep(values, 20)
    gc.collect()
    assert sys.getrefcount(values) == before
    assert values.tolist() == [1001.0, 1002.0, 1003.0, 1004.0]


def test_an_array_of_the_kernels_own_survives_its_loans():
    """Its memory has one owner after fifty loans: it is neither freed early nor kept for ever."""
    for times in (0, 1, 50):
        values = lend_ones_own(4, times)
        gc.collect()
        assert values.tolist() == [0.0, *[times] * 3]
        assert values.base.refcount == 1


def test_a_loop_over_a_lent_array_counts_nothing():
    """The kernel takes its arguments' references for granted, and gives them back at the end."""

    @numba.njit
    def lent_on(values, address, times):
        held = lent(values)
        total = 0.0
        for _ in range(times):
            total += call(address, (held[1:], 1.0, 1))
        return total

    assert lent_on(np.arange(3.0), ENTRY.address, 5) == 5.0
    (assembly,) = lent_on.inspect_asm().values()
    assert "NRT_decref" in assembly
    assert "NRT_incref" not in assembly


RECORD = np.dtype([("first", np.float64), ("second", np.int64)])
of_numbers = address_of("values", lambda: np.zeros(1))
of_rows = address_of("values", lambda: np.zeros((1, 4)))
of_records = address_of("values", lambda: np.zeros(1, dtype=RECORD))


@numba.njit
def where_numbers_stand(values):
    return of_numbers(values)


@numba.njit
def where_rows_stand(values):
    return of_rows(values)


@numba.njit
def where_records_stand(values):
    return of_records(values)


def test_the_address_of_an_array_is_that_of_its_first_element():
    numbers, rows, records = np.arange(5.0), np.zeros((3, 4)), np.zeros(2, dtype=RECORD)
    for whole, find in (
        (numbers, where_numbers_stand),
        (rows, where_rows_stand),
        (records, where_records_stand),
    ):
        before = sys.getrefcount(whole)
        for array in (whole, whole[1:]):
            assert find(array) == array.ctypes.data
        assert find(whole[1:]) - find(whole) == whole.strides[0]
        del array
        assert sys.getrefcount(whole) == before


def test_an_array_that_may_not_be_written_has_an_address():
    values = np.arange(5.0)
    values.flags.writeable = False
    assert where_numbers_stand(values) == values.ctypes.data


def test_what_stands_at_an_address_of_ones_own_array_is_the_array():
    @numba.njit
    def doubled(count):
        values = np.ones(count)
        view = carray(pointer(of_numbers(values)), (count,), np.float64)
        view *= 2.0
        return values

    assert doubled(3).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("find", "values", "wanted", "given"),
    [
        (where_numbers_stand, np.zeros(4, dtype=np.float32), (1, "float64"), (1, "float32")),
        (where_numbers_stand, np.zeros(8)[::2], (1, "float64"), (1, "float64 with gaps")),
        (where_numbers_stand, np.zeros((2, 2)), (1, "float64"), (2, "float64")),
        (where_rows_stand, np.zeros(4), (2, "float64"), (1, "float64")),
        (where_rows_stand, np.zeros((4, 4), "f8", "F"), (2, "float64"), (2, "float64 in Fortran")),
        (where_records_stand, np.zeros(4), (1, "records"), (1, "float64")),
        # Of its fields, which may be hundreds, none is told.
        (where_records_stand, np.zeros(1, dtype=[("a", float)]), (1, "records"), (1, "records")),
    ],
)
def test_the_address_of_another_kind_of_memory_does_not_compile(find, values, wanted, given):
    wanted, given = (f"a {count}-dimensional array of {what}" for count, what in (wanted, given))
    said = f"values must be {wanted}, contiguous in C order; {given}( order)? was given: make it"
    with pytest.raises(numba.TypingError, match=said):
        find(values)


def test_a_number_has_no_address():
    with pytest.raises(numba.TypingError, match="contiguous in C order; float64 was given"):
        where_numbers_stand(1.0)


def test_a_kernel_that_returns_an_array_has_no_entry():
    """It might return one that it was lent."""
    with pytest.raises(TypeError, match="must return a number"):
        Entry(weighted_sum, lambda: (np.zeros(1), 0.0, 0), types.float64[::1])
