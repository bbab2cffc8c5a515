"""Columns that rest on fitted estimates are graded on no row that they were fitted on."""

from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.config import load_config
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.market.simulator import simulate_frame
from alphaseeker.training import factor_run
from alphaseeker.training import fitted as fitted_columns
from alphaseeker.training import run as training_run
from alphaseeker.training.factor_run import evaluate_factor_source
from alphaseeker.training.fitted import FITTED, ColumnRefit, fit_on_training_part
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

        def watch(blocks, config, *, evaluate=evaluate, **options):
            seen.extend(blocks)
            return evaluate(blocks, config, **options)

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
    assert 0.4 < before.mean() < 0.6
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
        assert finite(graded_blocks[0], name).any()  # they are there, and left aside
        assert results[name]["n_observations"] == 0
        assert results[name]["grade"] == "E"
        assert results[name]["reason"].startswith("not graded: ")
    assert results["book.imbalance"]["n_observations"] > 1_000


@pytest.fixture(scope="module")
def refitted(noise):
    """Blocks of the market, what rewrites them, and the masks of two training parts."""
    config = load_config(None, QUICK)
    judged = judge_source(noise, config)
    fitted, _ = fit_on_training_part(judged.series, judged.accepted, config)
    (block,) = blocks = training_run.blocks_of(judged, fitted)
    early = np.arange(len(block)) < 2_000
    late = np.arange(len(block)) >= 2_000
    return judged, fitted, blocks, config, (early, late)


def columns_after(refitted, *masks):
    """Return the block after fits on ``masks``, one after another, and the last settings."""
    judged, fitted, blocks, config, _ = refitted
    (block,) = [replace(one, values=one.values.copy()) for one in blocks]
    refit = ColumnRefit(judged.series, judged.accepted, [block], fitted, config)
    for mask in masks:
        refit(mask)
    return block, refit.settings


def test_a_fit_rewrites_what_rests_on_it_and_nothing_else(refitted):
    _, _, (block,), _, (early, late) = refitted
    one, first = columns_after(refitted, early)
    other, second = columns_after(refitted, late)
    assert first.microprices != second.microprices
    for column, name in enumerate(block.names):
        pair = one.values[:, column], other.values[:, column]
        if name in FITTED:
            assert not np.array_equal(*pair, equal_nan=True), name
        elif name != "book.spread_ticks":
            np.testing.assert_array_equal(pair[0], block.values[:, column])
            np.testing.assert_array_equal(*pair)


def test_a_fit_leaves_no_trace_of_the_one_before(refitted):
    early, late = refitted[-1]
    one, settings = columns_after(refitted, early)
    back, again = columns_after(refitted, late, early)
    np.testing.assert_array_equal(back.values, one.values)
    assert again == settings


def test_columns_are_those_that_the_kept_settings_compute(refitted):
    judged, _, _, _, (_, late) = refitted
    block, settings = columns_after(refitted, late)
    (computed,) = training_run.blocks_of(judged, settings)
    np.testing.assert_array_equal(block.values, computed.values)


def test_the_fitted_columns_of_a_fold_know_nothing_of_later_rows(noise, refitted):
    config, early = refitted[3], refitted[-1][0]
    changed = noise.copy()
    prices = [name for name in noise if "price" in name or name == "close"]
    later = np.arange(len(noise)) >= 2_000
    changed.loc[later, prices] = noise.loc[later, prices].iloc[::-1].to_numpy()
    judged = judge_source(changed, config)
    blocks = training_run.blocks_of(judged, refitted[1])
    refit = ColumnRefit(judged.series, judged.accepted, blocks, refitted[1], config)
    refit(early)
    block, settings = columns_after(refitted, early)
    assert refit.settings == settings
    np.testing.assert_array_equal(blocks[0].values[:2_000], block.values[:2_000])


def test_training_rewrites_for_every_fit(noise, monkeypatch):
    fits = []
    call = ColumnRefit.__call__

    def watched(self, train):
        call(self, train)
        fits.append((int(train.sum()), self.settings.microprices))

    monkeypatch.setattr(ColumnRefit, "__call__", watched)
    run = train_source(noise, load_config(None, {**QUICK, "FOLDS": 2, "windows": [5]}))
    assert [rows for rows, _ in fits] == sorted({rows for rows, _ in fits})
    assert len(fits) == 3
    assert len({str(tables) for _, tables in fits}) == 3
    assert run.artifact.settings["microprices"] == fits[-1][1]


def test_no_quote_follows_one_from_before_a_held_back_part(refitted, monkeypatch):
    judged, fitted, blocks, config, _ = refitted
    (one,), (block,) = judged.series, blocks
    accepted = judged.accepted[0].copy()
    accepted[700] = False  # refused by the gate: no hole
    block = replace(
        block, **{n: np.delete(getattr(block, n), 700, axis=0) for n in training_run.BY_ROW}
    )
    seen = []

    def watch(parts, *rest, **options):
        seen.extend(parts)
        return fitted

    monkeypatch.setattr(fitted_columns, "fit_settings", watch)
    refit = ColumnRefit([one], [accepted], [block], fitted, config)
    rows = np.arange(len(block))
    refit((rows < 1_000) | ((2_000 <= rows) & (rows < 3_000)))
    refit(rows < 1_000)
    halves, whole = (part.ticks["session"] for part in seen)
    assert (np.diff(halves) != 0).nonzero()[0].tolist() == [999]
    assert (np.diff(whole) == 0).all()
    # What the series itself holds is left alone.
    assert (np.diff(one.ticks["session"]) == 0).all()
