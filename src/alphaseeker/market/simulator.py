"""SIMULATED market data: quotes and trades whose predictability is known in advance.

Nothing here is a real market. The data serve demonstrations and tests; a result on them says
that the software works and nothing about profit. The symbol always begins with ``SIMULATED``.

The model, in ticks. A latent flow signal s (half-life 60 s, variance 1) and a latent activity h
(half-life 600 s, variance 1, independent of s) run in the background. The variance of the mid is
``v = v0 exp(w h - w² / 2)`` a second, so that volatility clusters. Both quotes move up and down by
independent Poisson numbers of ticks with rates ``v (1 + b s) / 2`` and ``v (1 - b s) / 2`` (a
Skellam walk): given the past, the next move has mean ``b s v`` and the variance v. Price levels
leave no memory, so that without a signal the mid is a martingale. The spread is one tick most of
the time, widens and reverts tick by tick, and a fair coin decides which side makes room. The
signal leans the queues (more size on the bid, less on the ask) and the signs of the trades.

``signal_strength`` is the population correlation, over calendar time, between s and the return of
the mid over the next 60 s. With n steps of d seconds in 60 s, correlations p^k of s and q^k of h
after k steps, and u the variance a second that the spread's coin adds to the mid::

    G = d sum_k p^k                                    k from 0 to n - 1
    V = d² sum_jk p^|j-k| exp(w² q^|j-k|)              j, k from 0 to n - 1
    strength = b v0 G / sqrt(60 (v0 + u) + b² v0² V)

which is solved for b. A model sees the signal only through noisy queues and trades, so that what
it can reach lies below ``signal_strength``.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ConfigError
from alphaseeker.market.depth import DEPTH_COLUMNS, MAX_LEVELS
from alphaseeker.market.schema import TICK, TickSeries
from alphaseeker.market.simulated_depth import levels_behind
from alphaseeker.market.simulated_quotes import (
    EVENT_INTERVAL_S,
    SIGNAL_HALF_LIFE_S,
    VOLATILITY_HALF_LIFE_S,
    VOLATILITY_OF_VARIANCE,
    latent_states,
    quotes_and_trades,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "HORIZON_S",
    "START_NS",
    "SimulatedMarket",
    "simulate",
    "simulate_frame",
    "simulate_market",
]

HORIZON_S = 60.0
START_NS = 1_704_067_200_000_000_000  # 2024-01-01 UTC
Mode = Literal["grid", "events"]

_LABEL = "SIMULATED"
_LOT = 0.001
_RETURN_DEVIATION = 9e-5  # of the mid in one second: 0.07 % a minute, 50 % a year
_MAX_STRENGTH = 0.5
_SAFE_SIGNAL = 4.0  # the rates stay positive up to this many standard deviations of the signal
_WIDENING_RATE = 0.07
_TOGETHER = 0.05  # share of events that carry the time stamp of the one before
_BLOCK = 1000


@dataclass(frozen=True, kw_only=True)
class SimulatedMarket:
    """SIMULATED ticks with the latent signal behind them.

    Attributes
    ----------
    series
        The ticks, as a reader would give them.
    signal
        Shape (n,), float64: the flow signal at each tick, mean 0, variance 1. No model may see it.
    signal_strength
        Correlation of ``signal`` with the return of the mid over the next ``HORIZON_S`` seconds.
    """

    series: TickSeries
    signal: npt.NDArray[np.float64]
    signal_strength: float


def _spread_variance(variance: float) -> tuple[float, float]:
    """Return the widening rate, and the variance a second that the spread adds to the mid."""
    rate = _WIDENING_RATE * min(1.0, variance)
    # In the long run it narrows as often as it widens; each change moves the mid by half a tick.
    return rate, 2.0 * rate * 0.25


def _tilt(strength: float, variance: float, step_s: float) -> float:
    """Return b of the module's formula: the share of the moves that one unit of signal turns."""
    steps = np.arange(round(HORIZON_S / step_s))
    signal = 0.5 ** (steps * step_s / SIGNAL_HALF_LIFE_S)
    activity = 0.5 ** (steps * step_s / VOLATILITY_HALF_LIFE_S)
    pairs = np.where(steps == 0, 1.0, 2.0) * (len(steps) - steps)  # of steps that far apart
    together = pairs * signal * np.exp(VOLATILITY_OF_VARIANCE**2 * activity)
    reach = step_s * signal.sum()
    wander = step_s**2 * together.sum()
    noise = HORIZON_S * (variance + _spread_variance(variance)[1])
    return float(strength * np.sqrt(noise / (reach**2 - strength**2 * wander)) / variance)


