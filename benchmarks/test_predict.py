"""One prediction, by every way in, beside LightGBM's own on a ready row, in the same run.

    make bench          (or: pytest benchmarks/test_predict.py --benchmark-only)

The model has the reference size: 100 rounds of 3 trees of 31 leaves, all columns of the catalogue
that need no depth.

Each figure's ``extra_info`` holds its ratio to ``lgb.Booster.predict`` measured around it.
"""

import dataclasses
import statistics
import time
from itertools import cycle

import lightgbm
import numpy as np
import pytest

from alphaseeker.config import Config, load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import schema_hash
from alphaseeker.features.inputs import available_names
from alphaseeker.market.simulator import simulate_frame
from alphaseeker.model.artifact import load_artifact, save_artifact
from alphaseeker.model.golden import build_golden
from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
from alphaseeker.training.run import blocks_of, judge_source

ROWS = 40_000
SETTINGS = FeatureSettings(tick_size=0.01, aggressor=True)
NAMES = available_names(SETTINGS)
FIELDS = (
    *("bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume"),
    *("buy_volume", "sell_volume"),
)
PARAMETERS = {
    "objective": "multiclass",
    "num_class": 3,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "verbosity": -1,
    "num_threads": 2,
}


@pytest.fixture(scope="module")
def market():
    """SIMULATED quotes."""
    return simulate_frame(ROWS, seed=1, signal_strength=0.3)


@pytest.fixture(scope="module")
def reference(market):
    """A booster of the reference size on every such column, and ready rows."""
    block = blocks_of(judge_source(market, Config()), SETTINGS)[0]
    matrix = block.values[1_000:]
    label = np.random.default_rng(0).integers(0, 3, len(matrix))
    data = lightgbm.Dataset(matrix, label, feature_name=list(NAMES))
    booster = lightgbm.train(PARAMETERS, data, 100)
    assert booster.num_trees() == 300
    return booster, matrix


@pytest.fixture(scope="module")
def engine(market, reference, tmp_path_factory):
    """An engine that serves the reference booster."""
    settings = {"num_boost_round": 1, "TRADE_WITHOUT_EDGE": True}
    engine = AlphaSeekerMLEngine(load_config(None, settings))
    path = tmp_path_factory.mktemp("bench") / "model.joblib"
    engine.train_model(market, model_path=path)
    text = reference[0].model_to_string()
    features, scores = build_golden(text, reference[1])
    artifact = dataclasses.replace(
        load_artifact(path),
        model_text=text,
        feature_names=NAMES,
        schema_hash=schema_hash(NAMES),
        golden_features=features,
        golden_scores=scores,
    )
    engine.load_model(save_artifact(artifact, path))
    return engine


def median_us(function, calls=2_000):
    times = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        function()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1_000


def beside_booster(benchmark, booster, matrix, what):
    """Note the median of ``lgb.Booster.predict`` on one ready row, and the ratio to it."""
    rows = cycle(matrix[:, None, :])
    peer = median_us(lambda: booster.predict(next(rows), num_threads=1), 500)
    ours = median_us(what)
    benchmark.extra_info.update(
        peer="lgb.Booster.predict", peer_us=round(peer, 2), ratio=round(peer / ours, 1)
    )
    print(f"\n{benchmark.name}: {ours:.2f} us, lgb.Booster.predict {peer:.2f} us,", end=" ")
    print(f"{peer / ours:.1f} times as fast")


def test_single_row_fast(benchmark, reference):
    booster, matrix = reference
    predictor = LightGBMPredictor(booster.model_to_string())
    row, scores = matrix[0].copy(), np.zeros(3)
    call = predictor.bind(row, scores)
    rows = cycle(matrix)

    def one():
        row[:] = next(rows)
        call()

    benchmark(one)
    beside_booster(benchmark, booster, matrix, one)


def test_engine_predict(benchmark, engine, market, reference):
    ticks = iter(cycle(market.to_dict("records")))
    clock = iter(range(1_800_000_000_000_000_000, 2**62, 1_000_000_000))

    def one():
        tick = next(ticks)
        tick["timestamp"] = next(clock)
        engine.predict(tick, replay=True)

    for _ in range(1_500):
        one()
    benchmark(one)
    beside_booster(benchmark, *reference, one)


def test_session_update(benchmark, engine, market, reference):
    session = engine.session("fast")
    quotes = cycle(zip(*(market[name].tolist() for name in FIELDS), strict=True))
    clock = iter(range(1_800_000_000_000_000_000, 2**62, 1_000_000_000))

    def one():
        session.update(next(clock), *next(quotes))

    for _ in range(1_500):
        one()
    benchmark(one)
    beside_booster(benchmark, *reference, one)
