"""What explains a signal: sums, order, and that it is of this signal and no other."""

import json
from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.config import InferenceConfig, load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import DataError, StateError
from alphaseeker.inference.explanation import explain
from alphaseeker.inference.served_model import serve
from alphaseeker.inference.session import Session
from alphaseeker.model.artifact import load_artifact
from alphaseeker.model.decision import allocate_decision, probabilities_of
from ticks import quotes

WARM = 1_000
CLASSES = ("BUY", "HOLD", "SELL")


@pytest.fixture
def warm(engine, market):
    """An engine whose stream is ready, and the next ten ticks of it."""
    engine.warm_up(market.iloc[:WARM])
    return engine, market.iloc[WARM : WARM + 10]


def dictionaries(frame):
    for row in frame.to_dict("records"):
        yield {**row, "timestamp": row["timestamp"].value}


def test_the_contributions_sum_to_the_scores_behind_the_probabilities(warm):
    engine, frame = warm
    for tick in dictionaries(frame):
        signal = engine.predict(tick, replay=True)
        found = engine.explain(signal)
        assert found["symbol"] == signal["symbol"] == "SIMULATED"
        assert found["timestamp"] == pytest.approx(signal["market_data_timestamp"], abs=1e-6)
        assert found["signal_label"] == signal["signal_label"]
        for name in CLASSES:
            total = sum(row[name] for row in found["contributions"]) + found["expected"][name]
            assert total == pytest.approx(found["raw_scores"][name], rel=1e-9)
        calibration = engine.session("SIMULATED").model.artifact.calibration
        bias = dict(zip(("SELL", "HOLD", "BUY"), calibration["bias"], strict=True))
        powers = {
            name: np.exp(found["raw_scores"][name] / calibration["temperature"] + bias[name])
            for name in CLASSES
        }
        for name in CLASSES:
            share = powers[name] / sum(powers.values())
            assert share == pytest.approx(signal["probabilities"][name], rel=1e-9)


def test_the_row_is_that_of_the_signal_and_sorted(warm):
    engine, frame = warm
    session = engine.session("SIMULATED")
    for arguments in quotes(frame):
        signal = session.update(*arguments)
        features = session.features.copy()
        found = engine.explain(signal, "SIMULATED")
        assert found["side"] == found["signal_label"] == signal.side.name
        names = session.model.artifact.feature_names
        given = {row["feature"]: row["value"] for row in found["contributions"]}
        assert sorted(given) == sorted(names)
        for name, value in zip(names, features.tolist(), strict=True):
            assert given[name] == (value if np.isfinite(value) else None)
        weight = [abs(row["BUY"] - row["SELL"]) for row in found["contributions"]]
        assert weight == sorted(weight, reverse=True)
        assert weight[0] > 0.0


def test_it_is_plain_json(warm):
    engine, frame = warm
    signal = engine.predict(next(dictionaries(frame)), replay=True)
    found = engine.explain(signal)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_signal_that_went_through_json_is_explained_alike(warm):
    engine, frame = warm
    signal = engine.predict(next(dictionaries(frame)), replay=True)
    assert engine.explain(json.loads(json.dumps(signal))) == engine.explain(signal)


def test_ticks_a_microsecond_apart_are_told_apart(warm):
    engine, frame = warm
    tick = next(dictionaries(frame))
    session = engine.session("SIMULATED")
    signals = []
    for number in range(4):
        changed = {**tick, "timestamp": tick["timestamp"] + 1_000 * number}
        changed["bid_volume"] = tick["bid_volume"] * (1.0 + 3.0 * number)
        signals.append((engine.predict(changed, replay=True), session.features.copy()))
    names = session.model.artifact.feature_names
    for signal, features in signals:
        given = {row["feature"]: row["value"] for row in engine.explain(signal)["contributions"]}
        wanted = [value if np.isfinite(value) else None for value in features.tolist()]
        assert [given[name] for name in names] == wanted


def test_another_tick_of_the_same_time_stamp_is_not_explained_as_this_one(warm):
    engine, frame = warm
    tick = next(dictionaries(frame))
    first = engine.predict(tick, replay=True)
    for factor in (0.01, 5.0, 80.0, 2_000.0):
        other = engine.predict({**tick, "bid_volume": tick["bid_volume"] * factor}, replay=True)
        if other["probabilities"] != first["probabilities"]:
            break
    assert other["probabilities"] != first["probabilities"]
    assert engine.explain(other)["contributions"]
    with pytest.raises(StateError, match="not at hand any more"):
        engine.explain(first)


