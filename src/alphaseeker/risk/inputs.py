"""What callers hand to the risk manager, read and checked before anything is changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from alphaseeker.errors import DataError
from alphaseeker.market.timestamps import to_nanoseconds
from alphaseeker.risk.state import TOO_LARGE, Intent

__all__ = [
    "Fill",
    "Quote",
    "SignalRequest",
    "VenuePosition",
    "read_equity",
    "read_fill",
    "read_positions",
    "read_quote",
    "read_signal",
]

# Only a wrong unit or a wrong clock is further ahead; such a time stamp would end the trading
# day early and make every later quote look old.
MAX_AHEAD_NS = 3600 * 10**9

_LABELS = {
    "BUY": (Intent.BUY, (1,)),
    "SELL": (Intent.SELL, (-1,)),
    "HOLD": (Intent.HOLD, (0,)),
    "CLOSE_LONG": (Intent.CLOSE_LONG, (-1, 0)),
    "CLOSE_SHORT": (Intent.CLOSE_SHORT, (1, 0)),
}
_SIDES = {1: Intent.BUY, 0: Intent.HOLD, -1: Intent.SELL}


class Quote(NamedTuple):
    """The best prices of one symbol. A volume that is not known is NaN, an empty side's 0."""

    symbol: str
    timestamp: int
    bid_price: float
    ask_price: float
    bid_volume: float
    ask_volume: float


class SignalRequest(NamedTuple):
    """What a signal asks for."""

    intent: int
    strength: float


class Fill(NamedTuple):
    """One fill of the venue; ``quantity`` is signed, ``fee`` None where none was given."""

    identity: str
    symbol: str
    quantity: float
    price: float
    fee: float | None
    maker: bool
    timestamp: int


class VenuePosition(NamedTuple):
    """One position as the venue holds it; the entry price is None where none was given."""

    quantity: float
    entry_price: float | None


def _number(value: Any, name: str, allowed: str) -> float:
    if type(value) is float:
        return value
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    raise DataError(f"{name} is {value!r}; it must be a number, {allowed}")


def _positive(mapping: Mapping[str, Any], name: str) -> float:
    value = _number(mapping.get(name), name, "above 0 and finite")
    if not 0.0 < value < TOO_LARGE:
        raise DataError(f"{name} is {value!r}; it must be above 0 and finite (in float32 too)")
    return value


def _volume(mapping: Mapping[str, Any], name: str) -> float:
    if name not in mapping:
        return math.nan
    value = _number(mapping[name], name, "at least 0 and finite")
    if not 0.0 <= value < math.inf:
        raise DataError(f"{name} is {value!r}; it must be at least 0 and finite")
    return value


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise DataError(f"{name} is {value!r}; it must be a dictionary")
    return value


def _symbol(value: Any) -> str:
    if not isinstance(value, str):
        raise DataError(f"symbol is {value!r}; it must be a string")
    return value


def _time(mapping: Mapping[str, Any], now: int) -> int:
    value = mapping.get("timestamp")
    if value is None:
        return now
    timestamp, _ = to_nanoseconds(value)
    if timestamp > now + MAX_AHEAD_NS:
        raise DataError(
            f"timestamp is {value!r}, {(timestamp - now) / 1e9:.0f} s ahead of the clock; at most "
            f"{MAX_AHEAD_NS // 10**9} s are allowed: check unit and zone, or give the manager the "
            "clock of a replay"
        )
    return timestamp


def read_quote(market_data: Mapping[str, Any], signal: Mapping[str, Any], now: int) -> Quote:
    """Return the quote in ``market_data``.

    Parameters
    ----------
    market_data
        ``bid_price`` and ``ask_price``; optionally ``bid_volume``, ``ask_volume`` (0 says that
        the side is empty, whose price is then not read), ``symbol`` and ``timestamp``.
    signal
        Its ``symbol`` stands in where the market data name none, and must agree where they do.
    now
        Receive time in ns, taken where the time stamp is missing.

    Raises
    ------
    DataError
        A field is missing, of the wrong type or out of range.
    """
    market_data = _mapping(market_data, "market_data")
    symbol = _symbol(market_data.get("symbol") or "")
    other = _symbol(_mapping(signal, "signal").get("symbol") or "")
    if symbol and other and symbol != other:
        raise DataError(
            f"market data are of {symbol!r}, the signal is of {other!r}; give both of one symbol"
        )
    bid_volume = _volume(market_data, "bid_volume")
    ask_volume = _volume(market_data, "ask_volume")
    bid_price = math.nan if bid_volume == 0.0 else _positive(market_data, "bid_price")
    ask_price = math.nan if ask_volume == 0.0 else _positive(market_data, "ask_price")
    timestamp = _time(market_data, now)
    return Quote(symbol or other, timestamp, bid_price, ask_price, bid_volume, ask_volume)


