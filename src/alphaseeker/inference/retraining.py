"""Whether the model that serves should be trained again: its age, and what live ticks say of it.

Four questions, each with its threshold in ``MONITORING_CONFIG``, each answered with a sentence
where the answer is yes:

- Is the model older than MAX_MODEL_AGE_DAYS?
- Is what it predicts right as often as it says? Of the predictions followed to the end of their
  labels (``inference.following``), at least MIN_RESOLVED, the share that was right must lie within
  MAX_HIT_RATE_GAP of the mean probability. A gap that chance could give is none.
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
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import MonitoringConfig
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.inference.session import Session
from alphaseeker.model.stability import bin_counts, stability_index

__all__ = ["feature_drift", "hit_rates", "retraining", "traded_returns"]

SECONDS_A_DAY = 86_400.0
# A feature's PSI passes what one window of training in twenty has by chance, and features move
# together: with volatility, many do at once.
MOVED_SHARE = 1 / 3
MOST_ROWS = 4_096  # of all sessions together, about: more tell no more
WORST = 5  # features that an answer names
CERTAIN = 2.576  # standard errors: by chance one gap in a hundred is as wide


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
        ``hit_rates``, ``traded_returns`` and, under ``psi``, ``feature_drift`` return.
    """
    own = [] if model is None else [s for s in sessions if s.model.mark == model.mark]
    records = [session.memory["realised"].copy()[0] for session in own]
    age = 0.0 if model is None else _age_days(model)
    hits, trades = hit_rates(records), traded_returns(records)
    psi = feature_drift(model, own, config)
    reasons = []
    if model is None:
        reasons.append("no model is loaded: call load_model(path) or train_model(data)")
    if age > config.MAX_MODEL_AGE_DAYS:
        reasons.append(
            f"the model is {age:.0f} days old, MAX_MODEL_AGE_DAYS is "
            f"{config.MAX_MODEL_AGE_DAYS:g}: train it again"
        )
    gap = abs(hits["hit_rate_gap"])
    known = hits["resolved"] >= config.MIN_RESOLVED and abs(hits["hit_rate_z"]) > CERTAIN
    if known and gap > config.MAX_HIT_RATE_GAP:
        reasons.append(
            f"the model is right in {100 * hits['hit_rate']:.1f} % of its latest predictions and "
            f"says {100 * hits['expected_hit_rate']:.1f} % ({hits['resolved']} resolved, "
            f"{abs(hits['hit_rate_z']):.1f} standard errors apart), MAX_HIT_RATE_GAP is "
            f"{100 * config.MAX_HIT_RATE_GAP:g} %: what it learned no longer holds"
        )
    if psi["judged"] and psi["share"] > MOVED_SHARE:
        worst = ", ".join(f"{item['feature']} {item['psi']:.2f}" for item in psi["worst"][:3])
        reasons.append(
            f"{psi['count']} of {psi['features']} features have moved since training (PSI above "
            f"MAX_FEATURE_PSI, {config.MAX_FEATURE_PSI:g}, and above what was usual in training; "
            f"worst: {worst}): the market is another one"
        )
    if trades["drawdown"] > config.MAX_MODEL_DRAWDOWN:
        reasons.append(
            f"acting on the signals would be {100 * trades['drawdown']:.2f} % of the position "
            f"below its peak after costs ({trades['trades']} trades), MAX_MODEL_DRAWDOWN is "
            f"{100 * config.MAX_MODEL_DRAWDOWN:g} %"
        )
    return {
        "needed": bool(reasons),
        "reasons": reasons,
        "age_days": age,
        **hits,
        "psi": psi,
        **trades,
    }


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
        that have moved, ``max``, ``worst`` (``feature``, ``psi``, ``usual``; by how far they pass
        what was usual), and ``rows`` sampled of ``needed_rows``.
    """
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
        "rows": max(held, default=0),
        "needed_rows": size,
    }
    if not full:
        result["note"] = _why_not(reference, size)
        return result
    every = _rows_of_all(full, size)
    found = []
    for column, name in enumerate(names):
        counts = bin_counts(every[:, column], reference["edges"][column])
        shares = np.asarray(reference["shares"][column])
        psi = stability_index(shares, counts, int(reference["rows"]))
        found.append({"feature": name, "psi": psi, "usual": reference["usual_psi"][column]})
    moved = [f for f in found if f["psi"] > max(config.MAX_FEATURE_PSI, f["usual"])]
    found.sort(key=lambda item: item["usual"] - item["psi"])
    result["count"], result["share"] = len(moved), len(moved) / len(names)
    result["max"] = max(item["psi"] for item in found)
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
