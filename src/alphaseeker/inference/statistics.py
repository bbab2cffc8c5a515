"""What a session has counted: signals, reasons, confidence, cost."""

from __future__ import annotations

from alphaseeker.inference.latency import LatencyHistogram
from alphaseeker.inference.signal import Reason, Side, Signal

__all__ = ["SessionStatistics"]


class SessionStatistics:
    """Counters of one session; plain attributes, read by the facade."""

    def __init__(self) -> None:
        self.latency = LatencyHistogram()
        self.clear()

    def clear(self) -> None:
        """Set everything to zero."""
        self.latency.clear()
        self.sides = [0, 0, 0]  # SELL, HOLD, BUY
        self.reasons = [0] * len(Reason)
        self.confidence_count = 0
        self.confidence_sum = 0.0
        self.confidence_min = 1.0
        self.confidence_max = 0.0
        self.cache_hits = 0
        self.repeated = 0
        self.refused = 0
        self.depth_repaired = 0

    @property
    def predictions(self) -> int:
        """Signals given, repeated ticks aside."""
        return sum(self.sides)

    def count(self, side: Side, reason: int, confidence: float) -> None:
        """Count one signal."""
        self.sides[side + 1] += 1
        self.reasons[reason] += 1
        if confidence > 0.0:
            self.confidence_count += 1
            self.confidence_sum += confidence
            self.confidence_min = min(self.confidence_min, confidence)
            self.confidence_max = max(self.confidence_max, confidence)

    def move(self, signal: Signal, reason: Reason) -> None:
        """Count the latest signal, already counted, as HOLD for ``reason`` instead."""
        self.sides[signal.side + 1] -= 1
        self.reasons[Reason[(signal.reason or "none").upper()]] -= 1
        self.sides[Side.HOLD + 1] += 1
        self.reasons[reason] += 1

    def record(
        self,
        signal: Signal,
        reason: int,
        start: int,
        read: int,
        stepped: int,
        scored: int,
        end: int,
    ) -> None:
        """Count one signal and the moments, in ns, at which its stages began and ended."""
        self.count(signal.side, reason, signal.confidence)
        self.latency.record(start, read, stepped, scored, end)
