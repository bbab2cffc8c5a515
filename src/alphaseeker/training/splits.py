"""What every split by time shares: units, the fewest rows of a part, how much data they take."""

from __future__ import annotations

from alphaseeker.config import SplitConfig
from alphaseeker.errors import DataError

__all__ = ["MIN_ROWS", "NANOSECONDS", "VALIDATION_AND_TEST_LIMIT", "refuse_short"]

# Fewer rows than this in a part say nothing about a model with three classes.
MIN_ROWS = 30

# The training part keeps at least this much less than everything.
VALIDATION_AND_TEST_LIMIT = 0.95

NANOSECONDS = 1_000_000_000


def refuse_short(
    part: str,
    count: int,
    *,
    rows: int,
    span_ns: int,
    label_span_ns: int,
    config: SplitConfig,
) -> DataError:
    """Return the error that says what ``part`` lacks, and what would do.

    That is more data, but for a rolling training part that is too short at any length of the data.

    Parameters
    ----------
    part
        "train", "validation" or "test".
    count
        Its usable rows.
    rows, span_ns
        Number of rows in all and the time from the first to the last, nanoseconds.
    label_span_ns
        The longest time a label looks ahead.
    config
        All of its keys.
    """
    span = span_ns / NANOSECONDS
    label_s = label_span_ns / NANOSECONDS
    gap = label_s + config.EMBARGO_S
    least = MIN_ROWS * span / max(rows - 1, 1)
    before = 1.0 - config.TEST_FRACTION
    needed = max(
        # In the test part the last labels are not resolved; a gap lies before each later part.
        (least + label_s) / config.TEST_FRACTION,
        (least / config.VALIDATION_FRACTION + gap) / before,
        ((least + gap) / (1.0 - config.VALIDATION_FRACTION) + gap) / before,
    )
    lack = (
        f"the {part} part has {count} usable rows, at least {MIN_ROWS} are needed. The data has "
        f"{rows} rows over {span:.0f} s; "
    )
    rolling = config.ROLLING_TRAIN_S
    if rolling is not None and part != "test":
        # The validation part is cut off its end, and a gap lies between.
        share = config.VALIDATION_FRACTION
        window = max(least / share, (least + gap) / (1.0 - share))
        if rolling < window:
            return DataError(
                f"{lack}ROLLING_TRAIN_S {rolling:g} is too short for it at any length of the data: "
                f"with VALIDATION_FRACTION {share:g} of it and a gap of {gap:g} s (label span and "
                f"EMBARGO_S) about {window:.0f} s are needed; raise it, or set it to None"
            )
    groups = ""
    if config.FOLD_SCHEME == "combinatorial":
        groups = (
            f". COMBINATORIAL_TEST_GROUPS {config.COMBINATORIAL_TEST_GROUPS} of "
            f"COMBINATORIAL_GROUPS {config.COMBINATORIAL_GROUPS} take more: lower the former, or "
            'set FOLD_SCHEME to "walk_forward"'
        )
    return DataError(
        f"{lack}with TEST_FRACTION {config.TEST_FRACTION:g}, "
        f"VALIDATION_FRACTION {config.VALIDATION_FRACTION:g} of what is before it, two gaps of "
        f"{gap:g} s (label span and EMBARGO_S) and rows that all count, about {needed:.0f} s "
        "are needed, more where features warm up: bring more data, or shorten HORIZON_S, "
        f"EMBARGO_S or the feature windows{groups}"
    )
