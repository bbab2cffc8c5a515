"""Features of a whole series: a loop over the very step that runs live."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._address import lent
from alphaseeker._jit import kernel
from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.block import FeatureBlock, FeatureSettings
from alphaseeker.features.catalogue import FEATURES, feature_named
from alphaseeker.features.custom_runner import CustomRunner, custom_runner
from alphaseeker.features.declaration import Feature
from alphaseeker.features.inputs import available_names, check_inputs
from alphaseeker.features.layout import feature_vector
from alphaseeker.features.matrix_file import allocate_beside, allocate_values, release
from alphaseeker.features.step import call_step
from alphaseeker.market.depth import repair_depth_series
from alphaseeker.market.gate import Verdict, allocate_gate, gate_ticks
from alphaseeker.market.quality import QualityAccumulator, QualityReport
from alphaseeker.market.schema import TickSeries

__all__ = [
    "CUSTOM",
    "column_indices",
    "compute_features",
    "depth_of",
    "mended_series",
    "run_ticks",
    "step_through",
]

CUSTOM = -1  # stands for the position of a column that is not in the catalogue
REPEATED = int(Verdict.REPEATED)
MENDED_AT_ONCE = 4096  # rows: a piece of ten levels stays in the cache
PIECE_ROWS = 1024  # rows: a piece of all columns stays in the cache
ROWS_AT_ONCE = 256
RELEASED_AFTER = 65_536  # rows: 61 MB of all columns that need neither depth nor sides
JUDGED_AT_ONCE = 65_536
POSITIONS = {feature.name: index for index, feature in enumerate(FEATURES)}


@kernel
def run_ticks(
    records: npt.NDArray[Any],
    vector: npt.NDArray[np.float32],
    ticks: npt.NDArray[Any],
    depth: npt.NDArray[np.float64],
    columns: npt.NDArray[np.int64],
    values: npt.NDArray[np.float32],
    verdicts: npt.NDArray[np.int8],
    segments: npt.NDArray[np.int64],
    history: npt.NDArray[np.int64],
    mids: npt.NDArray[np.float64],
) -> None:
    """Step through ``ticks`` and keep the chosen columns of every row.

    Parameters
    ----------
    records, vector
        The symbol's state; goes on from where it stands.
    ticks
        Shape (n,), dtype ``market.schema.TICK``.
    depth
        Shape (n, levels, 4): the levels of every tick; (1, 0, 4) where there are none.
    columns
        Shape (k,): positions in the catalogue; ``CUSTOM`` leaves the column to a ``CustomRunner``.
    values
        Shape (n, k): written for accepted rows, NaN for the others.
    verdicts, segments, history, mids
        Shape (n,): written; see ``FeatureBlock``.
    """
    if ticks.shape[0] == 0:
        return
    count = columns.shape[0]
    first = columns[0] if count > 0 else 0
    run = first >= 0  # the columns stand in a row, as in the catalogue
    for j in range(count):
        run = run and columns[j] == first + j
    # An index that may be negative counts from the end: the loop that asks is not vectorised.
    chosen = vector[first : first + count] if run else vector
    held, row = lent(records), lent(vector)
    given = lent(depth)
    deep = depth.shape[1] > 0
    levels = given[0]
    for i in range(ticks.shape[0]):
        tick = ticks[i]
        if deep:
            levels = given[i]
        verdict = call_step(
            held,
            row,
            levels,
            tick.timestamp,
            tick.session,
            tick.bid_price,
            tick.ask_price,
            tick.bid_volume,
            tick.ask_volume,
            tick.close,
            tick.volume,
            tick.buy_volume,
            tick.sell_volume,
        )
        verdicts[i] = verdict
        segments[i] = held[0].clock.segments
        history[i] = held[0].clock.seen
        mids[i] = held[0].quote.mid
        if 0 <= verdict < REPEATED:
            if run:
                for j in range(count):
                    values[i, j] = chosen[j]
            else:
                for j in range(count):
                    if columns[j] >= 0:
                        values[i, j] = vector[columns[j]]
        else:
            for j in range(count):
                values[i, j] = math.nan


def mended_series(series: TickSeries) -> TickSeries:
    """Return the series with its depth in order, as live ticks have it; ``series`` stays as it is.

    It is ``series`` itself where nothing is to be mended, else one with depth of its own; see
    ``market.depth.repair_depth``.
    """
    if series.depth is None:
        return series
    for start in range(0, len(series), MENDED_AT_ONCE):
        given = series.depth[start : start + MENDED_AT_ONCE]
        piece = np.array(given, order="C")
        repair_depth_series(piece)
        # By their bits: NaN equals itself.
        if not np.array_equal(piece.view(np.int64), given.view(np.int64)):
            # Depth is by far the largest part of the data: it is copied where it must be.
            depth = np.array(series.depth, order="C")
            repair_depth_series(depth)
            return replace(series, depth=depth)
    return series


def depth_of(series: TickSeries, settings: FeatureSettings) -> npt.NDArray[np.float64]:
    """Return the depth that the step reads of a mended series, as ``run_ticks`` wants it."""
    if settings.depth_levels == 0 or series.depth is None:
        return np.empty((1, 0, 4))
    return np.ascontiguousarray(series.depth)


def column_indices(names: Sequence[str], custom: Sequence[Feature] = ()) -> npt.NDArray[np.int64]:
    """Return the catalogue positions of ``names``, shape (k,); ``CUSTOM`` for those of ``custom``.

    Raises
    ------
    ConfigError
        A name is neither in the catalogue nor in ``custom``.
    """
    positions = [POSITIONS.get(feature_named(name, custom).name, CUSTOM) for name in names]
    return np.array(positions, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Rows ``start`` to ``stop`` of a series after the step; arrays hold good until the next one.

    Attributes
    ----------
    values
        Shape (stop - start, k), float32; NaN on rows that are not accepted.
    verdicts, segments, history, mids
        Shape (stop - start,); see ``FeatureBlock``.
    """

    start: int
    stop: int
    values: npt.NDArray[np.float32]
    verdicts: npt.NDArray[np.int8]
    segments: npt.NDArray[np.int64]
    history: npt.NDArray[np.int64]
    mids: npt.NDArray[np.float64]


