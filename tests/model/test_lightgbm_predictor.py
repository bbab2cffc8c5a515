import subprocess
import sys
import textwrap

import numpy as np
import pytest

from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
from model.exactness import Model, hard_rows


@pytest.fixture(scope="module")
def model(model_text):
    return Model("small", model_text)


@pytest.fixture(scope="module")
def rows(model):
    return hard_rows(model)


@pytest.fixture(scope="module")
def reference(model, rows):
    return model.scores(rows)


def test_a_matrix_longer_than_a_chunk(model_text, rows, reference, monkeypatch):
    monkeypatch.setattr("alphaseeker.model.lightgbm_predictor._CHUNK_ROWS", 170)
    predictor = LightGBMPredictor(model_text)
    assert predictor.predict_matrix(rows).tobytes() == reference.tobytes()
    assert predictor.predict_matrix(rows[::2]).tobytes() == reference[::2].tobytes()


def test_many_predictors_come_and_go(model_text, rows, reference):
    scores = np.empty(3)
    for row in range(50):
        LightGBMPredictor(model_text).predict_row(rows[row], scores)
        assert scores.tobytes() == reference[row].tobytes()


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
        timeout=1_800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, _, after = done.stdout.partition("exit")
    assert before.split() == ["freed", "freed"]
    # Of the second predictor the call of its own is freed at once, the rest is in use.
    assert after.split() == ["freed"]
