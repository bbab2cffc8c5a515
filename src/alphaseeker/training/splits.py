"""Splits by global time with gaps, so that no label that was fitted on reaches a later part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.config import SplitConfig
from alphaseeker.errors import DataError

__all__ = ["MIN_ROWS", "PARTS", "TimeSplit", "split_by_time"]

PARTS = ("train", "validation", "test")

# Fewer rows than this in a part say nothing about a model with three classes.
MIN_ROWS = 30

# The training part keeps at least this much less than everything.
VALIDATION_AND_TEST_LIMIT = 0.95

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class TimeSplit:
    """Half-open time ranges ``[start, end)`` in nanoseconds; rows between two of them are unused.

    The gap between parts is the label span plus the embargo: a label that begins in one part has
    ended an embargo before the next part begins.
    """

    train: tuple[int, int]
    validation: tuple[int, int]
    test: tuple[int, int]

    def rows(self, part: str, timestamp: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return the mask of rows of ``part`` ("train", "validation" or "test"), shape (n,)."""
        start, end = self.ranges()[part]
        return (start <= timestamp) & (timestamp < end)

    def ranges(self) -> dict[str, tuple[int, int]]:
        """Return start and end of every part."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def split_by_time(
    timestamp: npt.NDArray[np.int64], *, label_span_ns: int, config: SplitConfig
) -> TimeSplit:
    """Split at two times, the same for every symbol: train | gap | validation | gap | test.

    The boundaries depend on nothing but the time stamps. The shares are those of the rows that
    the gaps leave over; a gap that falls between two sessions costs no row. Ticks of one instant
    never part.

    Parameters
    ----------
    timestamp
        Of all rows of all symbols, in any order, shape (n,), int64 nanoseconds.
    label_span_ns
        The longest time a label looks ahead.
    config
        Shares of the rows used and the embargo.

    Raises
    ------
    DataError
        A part has fewer than 30 rows; the message says how much data would do.
    """
    if VALIDATION_AND_TEST_LIMIT <= config.VALIDATION_FRACTION + config.TEST_FRACTION:
        raise DataError(
            f"VALIDATION_FRACTION {config.VALIDATION_FRACTION:g} and TEST_FRACTION "
            f"{config.TEST_FRACTION:g} leave nothing to train on; their sum must stay below "
            f"{VALIDATION_AND_TEST_LIMIT:g}"
        )
    if len(timestamp) < 3 * MIN_ROWS:
        raise DataError(
            f"{len(timestamp)} rows are too few to train on; three parts of {MIN_ROWS} rows and "
            "the gaps between them are needed"
        )
    ordered = np.sort(timestamp)
    gap = label_span_ns + round(config.EMBARGO_S * NANOSECONDS)
    validation_start, test_start = _boundaries(ordered, gap, config)
    split = TimeSplit(
        train=(int(ordered[0]), validation_start - gap),
        validation=(validation_start, test_start - gap),
        test=(test_start, int(ordered[-1]) + 1),
    )
    for part in PARTS:
        require_rows(part, int(split.rows(part, ordered).sum()), ordered, gap=gap, config=config)
    return split


def _boundaries(ordered: npt.NDArray[np.int64], gap: int, config: SplitConfig) -> tuple[int, int]:
    """Return the starts of validation and test that leave the shares asked of the rows used.

    The more rows are to be used, the earlier both starts lie and the fewer rows are left to train
    on; a bisection finds where those are the training part's share.
    """
    n = len(ordered)

    def starts(used: int) -> tuple[int, int]:
        test = int(ordered[max(n - max(round(used * config.TEST_FRACTION), 1), 0)])
        before = int(np.searchsorted(ordered, test - gap))
        first = before - round(used * config.VALIDATION_FRACTION)
        return int(ordered[max(first, 0)]), test

    train_share = 1.0 - config.VALIDATION_FRACTION - config.TEST_FRACTION
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        train = int(np.searchsorted(ordered, starts(middle)[0] - gap))
        if train >= train_share * middle:
            low = middle
        else:
            high = middle - 1
    return starts(low)


def require_rows(
    part: str,
    count: int,
    timestamp: npt.NDArray[np.int64],
    *,
    gap: int,
    config: SplitConfig,
) -> None:
    """Refuse a part of fewer than 30 usable rows, and say how much data is needed.

    Raises
    ------
    DataError
        ``count`` is below 30.
    """
    if count >= MIN_ROWS:
        return
    span = float(timestamp.max() - timestamp.min()) / NANOSECONDS
    shares = {"validation": config.VALIDATION_FRACTION, "test": config.TEST_FRACTION}
    share = shares.get(part, 1.0 - sum(shares.values()))
    gap_s = gap / NANOSECONDS
    spacing = span / max(len(timestamp) - 1, 1)
    needed = 2.0 * gap_s + MIN_ROWS * spacing / share
    raise DataError(
        f"the {part} part has {count} usable rows, at least {MIN_ROWS} are needed. The data has "
        f"{len(timestamp)} rows over {span:.0f} s; with a share of {share:g}, two gaps of "
        f"{gap_s:g} s (label span and EMBARGO_S) and rows that all count, about {needed:.0f} s "
        "are needed, more where features warm up: bring more data, or shorten HORIZON_S, "
        "EMBARGO_S or the feature windows"
    )
