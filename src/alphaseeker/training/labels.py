"""Labels by time: what the price did over the horizon, and which barrier it touched first.

Nothing crosses a segment. A label that the data does not resolve is NaN (class -1) and is dropped,
never truncated to the last price there is. That goes for a grid, too, that has no sample within the
horizon: "no move" was not seen there (``factors.forward_returns`` has the rule).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.errors import DataError
from alphaseeker.factors.forward_returns import prevailing_row, unresolve_unseen
from alphaseeker.features.block import FeatureBlock
from alphaseeker.training.target import BUY, HOLD, SELL, UNRESOLVED, Target

__all__ = [
    "COARSE",
    "FINE",
    "Outcomes",
    "block_extremes",
    "first_touch",
    "outcomes",
    "triple_barrier",
]

FINE = 64  # rows of a run whose extremes are known
COARSE = 4096  # and of a longer one, for horizons of many ticks


@kernel
def block_extremes(
    price: npt.NDArray[np.float64], size: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the lowest and the highest price of each run of ``size`` rows.

    Both have shape (ceil(n / size),). NaN is passed over; a run of nothing else has inf and -inf,
    which touch no barrier.
    """
    count = (len(price) + size - 1) // size
    low = np.full(count, np.inf)
    high = np.full(count, -np.inf)
    for row in range(len(price)):
        run = row // size
        if price[row] < low[run]:
            low[run] = price[row]
        if price[row] > high[run]:
            high[run] = price[row]
    return low, high


@kernel
def first_touch(
    price: npt.NDArray[np.float64],
    fine_low: npt.NDArray[np.float64],
    fine_high: npt.NDArray[np.float64],
    coarse_low: npt.NDArray[np.float64],
    coarse_high: npt.NDArray[np.float64],
    start: int,
    stop: int,
    lower: float,
    upper: float,
) -> int:
    """Return the first row from ``start`` on at or beyond a barrier, ``stop`` if none is before it.

    Whole runs that stay between the barriers are skipped.

    Parameters
    ----------
    price
        Shape (n,), float64.
    fine_low, fine_high, coarse_low, coarse_high
        From `block_extremes` with ``FINE`` and ``COARSE`` rows.
    start, stop
        First row looked at, and the row after the last one.
    lower, upper
        Barriers, in price units.
    """
    row = start
    while row < stop:
        run = row // COARSE
        if not (coarse_low[run] <= lower or coarse_high[run] >= upper):
            row = (run + 1) * COARSE
            continue
        run = row // FINE
        after = (run + 1) * FINE
        if fine_low[run] <= lower or fine_high[run] >= upper:
            for touched in range(row, min(after, stop)):
                if price[touched] >= upper or price[touched] <= lower:
                    return touched
        row = after
    return stop


