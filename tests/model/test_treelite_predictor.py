import ctypes
import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alphaseeker.errors import ModelError
from alphaseeker.model import treelite_predictor
from alphaseeker.model.backends import choose_predictor
from alphaseeker.model.treelite_predictor import TreelitePredictor, build_library
from model.exactness import Model, assert_exact, every_model, hard_rows

# One of each kind: all of them together take minutes to compile.
MODELS = (
    *("2 leaves, 0.2 missing", "16 leaves, 0.0 missing", "64 leaves, 0.2 missing", "depth 3"),
    *("constant", "all missing", "only missing or one, with missing values", "coarse", "tiny"),
    *("subnormal", "huge", "infinite, with missing values", "zeros", "one leaf everywhere"),
    *("two classes seen", "one class seen", "a single column", "dart", "one against all"),
    *("no use of missing", "900 trees of 2 leaves"),
    *("odd thresholds 0", "both odd 0", "odd thresholds 1", "odd decisions 1"),
)

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
    pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="predictors are jitted"),
]


@pytest.fixture(scope="module", autouse=True)
def libraries(tmp_path_factory):
    """A cache of this module's own; kernels stay where they are."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALPHASEEKER_CACHE_DIR", str(folder))
        yield folder / "libraries"


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A cache without any library."""
    monkeypatch.setenv("ALPHASEEKER_CACHE_DIR", str(tmp_path / "empty"))
    return tmp_path / "empty" / "libraries"


@pytest.fixture(scope="module")
def model(model_text):
    return Model("small", model_text)


@pytest.fixture(scope="module")
def rows(model):
    return hard_rows(model)


@pytest.fixture(scope="module")
def reference(model, rows):
    return model.scores(rows)


# ---- exactness ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_lightgbm(name):
    (model,) = (model for model in every_model() if model.name == name)
    assert_exact(TreelitePredictor(model.text, model.n_features), model)


@given(bits=st.lists(st.integers(0, 2**32 - 1), min_size=6, max_size=6), copies=st.booleans())
def test_any_bits_are_scored_as_lightgbm_scores_them(bits, copies):
    (model,) = (model for model in every_model() if model.name == "64 leaves, 0.2 missing")
    rows = np.array([bits], dtype=np.uint32).view(np.float32)
    if copies:  # the same value in every column meets more thresholds of its own
        rows = np.repeat(rows[0], 6).reshape(6, 6)
    predictor = TreelitePredictor(model.text)
    assert predictor.predict_matrix(rows).tobytes() == model.scores(rows).tobytes()


def test_doubles_that_end_in_ones_are_not_missing():
    """An entry takes any double; as it came from TL2cgen, such a one was a missing value."""
    (model,) = (model for model in every_model() if model.name == "64 leaves, 0.2 missing")
    with np.errstate(invalid="ignore"):
        rows = hard_rows(model).astype(np.float64)
    ones = (rows.view(np.int64) | 0xFFFFFFFF).view(np.float64)
    rows = np.concatenate([np.where(np.isfinite(ones), ones, rows), np.full_like(rows[:1], 0.0)])
    rows[-1] = np.nextafter(1.0, 0.0)
    wanted = model.booster.predict(rows, raw_score=True)
    rows[np.abs(rows) <= float(np.float32(1e-35))] = 0.0
    library = ctypes.CDLL(str(build_library(model.text)))
    given = np.zeros_like(wanted)
    for row, out in zip(rows, given, strict=True):
        entries = row.copy()
        library.predict(ctypes.c_void_p(entries.ctypes.data), 1, ctypes.c_void_p(out.ctypes.data))
    assert given.tobytes() == wanted.tobytes()


def test_golden_rows_are_replayed(artifact, monkeypatch):
    def make(model_text, n_features, num_threads):
        return TreelitePredictor(model_text, n_features, num_threads)

    monkeypatch.setattr("alphaseeker.model.backends.PREDICTORS", {"treelite": make})
    predictor, passed_over = choose_predictor(artifact)
    assert (predictor.name, predictor.n_features, passed_over) == ("treelite", 6, [])


