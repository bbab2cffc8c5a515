"""Rows of any kind in, one answer a row out, in the order in which the rows came."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from alphaseeker.market.frames import is_frame
from alphaseeker.market.quality import QualityAccumulator, check_depth
from alphaseeker.market.readers import read_ticks, source_name
from alphaseeker.market.schema import TICK, TickSeries, session_code
from alphaseeker.market.tick_values import refusal

__all__ = ["RowsBefore", "check_refused", "in_row_order", "series_of"]

LISTED_ROWS = 10
PRICE_AND_SIZE = tuple((TICK.names or ())[1:9])


@dataclass
class RowsBefore:
    """What a stream has brought before the rows of a step.

    Attributes
    ----------
    rows, refused
        How many, and how many of them were malformed.
    kinds
        Form of the time stamps by symbol.
    """

    rows: int = 0
    refused: int = 0
    kinds: dict[str, str | None] = field(default_factory=dict)


def series_of(
    data: Any,
    config: DataConfig,
    model: ServedModel,
    *,
    symbol: str | None = None,
    price_col: str = "close",
    before: RowsBefore | None = None,
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
    before
        Of a stream whose next dictionaries these are: rows are numbered on from it.

    Raises
    ------
    DataError
        A row or the source cannot be read, or lacks depth or the aggressor's side, which the
        model reads. Of a frame or file a row here and there may, as in training; and where the
        model reads depth, as many rows with damaged levels as ``config`` allows.
    """
    if isinstance(data, (list, tuple)):
        return _series_of_dictionaries(data, symbol or "", model, before or RowsBefore())
    if not isinstance(data, (str, os.PathLike)) and not is_frame(data):
        hint = "; call .collect() on a lazy frame" if hasattr(data, "collect") else ""
        raise DataError(
            f"data is a {type(data).__name__}; give a list of market data dictionaries, a pandas "
            f"or polars frame, or the path of a file, directory or glob{hint}"
        )
    every = read_ticks(data, chunk_rows=config.CHUNK_ROWS, symbol=symbol, price_col=price_col)
    for series in every:
        if len(series):
            check_inputs(series, model.artifact.feature_names, model.settings)
    if model.depth_levels > 0:
        limits = {"max_gap_s": model.settings.max_gap_s, "max_jump": model.settings.max_jump}
        total = QualityAccumulator(source_name(data), **limits)
        for series in every:
            total.update(series)  # mends the depth where it stands
        check_depth(total.report(), config)
    return every


def _series_of_dictionaries(
    rows: Sequence[Any], symbol: str, model: ServedModel, before: RowsBefore
) -> list[TickSeries]:
    by_symbol: dict[str, list[tuple[Any, ...]]] = {}
    numbers: dict[str, list[int]] = {}
    depths: dict[str, list[npt.NDArray[np.float64]]] = {}
    kinds = before.kinds
    for position, row in enumerate(rows, start=before.rows + 1):
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
    judged: Sequence[tuple[TickSeries, npt.NDArray[np.int8]]],
    config: DataConfig,
    before: RowsBefore | None = None,
) -> None:
    """Check the gate's verdicts on the rows of every symbol; count them in ``before``.

    Raises
    ------
    DataError
        More rows are malformed than ON_BAD_ROW and MAX_BAD_RATIO let pass.
    """
    so_far = before or RowsBefore()
    so_far.rows += sum(len(verdicts) for _, verdicts in judged)
    refused = [(series, verdicts, np.flatnonzero(verdicts < 0)) for series, verdicts in judged]
    count = sum(len(found) for *_, found in refused)
    so_far.refused += count
    allowed = config.MAX_BAD_RATIO if config.ON_BAD_ROW == "drop" else 0.0
    if not count or so_far.refused <= allowed * so_far.rows:
        return
    places = [
        (*place, position, index)
        for position, (series, _, found) in enumerate(refused)
        for place, index in zip(_places(series, found), found.tolist(), strict=True)
    ]
    places = heapq.nsmallest(LISTED_ROWS, places)
    named = [f"{row}{_of_file(refused[at][0], index)}" for _, row, at, index in places]
    listed = ", ".join(named) + (", ..." if count > LISTED_ROWS else "")
    *_, position, index = places[0]
    series, verdicts, _ = refused[position]
    tick = series.ticks[index]
    values = tuple(float(tick[name]) for name in PRICE_AND_SIZE)
    first = refusal(int(verdicts[index]), int(tick["timestamp"]), values)
    raise DataError(
        f"row {named[0]}: {first}; {so_far.refused} of {so_far.rows} rows are malformed "
        f"({listed}), {allowed:.3%} of them may be (ON_BAD_ROW, MAX_BAD_RATIO)"
    )


def _places(series: TickSeries, chosen: npt.NDArray[np.int64] | slice) -> Iterator[tuple[int, int]]:
    """Return the number of the file and of the row in it, of rows of a series."""
    files = series.file_numbers()[chosen].tolist()
    return zip(files, series.rows[chosen].tolist(), strict=True)


def _of_file(series: TickSeries, index: int) -> str:
    return f" of {series.file_of(index)}" if series.files else ""


def in_row_order(
    results: Sequence[tuple[TickSeries, RowSignals]],
    *,
    position: str,
    started: int,
    config: DataConfig,
    before: RowsBefore | None = None,
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
    before
        Of a stream whose next rows these are.

    Raises
    ------
    DataError
        More rows are malformed than ``config`` allows.
    """
    check_refused([(series, signals.verdict) for series, signals in results], config, before)
    total = sum(len(signals) for _, signals in results)
    now = time.time()
    latency = (perf_counter_ns() - started) // max(total, 1)
    numbered = [
        (
            place,
            prediction(
                signals.signal(index),
                symbol=series.symbol,
                position=position,
                predicted_at=now,
                latency_ns=latency,
            ),
        )
        for series, signals in results
        for index, place in enumerate(_places(series, slice(None)))
    ]
    numbered.sort(key=lambda item: item[0])
    for _, answer in numbered:
        answer["performance_stats"] = {"rows": total}
    return [answer for _, answer in numbered]
