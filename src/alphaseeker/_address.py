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

__all__ = ["Entry", "foreign", "pointer"]

types: Any = numba.types


class Entry:
    """A kernel with fixed types, to be called through its address.

    Parameters
    ----------
    kernel
        Made by ``_jit.kernel``.
    samples
        Returns one argument of each type that the kernel is called with.
    result
        The Numba type that it returns.

    Attributes
    ----------
    call
        For kernels: ``call(address, arguments)``, the arguments in a tuple. Without the compiler
        it is a plain function.
    """

    def __init__(
        self, kernel: Any, samples: Callable[[], tuple[Any, ...]], result: Any = types.int64
    ) -> None:
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
                _taken(place, given, own)
                for place, (given, own) in enumerate(zip(arguments, wanted, strict=True))
            )

            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                convention = context.call_conv
                function = convention.get_function_type(self._result, wanted)
                kernel = builder.inttoptr(values[0], function.as_pointer())
                status, returned = convention.call_function(
                    builder, kernel, self._result, wanted, unpack_tuple(builder, values[1])
                )
                with builder.if_then(status.is_error, likely=False):
                    convention.return_status_propagate(builder, status)
                return returned

            return self._result(types.int64, types.Tuple(taken)), generate

        return intrinsic(call)


def _taken(place: int, given: Any, own: Any) -> Any:
    """Return the type in which an argument is handed over.

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
        kind = "a record" if isinstance(own.dtype, types.Record) else str(own.dtype)
        raise numba.TypingError(
            f"argument {place + 1} must be a C-contiguous array of {kind} with {own.ndim} "
            "dimensions: make it one with numpy.ascontiguousarray"
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


@intrinsic  # type: ignore[untyped-decorator]
def pointer(context: Any, address: Any) -> Any:
    """Return an address as a pointer, for ``numba.carray(pointer(address), shape, dtype)``."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.inttoptr(values[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), generate
