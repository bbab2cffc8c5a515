"""Factor evaluation of a file or frame: read, gate, compute, grade, write the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.factors.columns import block_without_features
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.features.block import FeatureBlock
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.matrix_cache import MatrixCache
from alphaseeker.features.settings import fit_settings
from alphaseeker.market.array_file import file_array, in_file, release, trim_memory
from alphaseeker.market.schema import TickSeries
from alphaseeker.training.fitted import blank_fitted, fit_on_training_part, say_where_graded
from alphaseeker.training.judged import (
    JUDGED_AT_ONCE,
    MB,
    Judged,
    judge_series,
    read_source,
)
from alphaseeker.training.run import blocks_of

__all__ = ["DEFAULT_REPORT_PATH", "evaluate_factor_source"]

DEFAULT_REPORT_PATH = Path("reports") / "factors.json"
_NO_FACTORS = ("timestamp", "session", "symbol")
_QUOTES = ("bid_price", "ask_price", "bid_volume", "ask_volume", "volume")

Brought = list[Mapping[str, npt.NDArray[np.floating[Any]]]]


def evaluate_factor_source(
    data: Any,
    config: Config,
    *,
    price_col: str = "close",
    columns: Sequence[str] | None = None,
    only_columns: bool = False,
    horizons_s: Sequence[float] | None = None,
    report_path: Path = DEFAULT_REPORT_PATH,
    custom: Sequence[CustomFeature] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Grade every feature of ``data`` and those of ``custom``, and write the results as JSON.

    The features' settings are fitted on the training part of the first walk-forward fold.
    Columns that rest on what was fitted (``fitted`` in their declaration) are graded on the rows
    after it; where the data is too short for parts, they are not graded.

    Parameters
    ----------
    columns
        Names of columns of numbers in ``data`` that are factors beside the features.
    only_columns
        They are the only factors. The data then need no quotes: a time stamp and ``price_col`` are
        enough, the forward return is that of the price, and the quoted spread counts as 0.
    horizons_s
        Seconds, in place of HORIZONS_S.

    Returns
    -------
    dict
        That of ``evaluate_factor_blocks``, with ``success``, ``report_path``, ``warnings`` of the
        data and ``quotes``: whether the returns are those of the mid and quoted spreads are paid.

    Raises
    ------
    DataError
        The data cannot be read or is too bad, or a column is not there or holds no numbers.
    """
    names = _checked(columns, only_columns)
    if horizons_s is not None:
        config = config.override({"HORIZONS_S": list(horizons_s)})
    series = read_source(
        data, config, price_col=price_col, columns=names, quotes_needed=not only_columns
    )
    trim_memory()
    _require_numbers(series, names)
    quotes = not only_columns or all(_has_quotes(one) for one in series)
    blocks: list[FeatureBlock]
    if quotes:
        judged = judge_series(data, series, config)
        warnings = judged.quality.warnings()
        blocks, end_ns = _featured(judged, config, custom, only_columns)
        brought = [
            _brought(one, kept, names)
            for one, kept in zip(judged.series, judged.accepted, strict=True)
        ]
    else:
        end_ns, warnings = None, ()
        bare = [_without_quotes(one, price_col) for one in series]
        blocks = [block for block, _ in bare]
        brought = [_brought(one, kept, names) for one, (_, kept) in zip(series, bare, strict=True)]
    del series
    evaluated = evaluate_factor_blocks(blocks, config, brought=brought, on_progress=on_progress)
    say_where_graded(evaluated["factor_results"], end_ns)
    result = {"success": True, **evaluated, "quotes": quotes, "warnings": list(warnings)}
    result["report_path"] = str(report_path)
    if not quotes:
        title, _, rest = evaluated["report"].partition("\n")
        said = f"no quotes: returns are those of {price_col!r}, and the quoted spread counts as 0"
        result["report"] = f"{title}\n{said}\n{rest}"
    report_path.parent.mkdir(parents=True, exist_ok=True)
    report_path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def _checked(columns: Sequence[str] | None, only_columns: bool) -> tuple[str, ...]:
    names = (columns,) if isinstance(columns, str) else tuple(columns or ())
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"columns holds {name!r}; give the names of columns")
        if name.strip().lower() in _NO_FACTORS:
            raise DataError(f"column {name!r} says when or whose a row is; it is no factor")
        if names.count(name) > 1:
            raise DataError(f"columns names {name!r} twice; name each column once")
    if only_columns and not names:
        raise DataError("only_columns evaluates nothing but columns: name at least one in columns")
    return names


