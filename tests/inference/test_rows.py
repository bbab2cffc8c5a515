"""Many rows in one pass give what they give one by one."""

import numpy as np
import pytest

from alphaseeker.inference.rows import run_rows
from alphaseeker.inference.session import Session
from alphaseeker.inference.session_snapshot import without_answer
from alphaseeker.market.readers import read_ticks
from ticks import quotes


@pytest.fixture
def model(engine):
    """The small model, ready to serve."""
    return engine._pool.model


def test_rows_equal_updates(model, market):
    frame = market.head(800)
    one_by_one = Session("", model)
    expected = [one_by_one.update(*row) for row in quotes(frame)]
    at_once = Session("", model)
    columns = [name for name in frame if name not in ("buy_volume", "sell_volume", "session")]
    rows = run_rows(at_once, read_ticks(frame[columns])[0])
    assert [rows.signal(i) for i in range(len(rows))] == expected
    # All but what is followed to the end of a label, which rows of a file are not.
    parts = [without_answer(session.snapshot()) for session in (at_once, one_by_one)]
    assert [(p[0], *p[2:]) for p in parts[:1]] == [(p[0], *p[2:]) for p in parts[1:]]
    np.testing.assert_array_equal(at_once.features, one_by_one.features)


def test_goes_on_row_by_row_after_a_pass(model, market):
    columns = [name for name in market if name not in ("buy_volume", "sell_volume", "session")]
    frame = market[columns].head(800)
    whole = run_rows(Session("", model), read_ticks(frame)[0])
    session = Session("", model)
    run_rows(session, read_ticks(frame.head(500))[0])
    later = [session.update(*row) for row in quotes(frame.iloc[500:])]
    assert later == [whole.signal(i) for i in range(500, 800)]


def test_refused_and_repeated_rows(model, market):
    frame = market.head(600).copy()
    frame.loc[550, "bid_price"] = np.nan
    frame.loc[560] = frame.loc[559]
    rows = run_rows(Session("", model), read_ticks(frame)[0])
    assert rows.signal(550).reason == "refused"
    assert rows.signal(550).confidence == 0.0
    assert rows.signal(560)[1:] == rows.signal(559)[1:]


def test_a_pass_that_begins_with_a_repeated_row(model, market):
    session = Session("", model)
    series = read_ticks(market.head(600))[0]
    before = run_rows(session, series)
    last = read_ticks(market.iloc[599:600])[0]
    again = run_rows(session, last)
    assert again.signal(0)[1:] == before.signal(599)[1:]


def test_named_sessions_are_the_same_live_and_in_a_pass(model, market):
    session = Session("", model)
    run_rows(session, read_ticks(market.head(600).assign(session="tuesday"))[0])
    row = next(iter(quotes(market.iloc[600:601])))
    assert session.update(*row, session="tuesday").ready
    later = next(iter(quotes(market.iloc[601:602])))
    assert session.update(*later).ready
    last = next(iter(quotes(market.iloc[602:603])))
    assert not session.update(*last, session="wednesday").ready


def test_no_rows(model, market):
    series = read_ticks(market.head(5))[0]
    empty = type(series)(symbol="", ticks=series.ticks[:0], rows=series.rows[:0])
    assert len(run_rows(Session("", model), empty)) == 0
