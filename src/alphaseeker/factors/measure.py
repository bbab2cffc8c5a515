"""What one factor shows in a chunk of blocks: sums and block figures, never a number a row.

Everything is kept so that chunks may follow one another: a file of any length is measured with the
memory of one chunk, and in one chunk the figures are the same.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.factors.blocks import MIN_BLOCK_ROWS
from alphaseeker.factors.rank_correlation import (
    PLACE,
    allocate_room,
    pairs_of_block,
    rank_correlation,
)
from alphaseeker.factors.ranks import sorted_pairs

__all__ = [
    "HELD",
    "MOMENTS",
    "OVERLAP",
    "SIDES",
    "add_moments",
    "correlation_of",
    "measure_blocks",
    "newey_west_of",
]

# By block: returns summed over the lowest quantile, between and the highest, and how many rows.
SIDES = 6
# By block of the graded horizon: the same of the cost of going in and out; the squared returns
# of both outer quantiles; the edges that the block was cut by.
HELD = 9
# Of a factor: pairs, both means, both sums of squares, the sum of products, both ranges; finite
# values of the factor alone and their range.
MOMENTS = 13
# Of the series of rank products: its length, the pivot taken from it, the sum, the sums over all
# windows of their squares, of length times sum, of squared lengths, and the window's sum.
OVERLAP = 7

_TILE = 2048


@kernel
def measure_blocks(
    factor: npt.NDArray[np.float32],
    returns: npt.NDArray[np.float64],
    round_trip: npt.NDArray[np.float64],
    blocks: npt.NDArray[np.int64],
    orders: npt.NDArray[np.int32],
    ranks: npt.NDArray[np.float32],
    squares: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    graded: bool,
    quantiles: int,
    edges: npt.NDArray[np.float64],
    ics: npt.NDArray[np.float64],
    sides: npt.NDArray[np.float64],
    held: npt.NDArray[np.float64],
    overlap: npt.NDArray[np.float64],
    window: npt.NDArray[np.float64],
) -> int:
    """Measure a factor in every block of a chunk, at every horizon of a group.

    Each block is sorted once. The quantiles in a block are cut by the edges of the last block
    before it that has any: nothing that was not known then.

    Parameters
    ----------
    factor
        Shape (n,), float32; rows that are not finite are left out.
    returns, round_trip, orders, ranks, squares, counts
        As from ``panel.ranked_chunk``.
    blocks
        Shape (b, 2), int64.
    graded
        Whether the group's first horizon is the graded one: what only it has is written, too.
    quantiles
        Number of quantiles, at least 2.
    edges
        Shape (h, 2), carried on: the latest outer quantile edges, NaN before there are any.
    ics
        Output, shape (h, b): Spearman's correlation in each block, NaN where it has none.
    sides
        Output, shape (h, b, ``SIDES``).
    held
        Output where ``graded``, shape (b, ``HELD``).
    overlap, window
        Shapes (``OVERLAP``,) and (lags + 1,), carried on where ``graded``.

    Returns
    -------
    int
        Rows in blocks that have an IC at the first horizon.
    """
    ics[:] = np.nan
    sides[:] = 0.0
    held[:] = 0.0
    longest = 0
    for block in range(len(blocks)):
        longest = max(longest, blocks[block, 1] - blocks[block, 0])
    room = allocate_room(longest)
    products = np.empty(longest)
    bits = factor.view(np.uint32)
    used = 0
    for block in range(len(blocks)):
        start, stop = blocks[block]
        pairs, found = sorted_pairs(bits[start:stop], room[0], room[1], room[2])
        pairs = pairs[:found]
        for place in range(len(returns)):
            first = graded and place == 0
            low, high = edges[place]
            _add_sides(factor, returns[place], start, stop, low, high, sides[place, block])
            if first:
                _add_held(factor, returns[place], round_trip, start, stop, low, high, held[block])
            count, square, own = pairs_of_block(
                factor,
                returns[place],
                orders[place],
                ranks[place],
                squares[place, block],
                counts[place, block],
                start,
                stop,
                found,
                room,
            )
            if count < MIN_BLOCK_ROWS:
                continue
            share = products[: stop - start]
            if first and count < stop - start:
                share[:] = np.nan
            ic, lowest, highest = rank_correlation(
                pairs, own, count, square, quantiles, share, first
            )
            edges[place, 0] = factor[start + np.int64(pairs[lowest] & PLACE)]
            edges[place, 1] = factor[start + np.int64(pairs[highest] & PLACE)]
            ics[place, block] = ic
            if ic == ic and place == 0:
                used += count
                if graded:
                    _add_overlap(share, overlap, window)
    return used


@part
def _add_sides(
    factor: npt.NDArray[np.float32],
    returns: npt.NDArray[np.float64],
    start: int,
    stop: int,
    low: float,
    high: float,
    sums: npt.NDArray[np.float64],
) -> None:
    """Add up a block's returns by quantile; a value on both edges stands between them."""
    if math.isnan(low):
        return
    for row in range(start, stop):
        value = factor[row]
        if np.isfinite(value) and np.isfinite(returns[row]):
            side = 1 + (value >= high) - (value <= low)
            sums[side] += returns[row]
            sums[3 + side] += 1.0


