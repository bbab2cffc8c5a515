"""The forward return by time: the one definition that factors and labels share.

A row's price at the end of its horizon is the last one at or before that moment. Where no later
row is, that is the row's own price, and what it means depends on the data:

- In a stream of events a quote stands until it changes. Nothing came, so nothing moved: the
  return is truly 0.
- A row of a grid is a sample. Where the next sample comes later than the horizon (bars that
  jitter by some milliseconds, a bar that is missing, a horizon shorter than a bar), the price at
  that moment was never seen. A return of 0 would be an artefact, so the row is unresolved.

``grid_interval`` tells the two apart: a grid is regular. A grid that is fine beside the horizon
(four samples or more within it) is treated as events, since a hole of a whole horizon is an
exception there and not the rule.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = [
    "SAMPLES_PER_HORIZON",
    "forward_return",
    "grid_interval",
    "label_end",
    "prevailing_row",
    "unresolve_unseen",
]

_REGULAR = 0.25  # how far from the median, as a share of it, an interval of a grid may lie
_REGULAR_SHARE = 0.5  # of the intervals; of random events hardly a fifth lie so near
SAMPLES_PER_HORIZON = 4  # from here on a grid is as good as a stream of events


@kernel
def label_end(
    timestamp: npt.NDArray[np.int64], segment: npt.NDArray[np.int64], horizon_ns: int
) -> npt.NDArray[np.int64]:
    """Return for each row the row at which its horizon has passed.

    It is the first row of the same segment whose time is ``horizon_ns`` or more after the row's
    own: the first tick at which a bot could close what it opened here, and the last one that the
    row's label knows of (a purge must reach that far).

    Parameters
    ----------
    timestamp
        Shape (n,), int64, nanoseconds UTC, not decreasing within a segment.
    segment
        Shape (n,), int64; equal numbers stand together.
    horizon_ns
        Nanoseconds, at least 1.

    Returns
    -------
    numpy.ndarray
        Shape (n,), int64; -1 where the segment ends before the horizon has passed.
    """
    rows = len(timestamp)
    end = np.full(rows, -1, np.int64)
    ahead = 0
    for row in range(rows):
        ahead = max(ahead, row)
        while (
            ahead < rows
            and segment[ahead] == segment[row]
            and timestamp[ahead] - timestamp[row] < horizon_ns
        ):
            ahead += 1
        if ahead < rows and segment[ahead] == segment[row]:
            end[row] = ahead
    return end


@kernel
def grid_interval(timestamp: npt.NDArray[np.int64]) -> float:
    """Return the interval of the grid that the rows of one segment stand on, or 0.0.

    Rows stand on a grid where half of the intervals or more lie within a quarter of the median
    one: jitter and missing samples leave a grid a grid, while fewer than a fifth of the
    intervals of random (Poisson) events lie so near each other.

    Parameters
    ----------
    timestamp
        Shape (n,), int64, nanoseconds, not decreasing.

    Returns
    -------
    float
        The median interval, in nanoseconds; 0.0 for a stream of events and for less than two
        rows.
    """
    if len(timestamp) < 2:
        return 0.0
    intervals = np.diff(timestamp)
    median = float(np.median(intervals))
    near = 0
    for interval in intervals:
        if abs(interval - median) <= _REGULAR * median:
            near += 1
    return median if near >= _REGULAR_SHARE * len(intervals) else 0.0


@kernel
def unresolve_unseen(
    timestamp: npt.NDArray[np.int64],
    segment: npt.NDArray[np.int64],
    horizon_ns: int,
    found: npt.NDArray[np.int64],
) -> None:
    """Set to -1 the rows of a grid whose horizon passes before the next sample.

    A segment counts as a grid where `grid_interval` is a quarter of the horizon or more. Whether
    a row is dropped depends on time stamps alone, never on prices, so that what is left is no
    biased sample.

    Parameters
    ----------
    timestamp, segment, horizon_ns
        As in ``label_end``.
    found
        Shape (n,), int64, changed: the row at which each row's horizon ends; the row itself
        where there is no later one within the horizon.
    """
    rows = len(timestamp)
    first = 0
    while first < rows:
        stop = first
        unseen = False
        while stop < rows and segment[stop] == segment[first]:
            unseen = unseen or found[stop] == stop
            stop += 1
        if unseen and SAMPLES_PER_HORIZON * grid_interval(timestamp[first:stop]) >= horizon_ns:
            for row in range(first, stop):
                if found[row] == row:
                    found[row] = -1
        first = stop


@kernel
def prevailing_row(
    timestamp: npt.NDArray[np.int64], segment: npt.NDArray[np.int64], horizon_ns: int
) -> npt.NDArray[np.int64]:
    """Return for each row the one whose quote prevails when its horizon has passed.

    It is the last row of the same segment at or before that moment; on a grid never the row
    itself (`unresolve_unseen`). Both pointers only move forward, so the cost is linear in the
    rows at any tick rate.

    Parameters
    ----------
    timestamp, segment, horizon_ns
        As in ``label_end``.

    Returns
    -------
    numpy.ndarray
        Shape (n,), int64; -1 where the segment ends before the horizon has passed, and where a
        grid has no sample within it.
    """
    rows = len(timestamp)
    found = np.full(rows, -1, np.int64)
    ahead = 0
    for row in range(rows):
        ahead = max(ahead, row)
        moment = timestamp[row] + horizon_ns
        while (
            ahead + 1 < rows
            and segment[ahead + 1] == segment[row]
            and timestamp[ahead + 1] <= moment
        ):
            ahead += 1
        goes_on = ahead + 1 < rows and segment[ahead + 1] == segment[row]
        if goes_on or timestamp[ahead] == moment:
            found[row] = ahead
    unresolve_unseen(timestamp, segment, horizon_ns, found)
    return found


@kernel
def forward_return(
    timestamp: npt.NDArray[np.int64],
    price: npt.NDArray[np.float64],
    segment: npt.NDArray[np.int64],
    horizon_ns: int,
) -> npt.NDArray[np.float64]:
    """Return ln(price that prevails when the horizon has passed / price now) for each row.

    Parameters
    ----------
    timestamp, segment, horizon_ns
        As in ``label_end``.
    price
        Shape (n,), float64, in price units: the mid, or the close.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float64, a logarithmic return; NaN where the horizon does not pass within the
        segment (it is never cut short), where a grid has no sample within it, or where a price is
        not above zero.
    """
    end = prevailing_row(timestamp, segment, horizon_ns)
    result = np.full(len(timestamp), np.nan)
    for row in range(len(timestamp)):
        if end[row] >= 0 and price[row] > 0.0 and price[end[row]] > 0.0:
            result[row] = math.log(price[end[row]] / price[row])
    return result
