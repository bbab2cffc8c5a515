"""The forest beside LightGBM's own C single-row call, both in a jitted loop, in the same run.

    pytest benchmarks/test_predictors.py --benchmark-only -s

The model has the reference size: 100 rounds of 3 trees of 31 leaves, on the features of a real
capture of quotes (SIMULATED quotes where there is none), with labels drawn at random, which makes
trees as deep as noise does. Rows are copied into the buffer one by one; the copying is measured
too, and is part of both figures. CPU time of this process, the least of interleaved repetitions.

Each figure's ``extra_info`` holds both times and their ratio.
"""

import ctypes
import time

import captures
import lightgbm
import numpy as np
import pytest
from numba import njit, types

from alphaseeker._address import foreign
from alphaseeker.config import Config
from alphaseeker.features.batch import compute_features
from alphaseeker.features.block import FeatureSettings
from alphaseeker.market.simulator import simulate_frame
from alphaseeker.model import lightgbm_predictor
from alphaseeker.model.forest_predictor import ForestPredictor
from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
from alphaseeker.model.predictor import call_predictor
from alphaseeker.training.run import blocks_of, judge_source

ROWS = 20_000
REPETITIONS = 7
MATRIX_ROWS = 1_000_000
PARAMETERS = {
    "objective": "multiclass",
    "num_class": 3,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "verbosity": -1,
    "num_threads": 2,
    "seed": 1,
}

_call = foreign(types.int32, types.int64, types.int64, types.int64, types.int64)


@njit
def by_lightgbm(function, config, source, length, target, features, scores, rows, out):
    for row in range(len(rows)):
        features[:] = rows[row]
        _call(function, (config, source, length, target))
        out[row] = scores


@njit
def by_entry(entry, context, features, scores, rows, out):
    written = 0
    for row in range(len(rows)):
        features[:] = rows[row]
        written += call_predictor(entry, (context, 0))
        out[row] = scores
    return written


@njit
def by_copying(features, scores, rows, out):
    for row in range(len(rows)):
        features[:] = rows[row]
        out[row] = scores


def features_of_quotes():
    """Return the features of the capture, or of SIMULATED quotes where it is not there."""
    if (captures.DATA / f"{captures.EVENTS}.parquet").is_file():
        series, settings = captures.load(captures.EVENTS)
        values = compute_features(series, settings=settings).values[1_000:]
    else:
        quotes = judge_source(simulate_frame(60_000, seed=1), Config())
        values = blocks_of(quotes, FeatureSettings(tick_size=0.01))[0].values[1_000:]
    return np.ascontiguousarray(values[:, ~np.isnan(values).all(axis=0)])


class Reference:
    """The model, both predictors, and a single-row call prepared as LightGBM documents it."""

    def __init__(self):
        self.matrix = features_of_quotes()
        label = np.random.default_rng(0).integers(0, 3, len(self.matrix))
        data = lightgbm.Dataset(self.matrix, label)
        self.booster = lightgbm.train(PARAMETERS, data, 100)
        self.text = self.booster.model_to_string()
        k = self.matrix.shape[1]
        assert k >= 100
        assert self.booster.num_trees() == 300
        self.features, self.scores = np.zeros(k, np.float32), np.zeros(3)
        self.forest = ForestPredictor(self.text)
        self.bound = self.forest.bind(self.features, self.scores)
        self.lightgbm = LightGBMPredictor(self.text)
        self.single_row = self._prepare(k)

    def _prepare(self, k):
        library = lightgbm_predictor._library()
        config, self.length = ctypes.c_void_p(), np.zeros(1, np.int64)
        status = library.LGBM_BoosterPredictForMatSingleRowFastInit(
            self.lightgbm._booster.handle,
            *(ctypes.c_int(item) for item in (1, 0, -1, 0)),
            ctypes.c_int32(k),
            ctypes.c_char_p(b"num_threads=1"),
            ctypes.byref(config),
        )
        assert status == 0
        function = library.LGBM_BoosterPredictForMatSingleRowFast
        return (
            ctypes.cast(function, ctypes.c_void_p).value,
            config.value,
            self.features.ctypes.data,
            self.length.ctypes.data,
            self.scores.ctypes.data,
        )


@pytest.fixture(scope="module")
def reference():
    return Reference()


