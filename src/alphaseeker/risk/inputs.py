"""What callers hand to the risk manager, read and checked before anything is changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from alphaseeker.config import Config, RiskConfig
from alphaseeker.errors import DataError
from alphaseeker.market.number_text import shown
from alphaseeker.market.tick_values import ALLOWED, number
from alphaseeker.risk.refusals import MOST_PROBABLE
from alphaseeker.risk.state import TOO_LARGE, Intent
from alphaseeker.risk.stream_clock import StreamClock
from alphaseeker.risk.symbol_rules import symbol_rules

__all__ = [
    "Fill",
    "Quote",
    "SignalRequest",
    "VenuePosition",
    "read_config",
    "read_equity",
    "read_fill",
    "read_positions",
    "read_quote",
    "read_signal",
]

_LABELS = {
    "BUY": (int(Intent.BUY), (1,)),
    "SELL": (int(Intent.SELL), (-1,)),
    "HOLD": (int(Intent.HOLD), (0,)),
    "CLOSE_LONG": (int(Intent.CLOSE_LONG), (-1, 0)),
    "CLOSE_SHORT": (int(Intent.CLOSE_SHORT), (1, 0)),
}
_ABSENT = object()
_SIDES = {1: int(Intent.BUY), 0: int(Intent.HOLD), -1: int(Intent.SELL)}


_LISTED = "one position with side or size, or a mapping of symbol to such a position"


class Quote(NamedTuple):
    """The best prices of one symbol. A volume that is not known is NaN, an empty side's 0."""

    symbol: str
    timestamp: int
    stamped: bool  # False where the time is the stream's clock
    bid_price: float
    ask_price: float
    bid_volume: float
    ask_volume: float
    funding_rate: float  # NaN where it is not known


class SignalRequest(NamedTuple):
    """What a signal asks for. Probabilities that are not known are NaN."""

    intent: int
    strength: float
    p_up: float
    p_down: float


class Fill(NamedTuple):
    """One fill of the venue; ``quantity`` is signed, ``fee`` is money."""

    identity: str
    symbol: str
    quantity: float
    price: float
    fee: float
    timestamp: int


class VenuePosition(NamedTuple):
    """One position as the venue holds it; the entry price is None where none was given."""

    quantity: float
    entry_price: float | None


def _number(value: Any, name: str, allowed: str) -> float:
    """Return a real number as a float."""
    if type(value) is float:
        return value
    try:
        # What counts as a number is one rule for all; its words are those of a tick's field.
        return number("close", value)
    except DataError:
        raise DataError(
            f"{name} is {shown(value)} ({type(value).__name__}); it must be a number, {allowed}"
        ) from None


def _positive(mapping: Mapping[str, Any], name: str) -> float:
    value = _number(mapping.get(name), name, "above 0 and finite")
    if not 0.0 < value < TOO_LARGE:
        raise DataError(f"{name} is {value!r}; it must be above 0 and finite (in float32 too)")
    return value


def _share(value: Any, name: str) -> float:
    if type(value) is float and 0.0 <= value <= 1.0:
        return value
    share = _number(value, name, "from 0 to 1")
    if not 0.0 <= share <= 1.0:
        raise DataError(f"{name} is {share!r}; it must be from 0 to 1")
    return share


def _price(market_data: Mapping[str, Any], name: str) -> float:
    value = market_data.get(name)
    if type(value) is not float:
        value = number(name, value)
    if not 0.0 < value < TOO_LARGE:
        raise DataError(f"{name} is {value!r}; it must be {ALLOWED[name]}, in float32 too")
    return value


def _volume(market_data: Mapping[str, Any], name: str) -> float:
    value = market_data.get(name, _ABSENT)
    if value is _ABSENT:
        return math.nan
    if type(value) is not float:
        value = number(name, value)
    if not 0.0 <= value < math.inf:
        raise DataError(f"{name} is {value!r}; it must be {ALLOWED[name]}")
    return value


def _funding_rate(value: Any) -> float:
    """Return the rate of a tick; NaN where the venue gave none."""
    if value is None:
        return math.nan
    rate = _number(value, "funding_rate", "from -1 to 1")
    if not math.isnan(rate) and not -1.0 <= rate <= 1.0:
        raise DataError(f"funding_rate is {rate!r}; it must be from -1 to 1")
    return rate


