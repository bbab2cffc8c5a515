"""The signal: what one tick led to, and why."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from alphaseeker.market.gate import Verdict
from alphaseeker.model.decision import Choice

__all__ = ["REASONS", "SIDES", "Reason", "Side", "Signal"]


class Side(IntEnum):
    """Direction of a signal."""

    SELL = -1
    HOLD = 0
    BUY = 1


class Reason(IntEnum):
    """Why a signal is HOLD although, or because, of what the model says; NONE where it may act."""

    NONE = 0
    LOCKED_BOOK = 1
    STALE = 2
    EMPTY_SIDE = 3
    CROSSED_BOOK = 4
    OUT_OF_ORDER = 5
    PRICE_JUMP = 6
    WARMING_UP = 7
    LOW_CONFIDENCE = 8
    BAD_SCORES = 9
    NO_EDGE = 10
    REFUSED = 11  # a row of a batch that a live tick would be refused for

    @property
    def text(self) -> str | None:
        """Name as ``filter_reason`` gives it; None where nothing was filtered."""
        return None if self is Reason.NONE else self.name.lower()


REASONS = tuple(reason.text for reason in Reason)
"""Texts by the value of the reason."""
SIDES = {int(side): side for side in Side}

REASON_OF_VERDICT: dict[int, Reason] = {
    Verdict.LOCKED: Reason.LOCKED_BOOK,
    Verdict.AFTER_GAP: Reason.STALE,
    Verdict.EMPTY_SIDE: Reason.EMPTY_SIDE,
    Verdict.CROSSED_BOOK: Reason.CROSSED_BOOK,
    Verdict.OUT_OF_ORDER: Reason.OUT_OF_ORDER,
    Verdict.PRICE_JUMP: Reason.PRICE_JUMP,
}
REASON_OF_CHOICE: dict[int, Reason] = {
    Choice.LOW_CONFIDENCE: Reason.LOW_CONFIDENCE,
    Choice.BAD_SCORES: Reason.BAD_SCORES,
}


class Signal(NamedTuple):
    """What one tick led to.

    Attributes
    ----------
    timestamp
        Nanoseconds UTC of the tick.
    side
        BUY, HOLD or SELL.
    p_buy, p_hold, p_sell
        Calibrated probabilities, adapted to what became of earlier predictions where the model was
        trained with ADAPTIVE_CALIBRATION; the class prior where it was not asked.
    confidence
        Probability of the class that the model finds most likely; 0.0 where it was not asked.
    reason
        Why the signal is held back, such as ``"warming_up"``; None where it is not.
    ready
        True where every column that the model waits for has its history.
    """

    timestamp: int
    side: Side
    p_buy: float
    p_hold: float
    p_sell: float
    confidence: float
    reason: str | None
    ready: bool
