"""What trading a factor's outer quantiles would have given: positions, periods, spread, ratios.

A position is decided with the quantile edges of the block *before*: nothing that the bot would
not have known then; so is the side (``direction``). This matters beyond realism. Ranked within its
own block, the price level of a random walk seems to foretell the return (what is high within a
block has to come down within it: Stambaugh, 1999); a position decided from the past earns nothing
there.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.errors import DataError

__all__ = [
    "MAX_RATIO",
    "block_gains",
    "calmar",
    "max_drawdown",
    "portfolio_periods",
    "quantile_costs",
    "quantile_positions",
    "quantile_spread",
    "sharpe",
    "sortino",
]

MAX_RATIO = 1e6  # ratios are reported as at most this: what never lost has no finite one
_MAX_LOG_GROWTH = 700.0  # exp() of more overflows


@kernel
def quantile_positions(
    factor: npt.NDArray[np.float64],
    blocks: npt.NDArray[np.int64],
    edges: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return each row's position: +1 in the highest quantile, -1 in the lowest, 0 between.

    Parameters
    ----------
    factor
        Shape (n,), float64.
    blocks, edges
        Shapes (b, 2), int64 and float64, as from ``cut_blocks`` and ``block_ics``. The edges
        used in a block are those of the last block before it that has any.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float64; NaN where the factor is not finite, before the first edges, and
        outside the blocks. A value that stands on both edges (most values are equal) gives 0.
    """
    position = np.full(len(factor), np.nan)
    low = math.nan
    high = math.nan
    for block in range(len(blocks)):
        if not math.isnan(low):
            for row in range(blocks[block, 0], blocks[block, 1]):
                if np.isfinite(factor[row]):
                    top = 1.0 if factor[row] >= high else 0.0
                    bottom = 1.0 if factor[row] <= low else 0.0
                    position[row] = top - bottom
        if not math.isnan(edges[block, 0]):
            low = edges[block, 0]
            high = edges[block, 1]
    return position


@kernel
def _outer_means(
    position: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Return the mean of ``values`` over the lowest quantile and over the highest."""
    total = np.zeros(3)
    count = np.zeros(3)
    for row in range(len(position)):
        if np.isfinite(position[row]) and np.isfinite(values[row]):
            side = int(position[row]) + 1
            total[side] += values[row]
            count[side] += 1.0
    low = 0 if count[0] > 0.0 else 1
    high = 2 if count[2] > 0.0 else 1
    if low == high or count[low] == 0.0 or count[high] == 0.0:
        return math.nan, math.nan
    return total[low] / count[low], total[high] / count[high]


@kernel
def quantile_spread(position: npt.NDArray[np.float64], returns: npt.NDArray[np.float64]) -> float:
    """Return the mean forward return of the highest quantile minus that of the lowest.

    Parameters
    ----------
    position
        Shape (n,), float64: +1 highest, -1 lowest, 0 between, NaN unknown.
    returns
        Shape (n,), float64; NaN where unresolved.

    Returns
    -------
    float
        In the unit of ``returns``. Where one of the two quantiles is empty (a factor that is
        mostly one value), the rows between stand in for it; NaN where that is empty too.
    """
    low, high = _outer_means(position, returns)
    return high - low


@kernel
def quantile_costs(position: npt.NDArray[np.float64], costs: npt.NDArray[np.float64]) -> float:
    """Return what the two trades of `quantile_spread` cost: the mean of one side plus the other's.

    Parameters
    ----------
    position
        As in `quantile_spread`.
    costs
        Shape (n,), float64: cost of going in at a row and out again; NaN where unresolved.
    """
    low, high = _outer_means(position, costs)
    return low + high


@kernel
def block_gains(
    position: npt.NDArray[np.float64],
    returns: npt.NDArray[np.float64],
    blocks: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return the mean over each block's rows of position times forward return.

    Parameters
    ----------
    position, returns
        Shape (n,), float64; rows where either is not finite are left out.
    blocks
        Shape (b, 2), int64.

    Returns
    -------
    numpy.ndarray
        Shape (b,), float64, in the unit of ``returns``; NaN where a block has no such row.
    """
    gains = np.full(len(blocks), np.nan)
    for block in range(len(blocks)):
        total = 0.0
        count = 0
        for row in range(blocks[block, 0], blocks[block, 1]):
            if np.isfinite(position[row]) and np.isfinite(returns[row]):
                total += position[row] * returns[row]
                count += 1
        if count > 0:
            gains[block] = total / count
    return gains


@kernel
def portfolio_periods(
    position: npt.NDArray[np.float64],
    price: npt.NDArray[np.float64],
    cost: npt.NDArray[np.float64],
    end: npt.NDArray[np.int64],
    timestamp: npt.NDArray[np.int64],
    segment: npt.NDArray[np.int64],
    delay_ns: int,
) -> tuple[
    npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]
]:
    """Hold the position from row to row, one horizon after another: periods that do not overlap.

    A period is credited with the whole move from its row to the row at which it ends. The next one
    begins at that very row if it can, and then only the change of the position is traded;
    otherwise the position is closed there, and opened anew later on.

    Parameters
    ----------
    position
        Shape (n,), float64: what is held from a row until its end; a row without is passed over.
    price
        Shape (n,), float64: the mid, in price units; rows where it is not above zero are passed
        over.
    cost
        Shape (n,), float64: cost of trading a whole position at each row, a share of the price.
    end, timestamp, segment
        Shape (n,), int64, as in and from ``label_end``.
    delay_ns
        Nanoseconds by which the first period of each segment is put off, at least 0.

    Returns
    -------
    gains
        Shape (p,), float64: simple return of each period, before cost.
    trades
        Shape (p,), float64: absolute change of the position that the period brought. A closing is
        counted to the period that it ends; every segment begins and ends flat.
    costs
        Shape (p,), float64: what those changes cost, a share of the price.
    held_ns
        Shape (p,), int64: nanoseconds that each period lasted.
    """
    rows = len(position)
    gains = np.empty(rows)
    trades = np.empty(rows)
    costs = np.empty(rows)
    held_ns = np.empty(rows, np.int64)
    count = 0
    start_ns = 0
    started = -1  # first row of the segment that the delay was counted for
    segment_first = 0
    held = 0.0  # carried into this row by the period that ends here
    row = 0
    while row < rows:
        if segment[row] != segment[segment_first]:
            segment_first = row
        last = end[row]
        usable = last >= 0 and np.isfinite(position[row]) and price[row] > 0.0 and price[last] > 0.0
        if usable and started != segment_first:
            start_ns = timestamp[row] + delay_ns
            started = segment_first
        if not usable or timestamp[row] < start_ns:
            if held != 0.0:
                trades[count - 1] += abs(held)
                costs[count - 1] += abs(held) * cost[row]
                held = 0.0
            row += 1
            continue
        gains[count] = position[row] * (price[last] / price[row] - 1.0)
        trades[count] = abs(position[row] - held)
        costs[count] = trades[count] * cost[row]
        held_ns[count] = timestamp[last] - timestamp[row]
        held = position[row]
        count += 1
        row = last
    return gains[:count], trades[:count], costs[:count], held_ns[:count]


