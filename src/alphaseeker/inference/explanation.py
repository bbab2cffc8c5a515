"""Why a signal is what it is: each feature's share in the raw scores of that prediction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError, StateError
from alphaseeker.inference.pool import SessionPool
from alphaseeker.inference.session import Session
from alphaseeker.inference.signal import Side, Signal
from alphaseeker.model.contributions import contributions

__all__ = ["Explanations", "explain"]

CLASSES = ("SELL", "HOLD", "BUY")
SELL, HOLD, BUY = range(len(CLASSES))
NANOSECONDS = 1_000_000_000
# What went through text may differ in the last digits; another row or another model by far more.
SAME_PROBABILITY = 1e-9


class Explanations:
    """Explains signals, for the engine that inherits from it."""

    _pool: SessionPool

    def explain(
        self, signal: Mapping[str, Any] | Signal, symbol: str | None = None
    ) -> dict[str, Any]:
        """Return what each feature added to the raw scores of a signal given lately.

        Parameters
        ----------
        signal
            What ``predict`` returned, or a ``Signal`` of a session.
        symbol
            Of the session that gave a ``Signal``; a dictionary names its own.

        Returns
        -------
        dict
            ``symbol, timestamp, signal_label, side, filter_reason, raw_scores, expected,
            contributions``; see ``alphaseeker.inference.explanation.explain``.

        Raises
        ------
        DataError
            It is not a signal.
        StateError
            The symbol has no session, the model was not asked for this signal or no longer
            serves, or the row of features is no longer kept.
        """
        _given(signal)  # what is no signal has no symbol either
        name = symbol
        if name is None:
            name = signal.get("symbol", "") if isinstance(signal, Mapping) else ""
        for session in self._pool.sessions():
            if session.symbol == name:
                return explain(session, signal)
        raise StateError(
            f"symbol {name!r} has no live session; explain what predict or session(symbol).update "
            "returned, with symbol= beside a Signal"
        )


def explain(session: Session, signal: Mapping[str, Any] | Signal) -> dict[str, Any]:
    """Return what each feature added to the raw scores that led to ``signal``.

    Parameters
    ----------
    session
        The stream that gave the signal.
    signal
        The ``Signal``, or the dictionary that ``predict`` made of it.

    Returns
    -------
    dict
        Plain and safe for JSON:

        - ``symbol``, ``timestamp`` (seconds UTC), ``signal_label`` (as given), ``side`` (BUY, HOLD
          or SELL), ``filter_reason``
        - ``raw_scores`` and ``expected``, both by class: the model's scores for this row, and
          those expected of an unknown one
        - ``contributions``: for each feature ``feature``, ``value`` (None where it is missing) and
          what it added to ``BUY``, ``HOLD`` and ``SELL``; the greatest absolute contribution to
          BUY minus SELL first. By class they sum to the raw score less what was expected.

    Raises
    ------
    DataError
        It is not a signal.
    StateError
        The model was not asked for this signal, or another one serves now, or the session no
        longer keeps the row of features.
    ModelError
        LightGBM's contributions do not sum to its raw scores.

    Notes
    -----
    Scores and contributions are the model's own: what the calibration has learnt since
    (``model.adaptive``) moves the probabilities of the signal and none of these.

    That row and model are those of the signal is checked by its probabilities. A float of seconds
    holds a present time to 0.24 µs, so a dictionary finds the tick nearest to its time stamp.
    """
    given = _given(signal)
    if not given["confidence"] > 0.0:
        raise StateError(
            f"the model was not asked for this signal (filter_reason {given['filter_reason']!r}): "
            "its probabilities are the class prior, and there is nothing to explain"
        )
    features = session.features_of(given["timestamp_ns"])
    probabilities = session.answer_of(given["timestamp_ns"])
    # NaN is not the same.
    if not np.abs(probabilities - given["probabilities"]).max() <= SAME_PROBABILITY:
        raise StateError(
            "the model or the row behind this signal is not at hand any more: a model was loaded "
            "since, or another tick of the same time stamp followed; explain a signal before the "
            "next one"
        )
    artifact = session.model.artifact
    shares = contributions(artifact.model_text, features)
    return {
        "symbol": session.symbol,
        "timestamp": given["timestamp_ns"] / NANOSECONDS,
        "signal_label": given["signal_label"],
        "side": given["side"],
        "filter_reason": given["filter_reason"],
        "raw_scores": _by_class(shares.sum(axis=1)),
        "expected": _by_class(shares[:, -1]),
        "contributions": _sorted_rows(artifact.feature_names, features, shares[:, :-1]),
    }


def _given(signal: Mapping[str, Any] | Signal) -> dict[str, Any]:
    """Return what is needed of a signal, whichever form it has."""
    if isinstance(signal, Signal):
        side = Side(signal.side).name
        return {
            "timestamp_ns": signal.timestamp,
            "signal_label": side,
            "side": side,
            "filter_reason": signal.reason,
            "confidence": signal.confidence,
            "probabilities": (signal.p_sell, signal.p_hold, signal.p_buy),
        }
    try:
        return {
            "timestamp_ns": round(float(signal["market_data_timestamp"]) * NANOSECONDS),
            "signal_label": str(signal["signal_label"]),
            "side": Side(signal["signal"]).name,
            "filter_reason": signal["filter_reason"],
            "confidence": float(signal["confidence"]),
            "probabilities": tuple(float(signal["probabilities"][name]) for name in CLASSES),
        }
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"signal is a {type(signal).__name__} that predict did not return ({error!r}); give "
            "its dictionary as it was, or a Signal"
        ) from error


def _by_class(values: npt.NDArray[np.float64]) -> dict[str, float]:
    return {"BUY": float(values[BUY]), "HOLD": float(values[HOLD]), "SELL": float(values[SELL])}


def _sorted_rows(
    names: tuple[str, ...], features: npt.NDArray[np.float32], shares: npt.NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Return one dictionary a feature, what moved BUY against SELL the most first."""
    order = np.argsort(-np.abs(shares[BUY] - shares[SELL]), kind="stable")
    rows = []
    for index in order.tolist():
        value = float(features[index])
        rows.append(
            {
                "feature": names[index],
                "value": value if math.isfinite(value) else None,
                **_by_class(shares[:, index]),
            }
        )
    return rows
