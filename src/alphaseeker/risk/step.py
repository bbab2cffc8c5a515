"""The risk state machine: one quote and one signal in, one decision out.

``decide_step`` judges and decides, ``act_step`` fills what was decided (on paper) and writes the
report; ``risk_step`` is both, for jitted loops. The live manager calls the two, because a rule
written in Python may stand between them and refuse.

Order of a step: clock, funding, mark, cash flow, limits; then exits; then entries. A limit or an
exit never waits for a signal.
"""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.risk.account import (
    balance_step,
    clock_step,
    give_step,
    limit_shares,
    limit_step,
    mark_step,
    start_step,
)
from alphaseeker.risk.alerts import alert_step
from alphaseeker.risk.costs import exit_price, taker_cost_step
from alphaseeker.risk.entries import propose_step
from alphaseeker.risk.fills import fill_step, trail_step
from alphaseeker.risk.funding import funding_step
from alphaseeker.risk.ordering import order_step
from alphaseeker.risk.pending import expire_step, reserve_step
from alphaseeker.risk.refusals import refusal_step
from alphaseeker.risk.state import Action, Intent, Reason, State
from alphaseeker.risk.volatility import volatility_step

__all__ = ["act_step", "decide_step", "refuse_step", "risk_step"]

_ACTIVE = int(State.ACTIVE)
_CLOSE_SHORT, _SELL, _HOLD, _BUY, _CLOSE_LONG = (int(intent) for intent in Intent)
_MONITOR, _OPEN, _CLOSE, _REJECT, _HALT = (int(action) for action in Action)

_NO_SIGNAL = int(Reason.NO_SIGNAL)
_IN_POSITION = int(Reason.IN_POSITION)
_NOTHING_TO_CLOSE = int(Reason.NOTHING_TO_CLOSE)
_EMPTY_SIDE = int(Reason.EMPTY_SIDE)
_CROSSED_BOOK = int(Reason.CROSSED_BOOK)
_OUT_OF_ORDER = int(Reason.OUT_OF_ORDER)
_STOP_LOSS = int(Reason.STOP_LOSS)
_TAKE_PROFIT = int(Reason.TAKE_PROFIT)
_TRAILING_STOP = int(Reason.TRAILING_STOP)
_TIME_LIMIT = int(Reason.TIME_LIMIT)
_OPPOSITE_SIGNAL = int(Reason.OPPOSITE_SIGNAL)
_REFUSED_BY_RULE = int(Reason.REFUSED_BY_RULE)


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
def _exit_reason(account: npt.NDArray[Any], position: npt.NDArray[Any], intent: int) -> int:
    """Return why the open position must be left at this quote, 0 where it need not."""
    a = account[0]
    p = position[0]
    if p.leaving != 0:
        # Its order may have been turned down: a stop once touched stays touched.
        return int(p.leaving)
    price = exit_price(p.quantity, p.bid_price, p.ask_price)
    if p.quantity > 0.0:
        stopped = not (price > p.stop_loss)
        nearer = p.stop_loss > p.entry_price * (1.0 - p.stop_distance)
        reached = price >= p.take_profit
        opposed = intent in (_SELL, _CLOSE_LONG)
    else:
        stopped = not (price < p.stop_loss)
        nearer = p.stop_loss < p.entry_price * (1.0 + p.stop_distance)
        reached = price <= p.take_profit
        opposed = intent in (_BUY, _CLOSE_SHORT)
    if stopped:
        return _TRAILING_STOP if nearer else _STOP_LOSS
    if reached:
        return _TAKE_PROFIT
    limit = a.rules.max_holding_ns
    if limit > 0 and a.timestamp - p.opened >= limit:
        return _TIME_LIMIT
    return _OPPOSITE_SIGNAL if opposed else 0


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
    p_up: float,
    p_down: float,
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
        reason = _exit_reason(account, position, intent)
        if reason != 0:
            p.report.price = exit_price(p.quantity, p.bid_price, p.ask_price)
            return _CLOSE, reason
        return _MONITOR, _IN_POSITION
    if entry:
        return propose_step(account, position, intent, strength, p_up, p_down)
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
    p_up: float,
    p_down: float,
    funding_rate: float,
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
    p_up, p_down
        Probabilities that the price rises and that it falls, together at most 1; NaN where they
        are not known.
    funding_rate
        Share of the notional that longs pay to shorts at the next funding time, from -1 to 1; NaN:
        the rate of the rules.
    """
    code = refusal_step(
        timestamp,
        bid_price,
        ask_price,
        bid_volume,
        ask_volume,
        balance,
        intent,
        strength,
        p_up,
        p_down,
        funding_rate,
    )
    if code < 0:
        return code
    a = account[0]
    p = position[0]
    own_equity = a.equity
    clock_step(account, timestamp)
    funding_step(account, position)
    expire_step(account, position)
    book = _book_step(position, timestamp, bid_price, ask_price, bid_volume, ask_volume)
    if book == 0:
        volatility_step(position, timestamp, bid_price, ask_price, a.rules.half_life_s)
        p.funding_rate = a.rules.funding_rate if math.isnan(funding_rate) else funding_rate
        if p.quantity != 0.0:
            trail_step(account, position)
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
        action, reason = _judge(account, position, intent, strength, p_up, p_down, touched)
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
    fills here: an entry keeps its room under MAX_EXPOSURE, and an exit is repeated, whatever the
    price does, until the venue's fills change the position.
    """
    a = account[0]
    p = position[0]
    report = p.report
    # An untrusted book leaves the price at 0: a halt on it has nothing to fill at.
    if a.venue == 0 and report.price > 0.0:
        fee = report.quantity * report.price * taker_cost_step(account, position)
        if report.action == _OPEN:
            fill_step(account, position, report.side * report.quantity, report.price, fee)
            p.paper = 1
        elif report.action == _CLOSE or report.action == _HALT:
            fill_step(account, position, -p.quantity, report.price, fee)
    elif a.venue == 1 and report.action == _OPEN:
        reserve_step(account, position)
    elif a.venue == 1 and report.action == _CLOSE:
        p.leaving = report.reason
    a.decisions[report.action] += 1
    if report.action == _OPEN:
        a.orders += 1
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
    report.crossed = alert_step(account, position, loss, drawdown, report.exposure)
    give_step(account)


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
    p_up: float,
    p_down: float,
    funding_rate: float,
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
        p_up,
        p_down,
        funding_rate,
    )
    if action >= 0:
        act_step(account, position)
    return action