def _checked(returns: npt.ArrayLike, periods_per_year: float) -> npt.NDArray[np.float64]:
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise DataError(
            f"period returns have shape {values.shape} and {np.sum(~np.isfinite(values))} values "
            "that are not finite; give one row of finite numbers"
        )
    if not (0.0 < periods_per_year < math.inf):
        raise DataError(f"periods_per_year is {periods_per_year!r}; it must be above 0")
    return values


def _ratio(gain: float, risk: float) -> float:
    """Divide, within ±MAX_RATIO; nothing gained at no risk is 0."""
    if risk <= abs(gain) / MAX_RATIO:
        return math.copysign(MAX_RATIO, gain) if gain != 0.0 else 0.0
    return gain / risk


def sharpe(returns: npt.ArrayLike, periods_per_year: float) -> float:
    """Return mean over standard deviation (ddof 1), times the root of the periods per year.

    Parameters
    ----------
    returns
        Shape (p,): simple return of each period.
    periods_per_year
        Above 0.

    Returns
    -------
    float
        Within ±``MAX_RATIO``; 0 with fewer than two periods.

    Raises
    ------
    DataError
        A return that is not finite, or ``periods_per_year`` not above 0.
    """
    values = _checked(returns, periods_per_year)
    if len(values) < 2:
        return 0.0
    scale = math.sqrt(periods_per_year)
    return _ratio(float(np.mean(values)) * scale, float(np.std(values, ddof=1)))


def sortino(returns: npt.ArrayLike, periods_per_year: float) -> float:
    """Return mean over the root of mean(min(r, 0)^2), times the root of the periods per year.

    Parameters, bounds and errors are those of `sharpe`. Source: Sortino and Price (1994), target 0.
    """
    values = _checked(returns, periods_per_year)
    if len(values) < 2:
        return 0.0
    downside = math.sqrt(float(np.mean(np.minimum(values, 0.0) ** 2)))
    return _ratio(float(np.mean(values)) * math.sqrt(periods_per_year), downside)


def max_drawdown(returns: npt.ArrayLike) -> float:
    """Return the largest fall of compounded wealth from an earlier peak, the start included.

    Parameters
    ----------
    returns
        Shape (p,): simple return of each period.

    Returns
    -------
    float
        From -1 to 0, a share of the peak.

    Raises
    ------
    DataError
        A return that is not finite.
    """
    values = _checked(returns, 1.0)
    # In logarithms, which neither overflow nor underflow; a loss of everything is a rounding less.
    steps = np.log1p(np.maximum(values, -1.0 + np.finfo(np.float64).eps))
    wealth = np.concatenate(([0.0], np.cumsum(steps)))
    return math.expm1(float(np.min(wealth - np.maximum.accumulate(wealth))))


def calmar(returns: npt.ArrayLike, periods_per_year: float) -> float:
    """Return compound annual return over the largest drawdown.

    Parameters, bounds and errors are those of `sharpe`. Source: Young (1991).
    """
    values = _checked(returns, periods_per_year)
    if len(values) < 2:
        return 0.0
    if np.min(values) <= -1.0:
        annual = -1.0
    else:
        growth = float(np.mean(np.log1p(values))) * periods_per_year
        annual = math.expm1(min(growth, _MAX_LOG_GROWTH))
    return max(-MAX_RATIO, min(MAX_RATIO, _ratio(annual, -max_drawdown(values))))
