"""Calls and memory by address: of kernels, of functions in C, of arrays.

A kernel that calls another one is optimised together with it: the feature step, taken into every
loop over it, was compiled anew for each of them. Called through an address it is compiled once, and
a loop over it in less than a second.

An address is a number that lives in the caller's data, never in compiled code, so that compiled
code can be kept on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import config as numba_config
from numba.core.cgutils import unpack_tuple
from numba.extending import intrinsic

__all__ = ["Entry", "address_of", "foreign", "lent", "pointer"]

types: Any = numba.types


class Entry:
    """A kernel with fixed types, to be called through its address.

    Parameters
    ----------
    kernel
        Made by ``_jit.kernel``.
    samples
        Returns one argument of each type that the kernel is called with. Arrays are handed over
        without their owner: the kernel must not keep them.
    result
        The Numba type that it returns, of a number.

    Raises
    ------
    TypeError
        ``result`` is not the type of a number: an array that was returned might be one that was
        lent, whose owner nobody would know.

    Attributes
    ----------
    call
        For kernels: ``call(address, arguments)``, the arguments in a tuple. Without the compiler
        it is a plain function.
    """

    def __init__(
        self, kernel: Any, samples: Callable[[], tuple[Any, ...]], result: Any = types.int64
    ) -> None:
        if not isinstance(result, types.Number):
            raise TypeError(f"result is {result}; a kernel called by address must return a number")
        self._kernel = kernel
        self._samples = samples
        self._result = result
        self.call = self._plain if numba_config.DISABLE_JIT else self._intrinsic()

    @cached_property
    def address(self) -> int:
        """Where the compiled kernel stands; compiles it, or loads it, at the first use.

        0 without the compiler.
        """
        if numba_config.DISABLE_JIT:
            return 0
        compiled = self._compiled
        return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))

    @cached_property
    def python(self) -> Callable[..., Any]:
        """The compiled kernel for Python, which must give it arguments of the right types.

        It is not told what they are, and so does not look for the right version of itself: that
        saves half of what a call costs.
        """
        function: Callable[..., Any] = (
            self._kernel if numba_config.DISABLE_JIT else self._compiled.entry_point
        )
        return function

    @cached_property
    def _compiled(self) -> Any:
        self._kernel.compile(self._arguments)
        return self._kernel.overloads[self._arguments]

    @cached_property
    def _arguments(self) -> tuple[Any, ...]:
        return tuple(numba.typeof(sample) for sample in self._samples())

    def _plain(self, address: int, arguments: tuple[Any, ...]) -> Any:
        return self._kernel(*arguments)

    def _intrinsic(self) -> Any:
        def call(context: Any, address: Any, arguments: Any) -> Any:
            wanted = self._arguments
            if not isinstance(arguments, types.BaseTuple) or len(arguments) != len(wanted):
                return None  # Numba says that there is no such call
            taken = tuple(
                _taken(f"argument {place}", given, own)
                for place, (given, own) in enumerate(zip(arguments, wanted, strict=True), 1)
            )

            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                convention = context.call_conv
                function = convention.get_function_type(self._result, wanted)
                kernel = builder.inttoptr(values[0], function.as_pointer())
                handed = [
                    _lent(context, builder, kind, value)
                    for kind, value in zip(taken, unpack_tuple(builder, values[1]), strict=True)
                ]
                status, returned = convention.call_function(
                    builder, kernel, self._result, wanted, handed
                )
                with builder.if_then(status.is_error, likely=False):
                    convention.return_status_propagate(builder, status)
                return returned

            return self._result(types.int64, types.Tuple(taken)), generate

        return intrinsic(call)


def _lent(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if not isinstance(kind, types.Array):
        return value
    array = context.make_array(kind)(context, builder, value)
    array.meminfo = ir.Constant(array.meminfo.type, None)
    array.parent = ir.Constant(array.parent.type, None)
    return array._getvalue()


def _lend(context: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _lent(context, builder, array, values[0])

    return array(array), generate


def _same(array: Any) -> Any:
    return array


# For kernels: ``lent(array)`` is the array without its owner, for loops that hand it on at every
# turn and run while somebody else holds it. To count its references is an atomic instruction, and
# a call counts each array several times. What is called through an address is given arrays so.
lent = _same if numba_config.DISABLE_JIT else intrinsic(_lend)


def _told(kind: Any) -> str:
    """Say what an argument's type is, without the hundreds of fields that a record may have."""
    if not isinstance(kind, types.Array):
        return str(kind)
    numbers = "records" if isinstance(kind.dtype, types.Record) else str(kind.dtype)
    order = (
        "" if kind.layout == "C" else " with gaps" if kind.layout == "A" else " in Fortran order"
    )
    return f"a {kind.ndim}-dimensional array of {numbers}{order}"


def _taken(name: str, given: Any, own: Any) -> Any:
    """Return the type in which the argument that is called ``name`` is handed over.

    Arrays go as they are: one that may not be written looks the same to the kernel.
    """
    if not isinstance(own, types.Array):
        return own
    same = isinstance(given, types.Array) and (given.dtype, given.ndim, given.layout) == (
        own.dtype,
        own.ndim,
        own.layout,
    )
    if not same:
        raise numba.TypingError(
            f"{name} must be {_told(own)}, contiguous in C order; {_told(given)} was given: make "
            "it one with numpy.ascontiguousarray, and records with the dtype of this version"
        )
    return given


def foreign(result: Any, *arguments: Any) -> Any:
    """Return ``call(address, arguments)`` for kernels: it calls a function in C.

    Parameters
    ----------
    result, arguments
        Numba types: ``types.int32``, ``types.int64``, ``types.float64``; pointers are given as
        ``types.int64``. ``types.void`` for a function that returns nothing, whose call gives 0.
    """
    returned = types.int64 if result == types.void else result

    def call(context: Any, address: Any, given: Any) -> Any:
        if not isinstance(given, types.BaseTuple) or len(given) != len(arguments):
            return None

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            kinds = [context.get_value_type(kind) for kind in arguments]
            kind = ir.VoidType() if result == types.void else context.get_value_type(result)
            function = builder.inttoptr(values[0], ir.FunctionType(kind, kinds).as_pointer())
            answer = builder.call(function, unpack_tuple(builder, values[1]))
            return context.get_constant(types.int64, 0) if result == types.void else answer

        return returned(types.int64, types.Tuple(arguments)), generate

    return intrinsic(call)


def address_of(name: str, sample: Callable[[], Any]) -> Any:
    """Return ``address(array)`` for kernels, of arrays of the very type that ``sample`` returns.

    Whoever asks holds the array while its address is in use. ``name`` is what the array is called
    where one of another type is refused.
    """

    def typing(context: Any, array: Any) -> Any:
        taken = _taken(name, array, numba.typeof(sample()))

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            made = context.make_array(taken)(context, builder, values[0])
            return builder.ptrtoint(made.data, context.get_value_type(types.int64))

        return types.int64(taken), generate

    return intrinsic(typing)


@intrinsic  # type: ignore[untyped-decorator]
def pointer(context: Any, address: Any) -> Any:
    """Return an address as a pointer, for ``numba.carray(pointer(address), shape, dtype)``."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.inttoptr(values[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), generate
