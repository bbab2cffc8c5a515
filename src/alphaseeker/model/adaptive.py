"""Calibration that follows what became of the predictions: a mixture of sharper and flatter ones.

What a model knew may go, and the shares of the classes may move. Ten forecasters stand beside each
other, made of the model's calibrated probabilities p and of the training part's class shares q:

    p_k ∝ share (p / q)^power,    power in 0, 1/4, 1/2, 1, 2;    share: q, or q as it is tracked.

Power 0 with q is the class prior, power 1 with q the model itself. The answer is their mean, by
weights that begin with ``stay`` on the model and an equal part of the rest on each other one. When
a label is known each weight is multiplied by the probability that its forecaster gave to it, and a
little of all flows back to where it began (``share``: Herbster and Warmuth, Tracking the Best
Expert, 1998). The log loss of such a mean exceeds that of any one forecaster by no more than ln of
one over its first weight, whatever happens (Vovk 1990): .01 nats in all where the model stays
right, 7 nats in all against the class prior where it is wrong, with the defaults.

The tracked shares follow HOLD alone: how often the price moves persists, and its side does not.
They are counts that fade by half in ``half_life`` labels, beside ``prior_labels`` of the training
part's shares.

A label that overlaps another says the same once more. Predictions are noted on a grid of an eighth
of the label's span, and each counts as much as time has passed since the one before, as a share of
the span. Nothing is known of a label before a tick later than its end; what is open when a segment
ends is settled if its end was seen, and lost otherwise. Weights and counts stay.

Which labels those are is known to the steps of ``adaptive_labels``, so that an evaluation, rows of
a file and live ticks go the same way and give the same bits.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from reprlib import repr as shorten
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import allocate_record, part
from alphaseeker.errors import ModelError

__all__ = [
    "ADAPTIVE",
    "BUY",
    "DEFAULT_ADAPTATION",
    "GRID",
    "POWERS",
    "allocate_adaptive",
    "check_adaptation",
    "HOLD",
    "NEVER",
    "OPEN",
    "PLACES",
    "SELL",
    "learn_step",
    "mix_step",
]

N_CLASSES = 3
SELL, HOLD, BUY = 0, 1, 2
NEVER = np.iinfo(np.int64).max
NANOSECONDS = 1_000_000_000
POWERS = (0.0, 0.25, 0.5, 1.0, 2.0)
FORECASTERS = 2 * len(POWERS)  # those of the fitted shares, then those of the tracked ones
MODEL = POWERS.index(1.0)
GRID = 8  # predictions noted in a label's span
PLACES = 16  # more than are ever open: those of a span, and the one at its end
OPEN = -1

DEFAULT_ADAPTATION: dict[str, float] = {
    "stay": 0.99,
    "share": 1e-4,
    "half_life": 200.0,
    "prior_labels": 30.0,
}
"""As a model file holds it. Measured in ``docs/validation.md``: none of them matters much."""

ADAPTIVE = np.dtype(
    [
        # of the model
        ("active", np.int64),
        ("horizon", np.int64),  # ns
        ("spacing", np.int64),  # ns between two predictions that are noted
        ("since", np.int64),  # first moment that the model was not fitted on
        ("by_close", np.int64),  # the label is of the last trade, not of the mid
        ("barriers", np.int64),
        ("coarse", np.int64),  # 1 for a grid whose horizon may pass between two samples
        ("threshold", np.float64),
        ("take_profit", np.float64),
        ("stop_loss", np.float64),
        ("stay", np.float64),
        ("share", np.float64),
        ("half_life", np.float64),
        ("prior_labels", np.float64),
        ("prior", np.float64, (N_CLASSES,)),
        ("inverse", np.float64, (N_CLASSES,)),  # 1 / prior
        # what was learnt
        ("learnt", np.int64),  # labels, however much each counted
        ("weights", np.float64, (FORECASTERS,)),
        ("held", np.float64),  # fading counts of labels: HOLD, and the others
        ("moved", np.float64),
        ("hold_share", np.float64),  # as tracked
        ("side_factor", np.float64),  # tracked share of a class by the fitted one: SELL and BUY
        ("hold_factor", np.float64),
        ("floor", np.float64, (N_CLASSES,)),  # what the forecasters of power 0 add to an answer
        # the last tick
        ("timestamp", np.int64),
        ("segment", np.int64),
        ("price", np.float64),
        ("given", np.float64, (N_CLASSES,)),  # what the model said to it
        # until when there is nothing to do
        ("due", np.int64),
        ("upper", np.float64),
        ("lower", np.float64),
        # predictions whose label is not yet known: number k stands at place k % PLACES
        ("first", np.int64),
        ("count", np.int64),
        ("next", np.int64),  # when the next one is noted
        ("noted", np.int64),  # when the last one was; -1: none in this segment
        ("ends", np.int64, (PLACES,)),
        ("labels", np.int64, (PLACES,)),  # of a barrier that was touched
        ("accepted", np.int64, (PLACES,)),
        ("prices", np.float64, (PLACES,)),
        ("uppers", np.float64, (PLACES,)),
        ("lowers", np.float64, (PLACES,)),
        ("worths", np.float64, (PLACES,)),
        ("hold_shares", np.float64, (PLACES,)),  # tracked, at the prediction
        ("said", np.float64, (PLACES, N_CLASSES)),  # by the model
    ]
)


@part
def _pair(
    adaptive: Any, place: int, sell: float, hold: float, buy: float
) -> tuple[float, float, float]:
    """Return what the two forecasters of a power add to the answer.

    Parameters
    ----------
    place
        Of the power.
    sell, hold, buy
        Share of the class times p / q to that power.
    """
    weights = adaptive.weights
    side, middle = adaptive.side_factor, adaptive.hold_factor
    fitted = sell + hold + buy
    moving = side * (sell + buy) + middle * hold
    inverse = 1.0 / (fitted * moving)  # one division for the two
    first = weights[place] * moving * inverse
    second = weights[place + len(POWERS)] * fitted * inverse
    sides = first + side * second
    return sides * sell, (first + middle * second) * hold, sides * buy


@part
def mix_step(adaptive: Any, probabilities: npt.NDArray[np.float64]) -> None:
    """Put the mean of the forecasters in the place of a model's calibrated probabilities.

    Until a first label was learnt they stay as they are.

    Parameters
    ----------
    adaptive
        Record of dtype ``ADAPTIVE``, active.
    probabilities
        Shape (3,), read and written; three NaN stay NaN.
    """
    given, prior = adaptive.given, adaptive.prior
    sell, hold, buy = probabilities[0], probabilities[1], probabilities[2]
    given[0], given[1], given[2] = sell, hold, buy
    if adaptive.learnt == 0:
        return
    # Powers of p / q by square roots and squares.
    r_sell = sell * adaptive.inverse[0]
    r_hold = hold * adaptive.inverse[1]
    r_buy = buy * adaptive.inverse[2]
    h_sell, h_hold, h_buy = math.sqrt(r_sell), math.sqrt(r_hold), math.sqrt(r_buy)
    q_sell, q_hold, q_buy = math.sqrt(h_sell), math.sqrt(h_hold), math.sqrt(h_buy)
    floor = adaptive.floor
    a = _pair(adaptive, 1, prior[0] * q_sell, prior[1] * q_hold, prior[2] * q_buy)
    b = _pair(adaptive, 2, prior[0] * h_sell, prior[1] * h_hold, prior[2] * h_buy)
    c = _pair(adaptive, 3, sell, hold, buy)
    d = _pair(adaptive, 4, sell * r_sell, hold * r_hold, buy * r_buy)
    probabilities[0] = floor[0] + ((a[0] + b[0]) + (c[0] + d[0]))
    probabilities[1] = floor[1] + ((a[1] + b[1]) + (c[1] + d[1]))
    probabilities[2] = floor[2] + ((a[2] + b[2]) + (c[2] + d[2]))


@part
def _judge(
    adaptive: Any,
    place: int,
    label: int,
    worth: float,
    moved: tuple[float, float],
    sell: float,
    hold: float,
    buy: float,
) -> None:
    """Multiply the weights of a power's two forecasters by what they gave to ``label``.

    ``moved`` holds the factors of the tracked shares at the prediction, of sides and HOLD.
    """
    weights = adaptive.weights
    own = hold if label == HOLD else sell if label == SELL else buy
    factor = moved[1] if label == HOLD else moved[0]
    fitted = sell + hold + buy
    moving = moved[0] * (sell + buy) + moved[1] * hold
    weights[place] *= math.exp(worth * math.log(own / fitted))
    weights[place + len(POWERS)] *= math.exp(worth * math.log(factor * own / moving))


@part
def learn_step(adaptive: Any, place: int, label: int) -> None:
    """Take in the label of the prediction that stands at ``place``."""
    prior, weights, inverse = adaptive.prior, adaptive.weights, adaptive.inverse
    said = adaptive.said[place]
    worth = adaptive.worths[place]
    share = adaptive.hold_shares[place]
    moved = ((1.0 - share) / (prior[SELL] + prior[BUY]), share * inverse[HOLD])
    sell, hold, buy = said[SELL], said[HOLD], said[BUY]
    r_sell, r_hold, r_buy = sell * inverse[SELL], hold * inverse[HOLD], buy * inverse[BUY]
    h_sell, h_hold, h_buy = math.sqrt(r_sell), math.sqrt(r_hold), math.sqrt(r_buy)
    q_sell, q_hold, q_buy = math.sqrt(h_sell), math.sqrt(h_hold), math.sqrt(h_buy)
    p_sell, p_hold, p_buy = prior[SELL], prior[HOLD], prior[BUY]
    _judge(adaptive, 0, label, worth, moved, p_sell, p_hold, p_buy)
    _judge(adaptive, 1, label, worth, moved, p_sell * q_sell, p_hold * q_hold, p_buy * q_buy)
    _judge(adaptive, 2, label, worth, moved, p_sell * h_sell, p_hold * h_hold, p_buy * h_buy)
    _judge(adaptive, 3, label, worth, moved, sell, hold, buy)
    _judge(adaptive, 4, label, worth, moved, sell * r_sell, hold * r_hold, buy * r_buy)
    total = 0.0
    for k in range(FORECASTERS):
        total += weights[k]
    flow = adaptive.share * worth
    other = (1.0 - adaptive.stay) / (FORECASTERS - 1)
    for k in range(FORECASTERS):
        begun = adaptive.stay if k == MODEL else other
        # Where none is left, all begin anew.
        kept = (1.0 - flow) * (weights[k] / total) if total > 0.0 else (1.0 - flow) * begun
        weights[k] = kept + flow * begun
    fading = 0.5 ** (worth / adaptive.half_life)
    adaptive.held *= fading
    adaptive.moved *= fading
    if label == HOLD:
        adaptive.held += worth
    else:
        adaptive.moved += worth
    labels = adaptive.prior_labels
    share = (adaptive.held + labels * prior[HOLD]) / (adaptive.held + adaptive.moved + labels)
    side = (1.0 - share) / (prior[SELL] + prior[BUY])
    adaptive.hold_share = share
    adaptive.side_factor = side
    adaptive.hold_factor = share * inverse[HOLD]
    fitted, moving = weights[0], weights[len(POWERS)]
    adaptive.floor[SELL] = (fitted + side * moving) * prior[SELL]
    adaptive.floor[HOLD] = fitted * prior[HOLD] + moving * share
    adaptive.floor[BUY] = (fitted + side * moving) * prior[BUY]
    adaptive.learnt += 1


def check_adaptation(settings: Any) -> None:
    """Raise ``ModelError`` unless ``settings`` is None or can be used (see the module)."""
    if settings is None:
        return
    endless = sys.float_info.max  # a number of a file may be too large for a float
    most = {"stay": 1.0, "share": 1.0, "half_life": endless, "prior_labels": endless}
    for name in DEFAULT_ADAPTATION:
        value = settings.get(name) if isinstance(settings, Mapping) else None
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0.0 < (value or 0.0) < most[name]:
            raise ModelError(
                f"calibration adaptive has {name} {shorten(value)}, it must be a number between "
                f"0 and {most[name]:g}; train the model again"
            )


def allocate_adaptive(
    settings: Mapping[str, Any] | None,
    *,
    prior: Any,
    target: Mapping[str, Any],
    coarse: bool = False,
    since: int = 0,
) -> npt.NDArray[Any]:
    """Return a fresh one-element array of dtype ``ADAPTIVE``; inactive where nothing can follow.

    Parameters
    ----------
    settings
        As ``DEFAULT_ADAPTATION``; None switches it off.
    prior
        Class shares of the training part, SELL, HOLD, BUY; where one is 0 it is off.
    target
        ``Target.to_dict()``; where it does not say what the label is, it is off.
    coarse
        The data are a grid whose horizon may pass between two samples.
    since
        First moment, in ns, that the model was not fitted on: nothing is noted before.

    Raises
    ------
    ModelError
        The settings cannot be used.
    """
    check_adaptation(settings)
    record = allocate_record(ADAPTIVE)
    record["due"], record["upper"], record["lower"] = NEVER, math.inf, -math.inf
    record["segment"], record["noted"] = -1, -1
    barriers = target.get("kind") == "triple_barrier"
    threshold = target.get("threshold")
    horizon = round(float(target.get("horizon_s", 0.0)) * NANOSECONDS)
    known = horizon > 0 and (barriers or threshold is not None)
    if settings is None or not known or not min(prior) > 0.0:
        return record
    record["active"] = 1
    record["horizon"] = horizon
    record["spacing"] = max(1, -(-horizon // GRID))
    record["since"] = since
    record["by_close"] = target.get("label_price") == "close"
    record["barriers"], record["coarse"] = barriers, coarse
    record["threshold"] = math.inf if threshold is None else float(threshold)
    record["take_profit"] = float(target.get("take_profit", math.inf))
    record["stop_loss"] = float(target.get("stop_loss", math.inf))
    for name in DEFAULT_ADAPTATION:
        record[name] = float(settings[name])
    record["prior"] = prior
    record["inverse"] = 1.0 / np.asarray(prior, dtype=np.float64)
    record["hold_share"] = prior[HOLD]
    record["weights"] = (1.0 - record["stay"][0]) / (FORECASTERS - 1)
    record["weights"][0, MODEL] = record["stay"][0]
    return record
