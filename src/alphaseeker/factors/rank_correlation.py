"""A factor sorted once in every block, and its rank correlation with any number of returns."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.factors.blocks import MIN_BLOCK_ROWS, rank_in_order
from alphaseeker.factors.ranks import sorted_pairs

__all__ = ["PLACE", "Room", "allocate_room", "block_ics", "pairs_of_block", "rank_correlation"]

_PLACE_BITS = np.uint64(32)
PLACE = np.uint64(0xFFFF_FFFF)  # the part of a pair that says where its value stands


@part
def common_ranks(
    factor: npt.NDArray[np.float32],
    returns: npt.NDArray[np.float64],
    order: npt.NDArray[np.int32],
    start: int,
    common: npt.NDArray[np.int32],
    ranks: npt.NDArray[np.float32],
) -> tuple[int, float]:
    """Rank a block's returns anew among the rows where the factor is finite, too.

    Parameters
    ----------
    factor, returns
        Shape (n,), of all rows.
    order
        The block's part of what `block_orders` gave.
    start
        The block's first row.
    common
        Shape (rows of the block,) or more: room to work in.
    ranks
        Shape (rows of the block,): written; NaN where a row has not both.

    Returns
    -------
    tuple
        How many rows have both, and the sum of the squares of their ranks.
    """
    ranks[:] = np.nan
    count = 0
    for slot in range(len(order)):
        row = order[slot]
        if row < 0:
            break
        if np.isfinite(factor[row]):
            # Rows are told from the block's first one: the ranks are those of the block alone.
            common[count] = row - start
            count += 1
    square = rank_in_order(returns[start:], common[:count], ranks, 0.5 * (count + 1))
    return count, square


@part
def rank_correlation(
    pairs: npt.NDArray[np.uint64],
    ranks: npt.NDArray[np.float32],
    count: int,
    square: float,
    quantiles: int,
    products: npt.NDArray[np.float64],
    keeps_products: bool,
) -> tuple[float, int, int]:
    """Correlate the ranks of a sorted factor with those of the returns, in one block.

    Parameters
    ----------
    pairs
        The block's finite factors in order, as from ``ranks.sorted_pairs``.
    ranks, count, square
        The returns' centred ranks by place (NaN: not among the ``count`` rows with both), and
        the sum of their squares.
    quantiles
        Number of quantiles, at least 2.
    products
        Shape (rows of the block,): where ``keeps_products``, written with the product of each
        row's ranks, scaled so that their mean is the correlation. Rows without both are left
        alone, as is everything else where it is not set: write NaN there first.

    Returns
    -------
    correlation
        NaN where either side is constant.
    low, high
        Items of ``pairs`` that hold the largest value of the lowest quantile and the smallest of
        the highest one.
    """
    middle = 0.5 * (count + 1)
    share = (count + quantiles - 1) // quantiles
    above = count - share + 1
    low = 0
    high = 0
    cross = 0.0
    own_square = 0.0
    first = 0  # rows with both that stand before this value
    item = 0
    while item < len(pairs):
        key = pairs[item] >> _PLACE_BITS
        begin = item
        total = 0.0
        kept = 0
        while item < len(pairs) and pairs[item] >> _PLACE_BITS == key:
            rank = ranks[np.int64(pairs[item] & PLACE)]
            if rank == rank:
                total += float(rank)
                kept += 1
            item += 1
        if kept == 0:
            continue
        own = first + 0.5 * (kept + 1) - middle
        cross += own * total
        own_square += own * own * kept
        if first < share <= first + kept:
            low = begin
        if first < above <= first + kept:
            high = begin
        first += kept
        if keeps_products:
            for one in range(begin, item):
                place = np.int64(pairs[one] & PLACE)
                products[place] = own * float(ranks[place])
    if not (own_square > 0.0 and square > 0.0):
        return math.nan, low, high
    scale = 1.0 / (math.sqrt(own_square) * math.sqrt(square))
    if keeps_products:
        products *= scale * count
    return cross * scale, low, high


Room = tuple[
    npt.NDArray[np.uint64],
    npt.NDArray[np.uint64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int32],
    npt.NDArray[np.float32],
]


@part
def allocate_room(rows: int) -> Room:
    """Return what the kernels work in, for blocks of up to ``rows`` rows."""
    return (
        np.empty(rows, np.uint64),
        np.empty(rows, np.uint64),
        np.empty(2048, np.int64),
        np.empty(rows, np.int32),
        np.empty(rows, np.float32),
    )


@part
def pairs_of_block(
    factor: npt.NDArray[np.float32],
    returns: npt.NDArray[np.float64],
    orders: npt.NDArray[np.int32],
    ranks: npt.NDArray[np.float32],
    square: float,
    known: int,
    start: int,
    stop: int,
    found: int,
    room: Room,
) -> tuple[int, float, npt.NDArray[np.float32]]:
    """Return the rows with both, the sum of squares of their return ranks, and these ranks.

    ``found`` factors and ``known`` returns of the block are finite. Where the factor is finite
    wherever the return is, the ranks are those that all factors share.
    """
    own = ranks[start:stop]
    if found == stop - start:
        return known, square, own
    both = 0
    for row in range(start, stop):
        if np.isfinite(factor[row]) and ranks[row] == ranks[row]:
            both += 1
    if both == known:
        return known, square, own
    own = room[4][: stop - start]
    both, square = common_ranks(factor, returns, orders[start:stop], start, room[3], own)
    return both, square, own


@kernel
def block_ics(
    factor: npt.NDArray[np.float32],
    returns: npt.NDArray[np.float64],
    blocks: npt.NDArray[np.int64],
    quantiles: int,
    orders: npt.NDArray[np.int32],
    ranks: npt.NDArray[np.float32],
    squares: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
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
        Shape (n,), float32.
    returns, blocks, orders
        As in and from `block_orders`.
    quantiles
        Number of quantiles, at least 2.
    ranks, squares, counts
        As from `return_ranks`.
    ics
        Output, shape (b,), float64: Spearman's correlation in each block, NaN where it has none.
    edges
        Output, shape (b, 2), float64: the largest value of the lowest quantile and the smallest
        of the highest one; NaN where the block has none.
    products
        Output, shape (n,), float64: for each row of a block with an IC the product of its
        standardised ranks, whose mean over the block is the IC; NaN elsewhere. Shape (0,) where
        they are not wanted.

    Returns
    -------
    int
        Number of rows in blocks that have an IC.
    """
    ics[:] = np.nan
    edges[:] = np.nan
    products[:] = np.nan
    longest = 0
    for block in range(len(blocks)):
        longest = max(longest, blocks[block, 1] - blocks[block, 0])
    room = allocate_room(longest)
    used = 0
    bits = factor.view(np.uint32)
    for block in range(len(blocks)):
        start, stop = blocks[block]
        pairs, found = sorted_pairs(bits[start:stop], room[0], room[1], room[2])
        pairs = pairs[:found]
        count, square, own = pairs_of_block(
            factor, returns, orders, ranks, squares[block], counts[block], start, stop, found, room
        )
        if count < MIN_BLOCK_ROWS:
            continue
        keeps = len(products) > 0
        share = products[start:stop] if keeps else products
        ic, low, high = rank_correlation(pairs, own, count, square, quantiles, share, keeps)
        edges[block, 0] = factor[start + np.int64(pairs[low] & PLACE)]
        edges[block, 1] = factor[start + np.int64(pairs[high] & PLACE)]
        ics[block] = ic
        if ic == ic:
            used += count
        elif keeps:
            share[:] = np.nan
    return used
