"""Prefix invariance: what a column says at a moment must not change when later rows come.

Features of x[:t+1] are compared with the rows up to t of the features of x, bit for bit, at several
places t. A centred window differs in the last rows before t, a statistic of the whole sample in all
of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.features.batch import column_indices, step_through
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.custom_runner import custom_runner
from alphaseeker.features.frame_feature import FrameFeature, frame_of
from alphaseeker.market.gate import Verdict
from alphaseeker.market.schema import TickSeries
from alphaseeker.training.leak_finding import Finding

__all__ = ["CHECK", "accepted_frame", "check_prefixes", "cut_places", "frame_values"]

CHECK = "prefix invariance"
CUTS = 8
LEAST_SHARE = 0.2  # of the rows, before the first cut
# Steps see one tick at a time, so that a part of a long series shows what the whole would.
MOST_TICKS = 200_000
REPEATED = int(Verdict.REPEATED)

ADVICE = (
    "compute it from rows up to its own alone: no centred window, no shift backwards, no mean, "
    "deviation, rank or fit over the whole sample"
)

Values = npt.NDArray[np.float32]


def cut_places(rows: int) -> list[int]:
    """Return the numbers of rows that prefixes of ``rows`` rows keep, rising.

    They lie evenly between a fifth of the rows and all but one, so that the last prefix lacks a
    single row, moved off round numbers by a fixed seed.
    """
    if rows < 2:
        return []
    even = np.linspace(LEAST_SHARE * rows, rows - 1, CUTS)
    moved = even - np.random.default_rng(0).uniform(0.0, 0.5 * (even[1] - even[0]), CUTS)
    places = np.clip(np.append(moved[:-1], rows - 1).astype(np.int64), 1, rows - 1)
    return [int(place) for place in np.unique(places)]


def check_prefixes(
    series: Sequence[TickSeries],
    settings: FeatureSettings,
    names: Sequence[str],
    frames: Sequence[FrameFeature] = (),
) -> list[Finding]:
    """Check columns of steps and of frames on the given series.

    Parameters
    ----------
    series
        Ticks by symbol.
    settings
        Those of the model.
    names
        Columns of the catalogue and of custom steps.
    frames
        Features of a whole frame, which can look ahead.

    Returns
    -------
    list of Finding
        One for each column that changes, or a single one that passed or was not judged.
    """
    changed: dict[str, tuple[int, int, str, int]] = {}
    own = [feature.columns[0].name for feature in frames]
    cuts = 0
    for one in series:
        full = _steps(one, settings, names, min(len(one), MOST_TICKS))
        for place in cut_places(len(full)):
            try:
                part = _steps(one, settings, names, place)
            except DataError:
                continue  # too little depth so early; the whole has enough
            cuts += 1
            _compare(full[:place], part, names, one.symbol, one.rows, changed)
        if frames:
            frame, kept = accepted_frame(one, settings)
            whole = frame_values(frame, frames)
            for place in cut_places(len(frame)):
                cuts += 1
                part = frame_values(frame.iloc[:place], frames)
                _compare(whole[:place], part, own, one.symbol, one.rows[kept], changed)
    if changed:
        return [_finding(name, *found) for name, found in changed.items()]
    count = len(names) + len(frames)
    if cuts == 0:
        return [
            Finding(
                check=CHECK,
                passed=True,
                sentence=(
                    "not judged: no prefix of the data is long enough to compute the columns "
                    "of; give more rows"
                ),
                figures={"columns": count, "cuts": 0},
                judged=False,
            )
        ]
    return [
        Finding(
            check=CHECK,
            passed=True,
            sentence=f"{count} columns, cut off at {cuts} places, say the same before the cut",
            figures={"columns": count, "cuts": cuts},
        )
    ]


def _finding(name: str, differing: int, rows: int, symbol: str, row: int) -> Finding:
    where = f" of {symbol!r}" if symbol else ""
    return Finding(
        check=CHECK,
        passed=False,
        sentence=(
            f"{name} looks ahead: with the rows after a moment cut off it says something else on "
            f"{differing} of the {rows} rows before it, first on source row {row}{where}; {ADVICE}"
        ),
        figures={"column": name, "differing": differing, "rows": rows, "first_row": row},
    )


def _compare(
    full: Values,
    part: Values,
    names: Sequence[str],
    symbol: str,
    source_rows: npt.NDArray[np.int64],
    changed: dict[str, tuple[int, int, str, int]],
) -> None:
    """Keep, for each column, the place where most rows differ."""
    same = (full == part) | (np.isnan(full) & np.isnan(part))
    for column in np.flatnonzero(~same.all(axis=0)).tolist():
        rows = np.flatnonzero(~same[:, column])
        before = changed.get(names[column])
        if before is None or len(rows) > before[0]:
            changed[names[column]] = (len(rows), len(full), symbol, int(source_rows[rows[0]]))


def _steps(
    series: TickSeries, settings: FeatureSettings, names: Sequence[str], stop: int
) -> Values:
    """Return the columns of the first ``stop`` ticks, shape (stop, k)."""
    part = replace(
        series,
        ticks=series.ticks[:stop],
        rows=series.rows[:stop],
        depth=None if series.depth is None else series.depth[:stop],
    )
    columns = column_indices(names, settings.custom_columns)
    return step_through(part, settings, columns, custom_runner(names, settings))[0]


def accepted_frame(
    series: TickSeries, settings: FeatureSettings
) -> tuple[Any, npt.NDArray[np.bool_]]:
    """Return the pandas frame that frame features get, and which ticks are in it, shape (n,)."""
    _, verdicts, segments, _, mids = step_through(series, settings, column_indices(()))
    kept = (verdicts >= 0) & (verdicts < REPEATED)
    return frame_of(series, kept, segments, mids), kept


def frame_values(frame: Any, frames: Sequence[FrameFeature]) -> Values:
    """Return frame features of the rows of a frame, shape (rows, k), float32."""
    return np.column_stack([one.values(frame.copy()) for one in frames])
