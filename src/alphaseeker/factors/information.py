"""Information coefficients of a factor against the forward return, and what they are worth.

Horizons overlap, so neighbouring rows repeat each other and a row-wise t-test sees significance
where there is none. The test used here takes one rank correlation for each block of time, blocks
being much longer than the horizon, and asks whether their mean differs from zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.errors import DataError
from alphaseeker.factors.ranks import ranks_in_order, sort_order

__all__ = [
    "MeanTest",
    "mean_test",
    "newey_west",
    "pearson",
    "spearman",
]

_MAX_T = 1e6  # what t is reported as where the values do not differ at all


@dataclass(frozen=True, kw_only=True)
class MeanTest:
    """Whether a mean differs from zero.

    Attributes
    ----------
    mean, std
        Mean, and standard deviation with ddof 1.
    error
        Standard error of the mean.
    t, p_value
        Student's t and its two-sided p-value; 0 and 1 where there is nothing to test.
    count
        Number of independent groups behind it.
    """

    mean: float
    std: float
    error: float
    t: float
    p_value: float
    count: int


@kernel
def pearson(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> float:
    """Return Pearson's correlation over the rows where both are finite.

    Parameters
    ----------
    left, right
        Shape (n,), float64.

    Returns
    -------
    float
        In [-1, 1]; NaN with fewer than two pairs or where either side is constant.
    """
    count = 0
    left_mean = 0.0
    right_mean = 0.0
    left_low = math.inf
    left_high = -math.inf
    right_low = math.inf
    right_high = -math.inf
    for row in range(len(left)):
        if np.isfinite(left[row]) and np.isfinite(right[row]):
            count += 1
            left_mean += left[row]
            right_mean += right[row]
            left_low = min(left_low, left[row])
            left_high = max(left_high, left[row])
            right_low = min(right_low, right[row])
            right_high = max(right_high, right[row])
    # Constancy is read off the values: a rounded mean leaves a constant a tiny variance.
    if count < 2 or left_low == left_high or right_low == right_high:
        return math.nan
    left_mean /= count
    right_mean /= count
    left_square = 0.0
    right_square = 0.0
    cross = 0.0
    for row in range(len(left)):
        if np.isfinite(left[row]) and np.isfinite(right[row]):
            a = left[row] - left_mean
            b = right[row] - right_mean
            left_square += a * a
            right_square += b * b
            cross += a * b
    denominator = math.sqrt(left_square) * math.sqrt(right_square)
    if not (0.0 < denominator < math.inf):
        return math.nan
    return max(-1.0, min(1.0, cross / denominator))


@kernel
def spearman(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation, ties sharing ranks, where both sides are finite.

    Parameters
    ----------
    left, right
        Shape (n,), float64.

    Returns
    -------
    float
        In [-1, 1]; NaN with fewer than two pairs or where either side is constant.
    """
    both = np.isfinite(left) & np.isfinite(right)
    a = left[both]
    b = right[both]
    return pearson(ranks_in_order(a, sort_order(a)), ranks_in_order(b, sort_order(b)))


@kernel
def newey_west(series: npt.NDArray[np.float64], lags: int) -> tuple[float, float]:
    """Return the mean of ``series`` and its standard error after Newey and West (1987).

    The Bartlett-weighted sum of autocovariances equals the sum of squares of all moving sums
    over ``lags + 1`` rows, the series being zero beyond its ends, over ``lags + 1``. That costs
    one pass whatever the lags; prefix sums are exact enough for a test (1e-12 relative).

    Parameters
    ----------
    series
        Shape (n,), float64, finite.
    lags
        At least 0: for overlapping returns, the rows of a horizon less one.

    Returns
    -------
    tuple of float
        Mean and standard error, without small-sample correction (times sqrt(n / (n - 1)) with
        it); the error is NaN where n is 0.
    """
    rows = len(series)
    if rows == 0:
        return 0.0, math.nan
    mean = 0.0
    for row in range(rows):
        mean += series[row]
    mean /= rows
    prefix = np.zeros(rows + 1)
    for row in range(rows):
        prefix[row + 1] = prefix[row] + (series[row] - mean)
    width = lags + 1
    total = 0.0
    for stop in range(1, rows + width):
        window = prefix[min(stop, rows)] - prefix[max(stop - width, 0)]
        total += window * window
    return mean, math.sqrt(total / width) / rows


def mean_test(
    values: npt.NDArray[np.float64], groups: npt.NDArray[np.int64] | None = None
) -> MeanTest:
    """Test whether the mean of ``values`` is zero, with Student's t.

    Parameters
    ----------
    values
        Shape (b,), float64, finite: one number for each block.
    groups
        Shape (b,), int64: values of one group are not independent of each other (blocks of
        several symbols at the same time). The standard error is then the cluster-robust one
        (Liang and Zeger, 1986) with the groups' number less one as degrees of freedom. Where
        every group has one value, or ``groups`` is None, this is the ordinary t-test.

    Raises
    ------
    DataError
        ``groups`` has another length than ``values``.
    """
    from scipy.special import stdtr

    if groups is None:
        groups = np.arange(len(values), dtype=np.int64)
    if len(groups) != len(values):
        raise DataError(
            f"groups has {len(groups)} entries for {len(values)} values; give one for each value"
        )
    names, index = np.unique(groups, return_inverse=True)
    count = len(names)
    if count == 0:
        return MeanTest(mean=0.0, std=0.0, error=0.0, t=0.0, p_value=1.0, count=0)
    mean = float(np.mean(values))
    if count == 1:
        return MeanTest(mean=mean, std=0.0, error=0.0, t=0.0, p_value=1.0, count=1)
    std = float(np.std(values, ddof=1))
    sums = np.bincount(index, weights=values - mean, minlength=count)
    error = math.sqrt(float(sums @ sums) * count / (count - 1)) / len(values)
    # Equal values (a factor that is the return itself) leave no error to divide by.
    error = max(error, abs(mean) / _MAX_T)
    t = mean / error if error > 0.0 else 0.0
    p_value = min(1.0, 2.0 * float(stdtr(count - 1, -abs(t))))
    return MeanTest(mean=mean, std=std, error=error, t=t, p_value=p_value, count=count)
