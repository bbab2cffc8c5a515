"""The facade as a whole: files kept, models swapped, a running model never lost."""

import dataclasses
import json
import logging
import math

import numpy as np
import pandas as pd
import pytest

from alphaseeker import create_ml_engine
from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import ConfigError, DataError, ModelError, StateError
from alphaseeker.features.matrix_store import MatrixStore
from alphaseeker.model.artifact import load_artifact, save_artifact
from alphaseeker.model.decision import allocate_decision
from alphaseeker.risk.manager import RiskManager
from ticks import deep_ticks, tick

QUICK = {"num_boost_round": 8, "windows": [1, 5, 30, 60]}


def test_training_writes_model_and_report_and_keeps_the_old_ones(market, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    engine = create_ml_engine(log_level="ERROR", **QUICK)
    stages = []
    for _ in range(2):
        outcome = engine.train_model(market, on_progress=lambda *step: stages.append(step[0]))
    names = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert "trading_model.joblib" in names
    assert sum(name.startswith("trading_model.2") for name in names) == 1
    report = json.loads((tmp_path / outcome["report_path"]).read_text())
    assert report == json.loads(json.dumps(outcome))
    assert {"read", "features", "select", "fit", "calibrate", "evaluate"} <= set(stages)


@pytest.mark.parametrize(
    ("model_path", "said"),
    [
        (5, r"^model_path is 5; it must be the path of a model file"),
        ("", r"^model_path is ''; it must be"),
        ("models", r"models is a directory and is not replaced"),
        ("file/m.joblib", r"saved to 'file/m\.joblib': Not a directory; give another"),
        ("file/deep/m.joblib", r"deep/m\.joblib': Not a directory; give another path"),
        ("m\0.joblib", r"null (byte|character)"),
        ("long" * 100, r"File name too long; give another path"),
    ],
)
def test_a_path_that_no_model_can_be_saved_at_is_refused_before_the_training(
    model_path, said, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "file").write_text("")
    stages = []
    with pytest.raises(ModelError, match=said):
        AlphaSeekerMLEngine().train_model(
            "no such file", model_path=model_path, on_progress=lambda *step: stages.append(step)
        )
    assert stages == []
    assert {path.name for path in tmp_path.rglob("*")} == {"models", "file"}


def test_what_the_data_warn_of_is_in_the_report_and_once_in_the_log(
    market, trained, tmp_path, caplog
):
    frame = market.assign(volume=market["volume"].cumsum())
    frame.loc[50, "timestamp"] = frame.loc[40, "timestamp"]
    outcome = AlphaSeekerMLEngine(load_config(None, {**QUICK, "FOLDS": 1})).train_model(
        frame, model_path=tmp_path / "m.joblib"
    )
    said = outcome["results"]["warnings"]
    assert said[:2] == outcome["results"]["quality"]["warnings"]
    assert "looks like a running total" in said[0]
    assert "1 of 16000 rows are earlier" in said[1]
    report = json.loads((tmp_path / "m.report.json").read_text())
    assert report["results"]["warnings"] == said
    logged = [record.getMessage() for record in caplog.records]
    for warning in said:
        assert sum(warning in message for message in logged) == 1
    # Data without a fault warn of nothing.
    assert trained[1]["results"]["quality"]["warnings"] == []


def test_training_by_a_choice_of_features(market, tmp_path):
    engine = AlphaSeekerMLEngine(load_config(None, {**QUICK, "FOLDS": 1}))
    with pytest.raises(ConfigError, match=r"nearest is 'book\.imbalance'"):
        engine.train_model("no such file", select=["book.imbalence"])
    names = ["book.imbalance", "momentum.return_30s"]
    path = tmp_path / "m.joblib"
    results = engine.train_model(market, model_path=path, select=names)["results"]
    assert set(results["feature_names"]) == set(names)
    assert set(load_artifact(path).feature_names) == set(names)
    results = engine.train_model(market, model_path=path, select="auto")["results"]
    found = results["selection"]
    assert found["select"] == "auto"
    assert set(found["grades"]) == set(results["feature_names"])
    assert any("select = 'auto'" in warning for warning in results["warnings"])
    report = json.loads((tmp_path / "m.report.json").read_text())["results"]
    assert report["selection"] == found
    (fold,) = report["evaluation_results"]["folds"]
    assert 10 <= len(fold["feature_names"]) == fold["n_features"] < 60
    assert set(fold["grades"]) == set(fold["feature_names"])


def test_a_trained_engine_serves_at_once(market, tmp_path):
    engine = AlphaSeekerMLEngine(load_config(None, QUICK))
    engine.train_model(market, model_path=tmp_path / "m.joblib")
    assert engine.health_check()["components"]["model"]["status"] in ("OK", "WARNING")
    assert engine.predict(tick(0), replay=True)["filter_reason"] == "warming_up"


def test_a_bad_file_leaves_the_running_model(engine, tmp_path):
    path = tmp_path / "bad.joblib"
    path.write_bytes(b"not a model")
    before = engine.predict(tick(0), replay=True)["probabilities"]
    with pytest.raises(ModelError):
        engine.load_model(path)
    assert engine.predict(tick(1), replay=True)["probabilities"] == before


def test_a_file_of_another_catalogue_is_a_model_error(engine, trained, tmp_path):
    artifact = load_artifact(trained[0])
    old, new = artifact.feature_names[0], "book.moonphase"
    text = artifact.model_text
    for after in (" ", "="):
        text = text.replace(old + after, new + after)
    names = (new, *artifact.feature_names[1:])
    path = tmp_path / "other.joblib"
    save_artifact(dataclasses.replace(artifact, model_text=text, feature_names=names), path)
    with pytest.raises(ModelError, match="moonphase"):
        engine.load_model(path)


def test_a_file_with_reordered_features_is_a_model_error(engine, trained, tmp_path):
    artifact = load_artifact(trained[0])
    names = (*artifact.feature_names[1:], artifact.feature_names[0])
    line = "feature_names=" + " ".join(artifact.feature_names)
    text = artifact.model_text.replace(line, "feature_names=" + " ".join(names))
    path = tmp_path / "other.joblib"
    save_artifact(dataclasses.replace(artifact, model_text=text, feature_names=names), path)
    with pytest.raises(ModelError, match="schema hash"):
        engine.load_model(path)


def test_a_model_without_an_edge_abstains(trained, market):
    outcome = trained[1]["results"]["evaluation_results"]
    engine = AlphaSeekerMLEngine(load_config(None, {"MIN_CONFIDENCE": 0.0}))
    engine.load_model(trained[0])
    asked = [a for a in engine.predict_batch(market.head(900)) if a["ready"]]
    if outcome["verdict"] == "no edge":
        assert {a["filter_reason"] for a in asked} == {"no_edge"}
        assert engine.health_check()["components"]["model"]["status"] == "WARNING"
    else:
        assert any(a["signal"] for a in asked)
    assert all(0.0 < a["confidence"] < 1.0 for a in asked)


def test_a_new_model_keeps_the_streams(engine, trained, market):
    for row in market.head(400).to_dict("records"):
        before = engine.predict(row, replay=True)
    assert before["ready"]
    engine.load_model(trained[0])
    after = engine.predict(market.iloc[400].to_dict(), replay=True)
    assert after["ready"]


def test_a_model_fitted_otherwise_tells_which_streams_begin_anew(engine, market, caplog):
    model = engine._pool.model
    for row in market.head(3).to_dict("records"):
        engine.predict(row, replay=True)
    engine._pool.serve(dataclasses.replace(model, settings=dataclasses.replace(model.settings)))
    assert caplog.messages == []
    table = {"SIMULATED": [[0.25] * 10]}
    settings = dataclasses.replace(model.settings, microprices=table)
    engine._pool.serve(dataclasses.replace(model, settings=settings))
    assert len(caplog.messages) == 1
    assert "'SIMULATED' must warm up again, 300 s of history" in caplog.text
    assert "the new model has other microprice;" in caplog.text
    assert "0.25" not in caplog.text


def test_risk_manager_can_be_replaced(engine):
    engine.risk_manager = RiskManager({"custom_stop_loss": 0.003})
    result = engine.manage_risk(tick(0), {"signal": 1, "signal_strength": 1.0}, 1_000.0)
    assert result["action"] == "open_position"
    long = engine.predict(tick(1), replay=True)
    assert long["signal_label"] in ("HOLD", "BUY", "CLOSE_LONG")


def always(engine, side):
    """Make the engine's model say one thing, whatever it sees."""
    bias = {"SELL": [99.0, 0.0, 0.0], "BUY": [0.0, 0.0, 99.0]}[side]
    decision = allocate_decision({"temperature": 1.0, "bias": bias, "min_confidence": 0.0})
    engine._pool.serve(dataclasses.replace(engine._pool.model, decision=decision))


@pytest.mark.parametrize(
    ("model_says", "held", "label"),
    [
        ("SELL", "BUY", "CLOSE_LONG"),
        ("BUY", "SELL", "CLOSE_SHORT"),
        ("BUY", "BUY", "BUY"),
        ("SELL", "SELL", "SELL"),
    ],
)
def test_the_risk_managers_position_translates_signals(engine, market, model_says, held, label):
    always(engine, model_says)
    rows = market.head(500).to_dict("records")
    engine.warm_up(rows[:-1])
    assert engine.predict_batch(rows)[-1]["signal_label"] == model_says
    engine.manage_risk(rows[0], {"signal_label": held, "signal_strength": 1.0}, 1_000.0)
    answer = engine.predict(rows[-1], replay=True)
    assert answer["signal_label"] == label
    assert answer["signal_strength"] > 0.9


def test_changing_one_setting_leaves_a_replaced_risk_managers_others(engine):
    engine.risk_manager = RiskManager({"custom_stop_loss": 0.003, "MAX_POSITION_SIZE": 0.1})
    engine.update_config({"MAX_DAILY_LOSS": 0.05})
    config = engine.risk_manager.config
    assert (config.custom_stop_loss, config.MAX_POSITION_SIZE) == (0.003, 0.1)
    assert config.MAX_DAILY_LOSS == 0.05


def test_new_limits_keep_warm_streams(engine, market):
    rows = market.head(420).to_dict("records")
    for row in rows[:400]:
        engine.predict(row, replay=True)
    engine.update_config({"MAX_GAP_S": 5.0, "ENABLE_CACHING": False})
    assert engine.predict(rows[400], replay=True)["ready"]
    assert not engine.session("SIMULATED").caching
    late = {**rows[401], "timestamp": rows[401]["timestamp"].value + 20 * 10**9}
    with pytest.raises(DataError):
        engine.predict(late, replay=True)  # another form of time stamp
    late["timestamp"] = rows[419]["timestamp"]
    assert engine.predict(late, replay=True)["filter_reason"] == "stale"


def test_an_answer_belongs_to_whoever_asked(engine):
    answer = engine.predict(tick(0), replay=True)
    answer["probabilities"]["BUY"] = answer["signal"] = 99
    assert engine.history[-1]["signal"] == 0
    assert engine.history[-1]["probabilities"]["BUY"] < 1.0


@pytest.mark.parametrize("path", [None, 5, ""])
def test_a_model_path_that_is_none(engine, path):
    with pytest.raises(ModelError, match="path"):
        engine.load_model(path)


@pytest.mark.parametrize("symbol", [5, None, ["a"]])
def test_a_symbol_must_be_text(engine, symbol):
    with pytest.raises(DataError, match="symbol"):
        engine.session(symbol)


def test_the_price_column_of_the_training_is_remembered(market, tmp_path):
    renamed = market.rename(columns={"close": "last"})
    engine = AlphaSeekerMLEngine(load_config(None, {**QUICK, "FOLDS": 2, "REFIT": False}))
    engine.train_model(renamed, "last", tmp_path / "m.joblib")
    assert engine.predict_batch(renamed.head(5))
    assert engine.warm_up(renamed.head(5))["SIMULATED"]["accepted"] == 5
    assert engine.evaluate(renamed)["n_rows"] > 100


def test_fills_and_reconciliation_reach_the_risk_manager(engine):
    engine.on_fill({"id": "1", "symbol": "X", "side": "BUY", "size": 1.0, "price": 100.0})
    assert engine.risk_manager.position_side("X") == "LONG"
    engine.reconcile({"symbol": "X", "side": "FLAT", "size": 0.0, "entry_price": 0.0}, 900.0)
    assert engine.risk_manager.position_side("X") == "FLAT"


def test_warm_up_takes_every_kind_of_history(trained, market, tmp_path):
    path = tmp_path / "history.csv"
    market.head(400).to_csv(path, index=False)
    reports = []
    for history in (market.head(400), market.head(400).to_dict("records"), path):
        engine = AlphaSeekerMLEngine()
        engine.load_model(trained[0])
        reports.append(engine.warm_up(history))
        after = engine.predict(market.iloc[400].to_dict(), replay=True)
        reports.append(after["probabilities"])
    assert reports[0] == reports[2] == reports[4]
    assert reports[0]["SIMULATED"]["ready"]
    assert reports[1] == reports[3] == reports[5]


def test_history_of_an_unnamed_file_can_be_given_a_symbol(engine, market):
    report = engine.warm_up(market.drop(columns=["symbol"]).head(50), symbol="SIMULATED")
    assert list(report) == ["SIMULATED"]


def test_training_refuses_too_little_and_says_how_much(market, tmp_path):
    engine = AlphaSeekerMLEngine(load_config(None, QUICK))
    with pytest.raises(DataError, match="needed"):
        engine.train_model(market.head(300), model_path=tmp_path / "m.joblib")
    assert not (tmp_path / "m.joblib").exists()


def test_horizons_that_are_no_list_are_refused(market):
    with pytest.raises(ConfigError, match="horizons_s is 5; it must be a list of seconds"):
        AlphaSeekerMLEngine().evaluate_factors(market, horizons_s=5)


def test_evaluating_needs_a_model(market):
    with pytest.raises(StateError, match="load_model"):
        AlphaSeekerMLEngine().evaluate(market)


@pytest.mark.parametrize("level", ["LOUD", 3.5, None])
def test_refuses_an_unknown_log_level(level):
    with pytest.raises(ConfigError, match="log_level"):
        create_ml_engine(log_level=level)


def test_log_level_is_set_where_documented():
    create_ml_engine(log_level="debug")
    assert logging.getLogger("alpha_seeker_ml").level == logging.DEBUG
    create_ml_engine(log_level="ERROR")


def test_latency_is_measured(engine):
    for second in range(20):
        answer = engine.predict(tick(second), replay=True)
    stats = engine.get_performance_stats()["inference_performance"]
    assert stats["total_predictions"] == stats["latency_stats"]["count"] == 20
    assert 0.0 < stats["latency_stats"]["min_ms"] <= stats["latency_stats"]["p99_ms"]
    assert set(stats["latency_stats"]["stages"]) == {"input", "features", "model", "decision"}
    assert answer["latency_ms"] > 0.0
    assert math.isfinite(stats["latency_stats"]["budget_left_ms"])


def test_depth_and_the_aggressors_side_from_the_file_to_the_signal(deep_market, tmp_path):
    path = tmp_path / "deep.csv"
    deep_market.to_csv(path, index=False)
    config = load_config(None, {**QUICK, "windows": [1, 5, 30], "TRADE_WITHOUT_EDGE": True})
    model_path = tmp_path / "m.joblib"
    AlphaSeekerMLEngine(config).train_model(path, model_path=model_path)
    engine = AlphaSeekerMLEngine(config)
    engine.load_model(model_path)
    families = {name.partition(".")[0] for name in engine._pool.model.artifact.feature_names}
    assert {"depth", "aggressor"} <= families
    rows = list(deep_ticks(deep_market.tail(600)))
    live = [engine.predict(row, replay=True)["probabilities"] for row in rows]
    batch = [answer["probabilities"] for answer in engine.predict_batch(deep_market.tail(600))]
    assert live == batch
    assert len({answer["BUY"] for answer in live}) > 30
    later = {**rows[-1], "timestamp": rows[-1]["timestamp"] + pd.Timedelta(seconds=10)}
    for field, family in (("depth", "depth"), ("buy_volume", "trades"), ("sell_volume", "trades")):
        poor = {name: value for name, value in later.items() if name != field}
        with pytest.raises(DataError, match=rf"^{field} is missing; {family}\."):
            engine.predict(poor, replay=True)
    assert engine.predict(later, replay=True)["ready"]


def test_feature_matrices_on_disk_are_told_and_cleared(monkeypatch, tmp_path):
    monkeypatch.setenv("ALPHASEEKER_CACHE_DIR", str(tmp_path))
    # Compiled kernels are those of all tests.
    monkeypatch.setattr("alphaseeker.engine.clear_cache", lambda stale_only: 0)
    MatrixStore(1e6).write("one", 1, [np.zeros((10, 1), dtype=np.float32)])
    engine = AlphaSeekerMLEngine(load_config(None, {"DISK_CACHE_MB": 5}))

    def message():
        return engine.health_check()["components"]["cache"]["message"]

    assert "1 feature matrices take 0 of 5 MB" in message()
    engine.clear_caches()
    assert "0 feature matrices" in message()
    engine.update_config({"DISK_CACHE_MB": 0})
    assert "feature matrices are not kept" in message()
    assert engine.health_check()["components"]["cache"]["status"] == "OK"
    engine.update_config({"DISK_CACHE_MB": 5})
    (tmp_path / "matrices").chmod(0o777)
    assert "writable by everyone" in message()
    assert engine.health_check()["components"]["cache"]["status"] == "WARNING"
