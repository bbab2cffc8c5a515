"""Print the table of docs/results.md from training reports.

python benchmarks/results_table.py models/nexo.report.json models/btc.report.json
"""

import json
import sys
from pathlib import Path

METRICS = (("log_loss_skill", "skill, nats"), ("ic", "IC"), ("mcc", "MCC"))


def cell(card: dict, name: str) -> str:
    """Return a figure with its interval, where the data was enough for one."""
    bounds = card.get("intervals", {}).get(name) or []
    interval = f" [{bounds[0]:+.4f}, {bounds[1]:+.4f}]" if bounds else ""
    return f"{card[name]:+.4f}{interval}"


def table(path: Path) -> str:
    """Return one report as Markdown."""
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    evaluation = results["evaluation_results"]
    lines = [
        f"| {path.name.removesuffix('.report.json')} | "
        + " | ".join(title for _, title in METRICS)
        + " |",
        "|---|" + "---|" * len(METRICS),
    ]
    for name, card in {"model": evaluation, **evaluation["baselines"]}.items():
        cells = " | ".join(cell(card, metric) for metric, _ in METRICS)
        lines.append(f"| {name.replace('_', ' ')} | {cells} |")
    lines.append("")
    rows, e = results, evaluation
    lines.append(
        f"Rows: {rows['train_size']:,} training, {rows['val_size']:,} validation, "
        f"{rows['test_size']:,} held back in {e['n_blocks']} blocks. Acting on every BUY and SELL: "
        f"{e['n_trades_all']} trades, {e['net_return_all_bp']:+.2f} bp each after costs; "
        f"break-even {e['break_even_cost_bp']:+.2f} bp a side. Calibration error {e['ece']:.3f}. "
        f"Verdict **{e['verdict']}**: {e['verdict_reason']}."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    print("\n\n".join(table(Path(name)) for name in sys.argv[1:]))
