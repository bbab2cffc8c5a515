"""Seconds to compile the features and to load them, and that windows add nothing to either.

Run with ``pytest benchmarks/test_compile.py``. Each figure comes from a process of its own. Windows
are lanes, all of which are computed whether or not a window stands in them: copies of the package
with fewer and with more windows, which must give the same values, show it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import alphaseeker

PACKAGE = Path(alphaseeker.__file__).resolve().parent
TUPLE = re.compile(r"^(\w*(?:WINDOWS|HALF_LIVES)) = \(([\d, ]+)\)", re.MULTILINE)

FIRST_STEP = """
import hashlib, json, sys, time
import numpy as np
from alphaseeker.features import batch, stream
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.market.schema import TICK, TickSeries

rng = np.random.default_rng(0)
count = 4_000
ticks = np.ones(count, dtype=TICK)
ticks["timestamp"] = 1_700_000_000_000_000_000 + np.arange(count) * 1_000_000_000
ticks["bid_price"] = 1_000 + np.cumsum(rng.integers(-1, 2, count))
ticks["ask_price"] = ticks["bid_price"] + 1
ticks["bid_volume"], ticks["ask_volume"] = rng.integers(1, 9, (2, count))
ticks["close"] = ticks["bid_price"]
ticks["volume"] = rng.integers(0, 3, count)
ticks["session"] = 0
series = TickSeries(symbol="", ticks=ticks, rows=np.arange(count))
settings = FeatureSettings(tick_size=1.0)
columns = np.array([i for i, feature in enumerate(FEATURES) if not feature.levels])
start = time.perf_counter()
processor = time.process_time()
batch.step_through(TickSeries(symbol="", ticks=ticks[:2], rows=np.arange(2)), settings, columns[:1])
batch_s = time.perf_counter() - start
start = time.perf_counter()
first = stream.FeatureStream("", ["book.spread"], settings)
first.update(1_700_000_000_000_000_000, *[1.0] * 6)
stream_s = time.perf_counter() - start
processor_s = time.process_time() - processor
names = [feature.name for feature in FEATURES if not feature.inputs]
values = batch.step_through(series, settings, batch.column_indices(names))[0]
digests = {
    name: hashlib.sha256(values[:, place].tobytes()).hexdigest()
    for place, name in enumerate(names)
}
print(json.dumps([batch_s, stream_s, len(FEATURES), digests, processor_s]))
"""


def first_step(cache, source=PACKAGE.parent):
    environment = {
        **os.environ,
        "ALPHASEEKER_CACHE_DIR": str(cache),
        "PYTHONPATH": str(source),
    }
    command = [sys.executable, "-c", FIRST_STEP]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def size_mb(folder):
    return round(sum(path.stat().st_size for path in folder.rglob("*.nbc")) / 1e6, 1)


def test_compile_and_load(benchmark, tmp_path):
    cold = first_step(tmp_path)
    warm = benchmark.pedantic(first_step, args=(tmp_path,), rounds=3)
    for name, (batch_s, stream_s, *_) in (("cold", cold), ("warm", warm)):
        benchmark.extra_info[f"{name}_batch_s"] = round(batch_s, 2)
        benchmark.extra_info[f"{name}_stream_s"] = round(stream_s, 2)
    benchmark.extra_info["compiled_mb"] = size_mb(tmp_path)


def fewer(windows):
    return [window for window in windows if window != 60]


def more(windows):
    # With these two every lane has a window.
    between = [window for window in (10, 120) if windows[0] < window < windows[-1]]
    return sorted({*windows, *between})


def copy_package(folder, change):
    """Copy the package with other windows wherever the families of windows are declared."""
    package = folder / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))

    def replacement(match):
        windows = change([int(word) for word in match[2].split(",")])
        return f"{match[1]} = ({', '.join(map(str, windows))})"

    features = package / "features"
    for path in [*features.glob("declared/*.py"), features / "catalogue.py"]:
        if path.stem != "bars":  # these are whole minutes, and the first of them one
            text = path.read_text(encoding="utf-8")
            path.write_text(TUPLE.sub(replacement, text), encoding="utf-8")
    return folder


def test_number_of_windows(benchmark, tmp_path):
    """Seconds are of the processor, and the size of the compiled code does not depend on it."""
    folders = {
        change.__name__: copy_package(tmp_path / change.__name__, change)
        for change in (list, fewer, more)
    }

    def cold():
        return {name: first_step(folder / "cache", folder) for name, folder in folders.items()}

    found = benchmark.pedantic(cold, rounds=1)
    known = found["list"][3]
    assert found["fewer"][2] < found["list"][2] < found["more"][2]
    for name, folder in folders.items():
        values = found[name][3]
        same = [column for column in known if column in values]
        assert len(same) > 150
        assert {column: values[column] for column in same} == {c: known[c] for c in same}
        warm = min(first_step(folder / "cache", folder)[4] for _ in range(3))
        what = {"list": "as_it_is"}.get(name, name)
        benchmark.extra_info.update(
            {
                f"{what}_columns": found[name][2],
                f"{what}_cold_s": round(found[name][4], 1),
                f"{what}_warm_s": round(warm, 2),
                f"{what}_compiled_mb": size_mb(folder / "cache"),
            }
        )
