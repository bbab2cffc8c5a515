"""The whole step inside other people's jitted loops gives what ``Session.update`` gives."""

import dataclasses
import gc
import weakref

import numba
import numpy as np
import pytest

from alphaseeker._jit import source_hash
from alphaseeker.errors import DataError, StateError
from alphaseeker.features.layout import RECORD
from alphaseeker.inference import NO_LEVELS, Reason, step
from alphaseeker.inference.session import Session
from alphaseeker.inference.session_state import SESSION
from alphaseeker.market.readers import read_ticks
from ticks import quotes

COLUMNS = ("side", "p_buy", "p_hold", "p_sell", "confidence", "reason", "ready")


@numba.njit
def replay(state, levels, ticks, answers):
    """Write one answer a row, as a strategy of a user's own would read them."""
    for i in range(ticks.shape[0]):
        t = ticks[i]
        answer = step(
            state,
            levels,
            t.timestamp,
            t.session,
            t.bid_price,
            t.ask_price,
            t.bid_volume,
            t.ask_volume,
            t.close,
            t.volume,
            t.buy_volume,
            t.sell_volume,
        )
        answers[i, 0] = answer.side
        answers[i, 1] = answer.p_buy
        answers[i, 2] = answer.p_hold
        answers[i, 3] = answer.p_sell
        answers[i, 4] = answer.confidence
        answers[i, 5] = answer.reason
        answers[i, 6] = answer.ready


@pytest.fixture
def ticks(market):
    """Rows of a file with some of everything that the gate judges."""
    series = read_ticks(market.head(1_500))[0]
    ticks = series.ticks.copy()
    ticks["session"] = 0  # as where a stream names none
    ticks["bid_price"][500] = ticks["ask_price"][500] + 1.0  # crossed
    ticks["bid_price"][600] = ticks["ask_price"][600]  # locked
    ticks[700] = ticks[699]  # repeated
    ticks["volume"][800] = np.nan  # refused
    ticks["timestamp"][900] -= 10**10  # out of order
    return ticks


def as_row(signal):
    reason = int(Reason[(signal.reason or "none").upper()])
    probabilities = (signal.p_buy, signal.p_hold, signal.p_sell)
    return (signal.side, *probabilities, signal.confidence, reason, signal.ready)


def test_the_same_bits_as_update(engine, ticks):
    model = engine._pool.model
    looped, single = Session("SIMULATED", model), Session("SIMULATED", model)
    answers = np.empty((len(ticks), len(COLUMNS)))
    replay(looped.state, NO_LEVELS, ticks, answers)
    expected = np.empty_like(answers)
    prior = model.artifact.class_prior
    for place, tick in enumerate(ticks):
        stamp, *values, _ = tick.item()
        try:
            expected[place] = as_row(single.update(stamp, *values))
        except DataError:
            expected[place] = (0, *prior[::-1], 0.0, Reason.REFUSED, False)
    assert answers.tobytes() == expected.tobytes()
    assert (answers[:, 4] > 0.0).sum() > 500
    assert looped.last_signal == single.last_signal
    assert looped.statistics.reasons == single.statistics.reasons
    assert looped.statistics.refused == single.statistics.refused == 1
    assert looped.statistics.repeated == single.statistics.repeated == 1
    assert looped.snapshot() == single.snapshot()


def test_a_session_goes_on_after_a_loop(engine, market, ticks):
    session = Session("SIMULATED", engine._pool.model)
    other = Session("SIMULATED", engine._pool.model)
    replay(session.state, NO_LEVELS, ticks, np.empty((len(ticks), len(COLUMNS))))
    for place in range(len(ticks)):
        replay(other.state, NO_LEVELS, ticks[place : place + 1], np.empty((1, len(COLUMNS))))
    for row in list(quotes(market))[1_500:1_600]:
        assert session.update(*row) == other.update(*row)


