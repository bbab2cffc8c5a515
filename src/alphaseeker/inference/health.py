"""Whether everything that a bot relies on is in order, part by part."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import Any

from alphaseeker._jit import cache_status
from alphaseeker.config import Config
from alphaseeker.errors import ModelError
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.matrix_cache import disk_budget
from alphaseeker.features.matrix_store import store_status
from alphaseeker.inference.alerts import DRIFT_KINDS, Finding, finished
from alphaseeker.inference.answers import inference_performance
from alphaseeker.inference.drift_findings import MOVED_SHARE
from alphaseeker.inference.retraining import retraining_steps
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.inference.session import Session
from alphaseeker.inference.signal import Reason
from alphaseeker.model.compiler import find_compiler

__all__ = ["drift", "drift_steps", "health", "model_info"]

ORDER = ("OK", "WARNING", "ERROR")
MOST_NAMES = 5  # symbols that a sentence names
# Reasons that speak of the feed, not of the model.
FEED_REASONS = (
    Reason.STALE,
    Reason.EMPTY_SIDE,
    Reason.CROSSED_BOOK,
    Reason.OUT_OF_ORDER,
    Reason.PRICE_JUMP,
)


def _entry(status: str, message: str) -> dict[str, str]:
    return {"status": status, "message": message}


def model_info(model: ServedModel | None) -> dict[str, Any]:
    """Return what is known of the model that serves."""
    if model is None:
        return {
            "status": "not_loaded",
            "n_features": 0,
            "best_iteration": 0,
            "num_trees": 0,
            "label_mapping": {},
            "feature_names": [],
            "accuracy": 0.0,
            "verdict": "",
            "backend": "",
        }
    artifact = model.artifact
    return {
        "status": "loaded",
        "n_features": len(artifact.feature_names),
        "best_iteration": artifact.training.get("best_iteration", 0),
        "num_trees": artifact.training.get("num_trees", 0),
        "label_mapping": dict(artifact.label_mapping),
        "feature_names": list(artifact.feature_names),
        "accuracy": artifact.metrics.get("accuracy", 0.0),
        "verdict": artifact.metrics.get("verdict", ""),
        "backend": model.predictor.name,
        "passed_over": list(model.passed_over),
        "created": artifact.training.get("created", ""),
    }


def drift(model: ServedModel | None, sessions: Sequence[Session], config: Config) -> dict[str, Any]:
    """Return what the monitors show, with the limit of each, and the alerts.

    Returns
    -------
    dict
        Plain and finite:

        - ``rolling_ic``: ``value``, ``t``, ``pooled``, ``count``, ``limit`` (MIN_ROLLING_IC),
          ``expected``, ``expected_pooled``, ``gap``, ``gap_t``, ``gap_limit`` (MAX_IC_GAP),
          ``needed_count`` (MIN_RESOLVED), ``by_symbol``
        - ``hit_rate``: ``value``, ``expected``, ``gap``, ``z``, ``count``, ``gap_limit``
          (MAX_HIT_RATE_GAP), ``needed_count``
        - ``feature_psi``: what ``feature_drift`` returns, with ``limit`` (MAX_FEATURE_PSI) and
          ``share_limit``
        - ``model_age_days``, ``held_share``, ``count`` (ticks judged), and under ``retraining``
          what ``needs_retraining`` returns
        - ``alerts`` (sentences), ``active`` (the same as dictionaries), ``drifting`` (one of them
          is of ``alerts.DRIFT_KINDS``)
    """
    return finished(drift_steps(model, sessions, config))[0]


def drift_steps(
    model: ServedModel | None, sessions: Sequence[Session], config: Config
) -> Generator[None, None, tuple[dict[str, Any], list[Finding]]]:
    """Do what ``drift`` does step by step; return that and the findings behind its alerts."""
    limits = config.monitoring
    judged, found = yield from retraining_steps(model, sessions, limits)
    given = sum(session.statistics.predictions for session in sessions)
    held = sum(session.statistics.reasons[r] for session in sessions for r in FEED_REASONS)
    share = held / given if given else 0.0
    if share > limits.MAX_HELD_SHARE:
        sentence = (
            f"{100 * share:.1f} % of the ticks were held back for the feed's sake, "
            f"MAX_HELD_SHARE is {100 * limits.MAX_HELD_SHARE:g} %: see filter_counts"
        )
        found.append(
            Finding(
                kind="held_share",
                name="MAX_HELD_SHARE",
                value=share,
                limit=limits.MAX_HELD_SHARE,
                symbol="",
                sentence=sentence,
            )
        )
    rolling = judged["rolling_ic"]
    answer = {
        "model_age_days": judged["age_days"],
        "held_share": share,
        "count": given,
        "rolling_ic": {
            "value": rolling["ic"],
            "t": rolling["ic_t"],
            "pooled": rolling["pooled"],
            "count": rolling["pairs"],
            "limit": limits.MIN_ROLLING_IC,
            "expected": rolling["expected"],
            "expected_pooled": rolling["expected_pooled"],
            "gap": rolling["gap"],
            "gap_t": rolling["gap_t"],
            "gap_limit": limits.MAX_IC_GAP,
            "needed_count": limits.MIN_RESOLVED,
            "by_symbol": rolling["by_symbol"],
        },
        "hit_rate": {
            "value": judged["hit_rate"],
            "expected": judged["expected_hit_rate"],
            "gap": judged["hit_rate_gap"],
            "z": judged["hit_rate_z"],
            "count": judged["resolved"],
            "gap_limit": limits.MAX_HIT_RATE_GAP,
            "needed_count": limits.MIN_RESOLVED,
        },
        "feature_psi": {
            **judged["psi"],
            "limit": limits.MAX_FEATURE_PSI,
            "share_limit": MOVED_SHARE,
        },
        "alerts": [one.sentence for one in found],
        "active": [one.as_dict() for one in found],
        "drifting": any(one.kind in DRIFT_KINDS for one in found),
        "retraining": judged,
    }
    return answer, found


def health(
    config: Config,
    model: ServedModel | None,
    sessions: Sequence[Session],
    risk_manager: Any,
    drifting: dict[str, Any],
) -> dict[str, Any]:
    """Return ``health_check``'s answer: a status and a sentence for every component.

    ``drifting`` is what ``drift`` returned.
    """
    performance = inference_performance(sessions, target_ms=config.inference.TARGET_LATENCY_MS)
    components = {
        "model": _model(model, drifting),
        "inference": _inference(model, sessions),
        "features": _entry("OK", f"{len(FEATURES)} features in the catalogue"),
        "data": _data(performance, drifting, sessions),
        "risk": _risk(risk_manager),
        "compiler": _compiler(model),
        "cache": _cache(config),
        "latency": _latency(performance["latency_stats"]),
    }
    worst = max((ORDER.index(part["status"]) for part in components.values()), default=0)
    return {
        "overall_status": ORDER[worst],
        "components": components,
        "timestamp": time.time(),
    }


def _cache(config: Config) -> dict[str, str]:
    folder, kernels = cache_status()
    usable, matrices = store_status(disk_budget(config.inference))
    return _entry("OK" if folder is not None and usable else "WARNING", f"{kernels}; {matrices}")


def _model(model: ServedModel | None, drifting: dict[str, Any]) -> dict[str, str]:
    if model is None:
        return _entry("WARNING", "no model is loaded; call load_model(path) or train_model(data)")
    name = model.predictor.name
    passed = f"; passed over: {'; '.join(model.passed_over)}" if model.passed_over else ""
    if model.abstain:
        return _entry(
            "WARNING",
            "the evaluation found no edge: every signal is HOLD (no_edge); train on more data, "
            f"or set TRADE_WITHOUT_EDGE; served by {name}{passed}",
        )
    reasons = drifting["retraining"]["reasons"]
    if reasons:
        return _entry("WARNING", f"train again: {'; '.join(reasons)}")
    return _entry("OK", f"loaded, served by {name}{passed}")


def _risk(risk_manager: Any) -> dict[str, str]:
    problem = risk_manager.journal_problem
    if problem is not None:
        return _entry(
            "ERROR",
            f"the risk journal cannot be written ({problem}): entries are denied, exits go on; "
            "see to its folder and its disk",
        )
    status = "OK" if risk_manager.state == "ACTIVE" else "WARNING"
    return _entry(status, f"risk manager is {risk_manager.state}")


def _compiler(model: ServedModel | None) -> dict[str, str]:
    """Say whether the model could be compiled to a library, and whether that matters."""
    found, sentence = _c_compiler()
    needed = model is None or model.predictor.name == "lightgbm"
    return _entry(
        "OK" if found or not needed else "WARNING", f"Numba compiles the kernels; {sentence}"
    )


@lru_cache(maxsize=1)
def _c_compiler() -> tuple[bool, str]:
    """Look for a C compiler, once a process: it starts one."""
    try:
        return True, f"{find_compiler().command[0]} is there for libraries"
    except ModelError as error:
        return False, str(error)


def _inference(model: ServedModel | None, sessions: Sequence[Session]) -> dict[str, str]:
    if model is None:
        return _entry("WARNING", "nothing can be predicted without a model")
    unknown = [s.symbol for s in sessions if not model.knows(s.symbol)]
    count = f"{len(sessions)} sessions"
    if unknown:
        names = ", ".join(
            [*map(repr, unknown[:MOST_NAMES]), *["..."] * (len(unknown) > MOST_NAMES)]
        )
        count += f", {len(unknown)} of symbols that the model was not trained on ({names})"
    warming = [s for s in sessions if s.warm_up_remaining_s > 0.0]
    if warming:
        longest = max(s.warm_up_remaining_s for s in warming)
        return _entry(
            "OK",
            f"{count}, {len(warming)} warming up for at most "
            f"{longest:.0f} s more; warm_up(history) shortens it",
        )
    return _entry("OK", count)


def _data(
    performance: dict[str, Any], drifting: dict[str, Any], sessions: Sequence[Session]
) -> dict[str, str]:
    cumulative = [s.symbol for s in sessions if s.volume_is_cumulative]
    if cumulative:
        return _entry(
            "WARNING",
            f"volume of {', '.join(repr(name) for name in cumulative)} looks like a running "
            "total; give what was traded since the previous tick",
        )
    held = [alert for alert in drifting["alerts"] if "MAX_HELD_SHARE" in alert]
    if held:
        return _entry("WARNING", held[0])
    refused = performance["filter_counts"]["refused"]
    return _entry("OK", f"{drifting['count']} ticks judged, {refused} refused")


def _latency(statistics: dict[str, Any]) -> dict[str, str]:
    if not statistics["count"]:
        return _entry("OK", "nothing measured yet")
    message = f"p99 {statistics['p99_ms']:.4f} ms of a budget of {statistics['target_ms']:g} ms"
    return _entry("OK" if statistics["target_met"] else "WARNING", message)
