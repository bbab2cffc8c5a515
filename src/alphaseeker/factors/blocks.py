"""Blocks of time, and the returns ranked once in each of them, for all factors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.factors.ranks import sort_order

__all__ = [
    "MIN_BLOCK_ROWS",
    "block_orders",
    "cut_blocks",
    "rank_in_order",
    "return_ranks",
]

MIN_BLOCK_ROWS = 10  # a rank correlation of fewer pairs says nothing


@kernel
def cut_blocks(
    timestamp: npt.NDArray[np.int64], segment: npt.NDArray[np.int64], block_ns: int
) -> npt.NDArray[np.int64]:
    """Cut rows into blocks of time, near ``block_ns`` long, none of which crosses a segment.

    A segment is divided evenly into the whole number of blocks that comes nearest, so that a
    block lasts between half and one and a half ``block_ns``; a segment shorter than half a
    block gives none.

    Parameters
    ----------
    timestamp
        Shape (n,), int64, nanoseconds, not decreasing within a segment.
    segment
        Shape (n,), int64; equal numbers stand together.
    block_ns
        Nanoseconds, at least 1.

    Returns
    -------
    numpy.ndarray
        Shape (b, 2), int64: first row of each block and the row after its last.
    """
    rows = len(timestamp)
    spans = []
    first = 0
    while first < rows:
        stop = first + 1
        while stop < rows and segment[stop] == segment[first]:
            stop += 1
        start_ns = timestamp[first]
        length_ns = timestamp[stop - 1] - start_ns
        # The last row ends a stretch of time as long as the mean step before it.
        if stop - first > 1:
            length_ns += length_ns // (stop - first - 1)
        pieces = (2 * length_ns + block_ns) // (2 * block_ns)
        begin = first
        for piece in range(1, pieces + 1):
            # Whole numbers, the product split so that it stays below 2**63.
            whole = (length_ns // pieces) * piece + (length_ns % pieces) * piece // pieces
            row = begin
            while row < stop and timestamp[row] - start_ns < whole:
                row += 1
            if piece == pieces:
                row = stop
            if row > begin:
                spans.append((begin, row))
            begin = row
        first = stop
    blocks = np.empty((len(spans), 2), np.int64)
    for block in range(len(spans)):
        blocks[block, 0] = spans[block][0]
        blocks[block, 1] = spans[block][1]
    return blocks


@kernel
def block_orders(
    returns: npt.NDArray[np.float64], blocks: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """Sort the returns of every block once, for all factors.

    Parameters
    ----------
    returns
        Shape (n,), float64; NaN where unresolved.
    blocks
        Shape (b, 2), int64, as from `cut_blocks`.

    Returns
    -------
    numpy.ndarray
        Shape (n,), int32: at ``blocks[b, 0]`` and on, the rows of block b whose return is
        finite, by rising return; -1 at what is left.
    """
    orders = np.full(len(returns), -1, np.int32)
    for block in range(len(blocks)):
        start, stop = blocks[block]
        rows = np.empty(stop - start, np.int64)
        count = 0
        for row in range(start, stop):
            if np.isfinite(returns[row]):
                rows[count] = row
                count += 1
        rows = rows[:count]
        orders[start : start + count] = rows[sort_order(returns[rows])]
    return orders


@kernel
def return_ranks(
    returns: npt.NDArray[np.float64],
    blocks: npt.NDArray[np.int64],
    orders: npt.NDArray[np.int32],
    ranks: npt.NDArray[np.float32],
    squares: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
) -> None:
    """Rank the returns of every block once, for all factors that are finite where they are.

    Parameters
    ----------
    returns, blocks, orders
        As in and from `block_orders`.
    ranks
        Output, shape (n,), float32: average ranks less the mean rank of the block (exact up to 16
        million rows a block); NaN where the return is not finite, and outside the blocks.
    squares
        Output, shape (b,): sum of the squares of a block's ranks.
    counts
        Output, shape (b,): finite returns of a block.
    """
    ranks[:] = np.nan
    for block in range(len(blocks)):
        start, stop = blocks[block]
        count = 0
        while start + count < stop and orders[start + count] >= 0:
            count += 1
        counts[block] = count
        squares[block] = rank_in_order(
            returns, orders[start : start + count], ranks, 0.5 * (count + 1)
        )


@part
def rank_in_order(
    returns: npt.NDArray[np.float64],
    order: npt.NDArray[np.int32],
    ranks: npt.NDArray[np.float32],
    middle: float,
) -> float:
    """Write the centred average ranks of the rows in ``order``; return the sum of squares."""
    square = 0.0
    first = 0
    while first < len(order):
        value = returns[order[first]]
        last = first
        while last + 1 < len(order) and returns[order[last + 1]] == value:
            last += 1
        rank = 0.5 * (first + last) + 1.0 - middle
        for slot in range(first, last + 1):
            ranks[order[slot]] = rank
        square += rank * rank * (last - first + 1)
        first = last + 1
    return square