def _pieces(
    series: TickSeries,
    settings: FeatureSettings,
    columns: npt.NDArray[np.int64],
    custom: CustomRunner | None,
) -> Iterator[Piece]:
    """Run ``run_ticks`` from a fresh record, and ``custom`` behind it, over a piece at a time.

    Raises
    ------
    DataError
        A column reads depth or the aggressor's side, and the series has none.
    """
    read = [FEATURES[column].name for column in columns if column != CUSTOM]
    check_inputs(series, read, settings)
    length = min(PIECE_ROWS, len(series))
    values = np.empty((length, len(columns)), dtype=np.float32)
    verdicts = np.empty(length, dtype=np.int8)
    segments, history = np.empty((2, length), dtype=np.int64)
    mids = np.empty(length)
    records = allocate_session(settings, series.symbol)
    vector = feature_vector(records)
    # Without the compiler, ticks need fields as attributes as the record does.
    ticks = series.ticks.view(np.recarray) if isinstance(records, np.recarray) else series.ticks
    for start in range(0, len(series), PIECE_ROWS):
        stop = min(start + PIECE_ROWS, len(series))
        given = series.piece(start, stop)
        piece = Piece(
            start=start,
            stop=stop,
            values=values[: stop - start],
            verdicts=verdicts[: stop - start],
            segments=segments[: stop - start],
            history=history[: stop - start],
            mids=mids[: stop - start],
        )
        state = (piece.verdicts, piece.segments, piece.history, piece.mids)
        depth = depth_of(mended_series(given) if settings.depth_levels else given, settings)
        run_ticks(records, vector, ticks[start:stop], depth, columns, piece.values, *state)
        if custom is not None:
            custom.run(ticks[start:stop], *state, piece.values)
        yield piece


def step_through(
    series: TickSeries,
    settings: FeatureSettings,
    columns: npt.NDArray[np.int64],
    custom: CustomRunner | None = None,
) -> tuple[
    npt.NDArray[np.float32],
    npt.NDArray[np.int8],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.float64],
]:
    """Run ``run_ticks`` over a series from a fresh record, and ``custom`` behind it.

    Depth out of order is read as if it were in order; the series stays as it is.

    Returns
    -------
    tuple
        Values (n, k), verdicts, segments, history and mids (n,), for every row, accepted or not.

    Raises
    ------
    DataError
        A column reads depth or the aggressor's side, and the series has none.
    """
    count = len(series)
    values = np.empty((count, len(columns)), dtype=np.float32)
    verdicts = np.empty(count, dtype=np.int8)
    segments, history = np.empty((2, count), dtype=np.int64)
    mids = np.empty(count)
    for piece in _pieces(series, settings, columns, custom):
        rows = slice(piece.start, piece.stop)
        values[rows], verdicts[rows], mids[rows] = piece.values, piece.verdicts, piece.mids
        segments[rows], history[rows] = piece.segments, piece.history
    return values, verdicts, segments, history, mids


