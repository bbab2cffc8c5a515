"""The records of a backtest: a symbol's data, its order in flight, the loop's place, the logs."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from alphaseeker.risk.state import Reason

__all__ = ["CONTROL", "END_OF_DATA", "FEED", "FILL", "NEVER", "ORDER", "SAMPLE", "Phase", "Stop"]

NEVER = np.iinfo(np.int64).max
END_OF_DATA = 0
"""Exit reason of what is still open at the last row; no exit of the machine has this number."""


class Phase(IntEnum):
    """Where the loop stands on the present row."""

    NEW = 0
    DECIDED = 1  # an entry was proposed; it has not been acted on


class Stop(IntEnum):
    """Why the loop returned."""

    DONE = 0
    FULL = 1  # a log is full: empty it and call again
    PROPOSED = 2  # an entry is proposed: ask the rule and call again


# Every field takes eight bytes. Addresses are of arrays that the caller keeps alive.
FEED = np.dtype(
    [
        ("session", np.int64),  # address of a SESSION record; 0: signals are given
        ("ticks", np.int64),
        ("rows", np.int64),
        ("depth", np.int64),
        ("levels", np.int64),  # of depth
        ("read_levels", np.int64),  # of them, those that the model's step takes
        ("funding", np.int64),  # float64, shape (rows,); 0: none
        ("verdicts", np.int64),  # int8, shape (rows,): of the gate
        ("last_rows", np.int64),  # int8, shape (rows,): 1 where no quote follows for a long time
        ("sides", np.int64),  # int8, shape (rows,)
        ("strengths", np.int64),  # float64, shape (rows,)
        ("p_up", np.int64),
        ("p_down", np.int64),
    ]
)

ORDER = np.dtype(
    [
        ("row", np.int64),  # of the last quote that can be traded on, -1 before the first
        ("pending", np.int64),  # 1: an order is on its way
        ("waits", np.int64),  # 1: it was due in a gap and fills at the next quote
        ("due", np.int64),  # ns
        ("decided", np.int64),  # ns
        ("quantity", np.float64),  # signed
        ("action", np.int64),
        ("reason", np.int64),
    ]
)

CONTROL = np.dtype(
    [
        ("cursor", np.int64),  # place in the merged rows
        ("phase", np.int64),
        ("latency", np.int64),  # ns
        ("asks", np.int64),  # 1: return at every proposed entry
        ("longest_gap", np.int64),  # ns; a longer one is no market time
        ("next_due", np.int64),  # of all orders in flight
        ("time", np.int64),  # of the last row, in merged order
        ("minute", np.int64),  # the last one sampled, -1 before the first
        ("peak", np.float64),
        ("max_drawdown", np.float64),
        ("watched_ns", np.float64),
        ("held_ns", np.float64),  # of them, with a position
        ("exposure_ns", np.float64),  # integral of notional over equity
        ("ticks", np.int64),
        ("refused", np.int64),
        ("fills", np.int64),  # in the log
        ("samples", np.int64),  # in the log
        ("orders", np.int64),
        ("partial", np.int64),  # orders that filled in part
        ("unfilled", np.int64),  # that found nothing to fill at
        ("expired", np.int64),  # that the data ended before
        ("waited", np.int64),  # that were due in a gap
        ("halted_at", np.int64),  # ns; 0: never
        ("signals", np.int64, (3,)),  # SELL, HOLD, BUY
        ("rejected", np.int64, (int(max(Reason)) + 1,)),
    ]
)

FILL = np.dtype(
    [
        ("timestamp", np.int64),
        ("decided", np.int64),
        ("symbol", np.int64),  # number
        ("action", np.int64),  # risk.state.Action
        ("reason", np.int64),  # risk.state.Reason
        ("wanted", np.float64),  # signed
        ("quantity", np.float64),  # signed
        ("price", np.float64),  # mean over the levels
        ("mid", np.float64),  # of the quote that it filled at
        ("fee", np.float64),
        ("position", np.float64),  # after it, signed
        ("funding", np.float64),  # paid for the trade up to this fill
        ("equity", np.float64),  # after it
    ]
)

SAMPLE = np.dtype(
    [
        ("timestamp", np.int64),
        ("equity", np.float64),
        ("drawdown", np.float64),
        ("exposure", np.float64),
    ]
)
