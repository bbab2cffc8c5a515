"""From the log of fills to trades: from flat to flat, one line each.

What a trade earned is told apart: ``gross_pnl`` is that of its fills' prices, ``fees`` and
``funding`` go from it, ``net_pnl`` is left. ``spread_cost`` stands within ``gross_pnl``: what
filling at other prices than the mid has cost, half the spread and the depth walked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["TRADE", "held_over_gaps", "trades_of"]

TRADE = np.dtype(
    [
        ("symbol", np.int64),
        ("side", np.int64),
        ("quantity", np.float64),
        ("entry_decided", np.int64),
        ("entry_time", np.int64),
        ("entry_price", np.float64),
        ("exit_decided", np.int64),
        ("exit_time", np.int64),
        ("exit_price", np.float64),
        ("gross_pnl", np.float64),
        ("fees", np.float64),
        ("funding", np.float64),
        ("net_pnl", np.float64),
        ("spread_cost", np.float64),
        ("turnover", np.float64),
        ("entry_reason", np.int64),
        ("exit_reason", np.int64),
        ("exits", np.int64),
        ("closed", np.float64),  # size that was left, while the trade is built
    ]
)


@kernel
def _build(fills: npt.NDArray[Any], opened: npt.NDArray[Any], trades: npt.NDArray[Any]) -> int:
    """Write the trades and return how many; ``opened`` has one blank record a symbol."""
    count = 0
    for i in range(len(fills)):
        fill = fills[i]
        trade = opened[fill.symbol]
        size = abs(fill.quantity)
        notional = size * fill.price
        spread = fill.quantity * (fill.price - fill.mid)
        if trade.quantity == 0.0:
            trade.symbol = fill.symbol
            trade.side = 1 if fill.quantity > 0.0 else -1
            trade.quantity = size
            trade.entry_decided = fill.decided
            trade.entry_time = fill.timestamp
            trade.entry_price = fill.price
            trade.entry_reason = fill.reason
            trade.exit_price = 0.0
            trade.gross_pnl = 0.0
            trade.fees = fill.fee
            trade.spread_cost = spread
            trade.turnover = notional
            trade.exits = 0
            trade.closed = 0.0
            continue
        trade.exit_decided = fill.decided
        trade.exit_time = fill.timestamp
        trade.exit_reason = fill.reason
        trade.closed += size
        trade.exit_price += (fill.price - trade.exit_price) * (size / trade.closed)
        trade.gross_pnl += trade.side * size * (fill.price - trade.entry_price)
        trade.fees += fill.fee
        trade.spread_cost += spread
        trade.turnover += notional
        trade.exits += 1
        if fill.position == 0.0:
            trade.funding = fill.funding
            trade.net_pnl = trade.gross_pnl - trade.fees - trade.funding
            trades[count] = trade
            count += 1
            trade.quantity = 0.0
    return count


def held_over_gaps(
    trades: npt.NDArray[Any], moments: Sequence[npt.NDArray[np.int64]], longest_gap: int
) -> npt.NDArray[np.bool_]:
    """Return which trades were held while the data broke off: no stop could be seen touched.

    Parameters
    ----------
    trades
        Shape (n,), dtype ``TRADE``.
    moments
        By symbol, never falling: when its rows are known, ns.
    longest_gap
        A longer time between two rows is a gap, ns.
    """
    held = np.zeros(len(trades), dtype=np.bool_)
    for number, known in enumerate(moments):
        own = trades["symbol"] == number
        starts = known[:-1][np.diff(known) > longest_gap]
        # A trade holds over a gap where one begins between its entry and its exit.
        first = np.searchsorted(starts, trades["entry_time"][own], side="left")
        last = np.searchsorted(starts, trades["exit_time"][own], side="left")
        held[own] = last > first
    return held


def trades_of(fills: npt.NDArray[Any], symbols: int) -> npt.NDArray[Any]:
    """Return the trades, dtype ``TRADE``, in the order in which they ended.

    Parameters
    ----------
    fills
        Shape (m,), dtype ``state.FILL``, in time order; every position ends flat.
    symbols
        How many there are.
    """
    trades = np.zeros(len(fills) // 2 + 1, dtype=TRADE)
    count = _build(fills, np.zeros(symbols, dtype=TRADE), trades)
    return trades[:count]
