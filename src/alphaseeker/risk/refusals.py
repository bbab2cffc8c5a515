"""Which inputs a step refuses, before anything is changed."""

from __future__ import annotations

from alphaseeker._jit import part
from alphaseeker.risk.state import TOO_LARGE, Intent, Refusal

__all__ = ["MOST_PROBABLE", "refusal_step"]

_LEAST_INTENT, _MOST_INTENT = int(min(Intent)), int(max(Intent))

_BAD_TIMESTAMP = int(Refusal.BAD_TIMESTAMP)
_BAD_BID_PRICE = int(Refusal.BAD_BID_PRICE)
_BAD_ASK_PRICE = int(Refusal.BAD_ASK_PRICE)
_BAD_VOLUME = int(Refusal.BAD_VOLUME)
_BAD_BALANCE = int(Refusal.BAD_BALANCE)
_BAD_INTENT = int(Refusal.BAD_INTENT)
_BAD_STRENGTH = int(Refusal.BAD_STRENGTH)
_BAD_PROBABILITY = int(Refusal.BAD_PROBABILITY)
_BAD_FUNDING_RATE = int(Refusal.BAD_FUNDING_RATE)

# Two probabilities in float32 may add up to this little more than 1.
MOST_PROBABLE = 1.0 + 1e-6


@part
def refusal_step(
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
    if not (_LEAST_INTENT <= intent <= _MOST_INTENT):
        return _BAD_INTENT
    if not (0.0 <= strength <= 1.0):
        return _BAD_STRENGTH
    if p_up < 0.0 or p_up > MOST_PROBABLE or p_down < 0.0 or p_down > MOST_PROBABLE:
        return _BAD_PROBABILITY
    if p_up + p_down > MOST_PROBABLE:
        return _BAD_PROBABILITY
    if funding_rate < -1.0 or funding_rate > 1.0:
        return _BAD_FUNDING_RATE
    return 0
