"""The figures of one factor over all symbols, from what was found on each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.direction import known_directions
from alphaseeker.factors.information import MeanTest, mean_test
from alphaseeker.factors.measure import correlation_of
from alphaseeker.factors.sweep import Findings, Portfolio

__all__ = [
    "BASIS_POINTS",
    "Blocks",
    "blocks_of_panels",
    "figures_of",
    "gains_of",
    "mean_of",
    "spread_of",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Top minus bottom is two trades, and each trade has two sides.
_SIDES_OF_SPREAD = 4
BASIS_POINTS = 1e4


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """The blocks of one horizon, symbol by symbol.

    Attributes
    ----------
    starts, known_at
        Shapes (b,), nanoseconds: when each block begins, and when its IC is known.
    groups
        Shapes (b,): blocks of several symbols at the same time share a number.
    """

    starts: list[IntArray]
    known_at: list[IntArray]
    groups: list[IntArray]

    def test(self, values: Sequence[FloatArray]) -> MeanTest:
        """Test the mean of a number for each block, those that are not finite left out."""
        every = np.concatenate([np.empty(0), *values])
        group = np.concatenate([np.empty(0, np.int64), *self.groups])
        finite = np.isfinite(every)
        return mean_test(every[finite], group[finite])

    def directions(self, ics: Sequence[FloatArray]) -> list[FloatArray]:
        """Return which way a factor was known to point when each block began."""
        return known_directions(ics, self.starts, self.known_at)


def blocks_of_panels(findings: Sequence[Findings], horizon: int) -> Blocks:
    """Return the blocks of all symbols at one horizon."""
    groups = [
        next(group for group in found.panel.groups if horizon in group.horizons)
        for found in findings
    ]
    pairs = list(zip(findings, groups, strict=True))
    starts = [found.panel.starts(group) for found, group in pairs]
    if len(findings) == 1:
        numbers = [np.arange(len(starts[0]), dtype=np.int64)]
    else:
        width = max(group.block_ns for group in groups)
        numbers = []
        for (found, group), first in zip(pairs, starts, strict=True):
            last = found.panel.features.timestamp[group.blocks[:, 1] - 1]
            numbers.append((first + (last - first) // 2) // width)
    return Blocks(
        starts=starts,
        known_at=[found.panel.known_at(group, horizon) for found, group in pairs],
        groups=numbers,
    )


def _outer_means(sums: FloatArray) -> tuple[float, float]:
    """Return the means of the lowest quantile and of the highest.

    Where one of the two is empty (a factor that is mostly one value), the rows between stand in
    for it; NaN where those are missing, too.
    """
    total, count = sums[:3], sums[3:6]
    low = 0 if count[0] > 0.0 else 1
    high = 2 if count[2] > 0.0 else 1
    if low == high or count[low] == 0.0 or count[high] == 0.0:
        return math.nan, math.nan
    return float(total[low] / count[low]), float(total[high] / count[high])


def spread_of(sides: FloatArray, directions: FloatArray) -> float:
    """Return the mean of the highest quantile less that of the lowest, in the directions given."""
    known = np.isfinite(directions)
    # The direction goes to the returns here: the quantile itself may be empty, and what stands in
    # for it is chosen for the factor as a whole.
    signs = np.repeat(directions[known, None], 3, axis=1)
    directed = sides[known] * np.concatenate([signs, np.ones_like(signs)], axis=1)
    low, high = _outer_means(np.sum(directed, axis=0))
    return high - low if math.isfinite(high - low) else 0.0


def _quoted(held: FloatArray, directions: FloatArray) -> float:
    """Return what the quoted bid and ask take from the spread, at the four sides of its trades."""
    low, high = _outer_means(np.sum(held[np.isfinite(directions), :6], axis=0))
    return low + high if math.isfinite(low + high) else 0.0


def gains_of(sides: FloatArray, directions: FloatArray, volatility: float) -> FloatArray:
    """Return the mean of position times forward return over each block's rows.

    Returns
    -------
    numpy.ndarray
        Shape (b,), in standard deviations of the forward return; NaN where nothing could be held.
    """
    counts = np.sum(sides[:, 3:6], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        gains = directions * (sides[:, 2] - sides[:, 0]) / counts
    return np.where(counts > 0.0, gains, math.nan) / (volatility if volatility > 0.0 else 1.0)


def _past_ic(sides: FloatArray, held: FloatArray, directions: FloatArray) -> float:
    """Return the correlation of the position with the return, neither being centred."""
    known = np.isfinite(directions)
    gain = float(np.sum(directions[known] * (sides[known, 2] - sides[known, 0])))
    rows = float(np.sum(sides[known, 3] + sides[known, 5]))
    power = math.sqrt(float(np.sum(held[known, 6])) * rows)
    return gain / power if power > 0.0 else 0.0


def figures_of(
    findings: Sequence[Findings],
    factor: int,
    directions: Sequence[FloatArray],
    portfolios: Sequence[Portfolio],
    fee: float,
) -> dict[str, float]:
    """Return the figures of one factor beside its block ICs.

    Parameters
    ----------
    findings
        Of each symbol.
    factor
        Its number.
    directions, portfolios
        Of each symbol, at the graded horizon.
    fee
        Of one side, as a share of what is traded.
    """
    sides = [found.sides[0][factor] for found in findings]
    held = [found.held[factor] for found in findings]
    weights = np.array([np.isfinite(found.ics[0][factor]).sum() for found in findings], np.float64)
    rows = np.array([found.observations[factor] for found in findings], np.float64)
    spreads = [spread_of(*both) for both in zip(sides, directions, strict=True)]
    quoted = [_quoted(*both) for both in zip(held, directions, strict=True)]
    spread = mean_of(spreads, weights)
    left = spread - mean_of(quoted, weights)
    sigmas = [
        own / found.volatility if found.volatility > 0.0 else 0.0
        for own, found in zip(spreads, findings, strict=True)
    ]
    past = [_past_ic(*each) for each in zip(sides, held, directions, strict=True)]
    # Symbols stand beside each other as independent series here; the block test groups them.
    share = rows / rows.sum() if rows.sum() > 0.0 else rows
    means = np.array([found.newey_west[factor, 0] for found in findings])
    errors = np.array([found.newey_west[factor, 1] for found in findings])
    error = math.sqrt(float(np.nansum((share * errors) ** 2)))
    return {
        "newey_west_t": float(share @ means) / error if error > 0.0 else 0.0,
        "ic_pooled": mean_of([found.pooled[factor] for found in findings], rows),
        "pearson": mean_of([correlation_of(found.moments[factor]) for found in findings], rows),
        "past_ic": mean_of(past, weights),
        "return_spread_bp": spread * BASIS_POINTS,
        "return_spread_net_bp": (left - _SIDES_OF_SPREAD * fee) * BASIS_POINTS,
        "break_even_cost_bp": left / _SIDES_OF_SPREAD * BASIS_POINTS,
        "return_spread_sigma": mean_of(sigmas, weights),
        "sharpe": mean_of([own.sharpe for own in portfolios], weights),
        "sharpe_net": mean_of([own.sharpe_net for own in portfolios], weights),
        "sortino": mean_of([own.sortino for own in portfolios], weights),
        "calmar": mean_of([own.calmar for own in portfolios], weights),
        "max_drawdown": mean_of([own.max_drawdown for own in portfolios], weights),
        "turnover": mean_of([own.turnover for own in portfolios], weights),
    }


def mean_of(values: Sequence[float], weights: FloatArray) -> float:
    """Return the weighted mean of what is finite and has weight; 0 where nothing has."""
    numbers = np.array(values, dtype=np.float64)
    used = np.isfinite(numbers) & (weights > 0.0)
    if not used.any():
        return 0.0
    return float(np.average(numbers[used], weights=weights[used]))
