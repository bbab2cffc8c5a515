"""Purged walk-forward splits by time, for scikit-learn (Lopez de Prado 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral

import numpy as np

from alphaseeker.errors import ConfigError
from alphaseeker.training.label_intervals import Column, Indices, LabelIntervals, part_starts
from alphaseeker.training.splits import MIN_ROWS, NANOSECONDS, VALIDATION_AND_TEST_LIMIT
from alphaseeker.training.time_splitter import TimeSplitter, require_least

__all__ = ["PurgedWalkForward"]


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
