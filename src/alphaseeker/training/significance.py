"""What is left of a backtest once its length, its shape and the tries behind it are counted.

The parts stand in ``sharpe.py`` (probabilistic and deflated Sharpe ratio, track record) and in
``overfitting.py`` (probability of backtest overfitting). Here they become the plain numbers of a
report: what cannot be computed is 0, and a sentence says why.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.factors.portfolio import sharpe
from alphaseeker.training.overfitting import BLOCKS, ROWS_PER_BLOCK, backtest_overfitting
from alphaseeker.training.sharpe import (
    MIN_PERIODS,
    deflated_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
    trial_variance,
)
from alphaseeker.training.trades import Trades

__all__ = ["LEAST_BLOCKS", "cell_returns", "significance"]

# Of the cross-validation behind the probability of overfitting: of 6 blocks there are 20 halves.
LEAST_BLOCKS = 6

CONFIDENCE = 0.95


def cell_returns(trades: Trades, cell: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the sum of the net returns of the trades that begin in each cell of time.

    Parameters
    ----------
    trades
        Taken on n rows.
    cell
        Shape (n,), int64, from `time_cells` of the same rows.

    Returns
    -------
    Shape (cells,), float64; 0 where no trade begins.
    """
    cells = int(cell.max()) + 1 if len(cell) else 0
    return np.bincount(cell[trades.row], trades.net, cells).astype(np.float64)


def significance(
    returns: npt.NDArray[np.float64],
    trial_returns: npt.NDArray[np.float64] | None,
    *,
    cell_ratio: float = 1.0,
) -> dict[str, Any]:
    """Say how sure the Sharpe ratio of a model is, given what it was chosen from.

    Parameters
    ----------
    returns
        Shape (cells,), float64: net return of the model in every cell of time of the part that it
        is judged on, 0 where it did not trade.
    trial_returns
        Shape (cells', trials), float64: the same for every configuration that was tried, the
        chosen one too, on the part that they were chosen on. None where there was no search.
    cell_ratio
        How many times as long a cell of ``returns`` is as one of the trials: Sharpe ratios grow
        with its root, and those of the trials are told as if their cells were as long.

    Returns
    -------
    dict
        Plain and finite:

        - ``sharpe``: of a cell, not annualised
        - ``probabilistic_sharpe``: probability that the true one is above 0
        - ``deflated_sharpe``: probability that it is above what the best of so many worthless
          trials would show; the probabilistic one where there was one trial
        - ``trials`` and ``trial_variance``: number of trials and variance of their Sharpe ratios
        - ``min_track_record``: cells after which such returns are above 0 with 95 % confidence
        - ``pbo``: probability of backtest overfitting, from as many blocks, up to 16, as the cells
          allow
        - ``note``: why something is 0, "" where nothing is

    Raises
    ------
    DataError
        A shape that does not fit, a value that is not finite, or a ratio not above 0.

    Notes
    -----
    Trials that resemble one another count in full: the deflated ratio errs on the low side.
    """
    if not (0.0 < cell_ratio < math.inf):
        raise DataError(f"cell_ratio is {cell_ratio}; give a finite number above 0")
    notes: list[str] = []
    number, variance, pbo = 1, 0.0, 0.0
    if trial_returns is not None:
        tried = np.asarray(trial_returns, dtype=np.float64)
        _check_trials(tried)
        number = max(tried.shape[1], 1)
        if len(tried) and tried.shape[1]:
            variance = cell_ratio * trial_variance([sharpe(column, 1.0) for column in tried.T])
        pbo = _overfitting(tried, notes)
    else:
        notes.append("there was no search, so nothing was chosen that could be overfitted")
    result: dict[str, Any] = {
        "sharpe": 0.0,
        "probabilistic_sharpe": 0.0,
        "deflated_sharpe": 0.0,
        "trials": number,
        "trial_variance": variance,
        "min_track_record": 0.0,
        "pbo": pbo,
    }
    result |= _judged(np.asarray(returns, dtype=np.float64), number, variance, notes)
    return {**result, "note": "; ".join(notes)}


def _judged(
    values: npt.NDArray[np.float64], trials: int, variance: float, notes: list[str]
) -> dict[str, float]:
    """Return what rests on the model's own returns, as far as they allow."""
    ratio = sharpe(values, 1.0)
    if not values.any():
        notes.append("no trade was taken, so no Sharpe ratio is judged")
        return {}
    if values.min() == values.max():
        notes.append("the returns never vary, so no Sharpe ratio is judged")
        return {}
    if len(values) < MIN_PERIODS:
        notes.append(
            f"{len(values)} cells of time are too few to judge a Sharpe ratio by, "
            f"it takes {MIN_PERIODS}"
        )
        return {"sharpe": ratio}
    moments = sharpe_moments(values)
    record = minimum_track_record(moments, confidence=CONFIDENCE)
    if not math.isfinite(record):
        notes.append("the Sharpe ratio is not above 0, so no track record would prove it")
        record = 0.0
    return {
        "sharpe": ratio,
        "probabilistic_sharpe": probabilistic_sharpe(moments),
        "deflated_sharpe": deflated_sharpe(moments, trials=trials, variance=variance),
        "min_track_record": record,
    }


def _overfitting(tried: npt.NDArray[np.float64], notes: list[str]) -> float:
    """Return the probability of backtest overfitting, or 0 and a note."""
    cells, trials = tried.shape
    blocks = min(BLOCKS, cells // ROWS_PER_BLOCK // 2 * 2)
    if trials < 2:
        notes.append("one configuration was tried, so nothing was chosen that could be overfitted")
    elif blocks < LEAST_BLOCKS:
        notes.append(
            f"the trials have {cells} cells of time, too few to say whether their choice was "
            f"overfitted, which takes {LEAST_BLOCKS * ROWS_PER_BLOCK}"
        )
    elif (tried == tried[:, :1]).all():
        notes.append("all trials earned the same, so none was better than another")
    else:
        return backtest_overfitting(tried, blocks=blocks).probability
    return 0.0


def _check_trials(tried: npt.NDArray[np.float64]) -> None:
    if tried.ndim != 2 or not np.isfinite(tried).all():
        raise DataError(
            f"returns of the trials have shape {tried.shape} and "
            f"{np.sum(~np.isfinite(tried))} values that are not finite; give (cells, trials), 0 "
            "for a cell without a trade"
        )
