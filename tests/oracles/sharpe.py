"""Sharpe ratios and what they are worth, from their formulas, in plain Python."""

import math
from statistics import NormalDist

NORMAL = NormalDist()
# The Euler-Mascheroni constant from its series, with the first terms of its expansion.
TERMS = 100_000
EULER_MASCHERONI = sum(1 / k for k in range(1, TERMS)) + 1 / (2 * TERMS) - math.log(TERMS)


def moments(returns):
    """Sharpe ratio (ddof 1), skewness and kurtosis (3 for a normal) of a row of returns."""
    n = len(returns)
    mean = sum(returns) / n
    second, third, fourth = (sum((r - mean) ** power for r in returns) / n for power in (2, 3, 4))
    sharpe = mean / math.sqrt(second * n / (n - 1))
    return sharpe, third / second**1.5, fourth / second**2


def sharpe_error(n, sharpe, skewness, kurtosis):
    return math.sqrt((1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (n - 1))


def probabilistic(n, sharpe, skewness, kurtosis, benchmark):
    return NORMAL.cdf((sharpe - benchmark) / sharpe_error(n, sharpe, skewness, kurtosis))


def expected_maximum(trials, variance):
    first = NORMAL.inv_cdf(1 - 1 / trials)
    second = NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - EULER_MASCHERONI) * first + EULER_MASCHERONI * second)


def minimum_length(sharpe, skewness, kurtosis, benchmark, confidence):
    """The least number of periods at which the probabilistic ratio is the confidence."""
    z = NORMAL.inv_cdf(confidence)
    variance = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    return 1 + variance * (z / (sharpe - benchmark)) ** 2
