"""What all factors of one symbol are measured against, as a whole and in chunks of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.blocks import block_orders, cut_blocks, return_ranks
from alphaseeker.factors.forward_returns import (
    SAMPLES_PER_HORIZON,
    grid_interval,
    label_end,
    returns_ahead,
    rows_ahead,
    segment_bounds,
)
from alphaseeker.features.block import FeatureBlock
from alphaseeker.features.matrix_file import release

__all__ = [
    "HORIZONS_PER_BLOCK",
    "Chunk",
    "Group",
    "Panel",
    "RankedChunk",
    "chunks_of",
    "panel_of",
    "ranked_chunk",
    "traded_chunk",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

HORIZONS_PER_BLOCK = 10


@dataclass(frozen=True, kw_only=True)
class Group:
    """Horizons whose blocks are the same, so that a factor is sorted once for all of them.

    Attributes
    ----------
    horizons
        Their places among the panel's.
    block_ns
        Nanoseconds that a block lasts, about.
    blocks
        Shape (b, 2), int64, as from ``cut_blocks``.
    """

    horizons: tuple[int, ...]
    block_ns: int
    blocks: IntArray


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One symbol.

    Attributes
    ----------
    features
        Its rows.
    horizons_ns
        Nanoseconds, the graded horizon first.
    groups
        The horizons by their blocks; the graded one is the first of the first group.
    segments
        Shape (s + 1,), int64: first row of each segment, and the number of rows.
    coarse
        Shape (h, s), bool: a segment is a grid too coarse to take a missing sample for no move.
    lags
        Rows of the graded horizon less one, on average: how far neighbouring returns overlap.
    """

    features: FeatureBlock
    horizons_ns: tuple[int, ...]
    groups: tuple[Group, ...]
    segments: IntArray
    coarse: npt.NDArray[np.bool_]
    lags: int

    @property
    def blocks(self) -> IntArray:
        """Blocks of the graded horizon, shape (b, 2), int64."""
        return self.groups[0].blocks

    def starts(self, group: Group) -> IntArray:
        """Time of the first row of each block, shape (b,), nanoseconds."""
        return self.features.timestamp[group.blocks[:, 0]]

    def known_at(self, group: Group, horizon: int) -> IntArray:
        """When the last forward return of each block is known, shape (b,), nanoseconds."""
        return self.features.timestamp[group.blocks[:, 1] - 1] + self.horizons_ns[horizon]


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Rows of a panel that are measured at once: whole blocks of one group, and rows between them.

    Attributes
    ----------
    first, stop
        Rows of the panel.
    first_block, stop_block
        Blocks of the group.
    reach
        Row after the last one that a forward return of these rows needs.
    blocks
        Shape (b, 2), int64, counted from ``first``.
    """

    first: int
    stop: int
    first_block: int
    stop_block: int
    reach: int
    blocks: IntArray


@dataclass(frozen=True, kw_only=True)
class RankedChunk:
    """The forward returns of a chunk, ranked.

    Attributes
    ----------
    returns
        Shape (h, n), float64: by horizon of the group; NaN where unresolved.
    round_trip
        Shape (n,), float64: half the quoted spread, a share of the mid, of the row and of the one
        whose quote prevails at the first horizon; NaN where unresolved.
    orders, ranks, squares, counts
        By horizon, as from ``block_orders`` and ``return_ranks``.
    """

    returns: FloatArray
    round_trip: FloatArray
    orders: npt.NDArray[np.int32]
    ranks: npt.NDArray[np.float32]
    squares: FloatArray
    counts: IntArray


def panel_of(features: FeatureBlock, *, horizons_s: Sequence[float], blocks: int) -> Panel:
    """Prepare one symbol.

    Parameters
    ----------
    features
        Rows of one symbol, at least one.
    horizons_s
        Horizons of the forward return, in seconds, each once; the first is the graded one.
    blocks
        Number of blocks that the covered time is cut into, unless ten horizons last longer.
    """
    timestamp, segment = features.timestamp, features.segment
    horizons_ns = tuple(max(round(horizon * 1e9), 1) for horizon in horizons_s)
    segments = segment_bounds(segment)
    covered_ns = int(np.sum(timestamp[segments[1:] - 1] - timestamp[segments[:-1]]))
    lengths = [max(HORIZONS_PER_BLOCK * horizon, covered_ns // blocks) for horizon in horizons_ns]
    groups = tuple(
        Group(
            horizons=tuple(place for place, own in enumerate(lengths) if own == length),
            block_ns=length,
            blocks=cut_blocks(timestamp, segment, length),
        )
        for length in dict.fromkeys(lengths)
    )
    intervals = np.array(
        [grid_interval(timestamp[first:stop]) for first, stop in pairwise(segments)]
    )
    total, count = rows_ahead(timestamp, segment, horizons_ns[0])
    release(timestamp)
    release(segment)
    return Panel(
        features=features,
        horizons_ns=horizons_ns,
        groups=groups,
        segments=segments,
        coarse=SAMPLES_PER_HORIZON * intervals[None, :] >= np.array(horizons_ns)[:, None],
        lags=max(round(total / count) - 1, 0) if count else 0,
    )


def chunks_of(panel: Panel, group: Group, most: float) -> Iterator[Chunk]:
    """Cut the rows into chunks of about ``most`` rows or one block; every row is in one."""
    rows = len(panel.features)
    blocks = group.blocks
    first, first_block = 0, 0
    while first < rows:
        stop_block = first_block
        while stop_block < len(blocks) and (
            stop_block == first_block or blocks[stop_block, 1] - first <= most
        ):
            stop_block += 1
        stop = rows if stop_block == len(blocks) else int(blocks[stop_block, 0])
        yield Chunk(
            first=first,
            stop=stop,
            first_block=first_block,
            stop_block=stop_block,
            reach=_reach(panel, stop, max(panel.horizons_ns[place] for place in group.horizons)),
            blocks=blocks[first_block:stop_block] - first,
        )
        first, first_block = stop, stop_block


def _reach(panel: Panel, stop: int, horizon_ns: int) -> int:
    """Return the row after the first one that ends the horizon of row ``stop - 1``."""
    timestamp = panel.features.timestamp
    segment = int(np.searchsorted(panel.segments, stop - 1, side="right"))
    end = int(panel.segments[segment])
    moment = timestamp[stop - 1] + horizon_ns
    later = int(np.searchsorted(timestamp[stop:end], moment, side="right"))
    return min(stop + later + 1, end)


def ranked_chunk(panel: Panel, group: Group, chunk: Chunk) -> RankedChunk:
    """Compute and rank the forward returns of a chunk, at every horizon of its group."""
    features = panel.features
    seen = slice(chunk.first, chunk.reach)
    timestamp, segment = features.timestamp[seen], features.segment[seen]
    mid = features.mid[seen]
    half_spread = 0.5 * features.spread[seen] / mid
    rows, blocks, horizons = chunk.stop - chunk.first, chunk.blocks, len(group.horizons)
    returns = np.empty((horizons, rows))
    round_trip, unused = np.empty(rows), np.empty(0)
    orders = np.empty((horizons, rows), dtype=np.int32)
    ranks = np.empty((horizons, rows), dtype=np.float32)
    squares = np.empty((horizons, len(blocks)))
    counts = np.empty((horizons, len(blocks)), dtype=np.int64)
    for place, horizon in enumerate(group.horizons):
        returns_ahead(
            timestamp,
            mid,
            segment,
            half_spread,
            panel.horizons_ns[horizon],
            panel.segments - chunk.first,
            panel.coarse[horizon],
            returns[place],
            round_trip if place == 0 else unused,
        )
        orders[place] = block_orders(returns[place], blocks)
        return_ranks(
            returns[place], blocks, orders[place], ranks[place], squares[place], counts[place]
        )
    _release(features)
    return RankedChunk(
        returns=returns,
        round_trip=round_trip,
        orders=orders,
        ranks=ranks,
        squares=squares,
        counts=counts,
    )


def traded_chunk(
    panel: Panel, chunk: Chunk
) -> tuple[IntArray, IntArray, FloatArray, FloatArray, IntArray]:
    """Return what a portfolio is held against in a chunk, over all rows up to ``reach``.

    Returns
    -------
    tuple
        Time stamp, segment, mid, half the quoted spread as a share of it, and the row at which
        the graded horizon has passed, counted from the chunk's first (-1: never).
    """
    features = panel.features
    seen = slice(chunk.first, chunk.reach)
    timestamp, segment = features.timestamp[seen].copy(), features.segment[seen].copy()
    mid = features.mid[seen].copy()
    half_spread = 0.5 * features.spread[seen] / mid
    end = label_end(timestamp, segment, panel.horizons_ns[0])
    _release(features)
    return timestamp, segment, mid, half_spread, end


def _release(features: FeatureBlock) -> None:
    for array in (features.timestamp, features.segment, features.mid, features.spread):
        release(array)