# ---- ways in ------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_threads", [1, 3])
def test_a_matrix_longer_than_a_chunk(model_text, rows, reference, monkeypatch, num_threads):
    monkeypatch.setattr(treelite_predictor, "_CHUNK_ROWS", 170)
    predictor = TreelitePredictor(model_text, 6, num_threads)
    assert predictor.predict_matrix(rows).tobytes() == reference.tobytes()
    assert predictor.predict_matrix(rows[::2]).tobytes() == reference[::2].tobytes()


def is_mapped(path):
    return str(path) in Path("/proc/self/maps").read_text()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="looks into /proc")
def test_a_library_lives_as_long_as_what_uses_it(train, rows):
    text = train(rounds=2, leaves=5)
    wanted = lightgbm.Booster(model_str=text).predict(rows[:1], raw_score=True)
    predictor, path = TreelitePredictor(text), build_library(text)
    features, scores = rows[0].copy(), np.zeros(3)
    predict = predictor.bind(features, scores)
    predictor.close()
    predictor.close()
    del predictor, features
    gc.collect()
    predict()
    assert scores.tobytes() == wanted.tobytes()
    assert is_mapped(path)
    del predict
    gc.collect()
    assert not is_mapped(path)


# ---- the library --------------------------------------------------------------------------------


def test_progress_is_told_while_a_library_is_built_and_not_after(model_text, empty):
    told = []
    TreelitePredictor(model_text, on_progress=lambda *stage: told.append(stage))
    assert [stage for stage, done, total in told if done == total] == [
        *("generate", "compile", "link")
    ]
    assert len(list(empty.glob("*.so"))) == 1
    told.clear()
    TreelitePredictor(model_text, on_progress=lambda *stage: told.append(stage))
    assert told == []


def test_another_compiler_makes_another_library(model_text, empty, monkeypatch):
    monkeypatch.setenv("CC", "cc -DSOMETHING")
    first = build_library(model_text)
    monkeypatch.setenv("CC", "cc -DSOMETHING=2")
    assert build_library(model_text) != first


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("/bin/false", "failed with status 1"),
        ("/nowhere/cc", "no such program"),
        ("cc -no-such-flag", "failed with status 1"),
    ],
)
def test_without_a_compiler_that_works_it_cannot_serve(
    model_text, empty, monkeypatch, named, reason
):
    monkeypatch.setenv("CC", named)
    with pytest.raises(ModelError, match=reason):
        TreelitePredictor(model_text)
    assert not list(empty.glob("*.so"))


COUNTING = """#!/bin/sh
for word; do [ "$word" = -shared ] && echo linked >> "{count}"; done
exec cc "$@"
"""


def test_of_eight_processes_one_compiles(model_text, empty, tmp_path, monkeypatch):
    count, cc = tmp_path / "count", tmp_path / "counting-cc"
    cc.write_text(COUNTING.format(count=count))
    cc.chmod(0o755)
    monkeypatch.setenv("CC", str(cc))
    (tmp_path / "model.txt").write_text(model_text)
    program = "import sys, pathlib, alphaseeker.model.treelite_predictor as predictor\n"
    program += "print(predictor.build_library(pathlib.Path(sys.argv[1]).read_text()))"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "model.txt")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    try:
        paths = {process.communicate(timeout=1_800)[0].strip() for process in processes}
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert {process.returncode for process in processes} == {0}
    assert paths == {str(build_library(model_text))}
    assert count.read_text().split() == ["linked"]


def test_a_library_that_cannot_be_loaded(model_text, tmp_path, monkeypatch):
    wrong = tmp_path / "wrong.so"
    wrong.write_bytes(b"no library at all")
    monkeypatch.setattr(treelite_predictor, "build_library", lambda *_, **__: wrong)
    with pytest.raises(ModelError, match="cannot be loaded"):
        TreelitePredictor(model_text)


def test_a_library_of_another_model(model_text, monkeypatch):
    other = build_library(model_text)
    monkeypatch.setattr(treelite_predictor, "build_library", lambda *_, **__: other)
    (single,) = (model for model in every_model() if model.name == "a single column")
    with pytest.raises(ModelError, match="takes 6 features, it must take 1"):
        TreelitePredictor(single.text)
