"""The plan of a training: which times each fold trains, stops and is judged on, and the last fit.

Everything here depends on time stamps and sessions alone, so that it is known before any feature
is. The outer splits are those of ``PurgedWalkForward`` and ``CombinatorialPurged``. Within the
training rows of a fold the last share by time is its validation part, behind a gap of label span
plus embargo, by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import SplitConfig
from alphaseeker.errors import DataError
from alphaseeker.training.combinatorial import CombinatorialPurged
from alphaseeker.training.label_intervals import Indices
from alphaseeker.training.splits import MIN_ROWS, NANOSECONDS, refuse_short
from alphaseeker.training.walk_forward import PurgedWalkForward

__all__ = ["PARTS", "Fold", "Paths", "Plan", "Ranges", "plan_folds"]

PARTS = ("train", "validation", "test")

Ranges = tuple[tuple[int, int], ...]
"""Half-open ranges of time, nanoseconds, that rise and do not overlap."""

Paths = tuple[tuple[tuple[int, tuple[int, int]], ...], ...]

_Splits = list[tuple[Indices, Indices]]


@dataclass(frozen=True, kw_only=True)
class Fold:
    """The times of one fit: rows outside of all its ranges are not used.

    Attributes
    ----------
    name
        For warnings: "fold 2 of 4", "the final fit".
    train, validation, test
        Ranges of time; ``test`` is empty for a final fit.
    """

    name: str
    train: Ranges
    validation: Ranges
    test: Ranges

    def rows(self, part: str, timestamp: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return the mask of the rows of ``part`` ("train", "validation" or "test"), shape (n,)."""
        mask = np.zeros(len(timestamp), dtype=np.bool_)
        for start, end in self.ranges()[part]:
            mask |= (start <= timestamp) & (timestamp < end)
        return mask

    def ranges(self) -> dict[str, Ranges]:
        """Return the ranges of every part."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The fits of a training.

    Attributes
    ----------
    scheme
        "walk_forward" or "combinatorial".
    folds
        In the order of their test parts.
    final
        The same on all rows, with an empty test part.
    paths
        Ways to judge every tested row once: pairs of a fold's number and the range of its test
        part that counts. One path of walk-forward folds; several of combinatorial ones.
    warnings
        Sentences that a user should read.
    """

    scheme: str
    folds: tuple[Fold, ...]
    final: Fold
    paths: Paths
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Clock:
    """All rows in time order, shape (n,), and the settings that cut them."""

    start: npt.NDArray[np.int64]
    session: npt.NDArray[np.int64]
    usable: npt.NDArray[np.bool_]
    label_span_ns: int
    config: SplitConfig

    def ranges(self, rows: Indices) -> Ranges:
        """Return the times of rising row numbers as ranges."""
        if len(rows) == 0:
            return ()
        breaks = np.flatnonzero(np.diff(rows) > 1)
        first = self.start[rows[np.append(0, breaks + 1)]].tolist()
        last = self.start[rows[np.append(breaks, len(rows) - 1)]].tolist()
        return tuple((a, b + 1) for a, b in zip(first, last, strict=True))

    def walk_forward(self, rows: Indices, parts: int, share: float, **rolling: Any) -> _Splits:
        """Split the rows with these numbers; a part without rows is a DataError."""
        splitter = PurgedWalkForward(
            parts,
            label_span_s=self.label_span_ns / NANOSECONDS,
            embargo_s=self.config.EMBARGO_S,
            test_fraction=share,
            min_rows=1,
            **rolling,
        )
        found = splitter.split(None, timestamps=self.start[rows], sessions=self.session[rows])
        return [(rows[train], rows[test]) for train, test in found]

    def fold(self, name: str, rows: Indices, test: Ranges) -> Fold:
        """Cut the validation part off the rows to train on."""
        ((train, validation),) = self.walk_forward(rows, 1, self.config.VALIDATION_FRACTION)
        return Fold(
            name=name, train=self.ranges(train), validation=self.ranges(validation), test=test
        )

    def short(self, folds: Sequence[Fold]) -> tuple[str, int] | None:
        """Return the first part with too few usable rows and their number, None without one."""
        for fold in folds:
            for part, ranges in fold.ranges().items():
                count = int((self.usable & fold.rows(part, self.start)).sum())
                if ranges and count < MIN_ROWS:
                    return part, count
        return None


