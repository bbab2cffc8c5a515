"""Kernels and functions in C called through their address."""

import ctypes
import ctypes.util
import math

import numba
import numpy as np
import pytest
from numba import carray, types

from alphaseeker._address import Entry, foreign, pointer
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
        numba.TypingError, match="argument 1 must be a C-contiguous array of float64"
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