@part
def _add_held(
    factor: npt.NDArray[np.float32],
    returns: npt.NDArray[np.float64],
    round_trip: npt.NDArray[np.float64],
    start: int,
    stop: int,
    low: float,
    high: float,
    sums: npt.NDArray[np.float64],
) -> None:
    sums[7] = low
    sums[8] = high
    if math.isnan(low):
        return
    for row in range(start, stop):
        value = factor[row]
        if not np.isfinite(value):
            continue
        side = 1 + (value >= high) - (value <= low)
        if np.isfinite(round_trip[row]):
            sums[side] += round_trip[row]
            sums[3 + side] += 1.0
        if side != 1 and np.isfinite(returns[row]):
            sums[6] += returns[row] * returns[row]


@part
def _add_overlap(
    products: npt.NDArray[np.float64],
    overlap: npt.NDArray[np.float64],
    window: npt.NDArray[np.float64],
) -> None:
    """Add a block to the sums over all windows of the series; see `newey_west_of`."""
    width = len(window)
    length = np.int64(overlap[0])
    total = overlap[2]
    squares = overlap[3]
    crossed = overlap[4]
    lengths = overlap[5]
    inside = overlap[6]
    for product in products:
        if product != product:
            continue
        if length == 0:
            overlap[1] = product
        value = product - overlap[1]
        slot = length % width
        if length >= width:
            inside -= window[slot]
        window[slot] = value
        if slot == width - 1:  # anew from time to time: roundings do not add up
            inside = 0.0
            for item in range(width):
                inside += window[item]
        else:
            inside += value
        length += 1
        held = length if length < width else width
        total += value
        squares += inside * inside
        crossed += held * inside
        lengths += held * held
    overlap[0] = length
    overlap[2] = total
    overlap[3] = squares
    overlap[4] = crossed
    overlap[5] = lengths
    overlap[6] = inside


@kernel
def newey_west_of(
    overlap: npt.NDArray[np.float64], window: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Return the mean of the series that was added, and its error after Newey and West (1987).

    It is ``information.newey_west``, whose moving sums are taken from a pivot here and from the
    mean, which is known only now, by the binomial formula.
    """
    width = len(window)
    length = np.int64(overlap[0])
    if length == 0:
        return 0.0, math.nan
    squares = overlap[3]
    crossed = overlap[4]
    lengths = overlap[5]
    held = length if length < width else width
    inside = 0.0
    for item in range(held):
        inside += window[item]
    # Windows that reach beyond the end: the oldest leaves first. A series that is shorter than
    # the window first stays in it as a whole.
    for _ in range(width - held):
        squares += inside * inside
        crossed += held * inside
        lengths += held * held
    oldest = length % width if length >= width else 0
    for gone in range(held - 1):
        inside -= window[(oldest + gone) % width]
        left = held - 1 - gone
        squares += inside * inside
        crossed += left * inside
        lengths += left * left
    mean = overlap[2] / length
    total = squares - 2.0 * mean * crossed + mean * mean * lengths
    return overlap[1] + mean, math.sqrt(max(total, 0.0) / width) / length


@kernel
def add_moments(
    factor: npt.NDArray[np.float32],
    returns: npt.NDArray[np.float64],
    moments: npt.NDArray[np.float64],
) -> None:
    """Add rows to the moments of a factor and the return: tile by tile, joined after Chan (1979).

    Parameters
    ----------
    factor, returns
        Shape (n,); pairs of which one is not finite are left out.
    moments
        Shape (``MOMENTS``,), carried on: all zero before the first rows.
    """
    for first in range(0, len(factor), _TILE):
        stop = min(first + _TILE, len(factor))
        count = 0
        left = 0.0
        right = 0.0
        for row in range(first, stop):
            value = np.float64(factor[row])
            if not np.isfinite(value):
                continue
            if moments[10] == 0.0:
                moments[11] = value
                moments[12] = value
            moments[10] += 1.0
            moments[11] = min(moments[11], value)
            moments[12] = max(moments[12], value)
            if np.isfinite(returns[row]):
                if moments[0] == 0.0 and count == 0:
                    moments[6] = value
                    moments[7] = value
                    moments[8] = returns[row]
                    moments[9] = returns[row]
                moments[6] = min(moments[6], value)
                moments[7] = max(moments[7], value)
                moments[8] = min(moments[8], returns[row])
                moments[9] = max(moments[9], returns[row])
                count += 1
                left += value
                right += returns[row]
        if count == 0:
            continue
        left /= count
        right /= count
        left_square = 0.0
        right_square = 0.0
        cross = 0.0
        for row in range(first, stop):
            value = np.float64(factor[row])
            if np.isfinite(value) and np.isfinite(returns[row]):
                a = value - left
                b = returns[row] - right
                left_square += a * a
                right_square += b * b
                cross += a * b
        before = moments[0]
        every = before + count
        left_step = left - moments[1]
        right_step = right - moments[2]
        shared = before * count / every
        moments[0] = every
        moments[1] += left_step * count / every
        moments[2] += right_step * count / every
        moments[3] += left_square + left_step * left_step * shared
        moments[4] += right_square + right_step * right_step * shared
        moments[5] += cross + left_step * right_step * shared


def correlation_of(moments: npt.NDArray[np.float64]) -> float:
    """Return Pearson's correlation of what was added; NaN where either side is constant."""
    constant = moments[6] == moments[7] or moments[8] == moments[9]
    scale = math.sqrt(moments[3]) * math.sqrt(moments[4])
    if moments[0] < 2.0 or constant or not (0.0 < scale < math.inf):
        return math.nan
    return max(-1.0, min(1.0, float(moments[5]) / scale))
