"""What became of a session's predictions: some are followed live to the end of their labels.

Predictions less than a label span apart share most of their future, and a thousand of them may
tell no more than ten. So one at a time is followed: the next is taken at the first tick after the
end of the one before. Two chains run side by side, each with one prediction open:

- ``judged``: whatever the model finds most likely, against the probability that it gave, before
  that was adapted (``model.adaptive``). Its score (p_buy - p_sell) and the return that followed
  stay in a ring, for the rolling IC.
- ``traded``: what the engine acted on (BUY or SELL after MIN_CONFIDENCE and abstention), with the
  net return that ``training.trades`` accounts for: the mid's, less the quoted spread at entry,
  less the transaction cost on both sides.

The label is the training's own (``training.labels``): the price that prevails when the horizon has
passed, or the first barrier touched. It is known at the first tick after that moment, and lost
where the segment ends before. Ticks of a time that the model was trained on are not followed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray

from alphaseeker._address import pointer
from alphaseeker._jit import part
from alphaseeker.features.layout import RECORD
from alphaseeker.inference.realised import NEVER, PAIRS
from alphaseeker.model.decision import Choice

__all__ = ["follow_step", "leave_step"]

SELL, HOLD, BUY = int(Choice.SELL), int(Choice.HOLD), int(Choice.BUY)
OPEN, LOST = -1, -2  # beside the classes
# A resolved prediction counts a thousandth less with each one after it: what went well for weeks
# must not hide what goes wrong today.
KEPT = 1.0 - 1.0 / 1_000


@part
def _label(realised: Any, followed: Any, rec: Any, timestamp: int, price: float) -> int:
    """Return the class of a prediction's label, ``OPEN`` or ``LOST``.

    The tick at hand is not yet the last one; a class other than by a touch is that of the last.
    """
    if rec.clock.segments != realised.segment:
        if realised.timestamp != followed.end:
            return LOST
    elif timestamp <= followed.end:
        if price >= followed.upper:
            return BUY
        if price <= followed.lower:
            return SELL
        return OPEN
    elif realised.coarse == 1 and rec.gate.accepted == followed.accepted + 1:
        return LOST  # no sample within the horizon
    if realised.barriers == 1:
        return HOLD
    change = math.log(realised.price / followed.price)
    if change > followed.threshold:
        return BUY
    if change < -followed.threshold:
        return SELL
    return HOLD


@part
def _count_judged(realised: Any, label: int, price: float) -> None:
    """Count the open prediction, whose label ended at ``price``."""
    judged = realised.judged
    place = realised.resolved % PAIRS
    realised.scores[place] = judged.score
    realised.returns[place] = math.log(price / judged.price)
    hit = 1 if judged.choice == label else 0
    spread = judged.probability * (1.0 - judged.probability)
    realised.resolved += 1
    realised.hits += hit
    realised.expected += judged.probability
    realised.variance += spread
    realised.recent = KEPT * realised.recent + 1.0
    realised.recent_hits = KEPT * realised.recent_hits + hit
    realised.recent_expected = KEPT * realised.recent_expected + judged.probability
    realised.recent_variance = KEPT * KEPT * realised.recent_variance + spread


@part
def _count_traded(realised: Any, mid: float) -> None:
    traded = realised.traded
    side = float(traded.choice - HOLD)
    realised.trades += 1
    realised.net += side * (mid / traded.mid - 1.0) - traded.cost
    realised.peak = max(realised.peak, realised.net)
    realised.deepest = max(realised.deepest, realised.peak - realised.net)


@part
def _settle(realised: Any, rec: Any, timestamp: int, price: float) -> None:
    """Close what this tick resolves or loses, and say until when there is nothing to do again."""
    within = rec.clock.segments == realised.segment
    if realised.judged.open == 1:
        label = _label(realised, realised.judged, rec, timestamp, price)
        if label != OPEN:
            realised.judged.open = 0
            if label == LOST:
                realised.lost += 1
            else:
                touched = within and timestamp <= realised.judged.end
                _count_judged(realised, label, price if touched else realised.price)
    if realised.traded.open == 1:
        label = _label(realised, realised.traded, rec, timestamp, price)
        if label != OPEN:
            realised.traded.open = 0
            if label != LOST:
                touched = within and timestamp <= realised.traded.end
                _count_traded(realised, rec.quote.mid if touched else realised.mid)
    if not within:
        realised.segment = rec.clock.segments
        realised.next = 0
    _watch(realised)


@part
def _watch(realised: Any) -> None:
    """Set the time and the prices at which one of the open predictions wants to be looked at."""
    due, upper, lower = NEVER, np.inf, -np.inf
    if realised.judged.open == 1:
        due, upper, lower = realised.judged.end, realised.judged.upper, realised.judged.lower
    if realised.traded.open == 1:
        due = min(due, realised.traded.end)
        upper = min(upper, realised.traded.upper)
        lower = max(lower, realised.traded.lower)
    realised.due = due
    realised.upper = upper
    realised.lower = lower


@part
def _open(
    realised: Any,
    followed: Any,
    rec: Any,
    timestamp: int,
    price: float,
    choice: int,
    probability: float,
    score: float,
) -> None:
    quote = rec.quote
    followed.open = 1
    followed.timestamp = timestamp
    followed.end = timestamp + realised.horizon
    followed.accepted = rec.gate.accepted
    followed.choice = choice
    followed.probability = probability
    followed.score = score
    followed.price = price
    followed.mid = quote.mid
    followed.threshold = realised.threshold
    followed.upper = np.inf
    followed.lower = -np.inf
    if realised.barriers == 1:
        followed.upper = price * (1.0 + realised.take_profit)
        followed.lower = price * (1.0 - realised.stop_loss)
    followed.cost = quote.spread / quote.mid + 2.0 * realised.transaction_cost


@part
def _sample(state: Any, timestamp: int) -> None:
    """Keep the row of features that the model was asked with."""
    realised = state.realised
    width = state.width
    features = carray(pointer(state.features), (width,), np.float32)
    rows = carray(pointer(state.sample), (realised.capacity, width), np.float32)
    place = realised.sampled % realised.capacity
    for j in range(width):
        rows[place, j] = features[j]
    realised.sampled += 1
    realised.next = timestamp + realised.spacing


@part
def follow_step(state: Any, timestamp: int) -> None:
    """Take in a tick that reached the features and was answered.

    Parameters
    ----------
    state
        Record of ``session_state.SESSION``; its answer is that to this tick.
    timestamp
        Nanoseconds UTC.
    """
    realised = state.realised
    rec = carray(pointer(state.records), (1,), RECORD)[0]
    answer = state.last
    mid = rec.quote.mid
    price = rec.quote.close if realised.by_close == 1 else mid
    if (
        timestamp > realised.due
        or price >= realised.upper
        or price <= realised.lower
        or rec.clock.segments != realised.segment
    ):
        _settle(realised, rec, timestamp, price)
    realised.timestamp = timestamp
    realised.price = price
    realised.mid = mid
    if answer.asked == 0 or timestamp < realised.since:
        return
    if realised.horizon > 0:
        judging = realised.judged.open == 0
        trading = realised.traded.open == 0 and answer.side != 0
        # The model's own: adapted ones are right on average even where it knows nothing any more.
        sell, hold, buy = (
            answer.probabilities[SELL],
            answer.probabilities[HOLD],
            answer.probabilities[BUY],
        )
        if state.adaptive.active == 1:
            given = state.adaptive.given
            sell, hold, buy = given[SELL], given[HOLD], given[BUY]
        score = buy - sell - (state.prior[BUY] - state.prior[SELL])
        if judging:
            choice, probability = HOLD, hold
            if buy > hold and buy > sell:
                choice, probability = BUY, buy
            elif sell > hold and sell > buy:
                choice, probability = SELL, sell
            _open(realised, realised.judged, rec, timestamp, price, choice, probability, score)
        if trading:
            choice = answer.side + HOLD
            _open(
                realised,
                realised.traded,
                rec,
                timestamp,
                price,
                choice,
                answer.probabilities[choice],
                score,
            )
        if judging or trading:
            _watch(realised)
    if realised.capacity > 0 and timestamp >= realised.next:
        _sample(state, timestamp)


@part
def leave_step(realised: Any) -> None:
    """Give up what is open: ticks go by that are not followed."""
    if realised.due != NEVER:
        realised.judged.open = 0
        realised.traded.open = 0
        _watch(realised)
