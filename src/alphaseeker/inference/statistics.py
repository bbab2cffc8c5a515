"""What a session has counted: signals, reasons, confidence, cost."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from alphaseeker.inference.session_state import SESSION, clear_counters, place_of, words_of
from alphaseeker.inference.signal import Reason, Side, Signal

__all__ = ["SessionStatistics"]

SIDES = place_of(SESSION, "counters", "sides")
CACHE_HITS = place_of(SESSION, "counters", "cache_hits")


class SessionStatistics:
    """The counters of one session, read by the facade; they stand in the session's record.

    Parameters
    ----------
    state
        One-element array of ``session_state.SESSION``.
    """

    def __init__(self, state: npt.NDArray[Any]) -> None:
        self._state = state
        self._words = words_of(state)
        self._counters = state["counters"]
        self.latency: npt.NDArray[Any] = state["latency"]

    def clear(self) -> None:
        """Set everything to zero."""
        clear_counters(self._state)

    def _whole(self, name: str) -> int:
        return int(self._counters[name][0])

    @property
    def sides(self) -> list[int]:
        """Signals given: SELL, HOLD, BUY."""
        counted: list[int] = self._counters["sides"][0].tolist()
        return counted

    @property
    def reasons(self) -> list[int]:
        """Signals given, by ``Reason``."""
        counted: list[int] = self._counters["reasons"][0].tolist()
        return counted

    @property
    def confidence_count(self) -> int:
        """Signals that the model was asked for."""
        return self._whole("confidence_count")

    @property
    def confidence_sum(self) -> float:
        """Their confidence, in all."""
        return float(self._counters["confidence_sum"][0])

    @property
    def confidence_min(self) -> float:
        """The least of it; 1.0 where there is none."""
        return float(self._counters["confidence_min"][0])

    @property
    def confidence_max(self) -> float:
        """The largest of it; 0.0 where there is none."""
        return float(self._counters["confidence_max"][0])

    @property
    def cache_hits(self) -> int:
        """Predictions for which the scores before them stood, as no threshold was crossed."""
        return int(self._words[CACHE_HITS])

    @property
    def repeated(self) -> int:
        """Ticks that had come before; they got the signal of that time."""
        return self._whole("repeated")

    @property
    def refused(self) -> int:
        """Ticks that were malformed."""
        return self._whole("refused")

    @property
    def depth_repaired(self) -> int:
        """Ticks whose depth was mended."""
        return self._whole("depth_repaired")

    @property
    def predictions(self) -> int:
        """Signals given, repeated ticks aside."""
        words = self._words
        return int(words[SIDES] + words[SIDES + 1] + words[SIDES + 2])

    def count_refused(self) -> None:
        """Count a tick that was refused before the step saw it."""
        self._counters["refused"] += 1

    def count_repaired(self) -> None:
        """Count a tick whose depth was mended."""
        self._counters["depth_repaired"] += 1

    def move(self, signal: Signal, reason: Reason) -> None:
        """Count the latest signal, already counted, as HOLD for ``reason`` instead."""
        sides, reasons = self._counters["sides"][0], self._counters["reasons"][0]
        sides[signal.side + 1] -= 1
        reasons[Reason[(signal.reason or "none").upper()]] -= 1
        sides[Side.HOLD + 1] += 1
        reasons[reason] += 1
