"""How long a factor's value lasts: the correlation of its ranks with those a horizon later.

A factor that stands for hours trades seldom and can pay its costs with a small spread; one that is
new at every row must earn them at every row. The lag is one horizon by time, which is when a
position that was opened for the forward return is decided again.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.factors.information import spearman

__all__ = ["SAMPLED_PAIRS", "lagged_rows", "rank_autocorrelation"]

IntArray = npt.NDArray[np.int64]

SAMPLED_PAIRS = 20_000  # the standard error of a correlation of 0 is then .007


@kernel
def lagged_rows(
    timestamp: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
    coarse: npt.NDArray[np.bool_],
    horizon_ns: int,
    most: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return a systematic sample of rows and, for each, the row that prevails a horizon later.

    Every k-th of the rows that have a later one (``forward_returns.prevailing_row``) is taken;
    no number a row is kept meanwhile.

    Parameters
    ----------
    timestamp
        Shape (n,), int64, nanoseconds, not decreasing within a segment.
    bounds, coarse
        Shapes (s + 1,) and (s,), as in ``forward_returns.returns_ahead``.
    horizon_ns
        Nanoseconds, at least 1.
    most
        At least 1: how many pairs at most.

    Returns
    -------
    tuple of numpy.ndarray
        Two arrays of shape (m,), int64: rows, and rows a horizon later.
    """
    pairs = np.empty((2, most), np.int64)
    count = _take_lagged(timestamp, bounds, coarse, horizon_ns, 0, pairs)
    step = max((count + most - 1) // most, 1)
    _take_lagged(timestamp, bounds, coarse, horizon_ns, step, pairs)
    taken = (count + step - 1) // step
    return pairs[0, :taken].copy(), pairs[1, :taken].copy()


@part
def _take_lagged(
    timestamp: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
    coarse: npt.NDArray[np.bool_],
    horizon_ns: int,
    step: int,
    pairs: npt.NDArray[np.int64],
) -> int:
    """Write every ``step``-th pair of rows, none where it is 0, and return how many there are."""
    count = 0
    for segment in range(len(coarse)):
        stop = bounds[segment + 1]
        ahead = bounds[segment]
        for row in range(bounds[segment], stop):
            moment = timestamp[row] + horizon_ns
            ahead = max(ahead, row)
            while ahead + 1 < stop and timestamp[ahead + 1] <= moment:
                ahead += 1
            if ahead + 1 == stop and timestamp[ahead] < moment:
                break  # nor does any row after this one
            if ahead == row and coarse[segment]:
                continue
            if step > 0 and count % step == 0:
                pairs[0, count // step] = row
                pairs[1, count // step] = ahead
            count += 1
    return count


def rank_autocorrelation(
    factor: npt.NDArray[np.floating], rows: npt.NDArray[np.int64], later: npt.NDArray[np.int64]
) -> float:
    """Return Spearman's correlation of a factor with itself one horizon later.

    Parameters
    ----------
    factor
        Shape (n,), floating; pairs of which either value is not finite are left out.
    rows, later
        Shape (m,), int64, as from `lagged_rows`. They are shared by all factors of a symbol.

    Returns
    -------
    float
        From -1 to 1; 0.0 with fewer than two pairs and for a constant factor.
    """
    found = float(spearman(factor[rows].astype(np.float64), factor[later].astype(np.float64)))
    return found if math.isfinite(found) else 0.0
