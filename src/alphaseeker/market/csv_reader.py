"""CSV files, plain or gzip, streamed in bounded memory with true line numbers.

A block of records is parsed by pyarrow into typed columns. Only where that fails, or where lines
and rows do not match one to one, are the block's cells read one by one, which either succeeds or
names the line and column at fault. Both ways give the same values.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.market.conversion import BlockConverter
from alphaseeker.market.layout import Block, Layout, find_columns
from alphaseeker.market.origin import Origin
from alphaseeker.market.records import record_blocks

__all__ = ["read_csv_blocks"]

_BYTES_PER_ROW = 128  # a usual row of quotes; sizes the blocks, nothing depends on it
_MIN_BLOCK_BYTES = 256
_MAX_BLOCK_BYTES = 16 << 20

_WHOLE = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*[+-]?\d+\.\d*\s*", re.ASCII)


def read_csv_blocks(
    path: Path,
    *,
    price_col: str,
    chunk_rows: int,
    columns: Sequence[str] = (),
    quotes_needed: bool = True,
) -> Iterator[Block]:
    """Yield a CSV file's rows, converted.

    Parameters
    ----------
    path
        Comma-separated UTF-8 with a header; gzip is recognised by its first bytes.
    price_col
        The column read as ``close``.
    chunk_rows
        About how many rows to hold at a time; never more than 16 MiB of text.
    columns, quotes_needed
        As in ``layout.find_columns``.

    Raises
    ------
    DataError
        The file cannot be read without guessing; the message names line and column.
    """
    origin = Origin(name=str(path), row_word="line")
    block_bytes = min(max(chunk_rows * _BYTES_PER_ROW, _MIN_BLOCK_BYTES), _MAX_BLOCK_BYTES)
    table: _Table | None = None
    for first_line, data in record_blocks(path, block_bytes, origin):
        line, body = first_line, data
        if table is None:
            header, used = _split_header(data, first_line, origin)
            if header is None:
                continue
            layout = find_columns(
                header,
                price_col=price_col,
                origin=origin,
                columns=columns,
                quotes_needed=quotes_needed,
            )
            table = _Table(layout, origin)
            line, body = first_line + data.count(b"\n", 0, used), data[used:]
        block = table.convert(body, line)
        if block is not None:
            yield block
    if table is None:
        raise origin.error("the file is empty; it needs a header and rows")
    table.finish()


def _split_header(data: bytes, line: int, origin: Origin) -> tuple[list[str] | None, int]:
    """Return the first record that is not blank, and where the next one begins."""
    for _, header, lines in _records(data, line, origin):
        end = 0
        for _ in range(lines - line):
            end = data.find(b"\n", end) + 1 or len(data)
        return header, end
    return None, len(data)


def _records(data: bytes, line: int, origin: Origin) -> Iterator[tuple[int, list[str], int]]:
    """Yield (line, cells, line of the next record) of each record that is not blank."""
    # Bytes split at LF alone: a lone carriage return reaches the csv module, which refuses it.
    reader = csv.reader(map(bytes.decode, io.BytesIO(data)))
    begin = line
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise origin.error(
                f"the line is not CSV ({error}); end lines with LF or CRLF", row=begin
            ) from error
        following = line + reader.line_num
        if any(cell.strip() for cell in cells) or len(cells) > 1:
            yield begin, cells, following
        begin = following


class _Table:
    """The rows under one header."""

    def __init__(self, layout: Layout, origin: Origin) -> None:
        self._layout = layout
        self._origin = origin
        self._converter = BlockConverter(layout, origin, text_is_missing=True)
        self._positions = sorted(set(layout.positions.values()))
        self._time = layout.positions["timestamp"]
        self._texts = {layout.positions[field] for field in layout.labels}
        self._time_type: Any = None
        self._rows = 0

    def convert(self, data: bytes, line: int) -> Block | None:
        """Return the rows of whole records; None where there are none."""
        if not data or data.isspace():
            return None
        lines = data.count(b"\n") + (not data.endswith(b"\n"))
        columns = self._parse_fast(data, lines)
        if columns is not None:
            rows = np.arange(line, line + lines, dtype=np.int64)
        else:
            columns, rows = self._parse_cells(data, line)
        self._rows += len(rows)
        return self._converter.convert(columns, rows)

    def finish(self) -> None:
        """Check what only the whole file shows."""
        if self._rows == 0:
            raise self._origin.error("the file has a header and no rows")
        self._converter.finish()

    def _parse_fast(self, data: bytes, lines: int) -> dict[int, Any] | None:
        """Return typed columns, or None where a row is not exactly one line or a cell misfits."""
        import pyarrow as pa

        if data.count(b"\r") != data.count(b"\r\n"):
            return None
        if self._time_type is None:
            self._time_type = self._guess_time_type(data)
        columns = self._parse_typed(data, lines, self._time_type)
        if columns is None and self._time_type != pa.string():
            columns = self._parse_typed(data, lines, pa.string())
            if columns is not None:
                self._time_type = pa.string()
        return columns

    def _parse_typed(self, data: bytes, lines: int, time_type: Any) -> dict[int, Any] | None:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        types = {str(position): pa.float64() for position in self._positions}
        types |= {str(position): pa.string() for position in self._texts}
        types[str(self._time)] = time_type
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(data),
                read_options=arrow_csv.ReadOptions(
                    column_names=[str(position) for position in range(len(self._layout.names))]
                ),
                parse_options=arrow_csv.ParseOptions(newlines_in_values=b'"' in data),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=types, include_columns=[str(p) for p in self._positions]
                ),
            )
        except pa.ArrowInvalid:
            return None
        if table.num_rows != lines:
            return None
        return {position: table.column(str(position)) for position in self._positions}

    def _guess_time_type(self, data: bytes) -> Any:
        """Return the type of the first time stamp; a wrong guess only costs time."""
        import pyarrow as pa

        for _, cells, _ in _records(data, 1, self._origin):
            cell = cells[self._time] if self._time < len(cells) else ""
            if _WHOLE.fullmatch(cell):
                return pa.int64()
            return pa.float64() if _DECIMAL.fullmatch(cell) else pa.string()
        return pa.string()

    def _parse_cells(
        self, data: bytes, line: int
    ) -> tuple[dict[int, list[str]], npt.NDArray[np.int64]]:
        columns: dict[int, list[str]] = {position: [] for position in self._positions}
        rows = []
        width = len(self._layout.names)
        for row, cells, _ in _records(data, line, self._origin):
            if len(cells) != width:
                place = min(len(cells), width)
                # The first cell that is missing, or the last column before the surplus.
                name = self._layout.names[min(place, width - 1)]
                raise self._origin.error(
                    f"the row has {len(cells)} cells, the header has {width} columns: "
                    f"{_shown(cells)}; quote cells that hold commas",
                    row=row,
                    column=name,
                )
            rows.append(row)
            for position in self._positions:
                columns[position].append(cells[position])
        return columns, np.array(rows, dtype=np.int64)


def _shown(cells: list[str]) -> str:
    text = ",".join(cells)
    return repr(text if len(text) <= 120 else text[:117] + "...")
