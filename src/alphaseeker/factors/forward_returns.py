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

from alphaseeker._jit import kernel, part

__all__ = [
    "SAMPLES_PER_HORIZON",
    "forward_return",
    "grid_interval",
    "is_coarse",
    "label_end",
    "prevailing_row",
    "returns_ahead",
    "rows_ahead",
    "segment_bounds",
    "unresolve_unseen",
]

_REGULAR = 0.25  # how far from the median, as a share of it, an interval of a grid may lie
_REGULAR_SHARE = 0.5  # of the intervals; of random events hardly a fifth lie so near
SAMPLES_PER_HORIZON = 4  # from here on a grid is as good as a stream of events
_LONG = 1 << 18  # rows; more are gone through in pieces, in no memory of their own
_DIGIT = 1 << 16


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
    count = len(timestamp) - 1
    if count <= _LONG:
        median = float(np.median(np.diff(timestamp)))
    else:
        lower = _interval_at(timestamp, (count - 1) // 2)
        median = 0.5 * (lower + (lower if count % 2 else _interval_at(timestamp, count // 2)))
    near = 0
    for row in range(count):
        if abs(timestamp[row + 1] - timestamp[row] - median) <= _REGULAR * median:
            near += 1
    return median if near >= _REGULAR_SHARE * count else 0.0


def is_coarse(interval_s: float, horizon_ns: int) -> bool:
    """Say by `unresolve_unseen`'s rule whether a horizon may pass between two samples of a grid.

    Parameters
    ----------
    interval_s
        `grid_interval` in seconds, as a model file holds it; 0.0 for a stream of events.
    horizon_ns
        Nanoseconds.
    """
    # A median is a whole number of nanoseconds or half of one, which seconds in a float are not.
    return interval_s > 0.0 and SAMPLES_PER_HORIZON * round(2e9 * interval_s) >= 2 * horizon_ns


@part
def _interval_at(timestamp: npt.NDArray[np.int64], place: int) -> float:
    """Return the interval that stands at ``place`` in order: one digit after another, counted."""
    found = np.int64(0)
    counts = np.empty(_DIGIT, np.int64)
    for digit in range(3, -1, -1):
        shift = np.int64(16 * digit)
        counts[:] = 0
        for row in range(len(timestamp) - 1):
            interval = timestamp[row + 1] - timestamp[row]
            if digit == 3 or (interval >> (shift + 16)) == (found >> (shift + 16)):
                counts[(interval >> shift) & (_DIGIT - 1)] += 1
        value = 0
        while place >= counts[value]:
            place -= counts[value]
            value += 1
        found |= np.int64(value) << shift
    return float(found)


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


@part
def _last_within(
    timestamp: npt.NDArray[np.int64], segment: npt.NDArray[np.int64], horizon_ns: int
) -> npt.NDArray[np.int64]:
    """Return the last row at or before each row's horizon; -1 where the segment ends before."""
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
    found = _last_within(timestamp, segment, horizon_ns)
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


@kernel
def returns_ahead(
    timestamp: npt.NDArray[np.int64],
    price: npt.NDArray[np.float64],
    segment: npt.NDArray[np.int64],
    half_spread: npt.NDArray[np.float64],
    horizon_ns: int,
    bounds: npt.NDArray[np.int64],
    coarse: npt.NDArray[np.bool_],
    returns: npt.NDArray[np.float64],
    round_trip: npt.NDArray[np.float64],
) -> None:
    """Write `forward_return` of the first rows of a piece, whose segments are known as a whole.

    Parameters
    ----------
    timestamp, price, segment, horizon_ns
        As in `forward_return`, up to the row after the last horizon of the rows asked for.
    half_spread
        Of the same shape: half the quoted spread as a share of the price.
    bounds, coarse
        Shapes (s + 1,) and (s,): first row of each segment, counted from this piece's first, and
        whether it is a grid of less than ``SAMPLES_PER_HORIZON`` samples within the horizon.
    returns
        Shape (n,), written: of the first n rows.
    round_trip
        Shape (n,) or (0,), written: half the spread of the row and of the one that prevails at
        its horizon, NaN where that is unresolved.
    """
    found = _last_within(timestamp, segment, horizon_ns)
    part_of = 0
    for row in range(len(returns)):
        while part_of + 1 < len(coarse) and bounds[part_of + 1] <= row:
            part_of += 1
        last = found[row]
        if last == row and coarse[part_of]:
            last = -1
        returns[row] = math.nan
        if last >= 0 and price[row] > 0.0 and price[last] > 0.0:
            returns[row] = math.log(price[last] / price[row])
        if len(round_trip) > 0:
            round_trip[row] = half_spread[row] + half_spread[last] if last >= 0 else math.nan


@kernel
def rows_ahead(
    timestamp: npt.NDArray[np.int64], segment: npt.NDArray[np.int64], horizon_ns: int
) -> tuple[int, int]:
    """Return how many rows `label_end` lies ahead of all rows that have one, and their number."""
    rows = len(timestamp)
    total = 0
    count = 0
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
            total += ahead - row
            count += 1
    return total, count


def segment_bounds(segment: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the first row of each segment, and the number of rows behind them."""
    bounds = [np.zeros(1, np.int64)]
    for first in range(1, len(segment), _LONG):
        own = segment[first - 1 : first + _LONG]  # and the row before, which they follow
        bounds.append(first + np.flatnonzero(own[1:] != own[:-1]))
    return np.concatenate([*bounds, np.full(1, len(segment), np.int64)])