def _intent(label: Any, side: Any) -> Intent:
    """Return the intent of a label, a side, or both; they must agree."""
    if label is None and side is None:
        raise DataError("the signal has neither signal_label nor signal; give one of them")
    if side is not None:
        side = _number(side, "signal", "1, 0 or -1")
        if side not in _SIDES:
            raise DataError(f"signal is {side!r}; it must be 1, 0 or -1")
    if label is None:
        return _SIDES[side]
    if not isinstance(label, str) or label not in _LABELS:
        raise DataError(f"signal_label is {label!r}; it must be one of {', '.join(_LABELS)}")
    intent, sides = _LABELS[label]
    if side is not None and side not in sides:
        raise DataError(f"signal_label is {label!r} but signal is {side:g}; they must agree")
    return intent


def read_signal(signal: Mapping[str, Any]) -> SignalRequest:
    """Return what ``signal`` asks for.

    Parameters
    ----------
    signal
        ``signal_label`` (BUY, HOLD, SELL, CLOSE_LONG, CLOSE_SHORT) or ``signal`` (1, 0, -1), or
        both; optionally ``signal_strength`` in [0, 1] (1 where it is missing).

    Raises
    ------
    DataError
        Neither is there, the two disagree, or a value is out of range.
    """
    signal = _mapping(signal, "signal")
    intent = _intent(signal.get("signal_label"), signal.get("signal"))
    strength = _number(signal.get("signal_strength", 1.0), "signal_strength", "from 0 to 1")
    if not 0.0 <= strength <= 1.0:
        raise DataError(f"signal_strength is {strength!r}; it must be from 0 to 1")
    return SignalRequest(int(intent), strength)


def read_equity(value: Any, name: str) -> float:
    """Return an equity: a finite number, at least 0.

    Raises
    ------
    DataError
        It is anything else.
    """
    equity = _number(value, name, "at least 0 and finite")
    if not 0.0 <= equity < TOO_LARGE:
        raise DataError(f"{name} is {equity!r}; it must be at least 0 and finite (in float32 too)")
    return equity


def read_fill(fill: Mapping[str, Any], now: int) -> Fill:
    """Return a fill of the venue.

    Parameters
    ----------
    fill
        ``id`` (string or whole number), ``side`` (BUY or SELL), ``size``, ``price``; optionally
        ``symbol``, ``fee`` (money, negative for a rebate), ``liquidity`` (taker or maker) and
        ``timestamp``.
    now
        Receive time in ns, taken where the time stamp is missing.

    Raises
    ------
    DataError
        A field is missing, of the wrong type or out of range.
    """
    fill = _mapping(fill, "fill")
    identity = fill.get("id")
    named = isinstance(identity, str) and identity != ""
    if not named and (not isinstance(identity, (int, np.integer)) or isinstance(identity, bool)):
        raise DataError(f"fill id is {identity!r}; it must be a string or a whole number")
    side = fill.get("side")
    if side not in ("BUY", "SELL"):
        raise DataError(f"fill side is {side!r}; it must be BUY or SELL")
    liquidity = fill.get("liquidity", "taker")
    if liquidity not in ("taker", "maker"):
        raise DataError(f"fill liquidity is {liquidity!r}; it must be taker or maker")
    size = _positive(fill, "size")
    fee = fill.get("fee")
    if fee is not None:
        fee = _number(fee, "fee", "finite")
        if not math.isfinite(fee):
            raise DataError(f"fee is {fee!r}; it must be finite")
    return Fill(
        identity=str(identity),
        symbol=_symbol(fill.get("symbol") or ""),
        quantity=size if side == "BUY" else -size,
        price=_positive(fill, "price"),
        fee=fee,
        maker=liquidity == "maker",
        timestamp=_time(fill, now),
    )


def _read_position(position: Mapping[str, Any]) -> VenuePosition:
    side = position.get("side")
    if side not in (None, "LONG", "SHORT", "FLAT"):
        raise DataError(f"position side is {side!r}; it must be LONG, SHORT or FLAT")
    size = _number(position.get("size", 0.0 if side == "FLAT" else None), "size", "finite")
    if not abs(size) < TOO_LARGE:
        raise DataError(f"size is {size!r}; it must be finite (in float32 too)")
    if side is not None and (size < 0.0 or (side == "FLAT") != (size == 0.0)):
        raise DataError(
            f"size is {size!r} for side {side}; it must be above 0 for LONG and SHORT, 0 for FLAT"
        )
    quantity = -size if side == "SHORT" else size
    missing = position.get("entry_price") is None or quantity == 0.0
    return VenuePosition(quantity, None if missing else _positive(position, "entry_price"))


def read_positions(position: Mapping[str, Any]) -> tuple[dict[str, VenuePosition], bool]:
    """Return the venue's positions by symbol, and whether they are all that it holds.

    Parameters
    ----------
    position
        One position (``side`` and ``size``, or a signed ``size``; optionally ``symbol``,
        ``entry_price``), or a mapping of symbol to such a position. A mapping is the whole
        account: a symbol that is not in it is flat.

    Raises
    ------
    DataError
        A field is missing, of the wrong type or out of range.
    """
    position = _mapping(position, "position")
    one = any(
        name in position and not isinstance(position[name], Mapping) for name in ("side", "size")
    )
    if one:
        return {_symbol(position.get("symbol") or ""): _read_position(position)}, False
    listed = {
        _symbol(name): _read_position(_mapping(value, f"position of {name!r}"))
        for name, value in position.items()
    }
    return listed, True
