"""Chosen rows and columns of the feature blocks, read piece by piece from where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.features.block import FeatureBlock
from alphaseeker.features.matrix_file import release
from alphaseeker.market.array_file import trim_memory

__all__ = ["PIECE_ROWS", "RowMatrix", "score_rows"]

# 64 KB of a column: what the system maps at the first touch of a file anyway.
PIECE_ROWS = 16_384
ROWS_AT_ONCE = 256  # while columns are turned into rows
RELEASED_AFTER = 64_000_000  # bytes of a file that were touched

Matrix = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


@kernel
def _turn(columns: Matrix, rows: Numbers, chosen: Numbers, out: Matrix) -> None:
    """Copy the numbers ``rows`` of the ``chosen`` of ``columns``, shape (C, n), to rows of out."""
    for first in range(0, len(rows), ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE, len(rows))
        wanted = rows[first:last]
        for j in range(len(chosen)):
            column = columns[chosen[j]]
            for i in range(len(wanted)):
                out[first + i, j] = column[wanted[i]]


class RowMatrix:
    """A matrix of float32 over the blocks; nothing of it is copied until asked for.

    What was read of blocks whose values stand in a file is given back at once, so that resident
    memory does not grow with the matrix.

    Parameters
    ----------
    blocks
        Blocks with the same columns. Values may be in any order, in memory or in a file.
    rows
        Rising row numbers over all blocks, shape (m,), int64.
    columns
        The k column numbers, in the order wanted.
    """

    def __init__(
        self, blocks: Sequence[FeatureBlock], rows: Numbers, columns: Sequence[int]
    ) -> None:
        self._values = [block.values for block in blocks]
        self._starts = np.cumsum([0, *(len(block) for block in blocks)])
        self._rows = rows
        self._columns = np.asarray(columns, dtype=np.int64)
        # Where the rows of each block begin among those chosen.
        self._places = np.searchsorted(rows, self._starts)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"RowMatrix({len(self)} rows, {len(self._columns)} columns)"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self._rows), len(self._columns)

    def read(self, start: int, stop: int) -> Matrix:
        """Return the rows from ``start`` to ``stop``, shape (stop - start, k), C-contiguous."""
        start, stop, _ = slice(start, stop).indices(len(self))
        out = np.empty((max(stop - start, 0), len(self._columns)), dtype=np.float32)
        for number, values in enumerate(self._values):
            first = max(start, int(self._places[number]))
            last = min(stop, int(self._places[number + 1]))
            if first >= last:
                continue
            local = self._rows[first:last] - self._starts[number]
            into = out[first - start : last - start]
            if values.flags.f_contiguous:
                _turn(values.T, local, self._columns, into)
            else:
                into[:] = values[local[:, None], self._columns]
            release(values)
        return out

    def pieces(self, rows: int = PIECE_ROWS) -> Iterator[tuple[slice, Matrix]]:
        """Yield the matrix from top to bottom: which rows, and they, at most ``rows`` at a time."""
        for start in range(0, len(self), rows):
            stop = min(start + rows, len(self))
            yield slice(start, stop), self.read(start, stop)

    def column(self, position: int) -> Matrix:
        """Return one column, shape (m,)."""
        out = np.empty(len(self), dtype=np.float32)
        column = self._columns[position]
        for number, values in enumerate(self._values):
            first, last = self._places[number : number + 2]
            out[first:last] = values[self._rows[first:last] - self._starts[number], column]
            release(values)
        return out

    def take(self, numbers: npt.ArrayLike) -> Matrix:
        """Return rows by their numbers within this matrix, in any order, shape (len, k)."""
        wanted = self._rows[np.asarray(numbers, dtype=np.int64)]
        out = np.empty((len(wanted), len(self._columns)), dtype=np.float32)
        for number, values in enumerate(self._values):
            begin, end = self._starts[number : number + 2]
            places = np.flatnonzero((begin <= wanted) & (wanted < end))
            local = wanted[places] - begin
            touched = 0
            # By column: neighbours in a column stand together, in memory and on disk.
            for position, column in enumerate(self._columns):
                out[places, position] = values[local, column]
                touched += len(values) * values.itemsize
                if touched > RELEASED_AFTER:
                    release(values)
                    touched = 0
            release(values)
        return out

    def all(self) -> Matrix:
        """Return the whole matrix, shape (m, k): for small ones."""
        return self.read(0, len(self))


def score_rows(
    predict: Callable[[Matrix], npt.NDArray[np.float64]], matrix: RowMatrix | Matrix
) -> npt.NDArray[np.float64]:
    """Return the raw scores, shape (m, 3), of a matrix that is read piece by piece.

    Parameters
    ----------
    predict
        Raw scores, shape (n, 3), of a float32 matrix, shape (n, k); row by row.
    """
    if isinstance(matrix, np.ndarray):
        return predict(matrix)
    # Of the fit before: its bins are freed, and would stand empty beside the scores.
    trim_memory()
    scores = np.empty((len(matrix), 3))
    for rows, piece in matrix.pieces():
        scores[rows] = predict(piece)
    return scores
