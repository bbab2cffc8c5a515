"""From raw scores to calibrated probabilities and one decision, as kernels.

Classes stand in the order SELL, HOLD, BUY everywhere, so the signal is the index minus one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from enum import IntEnum
from reprlib import repr as shorten
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import allocate_record, kernel, part
from alphaseeker.errors import ModelError
from alphaseeker.model.adaptive import check_adaptation
from alphaseeker.model.isotonic import MAX_KNOTS, check_isotonic, isotonic_step, knot_arrays

__all__ = [
    "DECISION",
    "FILTER_REASONS",
    "N_CLASSES",
    "Choice",
    "allocate_decision",
    "check_calibration",
    "choices_of",
    "decide",
    "decision_step",
    "probabilities_of",
    "probability_step",
]

N_CLASSES = 3

DECISION = np.dtype(
    [
        ("temperature", np.float64),  # scores are divided by it: above 1 it softens
        ("bias", np.float64, (N_CLASSES,)),  # added to the softened score of each class
        ("min_confidence", np.float64),  # a BUY or SELL less probable than this is a HOLD
        # Isotonic knots: class k has those from knot_offsets[k] to [k + 1]; [3] is 0 without any.
        ("knot_offsets", np.int64, (N_CLASSES + 1,)),
        ("knot_positions", np.float64, (N_CLASSES * MAX_KNOTS,)),
        ("knot_values", np.float64, (N_CLASSES * MAX_KNOTS,)),
    ]
)


class Choice(IntEnum):
    """What ``decision_step`` returns: a class index, or the reason why it is a HOLD."""

    SELL = 0
    HOLD = 1
    BUY = 2
    LOW_CONFIDENCE = 3
    BAD_SCORES = 4


FILTER_REASONS: dict[Choice, str] = {
    Choice.LOW_CONFIDENCE: "low_confidence",
    Choice.BAD_SCORES: "bad_scores",
}
"""Choices that mean HOLD, and the ``filter_reason`` a signal gives for them."""

_SELL, _HOLD, _BUY = int(Choice.SELL), int(Choice.HOLD), int(Choice.BUY)
_LOW_CONFIDENCE, _BAD_SCORES = int(Choice.LOW_CONFIDENCE), int(Choice.BAD_SCORES)


@part
def probability_step(
    decision: Any, scores: npt.NDArray[np.float64], probabilities: npt.NDArray[np.float64]
) -> bool:
    """Write softmax(scores / temperature + bias) and return whether the scores were finite.

    Where ``knot_offsets[3]`` is above 0 the caller lets ``isotonic_step`` follow, which hands three
    NaN on and takes .1 µs. Asked in here, and not in the caller's own loop, it costs a model
    without knots 9 ns a row; there, 1 ns.

    Parameters
    ----------
    decision
        Record of dtype ``DECISION``.
    scores
        Shape (3,), raw scores.
    probabilities
        Shape (3,), output. They sum to 1; after a NaN or infinite score, or a temperature that is
        not above 0, all three are NaN.

    Notes
    -----
    The largest score is subtracted before the division, so that a constant added to all scores
    changes nothing and scores of ±1e308 neither overflow nor divide by zero. Temperature scaling:
    Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    sell, hold, buy = float(scores[0]), float(scores[1]), float(scores[2])
    temperature = float(decision.temperature)
    finite = math.isfinite(sell) and math.isfinite(hold) and math.isfinite(buy)
    if not (finite and temperature > 0.0):
        probabilities[0] = np.nan
        probabilities[1] = np.nan
        probabilities[2] = np.nan
        return False
    largest = max(sell, hold, buy)
    sell = (sell - largest) / temperature + float(decision.bias[0])
    hold = (hold - largest) / temperature + float(decision.bias[1])
    buy = (buy - largest) / temperature + float(decision.bias[2])
    largest = max(sell, hold, buy)
    sell = math.exp(sell - largest)
    hold = math.exp(hold - largest)
    buy = math.exp(buy - largest)
    total = sell + hold + buy
    probabilities[0] = sell / total
    probabilities[1] = hold / total
    probabilities[2] = buy / total
    return True


@part
def decision_step(decision: Any, probabilities: npt.NDArray[np.float64]) -> int:
    """Return the ``Choice`` for three probabilities.

    BUY or SELL must be strictly more probable than both others (a tie is a HOLD) and at least
    ``min_confidence``. Probabilities that are not finite give ``BAD_SCORES``.
    """
    sell, hold, buy = probabilities[0], probabilities[1], probabilities[2]
    if not math.isfinite(sell + hold + buy):
        return _BAD_SCORES
    if buy > hold and buy > sell:
        return _BUY if buy >= decision.min_confidence else _LOW_CONFIDENCE
    if sell > hold and sell > buy:
        return _SELL if sell >= decision.min_confidence else _LOW_CONFIDENCE
    return _HOLD


