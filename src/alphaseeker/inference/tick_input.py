"""Checks what a caller hands in as one tick before any of it reaches a kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from alphaseeker.errors import DataError
from alphaseeker.market.depth import DEPTH_COLUMNS, MAX_LEVELS
from alphaseeker.market.tick_values import ALLOWED, FIELDS, OPTIONAL_FIELDS, number
from alphaseeker.market.timestamps import TIMESTAMP_KINDS, to_nanoseconds

__all__ = ["TickInput", "levels_in", "read_tick"]

ALL_FIELDS = (*FIELDS, *OPTIONAL_FIELDS)
# As the columns of a file are called: a name of each level, from the best one on.
LEVEL_FIELDS = tuple(
    tuple(f"{name}_{level}" for name in DEPTH_COLUMNS) for level in range(1, MAX_LEVELS + 1)
)


class TickInput(NamedTuple):
    """One tick as numbers."""

    timestamp: int
    kind: str | None  # None where neither it nor an earlier tick was stamped
    values: tuple[float, ...]  # FIELDS and OPTIONAL_FIELDS in order, NaN where missing


def _way_out(market_data: object) -> str:
    """Say how a row or rows of pandas become what is needed."""
    if not hasattr(market_data, "iloc"):
        return ""
    frame = hasattr(market_data, "columns")
    return "; predict_batch takes a frame" if frame else ": give its .to_dict()"


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


def _floats(market_data: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Return the fields of a tick whose numbers are all there as floats; None of any other."""
    get = market_data.get
    bid, ask, bid_volume = get("bid_price"), get("ask_price"), get("bid_volume")
    ask_volume, close, volume = get("ask_volume"), get("close"), get("volume")
    buy_volume, sell_volume = get("buy_volume", math.nan), get("sell_volume", math.nan)
    if (
        type(bid) is float
        and type(ask) is float
        and type(bid_volume) is float
        and type(ask_volume) is float
        and type(close) is float
        and type(volume) is float
        and type(buy_volume) is float
        and type(sell_volume) is float
    ):
        return (bid, ask, bid_volume, ask_volume, close, volume, buy_volume, sell_volume)
    return None


def levels_in(market_data: Mapping[str, Any], needed: int) -> Any:
    """Return the depth in a market data dictionary as it was given, None where there is none.

    Parameters
    ----------
    market_data
        With ``depth``, or with ``bid_price_2`` and so on, as a row of a file has them; of these
        the best level may be missing, it is the quote.
    needed
        Levels that the model reads.
    """
    depth = market_data.get("depth")
    if depth is not None or needed == 0 or "bid_price_2" not in market_data:
        return depth
    rows = [[market_data.get(name) for name in names] for names in LEVEL_FIELDS[:needed]]
    if rows[0][0] is None and rows[0][2] is None:
        rows[0] = [market_data.get(name) for name in DEPTH_COLUMNS]
    return [[math.nan if cell is None else cell for cell in row] for row in rows]


def read_tick(
    market_data: Mapping[str, Any],
    *,
    kind: str | None,
    received: Callable[[], int] | None = None,
) -> TickInput:
    """Read a market data dictionary.

    Parameters
    ----------
    market_data
        ``bid_price, ask_price, bid_volume, ask_volume, close, volume``, optionally ``timestamp``,
        ``buy_volume`` and ``sell_volume``.
    kind
        Kind of the stream's earlier time stamps, None at its first.
    received
        Gives the time of a tick that carries none; None where ticks are history, which must.

    Raises
    ------
    DataError
        A field is missing or no number, or the time stamp's unit is not the stream's.
    """
    if type(market_data) is not dict and not isinstance(market_data, Mapping):
        raise DataError(
            f"market_data is a {type(market_data).__name__}; it must be a dictionary with "
            f"{', '.join(FIELDS)} and timestamp{_way_out(market_data)}"
        )
    values = _floats(market_data) or tuple([_field(market_data, name) for name in ALL_FIELDS])
    stamp = market_data.get("timestamp")
    if stamp is None:
        if received is None:
            raise DataError(
                "timestamp is missing; only a live tick may come without one, history needs it: "
                "seconds since 1970, an ISO string or a datetime"
            )
        return TickInput(received(), kind, values)
    timestamp, found = to_nanoseconds(stamp)
    if kind is not None and found != kind:
        raise DataError(
            f"timestamp is {stamp!r}, {TIMESTAMP_KINDS[found]}, but this symbol's time stamps "
            f"were {TIMESTAMP_KINDS[kind]} before; give them all in one form"
        )
    return TickInput(timestamp, found, values)