def _check(
    rows: int,
    seed: int,
    strength: float,
    mode: str,
    tick_size: float,
    price: float,
    start_ns: int,
    levels: int,
) -> None:
    def whole(value: Any, least: int) -> bool:
        return isinstance(value, (int, np.integer)) and bool(value >= least)

    for name, given, good, allowed in (
        ("rows", rows, whole(rows, 1), "a whole number from 1 up"),
        ("seed", seed, whole(seed, 0), "a whole number from 0 up"),
        ("start_ns", start_ns, whole(start_ns, 1), "a whole number of nanoseconds since 1970"),
        ("signal_strength", strength, 0.0 <= strength <= _MAX_STRENGTH, f"0 to {_MAX_STRENGTH:g}"),
        ("mode", mode, mode in ("grid", "events"), "'grid' or 'events'"),
        ("tick_size", tick_size, 0.0 < tick_size < np.inf, "a positive finite number"),
        ("start_price", price, 100.0 * tick_size <= price < np.inf, "at least 100 ticks, finite"),
        (
            "depth_levels",
            levels,
            whole(levels, 0) and levels in (0, *range(2, MAX_LEVELS + 1)),
            f"0, or a whole number from 2 to {MAX_LEVELS}",
        ),
    ):
        if not good:
            raise ConfigError(f"{name} is {given!r}; it must be {allowed}")


def simulate_market(
    rows: int,
    *,
    seed: int,
    signal_strength: float = 0.1,
    mode: Mode = "grid",
    tick_size: float = 0.01,
    start_price: float = 100.0,
    start_ns: int = START_NS,
    symbol: str = _LABEL,
    depth_levels: int = 0,
) -> SimulatedMarket:
    """Return a SIMULATED market: ticks, and the signal that leads them by a known strength.

    Parameters
    ----------
    rows
        Number of ticks.
    seed
        Same seed, same market.
    signal_strength
        Correlation of the latent signal with the next 60 s return of the mid, 0 to 0.5; see the
        module's docstring.
    mode
        "grid": one row a second. "events": a row for each change of the best quotes, five a
        second on average, faster when volatile; some share a time stamp.
    tick_size, start_price
        In price units.
    start_ns
        Time stamp of the first row, nanoseconds UTC.
    symbol
        Name of the instrument; ``SIMULATED_`` is put in front where it does not begin so.
    depth_levels
        Levels of depth, the touch included, 2 to 10; 0 for none. The ticks are the same with any.

    Raises
    ------
    ConfigError
        An argument is out of range, or the tick is too coarse for so strong a signal.
    """
    _check(rows, seed, signal_strength, mode, tick_size, start_price, start_ns, depth_levels)
    start = round(start_price / tick_size)
    variance = (_RETURN_DEVIATION * start) ** 2
    tilt = _tilt(signal_strength, variance, 1.0 if mode == "grid" else EVENT_INTERVAL_S)
    if tilt * _SAFE_SIGNAL > 1.0:
        raise ConfigError(
            f"signal_strength is {signal_strength!r} on a tick of {tick_size / start_price:.2g} of "
            "the price: prices that rarely move cannot follow a signal so closely; lower "
            "signal_strength or tick_size"
        )
    draws = np.random.default_rng(seed)
    waits = np.empty(0)
    if mode == "events":
        waits = draws.standard_exponential(rows) / (1.0 - _TOGETHER)
        waits[draws.random(rows) < _TOGETHER] = 0.0
    elapsed = np.empty(rows, dtype=np.int64)
    signal, activity = np.empty(rows), np.empty(rows)
    latent_states(waits, draws.standard_normal((rows, 2)), elapsed, signal, activity)
    moves = _moves(draws, elapsed, signal, activity, variance, tilt, start)
    book = np.zeros((rows, 4), dtype=np.int64)
    trades = np.zeros((rows, 3), dtype=np.int64)
    quotes_and_trades(
        elapsed,
        signal,
        activity,
        moves,
        draws.standard_normal((rows, 5)),
        draws.random((rows, 4)),
        _spread_variance(variance)[0],
        0.6 if mode == "grid" else 0.3,
        mode == "events",
        start,
        book,
        trades,
    )
    ticks = _ticks(start_ns + np.cumsum(elapsed), book, trades, tick_size)
    depth = None
    if depth_levels > 0:
        depth = np.empty((rows, depth_levels, 4))
        # Drawn apart: the ticks of a seed do not depend on the depth behind them.
        shocks = np.random.default_rng([seed, 1]).standard_normal((rows, depth_levels - 1, 4))
        levels_behind(elapsed, signal, book, shocks, depth)
        depth[:, :, ::2] = np.round(depth[:, :, ::2] * tick_size, _decimals(tick_size))
        depth[:, :, 1::2] = np.round(depth[:, :, 1::2] * _LOT, 3)
    series = TickSeries(
        symbol=symbol if symbol.startswith(_LABEL) else f"{_LABEL}_{symbol}",
        ticks=ticks,
        rows=np.arange(1, rows + 1, dtype=np.int64),
        depth=depth,
    )
    return SimulatedMarket(series=series, signal=signal, signal_strength=signal_strength)


