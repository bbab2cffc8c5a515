"""Calibration on the validation part, as plain numbers: temperature, bias, isotonic knots.

The probabilities are softmax(score / temperature + bias). Scores are measured from s0, where a
model that has learnt nothing stands: log q, q the class shares that it saw (a third each under
balanced class weights). The temperature scales what was learnt beyond that, and the training
part's own prior is put in its place,

    score / T + bias = (score - s0) / T + log prior,    bias = log prior - s0 / T,

so that class weights are undone whatever the temperature, and T without bound gives the prior.
Last comes the smallest confidence of a trade, by what trades earned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.training.dataset import Rows
from alphaseeker.training.isotonic import fit_isotonic
from alphaseeker.training.target import HOLD
from alphaseeker.training.trades import simulate_trades

__all__ = [
    "MIN_DECISIONS",
    "ConfidenceChoice",
    "choose_confidence",
    "fit_calibration",
    "fit_temperature",
]

# Bounds of the temperature. Below 1 scores would be trusted more than the fit did, on the word of
# a short stretch of overlapping labels: on minute bars of several symbols, classes of 60 s, T fell
# to .75 and the log-loss skill out of sample from -.39 to -.64 nats. At the upper bound a score of
# 10 moves a log-odds by .01: a model whose scores say nothing on the validation part is all but
# silenced, and still ranks.
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 1.0, 1000.0

# Labels that are taken to have been seen before, on which the scores said nothing: see
# ``fit_temperature``.
NULL_LABELS = 30.0

# Of the isotonic fit: see ``fit_calibration``.
LEAST_STEP_LABELS = 50.0
TRUST_LABELS = 1000.0

# A threshold is judged by at least this many trades.
MIN_DECISIONS = 20
CANDIDATES = 50


def fit_calibration(
    scores: npt.NDArray[np.float64],
    label: npt.NDArray[np.int8],
    *,
    prior: Sequence[float],
    uninformed: npt.NDArray[np.float64],
    method: str,
    weights: npt.NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Return ``temperature``, ``bias`` and ``isotonic`` of the validation part.

    The temperature comes first. With the method "isotonic" each class's tempered probability is
    then bent to the share of rows in which the class happened (`fit_isotonic`), in steps of at
    least 50 labels, drawn towards what it was by 1,000 labels' worth of trust.

    Parameters
    ----------
    scores, label, prior, uninformed, weights
        As in `fit_temperature`.
    method
        "temperature", or "isotonic".

    Raises
    ------
    DataError
        Shapes differ, or weights are negative, not finite or all 0.

    Notes
    -----
    Three shares for every place of three curves are many things to learn from few labels. Measured
    as the mean log loss out of sample against the prior's, in 1e-4 nats, with independent labels;
    "pure" is without least step and trust:

    ==========================  =======  ============  =========  ======
    truth of a score             labels   temperature   isotonic    pure
    ==========================  =======  ============  =========  ======
    none                             20            21         17    1967
                                    100            15         13     871
                                  1,000             2         13     151
                                 10,000             0          5      21
                                100,000             0          1       5
    as said, but for a factor        20          -153       -142    1409
                                    100          -252       -243     508
                                  1,000          -286       -273    -120
                                 10,000          -289       -280    -255
                                100,000          -290       -287    -285
    no louder beyond a point         20          -274       -262    1169
                                    100          -391       -380     359
                                  1,000          -449       -449    -312
                                 10,000          -453       -462    -442
                                100,000          -454       -470    -469
    one class alone, above 0         20           -28        -30    1672
                                    100           -37        -48     598
                                  1,000           -59       -115      26
                                 10,000           -64       -153    -139
                                100,000           -65       -160    -156
    ==========================  =======  ============  =========  ======

    So it is for those who have some thousands of independent labels to validate on. On real
    captures of 220 to 2,461 labels it took .003 to .006 nats off skills of .03 to .08, and the pure
    one .026 to .18; on one of 5,253 labels, which no temperature fitted, it added .07 to .21.

    Each class is judged by itself, and the shares are then divided by their sum. Where only one
    class is off, the others are moved with it: for one such class and 20,000 labels the expected
    calibration error rose from .005 to .032, although the loss fell.
    """
    temperature, bias = fit_temperature(
        scores, label, prior=prior, uninformed=uninformed, weights=weights
    )
    knots = None
    if method == "isotonic":
        knots = fit_isotonic(
            np.exp(_log_softmax(scores / temperature + np.asarray(bias))),
            label,
            weights=weights,
            least_step=LEAST_STEP_LABELS,
            trust=TRUST_LABELS,
        )
    return {"temperature": temperature, "bias": bias, "isotonic": knots}


