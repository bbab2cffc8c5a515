"""Features of a whole series: a loop over the very step that runs live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.features.block import FeatureBlock, FeatureSettings
from alphaseeker.features.catalogue import FEATURES, feature_named
from alphaseeker.features.layout import allocate_session, feature_vector
from alphaseeker.features.step import tick_step
from alphaseeker.market.gate import Verdict
from alphaseeker.market.quality import QualityReport, judge_series
from alphaseeker.market.schema import TickSeries

__all__ = ["column_indices", "compute_features", "run_ticks", "step_through"]

REPEATED = int(Verdict.REPEATED)
POSITIONS = {feature.name: index for index, feature in enumerate(FEATURES)}


@kernel
def run_ticks(
    records: npt.NDArray[Any],
    vector: npt.NDArray[np.float32],
    ticks: npt.NDArray[Any],
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
    columns
        Shape (k,): positions in the catalogue.
    values
        Shape (n, k): written for accepted rows, NaN for the others.
    verdicts, segments, history, mids
        Shape (n,): written; see ``FeatureBlock``.
    """
    for i in range(ticks.shape[0]):
        tick = ticks[i]
        verdict = tick_step(
            records,
            vector,
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
            for j in range(columns.shape[0]):
                values[i, j] = vector[columns[j]]
        else:
            values[i, :] = np.nan


def column_indices(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the catalogue positions of ``names``, shape (k,).

    Raises
    ------
    ConfigError
        A name is not in the catalogue.
    """
    return np.array([POSITIONS[feature_named(name).name] for name in names], dtype=np.int64)


def step_through(
    series: TickSeries, settings: FeatureSettings, columns: npt.NDArray[np.int64]
) -> tuple[
    npt.NDArray[np.float32],
    npt.NDArray[np.int8],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.float64],
]:
    """Run ``run_ticks`` over a series from a fresh record.

    Returns
    -------
    tuple
        Values (n, k), verdicts, segments, history and mids (n,), for every row, accepted or not.
    """
    count = len(series)
    values = np.empty((count, len(columns)), dtype=np.float32)
    verdicts = np.empty(count, dtype=np.int8)
    segments = np.empty(count, dtype=np.int64)
    history = np.empty(count, dtype=np.int64)
    mids = np.empty(count)
    records = allocate_session(settings, series.symbol)
    run_ticks(
        records,
        feature_vector(records),
        # Without the compiler, ticks need fields as attributes as the record does.
        series.ticks.view(np.recarray) if isinstance(records, np.recarray) else series.ticks,
        columns,
        values,
        verdicts,
        segments,
        history,
        mids,
    )
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
        Ticks of one symbol.
    settings
        Bucket length, tick size and gate limits.
    names
        Columns to keep; all of the catalogue by default.
    quality
        The gate's report on the series, where the caller has judged it already.

    Returns
    -------
    FeatureBlock
        Accepted rows only.

    Raises
    ------
    ConfigError
        A name is not in the catalogue.
    """
    chosen = tuple(names) if names is not None else tuple(f.name for f in FEATURES)
    values, verdicts, segments, history, mids = step_through(
        series, settings, column_indices(chosen)
    )
    if quality is None:
        quality = judge_series(series, max_gap_s=settings.max_gap_s, max_jump=settings.max_jump)[1]
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
    )