def _pieces(rows: int) -> Iterator[slice]:
    for first in range(0, rows, JUDGED_AT_ONCE):
        yield slice(first, min(first + JUDGED_AT_ONCE, rows))


def _require_numbers(series: Sequence[TickSeries], names: Sequence[str]) -> None:
    found = np.zeros(len(names), dtype=np.bool_)
    for one in series:
        if one.brought is not None:
            for rows in _pieces(len(one)):
                found |= np.isfinite(one.brought[rows]).any(axis=0)
                release(one.brought)
    for name, known in zip(names, found, strict=True):
        if not known:
            raise DataError(
                f"column {name!r} holds no finite number; give the name of a column of numbers"
            )


def _has_quotes(series: TickSeries) -> bool:
    """Say whether any row has them all: one that has not is for the quality gate to judge."""
    for rows in _pieces(len(series)):
        known = np.ones(rows.stop - rows.start, dtype=np.bool_)
        for name in _QUOTES:
            known &= np.isfinite(series.ticks[name][rows])
        release(series.ticks)
        if known.any():
            return True
    return False


def _featured(
    judged: Judged, config: Config, custom: Sequence[CustomFeature], only_columns: bool
) -> tuple[list[FeatureBlock], int | None]:
    """Compute the features, and say where those that rest on a fit are graded from."""
    end_ns: int | None
    try:
        forward = config.override({"FOLD_SCHEME": "walk_forward", "ROLLING_TRAIN_S": None})
        fitted, end_ns = fit_on_training_part(judged.series, judged.accepted, forward)
    except DataError:
        # Too short for parts, and so for a grade of what is fitted; all else needs no fit.
        fitted, end_ns = fit_settings(judged.series, config), None
    blocks = blocks_of(
        judged,
        fitted if only_columns else replace(fitted, custom=tuple(custom)),
        names=() if only_columns else None,
        memory_limit=config.data.MATRIX_MEMORY_MB * MB,
        cache=MatrixCache(config.inference),
    )
    blank_fitted(blocks, end_ns)
    return blocks, end_ns


def _without_quotes(
    series: TickSeries, price_col: str
) -> tuple[FeatureBlock, npt.NDArray[np.bool_]]:
    """Return the rows that have a time and a price above zero, and which they are."""
    ticks = series.ticks
    kept = np.empty(len(ticks), dtype=np.bool_)
    for rows in _pieces(len(ticks)):
        price = ticks["close"][rows]
        kept[rows] = (ticks["timestamp"][rows] > 0) & np.isfinite(price) & (price > 0.0)
        release(ticks)
    count = int(kept.sum())
    if count == 0:
        raise DataError(f"no row has a time stamp and a price above zero in {price_col!r}")
    timestamp, price, session, row = (
        _kept(values, kept, count)
        for values in (ticks["timestamp"], ticks["close"], ticks["session"], series.rows)
    )
    spread = np.broadcast_to(np.float64(0.0), count)
    return block_without_features(series.symbol, timestamp, price, spread, session, row), kept


def _kept(values: npt.NDArray[Any], kept: npt.NDArray[np.bool_], count: int) -> npt.NDArray[Any]:
    """Return the ``count`` rows of ``values`` that are kept, in a file where these are in one."""
    shape = (count, *values.shape[1:])
    found = file_array(shape, values.dtype) if in_file(values) else np.empty(shape, values.dtype)
    done = 0
    for rows in _pieces(len(values)):
        piece = values[rows][kept[rows]]
        found[done : done + len(piece)] = piece
        done += len(piece)
        release(values)
        release(found)
    return found


def _brought(
    series: TickSeries, kept: npt.NDArray[np.bool_], names: Sequence[str]
) -> Mapping[str, npt.NDArray[np.floating[Any]]]:
    if series.brought is None:
        return {}
    count = int(kept.sum())
    values = series.brought if count == len(kept) else _kept(series.brought, kept, count)
    return dict(zip(names, values.T, strict=True))
