"""One training set out of the feature blocks of several symbols: labels, warm rows, the matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.features.block import FeatureBlock
from alphaseeker.features.readiness import required_buckets
from alphaseeker.market.gate import Verdict
from alphaseeker.training.labels import outcomes
from alphaseeker.training.target import Target

__all__ = ["Rows", "fingerprint", "gather", "join_blocks", "warm_rows"]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of all blocks, block after block, each in time order; every array has shape (n,).

    Attributes
    ----------
    timestamp
        int64, nanoseconds UTC.
    symbol
        int64: number of the block that the row comes from.
    segment
        int64, unique over all blocks: no label and no trade crosses a boundary.
    forward_return
        float64: log return of the label price over the label; NaN where unresolved.
    trade_return
        float64: log return of the mid over the label.
    spread
        float64: quoted spread as a share of the mid.
    label_end
        int64, nanoseconds: when the label is known; -1 where unresolved.
    barrier
        int8: classes that a triple barrier gives; None for a fixed horizon.
    usable
        bool: the label is resolved, and the engine would ask the model on this tick (on a locked
        book and on the first tick after a gap it says HOLD without asking).
    """

    timestamp: npt.NDArray[np.int64]
    symbol: npt.NDArray[np.int64]
    segment: npt.NDArray[np.int64]
    forward_return: npt.NDArray[np.float64]
    trade_return: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    label_end: npt.NDArray[np.int64]
    barrier: npt.NDArray[np.int8] | None
    usable: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.timestamp)

    def take(self, rows: npt.NDArray[np.int64]) -> Rows:
        """Return the rows with these numbers, which must rise."""
        return Rows(
            timestamp=self.timestamp[rows],
            symbol=self.symbol[rows],
            segment=self.segment[rows],
            forward_return=self.forward_return[rows],
            trade_return=self.trade_return[rows],
            spread=self.spread[rows],
            label_end=self.label_end[rows],
            barrier=None if self.barrier is None else self.barrier[rows],
            usable=self.usable[rows],
        )


def join_blocks(blocks: Sequence[FeatureBlock], target: Target) -> Rows:
    """Label every row of ``blocks`` and put them under one another, without their features.

    Raises
    ------
    DataError
        There is no row, the blocks differ in their columns, or a block cannot be labelled.
    """
    _check_blocks(blocks)
    labelled = [outcomes(block, target) for block in blocks]
    segments = []
    offset = 0
    for block in blocks:
        numbers = np.zeros(len(block), dtype=np.int64)
        np.cumsum(np.diff(block.segment) != 0, out=numbers[1:])
        segments.append(numbers + offset)
        offset += int(numbers[-1]) + 1 if len(numbers) else 0
    asked = np.concatenate(
        [np.isin(b.verdict, (Verdict.ACCEPTED, Verdict.NEW_SESSION)) for b in blocks]
    )
    end = np.concatenate([item.end for item in labelled])
    barriers = [item.barrier for item in labelled if item.barrier is not None]
    return Rows(
        timestamp=np.concatenate([block.timestamp for block in blocks]),
        symbol=np.repeat(np.arange(len(blocks)), [len(block) for block in blocks]),
        segment=np.concatenate(segments),
        forward_return=np.concatenate([item.forward_return for item in labelled]),
        trade_return=np.concatenate([item.trade_return for item in labelled]),
        spread=np.concatenate([block.spread / block.mid for block in blocks]),
        label_end=end,
        barrier=np.concatenate(barriers) if barriers else None,
        usable=asked & (end >= 0),
    )


def _check_blocks(blocks: Sequence[FeatureBlock]) -> None:
    if sum(len(block) for block in blocks) == 0:
        raise DataError("there is no row to train on or to evaluate: every source was empty")
    for block in blocks:
        if block.names != blocks[0].names:
            missing = sorted(set(blocks[0].names) ^ set(block.names))
            raise DataError(
                f"{block.symbol!r} and {blocks[0].symbol!r} differ in their features "
                f"({', '.join(missing) or 'the order'}); all symbols need the same columns"
            )


def warm_rows(
    blocks: Sequence[FeatureBlock], names: Sequence[str], *, ready_history_s: float
) -> npt.NDArray[np.bool_]:
    """Say for each row whether its segment has the history that the columns ``names`` declare.

    It is the very rule by which a live signal is ``ready``. A column that turns NaN later on is
    data (a quiet market), which LightGBM sees as missing, in training as live.

    Returns
    -------
    Shape (n,), bool, over all rows of all blocks.

    Raises
    ------
    ConfigError
        A name is not in the catalogue.
    """
    return np.concatenate(
        [
            block.history
            >= required_buckets(
                names,
                bucket_s=block.bucket_s,
                ready_history_s=ready_history_s,
                custom=block.custom,
            )
            for block in blocks
        ]
    )


def gather(
    blocks: Sequence[FeatureBlock], rows: npt.NDArray[np.int64], columns: Sequence[int]
) -> npt.NDArray[np.float32]:
    """Copy rows and columns of all blocks into one matrix.

    Parameters
    ----------
    rows
        Rising row numbers over all blocks, shape (m,).
    columns
        Column numbers, in the order wanted.

    Returns
    -------
    Shape (m, len(columns)), float32, C-contiguous.
    """
    matrix = np.empty((len(rows), len(columns)), dtype=np.float32)
    chosen = np.asarray(columns, dtype=np.int64)
    offset = 0
    for block in blocks:
        first, last = np.searchsorted(rows, (offset, offset + len(block)))
        local = rows[first:last] - offset
        # By column: a fancy index on both axes at once would hold a second matrix of this size.
        for position, column in enumerate(chosen):
            matrix[first:last, position] = block.values[local, column]
        offset += len(block)
    return matrix


def fingerprint(blocks: Sequence[FeatureBlock], before_ns: int) -> str:
    """Hash the rows before ``before_ns``: what a model has seen of symbols, times and prices."""
    digest = hashlib.sha256()
    for block in blocks:
        rows = block.timestamp < before_ns
        digest.update(repr((block.symbol, int(rows.sum()))).encode())
        for values in (block.timestamp, block.mid, block.spread, block.close):
            digest.update(np.ascontiguousarray(values[rows]).tobytes())
    return digest.hexdigest()
