"""What happens to the account: clock, marks, cash flows and limits, each one step kernel.

The accounting identity: equity = cash flows + realised PnL - fees + funding + unrealised PnL,
where the unrealised part is what leaving every position at its last quote would bring after exit
fees.
Closing at the quote therefore leaves the equity as it was, and a limit is judged on what is left
after the close that it orders.
"""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.risk.costs import exit_price, net_unrealised, running_sum_step, taker_cost_step
from alphaseeker.risk.state import GIVEN_EQUITIES, RETURN_MINUTES, Reason, State

__all__ = [
    "balance_step",
    "clock_step",
    "flow_step",
    "give_step",
    "lift_halt_step",
    "limit_shares",
    "limit_step",
    "mark_step",
    "start_step",
]

_DAY_NS = 86_400 * 10**9
_MINUTE_NS = 60 * 10**9

_ACTIVE = int(State.ACTIVE)
_REDUCING = int(State.REDUCING)
_HALTED = int(State.HALTED)
_MAX_DAILY_LOSS = int(Reason.MAX_DAILY_LOSS)
_MAX_DRAWDOWN = int(Reason.MAX_DRAWDOWN)


@part
def _sample_step(account: npt.NDArray[Any], minute: int) -> None:
    """Close the minutes before ``minute``: the open one has a return, empty ones have none."""
    a = account[0]
    if a.sample_equity > 0.0:
        a.returns[a.samples % RETURN_MINUTES] = a.equity / a.sample_equity - 1.0
    else:
        a.returns[a.samples % RETURN_MINUTES] = 0.0
    a.samples += 1
    for _ in range(min(minute - a.minute - 1, RETURN_MINUTES)):
        a.returns[a.samples % RETURN_MINUTES] = 0.0
        a.samples += 1
    a.sample_equity = a.equity
    a.minute = minute
    a.orders = 0


@kernel
def clock_step(account: npt.NDArray[Any], timestamp: int) -> None:
    """Move the account's time forward, never back; begin a new UTC day and a new minute.

    The day starts with the equity of the last mark before midnight: a gap over midnight is the
    new day's, so that no loss falls between two days.
    """
    a = account[0]
    if timestamp <= a.timestamp:
        return
    a.timestamp = timestamp
    if a.cooldown_until > 0 and timestamp >= a.cooldown_until:
        a.cooldown_until = 0
        a.consecutive_losses = 0
    if a.started == 0:
        return
    minute = timestamp // _MINUTE_NS
    if minute > a.minute:
        _sample_step(account, minute)
    day = timestamp // _DAY_NS
    if day > a.day:
        a.day = day
        a.day_start_equity = a.equity
        a.day_base = a.equity
        if a.state == _REDUCING:
            a.state = _ACTIVE
            a.halt_reason = 0


@part
def _total_step(account: npt.NDArray[Any], unrealised: float, notional: float) -> None:
    """Change the totals over all positions, and with them the equity and its peak."""
    a = account[0]
    if a.open_positions == 0:
        # Decided by the count: a flat account holds exactly nothing.
        a.unrealised = 0.0
        a.unrealised_error = 0.0
        a.notional = 0.0
        a.notional_error = 0.0
    else:
        a.unrealised, a.unrealised_error = running_sum_step(
            a.unrealised, a.unrealised_error, unrealised
        )
        a.notional, a.notional_error = running_sum_step(a.notional, a.notional_error, notional)
    a.equity = a.balance + (a.unrealised + a.unrealised_error)
    if a.equity > a.peak_equity:
        a.peak_equity = a.equity


@kernel
def mark_step(account: npt.NDArray[Any], position: npt.NDArray[Any]) -> None:
    """Value a position at the last quote's exit side, and the account with it."""
    p = position[0]
    unrealised = 0.0
    notional = 0.0
    if p.quantity != 0.0:
        price = exit_price(p.quantity, p.bid_price, p.ask_price)
        cost = taker_cost_step(account, position)
        unrealised = net_unrealised(p.quantity, p.entry_price, price, cost)
        notional = abs(p.quantity) * price
    more_unrealised = unrealised - p.unrealised
    more_notional = notional - p.notional
    p.unrealised = unrealised
    p.notional = notional
    _total_step(account, more_unrealised, more_notional)


