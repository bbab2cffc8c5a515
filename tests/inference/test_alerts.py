"""Alerts are told once, again after a recovery, and never in the way of a prediction."""

import json
import logging

import numpy as np
import pytest

from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.inference.alerts import AlertWatch, Finding, finished
from alphaseeker.inference.realised import PAIRS
from ticks import tick

LOGGER = "alphaseeker.inference.alerts"


def finding(kind="rolling_ic", symbol="", value=-0.1):
    return Finding(
        kind=kind,
        name="MIN_ROLLING_IC",
        value=value,
        limit=0.0,
        symbol=symbol,
        sentence=f"{kind} is {value}",
    )


@pytest.fixture
def told():
    return []


def test_an_alert_is_told_once_and_again_after_recovery(told, caplog):
    watch = AlertWatch()
    for findings, count in (
        ([finding()], 1),
        ([finding(value=-0.2)], 1),
        ([], 1),
        ([finding(value=-0.3)], 2),
        ([finding(), finding(symbol="BTCUSDT")], 3),
        ([finding(), finding("hit_rate"), finding(symbol="BTCUSDT")], 4),
    ):
        watch.take(b"model", findings, told.append)
        assert len(told) == count
        assert watch.standing == findings
    assert told[0] == finding().as_dict()
    assert told[2]["symbol"] == "BTCUSDT"
    records = [one for one in caplog.records if one.name == LOGGER]
    assert [one.levelno for one in records] == [logging.WARNING] * 4
    assert records[2].getMessage() == "BTCUSDT: rolling_ic is -0.1"


def test_another_model_is_told_anew(told):
    watch = AlertWatch()
    for mark in (b"one", b"two", b"two"):
        watch.take(mark, [finding()], told.append)
    assert len(told) == 2


def test_drift_is_what_speaks_of_the_market():
    watch = AlertWatch()
    assert not watch.drifting
    for kind, drifting in (
        ("hit_rate", True),
        ("rolling_ic", True),
        ("ic_gap", True),
        ("feature_psi", True),
        ("model_age", False),
        ("held_share", False),
        ("model_drawdown", False),
    ):
        watch.take(b"model", [finding(kind)], None)
        assert watch.drifting is drifting


def test_a_callback_that_fails_is_logged(caplog):
    def broken(alert):
        raise RuntimeError("no network")

    AlertWatch().take(b"model", [finding(), finding("hit_rate")], broken)
    assert sum("on_alert failed" in one.getMessage() for one in caplog.records) == 2


def checks(findings, steps=3):
    """Return a check of some steps and the list of its steps."""
    made = []

    def begin():
        for step in range(steps):
            made.append(step)
            yield
        return b"model", findings

    return begin, made


def test_a_check_goes_on_by_one_step_a_call(told):
    watch = AlertWatch()
    begin, made = checks([finding()])
    watch.advance(1_000.0, 60.0, begin, told.append)
    assert (watch.due, made) == (1_060.0, [])
    for number in range(3):
        watch.advance(1_061.0, 60.0, begin, told.append)
        assert len(made) == number + 1
        assert told == []
    watch.advance(1_062.0, 60.0, begin, told.append)
    assert len(told) == 1
    assert watch.due == 1_122.0


def test_none_checks_never_by_itself(told):
    watch = AlertWatch()
    begin, made = checks([finding()])
    watch.advance(1_000.0, None, begin, told.append)
    assert watch.due == float("inf")
    assert made == told == []
    watch.again()
    assert watch.due == 0.0


def test_a_check_that_fails_is_logged_and_made_again(caplog):
    def begin():
        yield
        raise ValueError("broken")

    watch = AlertWatch()
    for moment in range(3):
        watch.advance(float(moment + 1), 0.0, begin, None)
    assert "the check for alerts failed" in caplog.text
    assert watch.due == 2.0


def test_all_steps_at_once():
    begin, made = checks([])
    assert finished(begin()) == (b"model", [])
    assert len(made) == 3


# ---- in an engine -------------------------------------------------------------------------------


def count_hits(engine, hits):
    """Let the session have counted 2,000 predictions that said 50 %."""
    record = engine.session("").memory["realised"]
    n = 2_000
    counted = {"resolved": n, "hits": hits, "recent": n, "recent_hits": hits}
    for name, value in counted.items():
        record[name] = value
    record["recent_expected"], record["recent_variance"] = 0.5 * n, 0.25 * n


