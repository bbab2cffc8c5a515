"""The whole live path on real captures: one update, its tail, a thousand symbols, a file.

    pytest benchmarks/test_session.py --benchmark-only -s

A model of the reference size (100 rounds of 3 trees of 31 leaves) reads all columns that need
neither depth nor sides; labels are the terciles of the mid's change over the next minute. For each
capture and each predictor:

- ``update``: median and quantiles of ``Session.update``, beside ``lgb.Booster.predict`` on a ready
  row in the same run. A call's time is the least of several runs over the same ticks with the
  garbage collector off, so that the scheduler is not what is measured.
- ``replay``: ticks a second of a jitted loop over ``alphaseeker.inference.step``.
- ``in turn``: what a tick costs in a loop over many sessions, against one.
- ``counting``: what the statistics add to a tick, stages timed and all.
- ``adapting``: what a calibration that goes on adds, for labels of a minute and of a second.
"""

import dataclasses
import gc
import statistics
import time

import captures
import lightgbm
import numpy as np
import pytest
from numba import njit

from alphaseeker.bench.reference import reference_artifact
from alphaseeker.config import Config, InferenceConfig
from alphaseeker.features.batch import compute_features
from alphaseeker.features.catalogue import schema_hash
from alphaseeker.inference import NO_LEVELS, step
from alphaseeker.inference.served_model import serve
from alphaseeker.inference.session import Session
from alphaseeker.inference.session_step import SILENT, TIMED, call_session_step
from alphaseeker.model.adaptive import DEFAULT_ADAPTATION, allocate_adaptive
from alphaseeker.model.golden import build_golden

RUNS = 5
TICKS = 12_000
WARM = 20_000
READY_HISTORY_S = 60  # the sessions of the event capture are shorter than the longest window
SYMBOLS = 1_000
IN_TURN = 60  # ticks that every symbol gets
PARAMETERS = {
    "objective": "multiclass",
    "num_class": 3,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "verbosity": -1,
    "num_threads": 2,
    "seed": 1,
}
CAPTURES = [captures.EVENTS, captures.GRID]


@njit(nogil=True)
def replayed(state, levels, ticks):
    traded = 0
    for i in range(ticks.shape[0]):
        t = ticks[i]
        answer = step(
            state,
            levels,
            t.timestamp,
            t.session,
            t.bid_price,
            t.ask_price,
            t.bid_volume,
            t.ask_volume,
            t.close,
            t.volume,
            t.buy_volume,
            t.sell_volume,
        )
        traded += answer.side != 0
    return traded


@njit(nogil=True)
def in_turn(states, levels, ticks):
    for i in range(ticks.shape[0]):
        t = ticks[i]
        for symbol in range(len(states)):
            step(
                states[symbol],
                levels,
                t.timestamp,
                t.session,
                t.bid_price,
                t.ask_price,
                t.bid_volume,
                t.ask_volume,
                t.close,
                t.volume,
                t.buy_volume,
                t.sell_volume,
            )


@njit(nogil=True)
def counted(state, levels, ticks, mode, start):
    for i in range(ticks.shape[0]):
        t = ticks[i]
        arguments = (
            state,
            levels,
            mode,
            start,
            t.timestamp,
            t.session,
            t.bid_price,
            t.ask_price,
            t.bid_volume,
            t.ask_volume,
            t.close,
            t.volume,
            t.buy_volume,
            t.sell_volume,
        )
        call_session_step(state[0].step, arguments)


class Served:
    """A capture, a model of the reference size on its columns, and its ticks."""

    def __init__(self, name, backend):
        series, settings = captures.load(name)
        block = compute_features(series, settings=settings)
        change = np.roll(block.mid, -60) - block.mid
        label = np.digitize(change, np.quantile(change, (1 / 3, 2 / 3)))
        data = lightgbm.Dataset(block.values, label)
        self.booster = lightgbm.train(PARAMETERS, data, 100)
        text = self.booster.model_to_string()
        features, scores = build_golden(text, block.values)
        artifact = dataclasses.replace(
            reference_artifact(rounds=1, config=Config(), rows=4_000),
            model_text=text,
            feature_names=block.names,
            schema_hash=schema_hash(block.names),
            settings=settings.to_dict(block.names),
            golden_features=features,
            golden_scores=scores,
        )
        config = InferenceConfig(
            BACKEND=backend, TRADE_WITHOUT_EDGE=True, READY_HISTORY_S=READY_HISTORY_S
        )
        self.model = serve(artifact, config)
        self.rows = block.values
        first = series.ticks["session"] == series.ticks["session"][0]
        self.symbol = series.symbol
        self.ticks = series.ticks[first][: WARM + TICKS]

    def session(self):
        session = Session(self.symbol, self.model)
        replayed(session.state, NO_LEVELS, self.ticks[:WARM])
        assert session.warm_up_remaining_s == 0.0
        return session


served_models = {}


@pytest.fixture(params=["forest", "treelite"])
def backend(request):
    return request.param


@pytest.fixture(params=CAPTURES)
def served(request, backend):
    if not (captures.DATA / f"{request.param}.parquet").is_file():
        pytest.skip("needs the market captures beside the repository")
    key = request.param, backend
    if key not in served_models:
        served_models[key] = Served(*key)
    return served_models[key]


def booster_us(served, calls=1_000):
    times = []
    for row in served.rows[5_000 : 5_000 + calls]:
        start = time.perf_counter_ns()
        served.booster.predict(row[None], num_threads=1)
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1e3


