"""The population stability index: how far a column's distribution has moved from another one.

A column is cut at the deciles of its reference; missing values are a bin of their own. With shares
``p`` of the reference and ``q`` of the present in each bin::

    PSI = sum (q - p) ln(q / p)

which is the symmetrised Kullback-Leibler divergence (Jeffreys 1946). By the usual rule of thumb
below .1 is stable and above .25 has moved (Siddiqi, Credit Risk Scorecards, 2006). Two samples of
n and m independent values from one distribution have an expected PSI of about
``(bins - 1) (1 / n + 1 / m)`` (Yurdakul, Statistical Properties of Population Stability Index,
2018), which is taken off here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["BINS", "bin_counts", "bin_edges", "stability_index"]

BINS = 10
_PSEUDO_COUNT = 0.5  # in every bin, so that an empty one has a logarithm


def bin_edges(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the deciles that cut ``values``, shape (n,); at most 9, rising, each one of them.

    Missing values are passed over; a column of a few different values has fewer edges, and one of
    nothing but missing values none.
    """
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return np.empty(0)
    shares = np.arange(1, BINS) / BINS
    return np.unique(np.quantile(known, shares, method="inverted_cdf")).astype(np.float64)


def bin_counts(values: npt.NDArray[np.float32], edges: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Count ``values``, shape (n,), by bin: up to and with each edge, above the last, missing.

    Returns
    -------
    numpy.ndarray
        Shape (len(edges) + 2,), int64.
    """
    cuts = np.asarray(edges, dtype=np.float64)
    places = np.searchsorted(cuts, values, side="left")
    places[np.isnan(values)] = len(cuts) + 1
    return np.bincount(places, minlength=len(cuts) + 2)


def stability_index(
    reference: npt.NDArray[np.float64], present: npt.NDArray[np.int64], rows: int
) -> float:
    """Return the PSI of ``present`` against ``reference``, less what chance gives; at least 0.

    Parameters
    ----------
    reference
        Share of each bin, shape (b,), sum 1.
    present
        Count of each bin, shape (b,), at least one in all.
    rows
        Rows that the reference was taken from.
    """
    n, bins = int(present.sum()), len(present)
    before = (reference * rows + _PSEUDO_COUNT) / (rows + _PSEUDO_COUNT * bins)
    now = (present + _PSEUDO_COUNT) / (n + _PSEUDO_COUNT * bins)
    index = float(((now - before) * np.log(now / before)).sum())
    used = int(((reference > 0.0) | (present > 0)).sum())
    return max(0.0, index - (used - 1) * (1.0 / n + 1.0 / rows))
