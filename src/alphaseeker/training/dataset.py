"""One training set out of the feature blocks of several symbols: labels, warm rows, the matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.features.block import FeatureBlock
from alphaseeker.features.matrix_file import release, release_block
from alphaseeker.features.readiness import required_buckets
from alphaseeker.market.array_file import in_file, stored_like, trim_memory
from alphaseeker.market.gate import Verdict
from alphaseeker.training.labels import outcomes
from alphaseeker.training.row_matrix import RowMatrix
from alphaseeker.training.target import Target

__all__ = [
    "Rows",
    "any_warm_rows",
    "fingerprint",
    "gather",
    "join_blocks",
    "reached_columns",
    "warm_rows",
]


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
    asked
        bool: the engine would ask the model on this tick (on a locked book and on the first tick
        after a gap it says HOLD without asking).
    usable
        bool: asked, and the label is resolved.
    """

    timestamp: npt.NDArray[np.int64]
    symbol: npt.NDArray[np.int64]
    segment: npt.NDArray[np.int64]
    forward_return: npt.NDArray[np.float64]
    trade_return: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    label_end: npt.NDArray[np.int64]
    barrier: npt.NDArray[np.int8] | None
    asked: npt.NDArray[np.bool_]
    usable: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.timestamp)

    @staticmethod
    def join(parts: Sequence[Rows]) -> Rows:
        """Return the rows of all parts, one part after another."""
        joined: dict[str, Any] = {
            item.name: np.concatenate([getattr(part, item.name) for part in parts])
            for item in fields(Rows)
            if getattr(parts[0], item.name) is not None
        }
        return Rows(**{"barrier": None, **joined})

    def take(self, rows: npt.NDArray[np.int64]) -> Rows:
        """Return the rows with these numbers; in files where these are."""

        def taken(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            found = stored_like(values[rows], values)
            release(values)
            return found

        return self._each(taken)

    def _each(self, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Rows:
        return Rows(
            timestamp=change(self.timestamp),
            symbol=change(self.symbol),
            segment=change(self.segment),
            forward_return=change(self.forward_return),
            trade_return=change(self.trade_return),
            spread=change(self.spread),
            label_end=change(self.label_end),
            barrier=None if self.barrier is None else change(self.barrier),
            asked=change(self.asked),
            usable=change(self.usable),
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
    rows = Rows(
        timestamp=np.concatenate([block.timestamp for block in blocks]),
        symbol=np.repeat(np.arange(len(blocks)), [len(block) for block in blocks]),
        segment=np.concatenate(segments),
        forward_return=np.concatenate([item.forward_return for item in labelled]),
        trade_return=np.concatenate([item.trade_return for item in labelled]),
        spread=np.concatenate([block.spread / block.mid for block in blocks]),
        label_end=end,
        barrier=np.concatenate(barriers) if barriers else None,
        asked=asked,
        usable=asked & (end >= 0),
    )
    for block in blocks:
        release_block(block)
    # Numbers of rows of values that stand in a file are as many.
    large = next((block.values for block in blocks if in_file(block.values)), None)
    if large is not None:
        rows = rows._each(lambda values: stored_like(values, large))
    del labelled, segments, asked, end, barriers
    trim_memory()
    return rows


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
    warm = []
    for block in blocks:
        needed = required_buckets(
            names,
            bucket_s=block.bucket_s,
            ready_history_s=ready_history_s,
            custom=block.custom,
        )
        warm.append(block.history >= needed)
        release_block(block)
    return np.concatenate(warm)


def any_warm_rows(
    blocks: Sequence[FeatureBlock], names: Sequence[str], *, ready_history_s: float
) -> npt.NDArray[np.bool_]:
    """Say for each row whether at least one of the columns ``names`` has its history."""
    parts = []
    for block in blocks:
        needed = min(
            required_buckets(
                [name],
                bucket_s=block.bucket_s,
                ready_history_s=ready_history_s,
                custom=block.custom,
            )
            for name in names
        )
        parts.append(block.history >= needed)
    return np.concatenate(parts)


def reached_columns(
    blocks: Sequence[FeatureBlock],
    columns: Mapping[int, str],
    rows: npt.NDArray[np.bool_],
    *,
    least: int,
    ready_history_s: float,
) -> set[int]:
    """Return the columns whose history at least ``least`` of ``rows`` see.

    Parameters
    ----------
    columns
        Names by column number.
    rows
        Shape (n,), over all rows of all blocks.
    """
    needs: dict[tuple[int, ...], list[int]] = {}
    for column, name in columns.items():
        need = tuple(
            required_buckets(
                [name],
                bucket_s=block.bucket_s,
                ready_history_s=ready_history_s,
                custom=block.custom,
            )
            for block in blocks
        )
        needs.setdefault(need, []).append(column)
    histories = []
    offset = 0
    for block in blocks:
        histories.append(block.history[rows[offset : offset + len(block)]])
        offset += len(block)
    reached: set[int] = set()
    for need, same in needs.items():
        seen = sum(
            int((history >= buckets).sum())
            for history, buckets in zip(histories, need, strict=True)
        )
        if seen >= least:
            reached.update(same)
    return reached


def gather(
    blocks: Sequence[FeatureBlock], rows: npt.NDArray[np.int64], columns: Sequence[int]
) -> npt.NDArray[np.float32]:
    """Copy rows and columns of all blocks into one matrix: few rows or few columns.

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
    return RowMatrix(blocks, rows, columns).all()


def fingerprint(blocks: Sequence[FeatureBlock], before_ns: int) -> str:
    """Hash the rows before ``before_ns``: what a model has seen of symbols, times and prices."""
    digest = hashlib.sha256()
    for block in blocks:
        rows = block.timestamp < before_ns
        digest.update(repr((block.symbol, int(rows.sum()))).encode())
        for values in (block.timestamp, block.mid, block.spread, block.close):
            digest.update(np.ascontiguousarray(values[rows]).tobytes())
        release_block(block)
    return digest.hexdigest()
