"""MAX_FEATURES: by grade on training rows, without repeats."""

import dataclasses

import numpy as np
import pytest
from scipy.signal import lfilter

from alphaseeker.config import Config
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.training import graded_selection as module
from alphaseeker.training.dataset import join_blocks
from alphaseeker.training.fitted import FITTED
from alphaseeker.training.graded_selection import graded_selection, grading_sample
from alphaseeker.training.selection import Selection
from alphaseeker.training.target import target_from_config

SECOND = 1_000_000_000


def choose(block, most, *, train=None, horizon_s=10.0):
    config = Config().override({"MAX_FEATURES": most, "HORIZON_S": horizon_s})
    rows = join_blocks([block], target_from_config(config))
    selection = Selection(
        columns=tuple(range(len(block.names))), names=block.names, warnings=("before",)
    )
    return graded_selection(
        selection,
        [block],
        np.full(len(block), True) if train is None else train,
        rows.forward_return,
        config,
        horizon_s=horizon_s,
    )


def with_columns(block, **columns):
    """Return the block with some columns put in the place of others, by number."""
    values = block.values.copy()
    for number, column in columns.items():
        values[:, int(number[1:])] = column
    return dataclasses.replace(block, values=values)


def test_the_best_grades_stay_in_the_order_of_the_source(simulate):
    block = simulate(8000, signal=0.3, seed=1)
    found = choose(with_columns(block, c4=block.values[:, 0] ** 3, c0=block.values[:, 5]), 2)
    assert 4 in found.columns
    assert list(found.columns) == sorted(found.columns)
    assert found.names == tuple(block.names[column] for column in found.columns)
    assert found.warnings[0] == "before"
    assert "4 of 6 features dropped: below the best 2 by grade" in found.warnings[1]
    assert choose(block, 1).names == ("book.imbalance",)


def test_enough_room_drops_nothing(simulate):
    block = simulate(2000, signal=0.3, seed=1)
    assert choose(block, 6).columns == tuple(range(6))
    assert choose(block, 6).warnings == ("before",)


def test_a_column_that_repeats_a_better_one_goes(simulate):
    block = simulate(8000, signal=0.3, seed=1)
    random = np.random.default_rng(0)
    signal = block.values[:, 0]
    repeated = with_columns(
        block, c3=-np.exp(signal), c4=signal + 0.05 * random.normal(size=len(block))
    )
    found = choose(repeated, 3)
    assert len({0, 3, 4} & set(found.columns)) == 1
    assert len(found.columns) == 3


def test_only_training_rows_are_looked_at(simulate):
    block = simulate(8000, signal=0.3, seed=1)
    train = np.arange(len(block)) < 5000
    later = with_columns(block, c5=np.where(train, block.values[:, 5], 50 * block.mid))
    later.mid[5100:] *= np.exp(0.01 * np.random.default_rng(0).normal(size=2900))
    assert choose(later, 2, train=train) == choose(block, 2, train=train)


def test_too_few_rows_to_grade_are_ordered_by_correlation(simulate):
    block = simulate(60, signal=0.9, seed=1)
    found = choose(block, 2, train=np.arange(60) < 18)
    assert "absolute rank correlation (too few rows to grade)" in found.warnings[1]
    assert "book.imbalance" in found.names


@pytest.mark.parametrize("seed", range(3))
def test_past_returns_and_levels_do_not_crowd_out_a_signal(make_block, seed):
    # A random walk that a persistent imbalance leads by a little: IC .09 over 60 s.
    random = np.random.default_rng(seed)
    n = 20_000
    imbalance = lfilter([np.sqrt(1 - 0.98**2)], [1, -0.98], random.normal(size=n))
    step = 0.05 * imbalance[:-1] + random.normal(size=n - 1)
    price = np.concatenate([[0.0], np.cumsum(step)])
    columns = {"book.imbalance": imbalance, "book.spread": price}
    for window in (5, 30, 60, 300, 900):
        past = price - np.roll(price, window)
        past[:window] = np.nan
        columns[f"momentum.return_{window}s"] = past
    block = make_block(
        100.0 * np.exp(1e-4 * price),
        values=np.column_stack(list(columns.values())).astype(np.float32),
        names=tuple(columns),
    )
    assert "book.imbalance" in choose(block, 2, horizon_s=60.0).names


def test_the_sample_is_bounded_and_no_return_runs_over_a_hole(simulate, monkeypatch):
    monkeypatch.setattr(module, "GRADED_ROWS", 1_000)
    block = simulate(50_000, seed=1, step_s=1.0)
    train = np.arange(50_000) % 20_000 < 15_000
    sample, rows = grading_sample([block], train, [0, 2], horizon_s=30.0)
    (one,) = sample
    assert len(one) == len(rows) <= 1_200
    assert one.names == (block.names[0], block.names[2])
    np.testing.assert_array_equal(one.values, block.values[rows][:, [0, 2]])
    np.testing.assert_array_equal(one.timestamp, block.timestamp[rows])
    assert train[rows].all()
    inside = np.diff(one.segment) == 0
    # Ten rows a horizon; stretches are segments of their own.
    assert (np.diff(one.timestamp)[inside] == 3 * SECOND).all()
    assert (np.diff(one.timestamp)[~inside] > 3 * SECOND).all()
    assert one.segment.max() >= 39


