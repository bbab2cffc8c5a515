"""Each setting of inference, data, features, factors and monitoring changes what a user sees."""

import dataclasses
import time

import numpy as np
import pytest

from alphaseeker.config import Config, InferenceConfig, load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import ConfigError, DataError, StateError
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.features import matrix_cache
from alphaseeker.features.batch import compute_features
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.matrix_cache import MatrixCache
from alphaseeker.features.settings import fit_settings
from alphaseeker.inference import served_model
from alphaseeker.inference.realised import PAIRS
from alphaseeker.inference.rows import run_rows
from alphaseeker.inference.served_model import serve
from alphaseeker.inference.session import Session
from alphaseeker.market import readers
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.simulator import START_NS, simulate
from alphaseeker.model import backends
from alphaseeker.training.run import blocks_of, judge_source
from ticks import quotes, tick

BASE = {"TRADE_WITHOUT_EDGE": True}


@pytest.fixture
def with_settings(trained):
    """Make an engine that serves the small model under some settings."""

    def make(**settings):
        engine = AlphaSeekerMLEngine(load_config(None, {**BASE, **settings}))
        engine.load_model(trained[0])
        return engine

    return make


@pytest.fixture(scope="module")
def artifact(trained):
    """The small model's content."""
    from alphaseeker.model.artifact import load_artifact

    return load_artifact(trained[0])


@pytest.fixture(scope="module")
def blocks(market):
    """Features of the simulated market."""
    judged = judge_source(market, Config())
    return blocks_of(judged, FeatureSettings(tick_size=0.01), names=["book.imbalance"])


def latency(engine):
    return engine.get_performance_stats()["inference_performance"]["latency_stats"]


def test_target_latency_ms(with_settings):
    slow, fast = with_settings(TARGET_LATENCY_MS=1e6), with_settings(TARGET_LATENCY_MS=1e-6)
    for engine in (slow, fast):
        engine.predict(tick(0), replay=True)
    assert latency(slow)["target_met"]
    assert not latency(fast)["target_met"]
    assert fast.health_check()["components"]["latency"]["status"] == "WARNING"


def test_enable_caching(with_settings, market):
    rows = list(quotes(market.head(400)))
    # What the aggressor bought is all that differs, and the model does not read it.
    still = [(*rows[-1][:6], 0.0, float(bought), 0.0) for bought in range(10)]
    hits = {}
    for caching in (True, False):
        session = with_settings(ENABLE_CACHING=caching).session("")
        for row in (*rows, *still):
            session.update(*row)
        hits[caching] = session.statistics.cache_hits
    assert hits[True] >= len(still)
    assert hits[False] == 0


