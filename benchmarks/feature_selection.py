"""What ``select="auto"`` changes: features, held-back skill, IC, and time.

    python benchmarks/feature_selection.py --folds 4 --signal 0.5 --seed 8
    python benchmarks/feature_selection.py --data ../shared/data/spot_NEXOUSDT_1s.parquet \\
        --rows 50000

The first trains on a SIMULATED day, the second on the first rows of a capture.

Every way trains on the same ticks and by the same folds, without the last fit on all rows.
``three`` is a list of the columns that the logistic baseline reads.
"""

import argparse
import time

import pandas as pd

from alphaseeker.config import load_config
from alphaseeker.market.simulator import simulate_frame
from alphaseeker.training.run import train_source

THREE = ["book.imbalance", "flow.ofi_60s", "momentum.return_60s"]
WAYS = {"none": None, "auto": "auto", "three": THREE}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", help="Parquet file; a simulated market by default.")
    parser.add_argument("--rows", type=int, default=86_400)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--signal", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    asked = parser.parse_args()
    config = load_config(None, {"FOLDS": asked.folds, "REFIT": False, "num_threads": 1})
    if asked.data:
        frame = pd.read_parquet(asked.data).head(asked.rows)
    else:
        frame = simulate_frame(asked.rows, seed=asked.seed, signal_strength=asked.signal)
    print("select  features by fold  skill, nats      IC  CPU s")
    for way in asked.ways:
        start = time.process_time()
        results = train_source(frame, config, select=WAYS[way]).trained.results
        spent = time.process_time() - start
        found = results["evaluation_results"]
        counts = ", ".join(str(fold["n_features"]) for fold in found["folds"])
        print(
            f"{way:6}  {counts:>16}  {found['log_loss_skill']:+11.5f}  {found['ic']:+.4f}  "
            f"{spent:5.0f}",
            flush=True,
        )
        for warning in results["warnings"]:
            if "select" in warning:
                print(f"        {warning}")


if __name__ == "__main__":
    main()
