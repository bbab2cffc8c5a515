from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score

from alphaseeker.errors import ConfigError, DataError
from alphaseeker.training.combinatorial import CombinatorialPurged
from oracles import splits as oracle

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND

# CombinatorialPurgedCV of skfolio 1.12.2 on rows a second apart, whose purged_size and
# embargo_size are seconds of the label span and of the embargo: half-open runs of row numbers.
SKFOLIO = {
    # CombinatorialPurgedCV(n_folds=3, n_test_folds=2).split(zeros((12, 2))), as documented
    "plain": (
        12,
        (3, 2, 0, 0),
        [
            ([(8, 12)], [(0, 4), (4, 8)]),
            ([(4, 8)], [(0, 4), (8, 12)]),
            ([(0, 4)], [(4, 8), (8, 12)]),
        ],
    ),
    # the same with purged_size=1, as documented
    "purged": (
        12,
        (3, 2, 1, 0),
        [
            ([(9, 12)], [(0, 4), (4, 8)]),
            ([(5, 7)], [(0, 4), (8, 12)]),
            ([(0, 3)], [(4, 8), (8, 12)]),
        ],
    ),
    # the same with embargo_size=1, as documented
    "embargo": (
        12,
        (3, 2, 0, 1),
        [
            ([(9, 12)], [(0, 4), (4, 8)]),
            ([(5, 8)], [(0, 4), (8, 12)]),
            ([(0, 4)], [(4, 8), (8, 12)]),
        ],
    ),
    # CombinatorialPurgedCV(n_folds=6, n_test_folds=2, purged_size=1, embargo_size=1), 30 rows
    "six groups": (
        30,
        (6, 2, 1, 1),
        [
            ([(12, 30)], [(0, 5), (5, 10)]),
            ([(7, 9), (17, 30)], [(0, 5), (10, 15)]),
            ([(7, 14), (22, 30)], [(0, 5), (15, 20)]),
            ([(7, 19), (27, 30)], [(0, 5), (20, 25)]),
            ([(7, 24)], [(0, 5), (25, 30)]),
            ([(0, 4), (17, 30)], [(5, 10), (10, 15)]),
            ([(0, 4), (12, 14), (22, 30)], [(5, 10), (15, 20)]),
            ([(0, 4), (12, 19), (27, 30)], [(5, 10), (20, 25)]),
            ([(0, 4), (12, 24)], [(5, 10), (25, 30)]),
            ([(0, 9), (22, 30)], [(10, 15), (15, 20)]),
            ([(0, 9), (17, 19), (27, 30)], [(10, 15), (20, 25)]),
            ([(0, 9), (17, 24)], [(10, 15), (25, 30)]),
            ([(0, 14), (27, 30)], [(15, 20), (20, 25)]),
            ([(0, 14), (22, 24)], [(15, 20), (25, 30)]),
            ([(0, 19)], [(20, 25), (25, 30)]),
        ],
    ),
}


def seconds(values):
    return START + np.asarray(values, dtype=np.int64) * SECOND


def rows_of(runs):
    return [row for first, stop in runs for row in range(first, stop)]


@pytest.mark.parametrize(("n", "given_", "expected"), SKFOLIO.values(), ids=SKFOLIO)
def test_the_published_cases_of_skfolio(n, given_, expected):
    groups, tested, span, embargo = given_
    splitter = CombinatorialPurged(groups, tested, label_span_s=span, embargo_s=embargo, min_rows=1)
    parts = splitter.split(np.zeros((n, 2)), timestamps=seconds(range(n)))
    assert [(train.tolist(), test.tolist()) for train, test in parts] == [
        (rows_of(train), rows_of(test)) for train, test in expected
    ]


