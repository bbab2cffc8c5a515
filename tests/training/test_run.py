"""From a file to a model; and live, tick by tick, the very numbers of the offline evaluation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import ConfigError, DataError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.inference.signal import Reason
from alphaseeker.market.simulator import simulate_frame
from alphaseeker.model.artifact import load_artifact
from alphaseeker.model.backends import choose_predictor
from alphaseeker.model.decision import allocate_decision, probabilities_of
from alphaseeker.training import run as training_run
from alphaseeker.training.adaptation import adapt
from alphaseeker.training.dataset import join_blocks, warm_rows
from alphaseeker.training.evaluation import evaluation_rows
from alphaseeker.training.run import blocks_of, evaluate_source, judge_source, train_source
from alphaseeker.training.target import target_from_dict
from ticks import deep_ticks

QUICK = {"num_boost_round": 15, "TRADE_WITHOUT_EDGE": True}


def capture(name, captures, rows, tmp_path):
    """Write the first rows of a real capture as a file of its own."""
    path = tmp_path / f"{name}.parquet"
    pd.read_parquet(captures / f"{name}.parquet").head(rows).to_parquet(path)
    return path


@pytest.mark.parametrize(
    ("name", "rows"), [("spot_NEXOUSDT_1s", 30_000), ("usdm_BTCUSDT_quotes", 80_000)]
)
def test_live_gives_the_numbers_of_the_offline_evaluation(name, rows, captures, tmp_path):
    path = capture(name, captures, rows, tmp_path)
    # The last fold's model is kept, so that live it meets rows that it has not seen.
    engine = AlphaSeekerMLEngine(load_config(None, {**QUICK, "REFIT": False, "FOLDS": 2}))
    offline = engine.train_model(path, model_path=tmp_path / "m.joblib")
    (*_, fold) = offline["results"]["evaluation_results"]["folds"]
    artifact = load_artifact(tmp_path / "m.joblib")
    start = artifact.training["ranges"]["test"][0]

    judged = judge_source(path, engine.config)
    block = blocks_of(judged, FeatureSettings(**artifact.settings), names=artifact.feature_names)[0]
    chosen = evaluation_rows([block], artifact, from_ns=start)
    assert len(chosen) == fold["test_size"] > 100
    ready = artifact.training["ready_history_s"]
    warm = warm_rows([block], artifact.feature_names, ready_history_s=ready)
    rows = join_blocks([block], target_from_dict(artifact.target))
    asked = np.flatnonzero(rows.asked & warm & (block.timestamp >= start))
    predictor, _ = choose_predictor(artifact)
    scores = predictor.predict_matrix(np.ascontiguousarray(block.values[asked]))
    probabilities = adapt(
        [block],
        asked,
        probabilities_of(allocate_decision(artifact.calibration), scores),
        calibration=artifact.calibration,
        prior=artifact.class_prior,
        target=artifact.target,
        reference=artifact.training["reference"],
    )[np.searchsorted(asked, chosen)]

    frame = pd.read_parquet(path)
    stamps = frame["timestamp"].astype("datetime64[ns]").astype("int64")
    engine.warm_up(frame[stamps < start])
    session = engine.session("")
    later = frame[stamps >= start].astype({"timestamp": "datetime64[ns]"})
    position = {number: index for index, number in enumerate(block.row[chosen].tolist())}
    first = int((stamps < start).sum())
    seen = 0
    rows = deep_ticks(later) if "bid_price_2" in later else later.to_dict("records")
    for number, row in enumerate(rows, start=first + 1):
        answer = engine.predict(row, replay=True)
        index = position.get(number)
        if index is None:
            continue
        assert_array_equal(session.features, block.values[chosen[index]])
        given = answer["probabilities"]
        assert [given["SELL"], given["HOLD"], given["BUY"]] == probabilities[index].tolist()
        assert answer["ready"]
        seen += 1
    assert seen == len(chosen)
    # Every row that the engine asked its model on is in the evaluation, but for the last ones,
    # whose outcome the file does not hold.
    counts = engine.get_performance_stats()["inference_performance"]["filter_counts"]
    held = sum(
        counts[reason.text]
        for reason in Reason
        if reason.text and reason not in (Reason.LOW_CONFIDENCE, Reason.NO_EDGE, Reason.REFUSED)
    )
    unresolved = int((block.timestamp > block.timestamp[-1] - 60_000_000_000).sum())
    assert len(later) - held - counts["repeated"] - len(chosen) <= unresolved


def test_a_bad_row_of_a_directory_is_named_with_its_file(market, tmp_path, monkeypatch):
    monkeypatch.setattr("alphaseeker.training.judged.JUDGED_AT_ONCE", 70)
    rows = market.head(200).copy()
    rows.loc[150, "close"] = np.nan
    rows[:100].to_csv(tmp_path / "monday.csv", index=False)
    rows[100:].to_csv(tmp_path / "tuesday.csv", index=False)
    with pytest.raises(DataError, match=r"\(line 52 of tuesday\.csv: close is nan \(empty"):
        judge_source(tmp_path, load_config())
    quality = judge_source(tmp_path, load_config(None, {"MAX_BAD_RATIO": 0.1})).quality
    assert [row.file for row in quality.bad_rows] == ["tuesday.csv"]


def test_nothing_of_the_later_parts_reaches_the_model(captures, tmp_path):
    path = capture("spot_NEXOUSDT_1s", captures, 20_000, tmp_path)
    config = load_config(None, {**QUICK, "REFIT": False, "FOLDS": 2})
    before = train_source(path, config).artifact
    frame = pd.read_parquet(path)
    test = (
        frame["timestamp"].astype("datetime64[ns]").astype("int64")
        >= (before.training["ranges"]["test"][0])
    )
    noise = np.random.default_rng(0)
    for column in ("bid_price", "ask_price", "close"):
        frame.loc[test, column] = frame.loc[test, column].iloc[::-1].to_numpy() + 0.0317
    for column in ("bid_volume", "ask_volume"):
        frame.loc[test, column] = noise.lognormal(size=int(test.sum()))
    after = train_source(frame, config).artifact
    assert after.model_text == before.model_text
    assert after.calibration == before.calibration
    assert after.settings == before.settings
    assert after.class_prior == before.class_prior
    assert after.target == before.target
    assert after.feature_names == before.feature_names
    assert_array_equal(after.golden_features, before.golden_features)
    assert after.metrics["log_loss"] != before.metrics["log_loss"]


def test_evaluate_judges_what_the_last_fold_has_not_seen(market):
    config = load_config(None, {**QUICK, "REFIT": False, "windows": [5, 30]})
    run = train_source(market, config)
    whole = evaluate_source(run.artifact, market, config)
    start = pd.Timestamp(run.artifact.training["ranges"]["test"][0])
    assert whole["held_back"]["rows_before"] == int((market["timestamp"] < start).sum())
    (*_, fold) = run.trained.results["evaluation_results"]["folds"]
    for name in ("log_loss", "ic", "n_rows", "confusion_matrix", "intervals"):
        assert whole[name] == fold[name]


def test_a_model_of_all_rows_is_evaluated_on_later_ones(trained, market):
    artifact = load_artifact(trained[0])
    with pytest.raises(DataError, match=r"up to where the model was fitted.*REFIT = false"):
        evaluate_source(artifact, market, load_config())
    # A new session of the same market, after the last row.
    later = market.assign(timestamp=market["timestamp"] + pd.Timedelta(days=1))
    total = evaluate_source(artifact, later.assign(volume=later["volume"].cumsum()), load_config())
    assert "looks like a running total" in total["warnings"][0]
    both = evaluate_source(artifact, pd.concat([market, later]), load_config())
    assert "running total" not in str(both["warnings"])
    alone = evaluate_source(artifact, later, load_config())
    assert both["held_back"]["rows_before"] == len(market)
    assert alone["held_back"]["rows_before"] == 0
    assert both["log_loss"] == alone["log_loss"]
    # As a session that does not adapt answers.
    still = evaluate_source(artifact, later, load_config(None, {"ADAPTIVE_CALIBRATION": False}))
    fixed = replace(artifact, calibration={**artifact.calibration, "adaptive": None})
    assert still["log_loss"] == evaluate_source(fixed, later, load_config())["log_loss"]
    assert still["log_loss"] != alone["log_loss"]


def test_symbols_train_as_one_model(captures, tmp_path):
    engine = AlphaSeekerMLEngine(load_config(None, {**QUICK, "HORIZON_S": 300, "EMBARGO_S": 300}))
    frame = pd.read_parquet(captures / "crypto_1m.parquet")
    outcome = engine.train_model(frame, model_path=tmp_path / "m.joblib")
    artifact = load_artifact(tmp_path / "m.joblib")
    assert artifact.settings["bucket_s"] == 60.0
    assert set(artifact.training["symbols"]) == set(frame["symbol"])
    assert not [n for n in artifact.feature_names if n.endswith(("_5s", "_30s"))]
    assert outcome["results"]["test_size"] > 100


class Fitted(Exception):
    """Stops a training where its settings are fitted."""


def fitted_settings(frame, config, monkeypatch):
    """Return the feature settings that training on ``frame`` begins with."""
    settings = []

    def stop(judged, found, **_):
        settings.append(found)
        raise Fitted

    monkeypatch.setattr(training_run, "blocks_of", stop)
    with pytest.raises(Fitted):
        train_source(frame, config)
    return settings[0]


def test_no_setting_is_fitted_on_rows_after_the_training_part(deep_market, monkeypatch):
    config = load_config(None, QUICK)
    before = fitted_settings(deep_market, config, monkeypatch)
    assert (before.depth_levels, before.aggressor) == (5, True)
    assert before.microprices
    assert before.ofi_weights
    other = simulate_frame(len(deep_market), seed=99, tick_size=0.05, depth_levels=5)
    stamps = deep_market["timestamp"]
    columns = [name for name in other if name not in ("timestamp", "symbol", "session")]
    # The first training part ends before six tenths of the time.
    later = np.arange(len(stamps)) >= 0.6 * len(stamps)
    changed = deep_market.copy()
    changed.loc[later, columns] = other.loc[later, columns]
    assert fitted_settings(changed, config, monkeypatch) == before
    changed.loc[later, ["buy_volume", "sell_volume", *columns[-16:]]] = np.nan
    assert fitted_settings(changed, config, monkeypatch) == before
    changed = deep_market.copy()
    changed.loc[~later, columns] = other.loc[~later, columns]
    assert fitted_settings(changed, config, monkeypatch) != before


def test_refused_rows_are_left_out_of_the_fit_with_their_depth(deep_market, monkeypatch):
    config = load_config(None, {**QUICK, "MAX_BAD_RATIO": 0.1})
    bad = deep_market.copy()
    rows = bad.index % 50 == 7
    bad.loc[rows, "close"] = np.nan
    kept = fitted_settings(deep_market[~rows], config, monkeypatch)
    assert fitted_settings(bad, config, monkeypatch) == kept


def test_a_file_holds_what_the_kept_model_was_fitted_with(deep_market, monkeypatch):
    config = load_config(None, {**QUICK, "FOLDS": 2, "windows": [1, 5, 30]})
    fitted = fitted_settings(deep_market, config, monkeypatch)
    monkeypatch.undo()
    for folds, refit in ((1, False), (2, False), (1, True)):
        own = config.override({"FOLDS": folds, "REFIT": refit})
        settings = train_source(deep_market, own).artifact.settings
        for name in ("bucket_s", "depth_levels", "aggressor"):
            assert settings[name] == getattr(fitted, name)
        # The first fold's estimates, or those of more rows.
        same = [settings[name] == getattr(fitted, name) for name in ("microprices", "ofi_weights")]
        assert same == [(folds, refit) == (1, False)] * 2


def test_evaluating_needs_what_the_model_reads_and_no_more(deep_trained, deep_market):
    artifact = load_artifact(deep_trained)
    poor = deep_market.drop(columns=[name for name in deep_market if name[-1].isdigit()])
    with pytest.raises(DataError, match=r"depth of 'SIMULATED' has no levels, 5 are .*depth\."):
        evaluate_source(artifact, poor, load_config())
    config = load_config(None, {**QUICK, "families": ["book", "momentum"], "REFIT": False})
    plain = train_source(deep_market, config).artifact
    assert plain.settings["depth_levels"] == 5
    whole, part = (evaluate_source(plain, data, config) for data in (deep_market, poor))
    assert part == whole
    assert whole["log_loss"] == plain.metrics["folds"][-1]["log_loss"]


def test_a_family_that_the_data_do_not_offer_is_refused_by_name(market):
    config = load_config(None, {**QUICK, "families": ["book", "depth"]})
    with pytest.raises(ConfigError, match="'depth', whose columns the data do not offer"):
        train_source(market, config)
