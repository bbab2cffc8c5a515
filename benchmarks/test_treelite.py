"""The compiled library, called directly, beside LightGBM's C API and TL2cgen's own predictor.

    pytest benchmarks/test_treelite.py --benchmark-only

The model has the reference size: 100 rounds of 3 trees of 31 leaves, all columns of the catalogue
that need no depth. The rows are consecutive ticks of a SIMULATED market, and the same shuffled.
The library and LightGBM's single-row call are called through their addresses, from one and the
same jitted loop, in turns; the least time of several turns counts for each.
"""

import shutil
import time

import lightgbm
import numpy as np
import pytest
from numba import njit

from alphaseeker.config import Config
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.inputs import available_names
from alphaseeker.market.simulator import simulate_frame
from alphaseeker.model.compiler import compile_library, find_compiler
from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
from alphaseeker.model.predictor import call_predictor
from alphaseeker.model.treelite_predictor import TreelitePredictor
from alphaseeker.model.treelite_source import generate_source
from alphaseeker.training.run import blocks_of, judge_source

TICKS = 20_000
ROWS = 5_000
TURNS = 7
AT_MOST = 0.75  # of LightGBM's single-row call
SETTINGS = FeatureSettings(tick_size=0.01, aggressor=True)
PARAMETERS = {
    "objective": "multiclass",
    "num_class": 3,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "verbosity": -1,
    "num_threads": 2,
}

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def reference():
    """The text of a model of the reference size, and consecutive ready rows."""
    market = simulate_frame(TICKS, seed=1, signal_strength=0.3)
    names = list(available_names(SETTINGS))
    matrix = blocks_of(judge_source(market, Config()), SETTINGS)[0].values[1_000:]
    label = np.random.default_rng(0).integers(0, 3, len(matrix))
    data = lightgbm.Dataset(matrix, label, feature_name=names)
    booster = lightgbm.train(PARAMETERS, data, 100)
    assert booster.num_trees() == 300
    assert booster.num_feature() >= 100
    return booster.model_to_string(), np.ascontiguousarray(matrix[:ROWS])


@njit(nogil=True)
def replay(entry, context, features, scores, rows, out):
    for row in range(len(rows)):
        features[:] = rows[row]
        call_predictor(entry, (context, 0))
        out[row] = scores


def one_turn(predictor, rows):
    """Return seconds and scores of one replay."""
    features, scores = np.zeros(predictor.n_features, np.float32), np.zeros(3)
    bound = predictor.bind(features, scores)
    out = np.empty((len(rows), 3))
    start = time.perf_counter()
    replay(bound.entry, bound.context, features, scores, rows, out)
    return time.perf_counter() - start, out


@pytest.mark.parametrize("order", ["consecutive", "unrelated"])
def test_library_beside_single_row_fast(benchmark, reference, order):
    text, rows = reference
    if order == "unrelated":
        rows = np.random.default_rng(1).permutation(rows)
    ours, theirs = TreelitePredictor(text), LightGBMPredictor(text)
    one_turn(ours, rows[:10])
    one_turn(theirs, rows[:10])

    def turns():
        took = [(one_turn(ours, rows), one_turn(theirs, rows)) for _ in range(TURNS)]
        assert all(mine[1].tobytes() == other[1].tobytes() for mine, other in took)
        return min(mine[0] for mine, _ in took), min(other[0] for _, other in took)

    mine, other = benchmark.pedantic(turns, rounds=1)
    mine_us, other_us = mine / len(rows) * 1e6, other / len(rows) * 1e6
    ratio = mine / other
    benchmark.extra_info.update(
        library_us=round(mine_us, 2), single_row_fast_us=round(other_us, 2), ratio=round(ratio, 2)
    )
    print(f"\n{order}: library {mine_us:.2f} us, single-row-fast {other_us:.2f} us, {ratio:.2f}")
    assert ratio <= AT_MOST


def test_library_beside_the_predictor_of_tl2cgen(benchmark, reference, tmp_path):
    """TL2cgen's predictor takes a matrix made for it: one row at a time, as a tick comes."""
    tl2cgen = pytest.importorskip("tl2cgen")
    from treelite.frontend import load_lightgbm_model

    text, rows = reference
    (tmp_path / "model.txt").write_text(text)
    library = tmp_path / "library.so"
    tl2cgen.export_lib(
        load_lightgbm_model(tmp_path / "model.txt"),
        toolchain="gcc",
        libpath=library,
        params={"parallel_comp": 8},
        options=["-O1"],
    )
    theirs, ours = tl2cgen.Predictor(library, nthread=1), TreelitePredictor(text)
    rows = rows[:300]
    scores = np.empty(3)

    def turns():
        least = [np.inf, np.inf]
        for _ in range(TURNS):
            start = time.perf_counter()
            for row in rows:
                ours.predict_row(row, scores)
            least[0] = min(least[0], time.perf_counter() - start)
            start = time.perf_counter()
            for row in rows:
                theirs.predict(tl2cgen.DMatrix(row[None]), pred_margin=True)
            least[1] = min(least[1], time.perf_counter() - start)
        return least

    mine, other = (1e6 * seconds / len(rows) for seconds in benchmark.pedantic(turns, rounds=1))
    benchmark.extra_info.update(predict_row_us=round(mine, 2), tl2cgen_us=round(other, 2))
    print(f"\npredict_row {mine:.2f} us, tl2cgen.Predictor {other:.2f} us")
    assert mine < other


@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2"])
def test_compile(benchmark, reference, tmp_path, monkeypatch, level):
    """What each level of optimisation costs; the level taken is the one in ``FLAGS``."""
    flags = ("-std=c99", level, "-fPIC", "-ffp-contract=off", "-w")
    monkeypatch.setattr("alphaseeker.model.compiler.FLAGS", flags)
    sources, compiler = generate_source(reference[0]), find_compiler()
    benchmark.extra_info["units"] = sum(name.endswith(".c") for name in sources)
    benchmark.pedantic(compile_library, args=(sources, tmp_path / "library.so", compiler), rounds=1)
