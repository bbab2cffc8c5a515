"""Which factors are the same factor twice: clusters of rank correlation.

Two factors count as one where their ranks correlate by .9 or more, whatever the sign: a factor
turned upside down says the same. Linkage is complete, so that this holds for every pair of a
cluster and no chain of neighbours joins two factors that differ.

The correlations are those of a systematic sample of rows (`sample_rows`). With 20,000 rows the
standard error of a rank correlation of .9 is .0014.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.factors.ranks import average_ranks

__all__ = [
    "MAX_DISTANCE",
    "MIN_COMMON_ROWS",
    "SAMPLED_ROWS",
    "Redundancy",
    "cluster_factors",
    "rank_correlations",
    "sample_rows",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MAX_DISTANCE = 0.1  # 1 - |rank correlation| of the most different pair of one cluster
SAMPLED_ROWS = 20_000
MIN_COMMON_ROWS = 30  # of fewer rows that two factors share, nothing is said of them
# A first estimate this large is made exact for pairs that miss different rows.
_NEAR = 0.7


@dataclass(frozen=True, kw_only=True)
class Redundancy:
    """Which factors say the same, in the order in which the factors were given.

    Attributes
    ----------
    clusters
        A number for each factor, from 0 in order of standing; equal numbers are one factor.
    redundant_with
        Name of the best factor of the same cluster; None for that factor itself.
    correlation
        Rank correlation with ``redundant_with``; 0.0 where that is None.
    """

    clusters: list[int]
    redundant_with: list[str | None]
    correlation: list[float]


def sample_rows(rows: int, most: int = SAMPLED_ROWS) -> IntArray:
    """Return every k-th row number, k being the least that leaves at most ``most`` rows.

    Parameters
    ----------
    rows
        Number of rows there are.
    most
        At least 1.

    Returns
    -------
    numpy.ndarray
        Shape (m,), int64, rising; m is at most ``most``.
    """
    step = max(-(-rows // most), 1)
    return np.arange(0, rows, step, dtype=np.int64)


def rank_correlations(
    values: npt.NDArray[np.floating], symbol: npt.NDArray[np.int64] | None = None
) -> FloatArray:
    """Return Spearman's correlation of each pair of columns over the rows where both are finite.

    Each column is ranked once, among its own finite rows. A pair that misses the same rows has
    its exact correlation from one matrix product. A pair that does not is estimated from those
    ranks over the rows it shares, and ranked anew among these where the estimate is .7 or more in
    size, so that what is near the limit of redundancy is exact.

    Parameters
    ----------
    values
        Shape (n, k), floating; what is not finite is left out.
    symbol
        Shape (n,), int64: which symbol each row is of. Ranks are then taken, and centred, within
        a symbol: a level that differs between symbols ties no two factors together. None: one.

    Returns
    -------
    numpy.ndarray
        Shape (k, k), float64, symmetric, 1.0 on the diagonal; 0.0 for a column that is constant
        and for pairs with fewer than ``MIN_COMMON_ROWS`` common rows.

    Raises
    ------
    DataError
        ``values`` is not a matrix or ``symbol`` has another length.
    """
    if values.ndim != 2:
        raise DataError(f"values has shape {values.shape}; give a matrix of rows by factors")
    rows, count = values.shape
    if symbol is None:
        symbol = np.zeros(rows, dtype=np.int64)
    if len(symbol) != rows:
        raise DataError(f"symbol has {len(symbol)} entries for {rows} rows; give one for each row")
    members = [np.flatnonzero(symbol == name) for name in np.unique(symbol)]
    columns = np.ascontiguousarray(values.T)
    known = np.isfinite(columns)
    ranks = np.zeros((count, rows))
    for column, own, held in zip(columns, known, ranks, strict=True):
        _rank_into(held, column, own, members)
    if known.all():
        found = _cosines(ranks)
    else:
        found = _masked(ranks, known, members)
        pair = np.empty((2, rows))
        for left, right in _uneven(found, known):
            both = known[left] & known[right]
            pair[:] = 0.0
            _rank_into(pair[0], columns[left], both, members)
            _rank_into(pair[1], columns[right], both, members)
            found[left, right] = found[right, left] = _cosines(pair)[0, 1]
    np.fill_diagonal(found, 1.0)
    return found


def _rank_into(
    ranks: FloatArray,
    column: npt.NDArray[np.floating],
    own: npt.NDArray[np.bool_],
    members: list[IntArray],
) -> None:
    """Write the ranks of the rows in ``own``, centred within each symbol."""
    for member in members:
        rows = member[own[member]]
        ranks[rows] = average_ranks(column[rows].astype(np.float64)) - 0.5 * (len(rows) + 1)


def _cosines(ranks: FloatArray) -> FloatArray:
    """Return the cosine of each pair of rows; 0.0 where one of them is all zeros."""
    length = np.sqrt(np.einsum("ij,ij->i", ranks, ranks))
    scaled = ranks / np.where(length > 0.0, length, 1.0)[:, None]
    return np.clip(scaled @ scaled.T, -1.0, 1.0)


def _masked(ranks: FloatArray, known: npt.NDArray[np.bool_], members: list[IntArray]) -> FloatArray:
    """Return Pearson's correlation of each pair of rank rows over the rows that both know."""
    count = len(ranks)
    cross, left = np.zeros((count, count)), np.zeros((count, count))
    common = np.zeros((count, count))
    for member in members:
        own = ranks[:, member]
        mask = known[:, member].astype(np.float64)
        shared = mask @ mask.T
        total = own @ mask.T  # of the first of the pair, over the rows that both know
        rows = np.where(shared > 0.0, shared, 1.0)
        cross += own @ own.T - total * total.T / rows
        left += (own * own) @ mask.T - total * total / rows
        common += shared
    power = np.sqrt(np.maximum(left, 0.0) * np.maximum(left.T, 0.0))
    # What rounding leaves of a constant is no variance: ranks are multiples of a half.
    some = (power > 1e-6) & (common >= MIN_COMMON_ROWS)
    return np.where(some, np.clip(cross / np.where(some, power, 1.0), -1.0, 1.0), 0.0)


