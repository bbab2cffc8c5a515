"""A start in a process of its own: imports, loading a model, the first tick, the first prediction.

``python -m alphaseeker.bench.start`` reads ``{"model", "inference"}`` as JSON from standard input
and prints what it took; ``time_start`` runs that.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any

from alphaseeker.errors import StateError

__all__ = ["main", "time_start"]

TIMEOUT_S = 600.0
HISTORY_ROWS = 1_500
TICKS = 3


def time_start(model: str | Path | None, inference: Mapping[str, Any]) -> dict[str, Any]:
    """Start a process that loads ``model`` and predicts, and return what it took.

    Parameters
    ----------
    model
        Path of a model file; None compiles or loads the kernels alone.
    inference
        ``INFERENCE_CONFIG`` as plain values.

    Returns
    -------
    dict
        ``import_s``, ``ready_s`` (kernels, and with a model its loading and verification), and
        with a model ``first_tick_us`` (of a stream; the model is not asked yet),
        ``first_prediction_us`` and ``first_predict_us`` (the first one that asks the model, by
        ``Session.update`` and by ``engine.predict``), each with ``second_`` beside it.

    Raises
    ------
    StateError
        The process could not be started, failed or took longer than ten minutes.
    """
    request = {"model": None if model is None else str(model), "inference": dict(inference)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "alphaseeker.bench.start"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StateError(f"a process to time the start failed: {error}") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise StateError(
            f"a process to time the start ended with exit code {done.returncode}: {lines[-1]}"
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Do what standard input asks for and print the times as one line of JSON."""
    logging.getLogger("alpha_seeker_ml").setLevel(logging.ERROR)
    request = json.loads(sys.stdin.read())
    begin = perf_counter()
    from alphaseeker.config import load_config
    from alphaseeker.engine import AlphaSeekerMLEngine

    times: dict[str, float] = {"import_s": perf_counter() - begin}
    begin = perf_counter()
    if request["model"] is None:
        from alphaseeker.inference.warm import compile_kernels

        compile_kernels()
        times["ready_s"] = perf_counter() - begin
    else:
        engine = AlphaSeekerMLEngine(load_config(None, request["inference"]))
        engine.load_model(request["model"])
        times["ready_s"] = perf_counter() - begin
        times.update(_first_calls(engine))
    sys.stdout.write(json.dumps(times) + "\n")


def _first_calls(engine: Any) -> dict[str, float]:
    """Return what the first and the second call of each kind took, in µs."""
    from alphaseeker.bench.streams import streams_of

    streams = streams_of(engine, history_rows=HISTORY_ROWS, ticks=3 * TICKS)
    arguments, dictionaries = streams.arguments, streams.dictionaries
    session = engine.session(streams.symbol)
    times = _two(session.update, arguments[:2], "tick")
    session.reset()
    engine.warm_up(streams.history)
    times |= _two(session.update, arguments[TICKS : TICKS + 2], "prediction")

    def predict(tick: Mapping[str, Any]) -> None:
        engine.predict(tick, replay=True)

    return times | _two(predict, [(tick,) for tick in dictionaries[2 * TICKS :][:2]], "predict")


def _two(call: Any, arguments: Any, name: str) -> dict[str, float]:
    times = {}
    for which, given in zip(("first", "second"), arguments, strict=True):
        begin = perf_counter_ns()
        call(*given)
        times[f"{which}_{name}_us"] = (perf_counter_ns() - begin) / 1e3
    return times


if __name__ == "__main__":
    main()
