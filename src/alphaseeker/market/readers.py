"""Reading ticks: one reader for CSV, CSV.gz and Parquet files, globs, directories and frames."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from alphaseeker.errors import ConfigError, DataError
from alphaseeker.market.array_file import GrowingArray
from alphaseeker.market.assembly import TickAssembler
from alphaseeker.market.csv_reader import read_csv_blocks
from alphaseeker.market.frames import frame_origin, is_frame, read_frame_blocks
from alphaseeker.market.layout import Block
from alphaseeker.market.origin import Origin
from alphaseeker.market.parquet_reader import read_parquet_blocks
from alphaseeker.market.schema import FileRun, TickSeries
from alphaseeker.market.session_order import SessionOrder
from alphaseeker.market.sources import find_files, is_parquet

if TYPE_CHECKING:
    import pandas
    import polars

__all__ = ["TickSource", "iter_ticks", "read_ticks", "source_name"]

TickSource: TypeAlias = "str | os.PathLike[str] | pandas.DataFrame | polars.DataFrame"

_CHUNK_ROWS = 250_000
# Of the limit: arrays that are smaller stay in memory, or a thousand symbols would need thousands
# of open files.
SMALL_SHARE = 64


def source_name(source: object) -> str:
    """Return how reports and messages name a source: its path, or the kind of frame."""
    return str(source) if isinstance(source, (str, os.PathLike)) else type(source).__name__


def iter_ticks(
    source: TickSource,
    *,
    price_col: str = "close",
    chunk_rows: int = _CHUNK_ROWS,
    symbol: str | None = None,
) -> Iterator[TickSeries]:
    """Return the ticks of a source piece by piece, in bounded memory, in the source's order.

    Parameters
    ----------
    source
        A CSV, CSV.gz or Parquet file; a glob or a directory of them, read by name; or a pandas or
        polars frame. Column names are compared without case and outer spaces, others are ignored.
    price_col
        The column read as ``close``.
    chunk_rows
        Most rows in a piece.
    symbol
        Keep only this symbol; where there is no ``symbol`` column, the name of the series.

    Returns
    -------
    Iterator[TickSeries]
        Pieces of one symbol each, not judged by the quality gate. Session codes follow from the
        names (``schema.session_code``): equal names are one session over all files, and rows of
        files without a ``session`` column are one session too. Sessions may come in any order,
        even in turns.

    Raises
    ------
    DataError
        There is nothing to read, or something cannot be read without guessing. What the contents
        show is raised while iterating, with file, line or row, and column.
    ConfigError
        ``chunk_rows`` is not a whole number from 1.
    """
    return _pieces(source, price_col, chunk_rows, TickAssembler(symbol, order=None))


def read_ticks(
    source: TickSource,
    *,
    price_col: str = "close",
    chunk_rows: int = _CHUNK_ROWS,
    symbol: str | None = None,
    memory_limit: float | None = None,
    columns: Sequence[str] = (),
    quotes_needed: bool = True,
) -> list[TickSeries]:
    """Return all ticks of a source, one series a symbol, by first appearance.

    The rows of a symbol keep their order, as live ticks have theirs. Other parameters and errors
    are those of ``iter_ticks``.

    Parameters
    ----------
    memory_limit
        Bytes: where the ticks and their depth take more, large arrays stand in files without a
        name; see ``market.array_file``. None for no limit.
    columns
        Further columns of numbers, kept as ``TickSeries.brought``.
    quotes_needed
        Otherwise a time stamp and the price are enough; what is not there is NaN.

    Raises
    ------
    DataError
        Also: a session of a symbol comes back after another one of it has begun; or there is no
        room for the files.
    """
    assembler = TickAssembler(symbol, order=SessionOrder())
    limit = math.inf if memory_limit is None else memory_limit
    stored: dict[str, dict[str, GrowingArray]] = {}
    files: dict[str, list[FileRun]] = {}
    wanted = {"columns": tuple(columns), "quotes_needed": quotes_needed}
    for piece in _pieces(source, price_col, chunk_rows, assembler, wanted):
        arrays = stored.setdefault(piece.symbol, {})
        _append_file(piece, arrays, files.setdefault(piece.symbol, []))
        _append_funding(piece, arrays)
        for name in ("ticks", "rows", "depth", "brought"):
            if getattr(piece, name) is not None:
                arrays.setdefault(name, GrowingArray()).append(getattr(piece, name))
        every = [array for arrays in stored.values() for array in arrays.values()]
        if sum(array.held for array in every) > limit:
            for array in every:
                if array.held >= limit / SMALL_SHARE:
                    array.spill()
    return [_joined(name, stored.pop(name), files[name]) for name in list(stored)]


def _append_file(piece: TickSeries, arrays: dict[str, GrowingArray], files: list[FileRun]) -> None:
    """Note where the rows of the next file begin."""
    for run in piece.files:
        if not files or files[-1].number != run.number:
            files.append(run._replace(start=len(arrays["ticks"]) if "ticks" in arrays else 0))


def _append_funding(piece: TickSeries, arrays: dict[str, GrowingArray]) -> None:
    """Keep the funding rates of a piece; NaN where one source has none and another has."""
    if piece.funding is None and "funding" not in arrays:
        return
    if "funding" not in arrays:
        arrays["funding"] = GrowingArray()
        if "ticks" in arrays:
            arrays["funding"].append(np.full(len(arrays["ticks"]), math.nan))
    rates = piece.funding
    arrays["funding"].append(np.full(len(piece), math.nan) if rates is None else rates)


def _block_sources(
    source: Any, price_col: str, chunk_rows: int, wanted: Mapping[str, Any]
) -> list[tuple[Origin, Iterator[Block]]]:
    """Return where each part of the source comes from, and its blocks (not yet read)."""
    if is_frame(source):
        blocks = read_frame_blocks(source, price_col=price_col, chunk_rows=chunk_rows, **wanted)
        return [(frame_origin(source), blocks)]
    if not isinstance(source, (str, os.PathLike)):
        hint = "; call .collect() on a lazy frame" if hasattr(source, "collect") else ""
        raise DataError(
            f"data is a {type(source).__name__}; give a path, glob, directory, or a pandas or "
            f"polars frame{hint}"
        )
    sources: list[tuple[Origin, Iterator[Block]]] = []
    for path in find_files(source):
        parquet = is_parquet(path)
        read = read_parquet_blocks if parquet else read_csv_blocks
        blocks = read(path, price_col=price_col, chunk_rows=chunk_rows, **wanted)
        sources.append((Origin(name=str(path), row_word="row" if parquet else "line"), blocks))
    return sources


def _pieces(
    source: Any,
    price_col: str,
    chunk_rows: int,
    assembler: TickAssembler,
    wanted: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[TickSeries]:
    """Check the arguments at once; the iterator returned does the rest."""
    if isinstance(chunk_rows, bool) or not isinstance(chunk_rows, int) or chunk_rows < 1:
        raise ConfigError(f"chunk_rows is {chunk_rows!r}; it must be a whole number from 1")
    sources = _block_sources(source, price_col, chunk_rows, wanted)
    return _assemble(sources, chunk_rows, assembler)


def _assemble(
    sources: list[tuple[Origin, Iterator[Block]]], chunk_rows: int, assembler: TickAssembler
) -> Iterator[TickSeries]:
    for number, (origin, blocks) in enumerate(sources):
        files = (FileRun(0, number, Path(origin.name).name),) if len(sources) > 1 else ()
        for block in blocks:
            for series in assembler.pieces(block, origin):
                whole = replace(series, files=files)
                for start in range(0, len(whole), chunk_rows):
                    yield whole.piece(start, start + chunk_rows)
    assembler.finish()


def _joined(symbol: str, arrays: dict[str, GrowingArray], files: list[FileRun]) -> TickSeries:
    return TickSeries(
        symbol=symbol,
        ticks=arrays["ticks"].joined(),
        rows=arrays["rows"].joined(),
        depth=arrays["depth"].joined() if "depth" in arrays else None,
        funding=arrays["funding"].joined() if "funding" in arrays else None,
        brought=arrays["brought"].joined() if "brought" in arrays else None,
        files=tuple(files),
    )
