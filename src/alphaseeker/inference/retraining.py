"""Whether the model that serves should be trained again: its age, and what live ticks say of it.

Five questions, each with its threshold in ``MONITORING_CONFIG``, each answered with a sentence
where the answer is yes:

- Is the model older than MAX_MODEL_AGE_DAYS?
- Is what it predicts right as often as it says? Of the predictions followed to the end of their
  labels (``inference.following``), at least MIN_RESOLVED, the share that was right must lie within
  MAX_HIT_RATE_GAP of the mean probability. A gap that chance could give is none.
- Does its score still order the returns (``inference.rolling_ic``)? With at least MIN_RESOLVED
  predictions, the rolling IC must not lie below MIN_ROLLING_IC, nor by more than MAX_IC_GAP below
  that of the training's evaluation, by more than chance gives. Of several symbols each is asked,
  too, where all of them together pass.
- Do its features look as they did in training? ``model.stability`` with the reference that the
  model file holds (``training.reference``). A feature has moved where its PSI is above
  MAX_FEATURE_PSI and above what windows of that length had in training; the model is in question
  where a third of its features have.
- Would acting on its signals have lost? The net return of the trades followed, in sum, must not lie
  more than MAX_MODEL_DRAWDOWN below its peak. It is not the account's drawdown, which hangs on
  sizes, stops, fills and every model before this one, and which the risk manager limits itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import MonitoringConfig
from alphaseeker.inference.alerts import Finding, finished
from alphaseeker.inference.drift_findings import (
    age_findings,
    drawdown_findings,
    hit_findings,
    ic_findings,
    psi_findings,
)
from alphaseeker.inference.rolling_ic import distance, rolling_ic_steps
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.inference.session import Session
from alphaseeker.model.stability import bin_counts, stability_index

__all__ = [
    "feature_drift",
    "hit_rates",
    "retraining",
    "retraining_steps",
    "traded_returns",
]

SECONDS_A_DAY = 86_400.0
MOST_ROWS = 4_096  # of all sessions together, about: more tell no more
WORST = 5  # features that an answer names


def retraining(
    model: ServedModel | None, sessions: Sequence[Session], config: MonitoringConfig
) -> dict[str, Any]:
    """Return whether ``model`` should be trained again, why, and the numbers behind it.

    Parameters
    ----------
    model
        What serves; None where nothing does.
    sessions
        Live streams. One that has not taken up the model yet is passed over.
    config
        The thresholds.

    Returns
    -------
    dict
        Plain and finite: ``needed``, ``reasons`` (sentences), ``age_days``, and what
        ``hit_rates``, ``traded_returns`` and, under ``psi``, ``feature_drift`` return; under
        ``rolling_ic`` what ``rolling_ic_steps`` returns, with ``expected``, ``expected_pooled``
        (of the training's evaluation), ``gap`` (to the first of them) and ``gap_t``.
    """
    return finished(retraining_steps(model, sessions, config))[0]


def retraining_steps(
    model: ServedModel | None, sessions: Sequence[Session], config: MonitoringConfig
) -> Generator[None, None, tuple[dict[str, Any], list[Finding]]]:
    """Do what ``retraining`` does, pausing after each session and each column.

    Returns
    -------
    tuple
        What ``retraining`` returns, and the findings behind ``reasons``.
    """
    own = [] if model is None else [s for s in sessions if s.model.mark == model.mark]
    records = []
    for session in own:
        records.append(session.memory["realised"].copy()[0])
        yield
    age = 0.0 if model is None else _age_days(model)
    hits, trades = hit_rates(records), traded_returns(records)
    yield
    rolling = yield from rolling_ic_steps([session.symbol for session in own], records)
    metrics = {} if model is None else model.artifact.metrics
    # Live, the model's own probabilities are followed. Older files know only the adapted ones'.
    rolling["expected"] = float(metrics.get("ic_unadapted", metrics.get("ic", 0.0)))
    rolling["expected_pooled"] = float(
        metrics.get("ic_pooled_unadapted", metrics.get("ic_pooled", 0.0))
    )
    known = rolling["pairs"] > 0
    rolling["gap"] = rolling["ic"] - rolling["expected"] if known else 0.0
    rolling["gap_t"] = distance(rolling["ic"], rolling["expected"], rolling["independent"])
    psi = yield from _feature_drift_steps(model, own, config)
    yield
    found = [
        *age_findings(age, config),
        *hit_findings(hits, config),
        *ic_findings(rolling, config),
        *psi_findings(psi, config),
        *drawdown_findings(trades, config),
    ]
    reasons = [one.sentence for one in found]
    if model is None:
        reasons.insert(0, "no model is loaded: call load_model(path) or train_model(data)")
    result = {
        "needed": bool(reasons),
        "reasons": reasons,
        "age_days": age,
        **hits,
        "rolling_ic": rolling,
        "psi": psi,
        **trades,
    }
    return result, found


def _age_days(model: ServedModel) -> float:
    created = datetime.fromisoformat(model.artifact.training["created"])
    return max(0.0, time.time() - created.timestamp()) / SECONDS_A_DAY


def hit_rates(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how often the followed predictions were right, and how often they should have been.

    The rates weigh a prediction the less, the more were resolved after it
    (``inference.following``); the counts do not.

    Parameters
    ----------
    records
        Of ``realised.REALISED``, one a session.

    Returns
    -------
    dict
        ``resolved``, ``hits``, ``hit_rate``, ``expected_hit_rate`` (their mean probability),
        ``hit_rate_gap`` (the first less the second) and ``hit_rate_z``, the gap in standard
        errors. 0 where nothing is resolved.

    Notes
    -----
    Of a prediction that is right with probability p the variance is p (1 - p). Predictions of one
    session do not overlap; those of several may be about one move of the whole market, so that
    their sum gets the variance that it has if all sessions move as one.
    """
    resolved = [int(record["resolved"]) for record in records]
    weight = math.fsum(float(record["recent"]) for record in records)
    if weight == 0.0:
        weight = 1.0
    right = math.fsum(float(record["recent_hits"]) for record in records) / weight
    expected = math.fsum(float(record["recent_expected"]) for record in records) / weight
    error = math.fsum(math.sqrt(record["recent_variance"]) for record in records) / weight
    return {
        "resolved": sum(resolved),
        "hits": sum(int(record["hits"]) for record in records),
        "hit_rate": right,
        "expected_hit_rate": expected,
        "hit_rate_gap": right - expected,
        "hit_rate_z": (right - expected) / error if error > 0.0 else 0.0,
    }


def traded_returns(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the followed trades came to, as shares of the position.

    Returns
    -------
    dict
        ``trades``, ``net_return`` (sum over all sessions), and of the session where it is largest
        ``drawdown`` (peak of the sum so far less the sum) and ``max_drawdown``.
    """
    return {
        "trades": sum(int(record["trades"]) for record in records),
        "net_return": math.fsum(float(record["net"]) for record in records),
        "drawdown": max((float(r["peak"] - r["net"]) for r in records), default=0.0),
        "max_drawdown": max((float(record["deepest"]) for record in records), default=0.0),
    }


def feature_drift(
    model: ServedModel | None, sessions: Sequence[Session], config: MonitoringConfig
) -> dict[str, Any]:
    """Return how far the live features have moved from those of the training part.

    Returns
    -------
    dict
        ``judged``, ``note`` (why not, else empty), ``features``, ``count`` and ``share`` of those
        that have moved, ``max``, ``by_feature`` (``feature``, ``psi``, ``usual``, ``limit``,
        ``moved``; those that pass what was usual by most come first), ``worst`` (the first five of
        them), and ``rows`` sampled of ``needed_rows``.
    """
    return finished(_feature_drift_steps(model, sessions, config))


def _feature_drift_steps(
    model: ServedModel | None, sessions: Sequence[Session], config: MonitoringConfig
) -> Generator[None, None, dict[str, Any]]:
    """Do what ``feature_drift`` does, pausing after each column."""
    reference = {} if model is None else model.artifact.training.get("reference") or {}
    names = () if model is None else model.artifact.feature_names
    size = int(reference.get("window_rows", 0))
    held = [min(int(session.memory["realised"]["sampled"][0]), size) for session in sessions]
    full = [session for session, rows in zip(sessions, held, strict=True) if 0 < size == rows]
    result: dict[str, Any] = {
        "judged": bool(full),
        "note": "",
        "features": len(names),
        "count": 0,
        "share": 0.0,
        "max": 0.0,
        "worst": [],
        "by_feature": [],
        "rows": max(held, default=0),
        "needed_rows": size,
    }
    if not full:
        result["note"] = _why_not(reference, size)
        return result
    every = _rows_of_all(full, size)
    found: list[dict[str, Any]] = []
    for column, name in enumerate(names):
        yield
        counts = bin_counts(every[:, column], reference["edges"][column])
        shares = np.asarray(reference["shares"][column])
        psi = stability_index(shares, counts, int(reference["rows"]))
        usual = reference["usual_psi"][column]
        limit = max(config.MAX_FEATURE_PSI, usual)
        found.append(
            {"feature": name, "psi": psi, "usual": usual, "limit": limit, "moved": psi > limit}
        )
    yield
    found.sort(key=lambda item: float(item["usual"] - item["psi"]))
    result["count"] = sum(item["moved"] for item in found)
    result["share"] = result["count"] / len(names)
    result["max"] = max(item["psi"] for item in found)
    result["by_feature"] = found
    result["worst"] = found[:WORST]
    return result


def _rows_of_all(sessions: Sequence[Session], size: int) -> npt.NDArray[np.float32]:
    """Return about ``MOST_ROWS`` of the sampled rows, as many of every session.

    Every k-th row, for to pass over sessions would leave out the same kind of market each time
    where they alternate. Of very many sessions each gives one row.
    """
    step = min(-(-len(sessions) * size // MOST_ROWS), size)
    # Copies, so that what is passed over does not stay in memory.
    return np.concatenate([session.sampled_features[::step].copy() for session in sessions])


def _why_not(reference: Mapping[str, Any], size: int) -> str:
    if not reference:
        return "the model file has no reference to compare features with: train it again"
    if size == 0:
        return "the training part was too short to tell what features usually do"
    minutes = size * reference["spacing_s"] / 60.0
    return f"features are compared once a session has sampled them for {minutes:.0f} minutes"
