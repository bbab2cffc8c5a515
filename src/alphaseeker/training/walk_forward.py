"""Splits by time for scikit-learn: what purging needs to know, and the walk-forward splitter."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ConfigError, DataError
from alphaseeker.training.splits import MIN_ROWS, NANOSECONDS, VALIDATION_AND_TEST_LIMIT

__all__ = ["LabelIntervals", "PurgedWalkForward", "TimeSplitter", "label_intervals", "part_starts"]

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
        _require_length(given, len(start), "label_ends")
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
    _require_length(given, len(order), "sessions")
    codes = pandas.factorize(given)[0][order]
    if codes.min() < 0:
        raise DataError(f"sessions is missing in row {order[codes.argmin()]}; every row needs one")
    last = np.full(codes.max() + 1, start[0])
    np.maximum.at(last, codes, start)
    open_until = np.maximum.accumulate(last[codes])
    return np.flatnonzero(open_until[:-1] < start[1:]).astype(np.int64) + 1


def _require_length(values: Any, rows: int, name: str) -> None:
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


class TimeSplitter:
    """What splitters by time share: parameters as scikit-learn wants them, and reading times."""

    label_span_s: float
    embargo_s: float
    min_rows: int
    timestamps: Column
    label_ends: Column
    sessions: Column

    def __repr__(self) -> str:
        signature = inspect.signature(type(self)).parameters
        shown = []
        for name, value in self.get_params().items():
            if np.ndim(value) > 0:
                shown.append(f"{name}=<{len(value)} values>")
            elif value != signature[name].default:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; ``deep`` changes nothing, none is an estimator."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters, all or, where the constructor would refuse one (ConfigError), none."""
        known = self.get_params()
        unknown = sorted(set(parameters) - set(known))
        if unknown:
            raise ConfigError(f"unknown parameter {unknown[0]!r}; there are {', '.join(known)}")
        self.__dict__.update(type(self)(**{**known, **parameters}).__dict__)
        return self

    def _check(self) -> None:
        require_least("label_span_s", self.label_span_s, 0.0)
        require_least("embargo_s", self.embargo_s, 0.0)
        require_least("min_rows", self.min_rows, 1, Integral)

    def split(
        self,
        X: Any,
        y: Any = None,
        groups: object = None,
        *,
        timestamps: Column = None,
        label_ends: Column = None,
        sessions: Column = None,
    ) -> Iterator[tuple[Indices, Indices]]:
        """Yield row numbers to train on and to test on, both int64 and in time order.

        Parameters
        ----------
        X, y
            Shape (n, ...) and (n,), rows in any order; only their length and the DatetimeIndex of
            a pandas frame or series are looked at (of several levels, the one that holds times).
        groups
            Not used.
        timestamps
            Shape (n,): int64 nanoseconds UTC, datetime64 or times with a zone (naive is UTC);
            None takes the constructor's, then the index of ``X``, then that of ``y``.
        label_ends
            Shape (n,), the same: when each label is known, where that is earlier than the span.
        sessions
            Shape (n,): name or number of the session (segment) of each row. No label reaches into
            the next session, and parts prefer to begin with a session (`part_starts`).

        Raises
        ------
        DataError
            There are no times, an array does not fit, or a part has fewer than ``min_rows`` rows.
        """
        return self._split(self._intervals(X, y, timestamps, label_ends, sessions))

    def _split(self, intervals: LabelIntervals) -> Iterator[tuple[Indices, Indices]]:
        raise NotImplementedError

    def _intervals(
        self, X: Any, y: Any, timestamps: Column, label_ends: Column, sessions: Column
    ) -> LabelIntervals:
        sources = (timestamps, self.timestamps, _times_of_index(X), _times_of_index(y))
        times = next((source for source in sources if source is not None), None)
        if times is None:
            raise DataError(
                f"{type(self).__name__} splits by time, and the rows have none: give X or y a "
                "pandas DatetimeIndex, or timestamps=... to the constructor or to split"
            )
        if X is not None:
            _require_length(times, X.shape[0] if hasattr(X, "shape") else len(X), "timestamps")
        return label_intervals(
            times,
            label_span_ns=round(self.label_span_s * NANOSECONDS),
            label_ends=self.label_ends if label_ends is None else label_ends,
            sessions=self.sessions if sessions is None else sessions,
        )

    def _require_rows(self, count: int, part: str, intervals: LabelIntervals) -> None:
        if count >= self.min_rows:
            return
        span = float(np.ptp(intervals.start)) / NANOSECONDS if intervals else 0.0
        raise DataError(
            f"{part} has {count} rows, at least {self.min_rows} (min_rows) are needed. The data "
            f"has {len(intervals)} rows over {span:g} s, and each gap takes label_span_s "
            f"{self.label_span_s:g} and embargo_s {self.embargo_s:g}: bring more data, ask for "
            "fewer parts or shorten the gaps; integer timestamps are read as nanoseconds"
        )


