"""A session's ticks, signals, cache, snapshots and model swaps."""

import dataclasses
import math
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from alphaseeker.errors import DataError, ModelError, StateError
from alphaseeker.inference.session import Session
from alphaseeker.inference.signal import Side
from ticks import quote, quotes


@pytest.fixture
def model(engine):
    """The small model, ready to serve."""
    return engine._pool.model


@pytest.fixture
def session(model):
    """A session of it that nothing else uses."""
    return Session("SIMULATED", model)


def test_warms_up_then_is_ready(session, model, market):
    signals = [session.update(*row) for row in quotes(market.head(400))]
    ready = [signal.ready for signal in signals]
    # The first second was not watched from its start, so it does not count.
    assert ready.index(True) == model.needed_buckets + 1
    first = signals[0]
    assert first.reason == "warming_up"
    assert first.confidence == 0.0
    assert (first.p_sell, first.p_hold, first.p_buy) == model.artifact.class_prior
    assert all(ready[model.needed_buckets + 1 :])


def test_remaining_warm_up_counts_down(session, model, market):
    before = session.warm_up_remaining_s
    for row in quotes(market.head(50)):
        session.update(*row)
    assert before == model.needed_buckets
    assert session.warm_up_remaining_s == model.needed_buckets - 48


def test_probabilities_are_those_of_lightgbm(session, model, market):
    import lightgbm

    booster = lightgbm.Booster(model_str=model.artifact.model_text)
    calibration = model.artifact.calibration
    for count, row in enumerate(quotes(market.head(600))):
        signal = session.update(*row)
        if count < 400 or count % 20:
            continue
        scores = booster.predict(session.features[None, :].astype(np.float64), raw_score=True)[0]
        weights = np.exp(scores / calibration["temperature"] + np.array(calibration["bias"]))
        expected = weights / weights.sum()
        got = (signal.p_sell, signal.p_hold, signal.p_buy)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
        assert math.isclose(sum(got), 1.0, abs_tol=1e-12)


def test_cache_gives_the_same_bits(model, market):
    cached, plain = Session("", model), Session("", model, caching=False)
    frame = market.head(500)
    *_, last = quotes(frame)
    # What the aggressor bought is all that differs, and the model does not read it.
    still = [(*last[:6], 0.0, float(bought), 0.0) for bought in range(5)]
    rows = [*quotes(frame), *still]
    assert [cached.update(*row) for row in rows] == [plain.update(*row) for row in rows]
    assert cached.statistics.cache_hits > 0
    assert plain.statistics.cache_hits == 0


def test_features_are_a_read_only_view(session, market):
    view = session.features
    before = view.copy()
    for row in quotes(market.head(20)):
        session.update(*row)
    assert session.features is view
    assert not np.array_equal(before, view, equal_nan=True)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1.0


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"bid_price": "100"}, "bid_price"),
        ({"ask_price": None}, "ask_price"),
        ({"bid_volume": True}, "bid_volume"),
        ({"ask_volume": np.array([1.0])}, "ask_volume"),
        ({"close": math.nan}, "close"),
        ({"volume": -1.0}, "volume"),
        ({"timestamp": 1.6e9}, "timestamp_ns"),
        ({"timestamp": True}, "timestamp_ns"),
        ({"timestamp": 2**63}, "timestamp_ns"),
        ({"timestamp": 0}, "timestamp"),
        ({"timestamp": -5}, "timestamp"),
    ],
)
def test_refuses_what_is_malformed_and_changes_nothing(session, market, fields, named):
    for row in quotes(market.head(30)):
        session.update(*row)
    before, features = session.snapshot(), session.features.copy()
    with pytest.raises(DataError, match=named):
        session.update(*quote(10, **fields))
    assert session.snapshot() == before
    assert_array_equal(session.features, features)


def test_takes_integers_and_numpy_numbers(session):
    signal = session.update(*quote(0, bid_price=100, ask_price=np.float32(101), volume=np.int64(3)))
    assert signal.side is Side.HOLD


def test_snapshot_goes_on_with_the_same_bits(model, market):
    rows = list(quotes(market.head(700)))
    whole = Session("", model)
    expected = [whole.update(*row) for row in rows]
    for stop in (1, 299, 302, 555):
        first, second = Session("", model), Session("", model)
        for row in rows[:stop]:
            first.update(*row)
        second.restore(first.snapshot())
        assert [second.update(*row) for row in rows[stop:]] == expected[stop:]
        assert second.snapshot() == whole.snapshot()


def test_restore_refuses_wrong_bytes(session, model, market):
    for row in quotes(market.head(10)):
        session.update(*row)
    good = session.snapshot()
    for position in (500, len(good) - 20, len(good) - 6):
        flipped = bytearray(good)
        flipped[position] ^= 1
        with pytest.raises(StateError, match="checksum"):
            session.restore(bytes(flipped))
    with pytest.raises(StateError, match="another version"):
        session.restore(b"x" + good[1:])
    for wrong in (b"", b"x", good[:-1], good[1:]):
        with pytest.raises(StateError):
            session.restore(wrong)
    slower = dataclasses.replace(model, settings=dataclasses.replace(model.settings, bucket_s=60.0))
    with pytest.raises(StateError, match="bucket_ns"):
        Session("SIMULATED", slower).restore(good)
    assert session.snapshot() == good


