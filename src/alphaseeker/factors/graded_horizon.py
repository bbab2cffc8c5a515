"""What a factor has at the graded horizon alone, carried on from chunk to chunk."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.blocks import block_orders, return_ranks
from alphaseeker.factors.column import Column
from alphaseeker.factors.measure import HELD, MOMENTS, OVERLAP, newey_west_of
from alphaseeker.factors.panel import Chunk, Panel, RankedChunk
from alphaseeker.factors.rank_correlation import block_ics
from alphaseeker.factors.threads import in_threads
from alphaseeker.market.array_file import in_file

__all__ = ["CHUNK_ROWS", "POOLED_ROWS", "WHOLE_ROWS", "GradedHorizon", "is_streamed"]

FloatArray = npt.NDArray[np.float64]
_Ranked = tuple[
    FloatArray,
    npt.NDArray[np.int64],
    int,
    npt.NDArray[np.int32],
    npt.NDArray[np.float32],
    FloatArray,
    npt.NDArray[np.int64],
]

# Up to so many rows are measured as one chunk, and their pooled rank correlation is exact. Beyond,
# or where the values stand in a file, chunks follow one another, and it is that of a sample.
WHOLE_ROWS = 2_000_000
CHUNK_ROWS = 1_000_000
POOLED_ROWS = 200_000
_RANKED_TOGETHER = 8  # factors of one thread; more would leave the others without work


def is_streamed(panel: Panel) -> bool:
    """Say whether a symbol is measured in chunks, its pooled correlation from a sample."""
    return in_file(panel.features.values) or len(panel.features) > WHOLE_ROWS


class GradedHorizon:
    """What only the graded horizon has, carried on from chunk to chunk."""

    def __init__(self, factors: int, panel: Panel) -> None:
        blocks = len(panel.blocks)
        self._panel = panel
        self._factors = factors
        self.held = np.zeros((factors, blocks, HELD))
        self.observations = np.zeros(factors, dtype=np.int64)
        self.moments = np.zeros((factors, MOMENTS))
        self.overlap = np.zeros((factors, OVERLAP))
        self.window = np.zeros((factors, panel.lags + 1))
        self._returns = np.zeros(3)  # number, mean, sum of squared deviations
        self._streamed = is_streamed(panel)
        rows = len(panel.features)
        self._step = max(-(-rows // POOLED_ROWS), 1) if self._streamed else 1
        self._sampled: list[FloatArray] = []
        self._values: list[npt.NDArray[np.float32]] = []

    def begin(self, chunk: Chunk, ranked: RankedChunk) -> None:
        """Take the returns of a chunk."""
        returns = ranked.returns[0]
        known = returns[np.isfinite(returns)]
        if len(known):
            count, mean, square = self._returns
            every = count + len(known)
            step = float(np.mean(known)) - mean
            between = step * step * count * len(known) / every
            square += float(np.var(known)) * len(known) + between
            self._returns[:] = every, mean + step * len(known) / every, square
        self._sampled.append(returns[-chunk.first % self._step :: self._step].copy())
        if self._streamed:
            shape = (self._factors, len(self._sampled[-1]))
            self._values.append(np.full(shape, math.nan, dtype=np.float32))

    def sample(self, factor: int, values: npt.NDArray[np.float32], chunk: Chunk) -> None:
        """Keep every so-manieth value, for the correlation over all rows."""
        if self._streamed:
            self._values[-1][factor] = values[-chunk.first % self._step :: self._step]

    def pooled_ics(self, columns: Sequence[Column | None], threads: int) -> FloatArray:
        """Return Spearman's correlation over all rows, or over those kept, shape (f,).

        Factors that are finite at the same rows share the ranks of the returns there: most
        features differ by their warm-up alone, if at all.
        """
        returns = np.concatenate(self._sampled)
        order = block_orders(returns, np.array([[0, len(returns)]], dtype=np.int64))
        known = order[: np.count_nonzero(order >= 0)]
        found = np.full(self._factors, math.nan)
        given = {factor: column for factor, column in enumerate(columns) if column is not None}
        factors = list(given)
        patterns = [b""] * len(factors)

        def recognise(place: int) -> None:
            finite = np.isfinite(self._pooled(factors[place], given[factors[place]]))
            patterns[place] = hashlib.sha256(np.packbits(finite).tobytes()).digest()

        in_threads(recognise, len(factors), threads)
        alike: dict[bytes, list[int]] = {}
        for factor, pattern in zip(factors, patterns, strict=True):
            alike.setdefault(pattern, []).append(factor)
        tasks = [
            members[first : first + _RANKED_TOGETHER]
            for members in alike.values()
            for first in range(0, len(members), _RANKED_TOGETHER)
        ]

        def correlate(task: int) -> None:
            ranked: _Ranked | None = None
            for factor in tasks[task]:
                values = self._pooled(factor, given[factor])
                ranked = ranked or _ranked_where(np.isfinite(values), returns, known)
                own = found[factor : factor + 1]
                block_ics(values, *ranked, own, np.empty((1, 2)), np.empty(0))

        in_threads(correlate, len(tasks), threads)
        return found

    def _pooled(self, factor: int, column: Column) -> npt.NDArray[np.float32]:
        """Return a factor's values at the rows of the correlation over all of them."""
        if self._streamed:
            return np.concatenate([piece[factor] for piece in self._values])
        return column.taken(0, len(self._panel.features))

    def newey_west(self) -> FloatArray:
        pairs = [newey_west_of(*both) for both in zip(self.overlap, self.window, strict=True)]
        return np.array(pairs).reshape(-1, 2)

    def volatility(self) -> float:
        count, _, square = self._returns
        return math.sqrt(square / count) if count else 0.0


def _ranked_where(
    finite: npt.NDArray[np.bool_], returns: FloatArray, known: npt.NDArray[np.int32]
) -> _Ranked:
    """Rank the returns as one block, among the rows where a factor is finite.

    ``known`` holds the rows whose return is finite, by rising return. What is given back stands
    between factor and results in the arguments of ``block_ics``.
    """
    rows = len(returns)
    whole = np.array([[0, rows]], dtype=np.int64)
    own = known[finite[known]]
    order = np.full(rows, -1, dtype=np.int32)
    order[: len(own)] = own
    ranks = np.empty(rows, dtype=np.float32)
    squares, counts = np.empty(1), np.empty(1, dtype=np.int64)
    return_ranks(returns, whole, order, ranks, squares, counts)
    return returns, whole, 2, order, ranks, squares, counts
