"""The score card of one set of probabilities on held-back rows, with block-bootstrap intervals.

Every interval comes from sums per cell of time (``bootstrap.py``), and the same draws of cells
serve the model and its baselines, so that their intervals can be compared. With fewer than 20
cells no interval is given ([]): it would be too narrow.

Two information coefficients are reported, both over all rows of a symbol and all its sessions:

- ``ic_pooled``, Spearman's rank correlation of direction and forward return, ranks taken within
  each symbol. The direction is p_buy - p_sell as it differs from that of the training part's class
  shares: folds have shares of their own, and what moves between folds is no forecast.
- ``ic``, the same measured from zero: the sizes of direction and return are ranked and keep their
  signs. Spearman's
  subtracts the middle of the held-back sample itself, which makes a score of past returns look
  opposed to what follows (Stambaugh 1999). Nothing of the sample is subtracted here.

Measured on 150 random walks of 12,000 s against the return of the next 60 s, mean over the walks:

================  ======  =========  ===================
past return over  ``ic``  pooled     mean of 300 s cells
================  ======  =========  ===================
60 s              .002    -.003      -.230
300 s             .003    -.009      -.359
900 s             -.007   -.030      -.363
================  ======  =========  ===================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.training import metrics
from alphaseeker.training.bootstrap import MIN_CELLS, interval, resample_counts, time_cells
from alphaseeker.training.dataset import Rows
from alphaseeker.training.target import BUY, SELL
from alphaseeker.training.trades import Trades

__all__ = [
    "HeldBack",
    "Sums",
    "cell_sums",
    "held_back",
    "information_coefficients",
    "score",
    "skill_ahead",
    "statistics",
]

# LightGBM's weights are float32: where a model only repeats the prior, it differs from it by 1e-9.
ZERO_DIGITS = 6

Sums = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class HeldBack:
    """Rows to be judged on, with their outcomes and their draws.

    Attributes
    ----------
    rows, label
        Resolved rows and their classes, shape (n,).
    prior
        Class shares of the training part behind each row's probabilities, shape (n, 3).
    cell
        Cell of time of each row, shape (n,), int64.
    draws
        How often each draw takes each cell, shape (draws, cells).
    """

    rows: Rows
    label: npt.NDArray[np.int8]
    prior: npt.NDArray[np.float64]
    cell: npt.NDArray[np.int64]
    draws: npt.NDArray[np.float64]

    @property
    def n_cells(self) -> int:
        """Number of cells of time."""
        return int(self.draws.shape[1])


def held_back(
    rows: Rows,
    label: npt.NDArray[np.int8],
    *,
    prior: npt.NDArray[np.float64],
    label_span_ns: int,
) -> HeldBack:
    """Cut the rows into cells of time and draw from them.

    Parameters
    ----------
    rows, label
        Resolved rows and their classes, shape (n,).
    prior
        Shape (3,), or (n, 3) where the rows were judged by several models.
    label_span_ns
        The longest time a label looks ahead.
    """
    cell = time_cells(rows.timestamp, label_span_ns)
    return HeldBack(
        rows=rows,
        label=label,
        prior=np.broadcast_to(prior, (len(rows), 3)),
        cell=cell,
        draws=resample_counts(int(cell.max()) + 1),
    )


def cell_sums(
    held: HeldBack,
    probabilities: npt.NDArray[np.float64],
    choice: npt.NDArray[np.int8],
    trades: Trades | None,
    all_trades: Trades | None,
) -> Sums:
    """Return the sums that every metric is a function of, by name, each of shape (cells, ...)."""
    cells, label, symbol = held.n_cells, held.label, held.rows.symbol

    def summed(values: npt.NDArray[Any] | None, cell: npt.NDArray[np.int64]) -> Any:
        return np.bincount(cell, values, cells).astype(np.float64)

    def products(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> Any:
        terms = (left, right, left * left, right * right, left * right)
        return np.column_stack([summed(values, held.cell) for values in terms])

    pair = (held.cell * 3 + label) * 3 + choice
    beyond = _beyond_prior(held, metrics.direction_score(probabilities))
    outcome = held.rows.forward_return
    sums: Sums = {
        "rows": summed(None, held.cell),
        "confusion": np.bincount(pair, minlength=9 * cells).reshape(cells, 9).astype(np.float64),
        "log_loss": summed(metrics.log_loss_terms(probabilities, label), held.cell),
        "prior_log_loss": summed(metrics.log_loss_terms(held.prior, label), held.cell),
        "brier": summed(metrics.brier_terms(probabilities, label), held.cell),
        "signed": products(
            metrics.signed_ranks(beyond, symbol), metrics.signed_ranks(outcome, symbol)
        ),
        "ranks": products(
            metrics.symbol_ranks(beyond, symbol), metrics.symbol_ranks(outcome, symbol)
        ),
    }
    for suffix, taken in (("", trades), ("_all", all_trades)):
        if taken is not None:
            cell = held.cell[taken.row]
            sums["trades" + suffix] = summed(None, cell)
            sums["gross" + suffix] = summed(taken.gross, cell)
            sums["net" + suffix] = summed(taken.net, cell)
    return sums


def _beyond_prior(held: HeldBack, direction: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return p_buy - p_sell less that of each row's prior, shape (n,); 0 where it is constant."""
    own = held.prior[:, BUY] - held.prior[:, SELL]
    beyond = np.round(direction - own, ZERO_DIGITS)
    return np.zeros(len(beyond)) if beyond.min() == beyond.max() else beyond


