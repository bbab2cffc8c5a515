"""Numbers side by side: four or eight float64 that one instruction computes with.

Loops over five or six windows are too short for a compiler to vectorise: it unrolls them into
scalar code, branches and all. Here what is meant is written down: ``load`` takes four or eight
numbers that stand side by side in memory, operators and the functions below work on all of them at
once, and ``where`` takes the place of a branch. Machines without such wide registers are given
several narrower instructions by LLVM; the results are the same to the last bit, for each lane is
rounded as by itself.

Lanes live in kernels alone: they are loaded, computed with and stored there, and never returned to
Python. Without the compiler they are NumPy arrays of the same length.

Nothing asks whether so many numbers stand in an array from the index on: whoever lays out the
memory sees to it. Where Numba checks bounds (``NUMBA_BOUNDSCHECK=1``) and without the compiler an
``IndexError`` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import config as numba_config

from alphaseeker.kernels.lane_types import (
    DOUBLE,
    FOUR,
    INT,
    NUMBERS,
    WIDE,
    as_lanes,
    called,
    constant,
    function,
    plain_lanes,
    types,
)

__all__ = [
    "FOUR",
    "SMALLEST",
    "WIDE",
    "broadcast",
    "column_reader",
    "lanes_of",
    "load_four",
    "load_integers",
    "load_wide",
    "output_writer",
    "prefetch",
    "store",
]

# LightGBM reads |x| <= 1e-35 as zero; flushed here, every predictor sees the same number.
SMALLEST = 1e-35


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Return the address of an element of a one-dimensional array, or of a row of a matrix."""
    made = context.make_array(kind)(context, builder, array)
    strides = numba.core.cgutils.unpack_tuple(builder, made.strides)
    start = builder.ptrtoint(made.data, ir.IntType(64))
    return builder.add(start, builder.mul(index, strides[0])), strides


def _check_bounds(
    context: Any, builder: Any, kind: Any, array: Any, index: Any, count: int
) -> None:
    """Where Numba checks bounds, raise IndexError unless ``count`` numbers stand from ``index`` on.

    Of a matrix they are the first ones of a row.
    """
    if not numba_config.BOUNDSCHECK:
        return
    made = context.make_array(kind)(context, builder, array)
    lengths = numba.core.cgutils.unpack_tuple(builder, made.shape)
    check = numba.core.cgutils.do_boundscheck
    check(context, builder, index, lengths[0])
    last = ir.Constant(ir.IntType(64), count - 1)
    check(context, builder, builder.add(index, last) if kind.ndim == 1 else last, lengths[-1])


def _check_numbers(array: Any) -> None:
    """Refuse memory that would be read as numbers that do not stand there side by side.

    Raises
    ------
    numba.TypingError
        The array is not of float64, or has one dimension and gaps.
    """
    fits = isinstance(array, types.Array) and array.dtype == types.float64
    if not fits or (array.ndim == 1 and array.layout != "C"):
        raise numba.TypingError(
            f"lanes are loaded from and stored in contiguous arrays of float64; {array} was given"
        )


