"""Speed of the features in the batch loop, and what depth and the aggressor's side add to it.

Run with ``pytest benchmarks/test_features.py``. The figures that matter stand in ``extra_info``
(``--benchmark-json`` keeps them, ``results_table.py`` prints them): nanoseconds a tick.
"""

import statistics
import time

import family_costs
import pytest
from captures import EVENTS, GRID, GRID_WITH_DEPTH, Loop, load

from alphaseeker.features.batch import step_through

CAPTURES = (EVENTS, GRID)
CHOSEN = 30
RUNS = 15


def capture(name, **inputs):
    try:
        return load(name, **inputs)
    except FileNotFoundError:
        pytest.skip(f"the capture shared/data/{name}.parquet is absent")


def measure(benchmark, loop, rounds=9):
    """Run the loop, note its columns and nanoseconds a tick."""
    loop()
    benchmark.pedantic(loop, rounds=rounds)
    stats = benchmark.stats.stats
    per_tick = 1e9 / len(loop.series)
    benchmark.extra_info["columns"] = len(loop.names)
    benchmark.extra_info["ns_a_tick"] = round(stats.median * per_tick)
    benchmark.extra_info["least_ns_a_tick"] = round(stats.min * per_tick)


@pytest.mark.parametrize("name", CAPTURES)
def test_loop(benchmark, name):
    """The loop alone, into arrays that are there already: what a step costs."""
    loop = Loop(*capture(name))
    measure(benchmark, loop)
    assert (loop.verdicts >= 0).all()


@pytest.mark.parametrize("name", CAPTURES)
def test_loop_of_chosen_columns(benchmark, name):
    """All columns are computed, some are kept."""
    series, settings = capture(name)
    every = Loop(series, settings).names
    measure(benchmark, Loop(series, settings, every[:: len(every) // CHOSEN][:CHOSEN]))


@pytest.mark.parametrize("name", CAPTURES)
def test_batch(benchmark, name):
    """With allocating the result."""
    series, settings = capture(name)
    loop = Loop(series, settings)

    def batch():
        step_through(series, settings, loop.columns)

    batch()
    benchmark.pedantic(batch, rounds=5)
    benchmark.extra_info["columns"] = len(loop.names)
    benchmark.extra_info["ns_a_tick"] = round(benchmark.stats.stats.median / len(series) * 1e9)


INPUTS = {
    "neither": {},
    "sides": {"sides": True},
    "depth": {"depth": True},
    "both": {"sides": True, "depth": True},
}


@pytest.mark.parametrize("name", [GRID, GRID_WITH_DEPTH, EVENTS])
def test_depth_and_sides(benchmark, name):
    """The same ticks with and without further inputs, in turn: what these cost."""
    loops = {what: Loop(*capture(name, **inputs)) for what, inputs in INPUTS.items()}
    if loops["neither"].series.depth is None:
        del loops["depth"], loops["both"]
    times = {what: [] for what in loops}

    def all_in_turn():
        for what, loop in loops.items():
            start = time.perf_counter()
            loop()
            times[what].append(time.perf_counter() - start)

    benchmark.pedantic(all_in_turn, rounds=9, warmup_rounds=1)
    per_tick = 1e9 / len(loops["neither"].series)
    for what, loop in loops.items():
        benchmark.extra_info[f"{what}_columns"] = len(loop.names)
        benchmark.extra_info[f"{what}_ns_a_tick"] = round(statistics.median(times[what]) * per_tick)


def test_families(benchmark, capsys):
    """What each family costs, and its share, as a table: nanoseconds a tick."""
    capture(EVENTS)
    with capsys.disabled():
        print()
        benchmark.pedantic(family_costs.table, args=(RUNS, family_costs.PARTS), rounds=1)
