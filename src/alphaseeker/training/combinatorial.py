"""Combinatorial purged cross-validation by time, for scikit-learn (Lopez de Prado 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ConfigError
from alphaseeker.training.label_intervals import Column, Indices, LabelIntervals, part_starts
from alphaseeker.training.splits import MIN_ROWS, NANOSECONDS
from alphaseeker.training.time_splitter import TimeSplitter, require_least

__all__ = ["CombinatorialPurged"]

UNUSED, TRAIN, TEST = 0, 1, 2


class CombinatorialPurged(TimeSplitter):
    """Test on every choice of ``n_test_groups`` out of ``n_groups``, train on the other groups.

    A row is trained on if its label does not touch the time from the first row of a test group to
    the end of its last label (purging: Lopez de Prado 2018, chapter 7), and the row does not fall
    within ``embargo_s`` after that (embargo). Each row is tested in
    ``comb(n_groups - 1, n_test_groups - 1)`` splits, once on each of as many backtest paths
    (chapter 12). Rows of several symbols may be interleaved or one block after another.

    Features look back: rows just after a test group saw the rows in it, so ``embargo_s`` should
    be no shorter than what they remember of note.

    Parameters
    ----------
    n_groups
        Number of groups of nearly equal numbers of rows, 2 or more.
    n_test_groups
        Groups tested in a split, 1 to ``n_groups - 1``.
    label_span_s
        The longest time a label looks ahead, seconds.
    embargo_s
        Time after the last label of a test group in which no row is trained on, seconds.
    min_rows
        A group or a training part with fewer rows is refused.
    timestamps, label_ends, sessions
        What `split` takes, for callers that pass ``X`` and ``y`` only (``cross_val_score``,
        ``GridSearchCV``) where ``X`` has no DatetimeIndex.

    Raises
    ------
    ConfigError
        A parameter is out of its range.

    Examples
    --------
    >>> splitter = CombinatorialPurged(6, 2, label_span_s=60)
    >>> splitter.get_n_splits(), splitter.n_paths
    (15, 5)
    """

    def __init__(
        self,
        n_groups: int = 6,
        n_test_groups: int = 2,
        *,
        label_span_s: float,
        embargo_s: float = 60.0,
        min_rows: int = MIN_ROWS,
        timestamps: Column = None,
        label_ends: Column = None,
        sessions: Column = None,
    ) -> None:
        self.n_groups = n_groups
        self.n_test_groups = n_test_groups
        self.label_span_s = label_span_s
        self.embargo_s = embargo_s
        self.min_rows = min_rows
        self.timestamps = timestamps
        self.label_ends = label_ends
        self.sessions = sessions
        self._check()

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of splits; the arguments are there for scikit-learn and not used."""
        return comb(self.n_groups, self.n_test_groups)

    @property
    def n_paths(self) -> int:
        """Number of backtest paths, each of which tests every row once."""
        return comb(self.n_groups - 1, self.n_test_groups - 1)

    def test_groups(self) -> Indices:
        """Return the groups that each split tests, shape (n_splits, n_test_groups), int64."""
        chosen = combinations(range(self.n_groups), self.n_test_groups)
        return np.array(list(chosen), dtype=np.int64)

    def paths(self) -> Indices:
        """Return the split that tests each group on each path, shape (n_paths, n_groups), int64.

        Path ``p`` takes group ``g`` from the p-th split that tests it, as in figure 12.1 of Lopez
        de Prado (2018). `row_groups` says which rows these are.
        """
        tested = self.test_groups()
        splits = [np.flatnonzero((tested == group).any(axis=1)) for group in range(self.n_groups)]
        return np.stack(splits, axis=1).astype(np.int64)

    def row_groups(
        self,
        X: Any,
        y: Any = None,
        *,
        timestamps: Column = None,
        sessions: Column = None,
    ) -> Indices:
        """Return the group of every row, shape (n,), int64; arguments as in `split`.

        Raises
        ------
        DataError
            There are no times, an array does not fit, or a group has fewer than ``min_rows`` rows.
        """
        intervals = self._intervals(X, y, timestamps, None, sessions)
        bounds = self._bounds(intervals)
        groups = np.empty(len(intervals), dtype=np.int64)
        groups[intervals.order] = np.repeat(np.arange(self.n_groups), np.diff(bounds))
        return groups

    def _split(self, intervals: LabelIntervals) -> Iterator[tuple[Indices, Indices]]:
        bounds = self._bounds(intervals)
        chosen = self.test_groups()
        for number, tested in enumerate(chosen, 1):
            train = int((self._parts(intervals, bounds, tested) == TRAIN).sum())
            name = f"the training part of split {number} of {len(chosen)}"
            self._require_rows(train, name, intervals)
        return self._rows(intervals, bounds, chosen)

    def _bounds(self, intervals: LabelIntervals) -> list[int]:
        n = len(intervals)
        bounds = [0, *part_starts(intervals, n // self.n_groups, self.n_groups - 1), n]
        for group, rows in enumerate(np.diff(bounds)):
            self._require_rows(int(rows), f"group {group} of {self.n_groups}", intervals)
        return bounds

    def _rows(
        self, intervals: LabelIntervals, bounds: list[int], chosen: Indices
    ) -> Iterator[tuple[Indices, Indices]]:
        for tested in chosen:
            parts = self._parts(intervals, bounds, tested)
            yield intervals.order[parts == TRAIN], intervals.order[parts == TEST]

    def _parts(
        self, intervals: LabelIntervals, bounds: list[int], tested: Indices
    ) -> npt.NDArray[np.int8]:
        """Say TRAIN, TEST or UNUSED for every row, in time order."""
        embargo = round(self.embargo_s * NANOSECONDS)
        parts = np.full(len(intervals), TRAIN, dtype=np.int8)
        blocks = [slice(bounds[group], bounds[group + 1]) for group in tested]
        for block in blocks:
            opening = intervals.start[block.start]
            closing = intervals.end[block].max() + embargo
            parts[(intervals.start <= closing) & (opening <= intervals.end)] = UNUSED
        for block in blocks:  # last: what one test group takes from another is tested all the same
            parts[block] = TEST
        return parts

    def _check(self) -> None:
        super()._check()
        require_least("n_groups", self.n_groups, 2, Integral)
        require_least("n_test_groups", self.n_test_groups, 1, Integral)
        if self.n_test_groups >= self.n_groups:
            raise ConfigError(
                f"n_test_groups is {self.n_test_groups} of {self.n_groups} groups, which leaves "
                f"nothing to train on; it must be at most {self.n_groups - 1}"
            )
