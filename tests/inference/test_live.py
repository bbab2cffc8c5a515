"""Every case of bad market data through ``predict``: at the first tick, warm, and after a gap."""

import dataclasses
import math
import time

import numpy as np
import pytest

from alphaseeker.errors import DataError, StateError
from ticks import NOON_NS, SECOND_NS, tick

WARM_S = 320
NAN, INF = math.nan, math.inf

REFUSED = {
    "price NaN": {"bid_price": NAN},
    "price infinite": {"ask_price": INF},
    "price zero": {"bid_price": 0.0},
    "price negative": {"ask_price": -1.0},
    "last price NaN": {"close": NAN},
    "last price zero": {"close": 0.0},
    "size NaN": {"bid_volume": NAN},
    "size infinite": {"ask_volume": INF},
    "size negative": {"bid_volume": -2.0},
    "volume negative": {"volume": -1.0},
    "volume NaN": {"volume": NAN},
    "aggressor volume negative": {"buy_volume": -1.0},
    "null field": {"ask_price": None},
    "string for a number": {"close": "100.0"},
    "array for a number": {"bid_volume": np.array([1.0], dtype=object)},
    "truth value for a number": {"volume": True},
    "infinite in float32": {"bid_price": 1e39, "ask_price": 1e39},
    "size infinite in float32": {"ask_volume": 1e39},
    "integer beyond float64": {"bid_volume": 10**400},
    "time zero": {"timestamp": 0},
    "time negative": {"timestamp": -1.0},
    "time overflowing": {"timestamp": 10**30},
    "time NaN": {"timestamp": NAN},
    "time a truth value": {"timestamp": True},
    "time in words": {"timestamp": "noon"},
}
HELD = {
    "bid side empty": ({"bid_volume": 0.0}, "empty_side"),
    "ask side empty, price zero": ({"ask_volume": 0.0, "ask_price": 0.0}, "empty_side"),
    "ask side empty, price missing": ({"ask_volume": 0.0, "ask_price": None}, "empty_side"),
    "both sides empty": ({"ask_volume": 0.0, "bid_volume": 0.0}, "empty_side"),
    "crossed": ({"bid_price": 100.02}, "crossed_book"),
}


@pytest.fixture(params=["first", "warm", "after a gap"])
def stage(request, engine):
    """An engine at one of three moments, and the second at which the next tick comes."""
    if request.param == "first":
        return engine, 0
    engine.warm_up([tick(second, bid_volume=5.0 + second % 7) for second in range(WARM_S)])
    if request.param == "warm":
        return engine, WARM_S
    engine.predict(tick(WARM_S + 2_000), replay=True)
    return engine, WARM_S + 2_001


ASKED = (None, "low_confidence")  # the model was asked, nothing held the tick back


def state_of(engine):
    return {session.symbol: session.snapshot() for session in engine._pool.sessions()}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_and_changes_nothing(stage, case):
    engine, second = stage
    engine.session("")
    before = state_of(engine)
    with pytest.raises(DataError) as caught:
        engine.predict(tick(second, **REFUSED[case]), replay=True)
    assert state_of(engine) == before
    message = str(caught.value)
    assert any(name in message for name in REFUSED[case])
    counts = engine.get_performance_stats()["inference_performance"]["filter_counts"]
    assert counts["refused"] == 1


@pytest.mark.parametrize("field", ["bid_price", "ask_price", "bid_volume", "close", "volume"])
def test_refuses_a_missing_field(stage, field):
    engine, second = stage
    row = tick(second)
    del row[field]
    with pytest.raises(DataError, match=f"{field} is missing"):
        engine.predict(row, replay=True)


@pytest.mark.parametrize("case", HELD)
def test_holds_and_counts(stage, case):
    engine, second = stage
    fields, reason = HELD[case]
    answer = engine.predict(tick(second, **fields), replay=True)
    assert (answer["signal"], answer["filter_reason"]) == (0, reason)
    counts = engine.get_performance_stats()["inference_performance"]["filter_counts"]
    assert counts[reason] == 1


def test_crossed_book_leaves_the_flow_untouched(engine):
    engine.warm_up([tick(second) for second in range(WARM_S)])
    session = engine.session("")
    before = session.features.copy()
    for second in range(3):
        engine.predict(tick(WARM_S + second, bid_price=100.5), replay=True)
    np.testing.assert_array_equal(session.features, before)
    assert engine.predict(tick(WARM_S + 4), replay=True)["filter_reason"] in ASKED


