"""The risk state machine: one quote and one signal in, one decision out.

``decide_step`` judges and decides, ``act_step`` fills what was decided (on paper) and writes the
report; ``risk_step`` is both, for jitted loops. The live manager calls the two, because a rule
written in Python may stand between them and refuse.

Order of a step: clock, mark, cash flow, limits; then exits; then entries. A limit or an exit
never waits for a signal.
"""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.risk.account import (
    balance_step,
    clock_step,
    limit_shares,
    limit_step,
    mark_step,
    start_step,
)
from alphaseeker.risk.costs import exit_price
from alphaseeker.risk.fills import fill_step
from alphaseeker.risk.ordering import order_step
from alphaseeker.risk.sizing import size_step, stop_distance_step, target_distance_step
from alphaseeker.risk.state import TOO_LARGE, Action, Intent, Reason, Refusal, State
from alphaseeker.risk.volatility import sigma_step, volatility_step

__all__ = ["act_step", "decide_step", "refuse_step", "risk_step"]

_ACTIVE = int(State.ACTIVE)
_CLOSE_SHORT, _SELL, _HOLD, _BUY, _CLOSE_LONG = (int(intent) for intent in Intent)
_MONITOR, _OPEN, _CLOSE, _REJECT, _HALT = (int(action) for action in Action)

_NO_SIGNAL = int(Reason.NO_SIGNAL)
_IN_POSITION = int(Reason.IN_POSITION)
_NOTHING_TO_CLOSE = int(Reason.NOTHING_TO_CLOSE)
_EMPTY_SIDE = int(Reason.EMPTY_SIDE)
_CROSSED_BOOK = int(Reason.CROSSED_BOOK)
_LOCKED_BOOK = int(Reason.LOCKED_BOOK)
_OUT_OF_ORDER = int(Reason.OUT_OF_ORDER)
_STOP_LOSS = int(Reason.STOP_LOSS)
_TAKE_PROFIT = int(Reason.TAKE_PROFIT)
_OPPOSITE_SIGNAL = int(Reason.OPPOSITE_SIGNAL)
_COST_BREAKS_LIMIT = int(Reason.COST_BREAKS_LIMIT)
_REFUSED_BY_RULE = int(Reason.REFUSED_BY_RULE)
_STOP_INSIDE_SPREAD = int(Reason.STOP_INSIDE_SPREAD)

_BAD_TIMESTAMP = int(Refusal.BAD_TIMESTAMP)
_BAD_BID_PRICE = int(Refusal.BAD_BID_PRICE)
_BAD_ASK_PRICE = int(Refusal.BAD_ASK_PRICE)
_BAD_VOLUME = int(Refusal.BAD_VOLUME)
_BAD_BALANCE = int(Refusal.BAD_BALANCE)
_BAD_INTENT = int(Refusal.BAD_INTENT)
_BAD_STRENGTH = int(Refusal.BAD_STRENGTH)


@part
def _refusal(
    timestamp: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    balance: float,
    intent: int,
    strength: float,
) -> int:
    """Return the code of the first input that cannot be used, 0 where all can."""
    if not timestamp > 0:
        return _BAD_TIMESTAMP
    if bid_volume < 0.0 or ask_volume < 0.0:
        return _BAD_VOLUME
    # The price of an empty side means nothing: it may be zero or missing.
    if bid_volume != 0.0 and not (0.0 < bid_price < TOO_LARGE):
        return _BAD_BID_PRICE
    if ask_volume != 0.0 and not (0.0 < ask_price < TOO_LARGE):
        return _BAD_ASK_PRICE
    if not (-TOO_LARGE < balance < TOO_LARGE):
        return _BAD_BALANCE
    if not (_CLOSE_SHORT <= intent <= _CLOSE_LONG):
        return _BAD_INTENT
    if not (0.0 <= strength <= 1.0):
        return _BAD_STRENGTH
    return 0


@part
def _book_step(
    position: npt.NDArray[Any],
    timestamp: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
) -> int:
    """Return why nothing may be filled on this quote, 0 where it may; judge its order in time."""
    if bid_volume == 0.0 or ask_volume == 0.0:
        return _EMPTY_SIDE
    if bid_price > ask_price:
        return _CROSSED_BOOK
    return 0 if order_step(position, timestamp) else _OUT_OF_ORDER


