"""What happens to a position: fills, stop and target, undoing paper, the venue's word."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.risk.account import give_step, mark_step
from alphaseeker.risk.costs import exit_price
from alphaseeker.risk.funding import funding_step, next_funding
from alphaseeker.risk.pending import fill_pending_step
from alphaseeker.risk.sizing import stop_distance_step, target_distance_step
from alphaseeker.risk.volatility import sigma_step

__all__ = ["discard_step", "fill_step", "missed_loss_step", "position_set_step", "trail_step"]

# What is left of a position after fills of decimal sizes that add up to nothing.
_RESIDUE = 1e-12


@kernel
def trail_step(account: npt.NDArray[Any], position: npt.NDArray[Any]) -> None:
    """Take the last quote into the best exit price, and pull the stop after it; it never loosens.

    The best price is kept without a trailing stop too, for one that is switched on later.
    """
    p = position[0]
    trailing = account[0].rules.trailing_stop
    price = exit_price(p.quantity, p.bid_price, p.ask_price)
    if p.quantity > 0.0:
        p.best_price = max(p.best_price, price)
        if trailing > 0.0:
            p.stop_loss = max(p.stop_loss, p.best_price * (1.0 - trailing))
    elif p.quantity < 0.0:
        p.best_price = min(p.best_price, price)
        if trailing > 0.0:
            p.stop_loss = min(p.stop_loss, p.best_price * (1.0 + trailing))


@part
def _protect_step(account: npt.NDArray[Any], position: npt.NDArray[Any], fresh: bool) -> None:
    """Set stop and target from the average entry; a fresh position takes a new distance."""
    p = position[0]
    if fresh:
        sigma = sigma_step(position, account[0].rules.half_life_s)
        p.stop_distance = stop_distance_step(account, position, sigma)
    side = 1.0 if p.quantity > 0.0 else -1.0
    p.stop_loss = p.entry_price * (1.0 - side * p.stop_distance)
    target = target_distance_step(account, p.stop_distance)
    p.take_profit = p.entry_price * (1.0 + side * target)
    trail_step(account, position)


@part
def _begin_step(
    account: npt.NDArray[Any], position: npt.NDArray[Any], quantity: float, price: float
) -> None:
    """Begin a position that was flat, at an entry ``price``."""
    a = account[0]
    p = position[0]
    p.quantity = quantity
    p.largest = abs(quantity)
    p.entry_price = price
    p.opened = a.timestamp
    p.next_funding = next_funding(a.timestamp, a.rules.funding_interval_ns)
    p.best_price = exit_price(quantity, p.bid_price, p.ask_price)


@part
def _count_trade(account: npt.NDArray[Any], result: float) -> None:
    """Count a closed trade; too many losses in a row begin a cooldown, and each further one anew.

    Fails closed: a result that is NaN is a loss.
    """
    a = account[0]
    a.trades += 1
    if result > 0.0:
        a.wins += 1
    if result >= 0.0:
        a.consecutive_losses = 0
        return
    a.consecutive_losses += 1
    if 0 < a.rules.max_consecutive_losses <= a.consecutive_losses:
        a.cooldown_until = a.timestamp + a.rules.cooldown_ns


@part
def _flatten(position: npt.NDArray[Any]) -> None:
    p = position[0]
    p.quantity = 0.0
    p.largest = 0.0
    p.entry_price = 0.0
    p.entry_fees = 0.0
    p.stop_loss = 0.0
    p.take_profit = 0.0
    p.stop_distance = 0.0
    p.best_price = 0.0
    p.opened = 0
    p.next_funding = 0
    p.funding = 0.0
    p.paper = 0
    p.leaving = 0
    p.trade_pnl = 0.0


@kernel
def fill_step(
    account: npt.NDArray[Any], position: npt.NDArray[Any], quantity: float, price: float, fee: float
) -> float:
    """Apply a fill and return the PnL it realised, its fee deducted.

    Parameters
    ----------
    account, position
        Shape (1,), dtypes ``ACCOUNT`` and ``POSITION``.
    quantity
        Signed: positive bought, negative sold. More than the position flips it.
    price
        Of the fill.
    fee
        Money; negative is a rebate.
    """
    a = account[0]
    p = position[0]
    funding_step(account, position)
    before = p.quantity
    size = before + quantity
    p.largest = max(p.largest, abs(before), abs(quantity))
    if abs(size) <= _RESIDUE * p.largest:
        size = 0.0
    adds = before == 0.0 or (before > 0.0) == (quantity > 0.0)
    flips = (not adds) and size != 0.0 and (size > 0.0) != (before > 0.0)
    closed = 0.0  # signed as the position was
    if not adds:
        closed = before if (flips or size == 0.0) else -quantity
    # The part of a flip's fee that belongs to the new position.
    entry_fee = fee if adds else (fee * abs(size / quantity) if flips else 0.0)
    realised = closed * (price - p.entry_price) - fee
    a.balance += realised
    a.realised_pnl += realised
    a.fees += fee
    p.realised_pnl += realised
    p.trade_pnl += realised + (entry_fee if flips else 0.0)
    if before != 0.0 and (size == 0.0 or flips):
        _count_trade(account, p.trade_pnl)
        _flatten(position)
    elif not adds:
        p.entry_fees *= size / before
    if before == 0.0:
        a.open_positions += 1
    if size == 0.0 and before != 0.0:
        a.open_positions -= 1
    if p.quotes == 0:
        # No quote was seen yet: the fill is the only price there is.
        p.bid_price = price
        p.ask_price = price
    if adds or flips:
        fill_pending_step(account, position, abs(quantity) if adds else abs(size))
        fresh = flips or before == 0.0
        if fresh:
            _begin_step(account, position, size, price)
        else:
            p.entry_price += (price - p.entry_price) * (quantity / size)
            p.quantity = size
        p.entry_fees += entry_fee
        if flips:
            p.trade_pnl = -entry_fee
        _protect_step(account, position, fresh)
    else:
        p.quantity = size
    mark_step(account, position)
    give_step(account)
    return float(realised)


@kernel
def discard_step(account: npt.NDArray[Any], position: npt.NDArray[Any]) -> None:
    """Undo a paper position: its fees and funding come back, and it was never there."""
    a = account[0]
    p = position[0]
    if p.quantity == 0.0 or p.paper == 0:
        return
    a.balance += p.entry_fees - p.funding
    a.funding -= p.funding
    a.realised_pnl += p.entry_fees
    a.fees -= p.entry_fees
    p.realised_pnl += p.entry_fees
    a.open_positions -= 1
    _flatten(position)
    mark_step(account, position)


@kernel
def position_set_step(
    account: npt.NDArray[Any], position: npt.NDArray[Any], quantity: float, entry_price: float
) -> None:
    """Set a position to what the venue says; stop and target follow the entry.

    The equity stays as it was: what the difference is worth, the venue's equity tells.
    """
    a = account[0]
    p = position[0]
    equity = a.equity
    peak = a.peak_equity
    if p.quantity != 0.0:
        a.open_positions -= 1
    _flatten(position)
    if quantity != 0.0:
        a.open_positions += 1
        if p.quotes == 0:
            p.bid_price = entry_price
            p.ask_price = entry_price
        _begin_step(account, position, quantity, entry_price)
        _protect_step(account, position, True)
    mark_step(account, position)
    a.balance += equity - a.equity
    a.equity = equity
    a.peak_equity = peak


@kernel
def missed_loss_step(account: npt.NDArray[Any], amount: float) -> None:
    """Book a loss (``amount`` below 0) that fills which were never seen have made."""
    a = account[0]
    a.balance += amount
    a.realised_pnl += amount
    a.equity += amount
