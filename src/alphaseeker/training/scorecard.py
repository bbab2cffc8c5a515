"""The score card of one set of probabilities on held-back rows, with block-bootstrap intervals.

Every interval comes from sums per cell of time (``bootstrap.py``), and the same draws of cells
serve the model and its baselines, so that their intervals can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.ranks import average_ranks
from alphaseeker.training import metrics
from alphaseeker.training.bootstrap import interval, resample_counts, time_cells
from alphaseeker.training.dataset import Rows
from alphaseeker.training.trades import Trades

__all__ = ["HeldBack", "Sums", "cell_sums", "held_back", "score", "statistics"]

Sums = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class HeldBack:
    """Rows to be judged on, with their outcomes and their draws.

    Attributes
    ----------
    rows, label
        Resolved rows and their classes, shape (n,).
    prior
        Class shares of the training part, shape (3,).
    cell
        Cell of time of each row, shape (n,), int64.
    group
        Cell and symbol of each row: rank correlations are taken within one.
    cell_of_group
        Cell of each group, shape (groups,).
    draws
        How often each draw takes each cell, shape (draws, cells).
    """

    rows: Rows
    label: npt.NDArray[np.int8]
    prior: npt.NDArray[np.float64]
    cell: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]
    cell_of_group: npt.NDArray[np.int64]
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
    """Cut the rows into cells of time and draw from them."""
    cell = time_cells(rows.timestamp, label_span_ns)
    width = int(rows.symbol.max()) + 1
    codes, group = np.unique(cell * width + rows.symbol, return_inverse=True)
    return HeldBack(
        rows=rows,
        label=label,
        prior=prior,
        cell=cell,
        group=np.asarray(group, dtype=np.int64),
        cell_of_group=codes // width,
        draws=resample_counts(int(cell.max()) + 1),
    )


def cell_sums(
    held: HeldBack,
    probabilities: npt.NDArray[np.float64],
    choice: npt.NDArray[np.int8],
    trades: Trades | None,
) -> Sums:
    """Return the sums that every metric is a function of, by name, each of shape (cells, ...)."""
    cells, label = held.n_cells, held.label

    def summed(values: npt.NDArray[Any] | None, cell: npt.NDArray[np.int64]) -> Any:
        return np.bincount(cell, values, cells).astype(np.float64)

    pair = (held.cell * 3 + label) * 3 + choice
    bins, gap = metrics.calibration_terms(probabilities, label)
    width = metrics.CALIBRATION_BINS
    gaps = np.bincount(held.cell * width + bins, gap, cells * width).astype(np.float64)
    direction, outcome = metrics.direction_score(probabilities), held.rows.forward_return
    correlation = metrics.group_rank_correlations(direction, outcome, held.group)
    found = ~np.isnan(correlation)
    centre = 0.5 * (len(label) + 1)
    left, right = average_ranks(direction) - centre, average_ranks(outcome) - centre
    prior = np.broadcast_to(held.prior, probabilities.shape)
    sums: Sums = {
        "rows": summed(None, held.cell),
        "confusion": np.bincount(pair, minlength=9 * cells).reshape(cells, 9).astype(np.float64),
        "log_loss": summed(metrics.log_loss_terms(probabilities, label), held.cell),
        "prior_log_loss": summed(metrics.log_loss_terms(prior, label), held.cell),
        "brier": summed(metrics.brier_terms(probabilities, label), held.cell),
        "gap": gaps.reshape(cells, width),
        "correlation": summed(correlation[found], held.cell_of_group[found]),
        "correlations": summed(None, held.cell_of_group[found]),
        "ranks": np.column_stack(
            [
                summed(values, held.cell)
                for values in (left, right, left * left, right * right, left * right)
            ]
        ),
    }
    if trades is not None:
        cell = held.cell[trades.row]
        sums["trades"] = summed(None, cell)
        sums["gross"] = summed(trades.gross, cell)
        sums["net"] = summed(trades.net, cell)
    return sums


def statistics(sums: Sums) -> dict[str, npt.NDArray[np.float64]]:
    """Return the metrics of each draw from its sums, arrays of shape (draws,) by name.

    A mean over nothing (a draw without a trade or a rank correlation) is NaN.
    """
    rows = sums["rows"]
    result = metrics.rates(sums["confusion"].reshape(-1, 3, 3))
    result["log_loss"] = sums["log_loss"] / rows
    result["log_loss_skill"] = (sums["prior_log_loss"] - sums["log_loss"]) / rows
    result["brier"] = sums["brier"] / rows
    result["ece"] = np.abs(sums["gap"]).sum(axis=1) / rows
    result["ic"] = _ratio(sums["correlation"], sums["correlations"])
    result["ic_pooled"] = _pooled_correlation(sums["ranks"], rows)
    if "trades" in sums:
        result["net_return_bp"] = 1e4 * _ratio(sums["net"], sums["trades"])
        # A share of the price and side, as TRANSACTION_COST_PCT is.
        result["break_even_cost_bp"] = 0.5e4 * _ratio(sums["gross"], sums["trades"])
    return result


def _pooled_correlation(
    ranks: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Correlate the ranks that the rows have in the whole sample; 0 where one side is constant.

    On all rows this is Spearman's; in a draw the ranks stay those of the sample.
    """
    left, right = ranks[:, 0] / rows, ranks[:, 1] / rows
    # Variances of distinct ranks are at least of the order of 1 / rows.
    variance = np.maximum(ranks[:, 2] / rows - left**2, 0.0)
    variance *= np.maximum(ranks[:, 3] / rows - right**2, 0.0)
    covariance = ranks[:, 4] / rows - left * right
    moved = variance > 1e-9
    return np.where(moved, covariance / np.sqrt(np.where(moved, variance, 1.0)), 0.0)


def _ratio(
    numerator: npt.NDArray[np.float64], count: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return np.where(count > 0.0, numerator / np.where(count > 0.0, count, 1.0), np.nan)


def score(
    held: HeldBack,
    probabilities: npt.NDArray[np.float64],
    choice: npt.NDArray[np.int8],
    trades: Trades | None = None,
) -> dict[str, Any]:
    """Return all metrics of ``probabilities`` as plain finite values, with ``intervals``.

    Parameters
    ----------
    probabilities
        Shape (n, 3), float64.
    choice
        Class of the largest probability (ties are HOLD), shape (n,), int8.
    trades
        Trades of its decisions, or None for a baseline.
    """
    from sklearn.metrics import log_loss

    sums = cell_sums(held, probabilities, choice, trades)
    whole = {name: values.sum(axis=0, keepdims=True) for name, values in sums.items()}
    point = {name: float(values[0]) for name, values in statistics(whole).items()}
    direction = metrics.direction_score(probabilities)
    result: dict[str, Any] = {
        name: value if np.isfinite(value) else 0.0 for name, value in point.items()
    }
    result.update(metrics.classification_metrics(held.label, choice))
    result["log_loss"] = float(log_loss(held.label, probabilities, labels=[0, 1, 2]))
    result["auc"] = metrics.direction_auc(direction, held.rows.forward_return)
    result["ic_blocks"] = int(whole["correlations"][0])
    drawn = {name: held.draws @ values for name, values in sums.items()}
    result["intervals"] = {
        name: interval(values) for name, values in sorted(statistics(drawn).items())
    }
    return result
