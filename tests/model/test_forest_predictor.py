import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.errors import ModelError
from alphaseeker.model.forest_predictor import ForestPredictor
from alphaseeker.model.golden import build_golden, verify_golden
from model.exactness import assert_exact, edit_trees, every_model, hard_rows, train

MODEL = train("predictor", leaves=31, rounds=10, missing=0.1)


@pytest.fixture(scope="module")
def rows():
    return hard_rows(MODEL)


@pytest.fixture(scope="module")
def reference(rows):
    return MODEL.scores(rows)


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


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_matrix_on_several_threads(threads, rows, reference):
    many = np.tile(rows, (-(-20_000 // len(rows)), 1))
    scores = ForestPredictor(MODEL.text, num_threads=threads).predict_matrix(many)
    assert scores.tobytes() == np.tile(reference, (len(many) // len(rows), 1)).tobytes()


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
        timeout=1_800,
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
