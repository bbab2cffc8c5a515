"""Risk of a series of returns: historical VaR and CVaR, Sharpe ratio.

Plain NumPy: the manager asks once a minute, when its ring of returns has a new one.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["MINUTES_PER_YEAR", "historical_cvar", "historical_var", "sharpe_ratio"]

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
