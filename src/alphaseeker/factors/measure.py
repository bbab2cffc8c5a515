"""Measures one factor on one symbol: what is shared by all factors once, and then each factor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.blocks import block_ics, block_orders, cut_blocks
from alphaseeker.factors.forward_returns import forward_return, label_end, prevailing_row
from alphaseeker.factors.information import newey_west, pearson
from alphaseeker.factors.portfolio import (
    block_gains,
    calmar,
    max_drawdown,
    portfolio_periods,
    quantile_costs,
    quantile_positions,
    quantile_spread,
    sharpe,
    sortino,
)
from alphaseeker.features.block import FeatureBlock

__all__ = [
    "HORIZONS_PER_BLOCK",
    "Information",
    "Panel",
    "Trading",
    "measure_information",
    "measure_trading",
    "panel_of",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_YEAR_NS = 365 * 86_400 * 10**9
HORIZONS_PER_BLOCK = 10
# Non-overlapping periods may begin at any moment of a horizon. Ratios are the median over this
# many beginnings, so that none hangs on the second at which the file starts; odd, so that the
# median is the figure of one portfolio.
_STARTS = 9


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What every factor of one symbol is measured against.

    Attributes
    ----------
    features
        The symbol's rows.
    horizon_ns, block_ns
        Nanoseconds.
    returns, end
        Shape (n,), float64 and int64, as from ``forward_return`` and ``label_end``.
    half_spread
        Shape (n,), float64: half the quoted spread as a share of the mid, which is what a trade
        at the quote costs beside the fee.
    round_trip
        Shape (n,), float64: half the quoted spread of the row and of the one whose quote prevails
        at its horizon; NaN where unresolved.
    volatility
        Standard deviation of the resolved forward returns; 0 without any.
    blocks, orders
        As from ``cut_blocks`` and ``block_orders``.
    whole, whole_orders
        The same with all rows as one block.
    lags
        Rows of a horizon less one, on average: how far neighbouring returns overlap.
    """

    features: FeatureBlock
    horizon_ns: int
    block_ns: int
    returns: FloatArray
    end: IntArray
    half_spread: FloatArray
    round_trip: FloatArray
    volatility: float
    blocks: IntArray
    orders: IntArray
    whole: IntArray
    whole_orders: IntArray
    lags: int

    @property
    def block_starts(self) -> IntArray:
        """Time of the first row of each block, shape (b,), nanoseconds."""
        return self.features.timestamp[self.blocks[:, 0]]

    @property
    def block_known_at(self) -> IntArray:
        """When the last forward return of each block is known, shape (b,), nanoseconds."""
        return self.features.timestamp[self.blocks[:, 1] - 1] + self.horizon_ns


@dataclass(frozen=True, kw_only=True)
class Information:
    """How a factor's ranks go with the forward return's, on one symbol.

    Attributes
    ----------
    ics
        Shape (b,), float64: IC of each block, NaN where it has none.
    edges
        Shape (b, 2), float64: outer quantile edges of each block.
    n_observations
        Rows in blocks that have an IC.
    pooled, pearson
        Spearman's and Pearson's correlation over all rows; NaN where undefined.
    newey_west_mean, newey_west_error
        Mean of the rows' rank products, and its standard error under overlap.
    """

    ics: FloatArray
    edges: FloatArray
    n_observations: int
    pooled: float
    pearson: float
    newey_west_mean: float
    newey_west_error: float


@dataclass(frozen=True, kw_only=True)
class Trading:
    """What holding the factor's outer quantiles gave, on one symbol, in the direction traded.

    Attributes
    ----------
    gains
        Shape (b,), float64: mean gain of each block in standard deviations of the forward
        return; NaN where nothing could be held.
    past_ic
        Correlation of the position with the return, neither being centred.
    spread
        Quantile spread, a logarithmic return.
    spread_quoted
        What the quoted bid and ask take from it: half the quoted spread at each of the four
        sides of the two trades.
    sharpe, sharpe_net, sortino, calmar, max_drawdown, turnover
        Of the portfolio of non-overlapping periods, a year; net of the fee and of half the quoted
        spread on what is traded where it says so.
        Turnover is the mean absolute change of the position a period: 2 turns from long to
        short or back every time, 0 never trades.
    """

    gains: FloatArray
    past_ic: float
    spread: float
    spread_quoted: float
    sharpe: float
    sharpe_net: float
    sortino: float
    calmar: float
    max_drawdown: float
    turnover: float


