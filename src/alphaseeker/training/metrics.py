"""Metrics of class probabilities: scikit-learn's where it has them, ours where it has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.information import pearson
from alphaseeker.factors.ranks import average_ranks
from alphaseeker.training.target import BUY, CLASS_NAMES, HOLD, SELL

__all__ = [
    "CALIBRATION_BINS",
    "brier_terms",
    "calibration_curve",
    "classification_metrics",
    "direction_auc",
    "direction_score",
    "directional_accuracy",
    "expected_calibration_error",
    "log_loss_terms",
    "rates",
    "signed_ranks",
    "symbol_rank_correlation",
    "symbol_ranks",
]

CALIBRATION_BINS = 15

LABELS = (0, 1, 2)


def log_loss_terms(
    probabilities: npt.NDArray[np.float64], label: npt.NDArray[np.int8]
) -> npt.NDArray[np.float64]:
    """Return -ln of the probability that each row gave to what happened, in nats, shape (n,)."""
    own = probabilities[np.arange(len(label)), label]
    return np.asarray(-np.log(np.clip(own, np.finfo(np.float64).eps, 1.0)))


def brier_terms(
    probabilities: npt.NDArray[np.float64], label: npt.NDArray[np.int8]
) -> npt.NDArray[np.float64]:
    """Return each row's squared distance to the outcome, summed over classes (Brier 1950)."""
    happened = np.eye(3)[label]
    return np.asarray(((probabilities - happened) ** 2).sum(axis=1))


def expected_calibration_error(
    probabilities: npt.NDArray[np.float64], label: npt.NDArray[np.int8]
) -> float:
    """Return the mean gap of confidence and hit rate over 15 equal bins (Guo et al. 2017).

    It comes without a bootstrap interval: a mean of absolute values is larger in every draw than
    in the whole.
    """
    top = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(label)), top]
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gap = confidence - (top == label)
    return float(np.abs(np.bincount(bins, gap, CALIBRATION_BINS)).sum() / len(label))


