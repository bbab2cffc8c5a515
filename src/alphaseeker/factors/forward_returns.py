"""The forward return by time: the one definition that factors and labels share."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["forward_return", "label_end", "prevailing_row"]


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
def prevailing_row(
    timestamp: npt.NDArray[np.int64], segment: npt.NDArray[np.int64], horizon_ns: int
) -> npt.NDArray[np.int64]:
    """Return for each row the one whose quote prevails when its horizon has passed.

    It is the last row of the same segment at or before that moment. Both pointers only move
    forward, so the cost is linear in the rows at any tick rate.

    Parameters
    ----------
    timestamp, segment, horizon_ns
        As in ``label_end``.

    Returns
    -------
    numpy.ndarray
        Shape (n,), int64; -1 where the segment ends before the horizon has passed.
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
        segment (it is never cut short), or where a price is not above zero.
    """
    end = prevailing_row(timestamp, segment, horizon_ns)
    result = np.full(len(timestamp), np.nan)
    for row in range(len(timestamp)):
        if end[row] >= 0 and price[row] > 0.0 and price[end[row]] > 0.0:
            result[row] = math.log(price[end[row]] / price[row])
    return result
