"""Weights of training rows: labels that overlap, rows that are old, classes that are rare.

Labels that share their time share their news, so that a row counts for as much of its label as is
its own (Lopez de Prado, Advances in Financial Machine Learning, 2018, chapter 4). Concurrency is
counted by time and not by rows: where ticks come fast, more labels are open.

The total is kept: the weights of a fit add up to the sum of the uniqueness, which is the number of
labels that they are worth, and recency and class balance move weight between rows. A penalty on
leaf values (``lambda_l2``) is then one against that number, and not against the number of ticks.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError

__all__ = [
    "average_uniqueness",
    "class_factors",
    "recency_weights",
    "require_class_weights",
    "sample_weights",
]

# Of all weight, that a class must have: LightGBM keeps weights as float32, and what balances a
# lesser one would make its few rows all that counts.
LEAST_CLASS_SHARE = 1e-6


def average_uniqueness(
    timestamp: npt.NDArray[np.int64],
    label_end: npt.NDArray[np.int64],
    symbol: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return each label's mean over its own time of 1 / the labels open at that time.

    A label is open from its time stamp until just before its end. One that ends where it begins
    gets 1 over the labels that hold that moment: those open then, and all such ones. A million
    rows in time order take .15 to .2 s, most of it sorting; so does a compiled sweep.

    Parameters
    ----------
    timestamp, label_end
        Shape (n,), int64 nanoseconds, in any order: resolved rows only.
    symbol
        Shape (n,), int64: labels of different symbols do not compete.

    Returns
    -------
    Shape (n,), float64, in (0, 1].

    Raises
    ------
    DataError
        Shapes differ, or a label ends before it begins.
    """
    _check_shapes(timestamp, label_end=label_end, symbol=symbol)
    bad = np.flatnonzero(label_end < timestamp)
    if len(bad):
        raise DataError(
            f"the label of row {bad[0]} ends at {label_end[bad[0]]}, before its time stamp "
            f"{timestamp[bad[0]]}; leave out the rows whose label is not resolved"
        )
    rows = len(timestamp)
    times = np.concatenate((timestamp, label_end))
    symbols = np.concatenate((symbol, symbol))
    order = np.lexsort((times, symbols))
    times = times[order]
    # Just after each event. Between events of one moment no time passes, whatever their order.
    # While none is open, it does not matter what passes: no label lasts over that.
    open_labels = np.cumsum(np.where(order < rows, 1, -1))
    sharing = np.maximum(open_labels, 1)
    # Whole nanoseconds are added up as integers, which lose nothing over years of them.
    whole, rest = np.divmod(np.diff(times, append=times[-1:]), sharing)
    part = rest / sharing
    whole_until, part_until = np.empty(2 * rows, np.int64), np.empty(2 * rows)
    whole_until[order] = np.cumsum(whole) - whole
    part_until[order] = np.cumsum(part) - part
    share = (whole_until[rows:] - whole_until[:rows]) + (part_until[rows:] - part_until[:rows])
    length = label_end - timestamp
    momentary = length == 0
    result = share / np.where(momentary, 1, length)
    if momentary.any():
        new = np.diff(times) != 0
        new |= np.diff(symbols[order]) != 0
        moment = np.empty(2 * rows, np.int64)
        moment[order] = np.concatenate(([0], np.cumsum(new)))
        last = np.flatnonzero(np.append(new, True))
        own = moment[:rows][momentary]
        holders = open_labels[last] + np.bincount(own, minlength=len(last))
        result[momentary] = 1.0 / holders[own]
    return np.asarray(result, dtype=np.float64)


def recency_weights(
    timestamp: npt.NDArray[np.int64], *, half_life_ns: float
) -> npt.NDArray[np.float64]:
    """Return weights that halve with every half-life before the newest row, of mean 1.

    Parameters
    ----------
    timestamp
        Shape (n,), int64 nanoseconds, in any order; the newest row is that of all symbols.
    half_life_ns
        Nanoseconds, above 0.

    Returns
    -------
    Shape (n,), float64; 0 for rows older than about a thousand half-lives.

    Raises
    ------
    DataError
        The half-life is not above 0.
    """
    if not (0.0 < half_life_ns < math.inf):
        raise DataError(f"half_life_ns is {half_life_ns}; give nanoseconds above 0")
    if len(timestamp) == 0:
        return np.empty(0)
    return _mean_one(np.exp2((timestamp - timestamp.max()) / half_life_ns))