def test_a_fitted_column_is_not_graded_on_the_rows_it_was_fitted_on(simulate):
    block = simulate(8000, signal=0.3, seed=1)
    names = list(block.names)
    place = names.index("book.imbalance")
    fitted = (place + 1) % len(names)
    names[fitted] = "book.microprice_dev"
    # It knows what is to come, as an estimate made on these rows does in part.
    ahead = np.append(np.log(block.mid[20:] / block.mid[:-20]), np.zeros(20)).astype(np.float32)
    told = dataclasses.replace(with_columns(block, **{f"c{fitted}": ahead}), names=tuple(names))
    assert choose(told, 1).names == ("book.imbalance",)
    assert "book.microprice_dev" not in choose(told, 3).names
    names[place] = "book.wap_dev"
    told = dataclasses.replace(told, names=tuple(names))
    assert choose(told, 1).names == ("book.wap_dev",)
    assert set(choose(told, 2).names) == {"book.wap_dev", "book.microprice_dev"}


def test_every_fitted_column_has_an_unfitted_one():
    known = {feature.name for feature in FEATURES if not feature.fitted}
    assert {module._unfitted(name) for name in FITTED} <= known
    order = module._fitted_behind(
        [0, 1, 2, 3], ["depth.integrated_ofi_5s", "book.microprice_dev", "a", "flow.ofi_5s"]
    )
    assert order == [2, 3, 0, 1]


# ---- select="auto" ------------------------------------------------------------------------------


def automatic(block, *, most=None, train=None):
    config = Config().override({"MAX_FEATURES": most, "HORIZON_S": 10.0})
    rows = join_blocks([block], target_from_config(config))
    names = block.names
    return graded_selection(
        Selection(columns=tuple(range(len(names))), names=names, warnings=()),
        [block],
        np.full(len(block), True) if train is None else train,
        rows.forward_return,
        config,
        horizon_s=10.0,
        automatic=True,
    )


@pytest.fixture(scope="module")
def many(simulate):
    """One column with a signal, two that repeat it, twelve of noise."""
    block = simulate(12_000, signal=0.3, seed=1, noise_columns=12)
    random = np.random.default_rng(0)
    signal = block.values[:, 0]
    return with_columns(
        block, c3=-np.exp(signal), c4=signal + 0.05 * random.normal(size=len(block))
    )


def test_auto_keeps_good_grades_without_repeats(many, monkeypatch):
    monkeypatch.setattr(module, "LEAST_SELECTED", 1)
    found = automatic(many)
    assert len({0, 3, 4} & set(found.columns)) == 1
    assert set(found.grades) == set(found.names)
    assert not {"D", "E"} & set(found.grades.values())
    assert found.grades[next(n for n in found.names if n in many.names[:5])] == "AAA"
    assert len(found.columns) <= 3
    assert "graded D or E, 2 with a rank correlation above 0.9" in found.warnings[0]
    assert "select = 'auto'" in found.warnings[0]


def test_auto_keeps_the_best_few_where_little_is_graded_well(many):
    found = automatic(many)
    assert len(found.columns) == module.LEAST_SELECTED
    assert "the best 10 that differ are used all the same" in found.warnings[0]
    assert len({0, 3, 4} & set(found.columns)) == 1


def test_auto_of_nothing_but_noise_is_told(simulate):
    found = automatic(simulate(8_000, signal=0.0, seed=5, noise_columns=12))
    assert len(found.columns) == module.LEAST_SELECTED
    assert "features are graded better than D" in found.warnings[0]


def test_max_features_caps_auto(many):
    found = automatic(many, most=2)
    assert len(found.columns) <= 2
    assert len({0, 3, 4} & set(found.columns)) == 1


def test_auto_without_enough_rows_to_grade(many):
    found = automatic(many, train=np.arange(len(many)) < 18)
    assert found.grades == {}
    assert len(found.columns) <= module.LEAST_SELECTED
    assert "absolute rank correlation (too few rows to grade)" in found.warnings[0]


def test_auto_does_not_see_a_column_that_is_good_later_only(many, monkeypatch):
    monkeypatch.setattr(module, "LEAST_SELECTED", 1)
    train = np.arange(len(many)) < 7_000
    ahead = np.append(np.log(many.mid[1:] / many.mid[:-1]), 0.0).astype(np.float32)
    late = with_columns(many, c5=np.where(train, many.values[:, 5], ahead))
    name = many.names[5]
    told = automatic(late)
    assert told.grades[name] == "AAA"
    assert name not in automatic(late, train=train).names
    assert automatic(late, train=train) == automatic(many, train=train)


def test_a_fitted_column_has_the_grade_of_its_unfitted_one(simulate):
    block = simulate(8_000, signal=0.3, seed=1)
    names = list(block.names)
    names[1], names[0] = "book.microprice_dev", "book.wap_dev"
    found = automatic(dataclasses.replace(block, names=tuple(names)))
    assert found.grades["book.microprice_dev"] == found.grades["book.wap_dev"] == "AAA"
