"""Where the values of a feature block stand: column by column, in memory or in a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.features.block import FeatureBlock
from alphaseeker.market.array_file import file_array, in_file, release

__all__ = ["allocate_beside", "allocate_values", "release", "release_block", "value_bytes"]


def value_bytes(rows: int, columns: int) -> int:
    """Return the size of a matrix of float32."""
    return rows * columns * np.dtype(np.float32).itemsize


def allocate_values(
    rows: int, columns: int, *, memory_limit: float | None = None
) -> npt.NDArray[np.float32]:
    """Return room for a feature matrix, each of whose columns stands together.

    Parameters
    ----------
    rows, columns
        Its shape.
    memory_limit
        Bytes: a larger matrix stands in a file, see ``market.array_file``; None for no limit.

    Returns
    -------
    Shape (rows, columns), float32, Fortran-ordered.

    Raises
    ------
    DataError
        The disk has no room for the file.
    """
    shape = (rows, columns)
    if memory_limit is None or value_bytes(rows, columns) <= memory_limit:
        values: npt.NDArray[Any] = np.empty(shape, dtype=np.float32, order="F")
        return values
    return file_array(shape, np.float32, order="F")


def allocate_beside(
    values: npt.NDArray[np.float32], count: int, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Return room for ``count`` numbers a row of ``values``, in a file where those are in one.

    Returns
    -------
    Shape (count, rows).
    """
    shape = (count, len(values))
    return file_array(shape, dtype) if in_file(values) else np.empty(shape, dtype=dtype)


def release_block(block: FeatureBlock) -> None:
    """Give back the memory through which a block in files was read; see ``array_file.release``."""
    for array in (block.values, block.timestamp, block.segment, block.mid, block.close):
        release(array)
