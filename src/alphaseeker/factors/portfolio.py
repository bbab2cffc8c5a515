"""What trading a factor's outer quantiles would have given: positions, periods, ratios.

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

from alphaseeker._jit import kernel, part
from alphaseeker.errors import DataError

__all__ = [
    "MAX_RATIO",
    "PLACES",
    "SUMS",
    "calmar",
    "close_portfolio",
    "max_drawdown",
    "portfolio_ratios",
    "sharpe",
    "sortino",
    "walk_portfolio",
]

MAX_RATIO = 1e6  # ratios are reported as at most this: what never lost has no finite one
_MAX_LOG_GROWTH = 700.0  # exp() of more overflows
_TOTAL_LOSS = -1.0 + np.finfo(np.float64).eps

# What is carried on of a portfolio: position; gain, trade and cost of the latest period; means and
# sums of squared deviations of the gains, and of those less cost; squares of the losses; wealth,
# its peak and deepest fall in logarithms; whether all was lost; what was traded.
SUMS = 14
# Next row; when the segment's first period begins; segment; whether one was met (1) and begun (2);
# nanoseconds held in all and by the latest period; whether there is one; periods.
PLACES = 8


@kernel
def walk_portfolio(
    factor: npt.NDArray[np.float32],
    blocks: npt.NDArray[np.int64],
    edges: npt.NDArray[np.float64],
    directions: npt.NDArray[np.float64],
    price: npt.NDArray[np.float64],
    half_spread: npt.NDArray[np.float64],
    fee: float,
    end: npt.NDArray[np.int64],
    timestamp: npt.NDArray[np.int64],
    segment: npt.NDArray[np.int64],
    delays: npt.NDArray[np.int64],
    sums: npt.NDArray[np.float64],
    places: npt.NDArray[np.int64],
) -> None:
    """Hold a factor's outer quantiles from row to row, one horizon after another.

    Periods do not overlap. A period is credited with the whole move from its row to the row at
    which it ends. The next one begins at that very row if it can, and then only the change of the
    position is traded; otherwise the position is closed there, and opened anew later on. A closing
    is counted to the period that it ends; every segment begins and ends flat.

    Parameters
    ----------
    factor
        Shape (n,), float32. The position of a row is +1 in the highest quantile, -1 in the lowest
        and 0 between (and on both edges, where most values are equal), times the direction; rows
        that are not finite, and those outside the blocks, are passed over.
    blocks, edges
        Shapes (b, 2): rows, and the outer quantile edges that each block is cut by: those of a
        block before it, NaN where there is none yet.
    directions
        Shape (b,): 1.0 long the highest quantile, -1.0 long the lowest, NaN nothing.
    price, half_spread
        Shape (m,), m >= n: the mid, in price units (rows where it is not above zero are passed
        over), and half the quoted spread as a share of it.
    fee
        Of trading a whole position, a share of the price; half the spread comes on top.
    end, timestamp, segment
        Shape (m,), int64, as in and from ``label_end``.
    delays
        Shape (s,), int64, nanoseconds by which the first period of each segment is put off: one
        portfolio each.
    sums, places
        Shapes (s, ``SUMS``) and (s, ``PLACES``), carried on over pieces: zero before the first.
    """
    rows = len(factor)
    for start in range(len(delays)):
        own = sums[start]
        at = places[start]
        row = at[0]
        block = 0
        while row < rows:
            if at[3] == 0 or segment[row] != at[2]:
                at[2] = segment[row]
                at[3] = 1
            while block < len(blocks) and blocks[block, 1] <= row:
                block += 1
            position = math.nan
            if block < len(blocks) and blocks[block, 0] <= row and np.isfinite(factor[row]):
                top = 1.0 if factor[row] >= edges[block, 1] else 0.0
                bottom = 1.0 if factor[row] <= edges[block, 0] else 0.0
                # Edges that are not known leave it unknown.
                position = directions[block] * (top - bottom) + 0.0 * edges[block, 0]
            last = end[row]
            usable = last >= 0 and position == position and price[row] > 0.0 and price[last] > 0.0
            if usable and at[3] != 2:
                at[1] = timestamp[row] + delays[start]
                at[3] = 2
            if not usable or timestamp[row] < at[1]:
                if own[0] != 0.0:
                    own[2] += abs(own[0])
                    own[3] += abs(own[0]) * (fee + half_spread[row])
                    own[0] = 0.0
                row += 1
                continue
            _add_period(own, at)
            own[1] = position * (price[last] / price[row] - 1.0)
            own[2] = abs(position - own[0])
            own[3] = own[2] * (fee + half_spread[row])
            at[5] = timestamp[last] - timestamp[row]
            at[6] = 1
            own[0] = position
            row = last
        at[0] = row - rows


@part
def _add_period(own: npt.NDArray[np.float64], at: npt.NDArray[np.int64]) -> None:
    """Count the latest period, which nothing is added to any more."""
    if at[6] == 0:
        return
    at[6] = 0
    at[4] += at[5]
    at[7] += 1
    gain = own[1]
    net = gain - own[3]
    step = gain - own[4]
    own[4] += step / at[7]
    own[5] += step * (gain - own[4])
    step = net - own[6]
    own[6] += step / at[7]
    own[7] += step * (net - own[6])
    below = min(gain, 0.0)
    own[8] += below * below
    # In logarithms, which neither overflow nor underflow; a loss of everything is a rounding less.
    growth = math.log1p(max(gain, _TOTAL_LOSS))
    own[9] += growth
    own[10] = max(own[10], own[9])
    own[11] = min(own[11], own[9] - own[10])
    if gain <= -1.0:
        own[12] = 1.0
    own[13] += own[2]


@kernel
def close_portfolio(sums: npt.NDArray[np.float64], places: npt.NDArray[np.int64]) -> None:
    """Count the last period of each portfolio."""
    for start in range(len(sums)):
        _add_period(sums[start], places[start])


def portfolio_ratios(
    sums: npt.NDArray[np.float64], places: npt.NDArray[np.int64], year_ns: int
) -> tuple[float, float, float, float, float, float] | None:
    """Return the figures of one portfolio, a year; None with fewer than two periods.

    Parameters
    ----------
    sums, places
        Shapes (``SUMS``,) and (``PLACES``,), as `close_portfolio` left them.
    year_ns
        Nanoseconds of a year.

    Returns
    -------
    tuple of float
        `sharpe`, `sharpe` of the gains less what was paid, `sortino`, `calmar`, `max_drawdown`
        and the mean absolute change of the position a period.
    """
    count = int(places[7])
    if count < 2:
        return None
    a_year = year_ns * count / float(places[4])
    scale = math.sqrt(a_year)
    gross, net = (
        _ratio(float(sums[mean]) * scale, math.sqrt(float(sums[square]) / (count - 1)))
        for mean, square in ((4, 5), (6, 7))
    )
    fall = math.expm1(float(sums[11]))
    annual = -1.0 if sums[12] else _annual(float(sums[9]) / count, a_year)
    return (
        gross,
        net,
        _ratio(float(sums[4]) * scale, math.sqrt(float(sums[8]) / count)),
        max(-MAX_RATIO, min(MAX_RATIO, _ratio(annual, -fall))),
        fall,
        float(sums[13]) / count,
    )


def _annual(growth: float, periods_per_year: float) -> float:
    """Return what a mean logarithmic growth a period makes of 1 in a year, less that 1."""
    return math.expm1(min(growth * periods_per_year, _MAX_LOG_GROWTH))


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
    steps = np.log1p(np.maximum(values, _TOTAL_LOSS))
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
        annual = _annual(float(np.mean(np.log1p(values))), periods_per_year)
    return max(-MAX_RATIO, min(MAX_RATIO, _ratio(annual, -max_drawdown(values))))