def test_the_same_tick_again_returns_the_previous_signal(session, market):
    rows = list(quotes(market.head(20)))
    for row in rows:
        last = session.update(*row)
    before = session.snapshot()
    assert session.update(*rows[-1]) == last
    assert session.statistics.repeated == 1
    # Only the gate's counter of repeated ticks has moved.
    assert sum(a != b for a, b in zip(before, session.snapshot(), strict=True)) < 10


def test_swapping_the_model_keeps_the_stream(session, model, market):
    rows = list(quotes(market.head(500)))
    for row in rows[:400]:
        session.update(*row)
    assert session.hand_over(dataclasses.replace(model, needed_buckets=10))
    fresh = Session("", model)
    expected = [fresh.update(*row) for row in rows][400:]
    assert [session.update(*row) for row in rows[400:]] == expected
    sizes = {"SIMULATED": 9.0}
    other = dataclasses.replace(
        model, settings=dataclasses.replace(model.settings, tick_sizes=sizes)
    )
    assert not session.hand_over(other)
    assert session.update(*rows[-1]).reason == "warming_up"


def test_a_model_handed_over_by_another_thread_changes_no_signal(model, market):
    rows = list(quotes(market.head(3_000)))
    alone = Session("", model)
    expected = [alone.update(*row) for row in rows]
    session = Session("", model)
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            session.hand_over(dataclasses.replace(model))

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        assert [session.update(*row) for row in rows] == expected
    finally:
        stop.set()
        thread.join()


def test_a_refused_tick_does_not_begin_its_session(session, market):
    rows = list(quotes(market.head(400)))
    for row in rows[:-1]:
        session.update(*row)
    before = session.snapshot()
    with pytest.raises(DataError, match="bid_price"):
        session.update(*quote(10**9, bid_price=-1.0)[:1], -1.0, *rows[-1][2:], session="other")
    assert session.snapshot() == before
    assert session.update(*rows[-1]).ready


@pytest.mark.parametrize("name", [1.5, [1], True, float("nan"), b"x"])
def test_refuses_a_session_that_is_no_name(session, name):
    with pytest.raises(DataError, match="session"):
        session.update(*quote(0), session=name)


def test_a_restored_stream_repeats_its_last_signal(model, market):
    rows = list(quotes(market.head(400)))
    first, second = Session("", model), Session("", model)
    for row in rows:
        last = first.update(*row)
    second.restore(first.snapshot())
    assert second.update(*rows[-1]) == last
    assert second.last_signal == last


def test_reset_begins_anew_and_keeps_the_view(session, market):
    view = session.features
    rows = list(quotes(market.head(400)))
    fresh = [session.update(*row) for row in rows]
    session.reset()
    assert session.statistics.predictions == 0
    assert session.features is view
    assert [session.update(*row) for row in rows] == fresh


def test_a_new_session_starts_afresh(session, market):
    for row in quotes(market.head(400)):
        session.update(*row)
    again = next(iter(quotes(market.iloc[400:401])))
    assert session.update(*again, session="tuesday").reason == "warming_up"
    assert session.warm_up_remaining_s > 0.0


def test_depth_is_checked(session):
    with pytest.raises(DataError, match="shape"):
        session.update(*quote(0), depth=np.zeros((3, 2)))
    unsorted = np.array([[99.0, 1.0, 101.0, 1.0], [100.0, 1.0, 100.5, 1.0]])
    session.update(*quote(0), depth=unsorted)
    assert session.statistics.depth_repaired == 1
    assert unsorted[0, 0] == 99.0


def test_a_model_that_cannot_be_bound_changes_nothing(session, model, market):
    rows = list(quotes(market.head(600)))
    for row in rows[:500]:
        session.update(*row)
    before, last = session.snapshot(), session.last_signal

    class Closed:
        def bind(self, features, scores):
            raise ModelError("the predictor is closed; load the model again")

    session.hand_over(dataclasses.replace(model, predictor=Closed()))
    for _ in range(2):
        with pytest.raises(ModelError, match="is closed"):
            session.update(*rows[500])
    assert session.model is model
    session._next = None
    assert (session.snapshot(), session.last_signal) == (before, last)
    other = Session("SIMULATED", model)
    assert [session.update(*row) for row in rows[500:]] == [other.update(*row) for row in rows][
        500:
    ]


def test_what_differs_is_named(session, model):
    settings = dataclasses.replace(model.settings, bucket_s=2.0)
    assert session.differences(model) == []
    assert "bucket_ns" in session.differences(dataclasses.replace(model, settings=settings))