def calibration_curve(
    probabilities: npt.NDArray[np.float64], label: npt.NDArray[np.int8]
) -> dict[str, list[dict[str, Any]]]:
    """Return, for each class, how often it came where its probability lay in a bin.

    Returns
    -------
    dict
        By SELL, HOLD and BUY the bins with any row, of 15 equal ones: ``low``, ``high``,
        ``mean_predicted``, ``observed`` (share of the rows of that class) and ``count``.
    """
    curve = {}
    edges = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)
    for number, name in enumerate(CLASS_NAMES):
        own = probabilities[:, number]
        bins = np.minimum((own * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
        count = np.bincount(bins, minlength=CALIBRATION_BINS)
        predicted = np.bincount(bins, own, CALIBRATION_BINS)
        observed = np.bincount(bins, label == number, CALIBRATION_BINS)
        curve[name] = [
            {
                "low": float(edges[place]),
                "high": float(edges[place + 1]),
                "mean_predicted": float(predicted[place] / count[place]),
                "observed": float(observed[place] / count[place]),
                "count": int(count[place]),
            }
            for place in np.flatnonzero(count).tolist()
        ]
    return curve


def symbol_ranks(
    values: npt.NDArray[np.float64], symbol: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Rank the values within their symbol, from -1/2 to 1/2 around the middle rank.

    Parameters
    ----------
    values
        Shape (n,), finite.
    symbol
        Shape (n,), int64: rows of one symbol, over all its sessions, are ranked together.

    Returns
    -------
    Shape (n,), float64; equal values share the mean of their ranks.
    """
    ranks = np.empty(len(values))
    for one in np.unique(symbol):
        rows = symbol == one
        count = int(rows.sum())
        ranks[rows] = (average_ranks(values[rows]) - 0.5 * (count + 1)) / count
    return ranks


def signed_ranks(
    values: npt.NDArray[np.float64], symbol: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Rank the sizes of the values within their symbol, from 0 to 1, and give them their signs.

    Where values lie symmetrically about 0 these are, but for a factor of 2, the ranks around the
    middle one; they are measured from 0 instead of from what the sample has for its middle.

    Returns
    -------
    Shape (n,), float64; 0 for a value of 0.
    """
    sizes = np.abs(values)
    ranks = np.empty(len(values))
    for one in np.unique(symbol):
        rows = symbol == one
        ranks[rows] = average_ranks(sizes[rows]) / int(rows.sum())
    return np.asarray(np.sign(values) * ranks)


def symbol_rank_correlation(
    values: npt.NDArray[np.float64],
    outcome: npt.NDArray[np.float64],
    symbol: npt.NDArray[np.int64],
) -> float:
    """Return Spearman's rank correlation of all rows, ranks taken within each symbol.

    It is the measure for columns, which have no zero of their own. Never by short blocks of time:
    taking a block's own mean off a random walk makes past and future returns look opposed
    (Stambaugh 1999). On random walks of 12,000 s a past 60 s return had -.23 against the next
    60 s by blocks of 300 s and -.003 by this.

    Returns
    -------
    In [-1, 1]; 0 where one side never varies.
    """
    correlation = pearson(symbol_ranks(values, symbol), symbol_ranks(outcome, symbol))
    return 0.0 if np.isnan(correlation) else correlation


def direction_auc(score: npt.NDArray[np.float64], outcome: npt.NDArray[np.float64]) -> float:
    """Return the area under the ROC curve of up against down; 0.5 where one is absent."""
    from sklearn.metrics import roc_auc_score

    moved = outcome != 0.0
    up = outcome[moved] > 0.0
    if len(up) == 0 or up.all() or not up.any():
        return 0.5
    return float(roc_auc_score(up, score[moved]))


def directional_accuracy(score: npt.NDArray[np.float64], label: npt.NDArray[np.int8]) -> float:
    """Return the share of BUY and SELL rows whose side the sign of ``score`` tells.

    A score of 0 tells nothing and counts half; 0.5 where no row has a side. At a correlation of
    .1 between score and return (both normal) and tercile labels .5437 is the best there is.

    Parameters
    ----------
    score
        p_buy - p_sell, shape (n,).
    label
        Shape (n,): 0 SELL, 1 HOLD, 2 BUY.
    """
    side = label.astype(np.float64) - HOLD
    sided = side != 0.0
    if not sided.any():
        return 0.5
    return float(0.5 + 0.5 * (np.sign(score[sided]) * side[sided]).mean())


def classification_metrics(
    label: npt.NDArray[np.int8], choice: npt.NDArray[np.int8]
) -> dict[str, Any]:
    """Return accuracy, F1, precision, recall, MCC, confusion matrix and report, as plain values.

    The confusion matrix has one row per true class and one column per chosen one, in the order
    SELL, HOLD, BUY.
    """
    from sklearn import metrics

    varied = bool((label != label[0]).any() or (choice != label[0]).any())
    shared: dict[str, Any] = {"labels": LABELS, "zero_division": 0.0}
    report = metrics.classification_report(
        label, choice, target_names=CLASS_NAMES, output_dict=True, **shared
    )
    return {
        "accuracy": float(metrics.accuracy_score(label, choice)),
        "macro_f1": float(metrics.f1_score(label, choice, average="macro", **shared)),
        "weighted_f1": float(metrics.f1_score(label, choice, average="weighted", **shared)),
        "weighted_precision": float(
            metrics.precision_score(label, choice, average="weighted", **shared)
        ),
        "weighted_recall": float(metrics.recall_score(label, choice, average="weighted", **shared)),
        # scikit-learn warns where a single class is both true and chosen; there is nothing to find.
        "mcc": float(metrics.matthews_corrcoef(label, choice)) if varied else 0.0,
        "confusion_matrix": metrics.confusion_matrix(label, choice, labels=LABELS).tolist(),
        "classification_report": _plain_report(report),
    }


def _plain_report(report: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: float(number) for key, number in value.items()}
        if isinstance(value, dict)
        else float(value)
        for name, value in report.items()
    }


def rates(confusion: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the classification metrics of many confusion matrices at once.

    Parameters
    ----------
    confusion
        Shape (m, 3, 3), counts by true and chosen class. scikit-learn has no such form, and a
        bootstrap needs hundreds of them; on one matrix the two agree.

    Returns
    -------
    Arrays of shape (m,) by name.
    """
    total = confusion.sum(axis=(1, 2))
    hits = confusion[:, LABELS, LABELS]
    true, chosen = confusion.sum(axis=2), confusion.sum(axis=1)
    precision = hits / np.where(chosen > 0.0, chosen, 1.0)
    f1 = 2.0 * hits / np.where(true + chosen > 0.0, true + chosen, 1.0)
    share = true / total[:, None]
    covariance = hits.sum(axis=1) * total - (true * chosen).sum(axis=1)
    spread = (total**2 - (chosen**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
    accuracy = hits.sum(axis=1) / total
    return {
        "accuracy": accuracy,
        "macro_f1": f1.mean(axis=1),
        "weighted_f1": (share * f1).sum(axis=1),
        "weighted_precision": (share * precision).sum(axis=1),
        "weighted_recall": accuracy,
        "mcc": np.where(spread > 0.0, covariance / np.sqrt(np.where(spread > 0.0, spread, 1)), 0),
    }


def direction_score(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return p_buy - p_sell, shape (n,): the one number that is correlated with the return."""
    return np.asarray(probabilities[:, BUY] - probabilities[:, SELL])
