"""The command ``alphaseeker``: one verb a task.

Exit code 0 fine, 1 failed, 2 wrong use, 130 interrupted (Ctrl-C), 143 told to end (SIGTERM).
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any

import click
from click.core import ParameterSource

from alphaseeker import __version__
from alphaseeker.cli_backtest import backtest
from alphaseeker.cli_interrupt import (
    Interrupted,
    Terminated,
    following_stages,
    interrupts,
)
from alphaseeker.cli_options import (
    config_of,
    custom_of,
    engine_of,
    select_of,
    with_json,
    with_price_column,
    with_select,
    with_settings,
)
from alphaseeker.cli_serving import bench, export, predict, warmup
from alphaseeker.console import (
    evaluation_tables,
    factor_sentences,
    factor_table,
    feature_table,
    latency_table,
    progress,
    say,
    show_json,
    significance_sentence,
)
from alphaseeker.console_backtest import backtest_tables
from alphaseeker.demo import run_demo
from alphaseeker.engine import DEFAULT_MODEL_PATH
from alphaseeker.errors import AlphaSeekerError, ConfigError
from alphaseeker.features.catalogue import FAMILIES
from alphaseeker.features.choice import choose_features
from alphaseeker.features.documentation import features_table, render_catalogue
from alphaseeker.model.artifact import load_artifact

__all__ = ["app", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="alphaseeker")
def app() -> None:
    """Train on order-book data, and get calibrated BUY / HOLD / SELL signals and risk decisions."""


@app.command()
@click.argument("data")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_MODEL_PATH,
    show_default=True,
)
@click.option(
    "--resume", type=click.Path(path_type=Path), help="Model to go on from; DATA must be later."
)
@click.option(
    "--resume-mode",
    type=click.Choice(["refit", "warm"]),
    default="warm",
    show_default=True,
    help="Add trees to the model's own, or train anew on its columns and target.",
)
@with_select
@with_price_column
@with_settings
@with_json
def train(
    data: str,
    out: Path,
    resume: Path | None,
    resume_mode: str,
    select: str,
    price_col: str,
    config_path: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train a model on DATA (a CSV or Parquet file, a glob or a directory) and evaluate it."""
    given = click.get_current_context().get_parameter_source("resume_mode")
    if resume is None and given is not ParameterSource.DEFAULT:
        raise click.UsageError("--resume-mode needs --resume: name the model to go on from")
    engine = engine_of(config_path, settings)
    with progress(not as_json) as advance, following_stages(advance, out) as follow:
        outcome = engine.train_model(
            data,
            price_col,
            out,
            on_progress=follow,
            resume=resume,
            resume_mode=resume_mode,
            select=select_of(select),
        )
    if as_json:
        show_json(outcome)
        return
    results = outcome["results"]
    say(
        f"trained on {results['train_size']:,} rows, early stopping on {results['val_size']:,}, "
        f"{results['model_info']['n_features']} features, "
        f"{results['model_info']['best_iteration']} rounds"
    )
    _say_evaluation(results["evaluation_results"])
    _say_warnings(results)
    say(f"model   {outcome['model_path']}", f"report  {outcome['report_path']}")


def _say_warnings(results: dict[str, Any]) -> None:
    for warning in results["warnings"]:
        say(f"warning: {warning}")


def _say_evaluation(evaluation: dict[str, Any]) -> None:
    say(*evaluation_tables(evaluation))
    say(significance_sentence(evaluation["overfitting"]))
    say(f"verdict: {evaluation['verdict']}: {evaluation['verdict_reason']}")


