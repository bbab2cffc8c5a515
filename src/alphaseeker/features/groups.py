"""Window groups: which per-bucket quantities are summed over which windows.

A group is a set of channels that are wanted over the same windows. All groups lie one behind the
other in the record, and ``memory`` lies over them: one loop over the rows of ``plan`` (a row is a
window of a group) brings every sum up to date (``kernels.windows``), while the families read and
write their group by name. One loop is one copy of the code: a call for each group compiled it six
times. Each group builds its suffix sums at a bucket of its own, so that no tick pays for several.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.features.declaration import NANOSECONDS
from alphaseeker.features.declared.aggressor import AGGRESSOR_WINDOWS
from alphaseeker.features.declared.depth import INTEGRATED_WINDOWS
from alphaseeker.features.declared.flow import FLOW_WINDOWS
from alphaseeker.features.declared.liquidity import LIQUIDITY_WINDOWS
from alphaseeker.features.declared.momentum import MOMENTUM_WINDOWS
from alphaseeker.features.declared.trades import TRADE_WINDOWS
from alphaseeker.features.declared.volatility import VOLATILITY_WINDOWS
from alphaseeker.features.window_lanes import lane_of
from alphaseeker.kernels.deviations import COLUMNS, SERIES
from alphaseeker.kernels.lanes import WIDE
from alphaseeker.kernels.windows import (
    LANES,
    LENGTH,
    PARTIAL,
    PLAN_COLUMNS,
    PREFIX,
    SLOTS,
    TOTAL,
    WIDTH,
    WINDOW_COLUMNS,
)

__all__ = ["STACKS", "SUMS", "Group", "group_fields", "plan_of", "set_windows", "with_memory"]

# Channels of the flow group: the quotes.
OFI_BID, OFI_ASK, BID_UP, ASK_DOWN, DEPTH, QUOTES, SIGN_TIME = range(7)
# Channels of the returns group: the mid at bucket ends.
(
    RETURN_2,
    RETURN_3,
    RETURN_4,
    RETURN_UP,
    PRODUCT,
    PRODUCT_ABS,
    MOVED,
    RETURN_10,
) = range(8)
# Channels of the moves group, which has one more window than the returns.
PATH, RETURN_1, TURNOVER, COUNTED = range(4)
# Channels of the trades group.
VOLUME, SIGNED, TRADES, NOTIONAL, SIGN_PRODUCT, BULK_SIGNED, BULK_ABS = range(7)
# Channels of the liquidity group.
(
    CHANGE_FLOW,
    FLOW_2,
    ILLIQUIDITY,
    TRADED,
    RETURN_ROOT,
    PRICE_1,
    PRICE_2,
    PRICE_PRODUCT,
    EFFECTIVE,
    REALIZED,
    IMPACT,
    MATURED,
) = range(12)
# Channels of the levels group: the order flow below the touch, levels 2 to 5 one by one.
LEVEL_2, LEVEL_3, LEVEL_4, LEVEL_5, INTEGRATED = range(5)
# Channels of the sides group: who was the aggressor.
BUY, SELL, BUYS, SELLS, LARGE, CANCELLED = range(6)
# Channels of the extrema.
HIGH, LOW, MOVE = range(3)
# Series of the deviations; the first one's slope is known as well.
MID, SPREAD, LOG_DEPTH, LOG_VOLUME = range(4)


@dataclass(frozen=True)
class Group:
    """A set of channels over one set of windows.

    Attributes
    ----------
    windows
        Seconds, in rising order.
    channels
        What a bucket brings.
    width
        Columns of the stacks: the channels, filled up to a whole number of fours, or the sums of
        the deviations.
    """

    windows: tuple[int, ...]
    channels: int
    width: int = 0

    @property
    def lanes(self) -> list[int]:
        """The lane of each window."""
        return [lane_of(window) for window in self.windows]

    @property
    def rows(self) -> int:
        """Rows of memory that a bucket's channels take."""
        return -(-self.channels // LANES)


# Of sums, in the order of the record.
SUMS: dict[str, Group] = {
    "flow": Group(FLOW_WINDOWS, 7),
    "returns": Group(VOLATILITY_WINDOWS, 8),
    "moves": Group(MOMENTUM_WINDOWS, 4),
    "trades": Group(TRADE_WINDOWS, 7),
    "liquidity": Group(LIQUIDITY_WINDOWS, 12),
    "levels": Group(INTEGRATED_WINDOWS, 5),
    "sides": Group(AGGRESSOR_WINDOWS, 6),
}
STACKS: dict[str, Group] = {
    "extrema": Group(MOMENTUM_WINDOWS, 3, width=LANES),
    "deviations": Group(MOMENTUM_WINDOWS, SERIES, width=COLUMNS),
}
N_ROWS = sum(len(group.windows) for group in SUMS.values())
ROW_BYTES = LANES * 8
STAGGERS = {"extrema": 3, "deviations": 5}  # eighths of a window, as sums begin at sevenths


# Whole buckets of a window: 0 where there is none, and infinite where it never is full.
_LENGTHS = [("lengths", np.int64, (WIDE,)), ("full", np.float64, (WIDE,))]


def _sums_dtype(group: Group) -> np.dtype[Any]:
    """Fields of a group of sums, as long as a whole number of memory's rows."""
    count, lanes = len(group.windows), group.rows * LANES
    fields = np.dtype(
        [
            ("partial", np.float64, (lanes,)),  # of the bucket in progress
            ("prefix", np.float64, (count, lanes)),
            ("sums", np.float64, (WIDE, lanes)),  # a row a lane, as all that is kept by window
            ("slots", np.float64, (sum(group.windows), lanes)),
            *_LENGTHS,
            ("rates", np.float64, (WIDE,)),  # 1 / seconds of whole buckets; divisions are slow
        ]
    )
    parts = dict(fields.fields or {})
    return np.dtype(
        {
            "names": [*parts],
            "formats": [part[0] for part in parts.values()],
            "offsets": [part[1] for part in parts.values()],
            "itemsize": -(-fields.itemsize // ROW_BYTES) * ROW_BYTES,
        }
    )


def _stack_dtype(group: Group) -> np.dtype[Any]:
    """Fields of the extrema and of the deviations."""
    return np.dtype(
        [
            ("partial", np.float64, (LANES,)),
            ("prefix", np.float64, (WIDE, group.width)),
            ("sums", np.float64, (WIDE, group.width)),  # or maxima
            ("references", np.float64, (WIDE, LANES)),  # of the deviations
            ("slots", np.float64, (sum(group.windows), group.width)),
            ("positions", np.int64, (WIDE,)),
            *_LENGTHS,
            ("offsets", np.int64, (WIDE,)),  # where a window's slots begin
            ("stagger", np.int64),
            # The number of lanes again, as one that the compiler does not know: loops over
            # windows stay loops. Unrolled, they take twice the time to compile.
            ("count", np.int64),
        ]
    )


def group_fields() -> list[tuple[str, Any]]:
    """Return the record's fields of all groups; ``with_memory`` lays one array over the sums."""
    return [
        ("windows", np.dtype((np.int64, (N_ROWS, WINDOW_COLUMNS)))),
        ("begins", np.dtype((np.int64, (N_ROWS,)))),
        *[(name, _sums_dtype(group)) for name, group in SUMS.items()],
        *[(name, _stack_dtype(group)) for name, group in STACKS.items()],
    ]


def with_memory(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the record's dtype with ``memory``, shape (m, LANES), over all groups of sums."""
    fields = dict(dtype.fields or {})
    start = fields[next(iter(SUMS))][1]
    end = fields[next(iter(STACKS))][1]
    names = list(dtype.names or ())
    return np.dtype(
        {
            "names": [*names, "memory"],
            "formats": [
                *[fields[name][0] for name in names],
                (np.float64, ((end - start) // ROW_BYTES, LANES)),
            ],
            "offsets": [*[fields[name][1] for name in names], start],
            "itemsize": dtype.itemsize,
        }
    )


def plan_of(dtype: np.dtype[Any]) -> npt.NDArray[np.int64]:
    """Return the plan of all windows of sums in a record from ``with_memory``."""
    fields = dict(dtype.fields or {})
    start = fields["memory"][1]
    rows = []
    for name, group in SUMS.items():
        offset = fields[name][1]
        parts = dict(fields[name][0].fields or {})
        places = {
            part: (offset + parts[part][1] - start) // ROW_BYTES
            for part in ("partial", "prefix", "sums", "slots")
        }
        for window, lane in enumerate(group.lanes):
            row = [0] * PLAN_COLUMNS
            row[WIDTH] = group.rows
            row[PARTIAL] = places["partial"]
            row[PREFIX] = places["prefix"] + window * group.rows
            row[TOTAL] = places["sums"] + lane * group.rows
            row[SLOTS] = places["slots"] + sum(group.windows[:window]) * group.rows
            rows.append(row)
    return np.array(rows, dtype=np.int64)


def set_windows(records: npt.NDArray[Any], bucket_ns: int, unused: tuple[str, ...]) -> None:
    """Write every group's window lengths, in whole buckets, into a one-element record.

    Parameters
    ----------
    unused
        Groups of sums that the data has nothing for: they are not kept up.
    """
    row = 0
    for number, (name, group) in enumerate(SUMS.items()):
        field = records[name]
        _set_lengths(field, group, bucket_ns)
        lengths = field["lengths"][0]
        field["rates"] = 1e9 / (np.maximum(lengths, 1) * bucket_ns)
        for lane in group.lanes:
            records["windows"][0, row, LENGTH] = 0 if name in unused else lengths[lane]
            records["begins"][0, row] = lengths[lane] * number // len(SUMS)
            row += 1
    for name, group in STACKS.items():
        field = records[name]
        _set_lengths(field, group, bucket_ns)
        field["offsets"][0, group.lanes] = np.cumsum(group.windows) - group.windows
        field["stagger"] = STAGGERS[name]
        field["count"] = WIDE


def _set_lengths(field: npt.NDArray[Any], group: Group, bucket_ns: int) -> None:
    """Write a group's windows in whole buckets, each at its lane."""
    field["full"] = np.inf
    for window, lane in zip(group.windows, group.lanes, strict=True):
        # In integers, as the declarations count their history: 900 / 3.6 is 250, 900 // 3.6 is 249.
        length = window * NANOSECONDS // bucket_ns
        field["lengths"][0, lane] = length
        if length > 0:
            field["full"][0, lane] = length
