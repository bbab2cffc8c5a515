"""Calibration on the validation part, as plain numbers: temperature, bias, smallest confidence.

The probabilities are softmax(score / temperature + bias). Scores are measured from s0, where a
model that has learnt nothing stands: log q, q the class shares that it saw (a third each under
balanced class weights). The temperature scales what was learnt beyond that, and the training
part's own prior is put in its place,

    score / T + bias = (score - s0) / T + log prior,    bias = log prior - s0 / T,

so that class weights are undone whatever the temperature, and T without bound gives the prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.config import ModelConfig
from alphaseeker.training.dataset import Rows
from alphaseeker.training.target import HOLD
from alphaseeker.training.trades import simulate_trades

__all__ = [
    "MIN_DECISIONS",
    "ConfidenceChoice",
    "choose_confidence",
    "fit_temperature",
    "uninformed_scores",
]

# Bounds of the temperature. Below 1 scores would be trusted more than the fit did, on the word of
# a short stretch of overlapping labels: on minute bars of several symbols, classes of 60 s, T fell
# to .75 and the log-loss skill out of sample from -.39 to -.64 nats. At the upper bound a score of
# 10 moves a log-odds by .01: a model whose scores say nothing on the validation part is all but
# silenced, and still ranks.
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 1.0, 1000.0

# A threshold is judged by at least this many trades.
MIN_DECISIONS = 20
CANDIDATES = 50


def uninformed_scores(prior: Sequence[float], config: ModelConfig) -> npt.NDArray[np.float64]:
    """Return the raw scores of a model that has learnt nothing but its class shares, shape (3,).

    Those are log q for one softmax and log q / (1 - q) for three classifiers of one against all.
    """
    shares = np.asarray(prior, dtype=np.float64)
    if config.class_weight is not None:
        shares = np.full(3, 1.0 / 3.0)
    if config.objective == "multiclassova":
        return np.asarray(np.log(shares / (1.0 - shares)))
    return np.asarray(np.log(shares))


def fit_temperature(
    scores: npt.NDArray[np.float64],
    label: npt.NDArray[np.int8],
    *,
    prior: Sequence[float],
    uninformed: npt.NDArray[np.float64],
) -> tuple[float, list[float]]:
    """Return (temperature, bias) with the least log loss on the validation part, T from 1 up.

    The loss is convex in 1 / T, so the bounded search finds the one minimum (Guo et al. 2017).

    Parameters
    ----------
    scores
        Raw scores of the validation rows, shape (n, 3).
    label
        Their classes, shape (n,).
    prior
        Class shares of the training part.
    uninformed
        From ``uninformed_scores``.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    log_prior = np.log(np.asarray(prior, dtype=np.float64))
    learnt = scores - uninformed
    rows = np.arange(len(label))

    def loss(sharpness: float) -> float:
        own = log_softmax(sharpness * learnt + log_prior, axis=1)[rows, label]
        return -float(own.mean())

    found = minimize_scalar(
        loss,
        bounds=(1.0 / HIGHEST_TEMPERATURE, 1.0 / LOWEST_TEMPERATURE),
        method="bounded",
        options={"xatol": 1e-6},
    )
    # The search never reaches its bounds; the fit's own sharpness is one of them.
    sharpness = 1.0 / LOWEST_TEMPERATURE
    if loss(sharpness) > float(found.fun):
        sharpness = float(found.x)
    temperature = 1.0 / sharpness
    bias = log_prior - uninformed / temperature
    return temperature, [float(value) for value in bias]


@dataclass(frozen=True, kw_only=True)
class ConfidenceChoice:
    """The smallest confidence of a trade, and what it gave on the validation part.

    Attributes
    ----------
    min_confidence
        Share in [0, 1].
    trades, net_return_bp
        Non-overlapping trades on the validation part and their mean net return; where none earns
        its costs, those of the candidate that loses least.
    warning
        A sentence where no threshold earned its costs, or trades were too few; else None.
    """

    min_confidence: float
    trades: int
    net_return_bp: float
    warning: str | None


def choose_confidence(
    probabilities: npt.NDArray[np.float64],
    choices: npt.NDArray[np.int8],
    rows: Rows,
    *,
    transaction_cost: float,
) -> ConfidenceChoice:
    """Return the threshold with the largest total net return on the validation part.

    Candidates are 0 and quantiles of the confidence of all directional choices; those with fewer
    than 20 non-overlapping trades are not judged. Where none earns its costs it is 1, which no
    choice reaches, and a warning says so. Where none has 20 trades it is 0, with a warning: nothing
    was learnt either way.

    Parameters
    ----------
    probabilities, choices
        Of the validation rows, shapes (n, 3) and (n,), without any threshold.
    rows
        The validation rows.
    transaction_cost
        A side, as a share of the price.
    """
    confidence = probabilities[np.arange(len(choices)), choices]
    directional = confidence[choices != HOLD]
    candidates = [0.0]
    if len(directional):
        grid = np.quantile(directional, np.arange(1, CANDIDATES) / CANDIDATES, method="lower")
        candidates += np.unique(grid).tolist()
    best: ConfidenceChoice | None = None
    best_total = -np.inf
    most = 0
    for candidate in candidates:
        side = np.where(confidence >= candidate, choices - HOLD, 0).astype(np.int8)
        trades = simulate_trades(rows, side, transaction_cost=transaction_cost)
        most = max(most, len(trades))
        total = float(trades.net.sum())
        if len(trades) >= MIN_DECISIONS and total > best_total:
            best_total = total
            best = ConfidenceChoice(
                min_confidence=float(candidate),
                trades=len(trades),
                net_return_bp=1e4 * total / len(trades),
                warning=None,
            )
    if best is None:
        return ConfidenceChoice(
            min_confidence=0.0,
            trades=most,
            net_return_bp=0.0,
            warning=f"MIN_CONFIDENCE is 0: the validation part has at most {most} trades that do "
            f"not overlap, and a threshold is judged by {MIN_DECISIONS}",
        )
    if best_total > 0.0:
        return best
    return ConfidenceChoice(
        min_confidence=1.0,
        trades=best.trades,
        net_return_bp=best.net_return_bp,
        warning="no MIN_CONFIDENCE earns its costs on the validation part; the engine holds unless "
        f"MIN_CONFIDENCE is set ({best.min_confidence:.3f} loses least: "
        f"{best.net_return_bp:.2f} bp a trade over {best.trades} trades)",
    )
