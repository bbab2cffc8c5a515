"""Blocks of time, and a factor ranked once in each of them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.factors.ranks import ranks_in_order, sort_order

__all__ = ["MIN_BLOCK_ROWS", "block_ics", "block_orders", "cut_blocks"]

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
) -> npt.NDArray[np.int64]:
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
        Shape (n,), int64: at ``blocks[b, 0]`` and on, the rows of block b whose return is
        finite, by rising return; -1 at what is left.
    """
    orders = np.full(len(returns), -1, np.int64)
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
def block_ics(
    factor: npt.NDArray[np.float64],
    returns: npt.NDArray[np.float64],
    blocks: npt.NDArray[np.int64],
    orders: npt.NDArray[np.int64],
    quantiles: int,
    ics: npt.NDArray[np.float64],
    edges: npt.NDArray[np.float64],
    products: npt.NDArray[np.float64],
) -> int:
    """Rank a factor once in every block: its ICs, its outer quantile edges, the rows' shares.

    Rows whose factor or return is not finite are left out. A block with fewer than
    ``MIN_BLOCK_ROWS`` pairs has no edges and no IC; one in which either side is constant has
    no IC.

    Parameters
    ----------
    factor
        Shape (n,), float64.
    returns, blocks, orders
        As in and from `block_orders`.
    quantiles
        Number of quantiles, at least 2.
    ics
        Output, shape (b,), float64: Spearman's correlation in each block, NaN where it has none.
    edges
        Output, shape (b, 2), float64: the largest value of the lowest quantile and the smallest
        of the highest one; NaN where the block has none.
    products
        Output, shape (n,), float64: for each row of a block with an IC the product of its
        standardised ranks, whose mean over the block is the IC; NaN elsewhere.

    Returns
    -------
    int
        Number of rows in blocks that have an IC.
    """
    ics[:] = np.nan
    edges[:] = np.nan
    products[:] = np.nan
    used = 0
    for block in range(len(blocks)):
        start, stop = blocks[block]
        place = np.full(stop - start, -1, np.int64)
        values = np.empty(stop - start)
        count = 0
        for row in range(start, stop):
            if np.isfinite(factor[row]) and np.isfinite(returns[row]):
                place[row - start] = count
                values[count] = factor[row]
                count += 1
        if count < MIN_BLOCK_ROWS:
            continue
        values = values[:count]
        order = sort_order(values)
        share = (count + quantiles - 1) // quantiles
        edges[block, 0] = values[order[share - 1]]
        edges[block, 1] = values[order[count - share]]
        ranks = ranks_in_order(values, order)
        # The returns are sorted already: leaving out rows keeps the rest in order.
        outcomes = np.empty(count)
        outcome_order = np.empty(count, np.int64)
        taken = 0
        for slot in range(start, stop):
            row = orders[slot]
            if row >= 0 and place[row - start] >= 0:
                outcome_order[taken] = place[row - start]
                outcomes[place[row - start]] = returns[row]
                taken += 1
        outcome_ranks = ranks_in_order(outcomes, outcome_order)
        middle = 0.5 * (count + 1)
        square = 0.0
        outcome_square = 0.0
        cross = 0.0
        for item in range(count):
            left = ranks[item] - middle
            right = outcome_ranks[item] - middle
            square += left * left
            outcome_square += right * right
            cross += left * right
        if not (square > 0.0 and outcome_square > 0.0):
            continue
        scale = 1.0 / (math.sqrt(square) * math.sqrt(outcome_square))
        ics[block] = cross * scale
        used += count
        for row in range(start, stop):
            item = place[row - start]
            if item >= 0:
                product = (ranks[item] - middle) * (outcome_ranks[item] - middle)
                products[row] = product * scale * count
    return used
