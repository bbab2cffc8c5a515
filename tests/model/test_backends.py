import numpy as np
import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model import backends
from alphaseeker.model.backends import choose_predictor, compile_ahead
from alphaseeker.model.lightgbm_predictor import LightGBMPredictor


class Wrong(LightGBMPredictor):
    """A predictor that is off by the least amount there is."""

    name = "wrong"
    closed = False

    def predict_row(self, features, scores):
        super().predict_row(features, scores)
        scores[0] = np.nextafter(scores[0], np.inf)

    def close(self):
        super().close()
        Wrong.closed = True


def make_wrong(model_text, n_features, num_threads):
    return Wrong(model_text, n_features, num_threads=num_threads)


def make_no_room(model_text, n_features, num_threads):
    raise OSError(28, "No space left on device")


def make_nothing(model_text, n_features, num_threads):
    raise ModelError("no compiler was found; install one")


@pytest.fixture
def three(monkeypatch):
    """Put two predictors that cannot serve before LightGBM's."""
    reference = backends.PREDICTORS["lightgbm"]
    table = {"nothing": make_nothing, "wrong": make_wrong, "lightgbm": reference}
    monkeypatch.setattr(backends, "PREDICTORS", table)


@pytest.mark.parametrize("backend", [*backends.PREDICTORS])
def test_the_backend_that_is_named_serves(artifact, backend):
    predictor, passed_over = choose_predictor(artifact, backend=backend, num_threads=2)
    assert (predictor.name, predictor.n_features, passed_over) == (backend, 6, [])


@pytest.mark.parametrize("fastest", ["forest", "treelite"])
def test_auto_takes_the_fastest_that_proves_itself(artifact, monkeypatch, fastest):
    times = {"forest": 2_000.0, "treelite": 3_000.0, fastest: 1_000.0}
    monkeypatch.setattr(backends, "time_in_turn", lambda predictor, rows: times[predictor.name])
    predictor, passed_over = choose_predictor(artifact)
    assert predictor.name == fastest
    assert len(passed_over) == 1
    assert f"us a row where {fastest} took 1.0" in passed_over[0]


def test_auto_needs_no_compiler(artifact, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    predictor, passed_over = choose_predictor(artifact)
    assert predictor.name == "forest"
    assert len(passed_over) == 1
    assert passed_over[0].startswith("treelite: CC is 'no-such-compiler'")


def test_a_library_that_cannot_be_built_is_a_sentence(artifact, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    failure = compile_ahead(artifact.model_text)
    assert "no such program" in failure
    assert compile_ahead(artifact.model_text, backend="forest") is None


def test_a_library_is_compiled_ahead(artifact):
    stages = []
    assert compile_ahead(artifact.model_text, on_progress=lambda *step: stages.append(step)) is None
    again = []
    assert compile_ahead(artifact.model_text, on_progress=lambda *step: again.append(step)) is None
    assert again == []


def test_the_first_that_proves_itself_serves_and_the_others_are_explained(artifact, three):
    predictor, passed_over = choose_predictor(artifact)
    assert predictor.name == "lightgbm"
    assert passed_over[0] == "nothing: no compiler was found; install one"
    assert passed_over[1].startswith("wrong: the predictor 'wrong' (rows) differs")
    assert Wrong.closed


def test_a_named_backend_that_cannot_serve_is_an_error(artifact, three):
    with pytest.raises(ModelError, match="no predictor can serve the model: nothing: no compiler"):
        choose_predictor(artifact, backend="nothing")


def test_an_unknown_backend_is_an_error(artifact):
    with pytest.raises(ModelError, match="'abacus' is unknown; it must be auto or one of forest, "):
        choose_predictor(artifact, backend="abacus")


def test_golden_rows_that_differ_are_refused(variant, artifact):
    scores = artifact.golden_scores.copy()
    scores[3, 0] += 1.0
    with pytest.raises(ModelError, match="golden scores in 1 of 200 rows"):
        choose_predictor(variant(golden_scores=scores))


def test_a_predictor_that_fails_in_another_way_is_passed_over(artifact, monkeypatch):
    table = {"full": make_no_room, "lightgbm": backends.PREDICTORS["lightgbm"]}
    monkeypatch.setattr(backends, "PREDICTORS", table)
    predictor, passed_over = choose_predictor(artifact)
    assert predictor.name == "lightgbm"
    assert "No space left" in passed_over[0]
