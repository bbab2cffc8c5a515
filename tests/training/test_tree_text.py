import lightgbm
import numpy as np
import pytest

from alphaseeker.model.forest_predictor import ForestPredictor
from alphaseeker.model.lightgbm_text import validate_model_text
from alphaseeker.training.direction import Steps, direction_scores, fit_direction
from alphaseeker.training.tree_text import blended_text

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module", params=["multiclass", "multiclassova"])
def fitted(request):
    random = np.random.default_rng(0)
    matrix = random.normal(size=(3000, 4)).astype(np.float32)
    matrix[::9, 1] = np.nan
    matrix[:, 2] = np.round(matrix[:, 2])
    latent = matrix[:, 0] + 0.5 * matrix[:, 2] + random.normal(size=3000)
    label = np.digitize(latent, [-0.5, 0.5]).astype(np.int8)
    params = {"objective": request.param, "num_class": 3, "num_leaves": 7, "verbosity": -1}
    data = lightgbm.Dataset(matrix, label, feature_name=list(NAMES))
    text = lightgbm.train(params, data, 8).model_to_string()
    columns = [matrix[:, position] for position in range(3)]
    return matrix, columns, text, fit_direction(columns, NAMES[:3], label, np.ones(3000))


def hard_rows(matrix, steps):
    """Rows on the thresholds, beside them, missing and infinite."""
    rows = [matrix[:200]]
    for position, one in enumerate(steps):
        edges = np.concatenate([one.thresholds, [np.nan, np.inf, -np.inf, 0.0]]).astype(np.float32)
        edges = np.concatenate(
            [edges, np.nextafter(edges, np.float32(9)), np.nextafter(edges, np.float32(-9))]
        )
        block = np.repeat(matrix[:1], len(edges), axis=0)
        block[:, position] = edges
        rows.append(block)
    every = np.vstack(rows)
    # LightGBM takes what is nearer to zero than 1e-35 for zero.
    every[np.abs(every) < 1e-35] = 0.0
    return every


@pytest.mark.parametrize("share", [0.7, 0.0])
def test_the_text_adds_what_the_steps_add(fitted, share):
    matrix, _, text, steps = fitted
    rows = hard_rows(matrix, steps)
    blended = blended_text(text, NAMES, steps, trees=share)
    want = share * lightgbm.Booster(model_str=text).predict(rows, raw_score=True)
    lean = direction_scores(steps, [rows[:, position] for position in range(3)])
    want[:, 0] -= lean
    want[:, 2] += lean
    found = lightgbm.Booster(model_str=blended).predict(rows, raw_score=True)
    np.testing.assert_allclose(found, want, rtol=0.0, atol=1e-13)


def test_every_predictor_takes_it(fitted):
    matrix, _, text, steps = fitted
    blended = blended_text(text, NAMES, steps, trees=0.5)
    shape = validate_model_text(blended, n_features=4)
    assert shape.n_trees == 3 * (8 + len(steps))
    rows = hard_rows(matrix, steps)
    want = lightgbm.Booster(model_str=blended).predict(rows, raw_score=True)
    predictor = ForestPredictor(blended)
    assert (predictor.predict_matrix(rows) == want).all()
    predictor.close()


def test_trees_alone_are_scaled(fitted):
    matrix, _, text, _ = fitted
    halved = lightgbm.Booster(model_str=blended_text(text, NAMES, (), trees=0.5))
    whole = lightgbm.Booster(model_str=text)
    want = 0.5 * whole.predict(matrix, raw_score=True)
    np.testing.assert_allclose(halved.predict(matrix, raw_score=True), want, atol=1e-14)


def test_one_step_and_two(fitted):
    matrix, _, text, _ = fitted
    steps = tuple(
        Steps(
            name=name,
            thresholds=np.array(cuts),
            values=np.array(values),
            counts=np.full(len(values), 10),
            missing=0,
        )
        for name, cuts, values in (("a", [], [0.25]), ("b", [0.1], [0.5, -0.5]))
    )
    blended = lightgbm.Booster(model_str=blended_text(text, NAMES, steps, trees=0.0))
    lean = direction_scores(steps, [matrix[:, 0], matrix[:, 1]])
    assert blended.predict(matrix, raw_score=True) == pytest.approx(
        np.column_stack([-lean, np.zeros(len(lean)), lean])
    )


def test_contributions_still_add_up(fitted):
    matrix, _, text, steps = fitted
    blended = lightgbm.Booster(model_str=blended_text(text, NAMES, steps, trees=0.5))
    parts = blended.predict(matrix[:50], pred_contrib=True).reshape(50, 3, 5)
    np.testing.assert_allclose(
        parts.sum(axis=2), blended.predict(matrix[:50], raw_score=True), atol=1e-9
    )
    assert np.abs(parts[:, 2, 0]).mean() > np.abs(parts[:, 2, 3]).mean()
    gain = dict(zip(NAMES, blended.feature_importance("gain"), strict=True))
    assert gain["a"] > gain["d"]
