"""Risk of a series of returns: historical and Cornish-Fisher VaR and CVaR, Sharpe ratio.

Plain NumPy: the manager asks once a minute, when its ring of returns has a new one.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

__all__ = [
    "MINUTES_PER_YEAR",
    "cornish_fisher",
    "cornish_fisher_quantile",
    "cornish_fisher_shortfall",
    "historical_cvar",
    "historical_var",
    "is_monotone",
    "sharpe_ratio",
]

MINUTES_PER_YEAR = 365 * 24 * 60  # crypto never closes

# ceil() of a product such as 0.05 * 140 = 7.000000000000001 must not count an eighth.
_COUNT_TOLERANCE = 1e-9


def _worst(returns: npt.NDArray[np.float64], tail: float) -> npt.NDArray[np.float64]:
    """Return the ``tail`` share of the returns that are lowest, at least one, ascending."""
    count = max(1, math.ceil(len(returns) * tail - _COUNT_TOLERANCE))
    return np.sort(returns)[:count]


def historical_var(returns: npt.NDArray[np.float64], tail: float = 0.05) -> float:
    """Return the loss that the worst ``tail`` of the returns reach at least.

    Parameters
    ----------
    returns
        Shape (n,), float64, shares.
    tail
        Probability, in (0, 1).

    Returns
    -------
    float
        Positive for a loss; 0.0 without observations. The empirical quantile without
        interpolation (Hyndman and Fan 1996, type 1).
    """
    return float(-_worst(returns, tail)[-1]) + 0.0 if len(returns) else 0.0


def historical_cvar(returns: npt.NDArray[np.float64], tail: float = 0.05) -> float:
    """Return the mean loss of the worst ``tail`` of the returns, never below the VaR.

    Parameters and sign as in ``historical_var`` (Rockafellar and Uryasev 2000).
    """
    return float(-_worst(returns, tail).mean()) + 0.0 if len(returns) else 0.0


def is_monotone(skewness: float, kurtosis: float) -> bool:
    """Say whether the expansion rises everywhere: only then are its quantiles those of something.

    Parameters
    ----------
    skewness, kurtosis
        The latter in excess of the normal distribution's.

    Notes
    -----
    Its derivative is a quadratic in z; it must not have two roots (Maillard 2012).
    """
    square = kurtosis / 8.0 - skewness**2 / 6.0
    constant = 1.0 - kurtosis / 8.0 + 5.0 * skewness**2 / 36.0
    if skewness == 0.0 and kurtosis == 0.0:
        return True
    return square > 0.0 and skewness**2 / 9.0 <= 4.0 * square * constant


def cornish_fisher_quantile(tail: float, skewness: float, kurtosis: float) -> float:
    """Return the ``tail`` quantile in standard deviations (Cornish and Fisher 1938)."""
    z = NormalDist().inv_cdf(tail)
    return (
        z
        + (z**2 - 1.0) * skewness / 6.0
        + (z**3 - 3.0 * z) * kurtosis / 24.0
        - (2.0 * z**3 - 5.0 * z) * skewness**2 / 36.0
    )


def cornish_fisher_shortfall(tail: float, skewness: float, kurtosis: float) -> float:
    """Return the mean of what lies below that quantile, in standard deviations (Maillard 2012)."""
    normal = NormalDist()
    z = normal.inv_cdf(tail)
    return (
        -normal.pdf(z)
        / tail
        * (
            1.0
            + z * skewness / 6.0
            + (z**2 - 1.0) * kurtosis / 24.0
            - (2.0 * z**2 - 1.0) * skewness**2 / 36.0
        )
    )


def cornish_fisher(
    returns: npt.NDArray[np.float64], tail: float = 0.05
) -> tuple[float, float] | None:
    """Return VaR and CVaR by the Cornish-Fisher expansion, positive for a loss.

    Returns None outside its domain of validity (see ``is_monotone``), for fewer than four returns
    and where all are equal. Parameters as in ``historical_var``; the moments are those of the
    sample, not corrected for its size.
    """
    if len(returns) < 4 or returns.min() == returns.max():
        return None
    mean = float(returns.mean())
    deviations = returns - mean
    deviation = math.sqrt(float((deviations**2).mean()))
    skewness = float((deviations**3).mean()) / deviation**3
    kurtosis = float((deviations**4).mean()) / deviation**4 - 3.0
    if not is_monotone(skewness, kurtosis):
        return None
    var = mean + deviation * cornish_fisher_quantile(tail, skewness, kurtosis)
    cvar = mean + deviation * cornish_fisher_shortfall(tail, skewness, kurtosis)
    return -var, -cvar


def sharpe_ratio(
    returns: npt.NDArray[np.float64], periods_per_year: float = MINUTES_PER_YEAR
) -> float:
    """Return mean over standard deviation, annualised (Sharpe 1994), without a riskless rate.

    Returns 0.0 for fewer than two returns and where all are equal: that is decided on the
    returns, not on the rounding of their deviation.
    """
    if len(returns) < 2 or returns.min() == returns.max():
        return 0.0
    return float(returns.mean() / returns.std(ddof=1) * math.sqrt(periods_per_year))