def _moves(
    draws: np.random.Generator,
    elapsed: npt.NDArray[np.int64],
    signal: npt.NDArray[np.float64],
    activity: npt.NDArray[np.float64],
    variance: float,
    tilt: float,
    start: int,
) -> npt.NDArray[np.int64]:
    """Draw the whole ticks that the quotes move by, shape (n,)."""
    w = VOLATILITY_OF_VARIANCE
    moves = np.zeros(len(signal), dtype=np.int64)
    rates = variance * np.exp(w * activity[:-1] - 0.5 * w * w) * (elapsed[1:] * 1e-9)
    level = start
    # Volatility stays a share of the price, so that a long simulation never reaches zero.
    for begin in range(0, len(rates), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        scale = level / start
        half = 0.5 * rates[block] * scale**2
        lean = np.clip(tilt / scale * signal[:-1][block], -1.0, 1.0)
        up, down = draws.poisson(half * (1.0 + lean)), draws.poisson(half * (1.0 - lean))
        moves[1:][block] = up - down
        level = max(1, level + int((up - down).sum()))
    return moves


def _decimals(tick_size: float) -> int:
    """Return the decimal places of prices in half ticks."""
    return max(0, -int(Decimal(repr(float(tick_size))).normalize().as_tuple().exponent)) + 1


def _ticks(
    timestamp: npt.NDArray[np.int64],
    book: npt.NDArray[np.int64],
    trades: npt.NDArray[np.int64],
    tick_size: float,
) -> npt.NDArray[Any]:
    """Turn ticks and lots into a ``TICK`` array of prices and sizes."""
    decimals = _decimals(tick_size)
    ticks = np.zeros(len(timestamp), dtype=TICK)
    ticks["timestamp"] = timestamp
    ticks["bid_price"] = np.round(book[:, 0] * tick_size, decimals)
    ticks["ask_price"] = np.round(book[:, 1] * tick_size, decimals)
    ticks["bid_volume"] = np.round(book[:, 2] * _LOT, 3)
    ticks["ask_volume"] = np.round(book[:, 3] * _LOT, 3)
    ticks["close"] = np.round(trades[:, 2] * 0.5 * tick_size, decimals)
    ticks["buy_volume"] = np.round(trades[:, 0] * _LOT, 3)
    ticks["sell_volume"] = np.round(trades[:, 1] * _LOT, 3)
    ticks["volume"] = np.round((trades[:, 0] + trades[:, 1]) * _LOT, 3)
    return ticks


def simulate(
    rows: int,
    *,
    seed: int,
    signal_strength: float = 0.1,
    mode: Mode = "grid",
    tick_size: float = 0.01,
    start_price: float = 100.0,
    start_ns: int = START_NS,
    symbol: str = _LABEL,
    depth_levels: int = 0,
) -> TickSeries:
    """Return SIMULATED ticks; arguments and errors as in ``simulate_market``."""
    return simulate_market(
        rows,
        seed=seed,
        signal_strength=signal_strength,
        mode=mode,
        tick_size=tick_size,
        start_price=start_price,
        start_ns=start_ns,
        symbol=symbol,
        depth_levels=depth_levels,
    ).series


def simulate_frame(
    rows: int,
    *,
    seed: int,
    signal_strength: float = 0.1,
    mode: Mode = "grid",
    tick_size: float = 0.01,
    start_price: float = 100.0,
    start_ns: int = START_NS,
    symbol: str = _LABEL,
    depth_levels: int = 0,
) -> pd.DataFrame:
    """Return SIMULATED market data as a frame in the file schema.

    Columns: ``timestamp`` (naive UTC), ``symbol``, ``session``, prices, sizes and volumes, and
    with ``depth_levels`` each level's ``bid_price_1``, ``bid_volume_1`` and so on. The session is
    named ``SIMULATED`` and ``frame.attrs["simulated"]`` is True. Arguments and errors as in
    ``simulate_market``.
    """
    import pandas as pd

    series = simulate(
        rows,
        seed=seed,
        signal_strength=signal_strength,
        mode=mode,
        tick_size=tick_size,
        start_price=start_price,
        start_ns=start_ns,
        symbol=symbol,
        depth_levels=depth_levels,
    )
    frame = pd.DataFrame({"timestamp": series.ticks["timestamp"].astype("datetime64[ns]")})
    frame["symbol"] = series.symbol
    frame["session"] = _LABEL
    for name in (TICK.names or ())[1:-1]:
        frame[name] = series.ticks[name]
    if series.depth is not None:
        for level, column in np.ndindex(depth_levels, len(DEPTH_COLUMNS)):
            name = f"{DEPTH_COLUMNS[column]}_{level + 1}"
            frame[name] = series.depth[:, level, column]
    frame.attrs["simulated"] = True
    return frame
