"""The simple models that a model has to beat, fitted on the training part, kept as plain numbers.

``class_prior`` always says the training part's class shares. ``last_label`` says what used to
follow the latest label that was known by then. ``logistic`` is a logistic regression on
imbalance, order flow and past return. The latter two are tempered on the validation part, as the
model is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.training.calibration import fit_temperature
from alphaseeker.training.target import UNRESOLVED

__all__ = [
    "fit_last_label",
    "fit_logistic",
    "last_label_probabilities",
    "last_resolved_label",
    "logistic_columns",
    "logistic_probabilities",
    "prior_probabilities",
    "temper_last_label",
    "temper_logistic",
]

# Signal and preferred window: where that window is missing, the nearest one (by ratio) serves.
LOGISTIC_SIGNALS = (("book.imbalance", None), ("flow.ofi", 60), ("momentum.return", 60))

CLIPPED_QUANTILES = (0.005, 0.995)


@kernel
def _last_resolved(
    timestamp: npt.NDArray[np.int64],
    segment: npt.NDArray[np.int64],
    end: npt.NDArray[np.int64],
    by_end: npt.NDArray[np.int64],
    latest: npt.NDArray[np.int64],
) -> None:
    """Write for each row the latest row whose label ended before it, -1 where there is none."""
    k = 0
    found = -1
    for i in range(len(timestamp)):
        if i == 0 or segment[i] != segment[i - 1]:
            found = -1
            while k < len(by_end) and segment[by_end[k]] < segment[i]:
                k += 1
        while (
            k < len(by_end) and segment[by_end[k]] == segment[i] and end[by_end[k]] < timestamp[i]
        ):
            found = max(found, by_end[k])
            k += 1
        latest[i] = found


def last_resolved_label(
    timestamp: npt.NDArray[np.int64],
    segment: npt.NDArray[np.int64],
    end: npt.NDArray[np.int64],
    label: npt.NDArray[np.int8],
) -> npt.NDArray[np.int8]:
    """Return, for each row, the label of the latest row whose label had ended by then.

    "By then" is strictly before the row's time: at the very same instant a further tick of the
    label's end may still arrive.

    Parameters
    ----------
    timestamp, segment, end
        Shape (n,), int64, of **all** rows; segments rise; ``end`` is -1 where unresolved.
    label
        Shape (n,), int8.

    Returns
    -------
    Shape (n,), int8; -1 where nothing has been resolved yet in the segment.
    """
    resolved = np.flatnonzero(label != UNRESOLVED)
    by_end = resolved[np.lexsort((end[resolved], segment[resolved]))]
    latest = np.empty(len(timestamp), dtype=np.int64)
    _last_resolved(timestamp, segment, end, by_end, latest)
    return np.where(latest >= 0, label[latest], UNRESOLVED).astype(np.int8)


def prior_probabilities(prior: Sequence[float], rows: int) -> npt.NDArray[np.float64]:
    """Return the class shares of the training part for every row, shape (rows, 3)."""
    return np.tile(np.asarray(prior, dtype=np.float64), (rows, 1))


def fit_last_label(
    last: npt.NDArray[np.int8], label: npt.NDArray[np.int8], prior: Sequence[float]
) -> list[list[float]]:
    """Return the transition table: class probabilities after SELL, HOLD, BUY and after none.

    Each row starts from the prior with the weight of one observation.

    Returns
    -------
    4 x 3 probabilities.
    """
    shares = np.asarray(prior, dtype=np.float64)
    known = last != UNRESOLVED
    counts = np.zeros((4, 3))
    np.add.at(counts, (last[known], label[known]), 1.0)
    table = (counts + shares) / (counts.sum(axis=1, keepdims=True) + 1.0)
    return [[float(value) for value in row] for row in table]


def last_label_probabilities(
    last: npt.NDArray[np.int8], table: Sequence[Sequence[float]]
) -> npt.NDArray[np.float64]:
    """Return the table's row for each last label, shape (n, 3); -1 takes the table's last row."""
    return np.asarray(table, dtype=np.float64)[last]


def logistic_columns(names: Sequence[str]) -> list[str]:
    """Return those of imbalance, order flow and past return that ``names`` offers."""
    found = []
    for signal, window in LOGISTIC_SIGNALS:
        if window is None:
            found += [name for name in names if name == signal]
            continue
        pattern = re.compile(rf"{re.escape(signal)}_(\d+)s")
        windows = {int(m.group(1)): m.string for m in map(pattern.fullmatch, names) if m}
        if windows:
            found.append(windows[min(windows, key=lambda w: abs(math.log(w / window)))])
    return found


def fit_logistic(
    matrix: npt.NDArray[np.float32], names: Sequence[str], label: npt.NDArray[np.int8]
) -> dict[str, Any]:
    """Fit the multinomial logistic regression and return it as plain numbers.

    Order flow has heavy tails, and a score that is linear in it says anything at all there: every
    column is clipped to its 0.5 % and 99.5 % quantiles of the training rows.

    Parameters
    ----------
    matrix
        Columns ``names`` of the training rows, shape (n, c); NaN takes the training median.
    label
        Shape (n,), all three classes.
    """
    from sklearn.linear_model import LogisticRegression

    values = matrix.astype(np.float64)
    finite = [column[np.isfinite(column)] for column in values.T]
    median = np.array([np.median(column) if len(column) else 0.0 for column in finite])
    values = np.where(np.isfinite(values), values, median)
    low, high = np.quantile(values, CLIPPED_QUANTILES, axis=0)
    values = np.clip(values, low, high)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale == 0.0] = 1.0
    model = LogisticRegression(max_iter=1000).fit((values - mean) / scale, label)
    return {
        "features": list(names),
        "median": median.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "coefficients": model.coef_.tolist(),
        "intercept": model.intercept_.tolist(),
    }


def logistic_probabilities(
    matrix: npt.NDArray[np.float32], fitted: Mapping[str, Any]
) -> npt.NDArray[np.float64]:
    """Return the probabilities of a fitted logistic regression, shape (n, 3)."""
    values = np.where(np.isfinite(matrix), matrix, np.asarray(fitted["median"]))
    values = np.clip(values, np.asarray(fitted["low"]), np.asarray(fitted["high"]))
    values = (values - np.asarray(fitted["mean"])) / np.asarray(fitted["scale"])
    scores = values @ np.asarray(fitted["coefficients"]).T + np.asarray(fitted["intercept"])
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def temper_logistic(
    fitted: Mapping[str, Any],
    validation: tuple[npt.NDArray[np.float32], npt.NDArray[np.int8]],
    prior: Sequence[float],
    weights: npt.NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Return the logistic regression with the temperature of the validation part worked in.

    A baseline gets the calibration that the model gets, or beating it would say nothing.

    Parameters
    ----------
    validation
        Columns ``fitted["features"]``, shape (n, c), and labels, shape (n,).
    prior
        Class shares of the training part.
    weights
        What the validation rows are worth, as in `fit_temperature`.
    """
    matrix, label = validation
    found = logistic_probabilities(matrix, fitted)
    scores = np.log(np.maximum(found, np.finfo(np.float64).tiny))
    log_prior = np.log(np.asarray(prior, dtype=np.float64))
    temperature, bias = fit_temperature(
        scores, label, prior=prior, uninformed=log_prior, weights=weights
    )
    return {
        **fitted,
        "coefficients": (np.asarray(fitted["coefficients"]) / temperature).tolist(),
        "intercept": (np.asarray(fitted["intercept"]) / temperature + bias).tolist(),
    }


def temper_last_label(
    table: Sequence[Sequence[float]],
    validation: tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]],
    prior: Sequence[float],
    weights: npt.NDArray[np.float64] | None = None,
) -> list[list[float]]:
    """Return the transition table, drawn towards the prior as the validation part asks for.

    Parameters
    ----------
    validation
        Last known labels and labels, each of shape (n,).
    prior
        Class shares of the training part.
    weights
        What the validation rows are worth, as in `fit_temperature`.
    """
    last, label = validation
    scores = np.log(np.asarray(table, dtype=np.float64))
    log_prior = np.log(np.asarray(prior, dtype=np.float64))
    temperature, bias = fit_temperature(
        scores[last], label, prior=prior, uninformed=log_prior, weights=weights
    )
    tempered = np.exp(scores / temperature + bias)
    return [[float(v) for v in row] for row in tempered / tempered.sum(axis=1, keepdims=True)]
