"""Tables and progress bars of the command line, and the JSON beside them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

__all__ = [
    "calibration_table",
    "call_tables",
    "evaluation_tables",
    "factor_sentences",
    "factor_table",
    "feature_table",
    "fold_table",
    "grid",
    "importance_table",
    "latency_table",
    "progress",
    "say",
    "show_json",
    "significance_sentence",
]

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)
STAGE_NAMES = {
    "read": "reading",
    "features": "computing features",
    "select": "selecting features",
    "search": "searching parameters",
    "fit": "fitting trees",
    "calibrate": "calibrating",
    "evaluate": "evaluating",
    "factors": "grading factors",
    "generate": "writing C",
    "compile": "compiling",
    "link": "linking",
    "load": "loading the model",
    "peers": "compiling Treelite's",
    "start": "timing a start",
    "measure": "timing calls",
    "replay": "replaying",
    "judge": "judging rows",
    "trade": "trading",
}
NOT_JUDGED = "not judged"
# What the notes of ``training.significance`` hold where it has put 0 for what it cannot compute.
NO_RATIO = ("no Sharpe ratio is judged", "too few to judge a Sharpe ratio")
NO_CHOICE = ("too few to say whether their choice", "none was better than another")
QUANTILES = {"p50_us": "p50", "p99_us": "p99", "p999_us": "p99.9", "max_us": "max"}


def say(*parts: Any) -> None:
    """Print to standard output; a pipe gets the full width, not a terminal's."""
    console = OUT if OUT.is_terminal else Console(highlight=False, width=160)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str), markup=False)


def show_json(value: Any) -> None:
    """Print plain data as JSON."""
    sys.stdout.write(json.dumps(value, indent=1) + "\n")


