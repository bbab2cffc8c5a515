"""The measurement of single predictions: what is timed, in which order, and what is said of it."""

import io
import json
import subprocess
import sys
import textwrap
from functools import partial

import numpy as np
import pytest

from alphaseeker.bench import run as run_module
from alphaseeker.bench import start as start_module
from alphaseeker.bench import timing
from alphaseeker.bench.peers import BOOSTER, SINGLE_ROW_FAST, TREELITE, peers_of, single_row_fast
from alphaseeker.bench.reference import SYMBOL, reference_artifact, simulated_ticks
from alphaseeker.bench.run import PREDICT, UPDATE, run_bench
from alphaseeker.bench.start import time_start
from alphaseeker.bench.streams import streams_of
from alphaseeker.bench.timing import (
    Contender,
    clock_facts,
    quantiles_us,
    time_in_turn,
    watched_disturbances,
)
from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import ModelError, StateError
from alphaseeker.market.readers import read_ticks
from alphaseeker.model.artifact import load_artifact, save_artifact
from alphaseeker.model.lightgbm_text import validate_model_text

TICKS = 150
LEAVES = 7
ROUNDS = 4
SETTINGS = load_config(None, {"TRADE_WITHOUT_EDGE": True, "TARGET_LATENCY_MS": 200.0})
SMALL = partial(reference_artifact, rounds=ROUNDS, leaves=LEAVES, rows=4_000)
START_KEYS = {
    f"{which}_{name}_us"
    for which in ("first", "second")
    for name in ("tick", "prediction", "predict")
}


# ---- timing -------------------------------------------------------------------------------------