def require_least(name: str, value: Any, least: float, kind: type = Real) -> None:
    """Refuse with a ConfigError what is no finite number of a kind, ``least`` or more."""
    number = isinstance(value, kind) and not isinstance(value, bool)
    if not number or not least <= value < math.inf:
        word = "an integer" if kind is Integral else "a finite number"
        raise ConfigError(f"{name} is {value!r}; it must be {word}, {least:g} or more")


def _times_of_index(frame: Any) -> npt.ArrayLike | None:
    pandas = sys.modules.get("pandas")  # a frame cannot come from a package not imported
    index = getattr(frame, "index", None)
    if pandas is None or not isinstance(index, pandas.Index):
        return None
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    times = [level for level in levels if isinstance(level, pandas.DatetimeIndex)]
    return times[0] if len(times) == 1 else None


class PurgedWalkForward(TimeSplitter):
    """Train on the past, test on what follows; a label never reaches into the rows tested.

    Every row after the first training part is tested in one split, in time order. A row is
    trained on if its label ends, and ``embargo_s`` passes, before the first row tested (purging:
    Lopez de Prado 2018, chapter 7); with labels of equal span that is a gap of label span plus
    embargo. Rows of several symbols may be interleaved or one block after another: boundaries are
    times, the same for every symbol.

    Parameters
    ----------
    n_splits
        Number of splits, 1 or more.
    label_span_s
        The longest time a label looks ahead, seconds.
    embargo_s
        Time between the end of the last label trained on and the first row tested, seconds.
    expanding
        Train on all that went before; otherwise on ``train_s`` seconds (rolling).
    train_s
        Length of a rolling training part, seconds: from there to where the gap begins.
    test_fraction
        Share of the rows in a test part; None is ``1 / (n_splits + 1)``, as in scikit-learn's
        ``TimeSeriesSplit``. Ties and sessions move boundaries a little.
    min_rows
        A training or test part with fewer rows is refused.
    timestamps, label_ends, sessions
        What `split` takes, for callers that pass ``X`` and ``y`` only (``cross_val_score``,
        ``GridSearchCV``) where ``X`` has no DatetimeIndex.

    Raises
    ------
    ConfigError
        A parameter is out of its range.

    Examples
    --------
    >>> splitter = PurgedWalkForward(5, label_span_s=60)
    >>> cross_val_score(model, frame, label, cv=splitter)  # doctest: +SKIP
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        label_span_s: float,
        embargo_s: float = 60.0,
        expanding: bool = True,
        train_s: float | None = None,
        test_fraction: float | None = None,
        min_rows: int = MIN_ROWS,
        timestamps: Column = None,
        label_ends: Column = None,
        sessions: Column = None,
    ) -> None:
        self.n_splits = n_splits
        self.label_span_s = label_span_s
        self.embargo_s = embargo_s
        self.expanding = expanding
        self.train_s = train_s
        self.test_fraction = test_fraction
        self.min_rows = min_rows
        self.timestamps = timestamps
        self.label_ends = label_ends
        self.sessions = sessions
        self._check()

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of splits; the arguments are there for scikit-learn and not used."""
        return int(self.n_splits)

    def _split(self, intervals: LabelIntervals) -> Iterator[tuple[Indices, Indices]]:
        n, share = len(intervals), self.test_fraction
        size = n // (self.n_splits + 1) if share is None else int(n * share)
        starts = part_starts(intervals, n - self.n_splits * size, self.n_splits)
        parts = []
        for number, (first, stop) in enumerate(zip(starts, [*starts[1:], n], strict=True), 1):
            name = f"test part {number} of {self.n_splits}"
            self._require_rows(stop - first, name, intervals)
            train = self._train(intervals, first)
            self._require_rows(len(train), f"the training part before {name}", intervals)
            parts.append((train, slice(first, stop)))
        return ((intervals.order[train], intervals.order[test]) for train, test in parts)

    def _train(self, intervals: LabelIntervals, first: int) -> Indices:
        opening = intervals.start[first]
        embargo = round(self.embargo_s * NANOSECONDS)
        kept = intervals.end[:first] + embargo < opening
        if self.train_s is not None:
            reach = embargo + round((self.label_span_s + self.train_s) * NANOSECONDS)
            kept &= intervals.start[:first] >= opening - reach
        return np.flatnonzero(kept)

    def _check(self) -> None:
        super()._check()
        require_least("n_splits", self.n_splits, 1, Integral)
        if self.train_s is not None:
            require_least("train_s", self.train_s, 1.0 / NANOSECONDS)
        if self.expanding != (self.train_s is None):
            raise ConfigError(
                f"expanding is {self.expanding!r} and train_s {self.train_s!r}; an expanding "
                "training part has no train_s, a rolling one (expanding=False) needs it"
            )
        if self.test_fraction is not None:
            require_least("test_fraction", self.test_fraction, 0.0)
            tested = self.n_splits * self.test_fraction
            if not 0.0 < tested <= VALIDATION_AND_TEST_LIMIT:
                raise ConfigError(
                    f"test_fraction is {self.test_fraction:g}, {tested:g} in {self.n_splits} "
                    f"splits; their sum must be above 0 and at most {VALIDATION_AND_TEST_LIMIT:g}"
                )
