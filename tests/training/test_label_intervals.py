import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.errors import DataError
from alphaseeker.training.label_intervals import label_intervals, part_starts, require_length
from oracles import splits as oracle

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def seconds(values):
    return START + np.asarray(values, dtype=np.int64) * SECOND


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), min_size=1, max_size=40),
    st.integers(0, 20),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_labels_end_as_defined_whatever_the_order_of_the_rows(rows, span, in_sessions):
    times = [time for time, _ in rows]
    sessions = [time // 20 if name < 2 else -name for time, name in rows] if in_sessions else None
    intervals = label_intervals(seconds(times), label_span_ns=span * SECOND, sessions=sessions)
    order = intervals.order.tolist()
    assert order == sorted(range(len(rows)), key=lambda row: (times[row], row))
    assert len(intervals) == len(rows)
    assert intervals.start.tolist() == seconds(times)[order].tolist()
    # The oracle counts whole seconds; a session that begins ends labels a nanosecond before.
    ends = oracle.label_ends(times, span, sessions)
    cut = np.asarray(ends) < np.asarray(times) + span
    expected = seconds(ends) + np.where(cut, SECOND - 1, 0)
    assert intervals.end.tolist() == expected[order].tolist()
    boundaries = set(oracle.boundaries(times, sessions))
    begun = intervals.start[intervals.session_starts]
    assert begun.tolist() == seconds(sorted(boundaries)).tolist()
    assert (intervals.start[intervals.session_starts - 1] < begun).all()


def test_rows_dropped_at_the_end_of_a_session_do_not_shorten_its_labels():
    # The last 30 s of the first session have no resolved label; the next one begins 5 s later.
    times = np.concatenate([np.arange(70), np.arange(105, 205)])
    intervals = label_intervals(
        seconds(times), label_span_ns=30 * SECOND, sessions=np.where(times < 100, "a", "b")
    )
    assert intervals.end[69] == seconds(99)
    assert intervals.session_starts.tolist() == [70]


@given(
    st.lists(st.sampled_from([0, 0, 1, 2, 50]), min_size=1, max_size=120),
    st.integers(1, 8),
    st.floats(0, 1),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_parts_begin_in_order_and_part_no_instant(steps, parts, share, in_sessions):
    times = np.cumsum(steps)
    intervals = label_intervals(
        seconds(times),
        label_span_ns=0,
        sessions=np.cumsum(np.asarray(steps) == 50) if in_sessions else None,
    )
    starts = part_starts(intervals, int(len(times) * share), parts)
    assert len(starts) == parts
    assert starts == sorted(starts)
    assert 0 <= starts[0]
    assert starts[-1] <= len(times)
    for start in starts:
        assert start in (0, len(times)) or times[start - 1] < times[start]


@pytest.mark.parametrize(
    ("sessions", "starts"),
    [
        (None, [40, 60, 80]),
        ([0] * 49 + [1] * 51, [49, 66, 83]),  # within half a part: moved, the rest shared evenly
        ([0] * 20 + [1] * 80, [40, 60, 80]),  # too far away
        ([0] * 42 + [1] * 17 + [2] * 41, [42, 59, 79]),
        (np.arange(100) // 5, [40, 60, 80]),  # many short ones: parts hold whole ones
        (np.arange(100) // 7, [42, 63, 84]),
    ],
)
def test_a_cut_moves_to_the_nearest_session(sessions, starts):
    intervals = label_intervals(seconds(range(100)), label_span_ns=0, sessions=sessions)
    assert part_starts(intervals, 40, 3) == starts


def test_parts_that_no_instant_is_left_for_are_empty_and_stand_at_the_end():
    intervals = label_intervals(seconds([0] * 5 + [1] * 5), label_span_ns=0)
    assert part_starts(intervals, 4, 3) == [5, 10, 10]


def test_lengths_that_differ_are_named():
    require_length([1, 2], 2, "labels")
    with pytest.raises(DataError, match="labels has 2 values, the data has 3 rows"):
        require_length([1, 2], 3, "labels")
