"""The verb ``backtest``: a model, or the folds of a training, traded over recorded ticks."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from alphaseeker.backtest.run import Backtest
from alphaseeker.cli_options import (
    custom_of,
    engine_of,
    select_of,
    with_json,
    with_select,
    with_settings,
)
from alphaseeker.console import progress, say, show_json
from alphaseeker.console_backtest import backtest_lines, backtest_tables
from alphaseeker.features.custom import CustomFeature
from alphaseeker.report.backtest_page import write_backtest_page

__all__ = ["backtest"]


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="[MODEL] DATA")
@click.option(
    "--walk-forward",
    is_flag=True,
    help="Train by folds on DATA, and trade each fold's model on its test part; takes no MODEL.",
)
@click.option("--latency-ms", type=float, help="From a tick to the fill of what it led to.")
@click.option("--equity", type=float, help="At the start.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for trades, equity and fills as Parquet, metrics.json and report.html.",
)
@click.option("--price-col", help="Column read as the last price; that of the training by default.")
@click.option(
    "--custom",
    multiple=True,
    metavar="MODULE",
    help="Module or Python file with custom features: those of MODEL, or of the folds to train.",
)
@with_select
@with_settings
@with_json
def backtest(
    sources: tuple[str, ...],
    walk_forward: bool,
    latency_ms: float | None,
    equity: float | None,
    out: Path | None,
    price_col: str | None,
    custom: tuple[str, ...],
    select: str,
    config_path: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Trade the signals of MODEL on DATA as the live engine would, with fees, spread and latency.

    Every symbol of DATA trades on one account. With --walk-forward nothing that is traded was
    trained on. --select is that of train, for --walk-forward.
    """
    wanted = 1 if walk_forward else 2
    if len(sources) != wanted:
        needs = "DATA alone" if walk_forward else "MODEL and DATA"
        raise click.UsageError(f"give {needs}; {len(sources)} arguments were given")
    columns = select_of(select)
    if columns is not None and not walk_forward:
        raise click.UsageError("--select is for --walk-forward: MODEL has its columns")
    engine = engine_of(config_path, settings)
    for feature in custom_of(custom):
        # A frame feature is refused there: it cannot be served.
        engine.register_feature(feature.name, cast(CustomFeature, feature))
    test = Backtest(engine)
    with progress(not as_json) as advance:
        if walk_forward:
            result = test.walk_forward(
                sources[0],
                select=columns,
                price_col=price_col or "close",
                latency_ms=latency_ms,
                equity=equity,
                on_progress=advance,
            )
        else:
            engine.load_model(Path(sources[0]))
            result = test.run(
                sources[1],
                price_col=price_col,
                latency_ms=latency_ms,
                equity=equity,
                on_progress=advance,
            )
    paths = {}
    if out is not None:
        paths = {name: str(path) for name, path in result.to_parquet(out).items()}
        page = write_backtest_page(out / "report.html", result, source=sources[-1])
        paths["report"] = str(page)
    plain = result.as_dict()
    if as_json:
        show_json({**plain, "paths": paths})
        return
    say(*backtest_tables(result.metrics, result.folds))
    say(*backtest_lines(plain))
    for name, path in paths.items():
        say(f"{name:<9}{path}")
