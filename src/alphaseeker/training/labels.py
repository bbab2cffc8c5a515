"""Labels by time: what the price did over the horizon, and which barrier it touched first.

Nothing crosses a segment. A label that the data does not resolve is NaN (class -1) and is dropped,
never truncated to the last price there is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.errors import DataError
from alphaseeker.factors.forward_returns import prevailing_row
from alphaseeker.features.block import FeatureBlock
from alphaseeker.training.target import HOLD, UNRESOLVED, Target

__all__ = ["Outcomes", "outcomes", "triple_barrier", "triple_barrier_step"]


@kernel
def triple_barrier_step(
    timestamp: npt.NDArray[np.int64],
    price: npt.NDArray[np.float64],
    segment: npt.NDArray[np.int64],
    row: int,
    horizon: int,
    take_profit: float,
    stop_loss: float,
) -> tuple[int, int]:
    """Return (class, end row) of one row: the first barrier touched, HOLD when time runs out.

    The class is -1 where the segment ends before any of the three. The scan ends at the horizon.
    A tick at the very horizon may still touch a barrier.
    """
    last = row
    upper = price[row] * (1.0 + take_profit)
    lower = price[row] * (1.0 - stop_loss)
    limit = timestamp[row] + horizon
    for j in range(row + 1, len(timestamp)):
        if segment[j] != segment[row]:
            break
        if timestamp[j] > limit:
            return 1, last
        if price[j] >= upper:
            return 2, j
        if price[j] <= lower:
            return 0, j
        last = j
    if timestamp[last] == limit:
        return 1, last
    return -1, -1


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
        one within the horizon); both -1 where unresolved.
    """
    for i in range(len(timestamp)):
        side, end = triple_barrier_step(
            timestamp, price, segment, i, horizon, take_profit, stop_loss
        )
        label[i] = side
        end_row[i] = end


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
