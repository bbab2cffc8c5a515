"""Funding of perpetual contracts: longs pay shorts at fixed times of the day."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["funding_step", "next_funding"]


@kernel
def next_funding(timestamp: int, interval_ns: int) -> int:
    """Return the first funding time after ``timestamp``, ns: a UTC multiple of the interval."""
    return (timestamp // interval_ns + 1) * interval_ns


@kernel
def funding_step(account: npt.NDArray[Any], position: npt.NDArray[Any]) -> None:
    """Pay or receive the funding that fell due up to the account's time.

    Notes
    -----
    Valued at the last mid and rate that were known before the funding time: what comes with the
    quote after it belongs to the next one. It is cash: the balance, the account's total ``funding``
    and the result of the open trade have it, ``realised_pnl`` does not. After a gap over several
    funding times, each of them counts.
    """
    a = account[0]
    p = position[0]
    if p.quantity == 0.0 or a.timestamp < p.next_funding:
        return
    interval = a.rules.funding_interval_ns
    times = (a.timestamp - p.next_funding) // interval + 1
    p.next_funding = next_funding(a.timestamp, interval)
    # Before the first quote, no rate was seen.
    rate = p.funding_rate if p.quotes > 0 else a.rules.funding_rate
    amount = -p.quantity * (0.5 * (p.bid_price + p.ask_price)) * rate * times
    a.balance += amount
    a.funding += amount
    p.funding += amount
    p.trade_pnl += amount
    a.equity = a.balance + (a.unrealised + a.unrealised_error)
    if a.equity > a.peak_equity:
        a.peak_equity = a.equity