def test_locked_book_is_a_hold_for_that_tick(stage):
    engine, second = stage
    answer = engine.predict(tick(second, bid_price=100.01), replay=True)
    assert answer["signal"] == 0
    if second == WARM_S:
        assert answer["filter_reason"] == "locked_book"
        after = engine.predict(tick(second + 1), replay=True)
        assert after["filter_reason"] in ASKED


@pytest.fixture
def now(monkeypatch):
    """The present moment, in seconds, at which the clock stands still: a test may take its time."""
    monkeypatch.setattr(time, "time_ns", lambda: NOON_NS)
    monkeypatch.setattr(time, "time", lambda: NOON_NS / 1e9)
    return NOON_NS / 1e9


def test_a_missing_time_stamp_becomes_the_time_of_receipt(engine, now):
    row = tick(0)
    del row["timestamp"]
    answer = engine.predict(row)
    assert answer["market_data_timestamp"] == now


def test_a_missing_time_stamp_goes_by_the_clock_of_the_stream(engine, now):
    ahead = now + 3.0
    engine.predict(tick(0, timestamp=ahead))
    row = tick(0, bid_volume=7.0)
    del row["timestamp"]
    answer = engine.predict(row)
    assert answer["filter_reason"] == "warming_up"
    assert answer["market_data_timestamp"] == pytest.approx(ahead, abs=1e-6)
    assert engine.predict(tick(0, timestamp=ahead + 0.5))["filter_reason"] == "warming_up"
    with pytest.raises(DataError, match="milliseconds"):
        engine.predict(tick(0, timestamp=int(ahead * 1000) + 9_000))


def test_history_must_be_stamped(engine):
    row = tick(0)
    del row["timestamp"]
    for call in (
        lambda: engine.predict(row, replay=True),
        lambda: engine.predict_batch([row]),
        lambda: engine.warm_up([row]),
        lambda: list(engine.predict_stream([row])),
    ):
        with pytest.raises(DataError, match="timestamp is missing"):
            call()


def test_refuses_a_time_beyond_the_clock_skew(engine, now):
    with pytest.raises(DataError, match="in the future"):
        engine.predict(tick(0, timestamp=now + 60.0))
    engine.predict(tick(0, timestamp=now + 1.0))


def test_holds_a_tick_that_is_too_old(engine, now):
    answer = engine.predict(tick(0, timestamp=now - 120.0))
    assert (answer["signal"], answer["filter_reason"]) == (0, "stale")
    counts = engine.get_performance_stats()["inference_performance"]["filter_counts"]
    assert counts["stale"] == 1


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (1.6e9, 1_600_000_001_000, "milliseconds"),
        (1_600_000_000_000, 1.6e9 + 1, "seconds"),
        (NOON_NS, (NOON_NS + SECOND_NS) // 1000, "microseconds"),
        ("2020-09-13T12:26:40", "2020-09-13T12:26:41Z", "zone"),
        ("2020-09-13T12:26:40Z", 1.6e9 + 1, "seconds"),
    ],
)
def test_refuses_a_change_of_unit(engine, first, second, words):
    engine.predict(tick(0, timestamp=first), replay=True)
    before = state_of(engine)
    with pytest.raises(DataError, match=words):
        engine.predict(tick(0, timestamp=second), replay=True)
    assert state_of(engine) == before


