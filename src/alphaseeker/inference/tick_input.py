"""Checks what a caller hands in as one tick before any of it reaches a kernel."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from alphaseeker.errors import DataError
from alphaseeker.market.timestamps import TIMESTAMP_KINDS, to_nanoseconds

__all__ = ["TickInput", "number", "read_tick", "refusal"]

FIELDS = ("bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume")
OPTIONAL_FIELDS = ("buy_volume", "sell_volume")
ALL_FIELDS = (*FIELDS, *OPTIONAL_FIELDS)
ALLOWED = {
    "timestamp": "a time after 1970 in nanoseconds",
    "bid_price": "a finite number above 0 (0 or missing only where bid_volume is 0)",
    "ask_price": "a finite number above 0 (0 or missing only where ask_volume is 0)",
    "bid_volume": "a finite number from 0 up",
    "ask_volume": "a finite number from 0 up",
    "close": "a finite number above 0",
    "volume": "a finite number from 0 up",
    "buy_volume": "a finite number from 0 up, or left out",
    "sell_volume": "a finite number from 0 up, or left out",
}
# In the order of the gate's negative verdicts.
FIELD_OF_REFUSAL = ("timestamp", *ALL_FIELDS)
INT64_END = 2**63


class TickInput(NamedTuple):
    """One tick as numbers."""

    timestamp: int
    kind: str
    values: tuple[float, ...]  # FIELDS and OPTIONAL_FIELDS in order, NaN where missing


def number(name: str, value: Any) -> float:
    """Return a real number as a float.

    Raises
    ------
    DataError
        The value is missing, a truth value, a string, an array or anything else.
    """
    if type(value) is float:
        return value
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise DataError(f"{name} is too large; it must be {ALLOWED[name]}") from None
    raise DataError(
        f"{name} is {value!r} ({type(value).__name__}); it must be {ALLOWED[name]}: convert it "
        "to a number first"
    )


def whole_nanoseconds(value: Any) -> int:
    """Return a time stamp of the fast path, which must be an integer in nanoseconds.

    Raises
    ------
    DataError
        Not an integer, or too large for 64 bits.
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not -INT64_END <= value < INT64_END:
        raise DataError(
            f"timestamp_ns is {value!r}; it must be an integer of nanoseconds since 1970-01-01 "
            "UTC: convert with int(seconds * 1e9), or use predict(), which reads any unit"
        )
    return int(value)


def _field(market_data: Mapping[str, Any], name: str) -> float:
    value = market_data.get(name)
    if type(value) is float:
        return value
    if value is None:
        side = name.removesuffix("_price")
        if side != name and market_data.get(f"{side}_volume") == 0:
            return math.nan
        if name in OPTIONAL_FIELDS and name not in market_data:
            return math.nan
        state = "null" if name in market_data else "missing"
        raise DataError(f"{name} is {state}; it must be {ALLOWED[name]}")
    return number(name, value)


def read_tick(market_data: Mapping[str, Any], *, kind: str | None) -> TickInput:
    """Read a market data dictionary.

    Parameters
    ----------
    market_data
        ``bid_price, ask_price, bid_volume, ask_volume, close, volume``, optionally ``timestamp``
        (the time of receipt where it is missing), ``buy_volume`` and ``sell_volume``.
    kind
        Kind of the stream's earlier time stamps, None at its first.

    Raises
    ------
    DataError
        A field is missing or no number, or the time stamp's unit is not the stream's.
    """
    if not isinstance(market_data, Mapping):
        raise DataError(
            f"market_data is a {type(market_data).__name__}; it must be a dictionary with "
            f"{', '.join(FIELDS)} and timestamp"
        )
    values = tuple([_field(market_data, name) for name in ALL_FIELDS])
    stamp = market_data.get("timestamp")
    if stamp is None:
        return TickInput(time.time_ns(), "received", values)
    timestamp, found = to_nanoseconds(stamp)
    if kind is not None and found != kind and kind != "received":
        raise DataError(
            f"timestamp is {stamp!r}, {TIMESTAMP_KINDS[found]}, but this symbol's time stamps "
            f"were {TIMESTAMP_KINDS[kind]} before; give them all in one form"
        )
    return TickInput(timestamp, found, values)


def refusal(verdict: int, timestamp: int, values: tuple[float, ...]) -> DataError:
    """Return the error for a negative verdict of the gate."""
    position = -int(verdict) - 1
    name = FIELD_OF_REFUSAL[position]
    value = timestamp if position == 0 else values[position - 1]
    return DataError(f"{name} is {value!r}; it must be {ALLOWED[name]}; the tick was refused")
