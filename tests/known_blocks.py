"""Feature blocks whose information is known beforehand: a planted signal, or none at all.

Returns come from one generator and features from another, so that what one column knows of the
returns is a number and not an estimate. The catalogue lends its names; no market is behind them.
"""

import numpy as np
from scipy.signal import lfilter

from alphaseeker.features.block import FeatureBlock
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.market.quality import QualityReport
from alphaseeker.training.baselines import logistic_columns

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
VOLATILITY = 3e-4  # of a step
NAMES = tuple(feature.name for feature in FEATURES)


def block_of(returns, columns, *, step_s, names=None, spread=0.002, segment=None):
    """Return a block whose mid makes the step ``returns[i]`` after row i.

    Parameters
    ----------
    returns
        Shape (n,), logarithmic.
    columns
        Shape (n, k).
    step_s
        Seconds between rows.
    names
        The k names; the first of the catalogue by default.
    """
    n, k = columns.shape
    mid = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(returns[:-1])]))
    seconds = np.arange(n) * step_s
    return FeatureBlock(
        symbol="MADE_UP",
        names=tuple(names or NAMES[:k]),
        values=np.ascontiguousarray(columns, dtype=np.float32),
        timestamp=START + (seconds * SECOND).astype(np.int64),
        mid=mid,
        spread=np.full(n, spread),
        close=mid.copy(),
        segment=np.zeros(n, np.int64) if segment is None else segment,
        history=seconds.astype(np.int64),
        verdict=np.zeros(n, np.int8),
        row=np.arange(1, n + 1),
        bucket_s=1.0,
        quality=QualityReport(source="made up", symbols=("MADE_UP",), rows=n, accepted=n),
    )


def planted_place(seed, columns=90):
    """Return where ``planted_block`` puts its signal: never in a column of the logistic baseline.

    The baseline reads three columns by name; a model that leans on them gets no help here.
    """
    taken = logistic_columns(NAMES[:columns])
    free = [place for place, name in enumerate(NAMES[:columns]) if name not in taken]
    return free[seed * 17 % len(free)]


def planted_block(rows=160_000, *, seed, signal=0.1, columns=90, step_s=60.0):
    """One column has the correlation ``signal`` with the next return; the others are noise.

    With labels of one row (HORIZON_S = ``step_s``) no two labels overlap.
    """
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, columns))
    known = values[:, planted_place(seed, columns)]
    own = random.normal(size=rows)
    returns = VOLATILITY * (signal * known + np.sqrt(1.0 - signal**2) * own)
    return block_of(returns, values, step_s=step_s)


def walk_block(rows=110_000, *, seed, columns=90, step_s=60.0):
    """A random walk of Gaussian steps; a third of the columns tell its past, the others nothing.

    The past is told as it is in real features: returns and volatilities over many windows, and
    the price itself. None of it says anything about what comes.
    """
    random = np.random.default_rng(10_000 + seed)
    returns = VOLATILITY * random.normal(size=rows)
    values = random.normal(size=(rows, columns))
    walk = np.concatenate([[0.0], np.cumsum(returns[:-1])])
    squares = np.concatenate([[0.0], np.cumsum(returns[:-1] ** 2)])
    values[:, 0] = walk
    windows = np.unique(np.geomspace(1, 900, columns // 6).astype(int))
    for place, window in enumerate(windows):
        for column, told in ((1 + 2 * place, walk), (2 + 2 * place, squares)):
            values[:window, column] = np.nan
            values[window:, column] = told[window:] - told[:-window]
    return block_of(returns, values, step_s=step_s)


def permuted_block(rows=110_000, *, seed, columns=90, step_s=60.0):
    """The planted block with its returns permuted: the same columns and labels, unrelated."""
    block = planted_block(rows, seed=20_000 + seed, columns=columns, step_s=step_s)
    returns = np.diff(np.log(block.mid), append=np.log(block.mid[-1]))
    mixed = np.random.default_rng(30_000 + seed).permutation(returns)
    return block_of(mixed, block.values, step_s=step_s)


def persistent_block(rows=60_000, *, seed, columns=90, step_s=10.0, memory=0.98):
    """A random walk beside columns of AR(1) noise of coefficient ``memory`` that know nothing.

    With a horizon of several rows labels overlap: neighbouring rows have nearly the same label
    and nearly the same columns, which is what makes noise look like knowledge.
    """
    random = np.random.default_rng(40_000 + seed)
    returns = VOLATILITY * random.normal(size=rows)
    shocks = random.normal(size=(rows, columns)) * np.sqrt(1.0 - memory**2)
    shocks[0] /= np.sqrt(1.0 - memory**2)
    values = lfilter([1.0], [1.0, -memory], shocks, axis=0)
    return block_of(returns, values, step_s=step_s)
