"""pandas and polars frames, recognised by what they can do, so that neither need be installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from alphaseeker.errors import DataError
from alphaseeker.market.conversion import BlockConverter
from alphaseeker.market.layout import Block, find_columns, normalize_name
from alphaseeker.market.origin import Origin

__all__ = ["frame_origin", "is_frame", "read_frame_blocks"]


def is_frame(source: object) -> bool:
    """Say whether ``source`` is a pandas or a polars DataFrame."""
    return _is_pandas(source) or _is_polars(source)


def frame_origin(frame: object) -> Origin:
    """Return how a frame is named in messages."""
    return Origin(name="pandas frame" if _is_pandas(frame) else "polars frame", row_word="row")


def _is_pandas(source: object) -> bool:
    return hasattr(source, "iloc") and hasattr(source, "columns")


def _is_polars(source: object) -> bool:
    return hasattr(source, "get_column") and hasattr(source, "to_arrow")


def read_frame_blocks(
    frame: Any,
    *,
    price_col: str,
    chunk_rows: int,
    columns: Sequence[str] = (),
    quotes_needed: bool = True,
) -> Iterator[Block]:
    """Yield a frame's rows, converted; ``rows`` counts from 1.

    A pandas index named ``timestamp`` serves where no column has that name.

    Raises
    ------
    DataError
        The frame is empty, or a column or cell cannot be what its name says.
    """
    pandas = _is_pandas(frame)
    origin = frame_origin(frame)
    names = list(frame.columns)
    indexed = (
        pandas
        and normalize_name(frame.index.name) == "timestamp"
        and not any(normalize_name(name) == "timestamp" for name in names)
    )
    if indexed:
        names.append("timestamp")
    layout = find_columns(
        names, price_col=price_col, origin=origin, columns=columns, quotes_needed=quotes_needed
    )
    if len(frame) == 0:
        raise origin.error("the frame has no rows")
    converter = BlockConverter(layout, origin, text_is_missing=False)
    for start in range(0, len(frame), chunk_rows):
        stop = min(start + chunk_rows, len(frame))
        cells: dict[int, Any] = {}
        for position in set(layout.positions.values()):
            name = str(names[position])
            if indexed and position == len(names) - 1:
                cells[position] = _pandas_column(frame.index[start:stop], name, origin)
            elif pandas:
                cells[position] = _pandas_column(frame.iloc[start:stop, position], name, origin)
            else:
                cells[position] = _polars_column(frame[names[position]][start:stop])
        yield converter.convert(cells, np.arange(start + 1, stop + 1, dtype=np.int64))
    converter.finish()


def _pandas_column(series: Any, name: str, origin: Origin) -> Any:
    """Return a pyarrow array, or a list of cells where their types may differ."""
    import pyarrow as pa

    if series.dtype == object:
        cells = series.tolist()
        if not all(isinstance(cell, str) for cell in cells):
            return cells
    try:
        return pa.array(series, from_pandas=True)
    except UnicodeEncodeError:  # the one cell at fault has a row
        return series.tolist()
    except (pa.ArrowException, TypeError) as error:
        raise _unreadable(series.dtype, name, origin) from error


def _polars_column(series: Any) -> Any:
    import pyarrow as pa

    if str(series.dtype) == "Object":
        return series.to_list()
    try:
        return series.to_arrow()
    except pa.ArrowException:  # 128-bit integers
        return series.to_list()


def _unreadable(dtype: object, name: str, origin: Origin) -> DataError:
    return origin.error(
        f"has the dtype {dtype}, which cannot be read; convert the column to float64", column=name
    )
