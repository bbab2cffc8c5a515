"""What a prediction costs: a histogram of fixed size for every stage.

The bins are log-linear: each power of two is cut into 128 equal parts, so that a percentile read
from the middle of a bin is off by at most 0.4 %, from a nanosecond to an hour, in 40 KB a stage,
however many ticks are counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["STAGES", "LatencyHistogram", "describe"]

STAGES = ("input", "features", "model", "decision", "total")
PART_BITS = 7
N_BINS = (43 - PART_BITS) << PART_BITS  # up to 2^42 ns, 73 minutes
NANOSECONDS_A_MILLISECOND = 1e6

Counts = npt.NDArray[np.int64]


@kernel
def _bin_of(value: int) -> int:
    value = max(value, 0)
    exponent = 0
    while (value >> exponent) >= (2 << PART_BITS):
        exponent += 1
    return min((exponent << PART_BITS) + (value >> exponent), N_BINS - 1)


@kernel
def _record(
    counts: Counts,
    sums: npt.NDArray[np.float64],
    extremes: Counts,
    start: int,
    read: int,
    stepped: int,
    scored: int,
    end: int,
) -> None:
    spent = (read - start, stepped - read, scored - stepped, end - scored, end - start)
    for stage in range(len(spent)):
        value = spent[stage]
        counts[stage, _bin_of(value)] += 1
        sums[stage, 0] += value
        sums[stage, 1] += float(value) * value
        extremes[stage, 0] = min(extremes[stage, 0], value)
        extremes[stage, 1] = max(extremes[stage, 1], value)


class LatencyHistogram:
    """Counts of nanoseconds by stage."""

    def __init__(self) -> None:
        self.counts = np.zeros((len(STAGES), N_BINS), dtype=np.int64)
        self.sums = np.zeros((len(STAGES), 2))
        self.extremes = np.zeros((len(STAGES), 2), dtype=np.int64)
        self.clear()

    def clear(self) -> None:
        """Forget everything counted."""
        self.counts[:] = 0
        self.sums[:] = 0.0
        self.extremes[:, 0] = np.iinfo(np.int64).max
        self.extremes[:, 1] = 0

    def record(self, start: int, read: int, stepped: int, scored: int, end: int) -> None:
        """Count one prediction by the moments, in ns, at which its stages began and ended."""
        _record(self.counts, self.sums, self.extremes, start, read, stepped, scored, end)


def describe(
    histograms: Sequence[LatencyHistogram], stage: str = "total"
) -> dict[str, float | int]:
    """Return count, mean, median, deviation, extremes and percentiles of a stage, in ms.

    All are 0.0 where nothing was counted.
    """
    row = STAGES.index(stage)
    counts = np.zeros(N_BINS, dtype=np.int64)
    total = squares = 0.0
    low, high = math.inf, 0.0
    for histogram in histograms:
        counts += histogram.counts[row]
        total += float(histogram.sums[row, 0])
        squares += float(histogram.sums[row, 1])
        low = min(low, float(histogram.extremes[row, 0]))
        high = max(high, float(histogram.extremes[row, 1]))
    count = int(counts.sum())
    result: dict[str, float | int] = {"count": count}
    mean = total / count if count else 0.0
    deviation = math.sqrt(max(0.0, squares / count - mean * mean)) if count else 0.0
    result["mean_ms"] = mean / NANOSECONDS_A_MILLISECOND
    result["std_ms"] = deviation / NANOSECONDS_A_MILLISECOND
    result["min_ms"] = low / NANOSECONDS_A_MILLISECOND if count else 0.0
    result["max_ms"] = high / NANOSECONDS_A_MILLISECOND
    cumulative = np.cumsum(counts)
    for name, share in (("median", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)):
        value = 0.0
        if count:
            found = int(np.searchsorted(cumulative, math.ceil(share * count)))
            value = min(high, max(low, _middle(found)))
        result[f"{name}_ms"] = value / NANOSECONDS_A_MILLISECOND
    return result


def _middle(found: int) -> float:
    """Return the middle, in ns, of the values that fall into a bin."""
    if found < 2 << PART_BITS:
        return float(found)
    exponent = (found >> PART_BITS) - 1
    return float(((found - (exponent << PART_BITS)) << exponent) + (1 << exponent) / 2.0)
