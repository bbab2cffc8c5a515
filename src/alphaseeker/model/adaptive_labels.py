"""When labels of earlier predictions are known, for a calibration that learns from them.

The steps are told ticks and prices, and find the labels of ``training.labels``: the price that
prevails when the horizon has passed, or the first barrier touched. A label is known at the first
tick after its end, and lost where its segment ends before.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from alphaseeker._jit import part
from alphaseeker.model.adaptive import BUY, HOLD, NEVER, OPEN, PLACES, SELL, learn_step

__all__ = ["note_step", "settle_step"]


@part
def _label_of(adaptive: Any, place: int) -> int:
    """Return the class of a prediction whose end has passed; the last tick's price prevails."""
    if adaptive.labels[place] != OPEN:
        return int(adaptive.labels[place])
    if adaptive.barriers == 1:
        return HOLD
    change = math.log(adaptive.price / adaptive.prices[place])
    if change > adaptive.threshold:
        return BUY
    if change < -adaptive.threshold:
        return SELL
    return HOLD


@part
def _settle(adaptive: Any, timestamp: int, segment: int, price: float, accepted: int) -> None:
    """Learn what is known by now, and say until when there is nothing to do again."""
    end = adaptive.first + adaptive.count
    within = segment == adaptive.segment
    if within and adaptive.barriers == 1:
        for number in range(adaptive.first, end):
            place = number % PLACES
            if adaptive.labels[place] == OPEN and timestamp <= adaptive.ends[place]:
                if price >= adaptive.uppers[place]:
                    adaptive.labels[place] = BUY
                    adaptive.ends[place] = timestamp
                elif price <= adaptive.lowers[place]:
                    adaptive.labels[place] = SELL
                    adaptive.ends[place] = timestamp
    # In a segment that has ended, the last tick is the last that was seen.
    seen = timestamp if within else adaptive.timestamp + 1
    number = adaptive.first
    while number < end:
        place = number % PLACES
        if adaptive.ends[place] < seen:
            unseen = within and adaptive.coarse == 1 and accepted == adaptive.accepted[place] + 1
            if adaptive.labels[place] != OPEN or not unseen:
                learn_step(adaptive, place, _label_of(adaptive, place))
        elif within:
            break
        number += 1
    adaptive.first = number
    adaptive.count = end - number
    if not within:
        adaptive.count = 0
        adaptive.segment = segment
        adaptive.next = 0
        adaptive.noted = -1
    _watch(adaptive)


@part
def _watch(adaptive: Any) -> None:
    """Set the time and the prices at which an open prediction wants to be looked at."""
    due, upper, lower = NEVER, np.inf, -np.inf
    if adaptive.count > 0:
        due = adaptive.ends[adaptive.first % PLACES]
        if adaptive.barriers == 1:
            for number in range(adaptive.first, adaptive.first + adaptive.count):
                place = number % PLACES
                if adaptive.labels[place] == OPEN:
                    upper = min(upper, adaptive.uppers[place])
                    lower = max(lower, adaptive.lowers[place])
    adaptive.due = due
    adaptive.upper = upper
    adaptive.lower = lower


@part
def settle_step(adaptive: Any, timestamp: int, segment: int, price: float, accepted: int) -> None:
    """Take in a tick that reached the features, before it is answered.

    Parameters
    ----------
    adaptive
        Record of dtype ``ADAPTIVE``, active.
    timestamp
        Nanoseconds UTC.
    segment
        Changes where a segment begins.
    price
        That the label is of.
    accepted
        Number of the tick among those that reached the features.
    """
    if (
        timestamp > adaptive.due
        or price >= adaptive.upper
        or price <= adaptive.lower
        or segment != adaptive.segment
    ):
        _settle(adaptive, timestamp, segment, price, accepted)
    adaptive.timestamp = timestamp
    adaptive.price = price


@part
def note_step(adaptive: Any, accepted: int) -> None:
    """Note what the model said to the tick at hand, where the grid asks for it.

    To be called where the model was asked, after ``settle_step`` and ``mix_step``.
    """
    timestamp = adaptive.timestamp
    if timestamp < adaptive.next or timestamp < adaptive.since or adaptive.count == PLACES:
        return
    if timestamp > NEVER - adaptive.horizon:  # a label whose end no time stamp reaches
        return
    place = (adaptive.first + adaptive.count) % PLACES
    worth = 1.0
    if adaptive.noted >= 0:
        worth = min(1.0, float(timestamp - adaptive.noted) / float(adaptive.horizon))
    price = adaptive.price
    adaptive.ends[place] = timestamp + adaptive.horizon
    adaptive.labels[place] = OPEN
    adaptive.accepted[place] = accepted
    adaptive.prices[place] = price
    adaptive.uppers[place] = price * (1.0 + adaptive.take_profit)
    adaptive.lowers[place] = price * (1.0 - adaptive.stop_loss)
    adaptive.worths[place] = worth
    adaptive.hold_shares[place] = adaptive.hold_share
    for j in range(len(adaptive.given)):
        adaptive.said[place, j] = adaptive.given[j]
    adaptive.count += 1
    adaptive.noted = timestamp
    adaptive.next = timestamp + adaptive.spacing
    if adaptive.count == 1 or adaptive.barriers == 1:
        _watch(adaptive)
