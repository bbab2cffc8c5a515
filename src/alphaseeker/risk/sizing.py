"""Where stop and target stand, and how large an entry may be: scalar kernels without state."""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.risk.costs import round_trip_cost
from alphaseeker.risk.state import Reason

__all__ = ["FLOOR_OVER_COST", "size_step", "stop_distance_step", "target_distance_step"]

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
_MAX_POSITION_SIZE = int(Reason.MAX_POSITION_SIZE)
_NO_SIGNAL_STRENGTH = int(Reason.NO_SIGNAL_STRENGTH)
_LOT_SIZE = int(Reason.LOT_SIZE)
_MIN_NOTIONAL = int(Reason.MIN_NOTIONAL)


@kernel
def stop_distance_step(
    account: npt.NDArray[Any], sigma: float, bid_price: float, ask_price: float
) -> float:
    """Return the distance of the stop as a share of the entry price.

    Parameters
    ----------
    account
        Shape (1,), dtype ``ACCOUNT``: its rules.
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
    floor = FLOOR_OVER_COST * round_trip_cost(bid_price, ask_price, rules.taker_cost)
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


@kernel
def size_step(
    account: npt.NDArray[Any], price: float, side: int, stop_distance: float, strength: float
) -> tuple[float, int]:
    """Return the size of an entry at ``price`` and the ``Reason`` that bound it or left none.

    Parameters
    ----------
    account
        Shape (1,), dtype ``ACCOUNT``: its rules, its equity and the notional of its positions.
    price
        The price of the fill.
    side
        1 long, -1 short.
    stop_distance
        Share of the price.
    strength
        Signal strength in [0, 1].

    Notes
    -----
    The smaller of RISK_PER_TRADE x equity over what one unit loses at the stop, both fees
    included, and what the positions of all symbols leave of MAX_POSITION_SIZE x equity, over the
    price; times the strength; rounded down to whole lots.
    """
    a = account[0]
    rules = a.rules
    stop = price * (1.0 - side * stop_distance)
    unit_loss = price * stop_distance + rules.taker_cost * (price + stop)
    size = rules.risk_per_trade * a.equity / unit_loss
    reason = _RISK_PER_TRADE
    cap = rules.max_position_size * a.equity
    room = cap - (a.notional + a.notional_error)
    if room < _ROOM_TOLERANCE * cap:
        room = 0.0
    if not (size * price <= room):
        size = room / price
        reason = _MAX_POSITION_SIZE
    if rules.size_by_strength == 1:
        if strength <= 0.0:
            return 0.0, _NO_SIGNAL_STRENGTH
        size *= strength
    # Fails closed: a NaN or an infinite size is no size.
    if not (0.0 < size < math.inf):
        return 0.0, reason
    if rules.lot_size > 0.0:
        lots = size / rules.lot_size
        if lots < _MAX_LOTS:
            size = math.floor(lots * (1.0 + _LOT_TOLERANCE)) * rules.lot_size
        if size == 0.0:
            return 0.0, _LOT_SIZE
    if size * price < rules.min_notional:
        return 0.0, _MIN_NOTIONAL
    return size, reason
