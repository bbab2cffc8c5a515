"""Entries that were proposed under a venue and have not filled: the room that they take.

Until its fills come, an entry is in no position. Its notional is kept aside, so that the entries of
several symbols, each proposed before the others fill, do not break a cap together. It is given back
as fills come, when the symbol is proposed anew, and at the symbol's first quote after
PENDING_ENTRY_S.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.risk.costs import running_sum_step

__all__ = ["expire_step", "fill_pending_step", "pending_elsewhere", "reserve_step"]

# What is left of an order after fills of decimal sizes that add up to all of it.
_RESIDUE = 1e-12


@part
def _set_step(account: npt.NDArray[Any], position: npt.NDArray[Any], notional: float) -> None:
    a = account[0]
    p = position[0]
    a.pending_entries += int(notional != 0.0) - int(p.pending != 0.0)
    if a.pending_entries == 0:
        # Decided by the count: no entry takes exactly no room.
        a.pending = 0.0
        a.pending_error = 0.0
    else:
        a.pending, a.pending_error = running_sum_step(
            a.pending, a.pending_error, notional - p.pending
        )
    p.pending = notional


@kernel
def reserve_step(account: npt.NDArray[Any], position: npt.NDArray[Any]) -> None:
    """Keep the notional of the entry aside that stands in the report, in the place of the last."""
    p = position[0]
    _set_step(account, position, p.report.quantity * p.report.price)
    p.pending_quantity = p.report.quantity
    p.pending_until = account[0].timestamp + account[0].rules.pending_entry_ns


@kernel
def expire_step(account: npt.NDArray[Any], position: npt.NDArray[Any]) -> None:
    """Give back what is kept aside for an entry whose time has passed."""
    p = position[0]
    if p.pending != 0.0 and account[0].timestamp >= p.pending_until:
        _set_step(account, position, 0.0)
        p.pending_quantity = 0.0


@kernel
def fill_pending_step(
    account: npt.NDArray[Any], position: npt.NDArray[Any], quantity: float
) -> None:
    """Give back what a fill of ``quantity`` (its size) has turned into a position."""
    p = position[0]
    if p.pending == 0.0:
        return
    left = p.pending_quantity - quantity
    if left > _RESIDUE * p.pending_quantity:
        _set_step(account, position, p.pending * (left / p.pending_quantity))
        p.pending_quantity = left
    else:
        _set_step(account, position, 0.0)
        p.pending_quantity = 0.0


@kernel
def pending_elsewhere(account: npt.NDArray[Any], position: npt.NDArray[Any]) -> float:
    """Return the notional kept aside for the entries of all other symbols."""
    a = account[0]
    return float((a.pending + a.pending_error) - position[0].pending)
