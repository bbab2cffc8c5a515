from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score

from alphaseeker.errors import ConfigError, DataError
from alphaseeker.training.walk_forward import PurgedWalkForward
from oracles import splits as oracle

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND

# WalkForward of skfolio 1.12.2 on rows a second apart, its purged_size being seconds of the gap.
SKFOLIO = {
    # WalkForward(test_size=1, train_size=2).split(zeros((6, 2))), the case of its documentation
    "rolling": (
        6,
        {"n_splits": 4, "test_fraction": 1 / 6, "label_span_s": 0, "train_s": 2},
        [([0, 1], [2]), ([1, 2], [3]), ([2, 3], [4]), ([3, 4], [5])],
    ),
    # WalkForward(test_size=1, train_size=2, purged_size=1).split(zeros((6, 2))), the same
    "rolling, purged": (
        6,
        {"n_splits": 3, "test_fraction": 1 / 6, "label_span_s": 1, "train_s": 2},
        [([0, 1], [3]), ([1, 2], [4]), ([2, 3], [5])],
    ),
    # WalkForward(test_size=3, train_size=6, purged_size=2, expand_train=True) on 17 rows
    "expanding, purged": (
        17,
        {"n_splits": 3, "test_fraction": 3 / 17, "label_span_s": 2},
        [
            ([0, 1, 2, 3, 4, 5], [8, 9, 10]),
            ([0, 1, 2, 3, 4, 5, 6, 7, 8], [11, 12, 13]),
            ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [14, 15, 16]),
        ],
    ),
}


def seconds(values):
    return START + np.asarray(values, dtype=np.int64) * SECOND


def as_lists(parts):
    return [(train.tolist(), test.tolist()) for train, test in parts]


def frame_of(n, *, seed=0, **index):
    random = np.random.default_rng(seed)
    times = pd.date_range("2024-07-23", periods=n, freq="s", **index)
    X = pd.DataFrame({"a": random.normal(size=n), "b": random.normal(size=n)}, index=times)
    return X, X["a"] + random.normal(size=n)


@pytest.mark.parametrize(("n", "given_", "expected"), SKFOLIO.values(), ids=SKFOLIO)
def test_the_published_cases_of_skfolio(n, given_, expected):
    splitter = PurgedWalkForward(
        **given_, expanding="train_s" not in given_, embargo_s=0, min_rows=1
    )
    parts = as_lists(splitter.split(np.zeros((n, 2)), timestamps=seconds(range(n))))
    assert parts == expected


@st.composite
def markets(draw):
    """Whole seconds with ties, gaps and symbols under one another, and a session of each row."""
    steps = draw(st.lists(st.sampled_from([0, 0, 1, 1, 2, 3, 40]), min_size=30, max_size=90))
    times = np.cumsum(steps)
    sessions = np.cumsum(np.asarray(steps) >= draw(st.sampled_from([3, 40])))
    symbol = np.asarray(draw(st.lists(st.integers(0, 2), min_size=len(times), max_size=len(times))))
    # Two of the symbols keep the hours of the market, the third has one long session.
    names = np.where(symbol < draw(st.integers(2, 3)), sessions, -1)
    rows = np.argsort(symbol, kind="stable")
    return times[rows].tolist(), names[rows].tolist()


