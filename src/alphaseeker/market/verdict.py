"""What the quality gate can say about a tick, and what its own fields may hold.

Prices are above 0, sizes 0 or more, the time is after 1970; all of them are finite as float32.
"""

from __future__ import annotations

from enum import IntEnum

from alphaseeker._jit import part

__all__ = ["TOO_LARGE", "Verdict", "is_price", "is_size", "refusal_step"]


class Verdict(IntEnum):
    """What the gate says about a tick: 0 to 3 reach the features, negative ones are refused."""

    ACCEPTED = 0
    LOCKED = 1
    AFTER_GAP = 2
    NEW_SESSION = 3
    REPEATED = 10
    EMPTY_SIDE = 20
    CROSSED_BOOK = 21
    OUT_OF_ORDER = 22
    PRICE_JUMP = 23
    BAD_TIMESTAMP = -1
    BAD_BID_PRICE = -2
    BAD_ASK_PRICE = -3
    BAD_BID_VOLUME = -4
    BAD_ASK_VOLUME = -5
    BAD_CLOSE = -6
    BAD_VOLUME = -7
    BAD_BUY_VOLUME = -8
    BAD_SELL_VOLUME = -9


TOO_LARGE = 2.0**128 - 2.0**103
"""The smallest float64 that float32 rounds to infinity: features leave as float32."""

_ACCEPTED = int(Verdict.ACCEPTED)
_BAD_TIMESTAMP = int(Verdict.BAD_TIMESTAMP)
_BAD_BID_PRICE = int(Verdict.BAD_BID_PRICE)
_BAD_ASK_PRICE = int(Verdict.BAD_ASK_PRICE)
_BAD_BID_VOLUME = int(Verdict.BAD_BID_VOLUME)
_BAD_ASK_VOLUME = int(Verdict.BAD_ASK_VOLUME)
_BAD_CLOSE = int(Verdict.BAD_CLOSE)
_BAD_VOLUME = int(Verdict.BAD_VOLUME)
_BAD_BUY_VOLUME = int(Verdict.BAD_BUY_VOLUME)
_BAD_SELL_VOLUME = int(Verdict.BAD_SELL_VOLUME)


@part
def is_price(value: float) -> bool:
    """Say whether a number can be a price."""
    return 0.0 < value < TOO_LARGE  # false for NaN


@part
def is_size(value: float) -> bool:
    """Say whether a number can be a size."""
    return 0.0 <= value < TOO_LARGE


@part
def _is_quote_price(price: float, size: float) -> bool:
    """Allow the price of an empty side to be zero or missing."""
    return is_price(price) or (size == 0.0 and (price == 0.0 or price != price))


@part
def refusal_step(
    timestamp: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
) -> int:
    """Return the first verdict that refuses a tick, in the order of its fields, else ACCEPTED.

    Parameters
    ----------
    timestamp
        Nanoseconds since 1970-01-01 UTC.
    bid_price, ask_price, close
        Price units; the first two 0 or NaN where that side is empty.
    bid_volume, ask_volume, volume, buy_volume, sell_volume
        Size units; the last two NaN where unknown.

    Returns
    -------
    int
        A ``Verdict``: ``ACCEPTED`` or a negative one.
    """
    if timestamp <= 0:
        return _BAD_TIMESTAMP
    if not _is_quote_price(bid_price, bid_volume):
        return _BAD_BID_PRICE
    if not _is_quote_price(ask_price, ask_volume):
        return _BAD_ASK_PRICE
    if not is_size(bid_volume):
        return _BAD_BID_VOLUME
    if not is_size(ask_volume):
        return _BAD_ASK_VOLUME
    if not is_price(close):
        return _BAD_CLOSE
    if not is_size(volume):
        return _BAD_VOLUME
    if not (is_size(buy_volume) or buy_volume != buy_volume):
        return _BAD_BUY_VOLUME
    if not (is_size(sell_volume) or sell_volume != sell_volume):
        return _BAD_SELL_VOLUME
    return _ACCEPTED