def test_a_signal_of_the_model_before_is_not_explained_by_the_next(warm, market, tmp_path):
    engine, frame = warm
    ticks = dictionaries(frame)
    signal = engine.predict(next(ticks), replay=True)
    settings = {"num_boost_round": 3, "windows": [1, 5, 30], "TRADE_WITHOUT_EDGE": True}
    other = tmp_path / "other.joblib"
    AlphaSeekerMLEngine(load_config(None, settings)).train_model(market, model_path=other)
    engine.load_model(other)
    following = engine.predict(next(ticks), replay=True)
    with pytest.raises(StateError):
        engine.explain(signal)
    assert engine.explain(following)["contributions"]


def test_a_model_that_was_not_asked_leaves_nothing_to_explain(engine, market):
    signal = engine.predict(next(dictionaries(market)), replay=True)
    assert signal["filter_reason"] == "warming_up"
    with pytest.raises(StateError, match="warming_up"):
        engine.explain(signal)


def test_a_row_that_was_never_kept(warm):
    engine, frame = warm
    signal = engine.predict(next(dictionaries(frame)), replay=True)
    before = {**signal, "market_data_timestamp": signal["market_data_timestamp"] - 1e6}
    with pytest.raises(StateError):
        engine.explain(before)


def test_a_symbol_without_a_session_is_refused_and_opens_none(warm):
    engine, frame = warm
    session = engine.session("SIMULATED")
    signal = session.update(*next(quotes(frame)))
    given = engine.predict(next(dictionaries(frame.iloc[1:])), replay=True)
    for call in (
        lambda: engine.explain(signal),
        lambda: engine.explain(signal, "OTHER"),
        lambda: engine.explain({**given, "symbol": "OTHER"}),
    ):
        with pytest.raises(StateError, match="no live session"):
            call()
    held = engine.get_performance_stats()["inference_performance"]["total_predictions"]
    assert held == session.statistics.predictions


@pytest.mark.parametrize("name", CLASSES)
def test_a_probability_that_is_no_number_is_not_the_same(warm, name):
    engine, frame = warm
    signal = engine.predict(next(dictionaries(frame)), replay=True)
    changed = {**signal, "probabilities": {**signal["probabilities"], name: float("nan")}}
    with pytest.raises(StateError, match="not at hand any more"):
        engine.explain(changed)


@pytest.mark.parametrize(
    "signal",
    [
        None,
        [1],
        {},
        {"symbol": "SIMULATED"},
        {"signal": 1},
        "BUY",
        {"market_data_timestamp": float("nan")},
        {"market_data_timestamp": float("inf")},
        {"market_data_timestamp": "2024-01-01"},
    ],
)
def test_what_is_no_signal_is_refused(warm, signal):
    engine, _ = warm
    with pytest.raises(DataError, match="predict did not return"):
        explain(engine.session("SIMULATED"), signal)
    for symbol in (None, "SIMULATED", "OTHER"):
        with pytest.raises(DataError, match="predict did not return"):
            engine.explain(signal, symbol)


def test_a_signal_whose_probabilities_were_adapted_is_explained(trained, market):
    artifact = load_artifact(trained[0])
    ranges = {"test": [int(market["timestamp"].iloc[0].value), 0]}
    artifact = replace(artifact, training={**artifact.training, "ranges": ranges})
    session = Session("SIMULATED", serve(artifact, InferenceConfig()))
    *_, signal = (session.update(*values) for values in quotes(market.iloc[:1_500]))
    assert session.memory["adaptive"]["learnt"][0] > 10
    found = explain(session, signal)
    scores = np.array([[found["raw_scores"][name] for name in ("SELL", "HOLD", "BUY")]])
    plain = probabilities_of(allocate_decision(artifact.calibration), scores)[0]
    given = (signal.p_sell, signal.p_hold, signal.p_buy)
    assert np.abs(plain - given).max() > 1e-6
    np.testing.assert_allclose(session.memory["adaptive"]["given"][0], plain, rtol=1e-12)
    with pytest.raises(StateError, match="not at hand any more"):
        explain(session, signal._replace(p_sell=plain[0], p_hold=plain[1], p_buy=plain[2]))
