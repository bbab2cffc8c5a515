"""Warm start against refit: which is the better model after the market has drifted?

    python benchmarks/resumed_training.py

SIMULATED markets. A model of 40,000 seconds is brought up to date with 6,000 or 20,000 seconds of
another market, in which the relation between signal and return is the same, weaker or turned over,
and is judged on 40,000 later seconds of that one: log-loss skill in nats and IC.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from alphaseeker.config import load_config
from alphaseeker.market.simulator import START_NS, simulate_frame
from alphaseeker.model.artifact import save_artifact
from alphaseeker.training.resume import MODES
from alphaseeker.training.run import evaluate_source, train_source

LATER_NS = 10**15
LONG, NEW = 40_000, (6_000, 20_000)
STRENGTH = 0.3
DRIFTS = {"same": (STRENGTH, False), "weaker": (0.12, False), "turned over": (STRENGTH, True)}
CONFIG = load_config(
    None,
    {"num_boost_round": 100, "families": ["book", "flow", "trades"], "num_threads": 1},
)


def market(rows, seed, drift, days):
    """Return a later market; turned over, what leads up leads down."""
    strength, turned = DRIFTS[drift]
    start = START_NS + days * LATER_NS
    frame = simulate_frame(rows, seed=seed, signal_strength=strength, start_ns=start)
    if turned:
        for one, other in (("bid_volume", "ask_volume"), ("buy_volume", "sell_volume")):
            frame[one], frame[other] = frame[other].copy(), frame[one].copy()
    return frame


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "old.joblib"
        found = {}
        for seed in (1, 2, 3):
            old = train_source(simulate_frame(LONG, seed=seed, signal_strength=STRENGTH), CONFIG)
            save_artifact(old.artifact, path)
            for drift in DRIFTS:
                judged = market(LONG, 900 + seed, drift, 3)
                cells = {("old", 0): old.artifact}
                for rows in NEW:
                    new = market(rows, 500 + seed, drift, 1)
                    for mode in MODES:
                        run = train_source(new, CONFIG, resume=path, resume_mode=mode)
                        cells[mode, rows] = run.artifact
                for key, artifact in cells.items():
                    results = evaluate_source(artifact, judged, CONFIG)
                    pair = (results["log_loss_skill"], results["ic"])
                    found.setdefault((drift, *key), []).append(pair)
                    print(seed, drift, *key, *(f"{value:+.4f}" for value in pair), flush=True)
    print("means of the seeds: skill, IC")
    for key, pairs in found.items():
        print(*key, *(f"{value:+.4f}" for value in np.mean(pairs, axis=0)))


if __name__ == "__main__":
    main()
