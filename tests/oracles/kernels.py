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


def moments(values):
    """Return count, mean and sum of squared deviations, rounded once from exact numbers."""
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return len(exact), float(mean), float(sum((value - mean) ** 2 for value in exact))


def pair_moments(x, y):
    """Return count, the two means, and the sums xx, yy and xy of the products of deviations."""
    if len(x) == 0:
        return np.zeros(6)
    exact_x = [Fraction(value) for value in x]
    exact_y = [Fraction(value) for value in y]
    mean_x = sum(exact_x) / len(exact_x)
    mean_y = sum(exact_y) / len(exact_y)
    products = sum((a - mean_x) * (b - mean_y) for a, b in zip(exact_x, exact_y, strict=True))
    xx, yy = moments(x)[2], moments(y)[2]
    return np.array([len(exact_x), float(mean_x), float(mean_y), xx, yy, float(products)])


def slope(x, y):
    """Return the slope of the least-squares line by the normal equations; 0 where x is constant."""
    n = len(x)
    exact_x = [Fraction(value) for value in x]
    exact_y = [Fraction(value) for value in y]
    sum_x, sum_y = sum(exact_x), sum(exact_y)
    numerator = n * sum(a * b for a, b in zip(exact_x, exact_y, strict=True)) - sum_x * sum_y
    denominator = n * sum(a * a for a in exact_x) - sum_x**2
    return float(numerator / denominator) if denominator else 0.0


def covariance(x, y):
    """Return the mean of the products less the product of the means."""
    n = len(x)
    if n == 0:
        return 0.0
    exact_x = [Fraction(value) for value in x]
    exact_y = [Fraction(value) for value in y]
    products = sum(a * b for a, b in zip(exact_x, exact_y, strict=True))
    return float(products / n - sum(exact_x) / n * (sum(exact_y) / n))


def rolling_maxima(values, length):
    """Return the maximum of the last ``length`` values at each place that has so many."""
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(values), length)
    return windows.max(axis=1)
