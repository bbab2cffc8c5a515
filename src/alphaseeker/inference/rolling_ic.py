"""The rolling IC: does the model's score still order the returns that follow?

A session keeps score (p_buy - p_sell, less that of the class prior) and return of its latest 1,024
followed predictions (``inference.realised``). They do not overlap, so that each is one observation.
From them come, with ranks taken within each symbol, the two figures that the training's evaluation
reports (``training.scorecard``):

- ``ic``: the sizes of score and return are ranked and keep their signs;
- ``pooled``: Spearman's rank correlation.

A correlation r of n pairs is judged against a value c by ``(r - c) / sqrt((1 - r^2) / (n - 2))``
(with c = 0 the t of a correlation, Kendall & Stuart 1973). Several symbols may follow one move of
the whole market: their correlation has the error that it has if all of them move as one.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.inference.alerts import finished
from alphaseeker.inference.realised import PAIRS

__all__ = ["distance", "rolling_ic", "rolling_ic_steps", "score_pairs"]

FloatArray = npt.NDArray[np.float64]

# As in training: LightGBM's weights are float32, and what only repeats the prior differs by 1e-9.
ZERO_DIGITS = 6
LEAST_PAIRS = 3  # fewer leave no degree of freedom


def score_pairs(record: Mapping[str, Any]) -> tuple[FloatArray, FloatArray]:
    """Return the scores and the returns that a record of ``realised.REALISED`` keeps, oldest first.

    Returns
    -------
    tuple
        Two arrays, shape (m,), float64; m is at most ``PAIRS``.
    """
    resolved = int(record["resolved"])
    held = min(resolved, PAIRS)
    places = (resolved - held + np.arange(held)) % PAIRS
    return np.asarray(record["scores"])[places], np.asarray(record["returns"])[places]


def _average_ranks(values: FloatArray) -> FloatArray:
    """Return ranks from 1, equal values sharing the mean of theirs.

    NumPy takes some tens of microseconds for a thousand values; a kernel would have to be loaded
    first.
    """
    order = np.argsort(values)
    ordered = values[order]
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    last = np.append(first[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(0.5 * (first + last + 1), last - first)
    return ranks


def _moments(
    scores: FloatArray, returns: FloatArray
) -> Generator[None, None, npt.NDArray[np.float64]]:
    """Return sums of xx, yy and xy, shape (2, 3): of signed ranks, and of ranks about the middle.

    Zeros where one side never varies: it orders nothing.
    """
    found = np.zeros((2, 3))
    rows = len(scores)
    score = np.round(scores, ZERO_DIGITS)
    if rows == 0 or score.min() == score.max() or returns.min() == returns.max():
        return found
    yield
    x = np.sign(score) * _average_ranks(np.abs(score)) / rows
    yield
    y = np.sign(returns) * _average_ranks(np.abs(returns)) / rows
    found[0] = x @ x, y @ y, x @ y
    yield
    x, y = ((_average_ranks(v) - 0.5 * (rows + 1)) / rows for v in (score, returns))
    found[1] = x @ x, y @ y, x @ y
    return found


def _correlation(moments: FloatArray) -> float:
    spread = math.sqrt(moments[0] * moments[1])
    return float(moments[2]) / spread if spread > 0.0 else 0.0


def distance(ic: float, value: float, pairs: float) -> float:
    """Return by how many standard errors ``ic`` of ``pairs`` observations lies above ``value``."""
    if pairs < LEAST_PAIRS:
        return 0.0
    return (ic - value) / math.sqrt(max(1.0 - ic * ic, 1e-12) / (pairs - 2.0))


def rolling_ic(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the rolling IC of all sessions, and that of each; see ``rolling_ic_steps``."""
    return finished(rolling_ic_steps(list(records), list(records.values())))


def rolling_ic_steps(
    symbols: Sequence[str], records: Sequence[Mapping[str, Any]]
) -> Generator[None, None, dict[str, Any]]:
    """Compute the rolling IC, pausing a few times a session.

    Parameters
    ----------
    symbols, records
        One a session: its name, and a copy of its record of ``realised.REALISED``.

    Returns
    -------
    dict
        ``ic``, ``ic_t`` (against 0), ``pooled``, ``pairs`` (observations), ``independent`` (what
        they are worth if all symbols move as one) and ``by_symbol``: for each ``symbol``, ``ic``,
        ``ic_t``, ``pooled``, ``pairs``. 0 where there is nothing, or one side never varies.
    """
    total = np.zeros((2, 3))
    by_symbol = []
    counts = []
    for symbol, record in zip(symbols, records, strict=True):
        scores, returns = score_pairs(record)
        moments = yield from _moments(scores, returns)
        if moments.any():
            counts.append(len(scores))
        total += moments
        own = _correlation(moments[0])
        by_symbol.append(
            {
                "symbol": symbol,
                "ic": own,
                "ic_t": distance(own, 0.0, len(scores)) if moments.any() else 0.0,
                "pooled": _correlation(moments[1]),
                "pairs": len(scores) if moments.any() else 0,
            }
        )
        yield
    ic = _correlation(total[0])
    error = math.fsum(math.sqrt(count) for count in counts)
    independent = (sum(counts) / error) ** 2 if error > 0.0 else 0.0
    return {
        "ic": ic,
        "ic_t": distance(ic, 0.0, independent),
        "pooled": _correlation(total[1]),
        "pairs": sum(counts),
        "independent": independent,
        "by_symbol": by_symbol,
    }