def plan_folds(
    timestamp: npt.NDArray[np.int64],
    sessions: npt.NDArray[np.int64],
    *,
    label_span_ns: int,
    config: SplitConfig,
    usable: npt.NDArray[np.bool_] | None = None,
) -> Plan:
    """Plan the folds and the final fit.

    Where the folds asked for leave a part with fewer than 30 usable rows, fewer are planned, down
    to one, and a warning says so.

    Parameters
    ----------
    timestamp
        Of all rows of all symbols, in any order, shape (n,), int64 nanoseconds.
    sessions
        Shape (n,), int64: no label crosses from one to another, and parts prefer to begin with
        one (``part_starts``).
    label_span_ns
        The longest time a label looks ahead.
    config
        SPLIT_CONFIG.
    usable
        Shape (n,): the rows that count towards the fewest a part needs; all by default. It decides
        how many folds there are, and never where they lie.

    Raises
    ------
    ConfigError
        COMBINATORIAL_TEST_GROUPS leave no group to train on.
    DataError
        Not even one fold fits; the message says how much data would do.
    """
    order = np.argsort(timestamp, kind="stable")
    clock = _Clock(
        start=timestamp[order],
        session=sessions[order],
        usable=np.full(len(order), True) if usable is None else usable[order],
        label_span_ns=label_span_ns,
        config=config,
    )
    shortest = ("train", 0)
    for attempt, (scheme, parts) in enumerate(_attempts(config)):
        try:
            plan = _planned(clock, scheme, parts)
        except DataError:
            continue
        found = clock.short((*plan.folds, plan.final))
        if found is None:
            return plan if attempt == 0 else replace(plan, warnings=(_fewer(plan, config),))
        shortest = found
    part, count = shortest
    raise refuse_short(
        part,
        count,
        rows=len(order),
        span_ns=int(np.ptp(timestamp)) if len(order) else 0,
        label_span_ns=label_span_ns,
        config=config,
    )


def _attempts(config: SplitConfig) -> Iterator[tuple[str, int]]:
    """Yield scheme and number of folds or groups, from what is asked for down to one fold."""
    if config.FOLD_SCHEME == "combinatorial":
        # What leaves nothing to train on is refused by the splitter.
        yield "combinatorial", config.COMBINATORIAL_GROUPS
        for groups in range(config.COMBINATORIAL_GROUPS - 1, config.COMBINATORIAL_TEST_GROUPS, -1):
            yield "combinatorial", groups
        yield "walk_forward", 1
        return
    for folds in range(config.FOLDS, 0, -1):
        yield "walk_forward", folds


def _fewer(plan: Plan, config: SplitConfig) -> str:
    asked = f"{config.FOLDS} folds (FOLDS)"
    if config.FOLD_SCHEME == "combinatorial":
        asked = f"folds of {config.COMBINATORIAL_GROUPS} groups (COMBINATORIAL_GROUPS)"
    made = "1 fold" if len(plan.folds) == 1 else f"{len(plan.folds)} folds"
    return (
        f"the data are too short for {asked}: a part would have fewer than {MIN_ROWS} usable rows; "
        f"{made} instead"
    )


def _planned(clock: _Clock, scheme: str, parts: int) -> Plan:
    build = _combinatorial if scheme == "combinatorial" else _walk_forward
    folds, paths = build(clock, parts)
    return Plan(scheme=scheme, folds=folds, final=_final(clock), paths=paths)


def _walk_forward(clock: _Clock, parts: int) -> tuple[tuple[Fold, ...], Paths]:
    config = clock.config
    rolling = config.ROLLING_TRAIN_S
    splits = clock.walk_forward(
        np.arange(len(clock.start)),
        parts,
        config.TEST_FRACTION / parts,
        expanding=rolling is None,
        train_s=rolling,
    )
    folds = tuple(
        clock.fold(f"fold {number} of {parts}", train, clock.ranges(test))
        for number, (train, test) in enumerate(splits, 1)
    )
    return folds, (tuple((number, fold.test[0]) for number, fold in enumerate(folds)),)


def _combinatorial(clock: _Clock, groups: int) -> tuple[tuple[Fold, ...], Paths]:
    splitter = CombinatorialPurged(
        groups,
        clock.config.COMBINATORIAL_TEST_GROUPS,
        label_span_s=clock.label_span_ns / NANOSECONDS,
        embargo_s=clock.config.EMBARGO_S,
        min_rows=1,
    )
    times = {"timestamps": clock.start, "sessions": clock.session}
    group = splitter.row_groups(None, **times)
    places = [clock.ranges(np.flatnonzero(group == one))[0] for one in range(groups)]
    tested = splitter.test_groups()
    folds = tuple(
        clock.fold(
            f"fold {number} of {len(tested)}",
            train,
            tuple(places[one] for one in tested[number - 1]),
        )
        for number, (train, _) in enumerate(splitter.split(None, **times), 1)
    )
    paths = tuple(
        tuple((int(split), places[one]) for one, split in enumerate(path))
        for path in splitter.paths()
    )
    return folds, paths


def _final(clock: _Clock) -> Fold:
    """Plan the last fit: on every row whose label is known by the end, as if a test began there."""
    known = clock.start[-1] - clock.label_span_ns if len(clock.start) else 0
    kept = clock.start <= known
    if clock.config.ROLLING_TRAIN_S is not None:
        kept &= known - round(clock.config.ROLLING_TRAIN_S * NANOSECONDS) <= clock.start
    return clock.fold("the final fit", np.flatnonzero(kept), ())
