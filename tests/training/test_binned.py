from dataclasses import replace

import lightgbm
import numpy as np
import pytest

from alphaseeker.features.matrix_file import allocate_values
from alphaseeker.training import binned
from alphaseeker.training.binned import binned_dataset
from alphaseeker.training.row_matrix import RowMatrix

PARAMS = {
    "objective": "multiclass",
    "num_class": 3,
    "seed": 3,
    "deterministic": True,
    "force_col_wise": True,
    "num_threads": 1,
    "min_data_in_leaf": 300,
    "verbosity": -1,
}
ROWS = 6_000


@pytest.fixture(scope="module")
def block(simulate):
    return simulate(ROWS, signal=0.5)


@pytest.fixture(scope="module")
def label(block):
    noise = np.random.default_rng(1).normal(size=ROWS)
    return np.clip(np.rint(block.values[:, 0] + noise) + 1, 0, 2).astype(np.int8)


def fitted(matrix, label, names, **params):
    """Return the text of a model on the first two thirds, stopped by nothing, and its loss."""
    train, later = matrix
    cut = len(train)
    params = {**PARAMS, **params}
    data = binned_dataset(train, label[:cut], np.ones(cut), names, params=params)
    watched = binned_dataset(later, label[cut:], None, names, params=params, reference=data)
    loss = {}
    booster = lightgbm.train(
        params, data, 10, [watched], callbacks=[lightgbm.record_evaluation(loss)]
    )
    return booster.model_to_string(), loss["valid_0"]["multi_logloss"]


def halves(values, cut=4_000):
    return values[:cut], values[cut:]


@pytest.mark.parametrize("sampled", [50_000, 700])
def test_the_place_and_order_of_the_values_change_nothing(block, label, monkeypatch, sampled):
    monkeypatch.setattr(binned, "SAMPLED_ROWS", sampled)
    expected = fitted(halves(block.values), label, block.names)
    filed = allocate_values(*block.values.shape, memory_limit=0)
    filed[:] = block.values
    for values in (block.values, np.asfortranarray(block.values), filed):
        parts = halves(np.arange(ROWS))
        columns = range(len(block.names))
        moved = [replace(block, values=values)]
        matrices = [RowMatrix(moved, rows, columns) for rows in parts]
        assert fitted(matrices, label, block.names) == expected
    assert fitted(halves(np.asfortranarray(block.values)), label, block.names) == expected


def test_a_sample_of_everything_gives_the_bins_of_lightgbm(block, label):
    """Then the bounds are those of a plain data set, and so is the model."""
    text, _ = fitted(halves(block.values), label, block.names)
    plain = lightgbm.Dataset(block.values[:4_000], label[:4_000], feature_name=list(block.names))
    same = lightgbm.train({**PARAMS, "feature_pre_filter": False}, plain, 10).model_to_string()
    assert text.partition("parameters:")[0] == same.partition("parameters:")[0]


def test_bins_of_a_sample_are_nearly_as_good(block, label, monkeypatch):
    _, whole = fitted(halves(block.values), label, block.names)
    monkeypatch.setattr(binned, "SAMPLED_ROWS", 1_000)
    _, part = fitted(halves(block.values), label, block.names)
    assert part[-1] == pytest.approx(whole[-1], abs=0.003)


def test_the_seed_draws_the_sample(block, label, monkeypatch):
    monkeypatch.setattr(binned, "SAMPLED_ROWS", 500)
    first, again, other = (
        fitted(halves(block.values), label, block.names, seed=seed)[0].partition("parameters:")[0]
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_fit_can_begin_from_scores(block, label):
    scores = np.column_stack([np.zeros(ROWS), block.values[:, 0], 2.0 * block.values[:, 1]])
    data = binned_dataset(block.values, label, None, block.names, params=PARAMS, init_score=scores)
    np.testing.assert_array_equal(data.get_init_score(), scores)
    assert data.feature_name == list(block.names)
    assert data.num_data() == ROWS
    assert data.data is None
