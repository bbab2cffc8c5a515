"""Training that goes on from an earlier model, both ways."""

import dataclasses
import hashlib
import inspect

import lightgbm
import numpy as np
import pandas as pd
import pytest

from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import ConfigError, DataError, ModelError
from alphaseeker.features.readiness import required_buckets
from alphaseeker.market.simulator import START_NS, simulate_frame
from alphaseeker.model.artifact import load_artifact, save_artifact
from alphaseeker.model.lightgbm_text import validate_model_text
from alphaseeker.training.resume import DEFAULT_MODE, MODES, later_rows, resume_from
from alphaseeker.training.run import evaluate_source, judge_source, train_source

LATER_NS = START_NS + 10**14
SETTINGS = {
    "num_boost_round": 6,
    "num_threads": 1,
    "HORIZON_S": 45.0,
    "LABEL_PRICE": "close",
    "THRESHOLD": "tercile",
    # Few labels that do not overlap: nothing would be split otherwise.
    "min_gain_to_split": 0.0,
    "lambda_l2": 1.0,
    "FOLDS": 2,
    "REFIT": False,
}


@pytest.fixture(scope="module")
def later():
    """A later market of the same kind, of another price level."""
    frame = simulate_frame(
        9_000, seed=9, signal_strength=0.5, start_ns=LATER_NS, start_price=140.0, tick_size=0.02
    )
    return frame.drop(columns=["buy_volume", "sell_volume"])


@pytest.fixture(scope="module")
def runs(trained, later):
    """The old model, and what going on from it gave, by mode."""
    config = load_config(None, SETTINGS)
    old = load_artifact(trained[0])
    return old, {
        mode: train_source(later, config, resume=trained[0], resume_mode=mode) for mode in MODES
    }


def booster(artifact):
    return lightgbm.Booster(model_str=artifact.model_text)


