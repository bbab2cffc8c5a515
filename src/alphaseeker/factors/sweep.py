"""Measures all factors of one symbol: chunk after chunk of its rows, several factors at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.blocks import MIN_BLOCK_ROWS
from alphaseeker.factors.column import Column
from alphaseeker.factors.graded_horizon import CHUNK_ROWS, GradedHorizon, is_streamed
from alphaseeker.factors.measure import (
    HELD,
    OVERLAP,
    SIDES,
    add_moments,
    measure_blocks,
)
from alphaseeker.factors.panel import (
    Chunk,
    Group,
    Panel,
    RankedChunk,
    chunks_of,
    ranked_chunk,
    traded_chunk,
)
from alphaseeker.factors.portfolio import (
    PLACES,
    SUMS,
    close_portfolio,
    portfolio_ratios,
    walk_portfolio,
)
from alphaseeker.factors.threads import in_threads

__all__ = ["Findings", "Portfolio", "Sweep"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_YEAR_NS = 365 * 86_400 * 10**9
# Non-overlapping periods may begin at any moment of a horizon. Ratios are the median over this
# many beginnings, so that none hangs on the second at which the file starts; odd, so that the
# median is the figure of one portfolio.
_STARTS = 9
_RATIOS = 6
_RELEASED_AFTER = 8  # columns


@dataclass(frozen=True, kw_only=True)
class Portfolio:
    """Of non-overlapping periods, a year: the median over the moments at which they may begin.

    Net of the fee and of half the quoted spread on what is traded where it says so. Turnover is
    the mean absolute change of the position a period: 2 turns from long to short or back every
    time, 0 never trades.
    """

    sharpe: float
    sharpe_net: float
    sortino: float
    calmar: float
    max_drawdown: float
    turnover: float


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What was found on one symbol, by factor.

    Attributes
    ----------
    panel
        The symbol.
    ics, sides
        By horizon, shapes (f, b) and (f, b, ``SIDES``): as from ``measure_blocks``.
    held
        Shape (f, b, ``HELD``), of the graded horizon.
    observations
        Shape (f,): rows in blocks that have an IC at the graded horizon.
    moments
        Shape (f, ``MOMENTS``), as from ``add_moments``.
    pooled
        Shape (f,): Spearman's correlation over all rows, or a systematic sample of them.
    newey_west
        Shape (f, 2): mean of the rows' rank products, and its standard error under overlap.
    volatility
        Standard deviation of the resolved forward returns; 0 without any.
    measurable
        By horizon: blocks with enough forward returns for a rank correlation.
    """

    panel: Panel
    ics: tuple[FloatArray, ...]
    sides: tuple[FloatArray, ...]
    held: FloatArray
    observations: IntArray
    moments: FloatArray
    pooled: FloatArray
    newey_west: FloatArray
    volatility: float
    measurable: tuple[int, ...]


