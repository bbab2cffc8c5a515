"""The plan of the folds, held against the plain statement of what may meet what."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.config import SplitConfig
from alphaseeker.errors import ConfigError, DataError
from alphaseeker.training.folds import PARTS, plan_folds

SECOND = 1_000_000_000


def plan_of(times, sessions=None, *, span=10, usable=None, **keys):
    own = np.zeros(len(times), np.int64) if sessions is None else sessions
    config = SplitConfig(**{"EMBARGO_S": 5.0, **keys})
    return plan_folds(times, own, label_span_ns=span * SECOND, config=config, usable=usable)


def label_ends(times, sessions, span):
    """Say for each row where its label ends: by its span, and before the next session begins."""
    ends = times + span * SECOND
    for row, own in enumerate(sessions):
        later = times[sessions > own]
        if len(later):
            ends[row] = min(ends[row], later.min() - 1)
    return ends


@given(
    span=st.integers(1, 40),
    embargo=st.sampled_from([0.0, 3.0, 30.0]),
    folds=st.integers(1, 6),
    share=st.sampled_from([0.2, 0.4, 0.6]),
    rolling=st.sampled_from([None, 200.0]),
    cuts=st.lists(st.integers(1, 999), max_size=4),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_no_label_reaches_a_later_part(span, embargo, folds, share, rolling, cuts, seed):
    random = np.random.default_rng(seed)
    times = np.cumsum(random.integers(0, 3, 1000)) * SECOND
    sessions = np.searchsorted(np.sort(times[cuts]), times, side="right")
    ends = label_ends(times, sessions, span)
    order = random.permutation(1000)
    keys = {"FOLDS": folds, "TEST_FRACTION": share, "EMBARGO_S": embargo}
    try:
        plan = plan_of(times[order], sessions[order], span=span, ROLLING_TRAIN_S=rolling, **keys)
    except DataError:
        return
    reach = ends + round(embargo * SECOND)
    tested = np.zeros(1000, int)
    for fold in plan.folds:
        train, validation, test = (fold.rows(part, times) for part in PARTS)
        assert reach[train].max() < times[validation].min()
        assert reach[validation].max() < times[test].min()
        assert min(mask.sum() for mask in (train, validation, test)) >= 30
        if rolling is not None:
            reached = times[train | validation]
            assert np.ptp(reached) <= rolling * SECOND
        tested += test
    # Every row from the first test part on is tested once.
    assert (tested == (times >= plan.folds[0].test[0][0])).all()
    train, validation = (plan.final.rows(part, times) for part in PARTS[:2])
    assert plan.final.test == ()
    assert reach[train].max() < times[validation].min()
    assert (times[validation] + span * SECOND).max() <= times.max()


def test_test_parts_are_of_one_size_and_cover_the_share_asked_for():
    times = np.arange(10_000) * SECOND
    plan = plan_of(times)
    counts = [int(fold.rows("test", times).sum()) for fold in plan.folds]
    assert counts == [1000] * 4
    assert plan.folds[0].test[0][0] == times[6000]
    assert plan.folds[-1].test[-1][1] == times[-1] + 1
    assert [fold.train[0][0] for fold in plan.folds] == [0] * 4
    sizes = [int(fold.rows("train", times).sum()) for fold in plan.folds]
    assert np.diff(sizes).tolist() == [800] * 3
    share = plan.folds[0].rows("validation", times).sum() / (6000 - 15)
    assert share == pytest.approx(0.2, abs=0.002)
    (path,) = plan.paths
    assert [number for number, _ in path] == [0, 1, 2, 3]
    assert plan.warnings == ()


def test_a_rolling_training_part_is_as_long_as_asked_for_in_the_last_fit_too():
    times = np.arange(10_000) * SECOND
    plan = plan_of(times, ROLLING_TRAIN_S=2000.0)
    for fold in (*plan.folds, plan.final):
        length = fold.validation[-1][1] - fold.train[0][0]
        assert length == pytest.approx(2000 * SECOND, abs=2 * SECOND)


@pytest.mark.parametrize(("groups", "tested", "folds", "paths"), [(6, 2, 15, 5), (4, 1, 4, 1)])
def test_combinatorial_folds(groups, tested, folds, paths):
    times = np.arange(6000) * SECOND
    keys = {"COMBINATORIAL_GROUPS": groups, "COMBINATORIAL_TEST_GROUPS": tested}
    plan = plan_of(times, FOLD_SCHEME="combinatorial", **keys)
    assert (plan.scheme, len(plan.folds), len(plan.paths)) == ("combinatorial", folds, paths)
    span, embargo = 10 * SECOND, 5 * SECOND
    for fold in plan.folds:
        assert len(fold.test) == tested
        used = fold.rows("train", times) | fold.rows("validation", times)
        for start, end in fold.test:
            opening, closing = start, end - 1 + span + embargo
            near = (times + span >= opening) & (times <= closing)
            assert not (used & near).any()
        train, validation = (times[fold.rows(part, times)] for part in PARTS[:2])
        assert train.max() + span + embargo < validation.min()
    for path in plan.paths:
        count = np.zeros(6000, int)
        for number, part in path:
            assert part in plan.folds[number].test
            count += (part[0] <= times) & (times < part[1])
        assert (count == 1).all()
    used = {(number, part) for path in plan.paths for number, part in path}
    assert len(used) == folds * tested


def test_groups_that_leave_nothing_to_train_on_are_refused():
    keys = {"COMBINATORIAL_GROUPS": 3, "COMBINATORIAL_TEST_GROUPS": 3}
    with pytest.raises(ConfigError, match="leaves nothing to train on"):
        plan_of(np.arange(6000) * SECOND, FOLD_SCHEME="combinatorial", **keys)


def test_parts_begin_with_sessions_where_they_can():
    times = np.concatenate([np.arange(1000) + 100_000 * day for day in range(10)]) * SECOND
    plan = plan_of(times, np.repeat(np.arange(10), 1000), FOLDS=4)
    assert [fold.test[0][0] // SECOND for fold in plan.folds] == [
        100_000 * day for day in range(6, 10)
    ]
    assert [fold.validation[0][0] // SECOND % 100_000 for fold in plan.folds] == [0] * 4


def test_rows_of_one_instant_stay_together():
    times = np.repeat(np.arange(300) * SECOND, 10)
    plan = plan_of(times, span=1, EMBARGO_S=0.0)
    for fold in (*plan.folds, plan.final):
        parts = np.stack([fold.rows(part, times) for part in PARTS])
        assert (parts.reshape(3, 300, 10).sum(axis=2) % 10 == 0).all()
        assert (parts.sum(axis=0) <= 1).all()


def test_short_data_get_fewer_folds_and_are_told():
    times = np.arange(700) * SECOND
    assert len(plan_of(times, FOLDS=4).folds) == 4
    plan = plan_of(times, FOLDS=20)
    counts = [int(fold.rows("test", times).sum()) for fold in plan.folds]
    assert min(counts) >= 30
    assert len(plan.folds) == 9
    assert "too short for 20 folds (FOLDS)" in plan.warnings[0]
    assert "9 folds instead" in plan.warnings[0]
    few = np.arange(700) < 600
    assert len(plan_of(times, FOLDS=20, usable=few).folds) < 9
    plan = plan_of(times[:280], FOLD_SCHEME="combinatorial", COMBINATORIAL_GROUPS=20)
    assert 3 < len(plan.folds) < 190
    assert "20 groups (COMBINATORIAL_GROUPS)" in plan.warnings[0]


def test_what_counts_decides_how_many_folds_there_are_and_not_where():
    times = np.arange(2000) * SECOND
    some = np.random.default_rng(0).random(2000) < 0.8
    assert plan_of(times, usable=some).folds == plan_of(times).folds


def test_too_little_data_says_how_much_would_do():
    with pytest.raises(DataError, match=r"part has \d+ usable rows.*are needed"):
        plan_of(np.arange(150) * SECOND, span=20)
    with pytest.raises(DataError, match="train part has 0 usable rows"):
        plan_of(np.arange(5) * SECOND)
    with pytest.raises(DataError, match="usable rows"):
        plan_of(np.empty(0, np.int64))


@pytest.mark.parametrize(
    "keys",
    [
        {"TEST_FRACTION": 0.3},
        {"VALIDATION_FRACTION": 0.3},
        {"EMBARGO_S": 50.0},
        {"FOLDS": 3},
        {"FOLD_SCHEME": "combinatorial"},
        {"ROLLING_TRAIN_S": 900.0},
    ],
)
def test_every_key_changes_the_plan(keys):
    times = np.arange(3000) * SECOND
    assert plan_of(times, **keys).folds != plan_of(times).folds


@pytest.mark.parametrize("key", ["COMBINATORIAL_GROUPS", "COMBINATORIAL_TEST_GROUPS"])
def test_combinatorial_keys_change_the_plan(key):
    times = np.arange(3000) * SECOND
    scheme = {"FOLD_SCHEME": "combinatorial"}
    usual = plan_of(times, **scheme)
    assert plan_of(times, **scheme, **{key: 3}).folds != usual.folds
