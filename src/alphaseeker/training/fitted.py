"""What the features' settings are fitted on, and the columns that rest on what was fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.features.batch import compute_features
from alphaseeker.features.block import FeatureBlock, FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.matrix_cache import MatrixCache
from alphaseeker.features.matrix_file import release
from alphaseeker.features.settings import fit_settings
from alphaseeker.market.schema import TickSeries
from alphaseeker.training.folds import Plan, plan_folds
from alphaseeker.training.splits import NANOSECONDS
from alphaseeker.training.target import target_from_config

__all__ = ["FITTED", "ColumnRefit", "blank_fitted", "fit_on_training_part", "say_where_graded"]

FITTED = frozenset(feature.name for feature in FEATURES if feature.fitted)

# What a fold writes anew: the tick size is no estimate, and yet read off the training part.
RESTING = FITTED | {"book.spread_ticks"}


def fit_on_training_part(
    series: Sequence[TickSeries], accepted: Sequence[npt.NDArray[np.bool_]], config: Config
) -> tuple[FeatureSettings, int]:
    """Fit the feature settings on nothing but the ticks of the first fold's training part.

    Parameters
    ----------
    series
        One or more symbols.
    accepted
        By series, shape (n,): the rows that count.
    config
        All sections.

    Returns
    -------
    tuple
        The settings, and the end of that part: nanoseconds, itself no longer in it.

    Raises
    ------
    DataError
        There is too little data for a fold of three parts.
    """
    fold = _plan(series, accepted, config).folds[0]
    parts = [
        _taken(one, kept & fold.rows("train", one.ticks["timestamp"]), kept)
        for one, kept in zip(series, accepted, strict=True)
    ]
    return fit_settings(parts, config), fold.train[-1][1]


def _plan(
    series: Sequence[TickSeries], accepted: Sequence[npt.NDArray[np.bool_]], config: Config
) -> Plan:
    """Plan the folds before there is any feature: the accepted ticks will be the features' rows."""
    longest = round(config.inference.MAX_GAP_S * NANOSECONDS)
    times, sessions = [], []
    begun = 0
    for one, kept in zip(series, accepted, strict=True):
        ticks = one.ticks[kept]
        new = np.diff(ticks["session"]) != 0
        new |= np.diff(ticks["timestamp"]) > longest
        numbers = np.concatenate(([0], np.cumsum(new)))[: len(ticks)]
        times.append(ticks["timestamp"])
        sessions.append(numbers + begun)
        begun += int(new.sum()) + 1
    return plan_folds(
        np.concatenate(times),
        np.concatenate(sessions),
        label_span_ns=target_from_config(config).horizon_ns,
        config=config.split,
    )


class ColumnRefit:
    """Fits the estimates behind some columns on a fold's training rows, and rewrites the columns.

    Tick sizes, tables of the micro-price and weights of the levels are fitted anew; bucket length,
    levels and the aggressor's side stay, as the other columns were computed with them. An instance
    is what ``train_on_blocks`` takes as ``refit_columns``.

    Parameters
    ----------
    series, accepted
        The ticks behind ``blocks``, and which of their rows these hold.
    blocks
        Their columns are written in place.
    settings
        Those that the blocks were computed with.
    config
        All sections.
    cache
        Where columns that were computed before may be read; None to compute them.

    Attributes
    ----------
    settings
        Those of the latest fit.
    """

    def __init__(
        self,
        series: Sequence[TickSeries],
        accepted: Sequence[npt.NDArray[np.bool_]],
        blocks: Sequence[FeatureBlock],
        settings: FeatureSettings,
        config: Config,
        cache: MatrixCache | None = None,
    ) -> None:
        self._compute = compute_features if cache is None else cache.features
        self.settings = settings
        self._series, self._accepted, self._blocks = series, accepted, blocks
        self._config = config

    def __call__(self, train: npt.NDArray[np.bool_]) -> None:
        """Fit on the rows of the blocks where ``train`` is True, shape (n,) over all blocks."""
        parts = []
        offset = 0
        for one, kept, block in zip(self._series, self._accepted, self._blocks, strict=True):
            rows = np.zeros(len(one), dtype=np.bool_)
            rows[np.flatnonzero(kept)] = train[offset : offset + len(block)]
            parts.append(_taken(one, rows, kept))
            offset += len(block)
        fitted = fit_settings(parts, self._config, like=self.settings)
        fitted = replace(fitted, custom=self.settings.custom)
        if fitted != self.settings:
            self.settings = fitted
            self._rewrite()

    def _rewrite(self) -> None:
        for series, block in zip(self._series, self._blocks, strict=True):
            names = [name for name in block.names if name in RESTING]
            found = self._compute(
                series, settings=self.settings, names=names, quality=block.quality
            )
            for position, name in enumerate(names):
                block.values[:, block.names.index(name)] = found.values[:, position]


def _taken(
    series: TickSeries, rows: npt.NDArray[np.bool_], accepted: npt.NDArray[np.bool_]
) -> TickSeries:
    """Return the rows of ``series`` where ``rows`` is True.

    Where accepted rows were left out between two of them, the later one begins a session: no quote
    follows one from before a part that is held back. Rows that the gate refused leave no hole, as
    the features pass over them, too.
    """
    numbers = np.flatnonzero(rows)
    together = len(numbers) > 0 and numbers[-1] - numbers[0] == len(numbers) - 1
    # A slice is no copy: depth is by far the largest part of the data.
    chosen = slice(numbers[0], numbers[-1] + 1) if together else numbers
    ticks = series.ticks[chosen]
    holes = np.diff(np.cumsum(accepted & ~rows)[numbers]) > 0
    if holes.any():  # ``ticks`` is a copy then
        begins = holes | (np.diff(ticks["session"]) != 0)
        ticks["session"] = np.concatenate(([0], np.cumsum(begins)))
    return TickSeries(
        symbol=series.symbol,
        ticks=ticks,
        rows=series.rows[chosen],
        depth=None if series.depth is None else series.depth[chosen],
    )


def blank_fitted(blocks: Sequence[FeatureBlock], end_ns: int | None) -> None:
    """Set the fitted columns of ``blocks`` to NaN on the rows before ``end_ns``, in place.

    A column that was fitted on a row's future would be graded on what it was told there.

    Parameters
    ----------
    end_ns
        End of the part that they were fitted on; None for all rows.
    """
    for block in blocks:
        rows = np.full(len(block), True) if end_ns is None else block.timestamp < end_ns
        for column, name in enumerate(block.names):
            if name in FITTED:
                block.values[rows, column] = np.nan
        release(block.values)


def say_where_graded(results: Sequence[dict[str, Any]], end_ns: int | None) -> None:
    """Say in the ``reason`` of the fitted columns on which rows they were graded, in place.

    Parameters
    ----------
    results
        ``factor_results`` of blocks that ``blank_fitted`` went over with the same ``end_ns``.
    """
    for result in results:
        if result["factor_name"] not in FITTED:
            continue
        if end_ns is None:
            result["reason"] = "not graded: every row is one it may have been fitted on"
        else:
            where = "graded on the rows after those it was fitted on"
            result["reason"] = "; ".join(filter(None, (where, result["reason"])))