def _uneven(found: FloatArray, known: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the pairs that miss different rows and are estimated to be near each other."""
    left, right = np.nonzero(np.triu(np.abs(found) >= _NEAR, k=1))
    patterns: dict[bytes, int] = {}
    names = [patterns.setdefault(np.packbits(own).tobytes(), len(patterns)) for own in known]
    return [(int(a), int(b)) for a, b in zip(left, right, strict=True) if names[a] != names[b]]


def cluster_factors(
    names: Sequence[str],
    correlations: FloatArray,
    standing: Sequence[int] | None = None,
    *,
    max_distance: float = MAX_DISTANCE,
) -> Redundancy:
    """Join the factors whose ranks go together, by complete linkage of 1 - |correlation|.

    Parameters
    ----------
    names
        The k factors.
    correlations
        Shape (k, k), as from `rank_correlations`.
    standing
        Positions in ``names`` from the best factor to the worst; in the order given by default.
        The best of a cluster is the one to keep.
    max_distance
        The largest distance within a cluster, from 0 to 1.

    Raises
    ------
    DataError
        Shapes that do not fit, an order that is none, or a distance outside 0 to 1.
    """
    count = len(names)
    order = list(range(count)) if standing is None else [int(place) for place in standing]
    if correlations.shape != (count, count):
        raise DataError(
            f"correlations has shape {correlations.shape} for {count} names; give one row and one "
            "column for each name"
        )
    if sorted(order) != list(range(count)):
        raise DataError(f"standing must hold each position from 0 to {count - 1} once")
    if not 0.0 <= max_distance <= 1.0:
        raise DataError(f"max_distance must be from 0 to 1, and is {max_distance:g}")
    labels = _linked(correlations, max_distance)
    number: dict[int, int] = {}
    best: dict[int, int] = {}
    for place in order:
        number.setdefault(labels[place], len(number))
        best.setdefault(labels[place], place)
    first = [best[label] for label in labels]
    return Redundancy(
        clusters=[number[label] for label in labels],
        redundant_with=[
            None if first[place] == place else names[first[place]] for place in range(count)
        ],
        correlation=[
            0.0 if first[place] == place else float(correlations[place, first[place]])
            for place in range(count)
        ],
    )


def _linked(correlations: FloatArray, max_distance: float) -> list[int]:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(correlations) < 2:
        return list(range(len(correlations)))
    distance = 1.0 - np.abs(0.5 * (correlations + correlations.T))
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(np.maximum(distance, 0.0), checks=False), method="complete")
    # A rounding less than the limit is not more than it.
    limit = math.nextafter(max_distance, 2.0) + 1e-12
    return [int(label) for label in fcluster(tree, limit, criterion="distance")]
