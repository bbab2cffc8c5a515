"""Two models as one: LightGBM reads it, and its scores are the sum of theirs."""

import lightgbm
import numpy as np
import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model.joined_text import join_models
from alphaseeker.model.lightgbm_text import validate_model_text

PARAMETERS = {
    "objective": "multiclass",
    "num_class": 3,
    "num_leaves": 7,
    "verbosity": -1,
    "num_threads": 1,
    "seed": 1,
}
NAMES = ["one", "two", "three"]


def fitted(seed, *, rounds=5, names=NAMES, scale=1.0, constant=False, **parameters):
    draws = np.random.default_rng(seed)
    matrix = scale * draws.standard_normal((800, len(names)))
    if constant:
        matrix[:, 2] = 4.0
    label = np.digitize(matrix[:, 0] + 0.5 * draws.standard_normal(800), (-0.5, 0.5))
    data = lightgbm.Dataset(matrix, label, feature_name=list(names))
    return lightgbm.train({**PARAMETERS, **parameters}, data, rounds).model_to_string()


def scores(text, matrix):
    return lightgbm.Booster(model_str=text).predict(matrix, raw_score=True)


def test_scores_are_the_sum():
    first, second = fitted(1), fitted(2, rounds=8, scale=2.0)
    joined = join_models(first, second)
    matrix = 3.0 * np.random.default_rng(3).standard_normal((500, 3))
    matrix[::9, 1] = np.nan
    np.testing.assert_allclose(
        scores(joined, matrix), scores(first, matrix) + scores(second, matrix), rtol=0, atol=1e-12
    )
    shape = validate_model_text(joined, n_features=3)
    assert shape.n_trees == 3 * (5 + 8)
    assert shape.feature_names == tuple(NAMES)
    assert join_models(first, second) == joined


def test_ranges_cover_both_and_importances_are_counted_anew():
    first, second = fitted(1, constant=True), fitted(2, scale=2.0)
    joined = lightgbm.Booster(model_str=join_models(first, second))
    each = [lightgbm.Booster(model_str=text) for text in (first, second)]
    splits = sum(booster.feature_importance("split") for booster in each)
    np.testing.assert_array_equal(joined.feature_importance("split"), splits)

    def bounds(booster):
        line = next(x for x in booster.model_to_string().split("\n") if "feature_infos" in x)
        texts = line.partition("=")[2].split(" ")
        return [None if t == "none" else tuple(map(float, t[1:-1].split(":"))) for t in texts]

    one, two, both = bounds(each[0]), bounds(each[1]), bounds(joined)
    assert one[2] is None
    assert both[2] == two[2]
    for a, b, c in zip(one[:2], two[:2], both[:2], strict=True):
        assert c == (min(a[0], b[0]), max(a[1], b[1]))


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"names": ["one", "three", "two"]}, "feature_names"),
        ({"objective": "multiclassova"}, "objective"),
    ],
)
def test_models_that_do_not_fit_are_refused(other, named):
    with pytest.raises(ModelError, match=named):
        join_models(fitted(1), fitted(2, **other))


def test_damage_is_refused():
    with pytest.raises(ModelError):
        join_models(fitted(1), fitted(2).replace("leaf_value=", "leaf_walue="))
