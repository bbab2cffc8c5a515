"""Where stop and target stand, and how large an entry may be: scalar kernels without state."""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.risk.costs import round_trip_cost, taker_cost_step
from alphaseeker.risk.kelly import kelly_fraction
from alphaseeker.risk.pending import pending_elsewhere
from alphaseeker.risk.state import Reason

__all__ = ["FLOOR_OVER_COST", "size_step", "stop_distance_step", "target_distance_step"]

ROOT_OF_YEAR = math.sqrt(365.0 * 86_400.0)  # of seconds; crypto never closes

# A volatility stop never stands nearer than this many round-trip costs: at one, an entry would
# be stopped by its own spread and fees.
FLOOR_OVER_COST = 2.0

# Sizes are multiples of the lot in decimals; 0.3 / 0.1 must count as three lots, not as two.
_LOT_TOLERANCE = 1e-12
_MAX_LOTS = 2.0**53

# What rounding leaves of a cap that is used up is no room: without fees, a full position is worth
# the equity to the last digits.
_ROOM_TOLERANCE = 1e-9

_RISK_PER_TRADE = int(Reason.RISK_PER_TRADE)
_MAX_EXPOSURE = int(Reason.MAX_EXPOSURE)
_MAX_NOTIONAL = int(Reason.MAX_NOTIONAL)
_VOLATILITY_TARGET = int(Reason.VOLATILITY_TARGET)
_KELLY = int(Reason.KELLY)
_MAX_POSITION_SIZE = int(Reason.MAX_POSITION_SIZE)
_NO_SIGNAL_STRENGTH = int(Reason.NO_SIGNAL_STRENGTH)
_LOT_SIZE = int(Reason.LOT_SIZE)
_MIN_NOTIONAL = int(Reason.MIN_NOTIONAL)


@kernel
def stop_distance_step(
    account: npt.NDArray[Any], position: npt.NDArray[Any], sigma: float
) -> float:
    """Return the distance of the stop as a share of the entry price.

    Parameters
    ----------
    account, position
        Shape (1,), dtypes ``ACCOUNT`` and ``POSITION``: the rules, and the last quote.
    sigma
        Volatility per square root of a second; NaN where it is not known yet.

    Notes
    -----
    Fixed, or ``clip(k sigma sqrt(h), floor, cap)`` with the floor at ``FLOOR_OVER_COST`` round
    trips (both fees and the spread) and the cap, which wins, at MAX_STOP_LOSS_PCT. Until the
    volatility is known, the fixed distance stands in, under the same cap.
    """
    rules = account[0].rules
    if rules.volatility_stop == 0:
        return float(rules.stop_loss)
    if math.isnan(sigma):
        return float(min(rules.stop_loss, rules.max_stop_loss))
    p = position[0]
    cost = round_trip_cost(p.bid_price, p.ask_price, taker_cost_step(account, position))
    floor = FLOOR_OVER_COST * cost
    distance = rules.volatility_multiplier * sigma * math.sqrt(rules.half_life_s)
    return float(min(max(distance, floor), rules.max_stop_loss))


@kernel
def target_distance_step(account: npt.NDArray[Any], stop_distance: float) -> float:
    """Return the distance of the target as a share of the entry price, at most 1.

    A volatility stop scales the target with it: the configured ratio of reward to risk stays.
    """
    rules = account[0].rules
    if rules.volatility_stop == 0:
        return float(rules.take_profit)
    return float(min(rules.take_profit * stop_distance / rules.stop_loss, 1.0))


@part
def _lots(account: npt.NDArray[Any], position: npt.NDArray[Any], size: float) -> float:
    """Round a size down to whole lots of the symbol."""
    own = position[0].rules
    lot_size = own.lot_size if own.own == 1 else account[0].rules.lot_size
    if lot_size > 0.0:
        lots = size / lot_size
        if lots < _MAX_LOTS:
            return float(math.floor(lots * (1.0 + _LOT_TOLERANCE)) * lot_size)
    return size


@part
def _binds(limit: float, amount: float) -> bool:
    """Say whether a limit is below an amount; one that is NaN is, and an amount that is NaN stays.

    So a NaN that came in anywhere comes out: no later limit takes its place.
    """
    return limit < amount or math.isnan(limit)


