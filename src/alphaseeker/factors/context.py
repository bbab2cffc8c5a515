"""What is said of each factor beside its grade: its memory, its doubles, where its IC was made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.autocorrelation import SAMPLED_PAIRS, lagged_rows, rank_autocorrelation
from alphaseeker.factors.panel import Panel
from alphaseeker.factors.redundancy import (
    SAMPLED_ROWS,
    Redundancy,
    cluster_factors,
    rank_correlations,
    sample_rows,
)
from alphaseeker.factors.stability import (
    ic_by_day,
    ic_by_regime,
    realised_volatility,
    sign_shares,
    volatility_before,
)
from alphaseeker.features.matrix_file import release, release_block

__all__ = ["factor_context"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Columns = Sequence[npt.NDArray[np.floating[Any]] | None]


def factor_context(
    panels: Sequence[Panel],
    columns: Sequence[Columns],
    ics: Sequence[FloatArray],
    *,
    standing: Sequence[int],
) -> list[dict[str, Any]]:
    """Describe each factor from a sample of rows and from its block ICs.

    Of the feature matrix no more than 20,000 evenly spread rows and 20,000 pairs of rows a horizon
    apart are read, over all symbols.

    Parameters
    ----------
    panels
        One or more symbols. The lag of the autocorrelation is the graded horizon.
    columns
        For each symbol the values of the k factors, shapes (n,), of any floating type; None counts
        as never finite.
    ics
        For each symbol shape (k, b), float64: ICs of the panel's blocks, NaN where there is none.
    standing
        Positions of the factors, from the best to the worst.

    Returns
    -------
    list of dict
        For each factor ``autocorrelation`` (Spearman's, of the factor with itself a horizon later,
        by time; mean over symbols), ``cluster`` (a number: equal ones are one factor twice, rank
        correlations of .9 or more; 0 is the cluster of the best factor), ``redundant_with`` (the
        position of the best factor of the same cluster; None for that one),
        ``redundant_correlation`` (with it; 0.0 without), ``ic_by_day``, ``ic_by_regime`` (terciles
        of the volatility of the block before) and ``sign_share`` (``blocks`` and ``days`` that
        point where the mean IC points).
    """
    redundancy = _redundancy(panels, columns, standing)
    memory = _autocorrelations(panels, columns)
    starts = np.concatenate([panel.starts(panel.groups[0]) for panel in panels])
    volatility = np.concatenate([volatility_before(_volatility(panel)) for panel in panels])
    symbol = np.repeat(np.arange(len(panels)), [len(panel.blocks) for panel in panels])
    found = []
    for factor in range(len(columns[0])):
        own_ics = np.concatenate([each[factor] for each in ics])
        other = redundancy.redundant_with[factor]
        found.append(
            {
                "autocorrelation": memory[factor],
                "cluster": redundancy.clusters[factor],
                "redundant_with": None if other is None else int(other),
                "redundant_correlation": redundancy.correlation[factor],
                "ic_by_day": ic_by_day(own_ics, starts),
                "ic_by_regime": ic_by_regime(own_ics, volatility, symbol),
                "sign_share": sign_shares(own_ics, starts),
            }
        )
    return found


def _volatility(panel: Panel) -> FloatArray:
    """Return the realised volatility of each block, read one after the other."""
    found = np.empty(len(panel.blocks))
    rows = panel.features
    for block in range(len(found)):
        own = panel.blocks[block : block + 1]
        found[block] = realised_volatility(rows.timestamp, rows.mid, rows.segment, own)[0]
        release_block(rows)
    return found


def _shares(panels: Sequence[Panel], most: int) -> list[int]:
    """Divide ``most`` rows over the symbols by how many rows each has."""
    total = sum(len(panel.features) for panel in panels)
    return [max(most * len(panel.features) // total, 1) for panel in panels]


def _read(rows: IntArray, columns: Columns) -> FloatArray:
    """Return some rows of some columns; NaN for None."""
    values = np.full((len(rows), len(columns)), np.nan)
    for place, column in enumerate(columns):
        if column is not None:
            values[:, place] = column[rows]
            release(column)
    return values


def _redundancy(
    panels: Sequence[Panel], columns: Sequence[Columns], standing: Sequence[int]
) -> Redundancy:
    rows = [
        sample_rows(len(panel.features), most)
        for panel, most in zip(panels, _shares(panels, SAMPLED_ROWS), strict=True)
    ]
    values = [_read(own, each) for own, each in zip(rows, columns, strict=True)]
    symbol = np.repeat(np.arange(len(panels)), [len(own) for own in rows]).astype(np.int64)
    correlations = rank_correlations(np.concatenate(values), symbol)
    places = [str(place) for place in range(len(columns[0]))]
    return cluster_factors(places, correlations, standing)


def _autocorrelations(panels: Sequence[Panel], columns: Sequence[Columns]) -> list[float]:
    totals, weight = np.zeros(len(columns[0])), 0
    shares = _shares(panels, SAMPLED_PAIRS)
    for panel, own, most in zip(panels, columns, shares, strict=True):
        timestamp = panel.features.timestamp
        graded = (panel.segments, panel.coarse[0], panel.horizons_ns[0])
        pairs = lagged_rows(timestamp, *graded, most)
        release(timestamp)
        if len(pairs[0]) < 2:
            continue
        rows, places = np.unique(np.concatenate(pairs), return_inverse=True)
        values = _read(rows, own)
        first, second = places[: len(pairs[0])], places[len(pairs[0]) :]
        totals += len(panel.features) * np.array(
            [rank_autocorrelation(column, first, second) for column in values.T]
        )
        weight += len(panel.features)
    return [float(total) for total in totals / max(weight, 1)]
