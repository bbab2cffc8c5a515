"""When a model should be trained again: numbers, sentences, and a market that turns over."""

import json
import math

import numpy as np
import pytest

from alphaseeker.config import MonitoringConfig, load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.inference import NO_LEVELS, step
from alphaseeker.inference.realised import REALISED
from alphaseeker.inference.retraining import hit_rates, retraining, traded_returns
from alphaseeker.market.simulator import START_NS, simulate, simulate_frame

ROWS = 40_000
LATER_NS = START_NS + 10**15
SETTINGS = {
    "families": ["book", "flow"],
    "windows": [1, 5, 30],
    "num_boost_round": 40,
    "num_threads": 1,
    "TRADE_WITHOUT_EDGE": True,
    "MIN_CONFIDENCE": 0.0,
    "TRANSACTION_COST_PCT": 0.0,
    # A model that adapts soon stops trading what turned over, and its drawdown stays small.
    "ADAPTIVE_CALIBRATION": False,
}


def record(**fields):
    """Return what a session has counted."""
    made = np.zeros(1, dtype=REALISED)
    for name, value in fields.items():
        made[name] = value
    return made[0]


def counted(n, hits, probability):
    """Return a record of ``n`` predictions of one probability, none of them faded yet."""
    return record(
        resolved=n,
        hits=hits,
        recent=n,
        recent_hits=hits,
        recent_expected=n * probability,
        recent_variance=n * probability * (1.0 - probability),
    )


# ---- the numbers --------------------------------------------------------------------------------


def test_rates_and_their_distance():
    found = hit_rates([counted(400, 100, 0.5)])
    assert found["hit_rate"] == pytest.approx(0.25)
    assert found["expected_hit_rate"] == pytest.approx(0.5)
    assert found["hit_rate_gap"] == pytest.approx(-0.25)
    assert found["hit_rate_z"] == pytest.approx(-0.25 / math.sqrt(0.25 / 400))


def test_many_sessions_are_no_surer_than_one_that_all_follow():
    one = hit_rates([counted(400, 100, 0.5)])
    ten = hit_rates([counted(400, 100, 0.5)] * 10)
    assert ten["resolved"] == 4_000
    assert ten["hit_rate_z"] == pytest.approx(one["hit_rate_z"])


def test_nothing_counted_is_nothing_said():
    assert set(hit_rates([]).values()) == set(hit_rates([record()]).values()) == {0}
    assert set(traded_returns([]).values()) == {0}


def test_the_drawdown_is_that_of_the_worst_session():
    found = traded_returns(
        [
            record(trades=3, net=0.01, peak=0.02, deepest=0.05),
            record(trades=2, net=-0.04, peak=0.0, deepest=0.04),
        ]
    )
    assert found == {
        "trades": 5,
        "net_return": pytest.approx(-0.03),
        "drawdown": pytest.approx(0.04),
        "max_drawdown": pytest.approx(0.05),
    }


def test_without_a_model_it_says_so():
    found = retraining(None, [], MonitoringConfig())
    assert found["needed"]
    assert "no model is loaded" in found["reasons"][0]
    json.dumps(found, allow_nan=False)


# ---- a market that stays, and one that turns over -----------------------------------------------


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A model of a SIMULATED market with a strong signal."""
    engine = AlphaSeekerMLEngine(load_config(None, SETTINGS))
    path = tmp_path_factory.mktemp("strong") / "model.joblib"
    engine.train_model(simulate_frame(ROWS, seed=3, signal_strength=0.5), model_path=path)
    return path


@pytest.fixture
def engine(path):
    """A fresh engine that serves it."""
    engine = AlphaSeekerMLEngine(load_config(None, SETTINGS))
    engine.load_model(path)
    return engine


def later(seed=11):
    """Return ticks of the same kind of market, of a later time."""
    return simulate(ROWS, seed=seed, signal_strength=0.5, start_ns=LATER_NS).ticks


def inverted(ticks):
    """Return the ticks with the sides' sizes exchanged: what led up now leads down."""
    turned = ticks.copy()
    for one, other in (("bid_volume", "ask_volume"), ("buy_volume", "sell_volume")):
        turned[one], turned[other] = ticks[other], ticks[one]
    return turned


def replay(session, ticks):
    for t in ticks:
        step(
            session.state,
            NO_LEVELS,
            int(t["timestamp"]),
            0,
            *(float(t[name]) for name in ticks.dtype.names[1:9]),
        )