@kernel
def triple_barrier(
    timestamp: npt.NDArray[np.int64],
    price: npt.NDArray[np.float64],
    segment: npt.NDArray[np.int64],
    horizon: int,
    take_profit: float,
    stop_loss: float,
    label: npt.NDArray[np.int8],
    end_row: npt.NDArray[np.int64],
) -> None:
    """Write class and end row of every row (Lopez de Prado 2018, chapter 3), by time.

    The first barrier touched decides, HOLD when time runs out; a tick at the very horizon may
    still touch. The end of the horizon is found by a pointer that only moves forward, and the
    first touch by skipping runs of rows that stay between the barriers, so that the cost hardly
    depends on how many ticks a horizon holds.

    Parameters
    ----------
    timestamp, price, segment
        Shape (n,), int64, float64, int64.
    horizon
        Nanoseconds.
    take_profit, stop_loss
        Shares of the price at the row.
    label, end_row
        Shape (n,), int8 and int64, written: class 0, 1, 2 and the row of the touch (or the last
        one within the horizon); both -1 where the segment ends first, and where nothing was seen
        within the horizon on a grid (`unresolve_unseen`).
    """
    rows = len(timestamp)
    fine_low, fine_high = block_extremes(price, FINE)
    coarse_low, coarse_high = block_extremes(price, COARSE)
    segment_stop = 0
    stop = 0
    for row in range(rows):
        if row == segment_stop:
            segment_stop += 1
            while segment_stop < rows and segment[segment_stop] == segment[row]:
                segment_stop += 1
        limit = timestamp[row] + horizon
        stop = max(stop, row + 1)
        while stop < segment_stop and timestamp[stop] <= limit:
            stop += 1
        upper = price[row] * (1.0 + take_profit)
        lower = price[row] * (1.0 - stop_loss)
        touched = first_touch(
            price, fine_low, fine_high, coarse_low, coarse_high, row + 1, stop, lower, upper
        )
        if touched < stop:
            label[row] = BUY if price[touched] >= upper else SELL
            end_row[row] = touched
        elif stop < segment_stop or timestamp[stop - 1] == limit:
            label[row] = HOLD
            end_row[row] = stop - 1
        else:
            end_row[row] = -1
    unresolve_unseen(timestamp, segment, horizon, end_row)
    for row in range(rows):
        if end_row[row] < 0:
            label[row] = UNRESOLVED


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What happened after each row of a block, all of shape (n,).

    Attributes
    ----------
    forward_return
        Log return of the label price from the row to the label's end; NaN where unresolved.
    trade_return
        The same of the mid, which a trade is accounted on.
    end
        int64, nanoseconds: when the label is known; -1 where unresolved.
    barrier
        int8: the class that a triple barrier gives; None for a fixed horizon.
    """

    forward_return: npt.NDArray[np.float64]
    trade_return: npt.NDArray[np.float64]
    end: npt.NDArray[np.int64]
    barrier: npt.NDArray[np.int8] | None


def outcomes(block: FeatureBlock, target: Target) -> Outcomes:
    """Follow every row of ``block`` to the end of its label.

    Raises
    ------
    DataError
        Time stamps fall within a segment, or a price is not positive and finite.
    """
    price = block.mid if target.label_price == "mid" else block.close
    _check_order(block)
    for name, values in (("mid", block.mid), ("close", price)):
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0.0)))
        if len(bad):
            raise DataError(
                f"{name} of {block.symbol!r} is {values[bad[0]]} in source row "
                f"{block.row[bad[0]]}; a label needs a positive finite price: "
                "check the file with `alphaseeker doctor`"
            )
    barrier: npt.NDArray[np.int8] | None = None
    if target.kind == "fixed_horizon":
        end_row = prevailing_row(block.timestamp, block.segment, target.horizon_ns)
    else:
        end_row = np.empty(len(block), dtype=np.int64)
        barrier = np.empty(len(block), dtype=np.int8)
        triple_barrier(
            block.timestamp,
            price,
            block.segment,
            target.horizon_ns,
            target.take_profit,
            target.stop_loss,
            barrier,
            end_row,
        )
    resolved = end_row >= 0
    end = np.where(resolved, block.timestamp + target.horizon_ns, UNRESOLVED)
    if barrier is not None:
        touched = resolved & (barrier != HOLD)
        end[touched] = block.timestamp[end_row[touched]]
    return Outcomes(
        forward_return=np.where(resolved, np.log(price[end_row] / price), np.nan),
        trade_return=np.where(resolved, np.log(block.mid[end_row] / block.mid), np.nan),
        end=end,
        barrier=barrier,
    )


def _check_order(block: FeatureBlock) -> None:
    same = np.diff(block.segment) == 0
    back = np.flatnonzero((np.diff(block.timestamp) < 0) & same)
    if len(back):
        raise DataError(
            f"time stamps of {block.symbol!r} fall from source row {block.row[back[0]]} to row "
            f"{block.row[back[0] + 1]}; within a segment they must rise: pass the rows through "
            "the quality gate first"
        )