def test_a_state_outlives_its_session(engine, ticks):
    answers = np.empty((len(ticks), len(COLUMNS)))
    model = engine._pool.model
    expected = answers.copy()
    replay(Session("SIMULATED", model).state, NO_LEVELS, ticks, expected)
    states = [Session("SIMULATED", model).state for _ in range(20)]
    gc.collect()
    for state in states:
        replay(state, NO_LEVELS, ticks, answers)
        assert answers.tobytes() == expected.tobytes()


def test_a_session_that_is_gone_leaves_no_memory_behind(engine):
    session = Session("SIMULATED", engine._pool.model)
    parts = [weakref.ref(session._records), weakref.ref(session._features), weakref.ref(session)]
    state = session.state
    del session
    assert [part() is not None for part in parts] == [True, True, False]
    del state
    assert [part() for part in parts] == [None] * 3


def answer_all(session, levels, ticks):
    answers = np.empty((len(ticks), len(COLUMNS)))
    replay(session.state, levels, ticks, answers)
    return answers


def test_a_state_takes_up_a_model_that_was_handed_over(engine, ticks):
    session = Session("SIMULATED", engine._pool.model)
    other = dataclasses.replace(engine._pool.model, abstain=True)
    session.hand_over(other)
    answers = answer_all(session, NO_LEVELS, ticks)
    assert session.model is other
    assert (answers[:, 5] == Reason.NO_EDGE).any()


def test_custom_features_need_update(engine, ticks):
    session = Session("SIMULATED", engine._pool.model)
    session._custom = object()
    with pytest.raises(StateError, match="which a jitted loop's step does not compute"):
        session.state  # noqa: B018


@pytest.mark.parametrize("spoil", ["none", "few", "nan", "order", "sides"])
def test_what_update_refuses_is_refused(deep_engine, deep_market, spoil):
    session = Session("SIMULATED", deep_engine._pool.model)
    series = read_ticks(deep_market.head(3))[0]
    ticks, levels = series.ticks.copy(), np.ascontiguousarray(series.depth[0])
    assert (answer_all(session, levels, ticks[:1])[:, 5] == Reason.WARMING_UP).all()
    before = session.snapshot()
    if spoil == "none":
        levels = NO_LEVELS
    elif spoil == "few":
        levels = levels[:2].copy()
    elif spoil == "nan":
        levels[1, 0] = np.nan
    elif spoil == "order":
        levels[[1, 2]] = levels[[2, 1]]
    else:
        ticks["buy_volume"] = np.nan
    answers = answer_all(session, levels, ticks[1:])
    assert (answers[:, 5] == Reason.REFUSED).all()
    assert session.statistics.refused == 2
    assert session.snapshot() == before


def test_a_time_in_seconds_is_refused(engine, ticks):
    session = Session("SIMULATED", engine._pool.model)
    ticks["timestamp"] //= 10**9
    assert (answer_all(session, NO_LEVELS, ticks)[:, 5] == Reason.REFUSED).all()


@pytest.mark.parametrize("dtype", [SESSION, RECORD], ids=["session", "features"])
def test_a_loop_that_numba_keeps_on_disk_is_of_this_version_alone(dtype, tmp_path, monkeypatch):
    """It holds the call of the step as it was; another version's record is of another type."""

    def read(states):
        return states[0].step

    def compiled(states):
        """Return how often the loop was found on disk, and how often it was not."""
        loop = numba.njit(cache=True)(read)
        assert loop(states) == 0
        return loop.stats.cache_hits.total(), loop.stats.cache_misses.total()

    mark = f"layout_{source_hash()}"
    assert dtype.names.count(mark) == 1
    names = ["layout_of_another_version" if name == mark else name for name in dtype.names]
    fields = [dtype.fields[name] for name in dtype.names]
    other = np.dtype(
        {
            "names": names,
            "formats": [field[0] for field in fields],
            "offsets": [field[1] for field in fields],
            "itemsize": dtype.itemsize,
        }
    )
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert compiled(np.zeros(1, dtype=other)) == (0, 1)
    assert compiled(np.zeros(1, dtype=other)) == (1, 0)
    assert compiled(np.zeros(1, dtype=dtype)) == (0, 1)