def test_every_form_of_the_same_time_is_the_same(engine):
    forms = (1.6e9, 1_600_000_000_000, NOON_NS // 1000, NOON_NS, "2020-09-13 12:26:40+00:00")
    for number, form in enumerate(forms):
        answer = engine.predict(tick(0, timestamp=form, symbol=f"S{number}"), replay=True)
        assert answer["market_data_timestamp"] == 1.6e9


def test_out_of_order_is_dropped(engine):
    engine.warm_up([tick(second) for second in range(10)])
    answer = engine.predict(tick(5), replay=True)
    assert answer["filter_reason"] == "out_of_order"


def test_the_same_tick_again_gives_the_same_answer(engine):
    engine.warm_up([tick(second, bid_volume=5.0 + second % 3) for second in range(WARM_S)])
    first = engine.predict(tick(WARM_S), replay=True)
    again = engine.predict(tick(WARM_S), replay=True)
    for key in ("signal", "probabilities", "confidence", "filter_reason"):
        assert again[key] == first[key]


def test_equal_time_with_other_content_is_accepted(engine):
    engine.warm_up([tick(second) for second in range(WARM_S)])
    engine.predict(tick(WARM_S), replay=True)
    answer = engine.predict(tick(WARM_S, bid_volume=9.0), replay=True)
    assert answer["filter_reason"] in ASKED


def test_a_long_gap_is_stale_and_warms_up_again(engine):
    engine.warm_up([tick(second) for second in range(WARM_S)])
    answer = engine.predict(tick(WARM_S + 1_000), replay=True)
    assert answer["filter_reason"] == "stale"
    after = engine.predict(tick(WARM_S + 1_001), replay=True)
    assert after["filter_reason"] == "warming_up"
    assert after["warm_up_remaining_s"] > 0


def test_a_price_jump_waits_to_be_confirmed(engine):
    engine.warm_up([tick(second) for second in range(WARM_S)])
    high = {"bid_price": 150.0, "ask_price": 150.01, "close": 150.0}
    reasons = [
        engine.predict(tick(WARM_S + second, **high), replay=True)["filter_reason"]
        for second in range(4)
    ]
    assert reasons[:2] == ["price_jump", "price_jump"]
    assert all(reason in ASKED for reason in reasons[2:])


def test_a_price_jump_that_comes_back_is_dropped(engine):
    engine.warm_up([tick(second) for second in range(WARM_S)])
    high = {"bid_price": 150.0, "ask_price": 150.01}
    assert engine.predict(tick(WARM_S, **high), replay=True)["filter_reason"] == "price_jump"
    assert engine.predict(tick(WARM_S + 1), replay=True)["filter_reason"] in ASKED


def test_warns_once_of_cumulative_volume(engine, caplog):
    for second in range(300):
        engine.predict(tick(second, volume=10.0 + second), replay=True)
    warnings = [r for r in caplog.records if "running total" in r.getMessage()]
    assert len(warnings) == 1
    assert engine.health_check()["components"]["data"]["status"] == "WARNING"


def test_depth_unsorted_is_mended_and_too_flat_is_refused(engine):
    levels = [[99.0, 1.0, 101.0, 1.0], [100.0, 1.0, 100.5, 1.0]]
    engine.predict(tick(0, depth=levels), replay=True)
    counts = engine.get_performance_stats()["inference_performance"]["filter_counts"]
    assert counts["depth_repaired"] == 1
    for wrong in ([1.0, 2.0], "abc", [[1, 2], [3]], {}, [[None] * 4], [[-1.0] * 4]):
        with pytest.raises(DataError, match="depth"):
            engine.predict(tick(1, depth=wrong), replay=True)
        with pytest.raises(DataError, match="row 1: depth"):
            engine.predict_batch([tick(1, depth=wrong)])


def test_refuses_fewer_levels_than_the_model_reads(engine):
    engine._pool.serve(dataclasses.replace(engine._pool.model, depth_levels=3))
    two = [[100.0, 1.0, 100.01, 1.0], [99.0, 1.0, 101.0, 1.0]]
    with pytest.raises(DataError, match=r"depth has 2 levels .* features in use read 3"):
        engine.predict(tick(0, depth=two), replay=True)
    with pytest.raises(DataError, match="depth is missing; the features in use read 3"):
        engine.predict(tick(0), replay=True)
    engine.predict(tick(0, depth=[*two, [98.0, 1.0, 102.0, 1.0]]), replay=True)


def test_warns_once_of_an_unknown_symbol(engine, caplog):
    for second in range(3):
        engine.predict(tick(second, symbol="DOGEUSDT"), replay=True)
    assert sum("DOGEUSDT" in r.getMessage() for r in caplog.records) == 1


@pytest.mark.parametrize("position", ["SIDEWAYS", "", None, 1])
def test_refuses_an_unknown_position(engine, position):
    with pytest.raises(DataError, match="FLAT, LONG, SHORT"):
        engine.predict(tick(0), position=position)


def test_refuses_what_is_no_dictionary(engine):
    with pytest.raises(DataError, match="dictionary"):
        engine.predict([1, 2, 3])
    with pytest.raises(DataError, match="symbol"):
        engine.predict(tick(0, symbol=7))


def test_needs_a_model():
    from alphaseeker import create_ml_engine

    with pytest.raises(StateError, match="load_model"):
        create_ml_engine().predict(tick(0))


def test_symbols_do_not_mix(engine, market):
    alone = [engine.predict(tick(s, symbol="A"), replay=True) for s in range(WARM_S)]
    engine.clear_history()
    mixed = []
    for second in range(WARM_S):
        mixed.append(engine.predict(tick(second, symbol="A"), replay=True))
        engine.predict(tick(second, symbol="B", bid_price=50.0, ask_price=50.02), replay=True)
    assert [a["probabilities"] for a in alone] == [m["probabilities"] for m in mixed]


def test_batch_and_stream_equal_one_by_one(engine, market):
    rows = market.head(400).to_dict("records")
    single = [engine.predict(row, replay=True) for row in rows]
    batch = engine.predict_batch(rows)
    frame = engine.batch_predict(market.head(400))
    engine.clear_history()
    stream = list(engine.predict_stream(rows))
    for other in (batch, frame, stream):
        assert len(other) == len(single)
        for one, two in zip(single, other, strict=True):
            for key in ("signal", "probabilities", "confidence", "filter_reason", "ready"):
                assert one[key] == two[key]


def test_batch_leaves_live_sessions_alone(engine, market):
    engine.warm_up(market.head(50))
    before = state_of(engine)
    engine.predict_batch(market.head(100))
    assert state_of(engine) == before


def test_batch_keeps_the_order_of_mixed_symbols(engine):
    rows = [tick(n // 2, symbol="AB"[n % 2], bid_volume=1.0 + n) for n in range(40)]
    answers = engine.predict_batch(rows)
    assert [a["symbol"] for a in answers] == [r["symbol"] for r in rows]


def test_a_stale_tick_sent_again_is_counted_once(engine, now):
    old = tick(0, timestamp=now - 120.0)
    for _ in range(4):
        assert engine.predict(old)["filter_reason"] == "stale"
    counts = engine.get_performance_stats()["inference_performance"]["signal_counts"]
    assert counts == {"SELL": 0, "HOLD": 1, "BUY": 0}


def test_a_session_named_once_goes_on_in_every_path(engine, market):
    rows = market.head(420).drop(columns="session").to_dict("records")
    rows[0]["session"] = "a"
    batch = engine.predict_batch(rows)
    live = [engine.predict(row, replay=True) for row in rows[:400]]
    stream = list(engine.predict_stream(rows[400:]))
    for one, two in zip(batch, live + stream, strict=True):
        assert one["probabilities"] == two["probabilities"]
        assert one["ready"] == two["ready"]


def test_warming_up_refuses_bad_history(engine):
    engine.session("")
    before = state_of(engine)
    bad = [tick(second, bid_price=-1.0) for second in range(50)]
    with pytest.raises(DataError, match="row 1: bid_price"):
        engine.warm_up(bad)
    assert state_of(engine) == before
    report = engine.warm_up([tick(second) for second in range(50)])
    assert (report[""]["accepted"], report[""]["refused"]) == (50, 0)


@pytest.mark.parametrize("source", [5, "abc", {"bid_price": 1.0}])
def test_a_stream_must_yield_ticks(engine, source):
    with pytest.raises(DataError, match="dictionaries"):
        engine.predict_stream(source)


def test_batch_refuses_bad_rows_by_number(engine):
    rows = [tick(second) for second in range(20)]
    rows[7]["bid_price"] = math.nan
    with pytest.raises(DataError, match="row 8: bid_price"):
        engine.predict_batch(rows)
    rows[7]["bid_price"] = "x"
    with pytest.raises(DataError, match="row 8: bid_price"):
        engine.predict_batch(rows)
    good = [tick(second) for second in range(2_000)]
    good[7]["bid_price"] = math.nan
    assert engine.predict_batch(good)[7]["filter_reason"] == "refused"


def test_closing_labels(engine, market):
    rows = market.head(900).to_dict("records")
    answers = engine.predict_batch(rows)
    long = engine.predict_batch(rows, position="LONG")
    short = engine.predict_batch(rows, position="SHORT")
    labels = {
        1: ("BUY", "BUY", "CLOSE_SHORT"),
        0: ("HOLD",) * 3,
        -1: ("SELL", "CLOSE_LONG", "SELL"),
    }
    for one, two, three in zip(answers, long, short, strict=True):
        given = (one["signal_label"], two["signal_label"], three["signal_label"])
        assert given == labels[one["signal"]]
