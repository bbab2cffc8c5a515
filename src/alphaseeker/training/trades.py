"""What decisions would have earned: non-overlapping trades at the quote, after costs.

A decision enters at the quote and leaves when its label ends. The gross return is that of the mid;
from it goes the quoted spread at entry once, which is the half spread on the way in and the same
half on the way out, and the transaction cost on both sides. Nothing else is charged, so no half
spread counts twice. A proper account with fills is the backtest's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.training.dataset import Rows

__all__ = ["Trades", "non_overlapping", "simulate_trades"]


@kernel
def non_overlapping(
    timestamp: npt.NDArray[np.int64],
    segment: npt.NDArray[np.int64],
    label_end: npt.NDArray[np.int64],
    side: npt.NDArray[np.int8],
    taken: npt.NDArray[np.bool_],
) -> None:
    """Mark the decisions that find no trade open: after one, none until its label has ended.

    Parameters
    ----------
    timestamp, segment, label_end
        Shape (n,), int64, in time order within a segment.
    side
        Shape (n,), int8: +1, -1, or 0 for no decision.
    taken
        Shape (n,), bool, written.
    """
    free_at = np.int64(0)
    for i in range(len(timestamp)):
        if i == 0 or segment[i] != segment[i - 1]:
            free_at = timestamp[i]
        taken[i] = side[i] != 0 and timestamp[i] >= free_at
        if taken[i]:
            free_at = label_end[i]


@dataclass(frozen=True, kw_only=True)
class Trades:
    """Trades taken, each of shape (t,); returns are shares of the mid at entry.

    Attributes
    ----------
    row
        int64: row of the entry.
    gross
        float64: return of the mid in the direction of the trade, less the quoted spread.
    net
        float64: ``gross`` less the transaction cost on both sides.
    """

    row: npt.NDArray[np.int64]
    gross: npt.NDArray[np.float64]
    net: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.row)


def simulate_trades(rows: Rows, side: npt.NDArray[np.int8], *, transaction_cost: float) -> Trades:
    """Take the non-overlapping ones of the decisions ``side`` (+1, 0, -1), and account for them.

    Parameters
    ----------
    rows
        Resolved rows, in order.
    transaction_cost
        A side, as a share of the price.
    """
    taken = np.empty(len(rows), dtype=np.bool_)
    non_overlapping(rows.timestamp, rows.segment, rows.label_end, side, taken)
    row = np.flatnonzero(taken)
    gross = side[row] * np.expm1(rows.trade_return[row]) - rows.spread[row]
    return Trades(row=row, gross=gross, net=gross - 2.0 * transaction_cost)