def cpu_seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def rows_of(reference, kind):
    matrix = reference.matrix
    random = np.random.default_rng(1)
    middle = len(matrix) // 3
    if kind == "consecutive ticks":
        return matrix[middle : middle + ROWS]
    if kind == "rows in random order":
        return matrix[random.permutation(len(matrix))[:ROWS]]
    return np.stack([random.permutation(column)[:ROWS] for column in matrix.T], axis=1).copy()


@pytest.mark.parametrize(
    "kind", ["consecutive ticks", "rows in random order", "columns in random order"]
)
def test_single_rows(benchmark, reference, kind):
    rows = np.ascontiguousarray(rows_of(reference, kind))
    features, scores, bound = reference.features, reference.scores, reference.bound
    outs = np.zeros((3, len(rows), 3))
    ways = (
        lambda: by_lightgbm(*reference.single_row, features, scores, rows, outs[0]),
        lambda: by_entry(bound.entry, bound.context, features, scores, rows, outs[1]),
        lambda: by_copying(features, scores, rows, outs[2]),
    )
    for way in ways:
        way()
    assert outs[0].tobytes() == outs[1].tobytes()
    benchmark.pedantic(ways[1], rounds=5)
    times = [
        min(column)
        for column in zip(
            *([cpu_seconds(way) for way in ways] for _ in range(REPETITIONS)), strict=True
        )
    ]
    theirs, ours, copying = (1e6 * seconds / len(rows) for seconds in times)
    changed = by_entry(bound.entry, bound.context, features, scores, rows, outs[1])
    benchmark.extra_info.update(
        peer="LGBM_BoosterPredictForMatSingleRowFast",
        peer_us=round(theirs, 3),
        ours_us=round(ours, 3),
        copying_us=round(copying, 3),
        ratio=round(theirs / ours, 2),
        ratio_without_copying=round((theirs - copying) / (ours - copying), 2),
    )
    print(
        f"\n{kind}: forest {ours:.3f} us, LightGBM {theirs:.3f} us (copying {copying:.3f} us in"
        f" both), {theirs / ours:.1f} times as fast, without the copying"
        f" {(theirs - copying) / (ours - copying):.1f}; scores changed in {changed / len(rows):.0%}"
    )


def test_from_python(benchmark, reference):
    rows = rows_of(reference, "consecutive ticks")[:2_000]
    peer = reference.lightgbm.bind(reference.features, reference.scores)

    def run(call):
        for row in rows:
            reference.features[:] = row
            call()

    pairs = [
        (cpu_seconds(lambda: run(peer)), cpu_seconds(lambda: run(reference.bound)))
        for _ in range(REPETITIONS)
    ]
    theirs, ours = (1e6 * min(column) / len(rows) for column in zip(*pairs, strict=True))
    benchmark.extra_info.update(peer_us=round(theirs, 2), ours_us=round(ours, 2))
    print(f"\nfrom Python, the whole way: forest {ours:.2f} us, LightGBM {theirs:.2f} us")
    benchmark.pedantic(lambda: run(reference.bound), rounds=3)


@pytest.mark.parametrize("order", ["in order of time", "in random order"])
def test_a_million_rows_on_two_threads(benchmark, reference, order):
    repeats = -(-MATRIX_ROWS // len(reference.matrix))
    matrix = np.tile(reference.matrix, (repeats, 1))[:MATRIX_ROWS]
    if order == "in random order":
        np.random.default_rng(2).shuffle(matrix)
    predictor = ForestPredictor(reference.text, num_threads=2)

    def seconds(function):
        start = time.perf_counter()
        result = function()
        return time.perf_counter() - start, result

    best, theirs = [np.inf, np.inf], None
    for _ in range(2):
        taken, theirs = seconds(
            lambda: reference.booster.predict(matrix, raw_score=True, num_threads=2)
        )
        best[0] = min(best[0], taken)
        taken, ours = seconds(lambda: predictor.predict_matrix(matrix))
        best[1] = min(best[1], taken)
        assert ours.tobytes() == theirs.tobytes()
    benchmark.extra_info.update(
        peer="lgb.Booster.predict", peer_s=round(best[0], 2), ratio=round(best[0] / best[1], 2)
    )
    print(
        f"\na million rows {order}: forest {best[1]:.2f} s, lgb.Booster.predict {best[0]:.2f} s,"
        f" {best[0] / best[1]:.1f} times as fast"
    )
    benchmark.pedantic(lambda: predictor.predict_matrix(matrix[:100_000]), rounds=3)
