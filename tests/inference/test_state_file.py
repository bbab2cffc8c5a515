"""State on disk: back bit for bit, or refused."""

import pytest

from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import StateError
from ticks import tick


def test_an_engine_goes_on_where_another_stopped(engine, trained, market, tmp_path):
    rows = market.head(420).to_dict("records")
    for row in rows[:400]:
        engine.predict(row, replay=True)
    engine.manage_risk(rows[399], {"signal": 1, "signal_strength": 1.0}, 10_000.0)
    engine.save_state(tmp_path / "state")
    other = AlphaSeekerMLEngine(load_config(None, {"TRADE_WITHOUT_EDGE": True}))
    other.load_model(trained[0])
    assert other.load_state(tmp_path / "state")
    assert other.risk_manager.position_side("SIMULATED") == "LONG"
    for row in rows[400:]:
        one, two = engine.predict(row, replay=True), other.predict(row, replay=True)
        assert one["probabilities"] == two["probabilities"]
        assert one["signal_label"] == two["signal_label"]


def test_a_damaged_file_changes_nothing(engine, tmp_path):
    engine.predict(tick(0), replay=True)
    path = engine.save_state(tmp_path / "state")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 255
    path.write_bytes(raw)
    assert [p.name for p in tmp_path.iterdir()] == ["state"]
    before = engine.session("").snapshot()
    with pytest.raises(StateError):
        engine.load_state(path)
    with pytest.raises(StateError, match="missing"):
        engine.load_state(tmp_path / "missing")
    assert engine.session("").snapshot() == before


def test_saving_again_keeps_no_history_of_files(engine, tmp_path):
    for second in range(3):
        engine.predict(tick(second), replay=True)
        engine.save_state(tmp_path / "state")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    with pytest.raises(StateError, match="not saved"):
        engine.save_state(tmp_path / "state" / "below")


def test_the_risk_state_comes_back_whatever_the_streams_do(engine, market, tmp_path, caplog):
    for row in market.head(50).to_dict("records"):
        engine.predict(row, replay=True)
    engine.manage_risk(market.iloc[49].to_dict(), {"signal": 1}, 10_000.0)
    path = engine.save_state(tmp_path / "state")
    other = AlphaSeekerMLEngine()
    assert other.load_state(path)
    assert other.risk_manager.position_side("SIMULATED") == "LONG"
    assert "begins anew" in caplog.text


def test_a_session_held_by_a_bot_is_restored_in_place(engine, market, tmp_path):
    session = engine.session("SIMULATED")
    for row in market.head(30).to_dict("records"):
        engine.predict(row, replay=True)
    path = engine.save_state(tmp_path / "state")
    engine.clear_history()
    engine.load_state(path)
    assert engine.session("SIMULATED") is session
    assert session.last_signal is not None


@pytest.mark.parametrize("path", [None, 5])
def test_a_path_that_is_none(engine, path):
    with pytest.raises(StateError, match="path"):
        engine.load_state(path)


@pytest.mark.parametrize("path", [None, 5, ""])
def test_what_is_no_path_is_refused_both_ways(engine, path):
    for call in (engine.save_state, engine.load_state):
        with pytest.raises(StateError, match="must be the path of a state file"):
            call(path)


def test_messages_speak_of_a_state_and_not_of_a_model(engine, tmp_path):
    whole = engine.save_state(tmp_path / "state").read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(whole[:-5])
    for path, words in (
        (cut, "give another one that save_state wrote, or warm up"),
        (tmp_path / "absent", "there is no state file"),
        (tmp_path, "give the path of a state file"),
    ):
        with pytest.raises(StateError, match=words) as caught:
            engine.load_state(path)
        assert "model" not in str(caught.value)
    with pytest.raises(StateError, match="the state could not be saved") as caught:
        engine.save_state(tmp_path)
    assert "model" not in str(caught.value)