def class_factors(
    weights: npt.NDArray[np.float64], label: npt.NDArray[np.int8]
) -> npt.NDArray[np.float64]:
    """Return by what each class is to be multiplied so that all that are there weigh the same.

    With equal weights that is n / (classes n_k). It is the weighted totals that are made equal: a
    model that learns nothing then says one and the same probability for every class. The total of
    all rows stays what it is.

    Parameters
    ----------
    weights
        Shape (n,), float64, finite, at least 0.
    label
        Shape (n,), int8: 0, 1, 2.

    Returns
    -------
    Shape (3,), float64; 0 for a class that is not there.

    Raises
    ------
    DataError
        Shapes differ, a weight or a label is not allowed, or all weights of a class are 0.
    """
    _check_weights(weights, label)
    there = np.bincount(label, minlength=3) > 0
    totals = np.bincount(label, weights, minlength=3)
    empty = np.flatnonzero(there & (totals <= 0.0))
    if len(empty):
        raise DataError(
            f"all rows of class {empty[0]} have the weight 0; "
            "take a longer half-life, or newer rows of that class"
        )
    share = totals.sum() / max(int(there.sum()), 1)
    return np.asarray(np.where(there, share / np.where(there, totals, 1.0), 0.0))


def require_class_weights(weights: npt.NDArray[np.float64], label: npt.NDArray[np.int8]) -> None:
    """Refuse weights under which a class that is there has less than a millionth of the total.

    Parameters
    ----------
    weights, label
        As in `class_factors`.

    Raises
    ------
    DataError
        As in `class_factors`, or a class has next to no weight.
    """
    _check_weights(weights, label)
    there = np.bincount(label, minlength=3) > 0
    totals = np.bincount(label, weights, minlength=3)
    faint = np.flatnonzero(there & ~(totals >= LEAST_CLASS_SHARE * totals.sum()))
    if len(faint):
        raise DataError(
            f"the rows of class {faint[0]} have {totals[faint[0]]:.3g} of a weight of "
            f"{totals.sum():.3g} in all, at least a millionth is needed; "
            "take a longer half-life, or newer rows of that class"
        )


def sample_weights(
    timestamp: npt.NDArray[np.int64],
    label_end: npt.NDArray[np.int64],
    symbol: npt.NDArray[np.int64],
    *,
    unique: bool = True,
    half_life_ns: float | None = None,
) -> npt.NDArray[np.float64]:
    """Return uniqueness times recency, scaled to the total of the uniqueness.

    Parameters
    ----------
    timestamp, label_end, symbol
        As in `average_uniqueness`.
    unique
        Weight labels by their average uniqueness; otherwise each counts 1.
    half_life_ns
        As in `recency_weights`; None weighs old and new rows alike.

    Returns
    -------
    Shape (n,), float64; they add up to the number of labels that the rows are worth, n where
    ``unique`` is False.

    Raises
    ------
    DataError
        As in the two functions.
    """
    _check_shapes(timestamp, label_end=label_end, symbol=symbol)
    weights = np.ones(len(timestamp))
    if unique:
        weights = average_uniqueness(timestamp, label_end, symbol)
    if half_life_ns is not None and len(weights):
        total = weights.sum()
        weights = weights * recency_weights(timestamp, half_life_ns=half_life_ns)
        weights *= total / weights.sum()
    return weights


def _mean_one(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return weights / weights.mean() if len(weights) else weights


def _check_shapes(first: npt.NDArray[np.generic], **others: npt.NDArray[np.generic]) -> None:
    for name, values in others.items():
        if first.ndim != 1 or values.shape != first.shape:
            raise DataError(
                f"{name} has shape {values.shape} beside {first.shape}; "
                "give one value for each row in all of them"
            )


def _check_weights(weights: npt.NDArray[np.float64], label: npt.NDArray[np.int8]) -> None:
    _check_shapes(weights, label=label)
    _check_labels(label)
    bad = np.flatnonzero(~((0.0 <= weights) & (weights < np.inf)))
    if len(bad):
        raise DataError(
            f"the weight of row {bad[0]} is {weights[bad[0]]}; it must be finite, at least 0"
        )


def _check_labels(label: npt.NDArray[np.int8]) -> None:
    bad = np.flatnonzero((label < 0) | (label > 2))
    if len(bad):
        raise DataError(f"the class of row {bad[0]} is {label[bad[0]]}; it must be 0, 1 or 2")
