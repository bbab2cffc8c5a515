"""The whole step inside other people's jitted loops gives what ``Session.update`` gives."""

import numba
import numpy as np
import pytest

from alphaseeker.errors import DataError
from alphaseeker.inference import NO_LEVELS, Reason, step
from alphaseeker.inference.session import Session
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
