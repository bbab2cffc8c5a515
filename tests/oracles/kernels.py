"""The numeric primitives from their definitions: slow, exact where it can be, all history kept.

Sums are exact sums of rational numbers or of `math.fsum`, powers of two have fifty digits. Nothing
is carried from one step to the next.
"""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np


def half_life_weight(elapsed, half_life):
    """Return 2^(-elapsed / half_life) with fifty digits."""
    with localcontext() as context:
        context.prec = 50
        return Decimal(2) ** (-Decimal(elapsed) / Decimal(half_life))


def level_average(start, levels, elapsed, half_life):
    """Return ``start`` and the levels, each weighted by its share of the fading past.

    ``levels[i]`` stood for ``elapsed[i]``. The weight of a stretch is the integral over it of the
    density ln(2)/h 2^(-age/h): the difference of 2^(-age/h) at its two ends.
    """
    with localcontext() as context:
        context.prec = 50
        age = Decimal(0)
        average = Decimal(0)
        for level, stood in zip(reversed(levels), reversed(elapsed), strict=True):
            young = half_life_weight(age, half_life)
            age += Decimal(stood)
            average += Decimal(level) * (young - half_life_weight(age, half_life))
        return float(average + Decimal(start) * half_life_weight(age, half_life))


def flow_total(start, impulses, elapsed, half_life):
    """Return the sum of all impulses, each halved once for every half-life of its age.

    ``impulses[i]`` came ``elapsed[i]`` after the one before it.
    """
    with localcontext() as context:
        context.prec = 50
        age = Decimal(0)
        total = Decimal(0)
        for impulse, passed in zip(reversed(impulses), reversed(elapsed), strict=True):
            total += Decimal(impulse) * half_life_weight(age, half_life)
            age += Decimal(passed)
        return float(total + Decimal(start) * half_life_weight(age, half_life))


def window_sums(history, length):
    """Return for each channel the sum over the last ``length`` rows, and of the absolute values."""
    last = np.asarray(history)[-length:]
    sums = [math.fsum(column) for column in last.T]
    sizes = [math.fsum(np.abs(column)) for column in last.T]
    return np.array(sums), np.array(sizes)


def deviation_sums(values, reference, last_x):
    """Return the sums of d = value - reference, of d^2 and of x d, x one more a value.

    The last value has x = ``last_x``. The sum of the sizes of all x d comes fourth.
    """
    exact = [Fraction(value) - Fraction(reference) for value in values]
    first_x = last_x - len(exact) + 1
    products = [x * d for x, d in enumerate(exact, start=first_x)]
    sums = (sum(exact), sum(d * d for d in exact), sum(products), sum(map(abs, products)))
    return tuple(map(float, sums))


def deviation(values):
    """Return the standard deviation, ddof 0."""
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return math.sqrt(sum((value - mean) ** 2 for value in exact) / len(exact))


def score(values):
    """Return how many standard deviations the last value lies above the mean of all.

    0 where all are equal.
    """
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    spread = deviation(values)
    return float(exact[-1] - mean) / spread if spread else 0.0


def slope(values):
    """Return the rise a step of the least-squares line, by the normal equations."""
    n = len(values)
    exact = [Fraction(value) for value in values]
    sum_x = sum(range(n))
    numerator = n * sum(x * y for x, y in enumerate(exact)) - sum_x * sum(exact)
    return float(numerator / (n * sum(x * x for x in range(n)) - sum_x**2))


def rolling_maxima(values, length):
    """Return the maximum of the last ``length`` rows at each place that has so many."""
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(values), length, axis=0)
    return windows.max(axis=-1)
