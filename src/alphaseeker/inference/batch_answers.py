"""Rows of any kind in, one answer a row out, in the order in which the rows came."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from time import perf_counter_ns
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import DataConfig
from alphaseeker.errors import DataError
from alphaseeker.features.inputs import check_inputs
from alphaseeker.inference.answers import prediction
from alphaseeker.inference.rows import RowSignals
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.inference.tick_input import levels_in, read_tick
from alphaseeker.market.depth import repair_depth_series
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.schema import TICK, TickSeries, session_code
from alphaseeker.market.tick_values import refusal

__all__ = ["check_refused", "in_row_order", "series_of"]

PRICE_AND_SIZE = tuple((TICK.names or ())[1:9])


def series_of(
    data: Any,
    config: DataConfig,
    model: ServedModel,
    *,
    symbol: str | None = None,
    price_col: str = "close",
) -> list[TickSeries]:
    """Read rows of one or several symbols, with all that ``model`` reads of them.

    Parameters
    ----------
    data
        List of market data dictionaries, pandas or polars frame, or path.
    symbol
        Name for rows that carry none.
    price_col
        Column of a frame or file that is read as ``close``.

    Raises
    ------
    DataError
        A row or the source cannot be read, or lacks depth or the aggressor's side, which the
        model reads. Of a frame or file a row here and there may, as in training.
    """
    if isinstance(data, (list, tuple)):
        return _series_of_dictionaries(data, symbol or "", model)
    every = read_ticks(data, chunk_rows=config.CHUNK_ROWS, symbol=symbol, price_col=price_col)
    for series in every:
        if len(series):
            check_inputs(series, model.artifact.feature_names, model.settings)
        if series.depth is not None and model.depth_levels > 0:
            repair_depth_series(series.depth)
    return every


def _series_of_dictionaries(
    rows: Sequence[Any], symbol: str, model: ServedModel
) -> list[TickSeries]:
    by_symbol: dict[str, list[tuple[Any, ...]]] = {}
    numbers: dict[str, list[int]] = {}
    depths: dict[str, list[npt.NDArray[np.float64]]] = {}
    kinds: dict[str, str | None] = {}
    for position, row in enumerate(rows, start=1):
        name = row.get("symbol", symbol) if isinstance(row, Mapping) else symbol
        try:
            if not isinstance(name, str):
                raise DataError(f"symbol is {name!r}; it must be a string")
            tick = read_tick(row, kind=kinds.get(name))
            depth = levels_in(row, model.depth_levels)
            levels, _ = model.check_tick(depth, *tick.values[-2:])
            code = session_code(row.get("session"))
        except DataError as error:
            raise DataError(f"row {position}: {error}") from error
        kinds[name] = tick.kind
        by_symbol.setdefault(name, []).append((tick.timestamp, *tick.values, code))
        numbers.setdefault(name, []).append(position)
        depths.setdefault(name, []).append(levels[: model.depth_levels])
    return [
        TickSeries(
            symbol=name,
            ticks=np.array(ticks, dtype=TICK),
            rows=np.array(numbers[name], dtype=np.int64),
            depth=np.stack(depths[name]) if model.depth_levels > 0 else None,
        )
        for name, ticks in by_symbol.items()
    ]


def check_refused(
    judged: Sequence[tuple[TickSeries, npt.NDArray[np.int8]]], config: DataConfig
) -> None:
    """Check the gate's verdicts on the rows of every symbol.

    Raises
    ------
    DataError
        More rows are malformed than ON_BAD_ROW and MAX_BAD_RATIO let pass.
    """
    total = sum(len(verdicts) for _, verdicts in judged)
    refused = sum(int((verdicts < 0).sum()) for _, verdicts in judged)
    allowed = config.MAX_BAD_RATIO if config.ON_BAD_ROW == "drop" else 0.0
    if not refused or refused <= allowed * total:
        return
    for series, verdicts in judged:
        for index in np.flatnonzero(verdicts < 0)[:1].tolist():
            tick = series.ticks[index]
            values = tuple(float(tick[name]) for name in PRICE_AND_SIZE)
            first = refusal(int(verdicts[index]), int(tick["timestamp"]), values)
            raise DataError(
                f"row {int(series.rows[index])}: {first}; {refused} of {total} rows are "
                f"malformed, {allowed:g} of them may be (ON_BAD_ROW, MAX_BAD_RATIO)"
            )


def in_row_order(
    results: Sequence[tuple[TickSeries, RowSignals]],
    *,
    position: str,
    started: int,
    config: DataConfig,
) -> list[dict[str, Any]]:
    """Return one answer a row, in the order of the source.

    Parameters
    ----------
    results
        Each symbol's rows and their signals.
    position
        FLAT, LONG or SHORT.
    started
        When the call began, in ns: the latency given is the mean of the rows'.

    Raises
    ------
    DataError
        More rows are malformed than ``config`` allows.
    """
    check_refused([(series, signals.verdict) for series, signals in results], config)
    total = sum(len(signals) for _, signals in results)
    now = time.time()
    latency = (perf_counter_ns() - started) // max(total, 1)
    numbered = [
        (
            int(series.rows[index]),
            prediction(
                signals.signal(index),
                symbol=series.symbol,
                position=position,
                predicted_at=now,
                latency_ns=latency,
            ),
        )
        for series, signals in results
        for index in range(len(signals))
    ]
    numbered.sort(key=lambda item: item[0])
    for _, answer in numbered:
        answer["performance_stats"] = {"rows": total}
    return [answer for _, answer in numbered]
