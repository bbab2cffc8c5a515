"""What a default training costs beside ``lightgbm.train``, and beside one bare fit.

Run with ``python benchmarks/training_overhead.py [--ticks 1000000]``. SIMULATED one-second ticks
with the seven required inputs are trained on with the defaults and all 213 columns: four folds and
the last fit. Time inside ``lightgbm.train`` is measured where the package calls it, and that of
binning beside it: a data set that is handed over raw is binned inside. The bare fit is one
``lightgbm.train`` on the last fit's training matrix, binned anew from an array in memory.
"""

from __future__ import annotations

import argparse
import time

import lightgbm
import numpy as np

from alphaseeker.config import load_config
from alphaseeker.market.simulator import simulate_frame
from alphaseeker.training import fit as fitting
from alphaseeker.training import fold_fit
from alphaseeker.training.fit import lightgbm_parameters
from alphaseeker.training.run import train_source

SIDES = ["buy_volume", "sell_volume"]


class Watch:
    """A function that adds up the time of its calls."""

    def __init__(self, inner: object) -> None:
        self.inner, self.seconds, self.calls = inner, 0.0, 0

    def __call__(self, *args: object, **keys: object) -> object:
        started = time.perf_counter()
        try:
            return self.inner(*args, **keys)
        finally:
            self.seconds += time.perf_counter() - started
            self.calls += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ticks", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    frame = simulate_frame(options.ticks, seed=1, signal_strength=0.3)
    frame = frame.drop(columns=[name for name in SIDES if name in frame])
    # Kernels are compiled, or loaded, outside of what is measured.
    train_source(frame.head(20_000), load_config(None, {"num_boost_round": 2, "FOLDS": 1}))
    watch = lightgbm.train = Watch(lightgbm.train)
    binning = fitting.binned_dataset = Watch(fitting.binned_dataset)
    last: dict[str, object] = {}
    fit = fold_fit.fit_model

    def kept(train: tuple, *args: object, **keys: object) -> object:
        last["train"] = train
        return fit(train, *args, **keys)

    fold_fit.fit_model = kept
    stages: dict[str, float] = {}
    stage, since = "start", time.perf_counter()

    def progress(name: str, done: int, total: int) -> None:
        nonlocal stage, since
        now = time.perf_counter()
        stages[stage] = stages.get(stage, 0.0) + now - since
        stage, since = name, now

    config = load_config(None, {"num_threads": options.threads})
    started = time.perf_counter()
    run = train_source(frame, config, on_progress=progress)
    total = time.perf_counter() - started
    progress("end", 0, 1)
    inside, calls, binned = watch.seconds, watch.calls, binning.seconds
    matrix, label, weight = last["train"]
    whole = np.ascontiguousarray(matrix.all())
    rounds = run.trained.training["best_iteration"]
    params = lightgbm_parameters(config.model, len(label))
    started = time.perf_counter()
    watch.inner(params, lightgbm.Dataset(whole, label, weight=weight), num_boost_round=rounds)
    bare = time.perf_counter() - started
    print(f"{options.ticks:,} ticks, {whole.shape[1]} columns, last fit on {len(label):,} rows")
    print(", ".join(f"{name} {seconds:.1f} s" for name, seconds in stages.items()))
    print(f"total {total:.1f} s, of it {inside:.1f} s in lightgbm.train ({calls} fits), ", end="")
    print(f"{binned:.1f} s binning")
    outside = total - inside - binned
    print(f"outside of both {outside:.1f} s: {100 * outside / total:.0f} % of the total")
    print(
        f"one bare lightgbm.train on that matrix, {rounds} rounds, binning included: {bare:.1f} s"
    )


if __name__ == "__main__":
    main()