@kernel
def _turn(piece: npt.NDArray[np.float32], columns: npt.NDArray[np.float32], start: int) -> None:
    """Copy a piece, shape (n, k), to ``columns``, shape (k, m), from its place ``start`` on."""
    for first in range(0, piece.shape[0], ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE, piece.shape[0])
        rows = piece[first:last]
        for j in range(piece.shape[1]):
            column = columns[j, start + first : start + last]
            for i in range(rows.shape[0]):
                column[i] = rows[i, j]


def compute_features(
    series: TickSeries,
    *,
    settings: FeatureSettings,
    names: Sequence[str] | None = None,
    quality: QualityReport | None = None,
    memory_limit: float | None = None,
) -> FeatureBlock:
    """Gate a series and compute its features in one pass.

    Parameters
    ----------
    series
        Ticks of one symbol; depth may be out of order, and nothing in it is changed.
    settings
        Bucket length, tick size and gate limits.
    names
        Columns to keep; all that ``settings`` offer by default.
    quality
        The gate's report on the series, where the caller has judged it already.
    memory_limit
        Bytes: values that take more stand in a file; see ``matrix_file.allocate_values``.

    Returns
    -------
    FeatureBlock
        Accepted rows only.

    Raises
    ------
    ConfigError
        A name is neither in the catalogue nor custom in ``settings``.
    DataError
        A column reads depth or the aggressor's side, and the series has none; or there is no room
        for the values.
    """
    chosen = tuple(names) if names is not None else available_names(settings)
    columns = column_indices(chosen, settings.custom_columns)
    custom = custom_runner(chosen, settings)
    if quality is None:
        quality = _judged(series, settings)
    count = _count_accepted(series, settings)
    values = allocate_values(count, len(chosen), memory_limit=memory_limit)
    whole = allocate_beside(values, 4, np.int64)
    numbers = allocate_beside(values, 3, np.float64)
    timestamp, segment, history, row = whole
    mid, spread, close = numbers
    verdict = np.empty(count, dtype=np.int8)
    done = unreleased = 0
    for piece in _pieces(series, settings, columns, custom):
        kept = np.flatnonzero((piece.verdicts >= 0) & (piece.verdicts < REPEATED))
        every = len(kept) == len(piece.values)
        _turn(piece.values if every else piece.values[kept], values.T, done)
        rows = slice(done, done + len(kept))
        ticks = series.ticks[piece.start : piece.stop]
        timestamp[rows] = ticks["timestamp"][kept]
        spread[rows] = ticks["ask_price"][kept] - ticks["bid_price"][kept]
        close[rows] = ticks["close"][kept]
        row[rows] = series.rows[piece.start : piece.stop][kept]
        segment[rows], history[rows] = piece.segments[kept], piece.history[kept]
        verdict[rows], mid[rows] = piece.verdicts[kept], piece.mids[kept]
        done += len(kept)
        unreleased += piece.stop - piece.start
        if unreleased >= RELEASED_AFTER or piece.stop == len(series):
            for array in (values, whole, numbers, series.ticks, series.rows, series.depth):
                if array is not None:
                    release(array)
            unreleased = 0
    return FeatureBlock(
        symbol=series.symbol,
        names=chosen,
        values=values,
        timestamp=timestamp,
        mid=mid,
        spread=spread,
        close=close,
        segment=segment,
        history=history,
        verdict=verdict,
        row=row,
        bucket_s=settings.bucket_s,
        quality=quality,
        custom=tuple(one for one in settings.custom_columns if one.name in chosen),
    )


def _judged(series: TickSeries, settings: FeatureSettings) -> QualityReport:
    """Return the gate's report on a series, which is left as it is."""
    total = QualityAccumulator(max_gap_s=settings.max_gap_s, max_jump=settings.max_jump)
    for start in range(0, len(series), JUDGED_AT_ONCE):
        piece = series.piece(start, start + JUDGED_AT_ONCE)
        # Judging mends depth where it stands, and counts that: it gets a copy.
        total.update(replace(piece, depth=None if piece.depth is None else piece.depth.copy()))
    return total.report()


def _count_accepted(series: TickSeries, settings: FeatureSettings) -> int:
    """Ask the gate, which the step asks too, how many rows there will be."""
    gate = allocate_gate(max_gap_s=settings.max_gap_s, max_jump=settings.max_jump)
    verdicts = np.empty(min(JUDGED_AT_ONCE, len(series)), dtype=np.int8)
    count = 0
    for start in range(0, len(series), JUDGED_AT_ONCE):
        ticks = series.ticks[start : start + JUDGED_AT_ONCE]
        given = verdicts[: len(ticks)]
        gate_ticks(ticks, gate, given)
        count += int(np.count_nonzero((given >= 0) & (given < REPEATED)))
    return count