def test_disk_cache_mb(market, monkeypatch, tmp_path):
    monkeypatch.setenv("ALPHASEEKER_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(matrix_cache, "LEAST_ROWS", 1_000)
    names = ["book.imbalance", "book.spread"]
    for settings, kept in (
        ({"DISK_CACHE_MB": 0.0}, 0),
        ({"ENABLE_CACHING": False}, 0),
        ({"DISK_CACHE_MB": 0.1}, 0),  # the matrix is larger
        ({"DISK_CACHE_MB": 100.0}, 1),
        ({}, 1),
    ):
        config = load_config(None, settings)
        judged = judge_source(market, config)
        cache = MatrixCache(config.inference)
        blocks_of(judged, FeatureSettings(tick_size=0.01), names=names, cache=cache)
        assert len(list(tmp_path.glob("matrices/*.features"))) == kept


def test_batch_size(with_settings):
    pulled = []

    def source():
        for second in range(10):
            pulled.append(second)
            yield tick(second)

    for size in (2, 5):
        pulled.clear()
        stream = with_settings(BATCH_SIZE=size).predict_stream(source())
        next(stream)
        assert len(pulled) == size


def test_precision(with_settings):
    engine = with_settings(PRECISION="float32")
    assert engine.session("").features.dtype == engine.config.inference.PRECISION
    for refused in (engine.update_config, lambda settings: with_settings(**settings)):
        with pytest.raises(ConfigError, match=r"PRECISION is 'float64'.*thresholds"):
            refused({"PRECISION": "float64"})
    assert engine.predict(tick(0), replay=True)["filter_reason"] == "warming_up"


def test_backend(artifact, monkeypatch):
    def broken(text, n_features, threads):
        raise backends.ModelError("does not work here")

    table = {"broken": broken, **backends.PREDICTORS}
    monkeypatch.setattr(backends, "PREDICTORS", table)
    auto = serve(artifact, InferenceConfig(BACKEND="auto"))
    named = serve(artifact, InferenceConfig(BACKEND="lightgbm"))
    assert auto.predictor.name in ("forest", "treelite")
    assert auto.passed_over[0] == "broken: does not work here"
    assert (named.predictor.name, len(named.passed_over)) == ("lightgbm", 0)


def test_min_confidence(with_settings, market):
    frame = market.head(4_000)
    counts = {}
    for limit in (0.0, 1.0):
        answers = with_settings(MIN_CONFIDENCE=limit).predict_batch(frame)
        counts[limit] = sum(answer["signal"] != 0 for answer in answers)
    assert counts[0.0] > 0
    assert counts[1.0] == 0


def test_adaptive_calibration(artifact, market):
    ranges = {"train": [0, 1], "validation": [1, 2]}  # what comes later is news to the model
    model = dataclasses.replace(artifact, training={**artifact.training, "ranges": ranges})
    series = read_ticks(market.head(4_000))[0]
    found = {
        on: run_rows(
            Session(
                series.symbol,
                serve(model, InferenceConfig(ADAPTIVE_CALIBRATION=on, MIN_CONFIDENCE=0.0)),
            ),
            series,
        )
        for on in (True, False)
    }
    asked = found[True].asked
    assert asked.sum() > 1_000
    assert np.abs(found[True].probabilities - found[False].probabilities)[asked].max() > 1e-3


def test_trade_without_edge(artifact):
    poor = dataclasses.replace(artifact, metrics={**artifact.metrics, "verdict": "no edge"})
    assert serve(poor, InferenceConfig()).abstain
    assert not serve(poor, InferenceConfig(TRADE_WITHOUT_EDGE=True)).abstain


def test_num_threads(artifact, monkeypatch):
    seen = []
    real = served_model.choose_predictor

    def spy(artifact, **options):
        seen.append(options["num_threads"])
        return real(artifact, **options)

    monkeypatch.setattr(served_model, "choose_predictor", spy)
    one, two = (serve(artifact, InferenceConfig(NUM_THREADS=n)) for n in (1, 2))
    assert seen == [1, 2]
    matrix = artifact.golden_features
    np.testing.assert_array_equal(
        one.predictor.predict_matrix(matrix), two.predictor.predict_matrix(matrix)
    )


def test_max_sessions(with_settings):
    engine = with_settings(MAX_SESSIONS=2)
    for symbol in ("A", "B", "A"):
        engine.predict(tick(0, symbol=symbol, bid_volume=1.0 + ord(symbol)), replay=True)
    with pytest.raises(StateError, match="MAX_SESSIONS"):
        engine.predict(tick(0, symbol="C"), replay=True)


def test_history_size(with_settings):
    engine = with_settings(HISTORY_SIZE=3)
    for second in range(5):
        engine.predict(tick(second), replay=True)
    assert len(engine.history) == 3
    engine.clear_history()
    assert len(engine.history) == 0


def test_ready_history_s(artifact):
    waits = serve(artifact, InferenceConfig(READY_HISTORY_S=900)).needed_buckets
    hurries = serve(artifact, InferenceConfig(READY_HISTORY_S=30)).needed_buckets
    # Ahead of 30 seconds some columns need the lag of theirs, a minute at most.
    assert hurries <= 30 + 60 < waits


def test_max_gap_s(with_settings):
    for limit, reason in ((5.0, "stale"), (50.0, "warming_up")):
        engine = with_settings(MAX_GAP_S=limit)
        engine.predict(tick(0), replay=True)
        assert engine.predict(tick(10), replay=True)["filter_reason"] == reason


def test_max_age_s(with_settings):
    for limit, reason in ((1.0, "stale"), (600.0, "warming_up")):
        engine = with_settings(MAX_AGE_S=limit)
        answer = engine.predict(tick(0, timestamp=time.time() - 60.0))
        assert answer["filter_reason"] == reason


def test_max_clock_skew_s(with_settings, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)  # loading a model may take a minute
    ahead = tick(0, timestamp=now + 60.0)
    with_settings(MAX_CLOCK_SKEW_S=600.0).predict(ahead)
    with pytest.raises(DataError, match="MAX_CLOCK_SKEW_S"):
        with_settings(MAX_CLOCK_SKEW_S=1.0).predict(ahead)


def test_max_jump(with_settings):
    for limit, reason in ((0.01, "price_jump"), (0.5, "warming_up")):
        engine = with_settings(MAX_JUMP=limit)
        engine.predict(tick(0), replay=True)
        answer = engine.predict(tick(1, bid_price=110.0, ask_price=110.1), replay=True)
        assert answer["filter_reason"] == reason


def test_unknown_symbol(with_settings):
    with_settings(UNKNOWN_SYMBOL="warn").predict(tick(0, symbol="DOGE"), replay=True)
    with pytest.raises(DataError, match="DOGE"):
        with_settings(UNKNOWN_SYMBOL="refuse").predict(tick(0, symbol="DOGE"), replay=True)


def test_on_bad_row(market):
    frame = market.head(5_000).copy()
    frame.loc[17, "close"] = np.nan
    assert judge_source(frame, load_config(None, {"ON_BAD_ROW": "drop"})).quality.refused == 1
    with pytest.raises(DataError, match="18"):
        judge_source(frame, load_config(None, {"ON_BAD_ROW": "raise"}))


def test_on_bad_tick(with_settings):
    engine = with_settings(ON_BAD_TICK="raise", ON_BAD_ROW="drop", MAX_BAD_RATIO=1.0)
    before = engine.session("").snapshot()
    with pytest.raises(DataError, match="close is -1"):
        engine.predict(tick(0, close=-1.0), replay=True)
    assert engine.session("").snapshot() == before
    with pytest.raises(ConfigError, match="Catch the DataError"):
        engine.update_config({"ON_BAD_TICK": "drop"})


def test_max_bad_ratio(market):
    frame = market.head(1_000).copy()
    frame.loc[10:19, "close"] = -1.0
    judge_source(frame, load_config(None, {"MAX_BAD_RATIO": 0.02}))
    with pytest.raises(DataError, match="MAX_BAD_RATIO"):
        judge_source(frame, load_config(None, {"MAX_BAD_RATIO": 0.005}))


def test_bucket_s(market):
    series = read_ticks(market)
    assert fit_settings(series, Config()).bucket_s == 1.0
    assert fit_settings(series, load_config(None, {"BUCKET_S": 60.0})).bucket_s == 60.0


def test_chunk_rows(market, tmp_path, monkeypatch):
    sizes = []
    real = readers.TickAssembler.pieces

    def spy(assembler, block, origin):
        for piece in real(assembler, block, origin):
            sizes.append(len(piece))
            yield piece

    monkeypatch.setattr(readers.TickAssembler, "pieces", spy)
    path = tmp_path / "ticks.csv"
    market.head(1_000).to_csv(path, index=False)
    pieces = []
    for rows in (100, 1_000):
        sizes.clear()
        judge_source(str(path), load_config(None, {"CHUNK_ROWS": rows}))
        assert sum(sizes) == 1_000
        pieces.append(len(sizes))
    assert pieces[0] > pieces[1]


def selected(market, **settings):
    from alphaseeker.training.pipeline import train_on_blocks

    config = load_config(None, {"num_boost_round": 2, "FOLDS": 1, "REFIT": False, **settings})
    judged = judge_source(market, config)
    names = [
        "book.imbalance",
        "book.spread",
        "flow.ofi_5s",
        "flow.ofi_60s",
        "momentum.autocorr_30s",
    ]
    computed = blocks_of(judged, FeatureSettings(tick_size=0.01), names=names)
    return set(train_on_blocks(computed, config).feature_names)


def test_families(market):
    assert selected(market, families=["book"]) == {"book.imbalance", "book.spread"}


def test_windows(market):
    assert selected(market, families=["flow"], windows=[5]) == {"flow.ofi_5s"}
    with pytest.raises(ConfigError, match="7"):
        selected(market, windows=[7])


def test_max_features(market):
    assert len(selected(market, MAX_FEATURES=2)) == 2


def test_min_warm_share(market):
    frame = market.copy()
    still = frame.index % 300 < 150
    for name in ("bid_price", "ask_price"):
        frame[name] = frame[name].where(~still).ffill().bfill()
    loose, strict = (selected(frame, MIN_WARM_SHARE=share) for share in (0.0, 1.0))
    assert "momentum.autocorr_30s" in loose
    assert "momentum.autocorr_30s" not in strict


def test_round_trip_notional():
    series = simulate(200, seed=1, depth_levels=5)
    costs = {}
    for notional in (100.0, 1e7):
        settings = fit_settings([series], load_config(None, {"ROUND_TRIP_NOTIONAL": notional}))
        names = ["depth.round_trip_cost"]
        costs[notional] = compute_features(series, settings=settings, names=names).values
    assert (costs[1e7] > costs[100.0]).all()


def first_factor(blocks, **settings):
    return evaluate_factor_blocks(blocks, load_config(None, settings))["factor_results"][0]


@pytest.mark.parametrize(
    ("key", "low", "high", "result"),
    [
        ("FORWARD_S", 5.0, 120.0, "ic"),
        ("QUANTILES", 2, 10, "return_spread_bp"),
        ("BLOCKS", 5, 20, "n_blocks"),
    ],
)
def test_factor_settings(blocks, key, low, high, result):
    one, two = (first_factor(blocks, **{key: value})[result] for value in (low, high))
    assert one != two


def test_alpha(blocks):
    strict, usual = (first_factor(blocks, ALPHA=alpha) for alpha in (1e-9, 0.05))
    assert 1e-9 < strict["p_value_bonferroni"] < 0.05
    assert (strict["significant"], usual["significant"]) == (False, True)
    assert strict["grade"] == "C"


def test_max_model_age_days(with_settings):
    old, young = with_settings(MAX_MODEL_AGE_DAYS=1e-6), with_settings()
    created = time.time() - 3_600
    for engine in (old, young):
        model = engine._pool.model
        training = {**model.artifact.training, "created": _iso(created)}
        aged = dataclasses.replace(model.artifact, training=training)
        engine._pool.serve(dataclasses.replace(model, artifact=aged))
    assert old.health_check()["components"]["model"]["status"] == "WARNING"
    assert young.health_check()["components"]["model"]["status"] == "OK"


def _iso(seconds):
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_max_held_share(with_settings):
    for limit, status in ((0.0, "WARNING"), (1.0, "OK")):
        engine = with_settings(MAX_HELD_SHARE=limit)
        engine.predict(tick(0), replay=True)
        engine.predict(tick(1, bid_price=200.0), replay=True)
        assert engine.health_check()["components"]["data"]["status"] == status


def realised(engine, **counters):
    """Let a session of the engine have counted what is given; return what is said of the model."""
    record = engine.session("SIMULATED").memory["realised"]
    for name, value in counters.items():
        record[name] = value
    return engine.needs_retraining()


def predictions(n, hits, probability):
    return {
        "resolved": n,
        "hits": hits,
        "recent": n,
        "recent_hits": hits,
        "recent_expected": n * probability,
        "recent_variance": n * probability * (1.0 - probability),
    }


def test_max_hit_rate_gap(with_settings):
    found = {
        limit: realised(with_settings(MAX_HIT_RATE_GAP=limit), **predictions(2_000, 600, 0.5))
        for limit in (0.1, 0.3)
    }
    assert [found[limit]["needed"] for limit in found] == [True, False]
    assert "MAX_HIT_RATE_GAP is 10 %" in found[0.1]["reasons"][0]
    # As wide a gap, of too few predictions to mean anything.
    assert not realised(with_settings(MIN_RESOLVED=1), **predictions(10, 3, 0.5))["needed"]


def test_min_resolved(with_settings):
    found = [
        realised(with_settings(MIN_RESOLVED=least), **predictions(150, 30, 0.5))
        for least in (100, 200)
    ]
    assert [one["needed"] for one in found] == [True, False]


def test_max_model_drawdown(with_settings):
    for limit, needed in ((0.05, True), (0.07, False)):
        engine = with_settings(MAX_MODEL_DRAWDOWN=limit)
        found = realised(engine, trades=9, net=-0.04, peak=0.02, deepest=0.06)
        assert found["needed"] is needed
        assert found["drawdown"] == pytest.approx(0.06)


def ordered(ic, n=1_000):
    """Return counters of predictions whose score orders the returns with about this IC."""
    random = np.random.default_rng(1)
    scores, noise = random.normal(size=(2, PAIRS))
    return {"resolved": n, "scores": scores, "returns": ic * scores + noise * np.sqrt(1 - ic**2)}


def test_min_rolling_ic(with_settings):
    for least, needed in ((-0.5, False), (0.0, True)):
        engine = with_settings(MIN_ROLLING_IC=least, MAX_IC_GAP=2.0)
        found = realised(engine, **ordered(-0.3))
        assert found["needed"] is needed
        assert found["rolling_ic"]["ic"] == pytest.approx(-0.3, abs=0.07)
        assert engine.get_performance_stats()["drift"]["rolling_ic"]["limit"] == least


def test_max_ic_gap(with_settings):
    for widest, needed in ((2.0, False), (0.05, True)):
        engine = with_settings(MAX_IC_GAP=widest, MIN_ROLLING_IC=-1.0)
        model = engine._pool.model
        # Live, the probabilities are followed before they are adapted.
        metrics = {**model.artifact.metrics, "ic": 0.0, "ic_unadapted": 0.3}
        told = dataclasses.replace(model.artifact, metrics=metrics)
        engine._pool.serve(dataclasses.replace(model, artifact=told))
        found = realised(engine, **ordered(0.0))
        assert found["needed"] is needed
        assert found["rolling_ic"]["gap"] == pytest.approx(-0.3, abs=0.07)
        assert engine.get_performance_stats()["drift"]["drifting"] is needed


def test_alert_every_s(with_settings):
    for every, told in ((0.0, 1), (3_600.0, 0), (None, 0)):
        engine = with_settings(ALERT_EVERY_S=every, MAX_HELD_SHARE=0.0)
        alerts = []
        engine.on_alert = alerts.append
        for second in range(20):
            engine.predict(tick(second, bid_price=200.0), replay=True)
        assert [one["kind"] for one in alerts] == ["held_share"] * told
    engine.update_config({"ALERT_EVERY_S": 0.0})
    for second in range(20, 40):
        engine.predict(tick(second, bid_price=200.0), replay=True)
    assert len(alerts) == 1


def test_max_feature_psi(with_settings):
    rows = simulate(3_000, seed=5, start_ns=START_NS + 10**15, start_price=3_000.0).ticks
    counts = []
    for limit in (0.25, 1e6):
        engine = with_settings(MAX_FEATURE_PSI=limit)
        session = engine.session("SIMULATED")
        for row in rows.tolist():
            session.update(*row[:7])
        psi = engine.needs_retraining()["psi"]
        assert psi["judged"]
        counts.append(psi["count"])
    assert counts[0] > counts[1] == 0


def test_a_live_engine_takes_new_settings(with_settings):
    engine = with_settings()
    engine.update_config({"MAX_JUMP": 0.01, "STOP_LOSS_PCT": 0.009, "HISTORY_SIZE": 1})
    assert engine.risk_manager.config.STOP_LOSS_PCT == 0.009
    for second in range(2):
        engine.predict(tick(second), replay=True)
    assert len(engine.history) == 1
    before = engine.config
    with pytest.raises(ConfigError, match="MAX_JUMP"):
        engine.update_config({"MAXJUMP": 1})
    assert engine.config is before