def test_six_groups_of_which_two_are_tested_give_the_five_paths_of_the_book():
    splitter = CombinatorialPurged(6, 2, label_span_s=60)
    assert (splitter.get_n_splits(), splitter.n_paths) == (15, 5)
    # recombined_paths of skfolio 1.12.2's CombinatorialPurgedCV(n_folds=6, n_test_folds=2), by
    # path; figure 12.1 of Lopez de Prado (2018) counts the splits from 1.
    assert splitter.paths().tolist() == [
        [0, 0, 1, 2, 3, 4],
        [1, 5, 5, 6, 7, 8],
        [2, 6, 9, 9, 10, 11],
        [3, 7, 10, 12, 12, 13],
        [4, 8, 11, 13, 14, 14],
    ]


@st.composite
def markets(draw):
    """Whole seconds with ties, gaps and symbols under one another, and a session of each row."""
    steps = draw(st.lists(st.sampled_from([0, 0, 1, 1, 2, 3, 40]), min_size=30, max_size=80))
    times = np.cumsum(steps)
    sessions = np.cumsum(np.asarray(steps) >= draw(st.sampled_from([3, 40])))
    symbol = draw(st.lists(st.integers(0, 2), min_size=len(times), max_size=len(times)))
    rows = np.argsort(symbol, kind="stable")
    return times[rows].tolist(), sessions[rows].tolist()


@given(
    markets(),
    st.integers(2, 6),
    st.integers(1, 4),
    st.integers(0, 5),
    st.integers(0, 5),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32),
)
@settings(max_examples=100, deadline=None)
def test_any_market_is_split_as_defined(
    market, n_groups, n_test_groups, span, embargo, in_sessions, early, seed
):
    assume(n_test_groups < n_groups)
    times, sessions = market
    sessions = sessions if in_sessions else None
    ends = oracle.label_ends(times, span, sessions)
    if early:  # labels that a barrier ended
        random = np.random.default_rng(seed)
        ends = [int(random.integers(t, e + 1)) for t, e in zip(times, ends, strict=True)]
    splitter = CombinatorialPurged(
        n_groups, n_test_groups, label_span_s=span, embargo_s=embargo, min_rows=1
    )
    given_times = {"timestamps": seconds(times), "sessions": sessions}
    label_ends = seconds(ends) if early else None
    X = np.zeros(len(times))
    try:
        parts = list(splitter.split(X, label_ends=label_ends, **given_times))
    except DataError as error:
        if "at least 1 (min_rows)" not in str(error):
            raise
        reject()  # so few instants that a part is empty
    group = splitter.row_groups(X, **given_times)
    time = np.asarray(times)
    chosen = list(combinations(range(n_groups), n_test_groups))
    assert len(parts) == len(chosen) == splitter.get_n_splits()
    assert splitter.test_groups().tolist() == [list(one) for one in chosen]
    for (train, test), tested_groups in zip(parts, chosen, strict=True):
        tested = set(test.tolist())
        trained = set(train.tolist())
        assert tested == {row for row in range(len(times)) if group[row] in tested_groups}
        assert trained == oracle.combinatorial(times, ends, tested, embargo)
        assert not oracle.touch(times, ends, trained, tested)
        assert len(trained) == len(train)
        assert len(tested) == len(test)
        assert (np.diff(time[train]) >= 0).all()
        assert (np.diff(time[test]) >= 0).all()
    counts = np.bincount(np.concatenate([test for _, test in parts]), minlength=len(times))
    assert (counts == comb(n_groups - 1, n_test_groups - 1)).all()
    # Groups follow one another in time and part no instant.
    assert (np.diff(group[np.lexsort((group, time))]) >= 0).all()
    for instant in set(times):
        assert len(set(group[time == instant])) == 1
    assert sorted(set(group.tolist())) == list(range(n_groups))


@given(st.integers(2, 9), st.data())
def test_a_path_tests_every_group_in_a_split_of_its_own(n_groups, data):
    n_test_groups = data.draw(st.integers(1, n_groups - 1))
    splitter = CombinatorialPurged(n_groups, n_test_groups, label_span_s=60)
    paths, tested = splitter.paths(), splitter.test_groups()
    assert paths.shape == (splitter.n_paths, n_groups)
    used = {(split, group) for path in paths.tolist() for group, split in enumerate(path)}
    assert used == {(split, g) for split, groups in enumerate(tested.tolist()) for g in groups}
    assert len(used) == paths.size, "no test block serves two paths"