@function(lambda matrix, row: None)
def prefetch(context: Any, matrix: Any, row: Any) -> Any:
    """Ask the memory for a row of a matrix that will be needed soon."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        place, _ = _place(context, builder, sig.args[0], values[0], values[1])
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, INT, INT, INT])
        called = numba.core.cgutils.get_or_insert_function(
            builder.module, kind, "llvm.prefetch.p0i8"
        )
        builder.call(called, [builder.inttoptr(place, byte), *map(_hint, (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(matrix, types.intp), generate


def _hint(number: int) -> ir.Constant:
    return ir.Constant(INT, number)


def _loader(count: int) -> Any:
    def typing(context: Any, array: Any, index: Any) -> Any:
        _check_numbers(array)

        def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            _check_bounds(context, builder, sig.args[0], values[0], values[1], count)
            place, _ = _place(context, builder, sig.args[0], values[0], values[1])
            address = builder.inttoptr(place, NUMBERS[count].vector.as_pointer())
            return builder.load(address, align=8)

        return NUMBERS[count](array, types.intp), generate

    return typing


def _plain_loader(count: int) -> Any:
    def load(array: npt.NDArray[np.float64], index: int) -> Any:
        found = array[index : index + count] if array.ndim == 1 else array[index, :count]
        if len(found) < count:
            raise IndexError(f"{count} lanes from {index} on are read, {len(found)} stand there")
        return plain_lanes(np.array(found))

    return load


load_four = function(_plain_loader(FOUR))(_loader(FOUR))
load_wide = function(_plain_loader(WIDE))(_loader(WIDE))


def _plain_store(array: Any, index: int, lanes: Any) -> None:
    # NumPy itself refuses more numbers than there are places for.
    if array.ndim == 1:
        array[index : index + len(lanes)] = lanes
    else:
        array[index, : len(lanes)] = lanes


@function(_plain_store)
def store(context: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Write lanes side by side from ``array[index]`` on, or ``array[index, 0]`` of a matrix."""
    _check_numbers(array)

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        count = values[2].type.count
        _check_bounds(context, builder, sig.args[0], values[0], values[1], count)
        place, _ = _place(context, builder, sig.args[0], values[0], values[1])
        builder.store(values[2], builder.inttoptr(place, values[2].type.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


def column_reader(lanes: Sequence[int]) -> Any:
    """Return ``read(matrix, column)``: a column of a matrix, whose rows are eight lanes.

    Only the rows named in ``lanes`` are read; the other lanes are 0.
    """

    def plain(matrix: Any, column: int) -> Any:
        found = np.zeros(WIDE)
        found[[*lanes]] = matrix[[*lanes], column]
        return plain_lanes(found)

    def typing(context: Any, matrix: Any, column: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            made = context.make_array(sig.args[0])(context, builder, values[0])
            by_row, by_column = numba.core.cgutils.unpack_tuple(builder, made.strides)
            start = builder.ptrtoint(made.data, ir.IntType(64))
            start = builder.add(start, builder.mul(values[1], by_column))
            found = constant(0.0, WIDE)
            for row in lanes:
                place = builder.add(start, builder.mul(ir.Constant(ir.IntType(64), row), by_row))
                number = builder.load(builder.inttoptr(place, DOUBLE.as_pointer()))
                found = builder.insert_element(found, number, ir.Constant(INT, row))
            return found

        return NUMBERS[WIDE](matrix, types.intp), generate

    return function(plain)(typing)


@function(lambda array: plain_lanes(array[:WIDE].astype(np.float64)))
def load_integers(context: Any, array: Any) -> Any:
    """Return the first eight elements of an int64 array, as numbers."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        made = context.make_array(sig.args[0])(context, builder, values[0])
        kind = ir.VectorType(ir.IntType(64), WIDE)
        whole = builder.load(builder.bitcast(made.data, kind.as_pointer()), align=8)
        return builder.sitofp(whole, NUMBERS[WIDE].vector)

    return NUMBERS[WIDE](array), generate


@function(lambda number: plain_lanes(np.full(WIDE, number)))
def broadcast(context: Any, number: Any) -> Any:
    """Return eight lanes of one number."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        return as_lanes(builder, values[0], WIDE)

    return NUMBERS[WIDE](types.float64), generate


@function(lambda *numbers: plain_lanes(np.array(numbers)))
def lanes_of(context: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:
    """Return eight lanes of eight numbers."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        lanes = ir.Constant(NUMBERS[WIDE].vector, ir.Undefined)
        for lane, number in enumerate(values):
            lanes = builder.insert_element(lanes, number, ir.Constant(INT, lane))
        return lanes

    return NUMBERS[WIDE](*(types.float64,) * WIDE), generate


def output_writer(kept: Sequence[int]) -> Any:
    """Return ``write(field, lanes)``: the lanes named in ``kept`` become a field of the output.

    The field, float32 or float64, has as many elements; -0.0 and everything up to 1e-35 in size
    become 0.0, as in ``features.output``.
    """

    def plain(field: Any, lanes: Any) -> None:
        taken = lanes[[*kept]]
        field[:] = np.where(np.abs(taken) <= SMALLEST, 0.0, taken)

    def typing(context: Any, field: Any, lanes: Any) -> Any:
        count = len(kept)

        def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            made = context.make_array(sig.args[0])(context, builder, values[0])
            small = builder.fcmp_ordered(
                "<=", called(builder, "fabs", values[1]), constant(SMALLEST, WIDE)
            )
            flushed = builder.select(small, constant(0.0, WIDE), values[1])
            order = ir.Constant(ir.VectorType(INT, count), [*kept])
            taken = builder.shuffle_vector(flushed, flushed, order)
            kind = context.get_value_type(field.dtype)
            if kind != DOUBLE:
                taken = builder.fptrunc(taken, ir.VectorType(kind, count))
            address = builder.bitcast(made.data, taken.type.as_pointer())
            builder.store(taken, address, align=context.get_abi_sizeof(kind))
            return context.get_dummy_value()

        return types.void(field, lanes), generate

    return function(plain)(typing)
