import gc
import subprocess
import sys
import textwrap
import threading

import lightgbm
import numpy as np
import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
from alphaseeker.model.lightgbm_text import read_splits

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1e-35, -1e-35, 1.1e-38, 3.4e38]


@pytest.fixture(scope="module")
def rows(model_text):
    """Random rows, rows of special values, and rows on thresholds and their two neighbours."""
    random = np.random.default_rng(2)
    matrix = random.normal(size=(3000, 6)).astype(np.float32)
    for column in range(6):
        thresholds = [value for split, value in read_splits(model_text) if split == column]
        at = np.clip(np.array([*thresholds, 0.0]), -3e38, 3e38).astype(np.float32)
        near = [at, np.nextafter(at, np.float32(9)), np.nextafter(at, np.float32(-9))]
        values = np.concatenate([*near, np.array(SPECIAL, dtype=np.float32)])
        chosen = random.random(3000) < 0.6
        matrix[chosen, column] = random.choice(values, chosen.sum())
    return matrix


@pytest.fixture(scope="module")
def reference(model_text, rows):
    return lightgbm.Booster(model_str=model_text).predict(rows, raw_score=True)


@pytest.fixture
def predictor(model_text):
    return LightGBMPredictor(model_text, 6)


def test_rows_are_bit_equal_to_lightgbm(predictor, rows, reference):
    scores = np.empty(reference.shape)
    for features, out in zip(rows, scores, strict=True):
        predictor.predict_row(features, out)
    assert scores.tobytes() == reference.tobytes()


def test_a_matrix_is_bit_equal_to_lightgbm(predictor, rows, reference):
    assert predictor.predict_matrix(rows).tobytes() == reference.tobytes()
    assert predictor.predict_matrix(rows[::2]).tobytes() == reference[::2].tobytes()
    fortran = np.asfortranarray(rows)
    assert predictor.predict_matrix(fortran).tobytes() == reference.tobytes()
    assert predictor.predict_matrix(rows[:0]).shape == (0, 3)


def test_a_matrix_longer_than_a_chunk(predictor, rows, reference, monkeypatch):
    monkeypatch.setattr("alphaseeker.model.lightgbm_predictor._CHUNK_ROWS", 700)
    assert predictor.predict_matrix(rows).tobytes() == reference.tobytes()


def test_bound_buffers_are_read_and_written_at_each_call(predictor, rows, reference):
    features, scores = np.zeros(6, dtype=np.float32), np.zeros(3)
    predict = predictor.bind(features, scores)
    for row in range(500):
        features[:] = rows[row]
        assert predict() is None
        assert scores.tobytes() == reference[row].tobytes()


def test_buffers_may_be_parts_of_a_record(predictor, rows, reference):
    record = np.zeros(1, dtype=[("pad", "i4"), ("x", "f4", 6), ("pad2", "i4"), ("scores", "f8", 3)])
    predict = predictor.bind(record["x"][0], record["scores"][0])
    record["x"] = rows[3]
    predict()
    assert record["scores"].tobytes() == reference[3].tobytes()


def test_bound_functions_run_in_threads_of_their_own(predictor, rows, reference):
    failures = []

    def work(offset):
        features, scores = np.zeros(6, dtype=np.float32), np.zeros(3)
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
        thread.join()
    assert failures == []


def test_a_bound_function_outlives_its_predictor(model_text, rows, reference):
    predictor = LightGBMPredictor(model_text)
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


def test_many_predictors_come_and_go(model_text, rows, reference):
    scores = np.empty(3)
    for row in range(50):
        LightGBMPredictor(model_text).predict_row(rows[row], scores)
        assert scores.tobytes() == reference[row].tobytes()


@pytest.mark.parametrize(
    ("features", "scores"),
    [
        (np.zeros(5, np.float32), np.zeros(3)),
        (np.zeros(6), np.zeros(3)),
        (np.zeros(12, np.float32)[::2], np.zeros(3)),
        (np.zeros(6, np.float32), np.zeros(4)),
        (np.zeros(6, np.float32), np.zeros(3, np.float32)),
    ],
)
def test_wrong_buffers_are_not_bound(predictor, features, scores):
    with pytest.raises(ModelError, match="it must be a contiguous"):
        predictor.bind(features, scores)


def test_read_only_scores_are_not_bound(predictor):
    scores = np.zeros(3)
    scores.flags.writeable = False
    with pytest.raises(ModelError, match="read-only"):
        predictor.bind(np.zeros(6, np.float32), scores)


def test_wrong_rows_and_matrices_are_refused(predictor):
    with pytest.raises(ModelError, match="shape"):
        predictor.predict_row(np.zeros(1, np.float32), np.zeros(3))
    for matrix in (np.zeros((2, 5), np.float32), np.zeros((2, 6)), np.zeros(6, np.float32)):
        with pytest.raises(ModelError, match="float32"):
            predictor.predict_matrix(matrix)


def test_the_text_is_validated_before_lightgbm_sees_it(model_text):
    with pytest.raises(ModelError, match="max_feature_idx"):
        LightGBMPredictor(model_text, 7)
    with pytest.raises(ModelError, match="LightGBM model text"):
        LightGBMPredictor(model_text.replace("left_child=", "left_child=9", 1))


def test_serving_does_not_import_lightgbm(model_text):
    program = """
        import sys
        import numpy as np
        from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
        LightGBMPredictor(sys.stdin.read()).predict_row(np.zeros(6, np.float32), np.empty(3))
        heavy = {"lightgbm", "sklearn", "pandas"} & set(sys.modules)
        assert not heavy, heavy
    """
    run(program, model_text)


def test_a_forked_child_predicts_and_loads(model_text):
    program = """
        import os, sys, warnings
        import numpy as np
        from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside OpenMP's threads
        text = sys.stdin.read()
        matrix = np.random.default_rng(0).normal(size=(5000, 6)).astype(np.float32)
        predictor = LightGBMPredictor(text, num_threads=2)
        features, scores = matrix[0].copy(), np.zeros(3)
        predict = predictor.bind(features, scores)
        expected = predictor.predict_matrix(matrix)
        child = os.fork()
        if child == 0:
            predict()
            same = scores.tobytes() == expected[0].tobytes()
            same &= predictor.predict_matrix(matrix).tobytes() == expected.tobytes()
            again = LightGBMPredictor(text, num_threads=2).predict_matrix(matrix)
            os._exit(0 if same and again.tobytes() == expected.tobytes() else 1)
        assert os.waitpid(child, 0)[1] == 0
    """
    run(program, model_text)


def run(program, text):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_a_model_in_use_at_exit_is_not_freed_under_its_thread(model_text):
    program = """
        import gc, sys, threading
        import numpy as np
        from alphaseeker.model import lightgbm_predictor
        from alphaseeker.model.lightgbm_predictor import LightGBMPredictor

        def note(*_):
            print("freed", flush=True)

        lightgbm_predictor._library().LGBM_BoosterFree = note
        lightgbm_predictor._free_config = note
        text = sys.stdin.read()
        predictor = LightGBMPredictor(text)
        del predictor
        gc.collect()
        print("exit", flush=True)
        predict = LightGBMPredictor(text).bind(np.zeros(6, np.float32), np.zeros(3))

        def work():
            while True:
                predict()

        threading.Thread(target=work, daemon=True).start()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        input=model_text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, _, after = done.stdout.partition("exit")
    assert before.split() == ["freed", "freed"]
    # Of the second predictor the call of its own is freed at once, the rest is in use.
    assert after.split() == ["freed"]