@kernel
def start_step(account: npt.NDArray[Any], equity: float) -> None:
    """Begin with an ``equity``: first day, first peak, first sample."""
    a = account[0]
    a.started = 1
    a.balance = equity - (a.unrealised + a.unrealised_error)
    a.equity = equity
    a.reported_balance = equity
    a.givens = 0
    a.day = a.timestamp // _DAY_NS
    a.minute = a.timestamp // _MINUTE_NS
    a.day_start_equity = equity
    a.day_base = equity
    a.peak_equity = equity
    a.sample_equity = equity


@kernel
def flow_step(account: npt.NDArray[Any], amount: float) -> None:
    """Take a deposit or withdrawal: it moves the equity and is neither profit nor loss.

    The day's start shifts by the amount, so the daily PnL in money stands. The bases of the two
    limits scale with the equity, as units of a fund do: a deposit does not dilute a loss that
    was made, a withdrawal does not magnify it.
    """
    a = account[0]
    before = a.equity
    a.balance += amount
    a.equity = a.balance + (a.unrealised + a.unrealised_error)
    a.cash_flow += amount
    a.cash_flows += 1
    a.givens = 0
    a.day_start_equity += amount
    if before > 0.0 and a.equity > 0.0:
        scale = a.equity / before
        a.day_base *= scale
        a.peak_equity *= scale
        a.sample_equity *= scale
    else:
        # Without an equity there is no scale; keep the loss in money.
        a.day_base += amount
        a.peak_equity += amount
        a.sample_equity = a.equity


@kernel
def give_step(account: npt.NDArray[Any]) -> None:
    """Remember the equity as one that was given out: handed back later, it is no news."""
    a = account[0]
    if a.givens > 0 and a.given[(a.givens - 1) % GIVEN_EQUITIES] == a.equity:
        return
    a.given[a.givens % GIVEN_EQUITIES] = a.equity
    a.givens += 1


@part
def _was_given(account: npt.NDArray[Any], balance: float) -> bool:
    a = account[0]
    found = False
    for index in range(min(a.givens, GIVEN_EQUITIES)):
        found = found or a.given[index] == balance
    return found


@kernel
def balance_step(account: npt.NDArray[Any], balance: float, own_equity: float) -> float:
    """Compare a reported ``balance`` with the account and return the cash flow it reveals.

    A balance that repeats the last report, ``own_equity``, or one of the last equities that the
    account itself gave out, is no news: marks and fills have moved the equity since. A figure from
    before the last cash flow is.
    """
    a = account[0]
    if balance == a.reported_balance:
        return 0.0
    a.reported_balance = balance
    if balance == own_equity or _was_given(account, balance):
        return 0.0
    amount = balance - a.equity
    if amount != 0.0:
        flow_step(account, amount)
    return float(amount)


@kernel
def limit_shares(account: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the day's loss and the drawdown as shares; NaN where a base is not positive."""
    a = account[0]
    loss = 1.0 - a.equity / a.day_base if a.day_base > 0.0 else math.nan
    drawdown = 1.0 - a.equity / a.peak_equity if a.peak_equity > 0.0 else math.nan
    return loss, drawdown


@kernel
def limit_step(account: npt.NDArray[Any]) -> bool:
    """Judge both limits; return whether one was touched that had not been before.

    A limit is touched at equality. Written so that NaN, and a base that is not positive, fail
    closed. A touched limit stays: the daily one until the next UTC day, the drawdown until the
    halt is lifted.
    """
    a = account[0]
    loss, drawdown = limit_shares(account)
    before = a.state
    if not (loss < a.rules.max_daily_loss) and a.state == _ACTIVE:
        a.state = _REDUCING
        a.halt_reason = _MAX_DAILY_LOSS
    if not (drawdown < a.rules.max_drawdown) and a.state != _HALTED:
        a.state = _HALTED
        a.halt_reason = _MAX_DRAWDOWN
    return bool(a.state != before)


@kernel
def lift_halt_step(account: npt.NDArray[Any]) -> None:
    """End a drawdown halt: the peak starts anew from the present equity; the day's loss stands."""
    a = account[0]
    a.state = _ACTIVE
    a.halt_reason = 0
    a.peak_equity = a.equity
    limit_step(account)