@pytest.fixture
def watched(trained, told):
    engine = AlphaSeekerMLEngine(
        load_config(None, {"TRADE_WITHOUT_EDGE": True, "ALERT_EVERY_S": 0.0})
    )
    engine.load_model(trained[0])
    engine.on_alert = told.append
    return engine


def predict(engine, seconds):
    for second in seconds:
        engine.predict(tick(second), replay=True)


def test_predictions_tell_once_each_time_it_happens(watched, told):
    predict(watched, range(20))
    assert told == []
    assert not watched.drifting
    for times, hits in enumerate((200, 1_000, 200), start=1):
        count_hits(watched, hits)
        predict(watched, range(20 * times, 20 * times + 20))
        assert watched.drifting is (hits == 200) is watched.risk_manager.drift
        assert len(told) == (times + 1) // 2
    assert told[0] == told[1]
    assert (told[0]["kind"], told[0]["name"], told[0]["symbol"]) == (
        "hit_rate",
        "MAX_HIT_RATE_GAP",
        "",
    )
    assert told[0]["value"] == pytest.approx(0.4)


def test_statistics_health_and_a_check_of_ones_own_tell_the_same(watched, told):
    session = watched.session("")
    session.update(int(1.6e18), 100.0, 100.1, 1.0, 1.0, 100.0, 1.0)
    count_hits(watched, 200)
    assert told == []
    (alert,) = watched.check_alerts()
    assert told == [alert]
    drift = watched.get_performance_stats()["drift"]
    watched.health_check()
    assert told == [alert] == drift["active"]
    assert drift["alerts"] == [alert["sentence"]]
    assert drift["drifting"] is True
    shown = drift["hit_rate"]
    assert (shown["value"], shown["expected"], shown["gap_limit"]) == (0.1, 0.5, 0.1)
    count_hits(watched, 1_000)
    assert watched.check_alerts() == []
    assert not watched.drifting


def test_a_restored_session_is_judged_by_what_it_counted(watched, trained, told):
    session = watched.session("")
    session.update(int(1.6e18), 100.0, 100.1, 1.0, 1.0, 100.0, 1.0)
    count_hits(watched, 200)
    record = session.memory["realised"]
    random = np.random.default_rng(1)
    record["scores"], record["returns"] = random.normal(size=(2, PAIRS))
    shown = watched.get_performance_stats()["drift"]
    other = AlphaSeekerMLEngine(watched.config)
    other.load_model(trained[0])
    other.session("").restore(session.snapshot())
    found = other.get_performance_stats()["drift"]
    assert found["rolling_ic"] == shown["rolling_ic"]
    assert found["rolling_ic"]["count"] == PAIRS
    assert found["hit_rate"] == shown["hit_rate"]
    assert other.drifting
    assert [one["kind"] for one in told] == [one["kind"] for one in found["active"]]
    json.dumps(found, allow_nan=False)


def test_a_drifting_model_opens_nothing_where_the_settings_say_so(watched, told):
    watched.update_config({"BLOCK_ON_DRIFT": True, "KELLY_FRACTION": None})
    quote = {"bid_price": 100.0, "ask_price": 100.01, "timestamp": 1.6e9}
    count_hits(watched, 200)
    watched.check_alerts()
    told.clear()
    refused = watched.manage_risk(quote, {"signal": 1}, 10_000.0)
    assert refused["action"] == "reject_signal"
    assert "drift" in refused["reason"]
    assert [alert["name"] for alert in told] == ["BLOCK_ON_DRIFT"]
    count_hits(watched, 1_000)
    watched.check_alerts()
    opened = watched.manage_risk({**quote, "timestamp": 1.6e9 + 1}, {"signal": 1}, 10_000.0)
    assert opened["action"] == "open_position"


def test_a_closed_journal_stops_no_prediction(trained, tmp_path, caplog):
    settings = {"TRADE_WITHOUT_EDGE": True, "JOURNAL_PATH": str(tmp_path / "journal")}
    engine = AlphaSeekerMLEngine(load_config(None, settings))
    engine.load_model(trained[0])
    predict(engine, range(3))
    count_hits(engine, 200)
    engine.risk_manager.close()
    assert engine.check_alerts()
    assert "was not told of the drift" in caplog.text
    assert "was closed" in caplog.text
