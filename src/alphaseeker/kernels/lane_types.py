"""How Numba is taught lanes: types, operators, and what stands for them without the compiler."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import config as numba_config
from numba.core import types as numba_types
from numba.core.datamodel import register_default
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin

__all__ = [
    "DOUBLE",
    "FOUR",
    "INT",
    "NUMBERS",
    "WIDE",
    "Lanes",
    "called",
    "constant",
    "function",
    "plain_lanes",
    "as_lanes",
    "types",
]

types: Any = numba_types

FOUR, WIDE = 4, 8
DOUBLE = ir.DoubleType()
BIT = ir.IntType(1)
INT = ir.IntType(32)


class Lanes(types.Type):  # type: ignore[misc]
    """``count`` numbers, or as many answers to a comparison."""

    def __init__(self, count: int, what: ir.Type) -> None:
        self.vector = ir.VectorType(what, count)
        super().__init__(name=f"{count} x {what}")


class _LanesModel(PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, kind.vector)


register_default(Lanes)(_LanesModel)

NUMBERS = {count: Lanes(count, DOUBLE) for count in (FOUR, WIDE)}
MASKS = {count: Lanes(count, BIT) for count in (FOUR, WIDE)}


def constant(number: float, count: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(DOUBLE, count), [number] * count)


def as_lanes(builder: Any, value: Any, count: int) -> Any:
    """Return a number as lanes that all hold it, and lanes as they are."""
    if isinstance(value.type, ir.VectorType):
        return value
    kind = ir.VectorType(value.type, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(INT, 0))
    order = ir.Constant(ir.VectorType(INT, count), [0] * count)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), order)


def _pairs(kind: Lanes) -> tuple[tuple[Any, Any], ...]:
    return (kind, kind), (kind, types.float64), (types.float64, kind)


def _register(symbol: Any, results: dict[int, Lanes], generate: Callable[..., Any]) -> None:
    """Teach Numba an operator between lanes, and between lanes and a number."""
    cases = [
        signature(results[count], *pair) for count, kind in NUMBERS.items() for pair in _pairs(kind)
    ]
    infer_global(symbol)(type("_Operator", (ConcreteTemplate,), {"cases": cases}))
    for count, kind in NUMBERS.items():
        for pair in _pairs(kind):

            def lowered(
                context: Any, builder: Any, sig: Any, values: Any, count: int = count
            ) -> Any:
                return generate(builder, *(as_lanes(builder, value, count) for value in values))

            lower_builtin(symbol, *pair)(lowered)


def _register_masks() -> None:
    def both(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        return builder.and_(*values)

    def either(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        return builder.or_(*values)

    for symbol, generate in ((operator.and_, both), (operator.or_, either)):
        cases = [signature(kind, kind, kind) for kind in MASKS.values()]
        infer_global(symbol)(type("_Operator", (ConcreteTemplate,), {"cases": cases}))
        for kind in MASKS.values():
            lower_builtin(symbol, kind, kind)(generate)


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _register(
        _symbol, NUMBERS, lambda builder, a, b, name=_instruction: getattr(builder, name)(a, b)
    )
for _symbol, _sign in (
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.eq, "=="),
):
    _register(_symbol, MASKS, lambda builder, a, b, sign=_sign: builder.fcmp_ordered(sign, a, b))
_register(operator.ne, MASKS, lambda builder, a, b: builder.fcmp_unordered("!=", a, b))
_register_masks()


class _Plain(np.ndarray):
    """Lanes without the compiler: silent about divisions by zero in lanes that nobody reads."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        inputs = tuple(np.asarray(one) for one in inputs)
        with np.errstate(all="ignore"):
            return plain_lanes(getattr(ufunc, method)(*inputs, **options))


def plain_lanes(array: Any) -> Any:
    return np.asarray(array).view(_Plain)


def function(plain: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return what makes an intrinsic of a typing function; without the compiler, ``plain``."""

    def decorate(typing: Any) -> Any:
        return plain if numba_config.DISABLE_JIT else intrinsic(typing)

    return decorate


def called(builder: Any, name: str, value: Any) -> Any:
    kind = ir.FunctionType(value.type, [value.type])
    name = f"llvm.{name}.v{value.type.count}f64"
    function = numba.core.cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [value])