def fit_temperature(
    scores: npt.NDArray[np.float64],
    label: npt.NDArray[np.int8],
    *,
    prior: Sequence[float],
    uninformed: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64] | None = None,
) -> tuple[float, list[float]]:
    """Return (temperature, bias) with the least log loss on the validation part, T from 1 up.

    The loss is convex in 1 / T, so its slope has one root (Guo et al. 2017). To the labels that
    were seen come 30 that were not, of the prior's shares, with scores drawn from the same rows
    without regard to the class: a prior of 1 / T that pulls it towards 0, and the more so the
    louder the scores are.

    Parameters
    ----------
    scores
        Raw scores of the validation rows, shape (n, 3).
    label
        Their classes, shape (n,).
    prior
        Class shares of the training part.
    uninformed
        Raw scores of a model that has learnt nothing, shape (3,).
    weights
        Shape (n,), float64: what each row is worth. With the average uniqueness of its label their
        sum is the number of independent labels, which is what the 30 are weighed against. None
        takes every row for an independent label.

    Raises
    ------
    DataError
        Shapes differ, or weights are negative, not finite or all 0.

    Notes
    -----
    Mean log loss out of sample against the prior's, in 1e-4 nats (below 0 is better than saying the
    prior), without and with the 30 labels. Scores are a signal with as much noise beside it, or
    noise alone, by the factor "loud" sharper than they should be:

    ===================  ===========  ===========  ============  =============  =============
    scores                  5 labels           20           100          1,000         10,000
    ===================  ===========  ===========  ============  =============  =============
    noise, sd .3            120 / 14      80 / 23      16 / 9.9      2.3 / 2.2      0.2 / 0.2
    noise, sd 1             517 / 12     145 / 21       25 / 15      3.6 / 3.4      0.4 / 0.4
    signal of .002 nats   -11 / -8.8    -12 / -11     -13 / -12      -17 / -17      -20 / -20
    the same, loud 3       27 / -6.3    17 / -2.9    6.3 / -2.6      -14 / -15      -20 / -20
    signal of .014 nats    -88 / -52   -100 / -80   -122 / -114    -141 / -141    -143 / -143
    the same, loud 3        96 / -49     17 / -79    -91 / -103    -141 / -141    -143 / -143
    signal of .11 nats   -834 / -290  -956 / -629  -1050 / -987  -1074 / -1074  -1079 / -1079
    the same, loud 3     -100 / -287  -795 / -609  -1022 / -992  -1069 / -1069  -1073 / -1073
    ===================  ===========  ===========  ============  =============  =============

    With 20 instead of 30 what noise costs is up to twice as much at 5 to 20 labels; with 50 a
    strong signal keeps less of itself. On five real captures, of 3 to 5,253 labels, the 30 moved
    the skill out of sample by -.0007 to +.0010 nats.
    """
    from scipy.optimize import brentq

    worth = _worth(scores, label, weights)
    shares = np.asarray(prior, dtype=np.float64)
    log_prior = np.log(shares)
    # By class: sums over the three columns of a matrix take several times as long.
    learnt = np.ascontiguousarray((scores - uninformed).T)
    total = float(worth.sum())
    seen = total / (total + NULL_LABELS)
    worth = worth / total
    told = seen * learnt[label, np.arange(len(label))] + (1.0 - seen) * (shares @ learnt)

    def slope(sharpness: float) -> float:
        """Derivative of the loss by 1 / T: what the scores are expected at less what was told."""
        logs = sharpness * learnt + log_prior[:, np.newaxis]
        power = np.exp(logs - logs.max(axis=0))
        expected = (power * learnt).sum(axis=0) / power.sum(axis=0)
        return float(worth @ (expected - told))

    low, high = 1.0 / HIGHEST_TEMPERATURE, 1.0 / LOWEST_TEMPERATURE
    if slope(high) <= 0.0:
        sharpness = high
    elif slope(low) >= 0.0:
        sharpness = low
    else:
        sharpness = float(brentq(slope, low, high, xtol=1e-9))
    temperature = 1.0 / sharpness
    bias = log_prior - uninformed / temperature
    return temperature, [float(value) for value in bias]


def _log_softmax(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    from scipy.special import log_softmax

    return np.asarray(log_softmax(values, axis=1))


def _worth(
    scores: npt.NDArray[np.float64],
    label: npt.NDArray[np.int8],
    weights: npt.NDArray[np.float64] | None,
) -> npt.NDArray[np.float64]:
    """Return the weights of the rows, checked; 1 each where there are none."""
    worth = np.ones(len(label)) if weights is None else weights
    if len(label) == 0 or scores.shape != (len(label), 3) or worth.shape != label.shape:
        raise DataError(
            f"scores, label and weights have shapes {scores.shape}, {label.shape} and "
            f"{worth.shape}; give (n, 3), (n,) and (n,) with at least one row"
        )
    if not ((worth >= 0.0) & (worth < np.inf)).all() or not worth.any():
        raise DataError("weights must be finite, at least 0 and not all 0; give the uniqueness")
    return worth


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
