"""Rows in time order, how far their labels reach, and where parts of them may begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError

__all__ = [
    "Column",
    "Indices",
    "LabelIntervals",
    "label_intervals",
    "part_starts",
    "require_length",
]

Indices = npt.NDArray[np.int64]
Column = npt.ArrayLike | None  # a value for every row


@dataclass(frozen=True, kw_only=True)
class LabelIntervals:
    """When the label of every row begins and ends, in time order; arrays are int64.

    Attributes
    ----------
    order
        Shape (n,): numbers of the rows in time order; of one instant, as they were given.
    start, end
        Shape (n,), nanoseconds, in that order: the label looks at ``[start, end]``, both included.
    session_starts
        Shape (m,): positions in that order, above 0, where a session begins and none is open.
    """

    order: Indices
    start: Indices
    end: Indices
    session_starts: Indices

    def __len__(self) -> int:
        return len(self.order)


def label_intervals(
    timestamps: npt.ArrayLike,
    *,
    label_span_ns: int,
    label_ends: Column = None,
    sessions: Column = None,
) -> LabelIntervals:
    """Put rows in time order and say how far each label reaches.

    A label ends ``label_span_ns`` after its row, or where ``label_ends`` says, and before the next
    session in any case. (Not with the last row of its own: rows that a label ran on may have been
    dropped.) Sessions of several symbols that overlap in time have no boundary between them.

    A DataError says which array does not fit or holds no times, or whose label ends too late.
    """
    times = _nanoseconds(timestamps, "timestamps")
    order = np.argsort(times, kind="stable").astype(np.int64)
    start = times[order]
    session_starts = _session_starts(sessions, order, start)
    until = np.append(start[session_starts] - 1, np.iinfo(np.int64).max)
    limit = until[np.searchsorted(session_starts, np.arange(len(start)), side="right")]
    if label_ends is None:
        end = np.minimum(start + label_span_ns, limit)
    else:
        given = _nanoseconds(label_ends, "label_ends")
        require_length(given, len(start), "label_ends")
        end = given[order]
        _check_ends(order, start, end, limit, label_span_ns)
    return LabelIntervals(order=order, start=start, end=end, session_starts=session_starts)


def _nanoseconds(values: npt.ArrayLike, name: str) -> Indices:
    # Asked for like this, pandas gives times with a zone as UTC rather than as objects.
    dated = getattr(getattr(values, "dtype", None), "kind", "") == "M"
    array = np.asarray(values, dtype="datetime64[ns]" if dated else None)
    if array.ndim != 1 or array.dtype.kind not in "Miu":
        raise DataError(
            f"{name} has dtype {array.dtype} and shape {array.shape}; give one time a row: int64 "
            "nanoseconds since 1970-01-01 UTC, datetime64, or a pandas DatetimeIndex"
        )
    if array.dtype.kind == "M":
        if np.isnat(array).any():
            raise DataError(f"{name} is NaT in row {np.isnat(array).argmax()}; drop such rows")
        array = array.astype("datetime64[ns]")
    return array.astype(np.int64)


def _session_starts(sessions: npt.ArrayLike | None, order: Indices, start: Indices) -> Indices:
    if sessions is None or len(order) == 0:
        return np.empty(0, dtype=np.int64)
    import pandas

    given = np.asarray(sessions)
    require_length(given, len(order), "sessions")
    codes = pandas.factorize(given)[0][order]
    if codes.min() < 0:
        raise DataError(f"sessions is missing in row {order[codes.argmin()]}; every row needs one")
    last = np.full(codes.max() + 1, start[0])
    np.maximum.at(last, codes, start)
    open_until = np.maximum.accumulate(last[codes])
    return np.flatnonzero(open_until[:-1] < start[1:]).astype(np.int64) + 1


def require_length(values: Any, rows: int, name: str) -> None:
    """Refuse with a DataError what has not one value for each of ``rows`` rows."""
    if len(values) != rows:
        raise DataError(
            f"{name} has {len(values)} values, the data has {rows} rows; one value a row is "
            "needed. Where scikit-learn splits a part of the data, as in nested cross-validation, "
            "give X a DatetimeIndex: it is cut along with the rows"
        )


def _check_ends(
    order: Indices, start: Indices, end: Indices, limit: Indices, label_span_ns: int
) -> None:
    for bad, what in (
        (end < start, "before its row: drop rows whose label is not resolved"),
        (end - start > label_span_ns, "later than label_span_s after it: give the longest span"),
        (end > limit, "in the next session: drop it, or give no sessions where labels may cross"),
    ):
        if bad.any():
            row = order[bad.argmax()]
            raise DataError(f"the label of row {row} ends {what} (label_ends, {bad.sum()} rows)")


def part_starts(intervals: LabelIntervals, first: int, parts: int) -> list[int]:
    """Return the positions, in time order, where ``parts`` of nearly equal numbers of rows begin.

    The rows before ``first`` stay before the first part, about; the last part reaches to n.
    A cut moves to the start of the nearest session within half a part, so that a part holds whole
    sessions, or lies in one, unless sessions are shorter than parts and do not fill them evenly.
    Other cuts never part rows of one instant. What is left after a cut is shared evenly.
    """
    starts = []
    previous, place = 0, first
    for left in range(parts, 0, -1):
        step = (len(intervals) - place) // left
        previous = _cut(intervals, place, previous, reach=min(step, place - previous) // 2)
        starts.append(previous)
        place = previous + (len(intervals) - previous) // left
    return starts


def _cut(intervals: LabelIntervals, place: int, previous: int, *, reach: int) -> int:
    if place >= len(intervals):
        return len(intervals)
    after = int(np.searchsorted(intervals.session_starts, place))
    nearest = intervals.session_starts[max(after - 1, 0) : after + 1].tolist()
    near = [cut for cut in nearest if abs(cut - place) <= reach]
    if near:
        return int(min(near, key=lambda cut: abs(cut - place)))
    instant = intervals.start[place]
    cut = int(np.searchsorted(intervals.start, instant))
    return cut if cut > previous else int(np.searchsorted(intervals.start, instant, side="right"))
