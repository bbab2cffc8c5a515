"""Parquet files, read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from alphaseeker.errors import DataError
from alphaseeker.market.conversion import BlockConverter
from alphaseeker.market.layout import Block, find_columns
from alphaseeker.market.origin import Origin

__all__ = ["read_parquet_blocks"]


def read_parquet_blocks(
    path: Path,
    *,
    price_col: str,
    chunk_rows: int,
    columns: Sequence[str] = (),
    quotes_needed: bool = True,
) -> Iterator[Block]:
    """Yield a Parquet file's rows, converted; ``rows`` counts from 1.

    Parameters
    ----------
    path
        The file. Columns without meaning here are not read.
    price_col
        The column read as ``close``.
    chunk_rows
        Most rows held at a time, beside the row group being decoded.
    columns, quotes_needed
        As in ``layout.find_columns``.

    Raises
    ------
    DataError
        The file is damaged or empty, or a column or cell cannot be what its name says.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    origin = Origin(name=str(path), row_word="row")
    try:
        # Read ahead, all that was read would stay until the file is closed.
        file = pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(origin, error) from error
    with file:
        names = file.schema_arrow.names
        layout = find_columns(
            names, price_col=price_col, origin=origin, columns=columns, quotes_needed=quotes_needed
        )
        converter = BlockConverter(layout, origin, text_is_missing=False)
        positions = sorted(set(layout.positions.values()))
        batches = file.iter_batches(chunk_rows, columns=[names[p] for p in positions])
        done = 0
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                break
            except (pa.ArrowException, OSError) as error:
                raise _damaged(origin, error) from error
            if len(batch):
                rows = np.arange(done + 1, done + 1 + len(batch), dtype=np.int64)
                done += len(batch)
                yield converter.convert({p: batch.column(names[p]) for p in positions}, rows)
    pa.default_memory_pool().release_unused()
    if done == 0:
        raise origin.error("the file has no rows")
    converter.finish()


def _damaged(origin: Origin, error: Exception) -> DataError:
    return origin.error(f"not a whole Parquet file ({error}); write or fetch it again")
