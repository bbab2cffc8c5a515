"""What the numbers of one tick may be, and the sentence for one that they may not."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

from alphaseeker.errors import DataError
from alphaseeker.market.number_text import shown
from alphaseeker.market.timestamps import (
    END_S,
    FIRST_S,
    PER_SECOND,
    SPAN,
    TIMESTAMP_KINDS,
    unit_of,
)

__all__ = [
    "ALLOWED",
    "END_NS",
    "FIELDS",
    "FIRST_NS",
    "OPTIONAL_FIELDS",
    "number",
    "numbers",
    "real",
    "refusal",
    "whole_nanoseconds",
]

FIELDS = ("bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume")
OPTIONAL_FIELDS = ("buy_volume", "sell_volume")
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
FIELD_OF_REFUSAL = ("timestamp", *FIELDS, *OPTIONAL_FIELDS)
FIRST_NS, END_NS = FIRST_S * PER_SECOND["ns"], END_S * PER_SECOND["ns"]
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_NANOSECONDS = f"an integer of nanoseconds since 1970-01-01 UTC ({SPAN})"


def number(name: str, value: Any) -> float:
    """Return a real number, which may be a ``Decimal``, as a float.

    Raises
    ------
    DataError
        The value is missing, a truth value, a string, an array or anything else.
    """
    if type(value) is float:
        return value
    try:
        return real(value)
    except OverflowError:
        raise DataError(f"{name} is too large; it must be {ALLOWED[name]}") from None
    except TypeError:
        raise DataError(
            f"{name} is {shown(value)} ({type(value).__name__}); it must be {ALLOWED[name]}: "
            "convert it to a number first"
        ) from None


def real(value: Any) -> float:
    """Return a real number, which may be a ``Decimal``, as a float.

    Raises
    ------
    TypeError
        The value is anything else: missing, a truth value, a string, an array.
    OverflowError
        A whole number that no float holds.
    """
    if isinstance(value, Decimal):
        return math.nan if value.is_nan() else float(value)  # a signalling one does not convert
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        return float(value)
    raise TypeError(type(value).__name__)


def numbers(values: tuple[Any, ...]) -> tuple[float, ...]:
    """Return prices and sizes, in the order of the fields, as floats.

    Any other type would compile the step anew.

    Raises
    ------
    DataError
        One of them is no number.
    """
    bid_price, ask_price, bid_volume, ask_volume, close, volume, buy_volume, sell_volume = values
    # The types are looked at here, one by one: a loop over them takes twice the time.
    if (
        type(bid_price) is float
        and type(ask_price) is float
        and type(bid_volume) is float
        and type(ask_volume) is float
        and type(close) is float
        and type(volume) is float
        and type(buy_volume) is float
        and type(sell_volume) is float
    ):
        return values
    return tuple(map(number, (*FIELDS, *OPTIONAL_FIELDS), values))


def whole_nanoseconds(value: Any) -> int:
    """Return a time stamp of the fast path, which must be an integer in nanoseconds.

    Raises
    ------
    DataError
        Not an integer, or no date that is read: most likely in another unit.
    """
    if type(value) is int and FIRST_NS <= value < END_NS:
        return value
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise DataError(
            f"timestamp_ns is {shown(value)} ({type(value).__name__}); it must be "
            f"{_NANOSECONDS}: convert with int(seconds * 1e9), or use predict(), which reads any "
            "unit"
        )
    whole = int(value)
    if FIRST_NS <= whole < END_NS:
        return whole
    unit = unit_of(whole)
    if unit is None:
        raise DataError(f"timestamp_ns is {shown(whole)}; it must be {_NANOSECONDS}")
    raise DataError(
        f"timestamp_ns is {whole!r}, which is a time {TIMESTAMP_KINDS[unit]}; it must be "
        f"{_NANOSECONDS}: multiply it by {PER_SECOND['ns'] // PER_SECOND[unit]:_}, or use "
        "predict(), which reads any unit"
    )


def refusal(verdict: int, timestamp: int, values: tuple[float, ...]) -> DataError:
    """Return the error for a negative verdict of the gate."""
    position = -int(verdict) - 1
    name = FIELD_OF_REFUSAL[position]
    value = timestamp if position == 0 else values[position - 1]
    beyond = ", which float32 cannot hold" if _FLOAT32_MAX < value < math.inf else ""
    return DataError(
        f"{name} is {value!r}{beyond}; it must be {ALLOWED[name]}; the tick was refused"
    )
