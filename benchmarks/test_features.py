"""Speed of the features: a tick in the batch loop, a call from Python, a column against pandas.

Run with ``pytest benchmarks/test_features.py``. The figures that matter stand in ``extra_info``
(``--benchmark-json`` keeps them): nanoseconds a tick, the ratio to pandas per column, and seconds
to compile and to load.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alphaseeker.config import Config
from alphaseeker.features.batch import column_indices, run_ticks, step_through
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.layout import allocate_session, feature_vector
from alphaseeker.features.settings import fit_settings
from alphaseeker.features.step import tick_step
from alphaseeker.features.stream import FeatureStream
from alphaseeker.market.readers import read_ticks

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CAPTURES = ("usdm_BTCUSDT_quotes", "spot_NEXOUSDT_1s")
NAMES = tuple(feature.name for feature in FEATURES)
EVERY = column_indices(NAMES)
CALLS = 20_000


def load(name):
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"the capture shared/data/{name}.parquet is absent")
    series = read_ticks(path)
    return series[0], fit_settings(series, Config())


@pytest.mark.parametrize("name", CAPTURES)
def test_batch(benchmark, name):
    series, settings = load(name)
    step_through(series, settings, EVERY)
    benchmark.pedantic(step_through, (series, settings, EVERY), rounds=5)
    benchmark.extra_info["columns"] = len(NAMES)
    benchmark.extra_info["ns_a_tick"] = round(benchmark.stats.stats.min / len(series) * 1e9)


@pytest.mark.parametrize("name", CAPTURES)
def test_loop(benchmark, name):
    """The loop alone, into arrays that are there already: what a step costs."""
    series, settings = load(name)
    count = len(series)
    values = np.zeros((count, len(EVERY)), dtype=np.float32)
    verdicts = np.zeros(count, dtype=np.int8)
    segments, history = np.zeros((2, count), dtype=np.int64)
    mids = np.zeros(count)

    def loop():
        records = allocate_session(settings, series.symbol)
        vector = feature_vector(records)
        run_ticks(records, vector, series.ticks, EVERY, values, verdicts, segments, history, mids)

    loop()
    benchmark.pedantic(loop, rounds=9)
    benchmark.extra_info["columns"] = len(NAMES)
    benchmark.extra_info["ns_a_tick"] = round(benchmark.stats.stats.median / count * 1e9)
    print(f"\n{name}: {benchmark.extra_info['ns_a_tick']} ns a tick, {len(NAMES)} columns")


@pytest.mark.parametrize("name", CAPTURES)
def test_call_of_tick_step_from_python(benchmark, name):
    series, settings = load(name)
    records = allocate_session(settings)
    vector = feature_vector(records)
    rows = [(t[0], t[-1], *t[1:-1]) for t in series.ticks[:CALLS].tolist()]

    def calls():
        records[:] = allocate_session(settings)
        for row in rows:
            tick_step(records, vector, *row)

    benchmark.pedantic(calls, rounds=5, warmup_rounds=1)
    benchmark.extra_info["ns_a_call"] = round(benchmark.stats.stats.min / CALLS * 1e9)


@pytest.mark.parametrize("name", CAPTURES)
def test_update_of_a_stream(benchmark, name):
    series, settings = load(name)
    rows = [row[:-1] for row in series.ticks[:CALLS].tolist()]

    def calls():
        update = FeatureStream("", NAMES, settings).update
        for row in rows:
            update(*row)

    benchmark.pedantic(calls, rounds=5, warmup_rounds=1)
    benchmark.extra_info["ns_a_call"] = round(benchmark.stats.stats.min / CALLS * 1e9)


def order_flow(bars):
    bid, ask = bars["bid_price"], bars["ask_price"]
    before = bars.shift()
    flow = bars["bid_volume"].where(bid >= before["bid_price"], 0.0)
    flow -= before["bid_volume"].where(bid <= before["bid_price"], 0.0)
    flow -= bars["ask_volume"].where(ask <= before["ask_price"], 0.0)
    flow += before["ask_volume"].where(ask >= before["ask_price"], 0.0)
    depth = 0.5 * (bars["bid_volume"] + bars["ask_volume"])
    return flow.rolling(61).sum() / depth.rolling(61).mean()


def middle(bars):
    return 0.5 * (bars["bid_price"] + bars["ask_price"])


def returns(bars):
    return np.log(middle(bars)).diff()


def share_of_range(bars):
    window = middle(bars).rolling(62)
    low = window.min()
    return (middle(bars) - low) / (window.max() - low)


def deviation(bars):
    window = middle(bars).rolling(61)
    return (middle(bars) - window.mean()) / window.std(ddof=0)


# On a grid of one second a bar is a tick: 60 whole buckets and the present one are 61 rows.
IN_PANDAS = {
    "flow.ofi_60s": order_flow,
    "momentum.return_60s": lambda bars: np.log(middle(bars)).diff(61) * 1e4,
    "momentum.zscore_60s": deviation,
    "momentum.range_position_60s": share_of_range,
    "volatility.realized_60s": lambda bars: np.sqrt((returns(bars) ** 2).rolling(61).sum()) * 1e4,
    "volatility.max_move_60s": lambda bars: (
        returns(bars).abs().rolling(61).max() / np.sqrt((returns(bars) ** 2).rolling(61).sum())
    ),
}


@pytest.mark.parametrize("column", IN_PANDAS)
def test_column_against_pandas(benchmark, column):
    series, settings = load("spot_NEXOUSDT_1s")
    bars = pd.DataFrame(series.ticks)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        values = step_through(series, settings, EVERY)[0][:, NAMES.index(column)]
        times.append(time.perf_counter() - start)
    with np.errstate(all="ignore"):
        expected = benchmark.pedantic(IN_PANDAS[column], (bars,), rounds=5, warmup_rounds=1)
    both = np.isfinite(values) & np.isfinite(expected)
    assert both.any()
    # The median: rolling sums of pandas keep residues where a market is quiet.
    error = np.median(np.abs(values[both] - expected[both]))
    assert error <= 1e-5 * np.abs(expected[both]).max()
    per_column = min(times) / len(NAMES)
    benchmark.extra_info["ns_a_tick"] = round(per_column / len(series) * 1e9, 2)
    benchmark.extra_info["times_pandas"] = round(benchmark.stats.stats.min / per_column, 1)


FIRST_STEP = """
import json, time
import numpy as np
from alphaseeker.features import batch, stream
from alphaseeker.features.block import FeatureSettings
from alphaseeker.market.schema import TICK, TickSeries

ticks = np.ones(2, dtype=TICK)
series = TickSeries(symbol="", ticks=ticks, rows=np.arange(2))
start = time.perf_counter()
batch.step_through(series, FeatureSettings(), np.arange(3))
batch_s = time.perf_counter() - start
start = time.perf_counter()
first = stream.FeatureStream("", ["book.spread"], FeatureSettings())
first.update(1_700_000_000_000_000_000, *[1.0] * 6)
print(json.dumps([batch_s, time.perf_counter() - start]))
"""


def test_compile_and_load(benchmark, tmp_path):
    environment = {**os.environ, "ALPHASEEKER_CACHE_DIR": str(tmp_path / "kernels")}
    command = [sys.executable, "-c", FIRST_STEP]

    def first_step():
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    cold = first_step()
    warm = benchmark.pedantic(first_step, rounds=3)
    for name, (batch_s, stream_s) in (("cold", cold), ("warm", warm)):
        benchmark.extra_info[f"{name}_batch_s"] = round(batch_s, 2)
        benchmark.extra_info[f"{name}_stream_s"] = round(stream_s, 2)
