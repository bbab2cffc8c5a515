"""Predictions that are followed, held against the labels and returns of the training's own code."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata, spearmanr

from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.features.batch import compute_features
from alphaseeker.inference.realised import PAIRS
from alphaseeker.inference.rolling_ic import rolling_ic, score_pairs
from alphaseeker.inference.session import Session
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.simulator import START_NS, simulate_frame
from alphaseeker.model.adaptive import allocate_adaptive
from alphaseeker.training.labels import outcomes
from alphaseeker.training.target import Target, classify, target_from_dict
from ticks import FIELDS, quotes, tick

HOUR_NS = 3_600_000_000_000
LATER_NS = START_NS + 100 * HOUR_NS  # after anything that the small model was trained on
FIXED = Target(
    kind="fixed_horizon",
    horizon_s=5.0,
    threshold=1e-4,
    label_price="mid",
    take_profit=0.004,
    stop_loss=0.004,
    transaction_cost=0.0005,
)
TARGETS = {
    "mid": FIXED,
    "close": dataclasses.replace(FIXED, label_price="close", horizon_s=3.3),
    "long": dataclasses.replace(FIXED, horizon_s=60.0),
    "barriers": dataclasses.replace(
        FIXED, kind="triple_barrier", threshold=None, take_profit=2e-4, stop_loss=1e-4
    ),
    "barriers on close": dataclasses.replace(
        FIXED,
        kind="triple_barrier",
        threshold=None,
        label_price="close",
        horizon_s=20.0,
        take_profit=4e-4,
        stop_loss=6e-4,
    ),
}


def with_target(model, target, **training):
    """Return the model with another target, and entries of ``training`` in the place of its own."""
    artifact = dataclasses.replace(
        model.artifact,
        target=target.to_dict(),
        training={**model.artifact.training, **training},
    )
    # What is followed is the model's own: not adapted, the answers say the same.
    off = allocate_adaptive(None, prior=artifact.class_prior, target={})
    return dataclasses.replace(model, artifact=artifact, adaptive=off)


@pytest.fixture
def model(engine):
    """The small model, ready to serve."""
    return engine._pool.model


@pytest.fixture(scope="module")
def events():
    """Events with a gap, a locked book, a quiet spell, and a session that steps back in time."""
    parts = []
    for number, start in enumerate((LATER_NS, LATER_NS + HOUR_NS, LATER_NS - 2 * HOUR_NS)):
        frame = simulate_frame(
            4_000, seed=20 + number, signal_strength=0.3, mode="events", start_ns=start
        )
        frame["session"] = "first" if number < 2 else "second"
        parts.append(frame)
    frame = pd.concat(parts, ignore_index=True)
    frame.loc[3_000:3_003, "bid_price"] = frame.loc[3_000:3_003, "ask_price"]
    quiet = frame.index.isin(range(2_500, 2_580))
    return frame[~quiet].drop(columns=["buy_volume", "sell_volume"]).reset_index(drop=True)


@pytest.fixture(scope="module")
def grid():
    """Samples a second apart, some missing."""
    frame = simulate_frame(3_000, seed=30, signal_strength=0.3, start_ns=LATER_NS)
    missing = np.random.default_rng(1).random(len(frame)) < 0.3
    missing[:1] = False
    return frame[~missing].drop(columns=["buy_volume", "sell_volume"]).reset_index(drop=True)


def replay(session, frame):
    """Take every row in; return what was asked, the side and the probabilities, by time order."""
    stamps = frame["timestamp"].astype("int64").tolist()
    columns = [frame[name].tolist() for name in FIELDS]
    rows = zip(stamps, *columns, strict=True)
    names = frame["session"].tolist()
    given = [session.update(*row, session=n) for row, n in zip(rows, names, strict=True)]
    asked = np.array([signal.confidence > 0.0 for signal in given])
    side = np.array([int(signal.side) for signal in given])
    return asked, side, np.array([(s.p_sell, s.p_hold, s.p_buy) for s in given])


def next_free(block, target, row):
    """Return the row at which the prediction made at ``row`` is no longer open."""
    price = block.mid if target.label_price == "mid" else block.close
    barriers = target.kind == "triple_barrier"
    upper = price[row] * (1.0 + target.take_profit)
    lower = price[row] * (1.0 - target.stop_loss)
    for later in range(row + 1, len(block)):
        if block.segment[later] != block.segment[row]:
            return later
        if block.timestamp[later] > block.timestamp[row] + target.horizon_ns:
            return later
        if barriers and not lower < price[later] < upper:
            return later
    return len(block)


def chain(block, target, wanted):
    """Yield the rows of non-overlapping predictions that are no longer open at the end."""
    row = 0
    while row < len(block):
        if not wanted[row]:
            row += 1
            continue
        free = next_free(block, target, row)
        if free < len(block):
            yield row
        row = free


def expected_counters(frame, model, target, answers):
    """Return what the session should have counted, from labels made in batch."""
    asked, side, probabilities = answers
    block = compute_features(
        read_ticks(frame)[0], settings=model.settings, names=["book.imbalance"]
    )
    assert len(block) == len(frame)
    found = outcomes(block, target)
    label = classify(found.forward_return, found.barrier, target)
    resolved, hits, said = 0, 0, []
    lost = 0
    pairs = []
    prior = model.artifact.class_prior
    for row in chain(block, target, asked):
        if label[row] < 0:
            lost += 1
            continue
        p = probabilities[row]
        best = int(np.argmax(p)) if (p == p.max()).sum() == 1 else 1
        resolved += 1
        hits += best == label[row]
        said.append(p[best])
        pairs.append((p[2] - p[0] - (prior[2] - prior[0]), found.forward_return[row]))
    net = []
    for row in chain(block, target, asked & (side != 0)):
        if label[row] >= 0:
            gross = side[row] * math.expm1(found.trade_return[row])
            spread = block.spread[row] / block.mid[row]
            net.append(gross - spread - 2.0 * target.transaction_cost)
    total = np.cumsum(net)
    peak = np.maximum.accumulate(np.maximum(total, 0.0))
    return {
        "resolved": resolved,
        "hits": hits,
        "lost": lost,
        "expected": math.fsum(said),
        "variance": math.fsum(p * (1.0 - p) for p in said),
        "trades": len(net),
        "net": total[-1],
        "peak": peak[-1],
        "deepest": (peak - total).max(),
    }, np.array(pairs)


@pytest.mark.parametrize("name", TARGETS)
def test_events_are_followed_as_the_training_labels_them(model, events, name):
    target = TARGETS[name]
    session = Session("SIMULATED", with_target(model, target))
    expected, pairs = expected_counters(events, model, target, replay(session, events))
    assert expected["resolved"] > 10 < expected["trades"]
    assert expected["lost"] > 0
    record = session.memory["realised"][0]
    assert {key: record[key] for key in expected} == pytest.approx(expected, rel=1e-9)
    kept = np.column_stack(score_pairs(record))
    np.testing.assert_allclose(kept, pairs, rtol=1e-9, atol=1e-15)


def test_what_is_judged_was_not_adapted(model, grid):
    answers, scores = [], []
    for served in (model, with_target(model, target_from_dict(model.artifact.target))):
        session = Session("SIMULATED", served)
        answers.append(replay(session, grid)[2])
        scores.append(session.memory["realised"]["scores"][0].copy())
    assert np.abs(answers[0] - answers[1]).max() > 1e-3
    np.testing.assert_array_equal(scores[0], scores[1])
    assert np.count_nonzero(scores[0]) > 10


@pytest.mark.parametrize("horizon", [1.0, 2.0, 3.9, 4.0, 10.0])
def test_a_sample_that_was_not_seen_resolves_nothing(model, grid, horizon):
    target = dataclasses.replace(FIXED, horizon_s=horizon)
    session = Session("SIMULATED", with_target(model, target))
    expected, pairs = expected_counters(grid, model, target, replay(session, grid))
    assert expected["resolved"] > 100
    record = session.memory["realised"][0]
    assert {key: record[key] for key in expected} == pytest.approx(expected, rel=1e-9)
    # The latest 1,024 of them.
    pairs = pairs[-PAIRS:]
    kept = np.column_stack(score_pairs(record))
    np.testing.assert_allclose(kept, pairs, rtol=1e-9, atol=1e-15)
    found = rolling_ic({"SIMULATED": record})
    score, change = np.round(pairs[:, 0], 6), pairs[:, 1]
    assert found["pairs"] == len(pairs)
    assert found["pooled"] == pytest.approx(spearmanr(score, change).statistic, rel=1e-9)
    signed = [np.sign(v) * rankdata(np.abs(v)) for v in (score, change)]
    cosine = signed[0] @ signed[1] / np.sqrt((signed[0] @ signed[0]) * (signed[1] @ signed[1]))
    assert found["ic"] == pytest.approx(cosine, rel=1e-9)


def test_what_was_resolved_lately_counts_most(model, grid):
    session = Session("SIMULATED", with_target(model, dataclasses.replace(FIXED, horizon_s=1.0)))
    replay(session, grid)
    record = session.memory["realised"][0]
    n = int(record["resolved"])
    assert record["recent"] == pytest.approx((1.0 - 0.999**n) / 0.001)
    assert 0.0 < record["recent_hits"] < record["hits"]
    assert record["recent_variance"] < 0.25 * (1.0 - 0.999 ** (2 * n)) / (1.0 - 0.999**2)


def test_times_the_model_was_trained_on_are_not_followed(model, market, grid):
    session = Session("SIMULATED", model)
    for row in quotes(market.head(2_000)):
        session.update(*row)
    record = session.memory["realised"][0]
    assert (record["resolved"], record["sampled"], record["judged"]["open"]) == (0, 0, 0)
    replay(session, grid)
    assert record["resolved"] > 10 < record["sampled"]


def test_a_model_without_a_threshold_is_served_and_not_followed(model, grid):
    artifact = dataclasses.replace(model.artifact, target={"kind": "fixed_horizon"})
    session = Session("SIMULATED", dataclasses.replace(model, artifact=artifact))
    replay(session, grid)
    assert session.memory["realised"]["resolved"][0] == 0


def test_rows_of_a_file_are_not_followed(trained, grid):
    engine = AlphaSeekerMLEngine(load_config(None, {"TRADE_WITHOUT_EDGE": True}))
    engine.load_model(trained[0])
    half = len(grid) // 2
    session = engine.session("SIMULATED")
    replay(session, grid.head(half))
    record = session.memory["realised"][0]
    before = record.copy()
    assert before["judged"]["open"] == 1
    engine.warm_up(grid.iloc[half:-500])
    assert (record["judged"]["open"], record["traded"]["open"]) == (0, 0)
    assert (record["resolved"], record["net"]) == (before["resolved"], before["net"])
    replay(session, grid.tail(500))
    assert record["resolved"] > before["resolved"]


def test_a_signal_held_back_for_its_age_is_no_trade(trained, grid):
    engine = AlphaSeekerMLEngine(
        load_config(None, {"TRADE_WITHOUT_EDGE": True, "MIN_CONFIDENCE": 0.0, "MAX_AGE_S": 5.0})
    )
    engine.load_model(trained[0])
    for row in grid.drop(columns=["session"]).to_dict("records"):
        stale = engine.predict(row)
        assert stale["filter_reason"] == "stale"
    record = engine.session("SIMULATED").memory["realised"][0]
    assert record["resolved"] > 10
    assert record["trades"] == 0


def test_a_snapshot_carries_what_is_open_and_counted(model, events):
    target = with_target(model, TARGETS["barriers"])
    whole, first, second = (Session("SIMULATED", target) for _ in range(3))
    replay(whole, events)
    cut = 2_345
    replay(first, events.head(cut))
    second.restore(first.snapshot())
    replay(second, events.iloc[cut:])
    assert second.memory["realised"].tobytes() == whole.memory["realised"].tobytes()
    np.testing.assert_array_equal(second.sampled_features, whole.sampled_features)
    assert len(whole.sampled_features) > 10


def test_a_snapshot_of_another_model_leaves_the_counters_empty(model, grid):
    first = Session("SIMULATED", model)
    replay(first, grid)
    second = Session("SIMULATED", with_target(model, FIXED))
    second.restore(first.snapshot())
    record = second.memory["realised"][0]
    assert (record["resolved"], record["sampled"], len(second.sampled_features)) == (0, 0, 0)
    assert record["horizon"] == FIXED.horizon_ns


def test_counters_are_those_of_one_model(model, grid):
    session = Session("SIMULATED", model)
    replay(session, grid)
    record = session.memory["realised"][0]
    resolved = int(record["resolved"])
    assert resolved > 10
    session.hand_over(dataclasses.replace(model, abstain=True))  # the same under other settings
    session.adopt()
    assert record["resolved"] == resolved
    session.hand_over(with_target(model, FIXED))
    session.adopt()
    assert (record["resolved"], record["sampled"]) == (0, 0)


def test_reset_forgets(model, grid):
    session = Session("SIMULATED", model)
    replay(session, grid)
    session.reset()
    record = session.memory["realised"][0]
    assert (record["resolved"], record["sampled"], len(session.sampled_features)) == (0, 0, 0)
    session.update(*next(iter(quotes(grid))))


def test_a_tick_that_is_held_is_not_followed(model, grid):
    session = Session("SIMULATED", with_target(model, FIXED))
    replay(session, grid)
    record = session.memory["realised"][0]
    before = record.copy()
    last = grid["timestamp"].astype("int64").iloc[-1]
    row = tick(0, bid_price=101.0, ask_price=100.0)
    signal = session.update(int(last) + 10**12, *(row[name] for name in FIELDS))
    assert signal.reason == "crossed_book"
    assert record == before
