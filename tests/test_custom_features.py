"""Custom features from registration to a served model: trained, saved, loaded, streamed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from alphaseeker import AlphaSeekerMLEngine, custom_feature, frame_feature
from alphaseeker.backtest import Backtest
from alphaseeker.config import InferenceConfig, load_config
from alphaseeker.errors import ConfigError, ModelError, StateError
from alphaseeker.inference.rows import run_rows
from alphaseeker.inference.served_model import serve
from alphaseeker.inference.session import Session
from alphaseeker.market.readers import read_ticks
from alphaseeker.model.artifact import load_artifact, save_artifact
from ticks import quotes

SETTINGS = {
    "num_boost_round": 10,
    "families": ["book", "custom"],
    "TRADE_WITHOUT_EDGE": True,
    "MIN_CONFIDENCE": 0.0,
}
STATE = [("level", np.float64)]


@custom_feature(state=STATE, windows=(2, 20), unit="-1..1", history_s=20)
def slow_imbalance(state, tick, window_s):
    """E_w(I), I the imbalance of the quote"""
    imbalance = (tick.bid_volume - tick.ask_volume) / (tick.bid_volume + tick.ask_volume)
    weight = 1.0 if tick.first == 1 else 1.0 - 0.5 ** (tick.elapsed_s / window_s)
    state.level += weight * (imbalance - state.level)
    return state.level


def other_imbalance(state, tick, window_s):
    state.level += 1.0
    return state.level


def make_engine(*features, **settings):
    engine = AlphaSeekerMLEngine(load_config(None, {**SETTINGS, **settings}))
    for feature in features:
        engine.register_feature(feature.name, feature)
    return engine


@pytest.fixture(scope="module")
def model_path(market, tmp_path_factory):
    path = tmp_path_factory.mktemp("custom") / "model.joblib"
    make_engine(slow_imbalance).train_model(market, model_path=path)
    return path


@pytest.fixture
def served(model_path):
    engine = make_engine(slow_imbalance)
    engine.load_model(model_path)
    return engine


def signals(session, rows):
    return [session.update(*row)[1:] for row in rows]


# ---- a backtest ---------------------------------------------------------------------------------


def test_a_backtest_trades_the_signals_of_a_model_with_custom_features(served, market):
    rows = market.head(3_000)
    result = Backtest(served).run(rows)
    answers = served.predict_batch(rows)
    sides = [answer["signal"] for answer in answers]
    counts = {"SELL": sides.count(-1), "HOLD": sides.count(0), "BUY": sides.count(1)}
    assert result.metrics["signals"] == counts
    assert counts["BUY"] > 100
    assert len(result.trades) > 0


# ---- training -----------------------------------------------------------------------------------


def test_it_is_a_candidate_column_and_named_in_the_model(model_path):
    artifact = load_artifact(model_path)
    assert {"custom.slow_imbalance_2s", "custom.slow_imbalance_20s"} <= {*artifact.feature_names}
    declared = artifact.settings["custom"]
    assert declared == [json.loads(json.dumps(slow_imbalance.declaration()))]
    assert "level" in declared[0]["state"]
    assert "def slow_imbalance" not in model_path.read_bytes().decode("latin-1")


def test_a_feature_that_the_model_left_out_is_not_asked_for(market, tmp_path):
    engine = make_engine(families=["book"])
    engine.register_feature("slow_imbalance", slow_imbalance)
    path = tmp_path / "model.joblib"
    engine.train_model(market.head(6_000), model_path=path)
    assert load_artifact(path).settings["custom"] == []
    assert make_engine().load_model(path)


def test_evaluation_and_factors_compute_it_too(served, market, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stamps = market["timestamp"]
    later = market.assign(timestamp=stamps + (stamps.iloc[-1] - stamps.iloc[0]))
    # The first row stands where the training's last one does.
    assert served.evaluate(later)["held_back"]["rows_after"] == len(market) - 1
    factors = served.evaluate_factors(market.head(4_000))
    graded = {factor["factor_name"] for factor in factors["factor_results"]}
    assert "custom.slow_imbalance_20s" in graded


# ---- serving ------------------------------------------------------------------------------------


def test_live_is_batch_and_the_readiness_waits_for_its_history(served, market):
    rows = market.head(600)
    answers = served.predict_batch(rows)
    session = served.session("")
    ready = []
    for row, answer in zip(rows.to_dict("records"), answers, strict=True):
        live = served.predict({**row, "symbol": ""}, replay=True)
        assert live["probabilities"] == answer["probabilities"]
        assert live["filter_reason"] == answer["filter_reason"]
        ready.append(live["ready"])
    assert session.model.needed_buckets == 20
    assert not ready[0]
    assert ready[-1]
    names = session.model.artifact.feature_names
    assert np.isfinite(session.features[names.index("custom.slow_imbalance_2s")])


def test_warm_up_and_ticks_go_on_in_one_stream(served, market):
    served.warm_up(market.head(300).drop(columns="symbol"))
    warmed = served.session("")
    stepped = make_stepped(served, market.head(300))
    assert warmed.features.tobytes() == stepped.features.tobytes()
    rest = list(quotes(market.iloc[300:400]))
    assert signals(warmed, rest) == signals(stepped, rest)


def make_stepped(engine, rows):
    session = engine._pool.fresh("")
    signals(session, quotes(rows))
    return session


def test_the_state_travels(served, market, model_path, tmp_path):
    session = served.session("A")
    signals(session, quotes(market.head(200)))
    served.save_state(tmp_path / "state")
    other = make_engine(slow_imbalance)
    other.load_model(model_path)
    other.load_state(tmp_path / "state")
    assert other.session("A").features.tobytes() == session.features.tobytes()
    rest = list(quotes(market.iloc[200:300]))
    assert signals(other.session("A"), rest) == signals(session, rest)


def test_another_model_keeps_the_stream_where_its_features_are_the_same(
    served, market, model_path, tmp_path
):
    session = served.session("A")
    signals(session, quotes(market.head(200)))
    stepped = make_stepped(served, market.head(200))
    served.load_model(model_path)
    rest = list(quotes(market.iloc[200:260]))
    assert signals(session, rest) == signals(stepped, rest)
    # One that reads other custom features begins anew; its snapshots do not fit either.
    plain = tmp_path / "plain.joblib"
    make_engine(families=["book"]).train_model(market.head(6_000), model_path=plain)
    snapshot = session.snapshot()
    engine = make_engine(slow_imbalance)
    engine.load_model(plain)
    fresh = engine.session("A")
    signals(fresh, quotes(market.head(200)))
    with pytest.raises(StateError):
        fresh.restore(snapshot)
    engine.load_model(model_path)
    assert signals(fresh, quotes(market.iloc[200:201]))[0][-1] is False
    assert fresh.warm_up_remaining_s == 20.0


# ---- what is refused ----------------------------------------------------------------------------


def test_a_model_asks_for_the_step_by_name(model_path):
    engine = make_engine()
    message = r"needs the custom feature 'slow_imbalance', which is not registered; call register_"
    with pytest.raises(ModelError, match=message):
        engine.load_model(model_path)
    engine.register_feature("slow_imbalance", slow_imbalance)
    assert engine.load_model(model_path)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"step": other_imbalance}, "digest"),
        ({"state": [("level", np.float32)]}, "state, digest"),
        ({"windows": (2, 20, 40)}, "windows"),
        ({"history_s": 10}, "history_s"),
    ],
)
def test_another_definition_is_refused(model_path, changed, what):
    given = {
        "step": slow_imbalance.step,
        "state": STATE,
        "windows": (2, 20),
        "unit": "-1..1",
        "history_s": 20,
        **changed,
    }
    engine = make_engine()
    engine.register_feature("slow_imbalance", **given)
    with pytest.raises(ModelError, match=rf"'slow_imbalance' differs.*\({what}\)"):
        engine.load_model(model_path)


def test_a_damaged_declaration_is_refused(model_path, tmp_path):
    artifact = load_artifact(model_path)
    config = load_config().inference
    for damaged, message in (
        ("x", "custom is damaged"),
        ([3], "custom is damaged"),
        ([{}], "custom feature None"),
        ([], "features that this version does not compute: custom.slow_imbalance_2s"),
    ):
        artifact.settings["custom"] = damaged
        path = save_artifact(artifact, tmp_path / "damaged.joblib")
        with pytest.raises(ModelError, match=message):
            serve(load_artifact(path), config, (slow_imbalance,))


def test_what_can_be_registered(served):
    served.register_feature("later", other_imbalance, state=STATE)  # the model does not mind
    assert [feature.name for feature in served.custom] == ["slow_imbalance", "later"]
    served.register_feature("renamed", slow_imbalance)
    assert served.custom[-1].columns[0].name == "custom.renamed_2s"
    for arguments, message in (
        (("later", other_imbalance, STATE), "'later' is registered already"),
        (("renamed_2s", other_imbalance, STATE), r"have the column 'custom\.renamed_2s'"),
        (("a-b", other_imbalance, STATE), "'a-b' is no name"),
        (("windowed", other_imbalance, STATE, (0,)), "windows of custom feature 'windowed'"),
        (("stateless", other_imbalance), "'stateless' cannot be used.*level"),
        (("twice", slow_imbalance, STATE), "'twice' was declared by its decorator"),
        (("text", "step"), "'text' has 'step' for its step"),
    ):
        with pytest.raises(ConfigError, match=message):
            served.register_feature(*arguments)
    assert len(served.custom) == 3


def test_a_frame_feature_is_for_research_only():
    @frame_feature()
    def whole(frame):
        return frame["mid"]

    with pytest.raises(ConfigError, match="'whole' is a frame feature, which has no streaming"):
        make_engine().register_feature("whole", whole)


def test_engines_share_nothing():
    first, second = make_engine(slow_imbalance), make_engine()
    assert first.custom == (slow_imbalance,)
    assert second.custom == ()


def test_settings_may_change_while_it_serves(served, market):
    session = served.session("A")
    before = signals(session, quotes(market.head(200)))
    served.update_config({"MIN_CONFIDENCE": 0.99})
    after = signals(session, quotes(market.iloc[200:300]))
    assert "low_confidence" not in {signal[-2] for signal in before}
    assert "low_confidence" in {signal[-2] for signal in after} <= {"low_confidence", None}
    assert all(signal[-1] for signal in after)  # still ready: the stream went on


def test_its_calibration_learns_alike_live_and_in_pieces_of_a_file(model_path, market):
    artifact = load_artifact(model_path)
    ranges = {"test": [int(market["timestamp"].iloc[500].value), 0]}
    artifact = replace(artifact, training={**artifact.training, "ranges": ranges})
    model = serve(artifact, InferenceConfig(), (slow_imbalance,))
    frame = market.iloc[:3_000].iloc[np.repeat(np.arange(3_000), 1 + (np.arange(3_000) % 7 == 3))]
    live = Session("SIMULATED", model)
    found = []
    for row in quotes(frame):
        signal = live.update(*row)
        found.append((signal.p_sell, signal.p_hold, signal.p_buy))
    assert live.memory["adaptive"]["learnt"][0] > 50
    series = read_ticks(frame)[0]
    session = Session("SIMULATED", model)
    pieces = [
        run_rows(session, replace(series, ticks=series.ticks[a:b], rows=series.rows[a:b]))
        for a, b in ((0, 1_000), (1_000, 1_001), (1_001, len(series)))
    ]
    batch = np.concatenate([piece.probabilities for piece in pieces])
    np.testing.assert_allclose(batch, np.array(found), rtol=0, atol=1e-12)
    for name in ("learnt", "first", "count", "accepted", "timestamp", "segment"):
        np.testing.assert_array_equal(
            session.memory["adaptive"][name], live.memory["adaptive"][name]
        )
