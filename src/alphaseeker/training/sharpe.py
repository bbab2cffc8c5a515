"""What a Sharpe ratio is worth: its error, the tries that it was picked from, the time it takes.

All Sharpe ratios here are those of one period, never annualised. Returns that are skewed or have
fat tails make the estimate less sure than its square root of n says, and the best of many
configurations has a high one by chance alone:

    PSR(S*) = Phi((S - S*) sqrt(n - 1) / sqrt(1 - g3 S + (g4 - 1) / 4 S^2))
    S0      = sqrt(V) ((1 - c) Phi^-1(1 - 1 / N) + c Phi^-1(1 - 1 / (N e)))
    DSR     = PSR(S0)

with skewness g3, kurtosis g4 (3 for a normal), N tried configurations whose Sharpe ratios have the
variance V, and the Euler-Mascheroni constant c. Sources: Bailey and Lopez de Prado, The Sharpe
Ratio Efficient Frontier (2012), and The Deflated Sharpe Ratio (2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.factors.portfolio import MAX_RATIO, sharpe

__all__ = [
    "MIN_PERIODS",
    "SharpeMoments",
    "deflated_sharpe",
    "expected_maximum_sharpe",
    "minimum_track_record",
    "probabilistic_sharpe",
    "sharpe_moments",
    "trial_variance",
]

# The formula is one for many periods. Of 40,000 samples of returns that are worth nothing, 5 % in
# name had a PSR above .95: with exponential losses 15.7 % at 4 periods, 8.9 % at 10, 6.6 % at 20
# and 5.7 % at 30; with normal returns 7.1 %, 5.4 %, 4.8 % and 5.1 %.
MIN_PERIODS = 20

# Rounding moves the skewness and the kurtosis of two-valued returns, whose error may be 0.
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class SharpeMoments:
    """The Sharpe ratio of a period and the shape of the returns behind it.

    Attributes
    ----------
    periods
        Number of returns, at least ``MIN_PERIODS``.
    sharpe
        Mean over standard deviation (ddof 1), not annualised.
    skewness, kurtosis
        Of the sample, without correction for its size; 0 and 3 for a normal distribution.

    Raises
    ------
    DataError
        Fewer periods, a number that is not finite, or a kurtosis below 1 + skewness squared, which
        no distribution has.
    """

    periods: int
    sharpe: float
    skewness: float
    kurtosis: float

    def __post_init__(self) -> None:
        if self.periods < MIN_PERIODS:
            raise DataError(
                f"a Sharpe ratio of {self.periods} periods says too little to be judged; "
                f"give at least {MIN_PERIODS}: a longer test, or shorter periods"
            )
        for name in ("sharpe", "skewness", "kurtosis"):
            value = getattr(self, name)
            if not math.isfinite(value):
                raise DataError(f"{name} is {value}; give a finite number")
        least = 1.0 + self.skewness**2
        if self.kurtosis < least * (1.0 - _ROUNDING):
            raise DataError(
                f"kurtosis is {self.kurtosis}, with a skewness of {self.skewness} it is at least "
                f"{least}; give the kurtosis itself (3 for a normal), not the excess over 3"
            )


def sharpe_moments(returns: npt.ArrayLike) -> SharpeMoments:
    """Return the Sharpe ratio of a period with the skewness and the kurtosis of the returns.

    Returns that never vary have no shape: they get that of a normal distribution, and the Sharpe
    ratio 0 where they are 0, else ±``MAX_RATIO`` of ``factors.portfolio``.

    Parameters
    ----------
    returns
        Shape (p,): simple return of each period; periods must not overlap.

    Raises
    ------
    DataError
        Fewer than ``MIN_PERIODS`` returns, or one that is not finite.
    """
    values = np.asarray(returns, dtype=np.float64)
    ratio = sharpe(values, 1.0)
    skewness, kurtosis = 0.0, 3.0
    # Beyond the largest ratio what varies is rounding.
    if len(values) and values.min() < values.max() and abs(ratio) < MAX_RATIO:
        centred = values - values.mean()
        centred /= np.abs(centred).max()
        centred /= math.sqrt(float(np.mean(centred**2)))
        skewness = float(np.mean(centred**3))
        kurtosis = float(np.mean(centred**4))
    return SharpeMoments(periods=len(values), sharpe=ratio, skewness=skewness, kurtosis=kurtosis)


def _unit_variance(moments: SharpeMoments) -> float:
    """Return the variance of the estimated Sharpe ratio, times the periods less one (Mertens)."""
    ratio = moments.sharpe
    variance = 1.0 - moments.skewness * ratio + (moments.kurtosis - 1.0) / 4.0 * ratio**2
    return max(variance, 0.0)


def probabilistic_sharpe(moments: SharpeMoments, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio is above ``benchmark``.

    Parameters
    ----------
    moments
        From `sharpe_moments`.
    benchmark
        Sharpe ratio of a period.

    Returns
    -------
    float
        In [0, 1]; at no error at all, 1 above the benchmark, 0 below it, 1/2 on it.

    Raises
    ------
    DataError
        The benchmark is not finite.
    """
    from scipy.special import ndtr

    if not math.isfinite(benchmark):
        raise DataError(f"the benchmark is {benchmark}; give a finite Sharpe ratio of a period")
    gap = (moments.sharpe - benchmark) * math.sqrt(moments.periods - 1)
    error = math.sqrt(_unit_variance(moments))
    if error == 0.0:
        return 0.5 * (1.0 + float(np.sign(gap)))
    return float(ndtr(gap / error))


