"""Profit and cost arithmetic: scalar kernels, and which fee a symbol pays."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["exit_price", "net_unrealised", "round_trip_cost", "running_sum_step", "taker_cost_step"]


@kernel
def exit_price(size: float, bid_price: float, ask_price: float) -> float:
    """Return the price at which a position of ``size`` (signed) could be left at once."""
    return bid_price if size > 0.0 else ask_price


@kernel
def net_unrealised(size: float, entry_price: float, price: float, taker_cost: float) -> float:
    """Return the profit that leaving at ``price`` would bring, the exit fee deducted.

    The entry fee is not in it: it was paid when the position was entered.
    """
    return size * (price - entry_price) - abs(size) * price * taker_cost


@kernel
def round_trip_cost(bid_price: float, ask_price: float, taker_cost: float) -> float:
    """Return what entering and leaving at once costs: spread and two fees, as share of the mid."""
    mid = 0.5 * (bid_price + ask_price)
    return (ask_price - bid_price) / mid + 2.0 * taker_cost


@kernel
def running_sum_step(total: float, error: float, change: float) -> tuple[float, float]:
    """Add ``change`` to a total that is kept as ``total + error``.

    Two-sum (Knuth 1969): the rounding error of each addition is exact and carried along, so that
    a total over many symbols, updated by differences for days, stays right to the last digits.
    """
    summed = total + change
    virtual = summed - total
    return summed, error + ((total - (summed - virtual)) + (change - virtual))


@kernel
def taker_cost_step(account: npt.NDArray[Any], position: npt.NDArray[Any]) -> float:
    """Return the taker fee of the symbol as a share of the notional: its own or the account's."""
    rules = position[0].rules
    return float(rules.taker_cost if rules.own == 1 else account[0].rules.taker_cost)
