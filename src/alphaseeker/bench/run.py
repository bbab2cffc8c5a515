"""The whole measurement: ours and the peers in one run, in turn, and what a start costs."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.bench.peers import BOOSTER, peers_of
from alphaseeker.bench.reference import reference_artifact
from alphaseeker.bench.start import time_start
from alphaseeker.bench.streams import Streams, streams_of
from alphaseeker.bench.timing import (
    Contender,
    clock_facts,
    quantiles_us,
    time_in_turn,
    watched_disturbances,
)
from alphaseeker.config import Config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import StateError
from alphaseeker.model.artifact import ModelArtifact, load_artifact, save_artifact
from alphaseeker.model.lightgbm_text import validate_model_text

__all__ = ["PREDICT", "UPDATE", "run_bench"]

UPDATE = "Session.update"
PREDICT = "engine.predict(dict)"
HISTORY_ROWS = 2_000
ROUNDS = 20
READY_ROWS = 10_000  # of features, for the peers: 10 MB for 250 columns
REPLAYS = 3
PACKAGES = ("alphaseeker", "numpy", "numba", "lightgbm", "treelite", "tl2cgen")
STAGE_KEYS = {"p50": "median", "p99": "p99", "p999": "p999", "max": "max", "mean": "mean"}


def run_bench(
    *,
    model: str | Path | None,
    ticks: int,
    config: Config,
    reference: Callable[..., ModelArtifact] = reference_artifact,
    on_progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> dict[str, Any]:
    """Measure predictions on this machine, on SIMULATED ticks.

    Parameters
    ----------
    model
        Path of a model file; None fits one of the reference size.
    ticks
        Calls of each way to a prediction.
    config
        ``INFERENCE_CONFIG`` is what serves.
    reference
        Fits the model where none is given.
    on_progress
        Called with a stage, steps done and steps in all.

    Returns
    -------
    dict
        Plain and safe for JSON:

        - ``simulated`` (True), ``ticks``, ``machine``, ``clock``, ``model``
        - ``disturbances``: the garbage collector stays on and other processes run on, and what
          they take falls into whichever call is under way; see ``watched_disturbances``
        - ``calls``: by way, ``count, mean_us, p50_us, p99_us, p999_us, max_us`` and
          ``times_as_fast`` as LightGBM's ``Booster.predict``, by the medians
        - ``stages`` of ``Session.update`` as it times itself, the same keys, over as many ticks as
          ``count`` says; ``cache_hits`` among all of them
        - ``start``: see ``bench.start.time_start``
        - ``replay``: rows a second of ``predict_batch``, and of ``Booster.predict`` on the matrix
        - ``budget``: what TARGET_LATENCY_MS leaves
        - ``skipped``: peers left out, and why

    Raises
    ------
    ModelError
        The model cannot be loaded.
    StateError
        The model's columns have not their history after the warm-up.
    """
    with tempfile.TemporaryDirectory(prefix="alphaseeker-bench-") as folder:
        path = None if model is None else Path(model)
        if path is None:
            on_progress("fit", 0, 1)
            path = save_artifact(reference(config=config), Path(folder) / "reference.joblib")
            on_progress("fit", 1, 1)
        return _measure(path, model, ticks, config, Path(folder), on_progress)


def _measure(
    path: Path,
    given: str | Path | None,
    ticks: int,
    config: Config,
    folder: Path,
    report: Callable[[str, int, int], None],
) -> dict[str, Any]:
    report("load", 0, 1)
    artifact = load_artifact(path)
    begin = perf_counter()
    engine, other = AlphaSeekerMLEngine(config), AlphaSeekerMLEngine(config)
    engine.load_model(path)
    load_s = perf_counter() - begin
    other.load_model(path)
    report("load", 1, 1)
    streams = streams_of(engine, history_rows=HISTORY_ROWS, ticks=ticks)
    rows = _ready_rows(engine, streams)
    report("peers", 0, 1)
    peers, skipped, booster = peers_of(artifact.model_text, rows, folder)
    report("peers", 1, 1)
    report("start", 0, 1)
    start = _start(path, config)
    report("start", 1, 1)
    for one in (engine, other):
        _warm_up(one, streams)
    session = engine.session(streams.symbol)
    contenders = {
        UPDATE: Contender(call=session.update, arguments=streams.arguments),
        PREDICT: Contender(
            call=partial(other.predict, replay=True),
            arguments=[(tick,) for tick in streams.dictionaries],
        ),
        **peers,
    }
    with watched_disturbances() as disturbances:
        spent = time_in_turn(
            contenders,
            calls=ticks,
            rounds=min(ROUNDS, ticks),
            on_round=lambda done, total: report("measure", done, total),
        )
    calls = {name: quantiles_us(times) for name, times in spent.items()}
    for row in calls.values():
        row["times_as_fast"] = calls[BOOSTER]["p50_us"] / row["p50_us"]
    performance = engine.get_performance_stats()["inference_performance"]
    return {
        "simulated": True,
        "ticks": ticks,
        "machine": _machine(),
        "clock": clock_facts(),
        "disturbances": disturbances,
        "model": _model_facts(artifact, given, engine, load_s),
        "calls": calls,
        "stages": _stages(performance["latency_stats"]),
        "cache_hits": performance["cache_hits"],
        "start": start,
        "replay": _replay(engine, booster, rows, streams, report),
        "budget": _budget(config.inference.TARGET_LATENCY_MS, calls),
        "skipped": skipped,
    }


def _warm_up(engine: AlphaSeekerMLEngine, streams: Streams) -> None:
    """Forget the stream and the counters, and take the history in."""
    engine.clear_history()
    for symbol, state in engine.warm_up(streams.history).items():
        if not state["ready"]:
            raise StateError(
                f"{len(streams.history):,} s of history do not warm the model up for {symbol!r}: "
                f"{state['warm_up_remaining_s']:g} s are missing; lower READY_HISTORY_S"
            )


def _ready_rows(engine: AlphaSeekerMLEngine, streams: Streams) -> npt.NDArray[np.float32]:
    """Return the model's columns at the measured ticks, shape (n, k), in order of time."""
    _warm_up(engine, streams)
    session = engine.session(streams.symbol)
    count = min(READY_ROWS, len(streams.arguments))
    rows = np.empty((count, len(session.features)), dtype=np.float32)
    for number, given in enumerate(streams.arguments[:count]):
        session.update(*given)
        rows[number] = session.features
    return rows