@given(
    markets(),
    st.integers(1, 5),
    st.integers(0, 6),
    st.integers(0, 6),
    st.one_of(st.none(), st.integers(5, 60)),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32),
)
@settings(max_examples=150, deadline=None)
def test_any_market_is_split_as_defined(
    market, n_splits, span, embargo, train_s, in_sessions, early, seed
):
    times, sessions = market
    sessions = sessions if in_sessions else None
    ends = oracle.label_ends(times, span, sessions)
    if early:  # labels that a barrier ended
        random = np.random.default_rng(seed)
        ends = [int(random.integers(t, e + 1)) for t, e in zip(times, ends, strict=True)]
    splitter = PurgedWalkForward(
        n_splits,
        label_span_s=span,
        embargo_s=embargo,
        expanding=train_s is None,
        train_s=train_s,
        min_rows=1,
    )
    try:
        parts = list(
            splitter.split(
                np.zeros(len(times)),
                timestamps=seconds(times),
                label_ends=seconds(ends) if early else None,
                sessions=sessions,
            )
        )
    except DataError as error:
        if "at least 1 (min_rows)" not in str(error):
            raise
        reject()  # so few instants that a part is empty
    assert len(parts) == n_splits == splitter.get_n_splits()
    time = np.asarray(times)
    for train, test in parts:
        reach = None if train_s is None else train_s + span + embargo
        tested = set(test.tolist())
        assert set(train.tolist()) == oracle.walk_forward(times, ends, tested, embargo, reach)
        assert not oracle.touch(times, ends, set(train.tolist()), tested)
        assert time[train].max() + embargo < time[test].min()
        assert len(set(train.tolist())) == len(train)
        assert (np.diff(time[train]) >= 0).all()
    # After the first training part every row is tested once, in time order, no instant parted.
    tested = np.concatenate([test for _, test in parts])
    assert (np.diff(time[tested]) >= 0).all()
    assert sorted(tested.tolist()) == np.flatnonzero(time >= time[tested[0]]).tolist()
    for (_, before), (_, after) in pairwise(parts):
        assert time[before].max() < time[after].min()


