import numpy as np
import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model import backends
from alphaseeker.model.backends import choose_predictor
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


def make_nothing(model_text, n_features, num_threads):
    raise ModelError("no compiler was found; install one")


@pytest.fixture
def three(monkeypatch):
    """Put two predictors that cannot serve before LightGBM's."""
    table = {"nothing": make_nothing, "wrong": make_wrong, **backends.PREDICTORS}
    monkeypatch.setattr(backends, "PREDICTORS", table)


@pytest.mark.parametrize("backend", ["auto", "lightgbm"])
def test_lightgbm_serves(artifact, backend):
    predictor, passed_over = choose_predictor(artifact, backend=backend, num_threads=2)
    assert (predictor.name, predictor.n_features, passed_over) == ("lightgbm", 6, [])


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
    with pytest.raises(ModelError, match="'abacus' is unknown; it must be auto or one of lightgbm"):
        choose_predictor(artifact, backend="abacus")


def test_golden_rows_that_differ_are_refused(variant, artifact):
    scores = artifact.golden_scores.copy()
    scores[3, 0] += 1.0
    with pytest.raises(ModelError, match="golden scores in 1 of 200 rows"):
        choose_predictor(variant(golden_scores=scores))