@part
def _notional_step(
    account: npt.NDArray[Any],
    position: npt.NDArray[Any],
    stop_distance: float,
    sigma: float,
    p_gain: float,
    p_loss: float,
) -> tuple[float, int]:
    """Return the least notional that the caps, volatility and Kelly allow, and what bound it."""
    a = account[0]
    p = position[0]
    rules = a.rules
    notional = rules.max_position_size * a.equity
    reason = _MAX_POSITION_SIZE
    cap = rules.max_exposure * a.equity
    room = cap - (a.notional + a.notional_error) - pending_elsewhere(account, position)
    if room < _ROOM_TOLERANCE * cap:
        room = 0.0
    if _binds(room, notional):
        notional = room
        reason = _MAX_EXPOSURE
    if _binds(rules.max_notional, notional):
        notional = rules.max_notional
        reason = _MAX_NOTIONAL
    if rules.volatility_target < math.inf:
        # An unknown volatility allows nothing.
        yearly = sigma * ROOT_OF_YEAR
        if _binds(rules.volatility_target * a.equity, notional * yearly) or math.isnan(yearly):
            notional = rules.volatility_target * a.equity / yearly
            reason = _VOLATILITY_TARGET
    if rules.kelly_fraction > 0.0 and not (math.isnan(p_gain) or math.isnan(p_loss)):
        cost = round_trip_cost(p.bid_price, p.ask_price, taker_cost_step(account, position))
        target = target_distance_step(account, stop_distance)
        growth = kelly_fraction(p_gain, p_loss, target, stop_distance, cost)
        stake = rules.kelly_fraction * growth * a.equity
        if _binds(stake, notional):
            notional = stake
            reason = _KELLY
    return notional, reason


@kernel
def size_step(
    account: npt.NDArray[Any],
    position: npt.NDArray[Any],
    price: float,
    side: int,
    stop_distance: float,
    strength: float,
    sigma: float,
    p_gain: float,
    p_loss: float,
) -> tuple[float, int]:
    """Return the size of an entry at ``price`` and the ``Reason`` that bound it or left none.

    Parameters
    ----------
    account, position
        Shape (1,), dtypes ``ACCOUNT`` and ``POSITION``: the rules, the equity, the notional of all
        positions, and the symbol's last quote.
    price
        The price of the fill.
    side
        1 long, -1 short.
    stop_distance
        Share of the price.
    strength
        Signal strength in [0, 1].
    sigma
        Volatility per square root of a second; NaN where it is not known yet.
    p_gain, p_loss
        Probabilities that the price goes the position's way and against it; NaN: not known.

    Notes
    -----
    The smallest of: RISK_PER_TRADE x equity over what one unit loses at the stop, both fees
    included; MAX_POSITION_SIZE x equity; what the positions of all symbols, and the entries of the
    others that have not filled yet, leave of MAX_EXPOSURE x equity; MAX_NOTIONAL;
    VOLATILITY_TARGET over the volatility of a year, x equity; and, where the probabilities are
    known, KELLY_FRACTION of the three-class Kelly stake (gain: the distance of the target; loss:
    that of the stop; cost: both fees and the spread) x equity. Notionals are taken over the price;
    the size is multiplied by the strength and rounded down to whole lots.
    """
    a = account[0]
    rules = a.rules
    stop = price * (1.0 - side * stop_distance)
    fees = taker_cost_step(account, position) * (price + stop)
    size = rules.risk_per_trade * a.equity / (price * stop_distance + fees)
    reason = _RISK_PER_TRADE
    notional, bound = _notional_step(account, position, stop_distance, sigma, p_gain, p_loss)
    if _binds(notional, size * price):
        size = notional / price
        reason = bound
    if rules.size_by_strength == 1:
        if strength <= 0.0:
            return 0.0, _NO_SIGNAL_STRENGTH
        size *= strength
    # Fails closed: a NaN or an infinite size is no size.
    if not (0.0 < size < math.inf):
        return 0.0, reason
    size = _lots(account, position, size)
    if size == 0.0:
        return 0.0, _LOT_SIZE
    own = position[0].rules
    if size * price < (own.min_notional if own.own == 1 else rules.min_notional):
        return 0.0, _MIN_NOTIONAL
    return size, reason