def test_groups_begin_with_sessions():
    lengths = [90, 110, 130, 70, 100, 100]
    days = np.repeat(np.arange(6), lengths)
    times = np.arange(600) + 100_000 * days
    splitter = CombinatorialPurged(6, 2, label_span_s=60, timestamps=seconds(times))
    X = np.zeros(600)
    assert np.bincount(splitter.row_groups(X)).tolist() == [100] * 6
    splitter.set_params(sessions=days)
    assert splitter.row_groups(X).tolist() == days.tolist()
    assert all(len(train) + len(test) == 600 for train, test in splitter.split(X))


def test_what_a_moved_boundary_leaves_is_shared_evenly():
    sessions = np.repeat([0, 1], [140, 460])
    splitter = CombinatorialPurged(6, 2, label_span_s=5, sessions=sessions)
    group = splitter.row_groups(np.zeros(600), timestamps=seconds(range(600)))
    assert np.bincount(group).tolist() == [140, 92, 92, 92, 92, 92]


def test_an_embargo_longer_than_a_group_reaches_over_it():
    splitter = CombinatorialPurged(10, 2, label_span_s=0, embargo_s=150, min_rows=1)
    parts = list(splitter.split(np.zeros(1000), timestamps=seconds(range(1000))))
    train, test = parts[splitter.test_groups().tolist().index([0, 2])]
    assert train.tolist() == list(range(450, 1000))
    assert test.tolist() == [*range(100), *range(200, 300)]


def test_scikit_learn_takes_it():
    random = np.random.default_rng(3)
    X = pd.DataFrame(
        {"a": random.normal(size=600)}, index=pd.date_range("2024-07-23", periods=600, freq="s")
    )
    y = X["a"] + random.normal(size=600)
    splitter = CombinatorialPurged(4, 2, label_span_s=5, embargo_s=5)
    scores = cross_val_score(Ridge(), X, y, cv=splitter)
    assert scores.tolist() == [
        Ridge().fit(X.iloc[train], y.iloc[train]).score(X.iloc[test], y.iloc[test])
        for train, test in splitter.split(X, y)
    ]
    bare = clone(splitter).set_params(timestamps=X.index)
    assert (cross_val_score(Ridge(), X.to_numpy(), y.to_numpy(), cv=bare) == scores).all()
    assert GridSearchCV(Ridge(), {"alpha": [0.1, 1e4]}, cv=splitter).fit(X, y).n_splits_ == 6
    assert repr(bare) == (
        "CombinatorialPurged(n_groups=4, label_span_s=5, embargo_s=5, timestamps=<600 values>)"
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"n_groups": 1}, "n_groups is 1; it must be an integer, 2 or more"),
        ({"n_test_groups": 0}, "n_test_groups is 0; it must be an integer, 1 or more"),
        ({"n_test_groups": 6}, "n_test_groups is 6 of 6 groups.*at most 5"),
        ({"label_span_s": -1.0}, "label_span_s is -1.0"),
        ({"embargo_s": None}, "embargo_s is None"),
    ],
)
def test_parameters_out_of_range_are_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        CombinatorialPurged(**{"label_span_s": 60, **keys})


def test_too_little_data_says_which_part_and_why():
    splitter = CombinatorialPurged(4, 2, label_span_s=30, embargo_s=40)
    with pytest.raises(DataError, match="group 0 of 4 has 25 rows, at least 30"):
        splitter.split(np.zeros(100), timestamps=seconds(range(100)))
    # Groups 0 and 2 tested: of group 1 nothing is left, of group 3 its last rows.
    message = r"training part of split 2 of 6 has 10 rows.*label_span_s 30 and embargo_s 40"
    with pytest.raises(DataError, match=message):
        splitter.split(np.zeros(320), timestamps=seconds(range(320)))
    with pytest.raises(DataError, match="the rows have none"):
        splitter.split(np.zeros(400))
