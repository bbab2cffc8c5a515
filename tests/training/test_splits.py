import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.config import SplitConfig
from alphaseeker.errors import DataError
from alphaseeker.training.splits import split_by_time

SECOND = 1_000_000_000


@given(
    st.integers(1, 120),
    st.floats(0, 100),
    st.floats(0.1, 0.3),
    st.floats(0.1, 0.3),
    st.integers(0, 2**32),
)
@settings(max_examples=50, deadline=None)
def test_no_label_reaches_the_next_part(span, embargo, validation, test, seed):
    random = np.random.default_rng(seed)
    times = np.cumsum(random.integers(0, 3, 3000)) * SECOND
    config = SplitConfig(EMBARGO_S=embargo, VALIDATION_FRACTION=validation, TEST_FRACTION=test)
    split = split_by_time(random.permutation(times), label_span_ns=span * SECOND, config=config)
    reach = span * SECOND + round(embargo * SECOND)
    train, middle, last = (times[split.rows(p, times)] for p in ("train", "validation", "test"))
    assert train.max() + reach < middle.min()
    assert middle.max() + reach < last.min()
    assert last.max() == times.max()
    assert train.min() == times.min()
    used = len(train) + len(middle) + len(last)
    assert len(last) / used == pytest.approx(test, abs=0.01)
    assert len(middle) / used == pytest.approx(validation, abs=0.01)


def test_rows_of_one_instant_stay_together():
    times = np.repeat(np.arange(100) * SECOND, 10)
    config = SplitConfig(EMBARGO_S=0.0)
    split = split_by_time(times, label_span_ns=SECOND, config=config)
    parts = np.stack([split.rows(part, times) for part in split.ranges()])
    for moment in np.unique(times):
        assert (parts[:, times == moment].sum(axis=1) % 10 == 0).all()
    assert (parts.sum(axis=0) <= 1).all()


def test_every_key_moves_a_boundary():
    times = np.arange(1000) * SECOND

    def ranges(**keys):
        return split_by_time(times, label_span_ns=SECOND, config=SplitConfig(**keys)).ranges()

    default = ranges()
    assert ranges(TEST_FRACTION=0.3)["test"] != default["test"]
    assert ranges(VALIDATION_FRACTION=0.3)["validation"] != default["validation"]
    assert ranges(EMBARGO_S=0.0)["train"] != default["train"]


def test_gaps_do_not_eat_the_validation_part():
    times = np.arange(1500) * SECOND
    split = split_by_time(times, label_span_ns=60 * SECOND, config=SplitConfig())
    counts = {part: int(split.rows(part, times).sum()) for part in split.ranges()}
    assert sum(counts.values()) == pytest.approx(1500 - 2 * 120, abs=2)
    assert counts["validation"] == pytest.approx(counts["test"], abs=2)
    assert counts["train"] == pytest.approx(3 * counts["test"], abs=4)


def test_a_gap_between_sessions_costs_no_row():
    # Five sessions with nights between: the shares fall on the nights.
    times = np.concatenate([np.arange(1000) + 100_000 * day for day in range(5)]) * SECOND
    split = split_by_time(times, label_span_ns=60 * SECOND, config=SplitConfig())
    counts = [int(split.rows(part, times).sum()) for part in split.ranges()]
    assert counts == [3000, 1000, 1000]


def test_too_little_data_says_how_much_would_do():
    times = np.arange(330) * SECOND
    with pytest.raises(DataError, match=r"validation part has \d+ usable rows.*about 396 s"):
        split_by_time(times, label_span_ns=63 * SECOND, config=SplitConfig())
    enough = np.arange(400) * SECOND
    assert split_by_time(enough, label_span_ns=63 * SECOND, config=SplitConfig())


def test_a_handful_of_rows_and_greedy_shares_are_refused():
    with pytest.raises(DataError, match="5 rows are too few"):
        split_by_time(np.arange(5), label_span_ns=1, config=SplitConfig())
    greedy = SplitConfig(VALIDATION_FRACTION=0.5, TEST_FRACTION=0.5)
    with pytest.raises(DataError, match="nothing to train on"):
        split_by_time(np.arange(500), label_span_ns=1, config=greedy)
