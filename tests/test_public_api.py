"""Every snippet of the public API, as a user would type it."""

import json
import logging
import math
import time

import numpy as np
import pytest

from alphaseeker import create_ml_engine


@pytest.fixture
def folder(tmp_path, monkeypatch, market):
    """A working directory with a market_data.csv, as the snippets find it."""
    monkeypatch.chdir(tmp_path)
    market.drop(columns=["symbol"]).to_csv("market_data.csv", index=False)
    return tmp_path


def finite(value):
    """Say whether every number in plain data is finite."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and finite(item) for key, item in value.items())
    if isinstance(value, list):
        return all(finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)


def test_the_facade_as_written(folder):
    ml_engine = create_ml_engine(config_path=None, log_level="INFO")

    health = ml_engine.health_check()
    assert health["overall_status"] == "WARNING"
    assert health["components"]["model"]["status"] == "WARNING"
    train_results = ml_engine.train_model(data="market_data.csv", price_col="close")
    assert train_results["success"] is True
    assert train_results["model_path"] == "models/trading_model.joblib"
    assert ml_engine.load_model("models/trading_model.joblib") is True
    market_data = {
        "bid_price": 100.0,
        "ask_price": 100.01,
        "bid_volume": 5.0,
        "ask_volume": 4.0,
        "close": 100.0,
        "volume": 1.0,
        "timestamp": time.time(),
    }
    signal = ml_engine.predict(market_data, position="FLAT")
    assert signal["signal_label"] == "HOLD"
    assert signal["confidence"] == 0.0
    assert signal["latency_ms"] > 0.0
    risk_result = ml_engine.manage_risk(
        market_data=market_data, signal=signal, account_balance=10000
    )
    assert risk_result["action"] == "monitor"
    assert risk_result.get("risk_level", "N/A") == "LOW"
    stats = ml_engine.get_performance_stats()
    assert stats["inference_performance"]["latency_stats"]["mean_ms"] > 0.0
    assert 0.0 < stats["model_info"]["accuracy"] < 1.0
    factor_results = ml_engine.evaluate_factors("market_data.csv")
    assert len(factor_results["factor_results"]) > 30
    assert len(factor_results["top_factors"][:5]) == 5
    for answer in (health, train_results, signal, risk_result, stats, factor_results):
        json.dumps(answer, allow_nan=False)
        assert finite(answer)

    from alphaseeker.features.feature_engineer import MicrostructureFeatureEngineer
    from alphaseeker.risk.manager import RiskManager

    risk_manager = RiskManager({"custom_stop_loss": 0.003, "dynamic_position_sizing": True})
    ml_engine.risk_manager = risk_manager
    bought = ml_engine.manage_risk(market_data, {"signal_label": "BUY"}, 10000)
    position = bought["position"]
    assert position["stop_loss"] == pytest.approx(position["entry_price"] * 0.997)
    engineer = MicrostructureFeatureEngineer()
    assert len(engineer.get_feature_names_out()) > 30


def test_the_fast_path_as_written(engine):
    ml_engine = engine
    timestamp_ns, bid_price, ask_price = 1_700_000_000_000_000_000, 100.0, 100.01
    bid_volume, ask_volume, close, volume = 5.0, 4.0, 100.0, 1.0
    session = ml_engine.session("BTCUSDT")
    signal = session.update(
        timestamp_ns, bid_price, ask_price, bid_volume, ask_volume, close, volume
    )
    assert signal.side == 0
    assert signal.p_buy + signal.p_hold + signal.p_sell == pytest.approx(1.0)
    assert signal.confidence == 0.0
    assert signal.reason == "warming_up"
    assert session.features.dtype == np.float32
    assert not session.features.flags.writeable


KEYS = {
    "train_model": {"success", "model_path", "report_path", "results"},
    "results": {
        "feature_names",
        "train_size",
        "val_size",
        "test_size",
        "evaluation_results",
        "model_info",
        "factor_results",
        "warnings",
    },
    "evaluation_results": {
        "accuracy",
        "macro_f1",
        "weighted_f1",
        "weighted_precision",
        "weighted_recall",
        "mcc",
        "log_loss",
        "log_loss_skill",
        "ic",
        "ece",
        "ece_expected",
        "ece_limit",
        "confusion_matrix",
        "classification_report",
        "folds",
        "baselines",
        "net_return_bp",
        "break_even_cost_bp",
        "verdict",
    },
    "model_info": {
        "status",
        "n_features",
        "best_iteration",
        "num_trees",
        "label_mapping",
        "feature_names",
        "accuracy",
        "backend",
    },
    "predict": {
        "signal",
        "signal_label",
        "probabilities",
        "confidence",
        "signal_strength",
        "filter_reason",
        "ready",
        "latency_ms",
        "timestamp",
        "market_data_timestamp",
        "symbol",
        "performance_stats",
    },
    "manage_risk": {"action", "risk_level", "reason", "position", "risk_status"},
    "position": {"side", "size", "entry_price", "stop_loss", "take_profit"},
    "risk_status": {
        "equity",
        "daily_pnl",
        "drawdown",
        "var_95",
        "cvar_95",
        "sharpe",
        "exposure",
        "state",
        "alerts",
    },
    "needs_retraining": {
        "needed",
        "reasons",
        "age_days",
        "resolved",
        "hits",
        "hit_rate",
        "expected_hit_rate",
        "hit_rate_gap",
        "hit_rate_z",
        "psi",
        "trades",
        "net_return",
        "drawdown",
        "max_drawdown",
    },
    "psi": {
        "judged",
        "note",
        "features",
        "count",
        "share",
        "max",
        "worst",
        "rows",
        "needed_rows",
    },
    "drift": {"model_age_days", "held_share", "count", "alerts", "retraining"},
    "get_performance_stats": {"inference_performance", "model_info", "risk_metrics", "drift"},
    "inference_performance": {
        "total_predictions",
        "latency_stats",
        "confidence_stats",
        "signal_counts",
        "filter_counts",
        "cache_hits",
    },
    "latency_stats": {
        "count",
        "mean_ms",
        "median_ms",
        "std_ms",
        "min_ms",
        "max_ms",
        "p95_ms",
        "p99_ms",
        "p999_ms",
        "target_ms",
        "target_met",
        "stages",
    },
    "evaluate_factors": {"success", "factor_results", "top_factors", "report", "report_path"},
    "factor": {
        "factor_name",
        "grade",
        "total_score",
        "ic",
        "ic_std",
        "ic_ir",
        "ic_t",
        "p_value",
        "p_value_bonferroni",
        "significant",
        "return_spread_bp",
        "return_spread_net_bp",
        "sharpe",
        "sortino",
        "calmar",
        "turnover",
        "n_observations",
    },
    "health_check": {"overall_status", "components", "timestamp"},
    "components": {
        "model",
        "inference",
        "features",
        "data",
        "risk",
        "compiler",
        "cache",
        "latency",
    },
}


def test_the_promised_keys(engine, trained, market, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = trained[1]
    row = market.iloc[0].to_dict()
    signal = engine.predict(row, replay=True)
    risk = engine.manage_risk(row, signal, 10_000.0)
    stats = engine.get_performance_stats()
    factors = engine.evaluate_factors(market.head(6_000))
    health = engine.health_check()
    given = {
        "train_model": outcome,
        "results": outcome["results"],
        "evaluation_results": outcome["results"]["evaluation_results"],
        "model_info": outcome["results"]["model_info"],
        "predict": signal,
        "manage_risk": risk,
        "position": risk["position"],
        "risk_status": risk["risk_status"],
        "get_performance_stats": stats,
        "inference_performance": stats["inference_performance"],
        "latency_stats": stats["inference_performance"]["latency_stats"],
        "drift": stats["drift"],
        "needs_retraining": engine.needs_retraining(),
        "psi": engine.needs_retraining()["psi"],
        "evaluate_factors": factors,
        "factor": factors["factor_results"][0],
        "health_check": health,
        "components": health["components"],
    }
    missing = {name: KEYS[name] - set(given[name]) for name in KEYS}
    assert not any(missing.values()), missing
    assert set(KEYS["model_info"]) <= set(stats["model_info"])
    for entry in health["components"].values():
        assert set(entry) == {"status", "message"}
    report = json.loads((tmp_path / factors["report_path"]).read_text())
    assert report["top_factors"] == factors["top_factors"]


def test_statistics_before_anything_happened_are_zero():
    stats = create_ml_engine().get_performance_stats()
    assert stats["inference_performance"]["latency_stats"]["count"] == 0
    assert stats["inference_performance"]["latency_stats"]["mean_ms"] == 0.0
    assert stats["model_info"]["accuracy"] == 0.0
    json.dumps(stats, allow_nan=False)


def test_debug_shows_one_line_a_prediction(engine, market, caplog):
    caplog.set_level(logging.DEBUG, logger="alpha_seeker_ml")
    caplog.clear()
    for row in market.head(5).to_dict("records"):
        engine.predict(row, replay=True)
    lines = [r for r in caplog.records if r.name.startswith("alphaseeker.inference.live")]
    assert len(lines) == 5
