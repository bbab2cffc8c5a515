"""Sessions of a symbol follow one another; one that comes back is found, however it is cut."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.market.session_order import SessionOrder


def returns(sessions, *, cuts=(), symbol="A", order=None):
    order = order or SessionOrder()
    places = []
    for part in np.split(np.arange(len(sessions)), sorted(cuts)):
        found = order.returns(symbol, np.array(sessions, dtype=np.int64)[part])
        places += [int(part[index]) for index in found]
    return places


def test_sessions_in_any_order_pass():
    assert returns([3, 3, 1, 2, 2]) == []
    assert returns([1]) == returns([0, 0]) == returns([]) == []


def test_a_session_that_comes_back_is_found():
    assert returns([1, 1, 2, 3, 1, 2]) == [4, 5]
    assert returns([0, 1, 0, 0, 4]) == [2]


def test_each_symbol_has_its_own_order():
    order = SessionOrder()
    assert returns([1], symbol="A", order=order) == []
    assert returns([2], symbol="B", order=order) == []
    assert returns([1, 2], symbol="A", order=order) == []
    assert returns([2, 1], symbol="B", order=order) == []
    assert returns([1], symbol="A", order=order) == [0]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 3), max_size=9), st.sets(st.integers(1, 8)))
def test_every_return_is_found_wherever_the_rows_are_cut(sessions, cuts):
    expected = [
        place
        for place in range(1, len(sessions))
        if sessions[place] != sessions[place - 1] and sessions[place] in sessions[:place]
    ]
    assert returns(sessions, cuts=[cut for cut in cuts if cut < len(sessions)]) == expected