@app.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--price-col", help="Column read as the last price; that of the training by default.")
@with_settings
@with_json
def evaluate(
    model: Path,
    data: str,
    price_col: str | None,
    config_path: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Evaluate MODEL on the rows of DATA that its training never saw."""
    engine = engine_of(config_path, settings)
    engine.load_model(model)
    evaluation = engine.evaluate(data, price_col)
    if as_json:
        show_json(evaluation)
        return
    held_back = evaluation["held_back"]
    say(
        f"held-back rows only: {held_back['rows_after']:,} from {held_back['from']} on; the "
        f"{held_back['rows_before']:,} rows before belong to the training and are left out"
    )
    _say_evaluation(evaluation)
    _say_warnings(evaluation)


@app.command("evaluate-factors")
@click.argument("data")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Rows of the table.",
)
@click.option(
    "--column", "columns", multiple=True, metavar="NAME", help="A column of DATA that is a factor."
)
@click.option(
    "--only-columns", is_flag=True, help="No features beside them; DATA then needs no quotes."
)
@with_price_column
@with_settings
@with_json
def evaluate_factors(
    data: str,
    most: int,
    columns: tuple[str, ...],
    only_columns: bool,
    price_col: str,
    config_path: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Grade every feature of DATA, AAA to E, as a predictor of the forward return.

    Writes reports/factors.json and reports/factors.html.
    """
    if only_columns and not columns:
        raise click.UsageError("--only-columns needs --column: name what is to be evaluated")
    engine = engine_of(config_path, settings)
    with progress(not as_json) as advance:
        result = engine.evaluate_factors(
            data,
            price_col,
            columns=columns,
            only_columns=only_columns,
            on_progress=lambda done, total: advance("factors", done, total),
        )
    if as_json:
        show_json(result)
        return
    if not result["quotes"]:
        say(f"no quotes: returns of {price_col!r}; the quoted spread counts as 0")
    say(
        factor_table(result["factor_results"], most=most),
        *factor_sentences(result["factor_results"]),
    )
    _say_warnings(result)
    say(
        f"report  {result['report_path']}",
        f"page    {result['page_path']}",
    )


@app.command()
@click.option("--family", type=click.Choice(FAMILIES), help="One family only.")
@click.option("--markdown", is_flag=True, help="Print docs/features.md.")
@with_json
def features(family: str | None, markdown: bool, as_json: bool) -> None:
    """List the feature catalogue: names, units, history, inputs, formulas, sources."""
    if markdown:
        sys.stdout.write(render_catalogue())
        return
    rows = features_table(choose_features(families=None if family is None else [family]))
    if as_json:
        show_json(rows)
        return
    say(feature_table(rows))


@app.command()
@click.argument("data")
@click.option(
    "--leaks",
    "model",
    type=click.Path(path_type=Path),
    metavar="MODEL",
    help="Look for leaks in DATA and in the columns that MODEL reads, too.",
)
@click.option(
    "--custom",
    multiple=True,
    metavar="MODULE",
    help="Module or Python file with custom and frame features; for --leaks.",
)
@click.option("--price-col", help="Column read as the last price; close, or that of MODEL.")
@with_settings
@with_json
def doctor(
    data: str,
    model: Path | None,
    custom: tuple[str, ...],
    price_col: str | None,
    config_path: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what the quality gate finds in DATA; exit code 1 where training would refuse it.

    With --leaks it is 1, too, where a column knows what it cannot have known. A check marked -- had
    too little to judge by.
    """
    if custom and model is None:
        raise click.UsageError("--custom is for the checks of --leaks MODEL: give that, too")
    from alphaseeker.market.quality import QualityAccumulator, enforce
    from alphaseeker.market.readers import iter_ticks

    config = config_of(config_path, settings)
    artifact = None if model is None else load_artifact(model)
    known = "close" if artifact is None else str(artifact.training.get("price_col", "close"))
    limits = {"max_gap_s": config.inference.MAX_GAP_S, "max_jump": config.inference.MAX_JUMP}
    accumulator = QualityAccumulator(data, **limits)
    for piece in iter_ticks(data, price_col=price_col or known, chunk_rows=config.data.CHUNK_ROWS):
        accumulator.update(piece)
    report = accumulator.report()
    if artifact is None:
        if as_json:
            show_json(report.as_dict())
        else:
            say(str(report))
        enforce(report, config.data)
        return
    if not as_json:
        say(str(report))
    enforce(report, config.data)
    from alphaseeker.training.leaks import find_leaks

    findings = find_leaks(artifact, data, config, price_col=price_col, custom=custom_of(custom))
    if as_json:
        show_json({**report.as_dict(), "leaks": [finding.as_dict() for finding in findings]})
    else:
        say(
            *(
                f"{_mark(finding.passed, finding.judged)} {finding.check}: {finding.sentence}"
                for finding in findings
            )
        )
    if not all(finding.passed for finding in findings):
        click.get_current_context().exit(1)


def _mark(passed: bool, judged: bool) -> str:
    if not judged:
        return "--  "
    return "ok  " if passed else "LEAK"


@app.command()
@click.option(
    "--rows",
    type=click.IntRange(5_000, 5_000_000),
    default=86_400,
    show_default=True,
    help="Simulated seconds.",
)
@click.option("--seed", default=7, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@with_json
def demo(rows: int, seed: int, out: Path, as_json: bool) -> None:
    """Run the main job on SIMULATED data: train, load, replay tick by tick, manage the risk."""
    with progress(not as_json) as advance:
        result = run_demo(rows=rows, seed=seed, folder=out, on_progress=advance)
    if as_json:
        show_json(result)
        return
    say(
        f"SIMULATED market, {rows:,} seconds, seed {seed}: the software works as shown; the "
        "figures say nothing about real profit",
    )
    _say_evaluation(result["evaluation"])
    say(factor_table(result["factors"], most=10))
    say(latency_table(result["performance"]))
    say(result["summary"])
    say(*backtest_tables(result["backtest"]["metrics"], []))
    say(
        f"model     {result['model_path']}",
        f"report    {result['report_path']}",
        f"factors   {result['factor_page']}",
        f"backtest  {result['backtest_page']}",
    )


for verb in (predict, backtest, warmup, bench, export):
    app.add_command(verb)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    logging.getLogger("alpha_seeker_ml").setLevel(logging.ERROR)
    try:
        with interrupts():
            code = app(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except Interrupted as stop:
        click.echo(str(stop), err=True)
        sys.exit(stop.exit_code)
    except click.Abort as stop:
        click.echo("interrupted; nothing half-done was left behind", err=True)
        sys.exit(128 + (SIGTERM if isinstance(stop.__cause__, Terminated) else SIGINT))
    except ConfigError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except (AlphaSeekerError, OSError, MemoryError) as error:
        click.echo(f"error: {str(error) or type(error).__name__}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