def panel_of(features: FeatureBlock, *, horizon_s: float, blocks: int) -> Panel:
    """Prepare one symbol.

    Parameters
    ----------
    features
        Rows of one symbol.
    horizon_s
        Horizon of the forward return, in seconds.
    blocks
        Number of blocks that the covered time is cut into, unless ten horizons last longer.
    """
    horizon_ns = max(round(horizon_s * 1e9), 1)
    timestamp, segment = features.timestamp, features.segment
    rows = len(features)
    last = np.flatnonzero(np.diff(segment, append=segment[-1:] + 1))
    first = np.concatenate(([0], last[:-1] + 1)).astype(np.int64)[: len(last)]
    covered_ns = int(np.sum(timestamp[last] - timestamp[first]))
    block_ns = max(HORIZONS_PER_BLOCK * horizon_ns, covered_ns // blocks)
    returns = forward_return(timestamp, features.mid, segment, horizon_ns)
    prevails = prevailing_row(timestamp, segment, horizon_ns)
    half_spread = 0.5 * features.spread / features.mid
    end = label_end(timestamp, segment, horizon_ns)
    resolved = np.flatnonzero(end >= 0)
    cut = cut_blocks(timestamp, segment, block_ns)
    whole = np.array([[0, rows]], dtype=np.int64)
    finite = returns[np.isfinite(returns)]
    ahead = float(np.mean(end[resolved] - resolved)) if len(resolved) else 1.0
    return Panel(
        features=features,
        horizon_ns=horizon_ns,
        block_ns=block_ns,
        returns=returns,
        end=end,
        half_spread=half_spread,
        round_trip=np.where(prevails >= 0, half_spread + half_spread[prevails], np.nan),
        volatility=float(np.std(finite)) if len(finite) else 0.0,
        blocks=cut,
        orders=block_orders(returns, cut),
        whole=whole,
        whole_orders=block_orders(returns, whole),
        lags=max(round(ahead) - 1, 0),
    )


def measure_information(panel: Panel, factor: FloatArray, quantiles: int) -> Information:
    """Correlate one factor with the forward return.

    Parameters
    ----------
    factor
        Shape (n,), float64; rows that are not finite are left out.
    quantiles
        Number of quantiles, for the edges.
    """
    returns = panel.returns
    products = np.empty(len(factor))
    whole_ic = np.empty(1)
    block_ics(
        factor,
        returns,
        panel.whole,
        panel.whole_orders,
        quantiles,
        whole_ic,
        np.empty((1, 2)),
        products,
    )
    ics = np.empty(len(panel.blocks))
    edges = np.empty((len(panel.blocks), 2))
    used = block_ics(factor, returns, panel.blocks, panel.orders, quantiles, ics, edges, products)
    mean, error = newey_west(products[np.isfinite(products)], panel.lags)
    return Information(
        ics=ics,
        edges=edges,
        n_observations=int(used),
        pooled=float(whole_ic[0]),
        pearson=float(pearson(factor, returns)),
        newey_west_mean=float(mean),
        newey_west_error=float(error),
    )


def measure_trading(
    panel: Panel, factor: FloatArray, edges: FloatArray, *, directions: FloatArray, cost: float
) -> Trading:
    """Hold the quantile that the ICs so far say will rise, short the one that will fall.

    Parameters
    ----------
    factor
        Shape (n,), float64.
    edges
        Shape (b, 2), float64, from `measure_information`.
    directions
        Shape (b,), from ``known_directions``: in each block 1.0 long the highest quantile, -1.0
        long the lowest, NaN nothing.
    cost
        Fee of one side, as a share of what is traded; half the quoted spread comes on top.
    """
    returns, features = panel.returns, panel.features
    side = quantile_positions(factor, panel.blocks, edges)
    direction = np.full(len(factor), np.nan)
    for (first, stop), known in zip(panel.blocks, directions, strict=True):
        direction[first:stop] = known
    position = direction * side
    # The direction goes to the returns here: the quantile itself may be empty, and what stands in
    # for it is chosen for the factor as a whole.
    spread = float(quantile_spread(side, direction * returns))
    quoted = float(quantile_costs(side, np.where(np.isnan(direction), np.nan, panel.round_trip)))
    both = np.isfinite(position) & np.isfinite(returns) & (position != 0.0)
    held = position[both] * returns[both]
    power = math.sqrt(float(np.sum(held * held)) * len(held))
    ratios = []
    for start in range(_STARTS):
        gains, trades, costs, held_ns = portfolio_periods(
            position,
            features.mid,
            cost + panel.half_spread,
            panel.end,
            features.timestamp,
            features.segment,
            start * panel.horizon_ns // _STARTS,
        )
        if len(gains) < 2:
            continue
        periods = _YEAR_NS * len(gains) / float(np.sum(held_ns))
        ratios.append(
            (
                sharpe(gains, periods),
                sharpe(gains - costs, periods),
                sortino(gains, periods),
                calmar(gains, periods),
                max_drawdown(gains),
                float(np.mean(trades)),
            )
        )
    medians = np.median(np.array(ratios), axis=0) if ratios else np.zeros(6)
    scale = panel.volatility if panel.volatility > 0.0 else 1.0
    return Trading(
        gains=block_gains(position, returns, panel.blocks) / scale,
        past_ic=float(np.sum(held)) / power if power > 0.0 else 0.0,
        spread=spread if math.isfinite(spread) else 0.0,
        spread_quoted=quoted if math.isfinite(quoted) else 0.0,
        sharpe=float(medians[0]),
        sharpe_net=float(medians[1]),
        sortino=float(medians[2]),
        calmar=float(medians[3]),
        max_drawdown=float(medians[4]),
        turnover=float(medians[5]),
    )
