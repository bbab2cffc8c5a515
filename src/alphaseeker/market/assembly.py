"""Blocks of rows, from any number of sources, to ticks by symbol with session codes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.market.depth import DEPTH_COLUMNS
from alphaseeker.market.layout import BROUGHT, Block
from alphaseeker.market.origin import Origin
from alphaseeker.market.schema import TICK, TickSeries, session_code
from alphaseeker.market.session_order import HOW_TO_ORDER, SessionOrder

__all__ = ["TickAssembler"]


class TickAssembler:
    """Splits blocks by symbol, over all sources of one reading.

    Parameters
    ----------
    symbol
        The one symbol to keep where a source has a ``symbol`` column, and the name of the
        series where it has none; None keeps all, and names the latter ``""``.
    order
        Checks that no session comes back; None lets any order pass.
    """

    def __init__(self, symbol: str | None, order: SessionOrder | None) -> None:
        self._symbol = symbol
        self._order = order
        self._seen: dict[str, None] = {}
        self._depths: dict[str, tuple[int, str]] = {}

    def pieces(self, block: Block, origin: Origin) -> Iterator[TickSeries]:
        """Yield the ticks of a block, one series a symbol, in order of first appearance.

        Raises
        ------
        DataError
            A symbol has another number of depth levels than in an earlier source, or one of its
            sessions comes back.
        """
        sessions, names = _session_codes(block)
        for symbol, chosen in self._split(block):
            if self._symbol is not None and symbol != self._symbol:
                continue
            levels, first = self._depths.setdefault(symbol, (block.levels, origin.name))
            if levels != block.levels:
                raise origin.error(
                    f"holds {block.levels} depth levels, {first} holds {levels}; "
                    "read sources of the same depth together"
                )
            series = _series(symbol, block, chosen, sessions[chosen])
            returned = self._order.returns(symbol, sessions[chosen]) if self._order else []
            if returned:
                name = names[int(series.ticks["session"][returned[0]])]
                whose = f" of symbol {symbol!r}" if symbol else ""
                raise origin.error(
                    f"session {name!r}{whose} comes back after another session has begun; "
                    f"{HOW_TO_ORDER}",
                    row=int(series.rows[returned[0]]),
                )
            yield series

    def finish(self) -> None:
        """Raise DataError where the wanted symbol stood in no source."""
        if self._symbol is not None and self._symbol not in self._seen:
            found = ", ".join(repr(symbol) for symbol in self._seen)
            raise DataError(f"no row has the symbol {self._symbol!r}; found: {found}")

    def _split(self, block: Block) -> Iterator[tuple[str, npt.NDArray[np.int64] | slice]]:
        if "symbol" not in block.labels:
            symbol = self._symbol or ""
            self._seen.setdefault(symbol)
            yield symbol, slice(None)
            return
        encoded = block.labels["symbol"].dictionary_encode()
        symbols = encoded.dictionary.to_pylist()
        self._seen.update(dict.fromkeys(symbols))
        if len(symbols) == 1:
            yield symbols[0], slice(None)
            return
        codes = encoded.indices.to_numpy()
        for code, symbol in enumerate(symbols):
            yield symbol, np.flatnonzero(codes == code)


def _session_codes(block: Block) -> tuple[npt.NDArray[np.int64], dict[int, str]]:
    """Return the code of each row, and the name of each code."""
    if "session" not in block.labels:
        return np.zeros(len(block.rows), dtype=np.int64), {0: ""}
    encoded = block.labels["session"].dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = np.array([session_code(name) for name in names], dtype=np.int64)
    return codes[encoded.indices.to_numpy()], dict(zip(codes.tolist(), names, strict=True))


def _series(
    symbol: str,
    block: Block,
    chosen: npt.NDArray[np.int64] | slice,
    sessions: npt.NDArray[np.int64],
) -> TickSeries:
    rows = block.rows[chosen]
    ticks = np.empty(len(rows), dtype=TICK)
    ticks["timestamp"] = block.timestamp[chosen]
    ticks["session"] = sessions
    for field in TICK.names or ():
        if field not in ("timestamp", "session"):
            values = block.numbers.get(field)
            ticks[field] = math.nan if values is None else values[chosen]
    depth = None
    if block.levels > 0:
        depth = np.empty((len(rows), block.levels, len(DEPTH_COLUMNS)))
        for level in range(block.levels):
            for column, name in enumerate(DEPTH_COLUMNS):
                depth[:, level, column] = block.numbers[f"{name}_{level + 1}"][chosen]
    fields = [field for field in block.numbers if field.startswith(BROUGHT)]
    brought = np.empty((len(rows), len(fields))) if fields else None
    for column, field in enumerate(fields):
        brought[:, column] = block.numbers[field][chosen]  # type: ignore[index]
    funding = block.numbers.get("funding_rate")
    return TickSeries(
        symbol=symbol,
        ticks=ticks,
        rows=rows,
        depth=depth,
        funding=None if funding is None else funding[chosen],
        brought=brought,
    )