def statistics(sums: Sums) -> dict[str, npt.NDArray[np.float64]]:
    """Return the metrics of each draw from its sums, arrays of shape (draws,) by name.

    A mean over nothing (a draw without a trade) is NaN. In a draw ranks stay those of the sample.
    """
    rows = sums["rows"]
    result = metrics.rates(sums["confusion"].reshape(-1, 3, 3))
    result["log_loss"] = sums["log_loss"] / rows
    result["log_loss_skill"] = (sums["prior_log_loss"] - sums["log_loss"]) / rows
    result["brier"] = sums["brier"] / rows
    means = sums["ranks"] / rows[:, None]
    left, right = means[:, 0], means[:, 1]
    result["ic"] = _correlation(*sums["signed"].T[2:] / rows)
    result["ic_pooled"] = _correlation(
        means[:, 2] - left**2, means[:, 3] - right**2, means[:, 4] - left * right
    )
    for suffix in ("", "_all"):
        if "trades" + suffix in sums:
            count = sums["trades" + suffix]
            result[f"net_return{suffix}_bp"] = 1e4 * _ratio(sums["net" + suffix], count)
            # A share of the price and side, as TRANSACTION_COST_PCT is.
            result[f"break_even_cost{suffix}_bp"] = 0.5e4 * _ratio(sums["gross" + suffix], count)
    return result


def _correlation(
    left: npt.NDArray[np.float64], right: npt.NDArray[np.float64], both: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Divide covariances by deviations; 0 where one side is constant."""
    variance = np.maximum(left, 0.0) * np.maximum(right, 0.0)
    # Rounding leaves a constant a variance of about 1e-17; a single row that differs gives 1 / n.
    moved = variance > 1e-15
    return np.where(moved, both / np.sqrt(np.where(moved, variance, 1.0)), 0.0)


def _ratio(
    numerator: npt.NDArray[np.float64], count: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return np.where(count > 0.0, numerator / np.where(count > 0.0, count, 1.0), np.nan)


def score(
    held: HeldBack,
    probabilities: npt.NDArray[np.float64],
    choice: npt.NDArray[np.int8],
    trades: Trades | None = None,
    all_trades: Trades | None = None,
) -> dict[str, Any]:
    """Return all metrics of ``probabilities`` as plain finite values, with ``intervals``.

    An interval is [low, high], or [] where there are fewer than 20 cells or nothing to draw from.

    Parameters
    ----------
    probabilities
        Shape (n, 3), float64.
    choice
        Class of the largest probability (ties are HOLD), shape (n,), int8.
    trades
        Trades of its decisions, or None for a baseline.
    all_trades
        Trades of every BUY and SELL among ``choice``, or None for a baseline. The break-even cost
        is theirs where ``trades`` is empty.
    """
    from sklearn.metrics import log_loss

    sums = cell_sums(held, probabilities, choice, trades, all_trades)
    whole = {name: values.sum(axis=0, keepdims=True) for name, values in sums.items()}
    drawn = {name: held.draws @ values for name, values in sums.items()}
    points, samples = statistics(whole), statistics(drawn)
    if all_trades is not None:
        used = "break_even_cost_bp" if trades else "break_even_cost_all_bp"
        for values in (points, samples):
            values["break_even_cost_bp"] = values[used]
            del values["break_even_cost_all_bp"]
    result: dict[str, Any] = {
        name: float(values[0]) if np.isfinite(values[0]) else 0.0 for name, values in points.items()
    }
    result.update(metrics.classification_metrics(held.label, choice))
    result["log_loss"] = float(log_loss(held.label, probabilities, labels=[0, 1, 2]))
    result["ece"] = metrics.expected_calibration_error(probabilities, held.label)
    result["auc"] = metrics.direction_auc(
        _beyond_prior(held, metrics.direction_score(probabilities)), held.rows.forward_return
    )
    result["directional_accuracy"] = metrics.directional_accuracy(
        metrics.direction_score(probabilities), held.label
    )
    result["intervals"] = {
        name: interval(values) if held.n_cells >= MIN_CELLS else []
        for name, values in sorted(samples.items())
    }
    return result


def information_coefficients(
    held: HeldBack, direction: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Return ``ic`` and ``ic_pooled`` (see the module) of p_buy - p_sell, shape (n,)."""
    beyond, outcome = _beyond_prior(held, direction), held.rows.forward_return
    symbol = held.rows.symbol
    left, right = (metrics.signed_ranks(values, symbol) for values in (beyond, outcome))
    sums = np.array([[left @ left, right @ right, left @ right]]) / len(left)
    pooled = metrics.symbol_rank_correlation(beyond, outcome, symbol)
    return float(_correlation(*sums.T)[0]), pooled


def skill_ahead(
    held: HeldBack,
    probabilities: npt.NDArray[np.float64],
    rival: npt.NDArray[np.float64],
) -> tuple[float, list[float]]:
    """Return by how many nats a row ``probabilities`` beats ``rival``, and the interval.

    The difference is taken row by row before cells are drawn: what both get wrong together does
    not widen the interval.

    Parameters
    ----------
    probabilities, rival
        Shape (n, 3), float64.
    """
    gain = metrics.log_loss_terms(rival, held.label) - metrics.log_loss_terms(
        probabilities, held.label
    )
    sums = np.bincount(held.cell, gain, held.n_cells)
    rows = np.bincount(held.cell, minlength=held.n_cells)
    bounds = interval((held.draws @ sums) / (held.draws @ rows))
    return float(gain.mean()), bounds if held.n_cells >= MIN_CELLS else []
