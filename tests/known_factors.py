"""Factors whose information about the mid is known beforehand: none, or a planted correlation.

Mid and factors come from separate generators, so that what a noise factor says of the forward
return is nothing, however well it seems to fit.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from alphaseeker.factors.forward_returns import forward_return
from alphaseeker.features.block import FeatureBlock
from alphaseeker.market.quality import QualityReport

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
VOLATILITY = 1e-4  # of a root second
HALF_LIFE_S = 1800.0  # of the swings of a volatility that clusters


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What data a simulation stands on.

    Attributes
    ----------
    rows
        Number of rows.
    step_s
        Seconds between rows.
    forward_s
        Horizon, in seconds.
    events
        Whether rows come at random (Poisson) times, ``step_s`` apart on average.
    """

    rows: int
    step_s: float = 1.0
    forward_s: float = 60.0
    events: bool = False


SHAPES = {
    "4 h of a 1 s grid": Shape(rows=14_400),
    "16 h of a 1 s grid": Shape(rows=57_600),
    "10 h of events, 0.5 s apart": Shape(rows=72_000, step_s=0.5, events=True),
    "100 days of 1 min bars": Shape(rows=144_000, step_s=60.0),
    "100 days of 1 min bars, 15 min ahead": Shape(rows=144_000, step_s=60.0, forward_s=900.0),
}


def times(random, shape):
    """Return time stamps, nanoseconds."""
    if shape.events:
        steps = random.exponential(shape.step_s, shape.rows)
        return START + (np.cumsum(steps) * SECOND).astype(np.int64)
    return START + np.arange(shape.rows) * round(shape.step_s * SECOND)


def mid_of(random, timestamp, kind):
    """Return the mid of a random walk: steps are ``normal``, ``heavy`` (t of 3) or ``clustered``.

    The volatility of a clustered one swings by a factor e up and down (one standard deviation).
    """
    rows = len(timestamp)
    steps = random.standard_t(3.0, rows) if kind == "heavy" else random.standard_normal(rows)
    elapsed = np.diff(timestamp, prepend=timestamp[0]) / SECOND
    if kind == "clustered":
        memory = 0.5 ** (float(np.mean(elapsed)) / HALF_LIFE_S)
        steps *= np.exp(autoregression(random, rows, memory))
    return 100.0 * np.exp(np.cumsum(VOLATILITY * np.sqrt(elapsed) * steps))


def autoregression(random, rows, memory, shocks=None):
    """Return AR(1) noise of variance 1 (that of ``shocks``), which begins in its own middle."""
    shocks = random.standard_normal(rows) if shocks is None else shocks
    return lfilter([math.sqrt(1.0 - memory**2)], [1.0, -memory], shocks)


def noise(random, rows, columns, kind):
    """Return float32 noise, shape (rows, columns): ``walk``, ``persistent`` or ``heavy``.

    A walk never returns; persistent noise is AR(.98) and AR(.99) in turn; heavy noise has a t
    distribution of 2.5 degrees, alone and as the shocks of AR(.98) in turn.
    """
    found = np.empty((rows, columns), dtype=np.float32)
    for column in range(columns):
        if kind == "walk":
            values = np.cumsum(random.standard_normal(rows)) / math.sqrt(rows)
        elif kind == "persistent":
            values = autoregression(random, rows, (0.98, 0.99)[column % 2])
        else:
            values = random.standard_t(2.5, rows)
            if column % 2:
                values = autoregression(random, rows, 0.98, values)
        found[:, column] = values
    return found


def own_past(mid, columns):
    """Return float32 columns made of the mid's past alone, which says nothing of a random walk.

    In turn: the return over a window, the distance from an average, and the variance; windows are
    spread from 2 rows to a quarter of all, 7,200 at most. The first two trend, as real features do.
    """
    logs = np.log(mid / mid[0])
    squares = np.diff(logs, prepend=logs[0]) ** 2
    found = np.full((len(mid), columns), np.nan, dtype=np.float32)
    windows = np.geomspace(2, min(len(mid) // 4, 7200), columns).astype(int)
    for column, window in enumerate(windows):
        if column % 3 == 0:
            found[window:, column] = logs[window:] - logs[:-window]
        else:
            weight = 1.0 / window
            average = lfilter([weight], [1.0, weight - 1.0], logs if column % 3 == 1 else squares)
            found[:, column] = logs - average if column % 3 == 1 else average * 1e6
    return found


def planted(random, timestamp, mid, strength, forward_s, memory=0.0):
    """Return a factor whose correlation with the forward return of ``mid`` is ``strength``.

    What it holds beside is noise: independent from row to row, or AR of ``memory``.
    """
    segment = np.zeros(len(mid), dtype=np.int64)
    returns = forward_return(timestamp, mid, segment, round(forward_s * SECOND))
    signal = np.nan_to_num(returns / np.nanstd(returns))
    other = autoregression(random, len(mid), memory)
    return strength * signal + math.sqrt(1.0 - strength**2) * other


def block_of(timestamp, mid, columns, *, names=None, spread=0.01, symbol="MADE_UP"):
    """Return a block of one segment with ``columns``, shape (n, k)."""
    rows, count = columns.shape
    zeros = np.zeros(rows, dtype=np.int64)
    return FeatureBlock(
        symbol=symbol,
        names=tuple(names or (f"factor_{column}" for column in range(count))),
        values=np.ascontiguousarray(columns, dtype=np.float32),
        timestamp=timestamp,
        mid=mid,
        spread=np.full(rows, spread),
        close=mid,
        segment=zeros,
        history=np.arange(rows),
        verdict=zeros.astype(np.int8),
        row=np.arange(1, rows + 1),
        bucket_s=1.0,
        quality=QualityReport(),
    )
