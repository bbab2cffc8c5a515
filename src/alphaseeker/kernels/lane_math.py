"""What is computed with lanes: choices, roots, sums, logarithms; see ``lanes``."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]

from alphaseeker.kernels.lane_types import (
    FOUR,
    INT,
    NUMBERS,
    WIDE,
    Lanes,
    as_lanes,
    called,
    constant,
    function,
    plain_lanes,
    types,
)

__all__ = [
    "absolute",
    "anywhere",
    "larger",
    "largest",
    "logarithm",
    "lower_upper",
    "root",
    "smaller",
    "total",
    "twice",
    "where",
]


@function(lambda asked, yes, no: plain_lanes(np.where(asked, yes, no)))
def where(context: Any, asked: Any, yes: Any, no: Any) -> Any:
    """Return ``yes`` where the mask ``asked`` holds, else ``no``; either may be a number."""
    count = asked.vector.count
    kinds = [kind if isinstance(kind, Lanes) else types.float64 for kind in (yes, no)]

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        return builder.select(values[0], *(as_lanes(builder, value, count) for value in values[1:]))

    return NUMBERS[count](asked, *kinds), generate


def _elementwise(name: str) -> Any:
    def typing(context: Any, lanes: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            return called(builder, name, values[0])

        return lanes(lanes), generate

    return typing


absolute = function(np.abs)(_elementwise("fabs"))


root = function(np.sqrt)(_elementwise("sqrt"))


def _chooser(sign: str) -> Any:
    def typing(context: Any, first: Any, second: Any) -> Any:
        kind = first if isinstance(first, Lanes) else second
        kinds = [one if isinstance(one, Lanes) else types.float64 for one in (first, second)]

        def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            first, second = (as_lanes(builder, value, kind.vector.count) for value in values)
            return builder.select(builder.fcmp_ordered(sign, first, second), first, second)

        return kind(*kinds), generate

    return typing


# As max(second, first) and min(second, first) of Python, lane by lane: the second where they are
# equal, or where one is NaN.
larger = function(lambda a, b: plain_lanes(np.where(a > b, a, b)))(_chooser(">"))


smaller = function(lambda a, b: plain_lanes(np.where(a < b, a, b)))(_chooser("<"))


@function(lambda asked: bool(asked.any()))
def anywhere(context: Any, asked: Any) -> Any:
    """Say whether a mask holds in any lane."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        bits = ir.IntType(asked.vector.count)
        return builder.icmp_unsigned("!=", builder.bitcast(values[0], bits), ir.Constant(bits, 0))

    return types.boolean(asked), generate


@function(lambda four: plain_lanes(np.concatenate((four, four))))
def twice(context: Any, four: Any) -> Any:
    """Return eight lanes: the four, and the four again."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        order = [*range(FOUR), *range(FOUR)]
        order = ir.Constant(ir.VectorType(INT, WIDE), order)
        return builder.shuffle_vector(values[0], values[0], order)

    return NUMBERS[WIDE](four), generate


@function(lambda lower, upper: plain_lanes(np.concatenate((lower[:FOUR], upper[FOUR:]))))
def lower_upper(context: Any, lower: Any, upper: Any) -> Any:
    """Return the first four of eight lanes from ``lower``, the others from ``upper``."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        order = [*range(FOUR), *range(WIDE + FOUR, 2 * WIDE)]
        return builder.shuffle_vector(*values, ir.Constant(ir.VectorType(INT, WIDE), order))

    return lower(lower, upper), generate


@function(
    lambda eight: float(
        ((eight[0] + eight[4]) + (eight[2] + eight[6]))
        + ((eight[1] + eight[5]) + (eight[3] + eight[7]))
    )
)
def total(context: Any, eight: Any) -> Any:
    """Return the sum of eight lanes, added in halves: in the same order on every machine."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        return _folded(builder, values[0], builder.fadd)

    return types.float64(eight), generate


@function(lambda eight: float(eight.max()))
def largest(context: Any, eight: Any) -> Any:
    """Return the largest of eight lanes, none of which is NaN."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        def greater(first: Any, second: Any) -> Any:
            return builder.select(builder.fcmp_ordered(">", first, second), first, second)

        return _folded(builder, values[0], greater)

    return types.float64(eight), generate


def _folded(builder: Any, lanes: Any, combine: Callable[[Any, Any], Any]) -> Any:
    """Combine the lower half of the lanes with the upper, and so on down to one."""
    count = lanes.type.count
    while count > 1:
        count //= 2
        kind = ir.VectorType(INT, count)
        lower, upper = (
            builder.shuffle_vector(lanes, lanes, ir.Constant(kind, [*range(first, first + count)]))
            for first in (0, count)
        )
        lanes = combine(lower, upper)
    return builder.extract_element(lanes, ir.Constant(INT, 0))