@kernel
def _decision_loop(
    record: npt.NDArray[Any],
    scores: npt.NDArray[np.float64],
    probabilities: npt.NDArray[np.float64],
    choices: npt.NDArray[np.int8],
) -> None:
    decision = record[0]
    for row in range(scores.shape[0]):
        probability_step(decision, scores[row], probabilities[row])
        if decision.knot_offsets[3] > 0:
            isotonic_step(
                decision.knot_offsets,
                decision.knot_positions,
                decision.knot_values,
                probabilities[row],
            )
        choices[row] = decision_step(decision, probabilities[row])


@kernel
def _choice_loop(
    record: npt.NDArray[Any],
    probabilities: npt.NDArray[np.float64],
    choices: npt.NDArray[np.int8],
) -> None:
    for row in range(probabilities.shape[0]):
        choices[row] = decision_step(record[0], probabilities[row])


def allocate_decision(calibration: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Return a one-element array of dtype ``DECISION`` for a model's calibration.

    Parameters
    ----------
    calibration
        ``temperature`` above 0, ``bias`` (three numbers), ``min_confidence`` in [0, 1],
        ``isotonic`` (knots as in ``model.isotonic``) and ``adaptive`` (``model.adaptive``, which
        has a record of its own). The last two are None where they are absent.

    Raises
    ------
    ModelError
        A key is missing or its value is not allowed.
    """
    check_calibration(calibration)
    record = allocate_record(DECISION)
    record["temperature"] = calibration["temperature"]
    record["bias"] = calibration["bias"]
    record["min_confidence"] = calibration["min_confidence"]
    if calibration.get("isotonic") is not None:
        offsets, positions, values = knot_arrays(calibration["isotonic"])
        record["knot_offsets"] = offsets
        record["knot_positions"][0, : len(positions)] = positions
        record["knot_values"][0, : len(values)] = values
    return record


def check_calibration(calibration: Mapping[str, Any]) -> None:
    """Raise ``ModelError`` unless ``calibration`` can be used (see ``allocate_decision``)."""

    def refuse(key: str, allowed: str) -> ModelError:
        return ModelError(
            f"calibration {key} is {shorten(calibration.get(key))}, it must be {allowed};"
            " train the model again"
        )

    def finite(value: Any) -> bool:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and -sys.float_info.max <= value <= sys.float_info.max

    temperature, bias = calibration.get("temperature"), calibration.get("bias")
    confidence = calibration.get("min_confidence")
    if not finite(temperature) or not 0.0 < float(temperature or 0.0):
        raise refuse("temperature", "a finite number above 0")
    if not isinstance(bias, (list, tuple)) or len(bias) != N_CLASSES or not all(map(finite, bias)):
        raise refuse("bias", f"{N_CLASSES} finite numbers")
    if not finite(confidence) or not 0.0 <= float(confidence or 0.0) <= 1.0:
        raise refuse("min_confidence", "a number from 0 to 1")
    if calibration.get("isotonic") is not None:
        check_isotonic(calibration["isotonic"])
    check_adaptation(calibration.get("adaptive"))


def decide(
    record: npt.NDArray[Any], scores: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Return probabilities, shape (n, 3), and ``Choice`` values, shape (n,), of raw scores.

    Parameters
    ----------
    record
        From ``allocate_decision``.
    scores
        Shape (n, 3), float64.
    """
    probabilities = np.empty(scores.shape, dtype=np.float64)
    choices = np.empty(scores.shape[0], dtype=np.int8)
    _decision_loop(record, scores, probabilities, choices)
    return probabilities, choices


def choices_of(
    record: npt.NDArray[Any], probabilities: npt.NDArray[np.float64]
) -> npt.NDArray[np.int8]:
    """Return the ``Choice`` values, shape (n,), of calibrated probabilities, shape (n, 3)."""
    choices = np.empty(len(probabilities), dtype=np.int8)
    _choice_loop(record, probabilities, choices)
    return choices


def probabilities_of(
    record: npt.NDArray[Any], scores: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the calibrated probabilities, shape (n, 3), of raw scores, shape (n, 3)."""
    return decide(record, scores)[0]
