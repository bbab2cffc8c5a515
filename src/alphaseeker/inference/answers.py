"""Signals and counters as the plain, JSON-safe dictionaries that the facade returns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from alphaseeker.errors import DataError
from alphaseeker.inference.latency import STAGES, describe
from alphaseeker.inference.session import Session
from alphaseeker.inference.signal import Reason, Side, Signal

__all__ = ["POSITIONS", "check_position", "inference_performance", "prediction"]

POSITIONS = ("FLAT", "LONG", "SHORT")
LABELS = {
    ("FLAT", Side.BUY): "BUY",
    ("FLAT", Side.SELL): "SELL",
    ("LONG", Side.BUY): "BUY",
    ("LONG", Side.SELL): "CLOSE_LONG",
    ("SHORT", Side.BUY): "CLOSE_SHORT",
    ("SHORT", Side.SELL): "SELL",
    **{(position, Side.HOLD): "HOLD" for position in POSITIONS},
}
SECONDS = 1e-9


def check_position(position: Any) -> str:
    """Return the position in upper case.

    Raises
    ------
    DataError
        Not FLAT, LONG or SHORT.
    """
    known = position.upper() if isinstance(position, str) else None
    if known not in POSITIONS:
        raise DataError(f"position is {position!r}; it must be one of {', '.join(POSITIONS)}")
    return str(known)


def prediction(
    signal: Signal, *, symbol: str, position: str, predicted_at: float, latency_ns: int
) -> dict[str, Any]:
    """Return what ``predict`` answers (see the documented keys).

    Parameters
    ----------
    predicted_at
        Seconds since 1970, when the answer was given.
    latency_ns
        From the call to the answer.
    """
    side = signal.side
    strength = 0.0
    if side != Side.HOLD:
        strength = min(1.0, max(0.0, side * (signal.p_buy - signal.p_sell)))
    return {
        "signal": int(side),
        "signal_label": LABELS[position, side],
        "probabilities": {"BUY": signal.p_buy, "HOLD": signal.p_hold, "SELL": signal.p_sell},
        "confidence": signal.confidence,
        "signal_strength": strength,
        "filter_reason": signal.reason,
        "ready": signal.ready,
        "latency_ms": latency_ns * 1e-6,
        "timestamp": predicted_at,
        "market_data_timestamp": signal.timestamp * SECONDS,
        "symbol": symbol,
    }


def inference_performance(sessions: Sequence[Session], *, target_ms: float) -> dict[str, Any]:
    """Return counts and latencies over ``sessions``; 0.0 where there is nothing to count."""
    statistics = [session.statistics for session in sessions]
    histograms = [item.latency for item in statistics]
    latency: dict[str, Any] = dict(describe(histograms))
    latency["target_ms"] = target_ms
    latency["target_met"] = latency["p99_ms"] <= target_ms
    latency["budget_left_ms"] = target_ms - latency["p99_ms"]
    latency["stages"] = {stage: describe(histograms, stage) for stage in STAGES if stage != "total"}
    count = sum(item.confidence_count for item in statistics)
    total = math.fsum(item.confidence_sum for item in statistics)
    return {
        "total_predictions": sum(item.predictions for item in statistics),
        "latency_stats": latency,
        "confidence_stats": {
            "count": count,
            "mean": total / count if count else 0.0,
            "min": min((i.confidence_min for i in statistics), default=0.0) if count else 0.0,
            "max": max((i.confidence_max for i in statistics), default=0.0),
        },
        "signal_counts": {
            side.name: sum(item.sides[side + 1] for item in statistics) for side in Side
        },
        "filter_counts": {
            str(reason.text): sum(item.reasons[reason] for item in statistics)
            for reason in Reason
            if reason.text is not None and reason is not Reason.REFUSED
        }
        | {
            "refused": sum(item.refused for item in statistics),
            "repeated": sum(item.repeated for item in statistics),
            "depth_repaired": sum(item.depth_repaired for item in statistics),
            "unknown_symbol": sum(
                session.statistics.predictions
                for session in sessions
                if not session.model.knows(session.symbol)
            ),
        },
        "cache_hits": sum(item.cache_hits for item in statistics),
    }
