"""Verbs about a trained model at work: its signals, its readiness, its speed, its export."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from alphaseeker.cli_options import config_of, engine_of, with_json, with_settings
from alphaseeker.console import call_tables, progress, say, show_json
from alphaseeker.errors import StateError

__all__ = ["bench", "export", "predict", "warmup"]


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write one JSON object a row.",
)
@click.option("--price-col", help="Column read as the last price; that of the training by default.")
@with_settings
@with_json
def predict(
    model: Path,
    data: str,
    out: Path | None,
    price_col: str | None,
    config_path: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Give the signals of MODEL on every row of DATA, as one time series a symbol."""
    engine = engine_of(config_path, settings)
    engine.load_model(model)
    answers = engine.predict_batch(data, price_col=price_col)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(answer) + "\n" for answer in answers)
    if as_json:
        show_json(answers if out is None else {"rows": len(answers), "out": str(out)})
        return
    counts: dict[str, int] = {}
    for answer in answers:
        name = answer["filter_reason"] or answer["signal_label"]
        counts[name] = counts.get(name, 0) + 1
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        say(f"{count:>12,}  {name}")
    if out is not None:
        say(f"signals  {out}")


@click.command()
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option(
    "--clean", is_flag=True, help="First delete feature matrices, and what other versions compiled."
)
@with_settings
@with_json
def warmup(
    model: Path | None,
    clean: bool,
    config_path: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compile every kernel ahead; with MODEL, compile, load and verify its predictor too.

    Then a new process does the same: that is what a bot's start takes from now on.
    """
    from alphaseeker._jit import cache_status, clear_cache
    from alphaseeker.bench.start import time_start
    from alphaseeker.features.matrix_store import clear_matrices
    from alphaseeker.inference.warm import compile_kernels

    engine = engine_of(config_path, settings)
    removed = clear_cache(stale_only=True) if clean else 0
    matrices = clear_matrices() if clean else 0
    result: dict[str, Any] = {"compile_s": compile_kernels(), "load_s": None, "backend": None}
    if model is not None:
        begin = perf_counter()
        with progress(not as_json) as advance:
            engine.load_model(model, on_progress=advance)
        result["load_s"] = perf_counter() - begin
        result["backend"] = engine.get_performance_stats()["model_info"]["backend"]
    try:
        warm = time_start(model, asdict(engine.config.inference))
        result |= {"warm_import_s": warm["import_s"], "warm_ready_s": warm["ready_s"]}
        again = f"{warm['import_s']:.2f} s of imports and {warm['ready_s']:.2f} s to be ready"
    except StateError as error:
        result |= {"warm_import_s": None, "warm_ready_s": None}
        again = f"not known: {error}"
    result |= {"cache": cache_status()[1], "stale_folders_removed": removed}
    result["matrices_removed"] = matrices
    if as_json:
        show_json(result)
        return
    if clean:
        say(f"deleted     {matrices} feature matrices, {removed} folders of other versions")
    say(f"kernels     ready after {result['compile_s']:.2f} s; {result['cache']}")
    if model is not None:
        say(f"model       loaded and verified in {result['load_s']:.2f} s, {result['backend']}")
    say(f"next start  {again}")


@click.command()
@click.option("--model", type=click.Path(path_type=Path), help="Model file; else one is fitted.")
@click.option(
    "--ticks",
    type=click.IntRange(100, 200_000),
    default=20_000,
    show_default=True,
    help="Calls of each way to a prediction.",
)
@with_settings
@with_json
def bench(
    model: Path | None,
    ticks: int,
    config_path: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure predictions on this machine, beside the predictors of LightGBM and Treelite.

    All ticks are SIMULATED. Without --model, one of 100 rounds of 3 trees of 31 leaves is fitted.
    """
    from alphaseeker.bench.run import run_bench

    config = config_of(config_path, settings)
    with progress(not as_json) as advance:
        result = run_bench(model=model, ticks=ticks, config=config, on_progress=advance)
    if as_json:
        show_json(result)
        return
    say(*call_tables(result))
    say(*_bench_lines(result))


def _bench_lines(result: dict[str, Any]) -> list[str]:
    """Say in words what no table holds."""
    facts, machine, clock = result["model"], result["machine"], result["clock"]
    start, replay, budget = result["start"], result["replay"], result["budget"]
    disturbed = result["disturbances"]
    lines = [
        f"model    {facts['path'] or 'fitted to SIMULATED ticks'}: {facts['trees']} trees of up to "
        f"{facts['most_leaves']} leaves, {facts['features']} features, served by "
        f"{facts['backend']}; {result['cache_hits']:,} of {result['ticks']:,} ticks kept the "
        "scores of the one before",
        *(f"passed over: {reason}" for reason in facts["passed_over"]),
        f"start    {_start_line(start)}",
        f"replay   predict_batch {replay['predict_batch_rows_per_s']:,.0f} rows a second, from "
        f"ticks to answers; Booster.predict {replay['booster_rows_per_s']:,.0f} rows a second, on "
        "a ready matrix and one thread",
        f"budget   {budget['target_ms']:g} ms: engine.predict leaves "
        f"{budget['left_at_p99_ms']:.3f} ms at p99 and {budget['left_at_worst_ms']:.3f} ms at "
        "worst",
        f"clock    {clock['name']}, least step {clock['least_step_ns']} ns; each time holds "
        f"{clock['overhead_ns']:.0f} ns of reading it",
        f"tails    hold what was none of a call's doing: the system took the processor away "
        f"{disturbed['preempted']:,} times, Python's garbage collector ran in full "
        f"{disturbed['full_collections']} times and paused a call for at most "
        f"{disturbed['longest_pause_ms']:.1f} ms",
        f"machine  {machine['processor']}, {machine['cores']} cores, Python {machine['python']}, "
        f"NumPy {machine['numpy']}, Numba {machine['numba']}, LightGBM {machine['lightgbm']}",
    ]
    lines += [f"left out {name}: {reason}" for name, reason in result["skipped"].items()]
    return lines


def _start_line(start: dict[str, Any]) -> str:
    if "failed" in start:
        return str(start["failed"])
    return (
        f"in a new process {start['import_s']:.2f} s of imports, {start['ready_s']:.2f} s to load "
        f"and verify; first tick {start['first_tick_us']:.0f} µs, first prediction by "
        f"Session.update {start['first_prediction_us']:.0f} µs (second "
        f"{start['second_prediction_us']:.0f}), by engine.predict "
        f"{start['first_predict_us']:.0f} µs (second {start['second_predict_us']:.0f})"
    )


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["c", "lightgbm"]),
    required=True,
    help="C source, header and shared library, or LightGBM's text model.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder; created where it is missing.",
)
@with_json
def export(model: Path, to: str, out: Path, as_json: bool) -> None:
    """Write MODEL for other programs and languages."""
    from alphaseeker.model.export import export_model

    with progress(not as_json) as advance:
        result = export_model(model, to, out, on_progress=advance)
    if as_json:
        show_json(result)
        return
    for name in result["files"]:
        say(f"wrote {out / name}")