def _probabilities(value: Any) -> tuple[float, float]:
    """Return the probabilities that the price rises and that it falls, of a signal's mapping."""
    if value is None:
        return math.nan, math.nan
    mapping = _mapping(value, "probabilities")
    p_up = _share(mapping.get("BUY"), "probabilities BUY")
    p_down = _share(mapping.get("SELL"), "probabilities SELL")
    if not p_up + p_down <= MOST_PROBABLE:
        raise DataError(
            f"probabilities BUY and SELL are {p_up!r} and {p_down!r}; together they must be at "
            "most 1"
        )
    return p_up, p_down


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    # Asking whether a dictionary is a mapping takes longer than reading a number out of it.
    if type(value) is dict:
        return value
    if not isinstance(value, Mapping):
        raise DataError(
            f"{name} is {shown(value)} ({type(value).__name__}); it must be a dictionary"
        )
    return value


def _symbol(value: Any) -> str:
    if type(value) is str:
        return value
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"symbol is {shown(value)} ({type(value).__name__}); it must be a string")
    return value


def _word(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise DataError(f"{name} is {shown(value)}; it must be one of {', '.join(allowed)}")
    return value


def read_config(config: RiskConfig | Mapping[str, Any] | None, base: RiskConfig) -> RiskConfig:
    """Return settings: whole ones, or a mapping of keys over ``base``.

    Raises
    ------
    ConfigError
        An unknown key, or a value out of range.
    """
    if config is None:
        return base
    if isinstance(config, RiskConfig):
        return config
    return Config(risk=base).override({"risk": config}).risk


def read_quote(
    market_data: Mapping[str, Any], signal: Mapping[str, Any], clock: StreamClock
) -> Quote:
    """Return the quote in ``market_data``.

    Parameters
    ----------
    market_data
        ``bid_price`` and ``ask_price``; optionally ``bid_volume``, ``ask_volume`` (0 says that
        the side is empty, whose price is then not read), ``symbol``, ``timestamp`` and
        ``funding_rate`` (share of the notional that longs pay to shorts, from -1 to 1).
    signal
        Its ``symbol`` stands in where the market data name none, and must agree where they do.
    clock
        Reads the time stamp, and stands in where it is missing.

    Raises
    ------
    DataError
        A field is missing, of the wrong type or out of range.
    """
    market_data = _mapping(market_data, "market_data")
    symbol = _symbol(market_data.get("symbol"))
    other = _symbol(_mapping(signal, "signal").get("symbol"))
    if symbol and other and symbol != other:
        raise DataError(
            f"market data are of {shown(symbol)}, the signal is of {shown(other)}; give both of "
            "one symbol"
        )
    bid_volume = _volume(market_data, "bid_volume")
    ask_volume = _volume(market_data, "ask_volume")
    bid_price = math.nan if bid_volume == 0.0 else _price(market_data, "bid_price")
    ask_price = math.nan if ask_volume == 0.0 else _price(market_data, "ask_price")
    funding_rate = _funding_rate(market_data.get("funding_rate"))
    symbol = symbol or other
    timestamp = clock.read(market_data.get("timestamp"))
    stamped = timestamp is not None
    if timestamp is None:
        timestamp = clock.now(symbol)
    return Quote(
        symbol, timestamp, stamped, bid_price, ask_price, bid_volume, ask_volume, funding_rate
    )


def _intent(label: Any, side: Any) -> int:
    """Return the intent of a label, a side, or both; they must agree."""
    if type(label) is str and (side is None or type(side) is int) and label in _LABELS:
        intent, sides = _LABELS[label]
        if side is None or side in sides:
            return intent
    if label is None and side is None:
        raise DataError("the signal has neither signal_label nor signal; give one of them")
    if side is not None:
        side = _number(side, "signal", "1, 0 or -1")
        if side not in _SIDES:
            raise DataError(f"signal is {side!r}; it must be 1, 0 or -1")
    if label is None:
        return _SIDES[side]
    intent, sides = _LABELS[_word(label, "signal_label", tuple(_LABELS))]
    if side is not None and side not in sides:
        raise DataError(f"signal_label is {label!r} but signal is {side:g}; they must agree")
    return intent


def read_signal(signal: Mapping[str, Any]) -> SignalRequest:
    """Return what ``signal`` asks for.

    Parameters
    ----------
    signal
        ``signal_label`` (BUY, HOLD, SELL, CLOSE_LONG, CLOSE_SHORT) or ``signal`` (1, 0, -1), or
        both; optionally ``signal_strength`` in [0, 1] (1 where it is missing), ``probabilities``
        (a mapping with BUY and SELL, in [0, 1]) and ``confidence`` in [0, 1], which only has to
        be sound.

    Raises
    ------
    DataError
        Neither is there, the two disagree, or a value is out of range.
    """
    signal = _mapping(signal, "signal")
    intent = _intent(signal.get("signal_label"), signal.get("signal"))
    strength = _share(signal.get("signal_strength", 1.0), "signal_strength")
    # A confidence of NaN is a model that failed: nothing is to be opened on its word.
    _share(signal.get("confidence", 1.0), "confidence")
    p_up, p_down = _probabilities(signal.get("probabilities"))
    return SignalRequest(intent, strength, p_up, p_down)


def read_equity(value: Any, name: str) -> float:
    """Return an equity: any finite number, below 0 too after a gap.

    Raises
    ------
    DataError
        It is anything else.
    """
    equity = _number(value, name, "finite")
    if not abs(equity) < TOO_LARGE:
        raise DataError(f"{name} is {equity!r}; it must be finite (in float32 too)")
    return equity


def read_fill(fill: Mapping[str, Any], clock: StreamClock, config: RiskConfig) -> Fill:
    """Return a fill of the venue.

    Parameters
    ----------
    fill
        ``id`` (string or whole number), ``side`` (BUY or SELL), ``size``, ``price``; optionally
        ``symbol``, ``fee`` (money, negative for a rebate), ``liquidity`` (taker or maker) and
        ``timestamp``.
    clock
        Reads the time stamp, and stands in where it is missing.
    config
        Its costs, or those of SYMBOL_RULES, stand in for a missing fee.

    Raises
    ------
    DataError
        A field is missing, of the wrong type or out of range.
    """
    fill = _mapping(fill, "fill")
    identity = fill.get("id")
    named = isinstance(identity, str) and identity != ""
    if not named and (not isinstance(identity, (int, np.integer)) or isinstance(identity, bool)):
        raise DataError(f"fill id is {shown(identity)}; it must be a string or a whole number")
    side = _word(fill.get("side"), "fill side", ("BUY", "SELL"))
    liquidity = _word(fill.get("liquidity", "taker"), "fill liquidity", ("taker", "maker"))
    symbol = _symbol(fill.get("symbol"))
    size = _positive(fill, "size")
    price = _positive(fill, "price")
    fee = fill.get("fee")
    rules = symbol_rules(config, symbol)
    rate = rules.maker_cost if liquidity == "maker" else rules.taker_cost
    fee = size * price * rate if fee is None else _number(fee, "fee", "finite")
    if not math.isfinite(fee):
        raise DataError(f"fee is {fee!r}; it must be finite")
    timestamp = clock.read(fill.get("timestamp"))
    return Fill(
        identity=str(identity),
        symbol=symbol,
        quantity=size if side == "BUY" else -size,
        price=price,
        fee=fee,
        timestamp=clock.now(symbol) if timestamp is None else timestamp,
    )


def _read_position(position: Mapping[str, Any]) -> VenuePosition:
    side = position.get("side")
    if side is not None:
        side = _word(side, "position side", ("LONG", "SHORT", "FLAT"))
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
        account: a symbol that is not in it is flat. An account without any position names
        its symbols, each with the side FLAT.

    Raises
    ------
    DataError
        Nothing is listed, or a field is missing, of the wrong type or out of range.
    """
    position = _mapping(position, "position")
    if not position:
        raise DataError(
            f"position is empty; it must be {_LISTED}. If the account is flat, say so: "
            "{'BTCUSDT': {'side': 'FLAT'}}, with every symbol that was traded"
        )
    one = any(
        name in position and not isinstance(position[name], Mapping) for name in ("side", "size")
    )
    if one:
        return {_symbol(position.get("symbol")): _read_position(position)}, False
    listed = {}
    for name, value in position.items():
        if not isinstance(value, Mapping):
            raise DataError(f"position has {shown(name)}: {shown(value)}; it must be {_LISTED}")
        listed[_symbol(name)] = _read_position(value)
    return listed, True