@part
def _propose(
    account: npt.NDArray[Any], position: npt.NDArray[Any], side: int, strength: float
) -> tuple[int, int]:
    """Write an entry into the report; return its action and reason."""
    a = account[0]
    p = position[0]
    report = p.report
    if p.bid_price == p.ask_price:
        return _REJECT, _LOCKED_BOOK
    price = p.ask_price if side > 0 else p.bid_price
    leave = p.bid_price if side > 0 else p.ask_price
    sigma = sigma_step(position, a.rules.half_life_s)
    distance = stop_distance_step(account, sigma, p.bid_price, p.ask_price)
    stop = price * (1.0 - side * distance)
    if not (side * (leave - stop) > 0.0):
        return _REJECT, _STOP_INSIDE_SPREAD
    size, reason = size_step(account, price, side, distance, strength)
    if not (size > 0.0):
        return _REJECT, reason
    # Spread and fees are lost at once: an entry that they alone carry to a limit is not made.
    after = a.equity - size * (abs(price - leave) + a.rules.taker_cost * (price + leave))
    within_day = after > a.day_base * (1.0 - a.rules.max_daily_loss)
    within_drawdown = after > a.peak_equity * (1.0 - a.rules.max_drawdown)
    if not (within_day and within_drawdown):
        return _REJECT, _COST_BREAKS_LIMIT
    report.side = side
    report.quantity = size
    report.price = price
    report.entry_price = price
    report.stop_distance = distance
    report.stop_loss = stop
    report.take_profit = price * (1.0 + side * target_distance_step(account, distance))
    return _OPEN, reason


@part
def _exit_reason(position: npt.NDArray[Any], intent: int) -> int:
    """Return why the open position must be left at this quote, 0 where it need not."""
    p = position[0]
    price = exit_price(p.quantity, p.bid_price, p.ask_price)
    if p.quantity > 0.0:
        if not (price > p.stop_loss):
            return _STOP_LOSS
        if price >= p.take_profit:
            return _TAKE_PROFIT
        return _OPPOSITE_SIGNAL if intent in (_SELL, _CLOSE_LONG) else 0
    if not (price < p.stop_loss):
        return _STOP_LOSS
    if price <= p.take_profit:
        return _TAKE_PROFIT
    return _OPPOSITE_SIGNAL if intent in (_BUY, _CLOSE_SHORT) else 0


@part
def _describe(position: npt.NDArray[Any]) -> None:
    """Write the position that is held into the report."""
    p = position[0]
    report = p.report
    report.side = 1 if p.quantity > 0.0 else (-1 if p.quantity < 0.0 else 0)
    report.quantity = abs(p.quantity)
    report.price = 0.0
    report.entry_price = p.entry_price
    report.stop_loss = p.stop_loss
    report.take_profit = p.take_profit
    report.stop_distance = p.stop_distance


@part
def _judge(
    account: npt.NDArray[Any],
    position: npt.NDArray[Any],
    intent: int,
    strength: float,
    touched: bool,
) -> tuple[int, int]:
    """Return action and reason on a quote that can be traded on."""
    a = account[0]
    p = position[0]
    entry = intent in (_BUY, _SELL)
    if a.state != _ACTIVE:
        if p.quantity != 0.0:
            p.report.price = exit_price(p.quantity, p.bid_price, p.ask_price)
            return _HALT, a.halt_reason
        if touched:
            return _HALT, a.halt_reason
        return _REJECT if entry else _MONITOR, a.halt_reason
    if p.quantity != 0.0:
        reason = _exit_reason(position, intent)
        if reason != 0:
            p.report.price = exit_price(p.quantity, p.bid_price, p.ask_price)
            return _CLOSE, reason
        return _MONITOR, _IN_POSITION
    if entry:
        return _propose(account, position, intent, strength)
    return _MONITOR, _NO_SIGNAL if intent == _HOLD else _NOTHING_TO_CLOSE


