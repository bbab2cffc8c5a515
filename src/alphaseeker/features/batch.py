"""Features of a whole series: a loop over the very step that runs live."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.block import FeatureBlock, FeatureSettings
from alphaseeker.features.catalogue import FEATURES, feature_named
from alphaseeker.features.custom_runner import CustomRunner, custom_runner
from alphaseeker.features.declaration import Feature
from alphaseeker.features.inputs import available_names, check_inputs
from alphaseeker.features.layout import feature_vector
from alphaseeker.features.step import tick_step
from alphaseeker.market.depth import repair_depth_series
from alphaseeker.market.gate import Verdict
from alphaseeker.market.quality import QualityReport, judge_series
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
    count = columns.shape[0]
    first = columns[0] if count > 0 else 0
    run = first >= 0  # the columns stand in a row, as in the catalogue
    for j in range(count):
        run = run and columns[j] == first + j
    last = depth.shape[0] - 1
    for i in range(ticks.shape[0]):
        tick = ticks[i]
        verdict = tick_step(
            records,
            vector,
            depth[min(i, last)],
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
        segments[i] = records[0].clock.segments
        history[i] = records[0].clock.seen
        mids[i] = records[0].quote.mid
        if 0 <= verdict < REPEATED:
            if run:
                for j in range(count):
                    values[i, j] = vector[first + j]
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
    if settings.depth_levels > 0:
        series = mended_series(series)
    read = [FEATURES[column].name for column in columns if column != CUSTOM]
    check_inputs(series, read, settings)
    count = len(series)
    values = np.empty((count, len(columns)), dtype=np.float32)
    verdicts = np.empty(count, dtype=np.int8)
    segments = np.empty(count, dtype=np.int64)
    history = np.empty(count, dtype=np.int64)
    mids = np.empty(count)
    records = allocate_session(settings, series.symbol)
    # Without the compiler, ticks need fields as attributes as the record does.
    ticks = series.ticks.view(np.recarray) if isinstance(records, np.recarray) else series.ticks
    run_ticks(
        records,
        feature_vector(records),
        ticks,
        depth_of(series, settings),
        columns,
        values,
        verdicts,
        segments,
        history,
        mids,
    )
    if custom is not None:
        custom.run(ticks, verdicts, segments, history, mids, values)
    return values, verdicts, segments, history, mids


def compute_features(
    series: TickSeries,
    *,
    settings: FeatureSettings,
    names: Sequence[str] | None = None,
    quality: QualityReport | None = None,
) -> FeatureBlock:
    """Gate a series and compute its features.

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

    Returns
    -------
    FeatureBlock
        Accepted rows only.

    Raises
    ------
    ConfigError
        A name is neither in the catalogue nor custom in ``settings``.
    DataError
        A column reads depth or the aggressor's side, and the series has none.
    """
    chosen = tuple(names) if names is not None else available_names(settings)
    values, verdicts, segments, history, mids = step_through(
        series,
        settings,
        column_indices(chosen, settings.custom_columns),
        custom_runner(chosen, settings),
    )
    if quality is None:
        # Judging mends depth where it stands, and counts that: it gets a copy.
        own = replace(series, depth=None if series.depth is None else series.depth.copy())
        quality = judge_series(own, max_gap_s=settings.max_gap_s, max_jump=settings.max_jump)[1]
    kept = (verdicts >= 0) & (verdicts < REPEATED)
    ticks = series.ticks[kept]
    return FeatureBlock(
        symbol=series.symbol,
        names=chosen,
        values=values if kept.all() else np.ascontiguousarray(values[kept]),
        timestamp=ticks["timestamp"].copy(),
        mid=mids[kept],
        spread=ticks["ask_price"] - ticks["bid_price"],
        close=ticks["close"].copy(),
        segment=segments[kept],
        history=history[kept],
        verdict=verdicts[kept],
        row=series.rows[kept],
        bucket_s=settings.bucket_s,
        quality=quality,
        custom=tuple(one for one in settings.custom_columns if one.name in chosen),
    )
