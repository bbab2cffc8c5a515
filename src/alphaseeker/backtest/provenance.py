"""What the model of a backtest was fitted on, and what a user must know before believing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from alphaseeker.config import RiskConfig
from alphaseeker.errors import DataError
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.market.schema import TickSeries
from alphaseeker.model.artifact import ModelArtifact

__all__ = ["check_symbols", "of_model", "searched_by", "seen_in_training"]


def _iso(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat(timespec="seconds")


def seen_in_training(
    artifact: ModelArtifact, series: Sequence[TickSeries]
) -> tuple[int, tuple[str, ...]]:
    """Return how many rows lie in the time that the model was fitted on, and a warning of them."""
    ranges = artifact.training.get("ranges")
    if not ranges:
        return 0, ("the model does not tell what it was trained on: profit may be in sample",)
    start, end = int(ranges["train"][0]), int(ranges["test"][0])
    rows = sum(len(one) for one in series)
    seen = 0
    for one in series:
        stamps = one.ticks["timestamp"]
        seen += int(((start <= stamps) & (stamps < end)).sum())
    if seen == 0:
        return 0, ()
    return seen, (
        f"IN SAMPLE: {seen:,} of {rows:,} rows ({seen / rows:.1%}) lie between {_iso(start)} and "
        f"{_iso(end)}, which the model was fitted on: what they earn says nothing about profit. "
        "Give later data, or use the walk-forward backtest",
    )


def _unknown(model: ServedModel, series: Sequence[TickSeries]) -> list[str]:
    known = model.artifact.training.get("symbols", [])
    return [one.symbol for one in series if one.symbol and one.symbol not in known]


def check_symbols(model: ServedModel, series: Sequence[TickSeries], unknown: str) -> None:
    """Refuse symbols that the model was not trained on, where UNKNOWN_SYMBOL says so.

    Raises
    ------
    DataError
        ``unknown`` is "refuse", and there is one.
    """
    strange = _unknown(model, series)
    if strange and unknown == "refuse":
        raise DataError(
            f"the model was not trained on {', '.join(map(repr, strange))}: the engine refuses "
            "such symbols; train on them, leave them out, or set UNKNOWN_SYMBOL to 'warn'"
        )


def of_model(model: ServedModel, series: Sequence[TickSeries], risk: RiskConfig) -> tuple[str, ...]:
    """Return what else a user should know before believing the result."""
    warnings = []
    if model.abstain:
        warnings.append(
            "the model has no edge by its own evaluation and abstains: every signal is HOLD. "
            "TRADE_WITHOUT_EDGE trades it all the same"
        )
    elif model.decision["min_confidence"][0] >= 1.0:
        warnings.append(
            "the model holds always: no smallest confidence earned its costs in its training, or "
            "MIN_CONFIDENCE is 1. MIN_CONFIDENCE below 1 trades it all the same"
        )
    judged, paid = model.artifact.target["transaction_cost"], risk.TRANSACTION_COST_PCT
    if judged != paid:
        warnings.append(
            f"fees differ: {paid:.4%} a side are paid here, the model was made for {judged:.4%}: "
            "its labels and its smallest confidence are those of the latter. TRANSACTION_COST_PCT "
            "sets what is paid; to change what the model was made for, train it again"
        )
    strange = _unknown(model, series)
    if strange:
        warnings.append(
            f"the model was not trained on {', '.join(map(repr, strange))}: its signals there may "
            "mean little"
        )
    return tuple(warnings)


def searched_by(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return how many configurations the model was chosen from, and how their Sharpes varied.

    The variance is that of a second: a Sharpe ratio grows with the root of its period.
    """
    judged = metrics.get("overfitting") or {}
    cells = float(judged.get("cells", 0))
    span_s = (metrics.get("end_ns", 0) - metrics.get("start_ns", 0)) * 1e-9
    if cells <= 0.0 or span_s <= 0.0:
        return {}
    variance = float(judged.get("trial_variance", 0.0))
    return {"trials": float(judged["trials"]), "variance_per_s": variance * cells / span_s}
