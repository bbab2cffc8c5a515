"""What the features' settings are fitted on, and the columns that must not be graded there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.features.block import FeatureBlock, FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.settings import fit_settings
from alphaseeker.market.schema import TickSeries
from alphaseeker.training.splits import split_by_time
from alphaseeker.training.target import target_from_config

__all__ = ["blank_fitted", "fit_on_training_part", "say_where_graded"]

FITTED = frozenset(feature.name for feature in FEATURES if feature.fitted)


def fit_on_training_part(
    series: Sequence[TickSeries], accepted: Sequence[npt.NDArray[np.bool_]], config: Config
) -> tuple[FeatureSettings, int]:
    """Fit the feature settings on nothing but the ticks of the training part.

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
        The settings, and the end of the training part: nanoseconds, itself no longer in it.

    Raises
    ------
    DataError
        There is too little data for three parts.
    """
    times = [one.ticks["timestamp"][kept] for one, kept in zip(series, accepted, strict=True)]
    target = target_from_config(config)
    split = split_by_time(
        np.concatenate(times), label_span_ns=target.horizon_ns, config=config.split
    )
    parts = []
    for one, kept in zip(series, accepted, strict=True):
        parts.append(_taken(one, kept & split.rows("train", one.ticks["timestamp"])))
    return fit_settings(parts, config), split.train[1]


def _taken(series: TickSeries, rows: npt.NDArray[np.bool_]) -> TickSeries:
    """Return the rows of ``series`` where ``rows`` is True."""
    numbers = np.flatnonzero(rows)
    together = len(numbers) > 0 and numbers[-1] - numbers[0] == len(numbers) - 1
    # A slice is no copy: depth is by far the largest part of the data.
    chosen = slice(numbers[0], numbers[-1] + 1) if together else numbers
    return TickSeries(
        symbol=series.symbol,
        ticks=series.ticks[chosen],
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
