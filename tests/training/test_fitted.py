"""Columns that rest on fitted estimates are graded on no row that they were fitted on."""

import numpy as np
import pytest

from alphaseeker.config import load_config
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.market.simulator import simulate_frame
from alphaseeker.training import factor_run
from alphaseeker.training import run as training_run
from alphaseeker.training.factor_run import evaluate_factor_source
from alphaseeker.training.fitted import FITTED, fit_on_training_part
from alphaseeker.training.run import judge_source, train_source

QUICK = {"num_boost_round": 5, "TRADE_WITHOUT_EDGE": True}
INTEGRATED = tuple(f"depth.integrated_ofi_{window}s" for window in (5, 30, 60, 300))


@pytest.fixture(scope="module")
def noise():
    """SIMULATED quotes with nothing to find in them."""
    return simulate_frame(5_000, seed=11, signal_strength=0.0, depth_levels=3)


@pytest.fixture
def graded_blocks(monkeypatch):
    """The blocks that reach the evaluation of factors."""
    seen = []
    for module in (factor_run, training_run):
        evaluate = module.evaluate_factor_blocks

        def watch(blocks, config, *, on_progress=None, evaluate=evaluate):
            seen.extend(blocks)
            return evaluate(blocks, config, on_progress=on_progress)

        monkeypatch.setattr(module, "evaluate_factor_blocks", watch)
    return seen


def finite(block, name):
    return np.isfinite(block.values[:, block.names.index(name)])


def named(results):
    return {result["factor_name"]: result for result in results}


def test_the_catalogue_says_what_is_fitted():
    assert {f.name for f in FEATURES if f.fitted} == {"book.microprice_dev", *INTEGRATED} == FITTED


def test_fitted_columns_are_graded_after_the_training_part(noise, graded_blocks, tmp_path):
    config = load_config(None, QUICK)
    answer = evaluate_factor_source(noise, config, report_path=tmp_path / "factors.json")
    judged = judge_source(noise, config)
    _, end_ns = fit_on_training_part(judged.series, judged.accepted, config)
    (block,) = graded_blocks
    before = block.timestamp < end_ns
    assert 0.5 < before.mean() < 0.8
    results = named(answer["factor_results"])
    for name in FITTED:
        assert not finite(block, name)[before].any()
        assert finite(block, name)[~before].mean() > 0.9
        assert results[name]["reason"].startswith("graded on the rows after those it was fitted on")
        assert 0 < results[name]["n_observations"] <= (~before).sum()
    assert finite(block, "book.imbalance").all()
    assert results["book.imbalance"]["n_observations"] > before.sum()
    assert "fitted" not in results["book.imbalance"]["reason"]


def test_the_rows_that_grade_a_fitted_column_do_not_fit_it(noise, graded_blocks, tmp_path):
    config = load_config(None, QUICK)
    judged = judge_source(noise, config)
    _, end_ns = fit_on_training_part(judged.series, judged.accepted, config)
    later = noise["timestamp"].astype("datetime64[ns]").astype("int64").to_numpy() >= end_ns
    changed = noise.copy()
    # Another future: the prices of the later rows in reverse order, each quote as it was.
    prices = [name for name in noise if "price" in name or name == "close"]
    changed.loc[later, prices] = noise.loc[later, prices].iloc[::-1].to_numpy()
    settings = [
        fit_on_training_part(j.series, j.accepted, config)[0]
        for j in (judged, judge_source(changed, config))
    ]
    assert settings[0].microprices
    assert settings[0] == settings[1]
    for data in (noise, changed):
        evaluate_factor_source(data, config, report_path=tmp_path / "factors.json")
    at = graded_blocks[0].names.index("book.microprice_dev")
    first, second = (block.values[:, at] * block.mid for block in graded_blocks)
    # The table is the same: the same queues and spread give the same ticks.
    same = np.isfinite(first) & (graded_blocks[0].spread == graded_blocks[1].spread)
    assert same.sum() > 500
    np.testing.assert_allclose(first[same], second[same], rtol=1e-5)


def test_data_too_short_for_parts_grades_nothing_fitted(noise, graded_blocks, tmp_path):
    config = load_config(None, {**QUICK, "EMBARGO_S": 4_000})
    answer = evaluate_factor_source(noise, config, report_path=tmp_path / "factors.json")
    results = named(answer["factor_results"])
    for name in FITTED:
        assert not finite(graded_blocks[0], name).any()
        assert results[name]["grade"] == "E"
        assert results[name]["reason"].startswith("not graded: ")
    assert results["book.imbalance"]["n_observations"] > 3_000


def test_training_grades_no_fitted_column(noise, graded_blocks):
    run = train_source(noise, load_config(None, QUICK))
    assert run.artifact.settings["microprices"]  # the model has them, as fitted
    results = named(run.factors)
    for name in FITTED:
        assert not finite(graded_blocks[0], name).any()
        assert results[name]["grade"] == "E"
        assert results[name]["reason"].startswith("not graded: ")
    assert results["book.imbalance"]["n_observations"] > 1_000
