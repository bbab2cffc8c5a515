"""The features of the latest predictions, found again by their time stamps."""

import numpy as np
import pytest

from alphaseeker.errors import StateError
from alphaseeker.inference.session import Session
from alphaseeker.inference.session_state import EXPLAINABLE
from ticks import quotes


@pytest.fixture
def session(engine, market):
    """A session that has answered 600 ticks."""
    session = Session("SIMULATED", engine._pool.model)
    session.rows = {}
    for row in quotes(market.head(600)):
        signal = session.update(*row)
        if signal.confidence > 0.0:
            session.rows[signal.timestamp] = session.features.copy()
    return session


def test_rows_are_those_the_model_was_asked_with(session):
    for stamp in list(session.rows)[-EXPLAINABLE:]:
        np.testing.assert_array_equal(session.features_of(stamp), session.rows[stamp])


def test_a_stamp_in_seconds_finds_its_row(session):
    stamp = max(session.rows)
    rounded = round(stamp / 1e9 * 1e9)
    np.testing.assert_array_equal(session.features_of(rounded), session.rows[stamp])


@pytest.mark.parametrize("place", [0, -EXPLAINABLE - 1])
def test_older_rows_are_gone(session, place):
    with pytest.raises(StateError, match="no prediction at"):
        session.features_of(list(session.rows)[place])


def test_a_tick_that_was_never_seen(session):
    with pytest.raises(StateError, match="no prediction at"):
        session.features_of(max(session.rows) + 2_000)


def test_nothing_is_kept_before_the_first_prediction(engine):
    with pytest.raises(StateError, match="no prediction at"):
        Session("SIMULATED", engine._pool.model).features_of(0)


def test_the_row_is_a_copy(session):
    stamp = max(session.rows)
    session.features_of(stamp)[:] = 0.0
    np.testing.assert_array_equal(session.features_of(stamp), session.rows[stamp])