def least_times(served):
    rows = [(t[0], *t[1:7]) for t in served.ticks[WARM:].tolist()]
    capture = served.ticks["session"][0]
    clock = time.perf_counter_ns
    least = np.full(len(rows), np.iinfo(np.int64).max)
    hits = 0
    gc.disable()
    try:
        for _ in range(RUNS):
            session = served.session()
            session._state["capture"] = capture
            times = np.empty(len(rows), dtype=np.int64)
            update = session.update
            for i, row in enumerate(rows):
                start = clock()
                update(*row)
                times[i] = clock() - start
            np.minimum(least, times, out=least)
            hits = session.statistics.cache_hits
    finally:
        gc.enable()
    return least, hits


def test_update(benchmark, served, backend):
    peer = booster_us(served)
    least, hits = benchmark.pedantic(least_times, args=(served,), rounds=1, warmup_rounds=0)
    peer = min(peer, booster_us(served))
    p50, p99, p999 = np.quantile(least, [0.5, 0.99, 0.999]) / 1e3
    benchmark.extra_info.update(
        backend=backend,
        p50_us=round(float(p50), 2),
        p99_us=round(float(p99), 2),
        p999_us=round(float(p999), 2),
        slowest_us=round(float(least.max()) / 1e3, 1),
        booster_us=round(peer, 1),
        ratio=round(peer / float(p50), 1),
        cache_hits=hits,
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}")


def test_replay(benchmark, served, backend):
    ticks = served.ticks[WARM:]
    spent = []

    def run():
        session = served.session()
        start = time.process_time_ns()
        replayed(session.state, NO_LEVELS, ticks)
        spent.append(time.process_time_ns() - start)

    benchmark.pedantic(run, rounds=RUNS, warmup_rounds=1)
    per_tick = statistics.median(spent) / len(ticks)
    benchmark.extra_info.update(
        backend=backend, ns_a_tick=round(per_tick), ticks_a_second=round(1e9 / per_tick)
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}")


def test_symbols_in_turn(benchmark, served, backend):
    ticks = served.ticks[WARM : WARM + IN_TURN]
    sessions = [served.session() for _ in range(SYMBOLS)]
    states = [session.state for session in sessions]
    from numba.typed import List

    many, one = List(states), List(states[:1])
    alone = served.ticks[WARM : WARM + TICKS]
    in_turn(many, NO_LEVELS, ticks[:1])
    in_turn(one, NO_LEVELS, ticks[:1])

    def run():
        start = time.process_time_ns()
        in_turn(many, NO_LEVELS, ticks[1:])
        return (time.process_time_ns() - start) / (len(ticks) - 1) / SYMBOLS

    per_tick = benchmark.pedantic(run, rounds=1, warmup_rounds=0)
    spent = []
    for _ in range(RUNS):
        state = List([served.session().state])
        start = time.process_time_ns()
        in_turn(state, NO_LEVELS, alone)
        spent.append((time.process_time_ns() - start) / len(alone))
    single = statistics.median(spent)
    benchmark.extra_info.update(
        backend=backend,
        in_turn_ns=round(per_tick),
        alone_ns=round(single),
        factor=round(per_tick / single, 2),
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}")


def test_counting(benchmark, served, backend):
    ticks = served.ticks[WARM:]
    spent = {SILENT: [], TIMED: []}

    def run():
        for mode in (SILENT, TIMED):
            session = served.session()
            start = time.process_time_ns()
            counted(session.state, NO_LEVELS, ticks, mode, time.perf_counter_ns())
            spent[mode].append((time.process_time_ns() - start) / len(ticks))

    benchmark.pedantic(run, rounds=2 * RUNS, warmup_rounds=1)
    silent, timed = (min(spent[mode]) for mode in (SILENT, TIMED))
    benchmark.extra_info.update(
        backend=backend, silent_ns=round(silent), statistics_ns=round(timed - silent)
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}")


def test_adapting(benchmark, served, backend):
    ticks = served.ticks[WARM:]
    artifact = served.model.artifact
    models = {
        horizon: dataclasses.replace(
            served.model,
            adaptive=allocate_adaptive(
                DEFAULT_ADAPTATION if horizon else None,
                prior=artifact.class_prior,
                target={**artifact.target, "horizon_s": horizon},
            ),
        )
        for horizon in (0.0, 60.0, 1.0)
    }
    spent = {horizon: [] for horizon in models}
    learnt = {}

    def run():
        for horizon, model in models.items():
            session = Session(served.symbol, model)
            replayed(session.state, NO_LEVELS, served.ticks[:WARM])
            before = int(session.memory["adaptive"]["learnt"][0])
            start = time.process_time_ns()
            replayed(session.state, NO_LEVELS, ticks)
            spent[horizon].append((time.process_time_ns() - start) / len(ticks))
            learnt[horizon] = int(session.memory["adaptive"]["learnt"][0]) - before

    benchmark.pedantic(run, rounds=4 * RUNS, warmup_rounds=1)
    least = {horizon: min(times) for horizon, times in spent.items()}
    benchmark.extra_info.update(
        backend=backend,
        without_ns=round(least[0.0]),
        minute_ns=round(least[60.0] - least[0.0]),
        second_ns=round(least[1.0] - least[0.0]),
        labels_of_a_minute=learnt[60.0],
        labels_of_a_second=learnt[1.0],
        ticks=len(ticks),
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}")
