"""Whether an entry may be made, and what it would be: the last question of a step."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from alphaseeker._jit import part
from alphaseeker.risk.costs import taker_cost_step
from alphaseeker.risk.sizing import size_step, stop_distance_step, target_distance_step
from alphaseeker.risk.state import Action, Reason
from alphaseeker.risk.volatility import sigma_step

__all__ = ["propose_step"]

_OPEN = int(Action.OPEN_POSITION)
_REJECT = int(Action.REJECT_SIGNAL)
_LOCKED_BOOK = int(Reason.LOCKED_BOOK)
_MODEL_DRIFT = int(Reason.MODEL_DRIFT)
_COOLDOWN = int(Reason.COOLDOWN)
_STALE_QUOTE = int(Reason.STALE_QUOTE)
_MAX_ORDERS = int(Reason.MAX_ORDERS_PER_MINUTE)
_MAX_SPREAD = int(Reason.MAX_SPREAD)
_STOP_INSIDE_SPREAD = int(Reason.STOP_INSIDE_SPREAD)
_COST_BREAKS_LIMIT = int(Reason.COST_BREAKS_LIMIT)


@part
def _denial(account: npt.NDArray[Any], position: npt.NDArray[Any]) -> int:
    """Return why no entry is made now, whatever its size; 0 where one may be."""
    a = account[0]
    p = position[0]
    rules = a.rules
    if p.bid_price == p.ask_price:
        return _LOCKED_BOOK
    if a.drift == 1 and rules.block_on_drift == 1:
        return _MODEL_DRIFT
    if a.timestamp < a.cooldown_until:
        return _COOLDOWN
    if a.timestamp - p.timestamp > rules.max_quote_age_ns:
        return _STALE_QUOTE
    if a.orders >= rules.max_orders:
        return _MAX_ORDERS
    mid = 0.5 * (p.bid_price + p.ask_price)
    if not (p.ask_price - p.bid_price <= rules.max_spread * mid):
        return _MAX_SPREAD
    return 0


@part
def propose_step(
    account: npt.NDArray[Any],
    position: npt.NDArray[Any],
    side: int,
    strength: float,
    p_up: float,
    p_down: float,
) -> tuple[int, int]:
    """Write an entry into the report; return its action and reason."""
    a = account[0]
    p = position[0]
    report = p.report
    denial = _denial(account, position)
    if denial != 0:
        return _REJECT, denial
    price = p.ask_price if side > 0 else p.bid_price
    leave = p.bid_price if side > 0 else p.ask_price
    sigma = sigma_step(position, a.rules.half_life_s)
    distance = stop_distance_step(account, position, sigma)
    stop = price * (1.0 - side * distance)
    if not (side * (leave - stop) > 0.0):
        return _REJECT, _STOP_INSIDE_SPREAD
    p_gain = p_up if side > 0 else p_down
    p_loss = p_down if side > 0 else p_up
    size, reason = size_step(
        account, position, price, side, distance, strength, sigma, p_gain, p_loss
    )
    if not (size > 0.0):
        return _REJECT, reason
    # Spread and fees are lost at once: an entry that they alone carry to a limit is not made.
    cost = taker_cost_step(account, position)
    after = a.equity - size * (abs(price - leave) + cost * (price + leave))
    within_day = after > a.day_base * (1.0 - a.rules.max_daily_loss)
    within_drawdown = after > a.peak_equity * (1.0 - a.rules.max_drawdown)
    if not (within_day and within_drawdown):
        return _REJECT, _COST_BREAKS_LIMIT
    if a.rules.trailing_stop > 0.0:
        trail = leave * (1.0 - side * a.rules.trailing_stop)
        stop = max(stop, trail) if side > 0 else min(stop, trail)
    report.side = side
    report.quantity = size
    report.price = price
    report.entry_price = price
    report.stop_distance = distance
    report.stop_loss = stop
    report.take_profit = price * (1.0 + side * target_distance_step(account, distance))
    return _OPEN, reason