def test_a_market_that_turns_over_needs_another_model(engine):
    replay(engine.session("SIMULATED"), inverted(later()))
    found = engine.needs_retraining()
    assert found["needed"]
    assert found["resolved"] > 500
    assert found["hit_rate"] < found["expected_hit_rate"] - 0.1
    assert found["drawdown"] > 0.05
    hits, order, decay, money = found["reasons"]
    assert "below MIN_ROLLING_IC (0)" in order
    assert "MAX_IC_GAP is 0.05" in decay
    assert found["rolling_ic"]["ic"] < -0.1 < 0.1 < found["rolling_ic"]["expected"]
    assert hits.startswith(f"the model is right in {100 * found['hit_rate']:.1f} %")
    assert "MAX_HIT_RATE_GAP is 10 %" in hits
    assert "MAX_MODEL_DRAWDOWN is 5 %" in money
    assert json.loads(json.dumps(found, allow_nan=False)) == found

    drift = engine.get_performance_stats()["drift"]
    assert drift["retraining"]["reasons"] == found["reasons"]
    assert drift["alerts"] == found["reasons"]
    assert drift["drifting"] is engine.drifting is True
    kinds = [one["kind"] for one in drift["active"]]
    assert kinds == ["hit_rate", "rolling_ic", "ic_gap", "model_drawdown"]
    model = engine.health_check()["components"]["model"]
    assert (model["status"], found["reasons"][0] in model["message"]) == ("WARNING", True)


def test_the_same_kind_of_market_does_not(engine):
    replay(engine.session("SIMULATED"), later())
    found = engine.needs_retraining()
    assert (found["needed"], found["reasons"]) == (False, [])
    assert found["resolved"] > 500
    assert found["net_return"] > 0.0
    assert found["psi"]["judged"]
    assert found["psi"]["share"] < 1 / 3
    assert engine.health_check()["components"]["model"]["status"] == "OK"
    rolling = found["rolling_ic"]
    assert rolling["ic"] == pytest.approx(rolling["expected"], abs=0.1)
    assert rolling["ic_t"] > 5
    assert not engine.drifting


def test_the_rolling_ic_is_compared_with_that_of_unadapted_probabilities(engine):
    """Live it is the model's own probabilities that are followed."""
    metrics = engine._pool.model.artifact.metrics
    assert metrics["ic_unadapted"] != metrics["ic"]
    found = engine.needs_retraining()["rolling_ic"]
    assert found["expected"] == metrics["ic_unadapted"]
    assert found["expected_pooled"] == metrics["ic_pooled_unadapted"]
    # A file of before they were told apart.
    for name in ("ic_unadapted", "ic_pooled_unadapted"):
        del metrics[name]
    assert engine.needs_retraining()["rolling_ic"]["expected"] == metrics["ic"]


def test_a_score_that_tells_less_is_noticed(engine):
    # Each second's sizes are those of another one: of what the model reads only prices still tell.
    ticks = later()
    mixed = ticks.copy()
    order = np.random.default_rng(0).permutation(len(ticks))
    for name in ("bid_volume", "ask_volume", "volume", "buy_volume", "sell_volume"):
        mixed[name] = ticks[name][order]
    replay(engine.session("SIMULATED"), mixed)
    drift = engine.get_performance_stats()["drift"]
    assert drift["rolling_ic"]["value"] < drift["rolling_ic"]["expected"] - 0.1
    assert "ic_gap" in [one["kind"] for one in drift["active"]]
    assert drift["drifting"]


def test_features_of_another_market_are_noticed(engine):
    ticks = later()
    ticks["bid_volume"] *= 20.0
    replay(engine.session("SIMULATED"), ticks)
    found = engine.needs_retraining()
    psi = found["psi"]
    assert psi["share"] > 1 / 3
    assert psi["max"] >= psi["worst"][0]["psi"] > 0.25
    assert len(psi["by_feature"]) == psi["features"]
    assert psi["worst"] == psi["by_feature"][:5]
    assert sum(one["psi"] > one["limit"] for one in psi["by_feature"]) == psi["count"]
    assert engine.get_performance_stats()["drift"]["feature_psi"]["share_limit"] == 1 / 3
    reason = next(text for text in found["reasons"] if "have moved since training" in text)
    assert psi["worst"][0]["feature"] in reason


def test_many_sessions_are_judged_together(engine):
    turned = later(12)
    turned["bid_volume"] *= 20.0
    for number, ticks in enumerate([later(), turned] * 20):
        replay(engine.session(f"S{number}"), ticks[:4_000])
    psi = engine.needs_retraining()["psi"]
    assert psi["judged"]
    assert 0.0 < psi["share"] < 1.0


def test_a_short_sample_is_not_judged(engine):
    replay(engine.session("SIMULATED"), later()[:1_500])
    psi = engine.needs_retraining()["psi"]
    assert not psi["judged"]
    assert 0 < psi["rows"] < psi["needed_rows"]
    assert "once a session has sampled them for" in psi["note"]


def test_a_session_that_has_not_taken_up_the_model_is_passed_over(engine, trained):
    replay(engine.session("SIMULATED"), inverted(later()))
    assert engine.needs_retraining()["needed"]
    engine.load_model(trained[0])
    found = engine.needs_retraining()
    assert (found["needed"], found["resolved"], found["psi"]["rows"]) == (False, 0, 0)
