"""What the features of the training part look like, to tell later whether live ones still do.

Live features are compared over a window of an eighth of the training's time, a day at most. They
are persistent: an hour never looks like two days, however little has changed. So the reference
holds beside each feature's bins what windows of that length had *within* the training part: the
PSI against the whole of it that one window in twenty exceeds. Rows are taken a fixed time apart,
live and here alike, since a busy minute has more rows than a quiet one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.forward_returns import grid_interval
from alphaseeker.model.stability import bin_counts, bin_edges, stability_index

__all__ = ["feature_reference"]

NANOSECONDS = 1_000_000_000
WINDOWS = 8  # that the training part is cut into at least
MOST_WINDOWS = 32  # that are looked at
LEAST_ROWS, MOST_ROWS = 30, 128  # of a window
LEAST_SPACING_S = 10.0
LONGEST_WINDOW_S = 86_400.0  # a whole day has every hour of it
USUAL_QUANTILE = 0.95


def feature_reference(
    take: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]],
    timestamp: npt.NDArray[np.int64],
    segment: npt.NDArray[np.int64],
) -> dict[str, Any]:
    """Return the bins of every feature on the training part, as plain values for the model file.

    Parameters
    ----------
    take
        Returns the given rows of the feature matrix, shape (len, k), float32.
    timestamp, segment
        Of all its rows, shape (n,), int64, nanoseconds; symbol after symbol, in time order within
        a segment.

    Returns
    -------
    dict
        - ``spacing_s``: least time between two rows of the sample
        - ``window_rows``: rows of the live sample that is judged; 0 where the training part is
          too short for eight windows of 30 rows
        - ``windows``, ``rows``: windows looked at, and rows in all of them
        - ``grid_interval_s``: of the grid that the rows stand on; 0.0 for a stream of events
        - by feature: ``edges``, ``shares`` (bins, the last one of missing values) and
          ``usual_psi``
    """
    spacing = _spacing(timestamp, segment)
    sampled = _sampled(timestamp, segment, spacing)
    size = min(MOST_ROWS, len(sampled) // WINDOWS)
    size = size if size >= LEAST_ROWS else 0
    windows = _windows(len(sampled), size)
    matrix = take(np.concatenate([sampled[first:stop] for first, stop in windows]))
    bounds = np.cumsum([0, *(stop - first for first, stop in windows)]).tolist()
    edges, shares, usual = [], [], []
    for column in range(matrix.shape[1]):
        values = np.ascontiguousarray(matrix[:, column])
        cuts = bin_edges(values)
        counts = bin_counts(values, cuts)
        share = counts / counts.sum()
        parts = [values[a:b] for a, b in pairwise(bounds)]
        found = [stability_index(share, bin_counts(p, cuts), len(values)) for p in parts if size]
        edges.append(cuts.tolist())
        shares.append(share.tolist())
        usual.append(float(np.quantile(found, USUAL_QUANTILE, method="higher")) if size else 0.0)
    return {
        "spacing_s": spacing / NANOSECONDS,
        "window_rows": size,
        "windows": len(windows) if size else 0,
        "rows": len(matrix),
        "grid_interval_s": _grid(timestamp, segment),
        "edges": edges,
        "shares": shares,
        "usual_psi": usual,
    }


def _spacing(timestamp: npt.NDArray[np.int64], segment: npt.NDArray[np.int64]) -> int:
    """Return the time between two sampled rows, in ns, that fills a window."""
    steps = np.diff(timestamp)[np.diff(segment) == 0]
    window = min(float(steps.sum()) / NANOSECONDS / WINDOWS, LONGEST_WINDOW_S)
    return round(max(window / MOST_ROWS, LEAST_SPACING_S) * NANOSECONDS)


def _sampled(
    timestamp: npt.NDArray[np.int64], segment: npt.NDArray[np.int64], spacing: int
) -> npt.NDArray[np.int64]:
    """Return the rows that a live session would sample: the first, then each ``spacing`` later."""
    starts = np.flatnonzero(np.diff(segment, prepend=segment[:1] - 1))
    rows = []
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(segment)], strict=True):
        times = timestamp[start:stop]
        row = 0
        while row < len(times):
            rows.append(start + row)
            row = int(np.searchsorted(times, times[row] + spacing))
    return np.asarray(rows, dtype=np.int64)


def _windows(rows: int, size: int) -> list[tuple[int, int]]:
    """Return first row and end of each window; all rows as one where there is no size."""
    if size == 0:
        return [(0, min(rows, MOST_ROWS * MOST_WINDOWS))]
    count = rows // size
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_WINDOWS)).astype(np.int64))
    return [(int(window) * size, (int(window) + 1) * size) for window in chosen]


def _grid(timestamp: npt.NDArray[np.int64], segment: npt.NDArray[np.int64]) -> float:
    """Return the interval of the grid of the longest segment, in seconds; 0.0 for events."""
    numbers, counts = np.unique(segment, return_counts=True)
    longest = timestamp[segment == numbers[np.argmax(counts)]]
    return float(grid_interval(np.ascontiguousarray(longest))) / NANOSECONDS
