import gc
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.errors import ModelError
from alphaseeker.model.forest_predictor import ForestPredictor
from alphaseeker.model.golden import build_golden, verify_golden
from model.exactness import assert_exact, edit_trees, every_model, hard_rows, train

MODEL = train("predictor", leaves=31, rounds=10, missing=0.1)
K = MODEL.n_features


@pytest.fixture(scope="module")
def rows():
    return hard_rows(MODEL)


@pytest.fixture(scope="module")
def reference(rows):
    return MODEL.scores(rows)


@pytest.fixture
def predictor():
    return ForestPredictor(MODEL.text, K)


@pytest.mark.parametrize("model", every_model(), ids=lambda model: model.name)
def test_every_model_on_hard_rows(model):
    assert_exact(ForestPredictor(model.text), model)


@given(
    st.fixed_dictionaries(
        {
            "rounds": st.integers(1, 6),
            "leaves": st.integers(2, 64),
            "n_features": st.integers(1, 12),
            "rows": st.integers(60, 200),
            "missing": st.sampled_from([0.0, 0.3]),
            "max_depth": st.sampled_from([-1, 2, 5]),
            "max_bin": st.sampled_from([3, 255]),
            "use_missing": st.booleans(),
            "seed": st.integers(0, 100),
        }
    )
)
@settings(max_examples=25)
def test_any_small_model(parameters):
    model = train("any", **parameters)
    assert_exact(ForestPredictor(model.text), model)


def test_golden_rows(rows):
    features, scores = build_golden(MODEL.text, rows, rows=300)
    verify_golden(ForestPredictor(MODEL.text), features, scores)


def test_a_changed_leaf_is_noticed(rows, reference):
    """The harness can fail."""
    changed = edit_trees(
        MODEL,
        "changed",
        leaf_value=lambda items: [repr(float(items[0]) + 1e-12), *items[1:]],
    )
    with pytest.raises(AssertionError, match="rows differ"):
        assert_exact(ForestPredictor(changed.text), MODEL)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"linear_tree": True}, "linear"),
        ({"zero_as_missing": True}, "zero_as_missing"),
    ],
)
def test_what_is_not_supported_is_refused_with_the_reason(parameters, reason):
    with pytest.raises(ModelError, match=reason):
        ForestPredictor(train("refused", rounds=2, **parameters).text)


def test_categorical_splits_are_refused_with_the_reason():
    def spoil(matrix, random):
        matrix[:, 1] = random.integers(0, 8, len(matrix))
        matrix[:, 0] = matrix[:, 2] = matrix[:, 3] = matrix[:, 4] = matrix[:, 5] = 0.0

    model = train("categories", spoil=spoil, categories=[1], rounds=2)
    with pytest.raises(ModelError, match="categorical"):
        ForestPredictor(model.text)


def test_more_than_64_leaves_are_refused():
    with pytest.raises(ModelError, match="at most 64 are supported"):
        ForestPredictor(train("leaves", leaves=70, rounds=1).text)


def test_matrices_of_any_layout(predictor, rows, reference):
    assert predictor.predict_matrix(rows).tobytes() == reference.tobytes()
    assert predictor.predict_matrix(rows[::-2]).tobytes() == reference[::-2].tobytes()
    assert predictor.predict_matrix(np.asfortranarray(rows)).tobytes() == reference.tobytes()
    wide = np.hstack([rows, rows])[:, :K]
    assert predictor.predict_matrix(wide).tobytes() == reference.tobytes()
    assert predictor.predict_matrix(rows[:0]).shape == (0, 3)
    frozen = rows.copy()
    frozen.flags.writeable = False
    assert predictor.predict_matrix(frozen).tobytes() == reference.tobytes()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_matrix_on_several_threads(threads, rows, reference):
    many = np.tile(rows, (-(-20_000 // len(rows)), 1))
    scores = ForestPredictor(MODEL.text, num_threads=threads).predict_matrix(many)
    assert scores.tobytes() == np.tile(reference, (len(many) // len(rows), 1)).tobytes()


def test_buffers_may_be_parts_of_a_record(predictor, rows, reference):
    record = np.zeros(1, dtype=[("pad", "i4"), ("x", "f4", K), ("pad2", "i4"), ("scores", "f8", 3)])
    predict = predictor.bind(record["x"][0], record["scores"][0])
    record["x"] = rows[3]
    predict()
    assert record["scores"].tobytes() == reference[3].tobytes()


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
        thread.join()
    assert failures == []


def test_a_bound_one_outlives_its_predictor(rows, reference):
    predictor = ForestPredictor(MODEL.text)
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


def test_serving_needs_no_lightgbm_and_survives_a_fork():
    program = """
        import os, sys, warnings
        import numpy as np
        from alphaseeker.model.forest_predictor import ForestPredictor
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
        predictor = ForestPredictor(sys.stdin.read(), num_threads=2)
        matrix = np.random.default_rng(0).normal(size=(9000, 6)).astype(np.float32)
        expected = predictor.predict_matrix(matrix)
        heavy = {"lightgbm", "sklearn", "pandas"} & set(sys.modules)
        assert not heavy, heavy
        child = os.fork()
        if child == 0:
            same = predictor.predict_matrix(matrix).tobytes() == expected.tobytes()
            os._exit(0 if same else 1)
        assert os.waitpid(child, 0)[1] == 0
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        input=MODEL.text,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr


def test_no_array_is_read_or_written_beyond_its_end(rows, tmp_path):
    """Every way in, and every way through, with the bounds of all arrays checked."""
    program = """
        import sys
        import numpy as np
        from numba import njit
        from numba.core import config
        from alphaseeker.model.forest_predictor import ForestPredictor
        from alphaseeker.model.predictor import call_predictor
        assert config.BOUNDSCHECK

        @njit
        def step(entry, context, fresh):
            return call_predictor(entry, (context, fresh))

        rows, single = np.load("rows.npy"), np.empty(3)
        predictor = ForestPredictor(sys.stdin.read())
        given = [predictor.predict_matrix(rows), np.empty((len(rows), 3))]
        for row, out in zip(rows, given[1], strict=True):
            predictor.predict_row(row, out)
        for few in (0, 2, 1_000):
            features, scores = np.zeros(rows.shape[1], np.float32), np.zeros(3)
            bound = predictor.bind(features, scores)
            bound._state.record["few_columns"] = bound._state.record["few_crossings"] = few
            given.append(np.empty((len(rows), 3)))
            for row, out in zip(rows, given[-1], strict=True):
                features[:] = row
                step(bound.entry, bound.context, 0)
                out[:] = scores
        np.save("given.npy", given)
    """
    np.save(tmp_path / "rows.npy", rows)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        input=MODEL.text,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={
            **os.environ,
            "NUMBA_BOUNDSCHECK": "1",
            "ALPHASEEKER_CACHE_DIR": str(tmp_path / "cache"),
        },
    )
    assert done.returncode == 0, done.stderr
    wanted = MODEL.scores(rows).tobytes()
    for scores in np.load(tmp_path / "given.npy"):
        assert scores.tobytes() == wanted