# ln x = e ln 2 + ln m with x = m 2^e and m in [sqrt(1/2), sqrt(2)), where ln m is
# 2 artanh s = 2 (s + s^3/3 + s^5/5 + ...) with s = (m - 1) / (m + 1): the next term of the series,
# s^23/23, is 1e-19 of the first. The upper part of ln 2 has 21 bits to spare for e.
ROOT_2 = math.sqrt(2.0)
LN2_HIGH = float(np.float32(math.log(2.0)))
LN2_LOW = float(Fraction("0.693147180559945309417232121458176568") - Fraction(LN2_HIGH))
SERIES = tuple(2.0 / (2 * k + 1) for k in range(1, 11))
MANTISSA_BITS, EXPONENT_ONE = 52, 1023


def _plain_logarithm(eight: Any) -> Any:
    bits = np.asarray(eight).view(np.int64)
    fraction = bits & ((1 << MANTISSA_BITS) - 1) | EXPONENT_ONE << MANTISSA_BITS
    mantissa = fraction.view(np.float64)
    high = mantissa > ROOT_2
    exponent = (bits >> MANTISSA_BITS) - EXPONENT_ONE + high
    mantissa = plain_lanes(np.where(high, mantissa * 0.5, mantissa))
    answer = _series(mantissa, plain_lanes(exponent.astype(np.float64)))
    return plain_lanes(np.where(eight >= 0.0, answer, math.nan))


def _series(mantissa: Any, exponent: Any) -> Any:
    less = mantissa - 1.0
    ratio = less / (mantissa + 1.0)
    square = ratio * ratio
    # By pairs (Estrin, 1960): one term after the other, each would wait for the one before.
    pairs = [SERIES[k + 1] * square + SERIES[k] for k in range(0, len(SERIES), 2)]
    power = square * square
    while len(pairs) > 1:
        odd = pairs[len(pairs) - len(pairs) % 2 :]
        pairs = [pairs[k + 1] * power + pairs[k] for k in range(0, len(pairs) - 1, 2)] + odd
        power = power * power
    tail = pairs[0]
    return (ratio * (tail * square) + exponent * LN2_LOW) + 2.0 * ratio + exponent * LN2_HIGH


@function(_plain_logarithm)
def logarithm(context: Any, eight: Any) -> Any:
    """Return the natural logarithms of eight positive numbers, normal and finite.

    Right to 2 ulp; eight at once take about as long as two from the C library. What is subnormal,
    zero or infinite gives about -709 or 709, what is negative or NaN gives NaN.
    """

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        kind = ir.VectorType(ir.IntType(64), WIDE)

        def whole(number: int) -> ir.Constant:
            return ir.Constant(kind, [number] * WIDE)

        bits = builder.bitcast(values[0], kind)
        exponent = builder.sub(builder.lshr(bits, whole(MANTISSA_BITS)), whole(EXPONENT_ONE))
        fraction = builder.and_(bits, whole((1 << MANTISSA_BITS) - 1))
        fraction = builder.or_(fraction, whole(EXPONENT_ONE << MANTISSA_BITS))
        mantissa = builder.bitcast(fraction, eight.vector)
        high = builder.fcmp_ordered(">", mantissa, constant(ROOT_2, WIDE))
        halved = builder.fmul(mantissa, constant(0.5, WIDE))
        mantissa = builder.select(high, halved, mantissa)
        exponent = builder.sitofp(builder.add(exponent, builder.zext(high, kind)), eight.vector)
        answer = _Terms(builder, mantissa).logarithm(_Terms(builder, exponent))
        # The bits of NaN are those of a large number.
        known = builder.fcmp_ordered(">=", values[0], constant(0.0, WIDE))
        return builder.select(known, answer, constant(math.nan, WIDE))

    return eight(eight), generate


class _Terms:
    """Lanes in the middle of being computed with: ``_series`` written as instructions."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _with(self, instruction: str, other: _Terms | float) -> _Terms:
        value = other.value if isinstance(other, _Terms) else constant(other, WIDE)
        return _Terms(self.builder, getattr(self.builder, instruction)(self.value, value))

    def __add__(self, other: _Terms | float) -> _Terms:
        return self._with("fadd", other)

    def __sub__(self, other: _Terms | float) -> _Terms:
        return self._with("fsub", other)

    def __mul__(self, other: _Terms | float) -> _Terms:
        return self._with("fmul", other)

    def __truediv__(self, other: _Terms | float) -> _Terms:
        return self._with("fdiv", other)

    __rmul__ = __mul__  # the product is the same to the last bit

    def logarithm(self, exponent: _Terms) -> Any:
        return _series(self, exponent).value