@kernel
def decide_step(
    account: npt.NDArray[Any],
    position: npt.NDArray[Any],
    timestamp: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    balance: float,
    intent: int,
    strength: float,
) -> int:
    """Take one quote and one signal; return the ``Action``, or a ``Refusal`` (below zero).

    Parameters
    ----------
    account, position
        Shape (1,), dtypes ``ACCOUNT`` and ``POSITION``. The decision stands in the position's
        ``report``. After a refusal every byte of both is as it was.
    timestamp
        Nanoseconds UTC, above 0.
    bid_price, ask_price
        Above 0 and finite, except on an empty side.
    bid_volume, ask_volume
        0 says that the side is empty; NaN that the volume is not known.
    balance
        Equity as the venue reports it; a gap may have carried it below 0. A caller without a
        venue passes the account's own ``equity``.
    intent
        ``Intent``.
    strength
        Signal strength in [0, 1].
    """
    code = _refusal(
        timestamp, bid_price, ask_price, bid_volume, ask_volume, balance, intent, strength
    )
    if code < 0:
        return code
    a = account[0]
    p = position[0]
    own_equity = a.equity
    clock_step(account, timestamp)
    book = _book_step(position, timestamp, bid_price, ask_price, bid_volume, ask_volume)
    if book == 0:
        volatility_step(position, timestamp, bid_price, ask_price, a.rules.half_life_s)
        mark_step(account, position)
    p.report.cash_flow = 0.0
    if a.started == 0:
        start_step(account, balance)
    else:
        p.report.cash_flow = balance_step(account, balance, own_equity)
    p.report.late_quotes = p.late_quotes
    touched = limit_step(account)
    _describe(position)
    if book == 0:
        action, reason = _judge(account, position, intent, strength, touched)
    elif touched:
        action, reason = _HALT, a.halt_reason
    else:
        action, reason = _MONITOR, book
    p.report.action = action
    p.report.reason = reason
    return int(action)


@kernel
def refuse_step(position: npt.NDArray[Any]) -> None:
    """Turn a proposed entry that has not been filled yet into a rejected signal."""
    report = position[0].report
    _describe(position)
    report.action = _REJECT
    report.reason = _REFUSED_BY_RULE


@kernel
def act_step(account: npt.NDArray[Any], position: npt.NDArray[Any]) -> None:
    """Carry out the decision that stands in the position's report, and complete the report.

    On paper, an entry or exit fills at the quote with the taker fee. Under a venue nothing
    fills here: the report says what to do until the venue's fills change the position.
    """
    a = account[0]
    p = position[0]
    report = p.report
    # An untrusted book leaves the price at 0: a halt on it has nothing to fill at.
    if a.venue == 0 and report.price > 0.0:
        fee = report.quantity * report.price * a.rules.taker_cost
        if report.action == _OPEN:
            fill_step(account, position, report.side * report.quantity, report.price, fee)
            p.paper = 1
        elif report.action == _CLOSE or report.action == _HALT:
            fill_step(account, position, -p.quantity, report.price, fee)
    a.decisions[report.action] += 1
    loss, drawdown = limit_shares(account)
    report.state = a.state
    report.equity = a.equity
    report.daily_pnl = a.equity - a.day_start_equity
    # Without a positive base there is nothing left to lose: all of it is lost.
    report.daily_loss = 1.0 if math.isnan(loss) else max(loss, 0.0)
    report.drawdown = 1.0 if math.isnan(drawdown) else drawdown
    report.exposure = 0.0
    if a.equity > 0.0:
        report.exposure = (a.notional + a.notional_error) / a.equity
    report.samples = a.samples


@kernel
def risk_step(
    account: npt.NDArray[Any],
    position: npt.NDArray[Any],
    timestamp: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    balance: float,
    intent: int,
    strength: float,
) -> int:
    """Decide and act: the whole machine for one quote of one symbol. See ``decide_step``."""
    action = decide_step(
        account,
        position,
        timestamp,
        bid_price,
        ask_price,
        bid_volume,
        ask_volume,
        balance,
        intent,
        strength,
    )
    if action >= 0:
        act_step(account, position)
    return action