class Sweep:
    """Goes over the rows of one symbol for many factors.

    Parameters
    ----------
    panel
        The symbol.
    columns
        One a factor, shape (n,), of any floating type; None for a factor that counts as never
        finite. Factors are measured as float32: of wider ones that is the distance from their
        median, which changes no rank and no correlation.
    quantiles
        Number of quantiles, at least 2.
    threads
        Factors that are measured at the same time.

    Attributes
    ----------
    panel, columns
        As given.
    steps
        Rows of factors that both methods together report to ``on_rows``, which they call after
        each factor of each chunk.
    """

    def __init__(
        self,
        panel: Panel,
        columns: Sequence[npt.NDArray[np.floating[Any]] | None],
        *,
        quantiles: int,
        threads: int,
    ) -> None:
        self.panel = panel
        self.steps = len(panel.features) * len(columns) * (len(panel.groups) + 1)
        self.columns = columns
        self._columns = [None if column is None else Column(column) for column in columns]
        self._quantiles = quantiles
        self._threads = threads

    def measure(self, on_rows: Callable[[int], None]) -> Findings:
        """Rank and correlate every factor, at every horizon."""
        panel, factors = self.panel, len(self._columns)
        ics: dict[int, FloatArray] = {}
        sides: dict[int, FloatArray] = {}
        measurable: dict[int, int] = {}
        graded = GradedHorizon(factors, panel)
        for group in panel.groups:
            shape = (factors, len(group.horizons), len(group.blocks))
            found, summed = np.full(shape, math.nan), np.zeros((*shape, SIDES))
            edges = np.full((factors, len(group.horizons), 2), math.nan)
            enough = np.zeros(len(group.horizons), dtype=np.int64)
            for chunk in self._chunks(group):
                ranked = ranked_chunk(panel, group, chunk)
                enough += np.sum(ranked.counts >= MIN_BLOCK_ROWS, axis=1)
                own = graded if group is panel.groups[0] else None
                if own is not None:
                    own.begin(chunk, ranked)
                self._group(chunk, ranked, edges, found, summed, own, on_rows)
            for place, horizon in enumerate(group.horizons):
                ics[horizon], sides[horizon] = found[:, place], summed[:, place]
                measurable[horizon] = int(enough[place])
        order = range(len(panel.horizons_ns))
        return Findings(
            panel=panel,
            ics=tuple(ics[place] for place in order),
            sides=tuple(sides[place] for place in order),
            measurable=tuple(measurable[place] for place in order),
            held=graded.held,
            observations=graded.observations,
            moments=graded.moments,
            pooled=graded.pooled_ics(self._columns, self._threads),
            newey_west=graded.newey_west(),
            volatility=graded.volatility(),
        )

    def trade(
        self,
        held: FloatArray,
        directions: Sequence[FloatArray],
        fee: float,
        on_rows: Callable[[int], None],
    ) -> list[Portfolio]:
        """Hold every factor's outer quantiles, in the directions given.

        Parameters
        ----------
        held
            Of the findings: the edges that each block is cut by.
        directions
            For each factor, shape (b,), from ``known_directions``.
        fee
            Of one side, as a share of what is traded; half the quoted spread comes on top.
        """
        panel, factors = self.panel, len(self._columns)
        sums = np.zeros((factors, _STARTS, SUMS))
        places = np.zeros((factors, _STARTS, PLACES), dtype=np.int64)
        delays = np.arange(_STARTS) * panel.horizons_ns[0] // _STARTS
        for chunk in self._chunks(panel.groups[0]):
            timestamp, segment, mid, half_spread, end = traded_chunk(panel, chunk)
            blocks = slice(chunk.first_block, chunk.stop_block)

            def one(
                factor: int,
                values: npt.NDArray[np.float32],
                chunk: Chunk = chunk,
                blocks: slice = blocks,
                price: tuple[FloatArray, FloatArray] = (mid, half_spread),
                times: tuple[IntArray, IntArray, IntArray] = (end, timestamp, segment),
            ) -> None:
                edges = np.ascontiguousarray(held[factor, blocks, 7:9])
                walk_portfolio(
                    values,
                    chunk.blocks,
                    edges,
                    np.ascontiguousarray(directions[factor][blocks]),
                    *price,
                    fee,
                    *times,
                    delays,
                    sums[factor],
                    places[factor],
                )

            self._each(chunk, one, on_rows)
        return [_portfolio(own, at) for own, at in zip(sums, places, strict=True)]

    def _chunks(self, group: Group) -> Iterable[Chunk]:
        return chunks_of(self.panel, group, CHUNK_ROWS if is_streamed(self.panel) else math.inf)

    def _group(
        self,
        chunk: Chunk,
        ranked: RankedChunk,
        edges: FloatArray,
        ics: FloatArray,
        sides: FloatArray,
        graded: GradedHorizon | None,
        on_rows: Callable[[int], None],
    ) -> None:
        blocks = slice(chunk.first_block, chunk.stop_block)
        width = len(chunk.blocks)

        def one(factor: int, values: npt.NDArray[np.float32]) -> None:
            found = np.empty((len(ranked.returns), width))
            summed = np.empty((len(ranked.returns), width, SIDES))
            held = np.empty((width, HELD))
            unused = np.zeros(OVERLAP) if graded is None else graded.overlap[factor]
            window = np.zeros(1) if graded is None else graded.window[factor]
            used = measure_blocks(
                values,
                ranked.returns,
                ranked.round_trip,
                chunk.blocks,
                ranked.orders,
                ranked.ranks,
                ranked.squares,
                ranked.counts,
                graded is not None,
                self._quantiles,
                edges[factor],
                found,
                summed,
                held,
                unused,
                window,
            )
            ics[factor, :, blocks], sides[factor, :, blocks] = found, summed
            if graded is not None:
                graded.held[factor, blocks] = held
                graded.observations[factor] += used
                add_moments(values, ranked.returns[0], graded.moments[factor])
                graded.sample(factor, values, chunk)

        self._each(chunk, one, on_rows)

    def _each(
        self,
        chunk: Chunk,
        measure: Callable[[int, npt.NDArray[np.float32]], None],
        on_rows: Callable[[int], None],
    ) -> None:
        """Call ``measure`` for every factor with its values in the chunk."""
        rows = chunk.stop - chunk.first

        def one(factor: int) -> None:
            column = self._columns[factor]
            if column is not None:
                measure(factor, column.taken(chunk.first, chunk.stop))
                if factor % _RELEASED_AFTER == _RELEASED_AFTER - 1:
                    column.release()

        in_threads(one, len(self._columns), self._threads, lambda: on_rows(rows))
        for column in self._columns:
            if column is not None:
                column.release()


def _portfolio(sums: FloatArray, places: IntArray) -> Portfolio:
    close_portfolio(sums, places)
    ratios = [portfolio_ratios(*both, _YEAR_NS) for both in zip(sums, places, strict=True)]
    known = np.array([one for one in ratios if one is not None])
    middle = np.median(known, axis=0) if len(known) else np.zeros(_RATIOS)
    return Portfolio(
        sharpe=float(middle[0]),
        sharpe_net=float(middle[1]),
        sortino=float(middle[2]),
        calmar=float(middle[3]),
        max_drawdown=float(middle[4]),
        turnover=float(middle[5]),
    )