@contextmanager
def progress(enabled: bool) -> Iterator[Any]:
    """Yield a callback of (stage, done, total) that draws bars on a terminal's stderr.

    Anywhere but on a terminal it draws nothing.
    """
    if not (enabled and ERR.is_terminal):
        yield lambda stage, done, total: None
        return
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=ERR, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(STAGE_NAMES.get(stage, stage), total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield advance


def grid(title: str, *headings: str) -> Table:
    """Return an empty table: text in the first column, numbers to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right")
    return table


def _interval(bounds: Sequence[float] | None) -> str:
    return f"{bounds[0]:+.4f} .. {bounds[1]:+.4f}" if bounds else ""


def evaluation_tables(evaluation: Mapping[str, Any]) -> list[Table]:
    """Return the model beside its baselines, its folds, and what trading would have brought."""
    table = grid(
        f"held-back rows: {evaluation['n_rows']:,} in {_folds(evaluation)}",
        "",
        "log-loss skill (nats)",
        "95 % interval",
        "IC",
        "95 % interval",
        "MCC",
        "95 % interval",
    )
    rows = {"model": evaluation, **evaluation["baselines"]}
    for name, metrics in rows.items():
        bounds = metrics.get("intervals", {})
        cells = []
        for key in ("log_loss_skill", "ic", "mcc"):
            cells += [f"{metrics[key]:+.4f}", _interval(bounds.get(key))]
        table.add_row(name.replace("_", " "), *cells)
    money = grid("after costs", "trades", "net bp a trade", "95 % interval", "break-even bp a side")
    money.add_row(
        str(evaluation["n_trades"]),
        f"{evaluation['net_return_bp']:+.2f}",
        _interval(evaluation["intervals"].get("net_return_bp")),
        f"{evaluation['break_even_cost_bp']:+.2f}",
    )
    tables = [table, money, calibration_table(evaluation), importance_table(evaluation)]
    if len(evaluation["folds"]) > 1:
        tables.insert(1, fold_table(evaluation))
    return tables


def significance_sentence(worth: Mapping[str, Any]) -> str:
    """Say what the Sharpe ratio is worth, and how likely the choice was overfitted.

    Parameters
    ----------
    worth
        ``overfitting`` of an evaluation. What could not be computed is 0 there, and its ``note``
        says why: 0 would read as the best or the worst possible.
    """
    note = worth["note"]
    no_ratio = worth["deflated_sharpe"] == 0.0 and any(reason in note for reason in NO_RATIO)
    no_choice = worth["pbo"] == 0.0 and any(reason in note for reason in NO_CHOICE)
    deflated = NOT_JUDGED if no_ratio else f"{worth['deflated_sharpe']:.3f}"
    pbo = NOT_JUDGED if no_choice or worth["trials"] < 2 else f"{worth['pbo']:.2f}"
    return (
        f"Sharpe of {worth['cells']} cells of time ({worth['returns_of']}): "
        f"{worth['sharpe']:+.3f} a cell, deflated {deflated} ({worth['trials']} tried), "
        f"probability of overfitting {pbo}" + (f"; {note}" if note else "")
    )


def _folds(evaluation: Mapping[str, Any]) -> str:
    count = len(evaluation["folds"])
    named = "1 part" if count == 1 else f"{count} folds"
    paths = evaluation["n_paths"]
    return named if paths == 1 else f"{named}, means over {paths} paths"


def fold_table(evaluation: Mapping[str, Any]) -> Table:
    """Return a line for each fold, and the whole below."""
    table = grid(
        "by fold",
        "from",
        "rows",
        "skill",
        "IC",
        "MCC",
        "ECE",
        "by chance below",
        "skill of the logistic",
        "IC of it",
        "trades",
        "net bp",
    )
    for row in (*evaluation["folds"], evaluation):
        logistic = row["baselines"].get("logistic")
        rival = ["", ""]
        if logistic is not None:
            rival = [f"{logistic['log_loss_skill']:+.4f}", f"{logistic['ic']:+.4f}"]
        start = datetime.fromtimestamp(row["start_ns"] // 10**9, UTC)
        table.add_row(
            "all" if row is evaluation else start.strftime("%Y-%m-%d %H:%M:%S"),
            f"{row['n_rows']:,}",
            f"{row['log_loss_skill']:+.4f}",
            f"{row['ic']:+.4f}",
            f"{row['mcc']:+.4f}",
            f"{row['ece']:.4f}",
            f"{row['ece_limit']:.4f}" if "ece_limit" in row else "",
            *rival,
            str(row["n_trades"]),
            f"{row['net_return_bp']:+.2f}",
        )
    return table


def calibration_table(evaluation: Mapping[str, Any]) -> Table:
    """Return how often SELL and BUY came where they were given a probability."""
    chance = evaluation.get("ece_limit")
    known = "" if chance is None else f", by chance below {chance:.4f}"
    table = grid(
        f"calibration (error {evaluation['ece']:.4f}{known})",
        "probability",
        "SELL rows",
        "given",
        "came",
        "BUY rows",
        "given",
        "came",
    )
    curves = {
        name: {bin_["low"]: bin_ for bin_ in evaluation["calibration_curve"][name]}
        for name in ("SELL", "BUY")
    }
    bins = {low: bin_ for curve in curves.values() for low, bin_ in curve.items()}
    for low in sorted(bins):
        cells = []
        for curve in curves.values():
            found = curve.get(low)
            cells += (
                ["", "", ""]
                if found is None
                else [
                    f"{found['count']:,}",
                    f"{found['mean_predicted']:.3f}",
                    f"{found['observed']:.3f}",
                ]
            )
        table.add_row(f"{low:.2f} .. {bins[low]['high']:.2f}", *cells)
    return table


def importance_table(evaluation: Mapping[str, Any], *, most: int = 10) -> Table:
    """Return the features of the largest gain."""
    rows = evaluation["importance"]
    table = grid(
        f"importance, the first {min(most, len(rows))} of {len(rows)} features",
        "feature",
        "share of the gain",
        "loss held back without it (nats)",
    )
    for row in rows[:most]:
        table.add_row(row["feature"], f"{row['gain_share']:.1%}", f"{row['permutation']:+.5f}")
    return table


def factor_table(results: Sequence[Mapping[str, Any]], *, most: int = 20) -> Table:
    """Return the best factors with their grades."""
    clustered = all("redundant_with" in row for row in results)
    table = grid(
        f"factors, the best {min(most, len(results))} of {len(results)}",
        "factor",
        "grade",
        "IC",
        "t",
        "p (Bonferroni)",
        "spread bp",
        "net bp",
        "Sharpe",
        *(["same as"] if clustered else []),
    )
    for row in results[:most]:
        table.add_row(
            row["factor_name"],
            row["grade"],
            f"{row['ic']:+.4f}",
            f"{row['ic_t']:+.2f}",
            f"{row['p_value_bonferroni']:.2g}",
            f"{row['return_spread_bp']:+.3f}",
            f"{row['return_spread_net_bp']:+.3f}",
            f"{row['sharpe']:+.2f}",
            *([row["redundant_with"] or ""] if clustered else []),
        )
    return table


def factor_sentences(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return how many factors are significant and differ, and why some could not be measured."""
    good = [row for row in results if row["significant"]]
    different = len({row["cluster"] for row in good})
    said = [
        f"{len(good)} of {len(results)} significant after Bonferroni's correction and confirmed by "
        f"trading on the past; {different} without repeats"
    ]
    unmeasured: dict[str, list[str]] = {}
    for row in results:
        if not row["n_blocks"]:
            unmeasured.setdefault(row["reason"], []).append(row["factor_name"])
    for reason, names in unmeasured.items():
        others = f" and {len(names) - 3} more" if len(names) > 3 else ""
        said.append(f"not measured: {', '.join(names[:3])}{others} ({reason})")
    return said


def feature_table(features: Sequence[Mapping[str, Any]]) -> Table:
    """Return the catalogue as a table."""
    table = Table(title=f"{len(features)} features", title_justify="left", title_style="bold")
    for heading in ("name", "unit", "history s", "needs", "formula", "source"):
        table.add_column(heading, overflow="fold")
    for row in features:
        table.add_row(
            row["name"],
            row["unit"],
            str(row["history_s"]),
            _needs(row),
            row["formula"],
            row["source"],
        )
    return table


def _needs(feature: Mapping[str, Any]) -> str:
    """Say what a column needs beside the seven required inputs."""
    levels = f" ({feature['levels']} levels)" if feature["levels"] else ""
    return ", ".join(feature["inputs"]) + levels


def latency_table(performance: Mapping[str, Any]) -> Table:
    """Return the latency of every stage in microseconds."""
    latency = performance["latency_stats"]
    table = grid(
        f"latency of {latency['count']:,} predictions, µs",
        "stage",
        "median",
        "mean",
        "p95",
        "p99",
        "p99.9",
        "max",
    )
    for name, row in {**latency["stages"], "total": latency}.items():
        keys = ("median_ms", "mean_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms")
        table.add_row(name, *(f"{1000 * row[key]:.1f}" for key in keys))
    return table


def call_tables(result: Mapping[str, Any]) -> list[Table]:
    """Return what ``run_bench`` measured of single calls: each way, and the stages of a session."""
    ways = grid(
        f"one call on SIMULATED ticks, µs, {result['ticks']:,} of each, in turn",
        "",
        *QUANTILES.values(),
        "times as fast as Booster",
    )
    for name, row in result["calls"].items():
        ways.add_row(name, *(f"{row[key]:.1f}" for key in QUANTILES), f"{row['times_as_fast']:.2f}")
    stages = grid("Session.update by stage, µs", "stage", "ticks", *QUANTILES.values())
    for name, row in result["stages"].items():
        stages.add_row(name, f"{row['count']:,}", *(f"{row[key]:.1f}" for key in QUANTILES))
    return [ways, stages]
