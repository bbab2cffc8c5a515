"""What the disk cache of feature matrices costs in a first run and saves in a second.

python benchmarks/disk_cache.py [--ticks 1000000] [--factors] [--set KEY=VALUE ...]

SIMULATED ticks of one second, one thread. ``matrix`` is every column that the data offer, ``refit``
the columns that a fold of a training writes anew. Seconds on the clock (and of processor) to
compute them without the cache, to compute and write them, and to read them, the fastest of
``--repeats``; the read block must equal the computed one to the bit. With ``--factors`` also a
whole ``evaluate_factors`` from memory, three times the same way. The folder is a temporary one and
is deleted at the end. The exit code is 1 where a block differs.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np


def timed(act):
    """Return what ``act`` returns, and the seconds that it took, on the clock and of processor."""
    start = time.perf_counter(), time.process_time()
    found = act()
    return found, (time.perf_counter() - start[0], time.process_time() - start[1])


def three_ways(judged, settings, names, config, off):
    """Compute, compute and write, and read one block; return the three seconds."""
    from alphaseeker.features.matrix_cache import MatrixCache

    (series,) = judged.series
    limit = config.data.MATRIX_MEMORY_MB * 1e6
    given = {"settings": settings, "names": names, "quality": judged.quality}
    times, blocks = [], []
    for setting in (off, config, config):
        cache = MatrixCache(setting.inference)
        block, seconds = timed(lambda c=cache: c.features(series, memory_limit=limit, **given))
        times.append(seconds)
        blocks.append(block)
        if len(blocks) == 3:
            for name in ("values", "timestamp", "segment", "history", "mid", "verdict"):
                one, other = getattr(blocks[0], name), getattr(blocks[2], name)
                if not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
                    raise SystemExit(f"{name} of the block that was read differs")
        if len(blocks) == 2:
            blocks[1] = None  # its memory is the third one's
    return times


def main():
    """Print a table."""
    from alphaseeker.config import load_config
    from alphaseeker.features.inputs import available_names
    from alphaseeker.features.matrix_store import clear_matrices
    from alphaseeker.features.settings import fit_settings
    from alphaseeker.market.simulator import simulate_frame
    from alphaseeker.training.factor_run import evaluate_factor_source
    from alphaseeker.training.fitted import RESTING
    from alphaseeker.training.judged import judge_source

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ticks", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--factors", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    given = dict(item.split("=", 1) for item in options.set)
    given = {key: json.loads(value) for key, value in given.items()}
    config = load_config(None, {"num_threads": 1, **given})
    off = config.override({"DISK_CACHE_MB": 0})
    frame = simulate_frame(options.ticks, seed=1, signal_strength=0.3)
    judged = judge_source(frame, config)
    settings = fit_settings(judged.series, config)
    with tempfile.TemporaryDirectory() as folder:
        small = simulate_frame(2_000, seed=1)
        three_ways(judge_source(small, config), settings, None, config, off)  # compiles
        os.environ["ALPHASEEKER_CACHE_DIR"] = folder
        print(f"{options.ticks:,} ticks, seconds (of processor)\n")
        print("| | computed | computed and written | read | MB |\n|---|---|---|---|---|")
        refit = [name for name in available_names(settings) if name in RESTING]
        for what, names in (("matrix", None), ("refit", refit)):
            every = []
            for _ in range(options.repeats):
                clear_matrices()
                every.append(three_ways(judged, settings, names, config, off))
            size = sum(one.stat().st_size for one in Path(folder, "matrices").iterdir()) / 1e6
            print(f"| {what} | {_cells(np.min(every, axis=0))} | {size:,.0f} |", flush=True)
        if options.factors:
            clear_matrices()
            times = []
            for setting in (off, config, config):
                path = Path(folder, "factors.json")
                _, seconds = timed(
                    lambda s=setting, p=path: evaluate_factor_source(frame, s, report_path=p)
                )
                times.append(seconds)
            print(f"| evaluate_factors | {_cells(times)} | |")


def _cells(times):
    return " | ".join(f"{wall:.2f} ({processor:.2f})" for wall, processor in times)


if __name__ == "__main__":
    main()
