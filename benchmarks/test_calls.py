"""Speed of a tick called from Python: the mean, the slowest, and a thousand symbols in turn.

Run with ``pytest benchmarks/test_calls.py``. A call's time is the least of several runs over the
same ticks, or the scheduler would be what is measured; the slowest is then taken over ticks.
"""

import gc
import time
from functools import partial

import numba
import numpy as np
import pytest
from captures import EVENTS, GRID, Loop, load
from numba.typed import List

from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.layout import NO_LEVELS, RECORD, feature_vector
from alphaseeker.features.step import tick_step
from alphaseeker.features.stream import FeatureStream

CAPTURES = (EVENTS, GRID)
RUNS = 9
# A tick that comes later closes several buckets: its time is told apart.
GAP_NS = 2_000_000_000
SYMBOLS = 1_000
STEPS = 1_000


def capture(name):
    try:
        return load(name)
    except FileNotFoundError:
        pytest.skip(f"the capture shared/data/{name}.parquet is absent")


def calls_of_tick_step(series, settings):
    records = allocate_session(settings, series.symbol)
    fresh, vector = records.copy(), feature_vector(records)
    rows = [(NO_LEVELS, t[0], t[-1], *t[1:-1]) for t in series.ticks.tolist()]

    def begin():
        records[:] = fresh
        return partial(tick_step, records, vector)

    return rows, begin


def calls_of_update(series, settings):
    names = Loop(series, settings).names
    rows = [(*t[:-1], None, t[-1]) for t in series.ticks.tolist()]
    return rows, lambda: FeatureStream(series.symbol, names, settings).update


def least_times(rows, begin, runs):
    """Return the least nanoseconds of each call over several runs, and the mean of a loop."""
    clock = time.perf_counter_ns
    least = np.full(len(rows), np.iinfo(np.int64).max)
    times, means = np.zeros(len(rows), dtype=np.int64), []
    gc.disable()
    try:
        for _ in range(runs):
            step = begin()
            for i, row in enumerate(rows):
                start = clock()
                step(*row)
                times[i] = clock() - start
            np.minimum(least, times, out=least)
            step = begin()
            start = clock()
            for row in rows:
                step(*row)
            means.append((clock() - start) / len(rows))
    finally:
        gc.enable()
    return least, min(means)


@pytest.mark.parametrize("calls", [calls_of_tick_step, calls_of_update])
@pytest.mark.parametrize("name", CAPTURES)
def test_calls(benchmark, name, calls):
    series, settings = capture(name)
    rows, begin = calls(series, settings)
    least, mean = benchmark.pedantic(
        least_times, args=(rows, begin, RUNS), rounds=1, warmup_rounds=0
    )
    ticks = series.ticks
    late = np.diff(ticks["timestamp"], prepend=ticks["timestamp"][0]) > GAP_NS
    late |= np.diff(ticks["session"], prepend=0) != 0
    late[0] = True
    assert 0 < late.sum() < len(late)
    near = least[~late]
    quantiles = np.quantile(near, [0.5, 0.99, 0.9999])
    benchmark.extra_info.update(
        mean_ns=round(mean),
        median_ns=round(quantiles[0]),
        p99_ns=round(quantiles[1]),
        p9999_ns=round(quantiles[2]),
        slowest_ns=int(near.max()),
        after_a_gap=int(late.sum()),
        slowest_after_a_gap_ns=int(least[late].max()),
    )


@numba.njit(nogil=True)
def in_turn(records, vectors, ticks, levels):
    """Give every tick to one symbol after the other."""
    for i in range(ticks.shape[0]):
        tick = ticks[i]
        for symbol in range(len(records)):
            tick_step(
                records[symbol],
                vectors[symbol],
                levels,
                tick.timestamp,
                tick.session,
                tick.bid_price,
                tick.ask_price,
                tick.bid_volume,
                tick.ask_volume,
                tick.close,
                tick.volume,
                tick.buy_volume,
                tick.sell_volume,
            )


@pytest.mark.parametrize("name", CAPTURES)
def test_symbols_in_turn(benchmark, name):
    """A thousand records do not fit a cache; one does. Both begin with their windows full."""
    series, settings = capture(name)
    one = series.ticks["session"] == series.ticks["session"][0]
    ticks = series.ticks[one]
    before, ticks = ticks[:-STEPS], ticks[-STEPS:]
    loop = Loop(type(series)(symbol=series.symbol, ticks=before, rows=series.rows), settings)
    warmed = loop()

    def measure(symbols, repeats):
        records, vectors = List(), List()
        for _ in range(symbols):
            own = warmed.copy()
            records.append(own)
            vectors.append(feature_vector(own))
        in_turn(records, vectors, ticks[:0], NO_LEVELS)
        taken = []
        for _ in range(repeats):
            for own in records:
                # By bytes: from a typed list the fields come back in another order.
                own.view(np.uint8)[:] = warmed.view(np.uint8)
            start = time.perf_counter()
            in_turn(records, vectors, ticks, NO_LEVELS)
            taken.append((time.perf_counter() - start) / symbols / STEPS * 1e9)
        return float(np.median(taken)), vectors[symbols - 1].tobytes()

    alone, expected = measure(1, 200)
    many, found = benchmark.pedantic(measure, args=(SYMBOLS, 3), rounds=1)
    assert found == expected
    benchmark.extra_info.update(
        record_kb=round(RECORD.itemsize / 1024),
        alone_ns=round(alone),
        in_turn_ns=round(many),
        factor=round(many / alone, 2),
    )