class Clock:
    """Time that passes only where a test lets it."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "perf_counter_ns", clock)
    return clock


def test_only_the_call_is_timed(clock):
    def call(cost):
        clock.now += cost

    def prepare(number):
        clock.now += 1_000_000

    way = Contender(call=call, arguments=[(7,), (11,), (13,)], prepare=prepare)
    spent = time_in_turn({"way": way}, calls=7, rounds=3)
    assert spent["way"].tolist() == [7, 11, 13, 7, 11, 13, 7]


def test_contenders_take_turns_and_each_is_first_once(clock):
    order = []
    ways = {
        name: Contender(call=partial(order.append, name), arguments=[()])
        for name in ("a", "b", "c")
    }
    steps = []
    time_in_turn(ways, calls=6, rounds=3, on_round=lambda done, total: steps.append((done, total)))
    assert "".join(order) == "aabbcc" + "bbccaa" + "ccaabb"
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_every_argument_comes_in_its_order_over_all_rounds(clock):
    given, prepared = [], []
    arguments = [(number,) for number in range(10)]
    way = Contender(call=given.append, arguments=arguments, prepare=prepared.append)
    time_in_turn({"way": way}, calls=10, rounds=4)
    assert given == prepared == list(range(10))


def test_quantiles_are_measured_values():
    spent = np.random.default_rng(1).permutation(np.arange(1, 2_001)) * 1_000
    assert quantiles_us(spent) == {
        "count": 2_000,
        "mean_us": 1_000.5,
        "p50_us": 1_000.0,
        "p99_us": 1_980.0,
        "p999_us": 1_998.0,
        "max_us": 2_000.0,
    }


def test_the_clock_says_what_it_costs():
    facts = clock_facts()
    assert facts["least_step_ns"] > 0
    assert facts["overhead_ns"] >= 0.0
    assert facts["stated_resolution_ns"] > 0.0


def test_disturbances_are_watched_while_they_last():
    import gc

    watching = len(gc.callbacks)
    with watched_disturbances() as seen:
        gc.collect()
        gc.collect(0)
    assert seen["full_collections"] == 1
    assert seen["longest_pause_ms"] > 0.0
    assert seen["preempted"] >= 0
    assert len(gc.callbacks) == watching
    gc.collect()
    assert seen["full_collections"] == 1


# ---- model and ticks ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference():
    return SMALL(config=SETTINGS)


@pytest.fixture(scope="module")
def reference_path(reference, tmp_path_factory):
    return save_artifact(reference, tmp_path_factory.mktemp("bench") / "reference.joblib")


def test_the_reference_model_has_the_size_asked_for(reference, reference_path):
    shape = validate_model_text(reference.model_text)
    assert (shape.n_trees, shape.max_leaves) == (3 * ROUNDS, LEAVES)
    assert shape.n_features == len(reference.feature_names) > 100
    leaves = [
        int(line.partition("=")[2])
        for line in reference.model_text.splitlines()
        if line.startswith("num_leaves=")
    ]
    assert leaves == [LEAVES] * 3 * ROUNDS
    assert load_artifact(reference_path).model_text == reference.model_text


def test_ticks_suit_a_model_that_reads_depth(deep_engine):
    streams = streams_of(deep_engine, history_rows=1_000, ticks=5)
    deep_engine.warm_up(streams.history)
    session = deep_engine.session(streams.symbol)
    assert session.model.depth_levels > 0
    signals = [session.update(*given) for given in streams.arguments]
    other = AlphaSeekerMLEngine(deep_engine.config)
    other._pool.serve(session.model)
    other.warm_up(streams.history)
    for signal, tick in zip(signals, streams.dictionaries, strict=True):
        assert signal.confidence > 0.0
        answer = other.predict(tick, replay=True)
        assert answer["probabilities"]["BUY"] == signal.p_buy
        assert answer["symbol"] == streams.symbol
    steps = np.diff([given[0] for given in streams.arguments])
    assert steps.tolist() == [1_000_000_000] * 4


# ---- peers --------------------------------------------------------------------------------------


def answers_of(peer, count):
    for number in range(count):
        if peer.prepare is not None:
            peer.prepare(number)
        yield np.ravel(peer.call(*peer.arguments[number % len(peer.arguments)]))


def test_peers_predict_the_rows_in_turn(reference, tmp_path):
    rows = reference.golden_features[:20]
    peers, skipped, booster = peers_of(reference.model_text, rows, tmp_path)
    right = booster.predict(rows)
    assert set(peers) | set(skipped) == {BOOSTER, SINGLE_ROW_FAST, TREELITE}
    for name in (BOOSTER, *({TREELITE} - set(skipped))):
        given = np.array(list(answers_of(peers[name], len(rows))))
        np.testing.assert_allclose(given, right, rtol=0, atol=1e-6)


def test_a_peer_says_nothing(reference, tmp_path):
    """Also where another thread was the first to import TL2cgen and has its output."""
    program = """
        import sys, threading
        from pathlib import Path
        import numpy as np
        from alphaseeker.bench.peers import TREELITE, peers_of

        def first():
            import tl2cgen

        thread = threading.Thread(target=first)
        thread.start()
        thread.join()
        rows = np.load("rows.npy")
        _, skipped, _ = peers_of(sys.stdin.read(), rows, Path.cwd())
        sys.exit(5 if TREELITE in skipped else 0)
    """
    pytest.importorskip("tl2cgen")
    np.save(tmp_path / "rows.npy", reference.golden_features[:3])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        input=reference.model_text,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert done.returncode in (0, 5)
    if done.returncode == 5:
        pytest.skip("Treelite does not run here")


def test_the_single_row_peer_reads_each_row(reference):
    scores = np.zeros(3)
    peer = single_row_fast(reference.model_text, reference.golden_features[:20], scores)
    for number, right in enumerate(reference.golden_scores[:20]):
        peer.prepare(number)
        peer.call()
        assert (scores == right).all()


def test_a_peer_that_fails_is_left_out_with_its_reason(reference, tmp_path, monkeypatch, capsys):
    tl2cgen = pytest.importorskip("tl2cgen")

    def refuse(*given, **named):
        raise TypeError("no such\n  dtype")

    monkeypatch.setattr(tl2cgen, "DMatrix", refuse)
    peers, skipped, _ = peers_of(reference.model_text, reference.golden_features[:3], tmp_path)
    assert skipped == {TREELITE: "TypeError: no such dtype"}
    assert TREELITE not in peers
    assert capsys.readouterr().out == ""


def test_a_peer_that_is_wrong_is_left_out(reference, tmp_path, monkeypatch):
    tl2cgen = pytest.importorskip("tl2cgen")

    class Wrong:
        def __init__(self, library, nthread):
            pass

        def predict(self, matrix):
            return np.zeros((1, 1, 3))

    monkeypatch.setattr(tl2cgen, "export_lib", lambda *given, **named: None)
    monkeypatch.setattr(tl2cgen, "Predictor", Wrong)
    _, skipped, _ = peers_of(reference.model_text, reference.golden_features[:3], tmp_path)
    assert "where LightGBM gives" in skipped[TREELITE]


# ---- a start ------------------------------------------------------------------------------------


def test_a_start_that_cannot_be_is_an_error(monkeypatch, tmp_path):
    with pytest.raises(StateError, match=r"exit code 1.*nowhere\.joblib"):
        time_start(tmp_path / "nowhere.joblib", {})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(StateError, match="failed"):
        time_start(None, {})


def test_a_start_that_hangs_is_an_error(monkeypatch):
    def hang(command, **named):
        raise subprocess.TimeoutExpired(command, named["timeout"])

    monkeypatch.setattr(start_module.subprocess, "run", hang)
    with pytest.raises(StateError, match="timed out"):
        time_start(None, {})


def test_what_a_start_prints(reference_path, monkeypatch, capsys):
    request = {"model": str(reference_path), "inference": {"NUM_THREADS": 1}}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(request)))
    start_module.main()
    times = json.loads(capsys.readouterr().out)
    assert set(times) == {"import_s", "ready_s"} | START_KEYS
    assert all(value > 0.0 for value in times.values())


# ---- the whole ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    stages = []
    found = run_bench(
        model=None,
        ticks=TICKS,
        config=SETTINGS,
        reference=SMALL,
        on_progress=lambda stage, done, total: stages.append((stage, done, total)),
    )
    return found, stages


def test_every_way_is_timed_as_often(result):
    calls = result[0]["calls"]
    assert {UPDATE, PREDICT, BOOSTER, SINGLE_ROW_FAST} <= set(calls)
    assert set(calls) ^ {UPDATE, PREDICT, BOOSTER, SINGLE_ROW_FAST, TREELITE} == set(
        result[0]["skipped"]
    )
    for row in calls.values():
        assert row["count"] == TICKS
        assert 0.0 < row["p50_us"] <= row["p99_us"] <= row["p999_us"] <= row["max_us"]
        assert row["times_as_fast"] == calls[BOOSTER]["p50_us"] / row["p50_us"]
    assert calls[BOOSTER]["times_as_fast"] == 1.0


def test_stages_are_those_of_the_timed_ticks(result):
    stages = result[0]["stages"]
    assert list(stages) == ["input", "features", "model", "decision", "total"]
    assert stages["total"]["count"] == TICKS
    assert stages["total"]["p50_us"] < result[0]["calls"][UPDATE]["max_us"]
    parts = [row for name, row in stages.items() if name != "total"]
    assert len({row["count"] for row in parts}) == 1
    for row in parts:
        assert 0 < row["count"] <= TICKS
        assert 0.0 < row["p50_us"] <= row["p99_us"] <= row["p999_us"] <= row["max_us"]


def test_what_is_said_of_model_start_replay_and_budget(result):
    found = result[0]
    assert found["simulated"] is True
    assert found["model"]["trees"] == 3 * ROUNDS
    assert found["model"]["path"] is None
    assert found["model"]["backend"]
    assert set(found["start"]) == {"import_s", "ready_s"} | START_KEYS
    assert found["replay"]["rows"] == TICKS
    assert found["replay"]["predict_batch_rows_per_s"] > 0.0
    used = found["calls"][PREDICT]["p99_us"] / 1_000
    assert found["budget"]["target_ms"] == 200.0
    assert found["budget"]["left_at_p99_ms"] == pytest.approx(200.0 - used)
    assert found["budget"]["met"] == (used <= 200.0)
    assert 0 <= found["cache_hits"] <= TICKS


def test_the_result_is_plain_json(result):
    found = result[0]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_progress_reaches_the_end_of_every_stage(result):
    last = {stage: (done, total) for stage, done, total in result[1]}
    assert list(last) == ["fit", "load", "peers", "start", "measure", "replay"]
    assert all(done == total for done, total in last.values())


def test_a_model_that_is_not_warm_is_not_timed(reference_path, monkeypatch):
    monkeypatch.setattr(run_module, "HISTORY_ROWS", 50)
    with pytest.raises(StateError, match=SYMBOL):
        run_bench(model=reference_path, ticks=10, config=SETTINGS)


def test_a_model_that_cannot_be_loaded(tmp_path):
    with pytest.raises(ModelError, match="none"):
        run_bench(model=tmp_path / "none.joblib", ticks=10, config=SETTINGS)


def test_a_model_of_an_unnamed_symbol_gets_unnamed_ticks():
    named, unnamed = (
        simulated_ticks(100, tick_size=0.01, symbol=name, depth_levels=0) for name in ("X", "")
    )
    assert set(named["symbol"]) == {"X"}
    (series,) = read_ticks(unnamed)
    assert series.symbol == ""