@given(st.integers(40, 400), st.integers(1, 8), st.floats(0.02, 0.1))
@settings(max_examples=50, deadline=None)
def test_parts_are_as_large_as_asked(n, n_splits, fraction):
    splitter = PurgedWalkForward(n_splits, label_span_s=0, embargo_s=0, min_rows=1)
    sizes = [len(test) for _, test in splitter.split(None, timestamps=seconds(range(n)))]
    assert sizes == [n // (n_splits + 1)] * n_splits
    assume(int(n * fraction) > 0)
    splitter.set_params(test_fraction=fraction)
    sizes = [len(test) for _, test in splitter.split(None, timestamps=seconds(range(n)))]
    assert sizes == [int(n * fraction)] * n_splits


@given(
    st.integers(1, 6),
    st.lists(st.integers(0, 60), min_size=1, max_size=6),
    st.lists(st.integers(1, 500), min_size=6, max_size=6),
)
@settings(max_examples=100, deadline=None)
def test_no_test_part_crosses_into_a_session_that_is_long_enough(n_splits, extra, nights):
    total = 0
    longest_part = 60
    lengths = [2 * longest_part + more for more in extra]
    times, sessions = [], []
    for number, length in enumerate(lengths):
        times.extend(range(total, total + length))
        sessions.extend([number] * length)
        total += length + nights[number]
    splitter = PurgedWalkForward(
        n_splits,
        label_span_s=0,
        embargo_s=0,
        min_rows=1,
        test_fraction=min(longest_part / len(times), 0.95 / n_splits),
        timestamps=seconds(times),
        sessions=sessions,
    )
    for _, test in splitter.split(np.zeros(len(times))):
        assert len({sessions[row] for row in test}) == 1


def test_parts_of_many_short_sessions_hold_whole_ones():
    days = np.repeat(np.arange(60), 50)
    times = np.tile(np.arange(50), 60) + 100_000 * days
    splitter = PurgedWalkForward(5, label_span_s=60, timestamps=seconds(times), sessions=days)
    parts = list(splitter.split(np.zeros(3000)))
    assert [len(test) for _, test in parts] == [500] * 5
    for train, test in parts:
        assert days[test[0]] == days[test[0] - 1] + 1
        assert len(train) == test[0], "the night costs no row"


def test_a_label_ends_with_its_session_however_short_the_break():
    times = np.concatenate([np.arange(100), np.arange(105, 205)])
    keys = {"label_span_s": 30, "embargo_s": 0, "timestamps": seconds(times)}
    splitter = PurgedWalkForward(1, **keys)
    ((train, test),) = splitter.split(np.zeros(200))
    assert (train[-1], test[0]) == (74, 100)
    splitter.set_params(sessions=times > 100)
    ((train, test),) = splitter.split(np.zeros(200))
    assert (train[-1], test[0]) == (99, 100)


def test_rows_under_one_another_are_split_like_rows_in_time_order():
    random = np.random.default_rng(5)
    times = np.sort(random.choice(10_000, 600, replace=False))
    rows = random.permutation(600)
    splitter = PurgedWalkForward(3, label_span_s=20, embargo_s=5)
    ordered = splitter.split(np.zeros(600), timestamps=seconds(times))
    mixed = splitter.split(np.zeros(600), timestamps=seconds(times[rows]))
    for one, other in zip(ordered, mixed, strict=True):
        for part, mixed_part in zip(one, other, strict=True):
            assert times[part].tolist() == times[rows][mixed_part].tolist()


def test_rows_of_one_instant_keep_the_order_they_came_in():
    times = np.arange(2000) % 20
    splitter = PurgedWalkForward(3, label_span_s=1, embargo_s=0)
    for part in splitter.split(None, timestamps=seconds(times)):
        for rows in part:
            assert rows.tolist() == sorted(rows.tolist(), key=lambda row: (times[row], row))


def test_cross_val_score_takes_the_times_from_the_frame():
    X, y = frame_of(400)
    splitter = PurgedWalkForward(3, label_span_s=5, embargo_s=5)
    scores = cross_val_score(Ridge(), X, y, cv=splitter)
    by_hand = [
        Ridge().fit(X.iloc[train], y.iloc[train]).score(X.iloc[test], y.iloc[test])
        for train, test in splitter.split(X, y)
    ]
    assert scores.tolist() == by_hand
    assert [test[0] - train[-1] for train, test in splitter.split(X)] == [11, 11, 11]


def test_every_way_to_give_times_is_the_same():
    X, y = frame_of(300)
    keys = {"label_span_s": 5, "embargo_s": 5}
    splitter = PurgedWalkForward(2, **keys)
    expected = as_lists(splitter.split(X))
    bare = X.to_numpy()
    zoned = X.index.tz_localize("UTC").tz_convert("Asia/Tokyo")
    levels = pd.MultiIndex.from_arrays([["BTC"] * 300, zoned], names=["symbol", "time"])
    assert as_lists(splitter.split(bare, y)) == expected
    assert as_lists(splitter.split(X.set_axis(zoned))) == expected
    assert as_lists(splitter.split(X.set_axis(levels))) == expected
    for times in (
        X.index,
        zoned,
        pd.Series(zoned),
        X.index.to_numpy("datetime64[ms]"),
        X.index.as_unit("ns").asi8,
        X.index.as_unit("ns").asi8.tolist(),
    ):
        assert as_lists(splitter.split(bare, timestamps=times)) == expected
        assert as_lists(PurgedWalkForward(2, timestamps=times, **keys).split(bare)) == expected
    late = X.index + pd.to_timedelta(np.arange(300) ** 2, unit="s")
    with_late = PurgedWalkForward(2, timestamps=late, **keys)
    assert as_lists(with_late.split(X)) != expected, "the constructor's times come first"
    assert as_lists(with_late.split(X, timestamps=X.index)) == expected


def test_grid_search_alone_and_nested():
    X, y = frame_of(600)
    grid = {"alpha": [0.1, 1e4]}
    inner = PurgedWalkForward(2, label_span_s=5, embargo_s=5)
    search = GridSearchCV(Ridge(), grid, cv=inner)
    assert search.fit(X, y).best_params_ == {"alpha": 0.1}
    assert search.n_splits_ == 2
    outer = PurgedWalkForward(3, label_span_s=5, embargo_s=5)
    assert (cross_val_score(search, X, y, cv=outer) > 0).all()
    # A bare array loses its times in the inner splits: said, not guessed.
    fixed = clone(inner).set_params(timestamps=X.index)
    bare = GridSearchCV(Ridge(), grid, cv=fixed)
    assert bare.fit(X.to_numpy(), y.to_numpy()).n_splits_ == 2
    with pytest.raises(DataError, match="nested cross-validation"):
        next(fixed.split(X.to_numpy()[:500]))


def test_scikit_learn_clones_shows_and_changes_it():
    splitter = PurgedWalkForward(3, label_span_s=7, timestamps=seconds(range(400)))
    copy = clone(splitter)
    assert copy is not splitter
    assert as_lists(copy.split(np.zeros(400))) == as_lists(splitter.split(np.zeros(400)))
    assert repr(copy) == "PurgedWalkForward(n_splits=3, label_span_s=7, timestamps=<400 values>)"
    assert copy.set_params(n_splits=4).get_n_splits() == 4
    assert splitter.get_n_splits() == 3
    with pytest.raises(ConfigError, match="unknown parameter 'embargo'; there are n_splits"):
        copy.set_params(n_splits=9, embargo=3)
    with pytest.raises(ConfigError, match="n_splits is 0"):
        copy.set_params(embargo_s=3.0, n_splits=0)
    assert (copy.n_splits, copy.embargo_s) == (4, 60.0), "nothing is changed where one is refused"


def test_cross_val_predict_refuses_what_leaves_rows_without_a_prediction():
    X, y = frame_of(200)
    splitter = PurgedWalkForward(2, label_span_s=1, embargo_s=1)
    with pytest.raises(ValueError, match="partitions"):
        cross_val_predict(DummyRegressor(), X, y, cv=splitter)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"n_splits": 0}, "n_splits is 0; it must be an integer, 1 or more"),
        ({"n_splits": 2.0}, "n_splits is 2.0"),
        ({"n_splits": True}, "n_splits is True"),
        ({"label_span_s": -1}, "label_span_s is -1; it must be a finite number, 0 or more"),
        ({"label_span_s": float("nan")}, "label_span_s is nan"),
        ({"embargo_s": float("inf")}, "embargo_s is inf"),
        ({"embargo_s": "60"}, "embargo_s is '60'"),
        ({"min_rows": 0}, "min_rows is 0"),
        ({"expanding": False}, "a rolling one .* needs it"),
        ({"train_s": 100}, "expanding training part has no train_s"),
        ({"train_s": 0, "expanding": False}, "train_s is 0"),
        ({"test_fraction": 0.2}, "test_fraction is 0.2, 1 in 5 splits"),
        ({"test_fraction": 0.0}, "test_fraction is 0, 0 in 5"),
    ],
)
def test_parameters_out_of_range_are_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        PurgedWalkForward(**{"label_span_s": 60, **keys})


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({}, "splits by time, and the rows have none: give X or y a pandas DatetimeIndex"),
        ({"timestamps": np.arange(100.0)}, "timestamps has dtype float64"),
        ({"timestamps": [datetime(2024, 7, 23, tzinfo=UTC)] * 100}, "timestamps has dtype object"),
        ({"timestamps": np.full(100, "NaT", "datetime64[ns]")}, "timestamps is NaT in row 0"),
        ({"timestamps": seconds(range(99))}, "timestamps has 99 values, the data has 100 rows"),
        ({"label_ends": seconds(range(99))}, "label_ends has 99 values"),
        ({"label_ends": np.full(100, -1)}, "label of row 0 ends before its row.*100 rows"),
        ({"label_ends": seconds(np.arange(100) + 9)}, "row 0 ends later than label_span_s"),
        (
            {"label_ends": seconds(np.arange(100) + 3), "sessions": np.arange(100) > 49},
            "row 47 ends in the next session.*3 rows",
        ),
        ({"sessions": [1] * 99}, "sessions has 99 values"),
        ({"sessions": [1.0] * 99 + [np.nan]}, "sessions is missing in row 99"),
    ],
)
def test_data_that_does_not_fit_is_refused(given_, message):
    splitter = PurgedWalkForward(2, label_span_s=5, embargo_s=0)
    times = {"timestamps": seconds(range(100))} if given_ and "timestamps" not in given_ else {}
    with pytest.raises(DataError, match=message):
        splitter.split(np.zeros((100, 2)), **times, **given_)


def test_too_little_data_says_which_part_and_why():
    splitter = PurgedWalkForward(2, label_span_s=30, embargo_s=30)
    message = r"training part before test part 1 of 2 has 8 rows, at least 30 .*200 rows over 199 s"
    with pytest.raises(DataError, match=message):
        splitter.split(np.zeros(200), timestamps=seconds(range(200)))
    with pytest.raises(DataError, match=r"test part 1 of 2 has 26 rows"):
        splitter.split(np.zeros(80), timestamps=seconds(range(80)))
    with pytest.raises(DataError, match=r"test part 1 of 2 has 0 rows.*0 rows over 0 s"):
        splitter.split(np.zeros(0), timestamps=seconds([]))