def test_a_warm_start_adds_trees_to_those_that_are_there(runs):
    old, made = runs
    new = made["warm"].artifact
    assert new.feature_names == old.feature_names
    count = old.training["num_trees"]
    shape = validate_model_text(new.model_text, n_features=len(new.feature_names))
    assert count < shape.n_trees == new.training["num_trees"] <= count + 3 * 6
    rows = new.golden_features
    np.testing.assert_array_equal(
        booster(new).predict(rows, raw_score=True, num_iteration=count // 3),
        booster(old).predict(rows, raw_score=True),
    )
    assert not np.array_equal(
        booster(new).predict(rows, raw_score=True), booster(old).predict(rows, raw_score=True)
    )


def test_a_warm_start_keeps_what_the_old_trees_read(runs):
    old, made = runs
    new = made["warm"].artifact
    assert new.settings == old.settings
    assert new.schema_hash == old.schema_hash
    for key in ("kind", "horizon_s", "label_price", "threshold"):
        assert new.target[key] == old.target[key]
    assert new.calibration != old.calibration


def test_a_refit_keeps_columns_and_target_and_fits_all_else_anew(runs):
    old, made = runs
    new = made["refit"].artifact
    assert set(new.feature_names) <= set(old.feature_names)
    for key in ("kind", "horizon_s", "label_price"):
        assert new.target[key] == old.target[key]
    assert new.target["threshold"] != old.target["threshold"]
    assert new.settings["tick_size"] == 0.02
    assert new.training["num_trees"] <= 3 * 6


@pytest.mark.parametrize("mode", MODES)
def test_the_file_says_what_it_went_on_from(runs, trained, mode):
    old, made = runs
    record = made[mode].artifact.training["resumed_from"]
    assert record["sha256"] == hashlib.sha256(trained[0].read_bytes()).hexdigest()
    assert record["created"] == old.training["created"]
    assert record["mode"] == mode
    assert record["trained_until_ns"] == old.training["ranges"]["validation"][1]


@pytest.mark.parametrize("mode", MODES)
def test_the_result_is_a_model_like_any_other(runs, later, tmp_path, mode):
    _, made = runs
    path = save_artifact(made[mode].artifact, tmp_path / "resumed.joblib")
    engine = AlphaSeekerMLEngine(load_config(None, {"TRADE_WITHOUT_EDGE": True}))
    engine.load_model(path)
    signals = engine.predict_batch(later.head(2_000))
    assert any(signal["confidence"] > 0.0 for signal in signals)
    last = made[mode].trained.results["evaluation_results"]["folds"][-1]
    assert engine.evaluate(later)["n_rows"] == pytest.approx(last["test_size"], abs=60)


def test_the_same_data_give_the_same_bytes(runs, trained, later):
    again = train_source(later, load_config(None, SETTINGS), resume=trained[0], resume_mode="warm")
    assert again.artifact.model_text == runs[1]["warm"].artifact.model_text


def test_triple_barriers_stay_where_they_were(trained):
    config = load_config(None, {"TAKE_PROFIT_PCT": 0.01, "custom_stop_loss": 0.02})
    artifact = load_artifact(trained[0])
    target = {**artifact.target, "kind": "triple_barrier", "threshold": None, "stop_loss": 0.003}
    resumed = resume_from(trained[0], "warm", config)
    resumed = dataclasses.replace(resumed, artifact=dataclasses.replace(artifact, target=target))
    made = resumed.config(config)
    assert made.target.KIND == "triple_barrier"
    assert made.risk.TAKE_PROFIT_PCT == artifact.target["take_profit"]
    assert (made.risk.STOP_LOSS_PCT, made.risk.custom_stop_loss) == (0.003, None)
    assert made.risk.TRANSACTION_COST_PCT == config.risk.TRANSACTION_COST_PCT


def test_rows_that_were_trained_on_are_left_out(market, tmp_path):
    config = load_config(None, SETTINGS)
    early = train_source(market.head(8_000), config)
    path = save_artifact(early.artifact, tmp_path / "early.joblib")
    old = load_artifact(path)
    # Labels of the old model look 45 s ahead, and EMBARGO_S is 60.
    until = old.training["ranges"]["validation"][1] + 105 * 10**9
    stamps = market["timestamp"].astype("int64").to_numpy()
    resumed = resume_from(path, "refit", config)
    judged = judge_source(market, config)
    series, accepted, warnings = later_rows(judged.series, judged.accepted, resumed)
    assert series[0].ticks["timestamp"].tolist() == stamps[stamps >= until].tolist()
    assert len(accepted[0]) == len(series[0])
    assert f"{int((stamps < until).sum()):,} of {len(market):,} rows lie before" in warnings[0]
    run = train_source(market, config, resume=path, resume_mode="warm")
    assert run.warnings[0] == warnings[0]
    assert warnings[0].endswith("105 s) and were left out")
    wider = resume_from(path, "refit", config.override({"EMBARGO_S": 90.0}))
    assert wider.new_from == until + 30 * 10**9
    count = int((stamps < until).sum())
    with pytest.raises(
        DataError, match=rf"^{count:,} of {count + 60:,} rows lie before .* out: the"
    ):
        train_source(market.head(count + 60), config, resume=path)
    assert run.artifact.training["ranges"]["train"][0] >= until
    # What is reported as held back, neither of the two models has seen.
    results = evaluate_source(run.artifact, market, config)
    assert results["start_ns"] >= run.artifact.training["ranges"]["test"][0] > until


def test_old_data_alone_are_refused(trained, market):
    with pytest.raises(DataError, match="give data of a later time"):
        train_source(market.head(5_000), load_config(None, SETTINGS), resume=trained[0])


def test_data_that_lack_what_the_model_reads_are_refused(deep_trained, later):
    with pytest.raises(DataError):
        train_source(later, load_config(None, SETTINGS), resume=deep_trained)
    with pytest.raises(DataError):
        train_source(later, load_config(None, SETTINGS), resume=deep_trained, resume_mode="warm")


def test_wrong_use_is_refused(trained, later, tmp_path):
    config = load_config(None, SETTINGS)
    with pytest.raises(ConfigError, match="'lukewarm'; it must be one of refit, warm"):
        train_source(later, config, resume=trained[0], resume_mode="lukewarm")
    for mode in ("refit", "lukewarm", None):
        with pytest.raises(ConfigError, match=r"^resume_mode needs resume: name the model"):
            train_source(tmp_path / "none.csv", config, resume_mode=mode)
    with pytest.raises(ModelError):
        train_source(later, config, resume=tmp_path / "none.joblib")
    for path in ("", 5):
        with pytest.raises(
            ModelError, match=f"^resume is {path!r}; it must be the path of a model"
        ):
            train_source(tmp_path / "none.csv", config, resume=path)
    searching = config.override({"SEARCH_MINUTES": 1.0})
    with pytest.raises(ConfigError, match=r"Set SEARCH_MINUTES = 0, or use resume_mode refit"):
        train_source(tmp_path / "none.csv", searching, resume=trained[0], resume_mode="warm")
    assert resume_from(trained[0], "refit", searching).start is None


def test_settings_that_the_old_model_replaces_are_named(trained):
    old = load_artifact(trained[0]).target
    changes = {"HORIZON_S": 33.0, "LABEL_PRICE": "close", "THRESHOLD": "cost"}
    config = load_config(None, {**changes, "EMBARGO_S": 5.0})
    for mode, keys in (("warm", list(changes)), ("refit", ["HORIZON_S", "LABEL_PRICE"])):
        found = resume_from(trained[0], mode, config).overridden(config)
        assert sorted(one.split(" ")[0] for one in found) == sorted(keys)
    (said,) = (one for one in found if one.startswith("HORIZON_S"))
    assert f"33.0 has no effect: the model to resume sets HORIZON_S to {old['horizon_s']}" in said
    plain = load_config(None)
    assert resume_from(trained[0], "warm", plain).overridden(plain) == ()


def test_replaced_settings_are_among_the_warnings_of_a_run(runs):
    old, made = runs
    for run in made.values():
        said = [one for one in run.warnings if "has no effect: the model to resume" in one]
        differing = [
            name
            for name, key in (("HORIZON_S", "horizon_s"), ("LABEL_PRICE", "label_price"))
            if SETTINGS[name] != old.target[key]
        ]
        assert [one.split(" ")[0] for one in said] == differing != []


def test_a_warm_start_takes_the_configuration_of_the_old_training(market, later, tmp_path):
    config = load_config(
        None, {**SETTINGS, "windows": [1, 5, 30, 60], "families": ["book", "momentum"]}
    )
    old = train_source(market.head(6_000), config.override({"MAX_FEATURES": 3})).artifact
    path = save_artifact(old, tmp_path / "old.joblib")
    new = train_source(later, config, resume=path, resume_mode="warm").artifact
    assert new.feature_names == old.feature_names


def test_a_warm_start_plans_with_rows_that_are_warm_for_all_of_its_columns(trained, later):
    config = load_config(None, {**SETTINGS, "FOLDS": 4})
    stamps = later["timestamp"].astype("int64").to_numpy()
    # From row 5000 on every session is too short for the longest window of the model.
    artifact = load_artifact(trained[0])
    bucket_s = artifact.settings["bucket_s"]
    need = required_buckets(
        artifact.feature_names, bucket_s=bucket_s, ready_history_s=config.inference.READY_HISTORY_S
    )
    rows = int(need * bucket_s / (np.median(np.diff(stamps)) / 1e9))
    assert rows > 2 * artifact.target["horizon_s"]  # Their labels are resolved.
    session = np.maximum(np.arange(len(later)) - 5_000, 0) // rows
    frame = later.assign(
        timestamp=pd.to_datetime(stamps + session * 3600 * 10**9, unit="ns", utc=True)
    )
    with pytest.raises(DataError, match=r"the \w+ part has \d+ usable rows, at least 30"):
        train_source(frame, config, resume=trained[0], resume_mode="warm")


def test_the_engine_and_the_module_agree_on_the_default():
    parameters = inspect.signature(AlphaSeekerMLEngine.train_model).parameters
    assert parameters["resume_mode"].default == DEFAULT_MODE