def _start(path: Path, config: Config) -> dict[str, Any]:
    """Time a start in a process of its own; say why where that cannot be."""
    try:
        return time_start(path, asdict(config.inference))
    except StateError as error:
        return {"failed": str(error)}


def _stages(latency: dict[str, Any]) -> dict[str, dict[str, float | int]]:
    """Return the stages as the session itself timed them, and their total."""
    return {
        name: {
            "count": row["count"],
            **{f"{key}_us": 1e3 * row[f"{word}_ms"] for key, word in STAGE_KEYS.items()},
        }
        for name, row in {**latency["stages"], "total": latency}.items()
    }


def _replay(
    engine: AlphaSeekerMLEngine,
    booster: Any,
    rows: npt.NDArray[np.float32],
    streams: Streams,
    report: Callable[[str, int, int], None],
) -> dict[str, Any]:
    """Return rows a second of the quickest of a few replays, each beside LightGBM's own."""
    ours, matrix = [], []
    for number in range(REPLAYS):
        report("replay", number, REPLAYS)
        begin = perf_counter()
        answers = engine.predict_batch(streams.frame)
        ours.append(perf_counter() - begin)
        begin = perf_counter()
        booster.predict(rows, num_threads=1)
        matrix.append(perf_counter() - begin)
    report("replay", REPLAYS, REPLAYS)
    return {
        "rows": len(answers),
        "predict_batch_rows_per_s": len(answers) / min(ours),
        "booster_rows_per_s": len(rows) / min(matrix),
    }


def _budget(target_ms: float, calls: dict[str, dict[str, float | int]]) -> dict[str, float | bool]:
    """Return what the target leaves of a decision by ``engine.predict``."""
    row = calls[PREDICT]
    return {
        "target_ms": target_ms,
        "left_at_p50_ms": target_ms - row["p50_us"] / 1e3,
        "left_at_p99_ms": target_ms - row["p99_us"] / 1e3,
        "left_at_worst_ms": target_ms - row["max_us"] / 1e3,
        "share_used_at_p99": row["p99_us"] / 1e3 / target_ms,
        "met": row["p99_us"] / 1e3 <= target_ms,
    }


def _model_facts(
    artifact: ModelArtifact, given: str | Path | None, engine: AlphaSeekerMLEngine, load_s: float
) -> dict[str, Any]:
    shape = validate_model_text(artifact.model_text)
    info = engine.get_performance_stats()["model_info"]
    return {
        "path": None if given is None else str(given),
        "trees": shape.n_trees,
        "most_leaves": shape.max_leaves,
        "features": shape.n_features,
        "backend": info["backend"],
        "passed_over": info["passed_over"],
        "load_s": load_s,
    }


def _machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except ModuleNotFoundError:  # PackageNotFoundError is one
        return ""


def _processor() -> str:
    """Return the processor's name as Linux tells it, or what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())
