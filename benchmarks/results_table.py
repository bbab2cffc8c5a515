"""Print tables: docs/results.md from training reports, docs/performance.md from benchmarks.

python benchmarks/results_table.py models/nexo.report.json models/btc.report.json
pytest benchmarks --benchmark-only --benchmark-json=benchmarks.json
python benchmarks/results_table.py benchmarks.json
"""

import json
import statistics
import sys
from pathlib import Path

METRICS = (("log_loss_skill", "skill, nats"), ("ic", "IC"), ("mcc", "MCC"))
FOLD_METRICS = (*METRICS, ("ece", "calibration error"), ("ece_limit", "by chance below"))
# Times as fast that a column is wanted to be.
WANTED = {"pandas": 15, "polars": 5}


def cell(card: dict, name: str) -> str:
    """Return a figure with its interval, where the data was enough for one."""
    bounds = card.get("intervals", {}).get(name) or []
    interval = f" [{bounds[0]:+.4f}, {bounds[1]:+.4f}]" if bounds else ""
    return f"{card[name]:+.4f}{interval}"


def training_table(name: str, results: dict) -> str:
    """Return one training report as Markdown."""
    evaluation = results["evaluation_results"]
    lines = [f"| {name} | " + " | ".join(title for _, title in METRICS) + " |"]
    lines.append("|---|" + "---|" * len(METRICS))
    for name, card in {"model": evaluation, **evaluation["baselines"]}.items():
        cells = " | ".join(cell(card, metric) for metric, _ in METRICS)
        lines.append(f"| {name.replace('_', ' ')} | {cells} |")
    lines += ["", *fold_table(evaluation["folds"]), ""]
    rows, e = results, evaluation
    lines.append(
        f"Rows: {rows['test_size']:,} held back in {len(e['folds'])} folds, {e['n_blocks']} "
        f"blocks; the last fit on {rows['train_size']:,} and {rows['val_size']:,}. Acting on every "
        "BUY and SELL: "
        f"{e['n_trades_all']} trades, {e['net_return_all_bp']:+.2f} bp each after costs; "
        f"break-even {e['break_even_cost_bp']:+.2f} bp a side. Calibration error {e['ece']:.3f}, "
        f"by chance {e['ece_expected']:.3f}, below {e['ece_limit']:.3f} in 95 %. "
        f"Verdict **{e['verdict']}**: {e['verdict_reason']}."
    )
    return "\n".join(lines)


def fold_table(folds: list[dict]) -> list[str]:
    """Return what each fold gave, beside the logistic regression's IC."""
    titles = [title for _, title in FOLD_METRICS]
    lines = ["| fold | rows | " + " | ".join(titles) + " | IC of the logistic |"]
    lines.append("|---|" + "---|" * (len(titles) + 2))
    for number, fold in enumerate(folds, 1):
        figures = " | ".join(f"{fold[name]:+.4f}" for name, _ in FOLD_METRICS)
        rival = fold["baselines"].get("logistic", {}).get("ic")
        shown = "" if rival is None else f"{rival:+.4f}"
        lines.append(f"| {number} | {fold['test_size']:,} | {figures} | {shown} |")
    return lines


def benchmark_tables(benchmarks: list[dict]) -> str:
    """Return the figures of every benchmark, and the columns against their peers, as Markdown."""
    plain, families = [], []
    for one in benchmarks:
        figures = one["extra_info"]
        (families if isinstance(figures.get("times"), dict) else plain).append(one)
    lines = ["| benchmark | median, ms | figures |", "|---|---|---|"]
    for one in plain:
        figures = ", ".join(figure(name, value) for name, value in one["extra_info"].items())
        lines.append(f"| {one['name']} | {one['stats']['median'] * 1e3:.3g} | {figures} |")
    if families:
        lines += ["", *peer_table([one["extra_info"] for one in families])]
    return "\n".join(lines)


def figure(name: str, value: float | str | list) -> str:
    """Return one figure by its name; of columns, how many they are; else the word alone."""
    if name in ("absent", "unseen"):
        value = len(value)
    return f"{name.replace('_', ' ')} {value:,}" if isinstance(value, int | float) else str(value)


def peer_table(families: list[dict]) -> list[str]:
    """Return a row a capture, peer and family: how many times as fast our columns are, and the
    slowest."""
    lines = [
        "| capture | peer | family | columns | times as fast, median | least | below the aim |",
        "|---|---|---|---|---|---|---|",
    ]
    below = {}
    for against in dict.fromkeys((one["capture"], one["peer"]) for one in families):
        capture, peer = against
        own_families = [one for one in families if (one["capture"], one["peer"]) == against]
        times = {name: t for one in own_families for name, t in one["times"].items()}
        for family in [*(one["family"] for one in own_families), "all"]:
            own = {n: t for n, t in times.items() if family in ("all", n.partition(".")[0])}
            slow = {name: t for name, t in own.items() if t < WANTED[peer]}
            least = min(own, key=own.get)
            lines.append(
                f"| {capture} | {peer} | {family} | {len(own)} | "
                f"{statistics.median(own.values()):.1f} | "
                f"{own[least]:.1f} ({least.partition('.')[2]}) | {len(slow)} of {len(own)} |"
            )
            if family == "all":
                below[against] = slow
    for (capture, peer), slow in below.items():
        listed = ", ".join(
            f"{name} {t:.1f}" for name, t in sorted(slow.items(), key=lambda x: x[1])
        )
        lines += ["", f"{capture}, below {WANTED[peer]} times {peer}: {listed or 'none'}."]
    return lines


def table(path: Path) -> str:
    """Return one file as Markdown, whichever of the two it is."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if "benchmarks" in content:
        return benchmark_tables(content["benchmarks"])
    return training_table(path.name.removesuffix(".report.json"), content["results"])


if __name__ == "__main__":
    print("\n\n".join(table(Path(name)) for name in sys.argv[1:]))
