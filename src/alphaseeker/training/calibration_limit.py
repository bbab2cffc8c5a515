"""The calibration error that a perfectly calibrated forecaster would show on so many labels.

A calibration error is a mean of absolute values and never 0 on a sample. What it would be by chance
alone is found by drawing: labels come from the forecaster's own probabilities, and last as long as
real ones do. Each label span of a symbol has one quantile between 0 and 1, the place in the order
SELL, HOLD, BUY at which all its rows find their class: rows whose labels overlap share their
future, and a mean over them is worth as many labels as there are spans.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.training.metrics import CALIBRATION_BINS

__all__ = ["calibration_limit"]

DRAWS = 300
LIMIT = 0.95
SEED = 0


@kernel
def _error(
    quantiles: npt.NDArray[np.float64],
    span: npt.NDArray[np.int64],
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    bins: npt.NDArray[np.int64],
    confidence: npt.NDArray[np.float64],
) -> float:
    """Return the calibration error of one draw; ``confidence`` is summed by bin."""
    gap = confidence.copy()
    for row in range(len(span)):
        quantile = quantiles[span[row]]
        if low[row] <= quantile < high[row]:
            gap[bins[row]] -= 1.0
    return float(np.abs(gap).sum() / len(span))


def _spans(
    timestamp: npt.NDArray[np.int64], symbol: npt.NDArray[np.int64], span_ns: int
) -> tuple[npt.NDArray[np.int64], int]:
    """Return the number of each row's label span, counted by symbol and time, and how many are."""
    moments, moment = np.unique(timestamp // span_ns, return_inverse=True)
    spans, span = np.unique(symbol * len(moments) + moment, return_inverse=True)
    return span.astype(np.int64), len(spans)


def calibration_limit(
    probabilities: npt.NDArray[np.float64],
    timestamp: npt.NDArray[np.int64],
    symbol: npt.NDArray[np.int64],
    span_ns: int,
) -> tuple[float, float]:
    """Return mean and 95 % quantile of the calibration error of labels drawn as they were foretold.

    Parameters
    ----------
    probabilities
        Shape (n, 3), float64.
    timestamp, symbol
        Shape (n,), int64: nanoseconds UTC, and the number of the symbol.
    span_ns
        How long a label looks ahead.

    Returns
    -------
    tuple
        Of 300 draws, the same in every call. An error above the second comes by chance in one case
        of twenty; an error below it cannot be told from none.
    """
    rows = len(timestamp)
    top = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(rows), top]
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    edges = np.concatenate([np.zeros((rows, 1)), np.cumsum(probabilities, axis=1)], axis=1)
    edges[:, -1] = np.inf
    span, count = _spans(timestamp, symbol, span_ns)
    rows_of = (
        span,
        edges[np.arange(rows), top],
        edges[np.arange(rows), top + 1],
        bins,
        np.bincount(bins, confidence, CALIBRATION_BINS).astype(np.float64),
    )
    # One draw at a time: with as many spans as rows, all of them would be 2.4 GB a million.
    random = np.random.default_rng(SEED)
    errors = np.array([_error(random.random(count), *rows_of) for _ in range(DRAWS)])
    return float(errors.mean()), float(np.quantile(errors, LIMIT))
