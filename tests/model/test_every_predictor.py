"""What all predictors promise alike, whatever they work with."""

import gc
import os
import shutil
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model.forest_predictor import ForestPredictor
from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
from alphaseeker.model.treelite_predictor import TreelitePredictor
from model.exactness import assert_exact, hard_rows, train

MODEL = train("predictor", leaves=31, rounds=10, missing=0.1)
K = MODEL.n_features

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="predictors are jitted"
)


@pytest.fixture(
    params=[
        ForestPredictor,
        LightGBMPredictor,
        pytest.param(
            TreelitePredictor,
            marks=pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
        ),
    ],
    ids=lambda kind: kind.name,
)
def kind(request):
    return request.param


@pytest.fixture
def predictor(kind):
    return kind(MODEL.text, K)


@pytest.fixture(scope="module")
def rows():
    return hard_rows(MODEL)


@pytest.fixture(scope="module")
def reference(rows):
    return MODEL.scores(rows)


# ---- scores -------------------------------------------------------------------------------------


def test_every_way_in_is_bit_equal_to_lightgbm(predictor, rows):
    assert_exact(predictor, MODEL, rows)


def test_matrices_of_any_layout(predictor, rows, reference):
    assert predictor.predict_matrix(rows[::-2]).tobytes() == reference[::-2].tobytes()
    assert predictor.predict_matrix(np.asfortranarray(rows)).tobytes() == reference.tobytes()
    wide = np.hstack([rows, rows])[:, :K]
    assert predictor.predict_matrix(wide).tobytes() == reference.tobytes()
    assert predictor.predict_matrix(rows[:0]).shape == (0, 3)
    frozen = rows.copy()
    frozen.flags.writeable = False
    assert predictor.predict_matrix(frozen).tobytes() == reference.tobytes()


def test_buffers_may_be_parts_of_a_record(predictor, rows, reference):
    record = np.zeros(1, dtype=[("pad", "i4"), ("x", "f4", K), ("pad2", "i4"), ("scores", "f8", 3)])
    predict = predictor.bind(record["x"][0], record["scores"][0])
    record["scores"] = 7.0
    for row in range(20):
        record["x"] = rows[row]
        assert predict() is None
        assert record["scores"].tobytes() == reference[row].tobytes()


def test_bound_ones_run_in_threads_of_their_own(predictor, rows, reference):
    failures = []

    def work(offset):
        features, scores = np.zeros(K, dtype=np.float32), np.zeros(3)
        predict = predictor.bind(features, scores)
        for row in range(offset, len(rows), 4):
            features[:] = rows[row]
            predict()
            if scores.tobytes() != reference[row].tobytes():
                failures.append(row)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(1_800)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []


# ---- the end of a predictor ---------------------------------------------------------------------


def test_a_bound_one_outlives_its_predictor(kind, rows, reference):
    predictor = kind(MODEL.text)
    features, scores = rows[0].copy(), np.zeros(3)
    predict = predictor.bind(features, scores)
    predictor.close()
    del predictor, features
    gc.collect()
    predict()
    assert scores.tobytes() == reference[0].tobytes()


def test_a_closed_predictor_refuses(predictor, rows):
    predictor.close()
    predictor.close()
    for call in (
        lambda: predictor.predict_row(rows[0], np.empty(3)),
        lambda: predictor.predict_matrix(rows),
        lambda: predictor.bind(rows[0].copy(), np.empty(3)),
    ):
        with pytest.raises(ModelError, match="closed"):
            call()


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "scores"),
    [
        (np.zeros(K - 1, np.float32), np.zeros(3)),
        (np.zeros(K), np.zeros(3)),
        (np.zeros(2 * K, np.float32)[::2], np.zeros(3)),
        (np.zeros(K, np.float32), np.zeros(4)),
        (np.zeros(K, np.float32), np.zeros(3, np.float32)),
    ],
)
def test_wrong_buffers_are_not_bound(predictor, features, scores):
    with pytest.raises(ModelError, match="it must be a contiguous"):
        predictor.bind(features, scores)


def test_read_only_scores_are_not_bound(predictor):
    scores = np.zeros(3)
    scores.flags.writeable = False
    with pytest.raises(ModelError, match="read-only"):
        predictor.bind(np.zeros(K, np.float32), scores)


def test_wrong_rows_and_matrices_are_refused(predictor):
    with pytest.raises(ModelError, match="shape"):
        predictor.predict_row(np.zeros(1, np.float32), np.zeros(3))
    for matrix in (np.zeros((2, K - 1), np.float32), np.zeros((2, K)), np.zeros(K, np.float32)):
        with pytest.raises(ModelError, match="float32"):
            predictor.predict_matrix(matrix)


def test_wrong_models_are_refused(kind):
    with pytest.raises(ModelError, match="max_feature_idx"):
        kind(MODEL.text, K + 1)
    with pytest.raises(ModelError, match="LightGBM model text"):
        kind(MODEL.text.replace("left_child=", "left_child=9", 1))


# ---- processes ----------------------------------------------------------------------------------


def run(kind, program):
    """Run a program that reads the model's text, the class as ``Predictor``."""
    imported = f"from {kind.__module__} import {kind.__name__} as Predictor\n"
    done = subprocess.run(
        [sys.executable, "-c", imported + textwrap.dedent(program)],
        input=MODEL.text,
        capture_output=True,
        text=True,
        check=False,
        timeout=1_800,
    )
    assert done.returncode == 0, done.stderr


def test_serving_imports_nothing_heavy(kind, predictor):
    """The library of a compiled model is there already: ``predictor`` made it."""
    program = """
        import sys
        import numpy as np
        Predictor(sys.stdin.read()).predict_row(np.zeros(6, np.float32), np.empty(3))
        heavy = {"treelite", "tl2cgen", "lightgbm", "sklearn", "pandas"} & set(sys.modules)
        assert not heavy, heavy
    """
    run(kind, program)


def test_a_forked_child_predicts_and_loads(kind):
    """The matrix is long enough for two threads of every predictor."""
    program = """
        import os, sys, warnings
        import numpy as np
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
        text = sys.stdin.read()
        matrix = np.random.default_rng(0).normal(size=(40_000, 6)).astype(np.float32)
        predictor = Predictor(text, num_threads=2)
        features, scores = matrix[0].copy(), np.zeros(3)
        predict = predictor.bind(features, scores)
        expected = predictor.predict_matrix(matrix)
        child = os.fork()
        if child == 0:
            predict()
            same = scores.tobytes() == expected[0].tobytes()
            same &= predictor.predict_matrix(matrix).tobytes() == expected.tobytes()
            again = Predictor(text, num_threads=2).predict_matrix(matrix)
            os._exit(0 if same and again.tobytes() == expected.tobytes() else 1)
        assert os.waitpid(child, 0)[1] == 0
    """
    run(kind, program)
