from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.config import SplitConfig
from alphaseeker.errors import DataError
from alphaseeker.training.folds import plan_folds
from alphaseeker.training.splits import refuse_short

SECOND = 1_000_000_000


def test_the_message_says_what_there_is_and_what_would_do():
    error = refuse_short(
        "validation",
        12,
        rows=331,
        span_ns=330 * SECOND,
        label_span_ns=60 * SECOND,
        config=SplitConfig(EMBARGO_S=10.0),
    )
    for words in ("the validation part has 12 usable rows", "331 rows over 330 s", "gaps of 70 s"):
        assert words in str(error)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"EMBARGO_S": 5.0},
        {"TEST_FRACTION": 0.1},
        {"VALIDATION_FRACTION": 0.05},
        {"TEST_FRACTION": 0.7, "EMBARGO_S": 200.0},
    ],
)
def test_the_seconds_it_names_are_those_that_do(keys):
    config = SplitConfig(FOLDS=1, **keys)
    error = refuse_short(
        "train", 0, rows=100, span_ns=99 * SECOND, label_span_ns=30 * SECOND, config=config
    )
    needed = int(str(error).partition("about ")[2].split()[0])

    def fits(seconds):
        times = np.arange(seconds) * SECOND
        known = times + 30 * SECOND <= times[-1]
        plan_folds(
            times,
            np.zeros(seconds, np.int64),
            label_span_ns=30 * SECOND,
            config=config,
            usable=known,
        )

    fits(round(1.02 * needed) + 4)
    with pytest.raises(type(error)):
        fits(round(0.97 * needed) - 4)


def plan(seconds, config):
    times = np.arange(seconds) * SECOND
    return plan_folds(times, np.zeros(seconds, np.int64), label_span_ns=30 * SECOND, config=config)


def test_a_rolling_part_that_is_too_short_is_named_with_what_would_do():
    config = SplitConfig(FOLDS=1, EMBARGO_S=10.0, ROLLING_TRAIN_S=60.0)
    with pytest.raises(DataError, match="ROLLING_TRAIN_S 60 is too short") as caught:
        plan(20_000, config)
    assert "bring more data" not in str(caught.value)
    needed = int(str(caught.value).partition("about ")[2].split()[0])
    plan(20_000, replace(config, ROLLING_TRAIN_S=needed + 3.0))
    with pytest.raises(DataError, match="ROLLING_TRAIN_S"):
        plan(20_000, replace(config, ROLLING_TRAIN_S=needed - 4.0))


def test_a_rolling_part_that_is_long_enough_is_not_to_blame():
    with pytest.raises(DataError, match="bring more data") as caught:
        plan(100, SplitConfig(FOLDS=1, ROLLING_TRAIN_S=1_000.0))
    assert "ROLLING_TRAIN_S" not in str(caught.value)


def test_combinations_are_named_with_their_groups():
    config = SplitConfig(FOLD_SCHEME="combinatorial")
    with pytest.raises(DataError, match="COMBINATORIAL_TEST_GROUPS 2 of COMBINATORIAL_GROUPS 6"):
        plan(100, config)