def trial_variance(sharpes: npt.ArrayLike) -> float:
    """Return the variance (ddof 1) of the Sharpe ratios of all tried configurations.

    Parameters
    ----------
    sharpes
        Shape (N,): Sharpe ratio of a period of every configuration that was tried, the chosen one
        and the bad ones too.

    Returns
    -------
    float
        At least 0; 0 for a single configuration.

    Raises
    ------
    DataError
        None was given, or one is not finite.
    """
    values = np.asarray(sharpes, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise DataError(
            f"Sharpe ratios of the trials have shape {values.shape} and "
            f"{np.sum(~np.isfinite(values))} values that are not finite; give one finite number "
            "for each trial"
        )
    if values.min() == values.max():
        return 0.0
    return float(np.var(values, ddof=1))


def expected_maximum_sharpe(trials: float, variance: float) -> float:
    """Return the Sharpe ratio that the best of ``trials`` worthless configurations is expected at.

    Parameters
    ----------
    trials
        Number of independent configurations, at least 1; a fraction where an effective number
        stands for correlated ones.
    variance
        Variance of their Sharpe ratios, as from `trial_variance`; at least 0.

    Returns
    -------
    float
        At least 0; 0 for a single trial, which nothing was picked from.

    Raises
    ------
    DataError
        A number outside its range.
    """
    from scipy.special import ndtri

    if not (1.0 <= trials < math.inf):
        raise DataError(f"trials is {trials}; give the number of tried configurations, at least 1")
    if not (0.0 <= variance < math.inf):
        raise DataError(f"the variance of the trials is {variance}; it must be finite, at least 0")
    if trials == 1.0:
        return 0.0
    # -Phi^-1(1 / N) is Phi^-1(1 - 1 / N) without the rounding of 1 - 1 / N.
    first, second = -ndtri(1.0 / trials), -ndtri(1.0 / (trials * math.e))
    highest = (1.0 - np.euler_gamma) * first + np.euler_gamma * second
    return math.sqrt(variance) * max(float(highest), 0.0)


def deflated_sharpe(moments: SharpeMoments, *, trials: float, variance: float) -> float:
    """Return the probability that the true Sharpe ratio is above what ``trials`` give by chance.

    Parameters
    ----------
    moments
        Of the chosen configuration, from `sharpe_moments`.
    trials, variance
        As in `expected_maximum_sharpe`.

    Returns
    -------
    float
        In [0, 1]. With one trial it is the probability that the Sharpe ratio is above 0.

    Raises
    ------
    DataError
        A number outside its range.
    """
    return probabilistic_sharpe(moments, expected_maximum_sharpe(trials, variance))


def minimum_track_record(
    moments: SharpeMoments, benchmark: float = 0.0, *, confidence: float = 0.95
) -> float:
    """Return the periods after which such returns are above ``benchmark`` with ``confidence``.

    Parameters
    ----------
    moments
        From `sharpe_moments`.
    benchmark
        Sharpe ratio of a period.
    confidence
        From 1/2 to below 1.

    Returns
    -------
    float
        Number of periods, at least 1 and not rounded; infinite where the Sharpe ratio is not above
        the benchmark.

    Raises
    ------
    DataError
        A number outside its range.
    """
    from scipy.special import ndtri

    if not math.isfinite(benchmark):
        raise DataError(f"the benchmark is {benchmark}; give a finite Sharpe ratio of a period")
    if not (0.5 <= confidence < 1.0):
        raise DataError(f"confidence is {confidence}; it must be from 0.5 to below 1")
    gap = moments.sharpe - benchmark
    if gap <= 0.0:
        return math.inf
    return 1.0 + _unit_variance(moments) * float(ndtri(confidence) / gap) ** 2
