"""Sharpe ratios with what they were chosen from, as plain numbers."""

import json
import math

import numpy as np
import pytest

from alphaseeker.errors import DataError
from alphaseeker.training.overfitting import backtest_overfitting
from alphaseeker.training.significance import LEAST_BLOCKS, cell_returns, significance
from alphaseeker.training.trades import Trades
from oracles import overfitting as overfitting_oracle
from oracles import sharpe as oracle

KEYS = {
    "sharpe",
    "probabilistic_sharpe",
    "deflated_sharpe",
    "trials",
    "trial_variance",
    "min_track_record",
    "pbo",
    "note",
}


def tried(cells=40, trials=5, seed=0, drift=0.0):
    random = np.random.default_rng(seed)
    return random.normal(drift, 1e-3, (cells, trials))


def assert_plain(found):
    assert set(found) == KEYS
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert all(math.isfinite(value) for key, value in found.items() if key != "note")
    assert type(found["trials"]) is int


def test_it_is_what_the_formulas_say():
    returns = np.random.default_rng(1).normal(4e-4, 1e-3, 50)
    trials = tried()
    found = significance(returns, trials)
    assert_plain(found)
    ratio, skewness, kurtosis = oracle.moments(returns.tolist())
    ratios = [oracle.moments(column)[0] for column in trials.T.tolist()]
    mean = sum(ratios) / 5
    variance = sum((value - mean) ** 2 for value in ratios) / 4
    best = oracle.expected_maximum(5, variance)
    assert found["sharpe"] == pytest.approx(ratio)
    assert found["trials"] == 5
    assert found["trial_variance"] == pytest.approx(variance)
    assert found["probabilistic_sharpe"] == pytest.approx(
        oracle.probabilistic(50, ratio, skewness, kurtosis, 0.0)
    )
    assert found["deflated_sharpe"] == pytest.approx(
        oracle.probabilistic(50, ratio, skewness, kurtosis, best), rel=1e-4
    )
    assert found["min_track_record"] == pytest.approx(
        oracle.minimum_length(ratio, skewness, kurtosis, 0.0, 0.95)
    )
    assert found["pbo"] == backtest_overfitting(trials, blocks=16).probability
    assert found["note"] == ""


def test_more_trials_deflate_more():
    returns = np.random.default_rng(1).normal(4e-4, 1e-3, 50)
    few, many = (significance(returns, tried(trials=count)) for count in (3, 60))
    assert many["deflated_sharpe"] < few["deflated_sharpe"] < few["probabilistic_sharpe"]


def test_longer_cells_of_the_judged_part_raise_the_bar():
    """Two cells in one double the mean, and the spread by the root of two."""
    returns = np.random.default_rng(1).normal(4e-4, 1e-3, 50)
    plain = significance(returns, tried())
    longer = significance(returns, tried(), cell_ratio=2.0)
    assert longer["trial_variance"] == pytest.approx(2.0 * plain["trial_variance"])
    assert longer["deflated_sharpe"] < plain["deflated_sharpe"]
    assert longer["pbo"] == plain["pbo"]
    for ratio in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(DataError, match="cell_ratio"):
            significance(returns, None, cell_ratio=ratio)


def test_short_searches_are_cut_into_fewer_blocks():
    trials = tried(cells=2 * LEAST_BLOCKS + 3)
    found = significance(np.zeros(30), trials)
    expected = overfitting_oracle.cross_validation(trials.tolist(), LEAST_BLOCKS)
    assert found["pbo"] == pytest.approx(overfitting_oracle.probability(expected))


CASES = {
    "no trades": (np.zeros(40), tried(), {"sharpe", "deflated_sharpe"}, "no trade was taken"),
    "no cells": (np.zeros(0), tried(), {"sharpe", "deflated_sharpe"}, "no trade was taken"),
    "one cell": (np.ones(1), tried(), {"sharpe", "deflated_sharpe"}, "never vary"),
    "no variance": (
        np.full(40, 1e-3),
        tried(),
        {"sharpe", "probabilistic_sharpe", "deflated_sharpe", "min_track_record"},
        "never vary",
    ),
    "few cells": (
        tried(10)[:, 0],
        tried(),
        {"probabilistic_sharpe", "deflated_sharpe", "min_track_record"},
        "10 cells of time are too few",
    ),
    "a loss": (-0.1 + tried()[:, 0], tried(), {"min_track_record"}, "is not above 0"),
    "no search": (tried()[:, 0], None, {"pbo", "trial_variance"}, "there was no search"),
    "one trial": (tried()[:, 0], tried(trials=1), {"pbo", "trial_variance"}, "one configuration"),
    "no trial": (tried()[:, 0], np.zeros((40, 0)), {"pbo", "trial_variance"}, "one configuration"),
    "equal trials": (
        tried()[:, 0],
        np.tile(tried(trials=1), (1, 4)),
        {"pbo", "trial_variance"},
        "all trials earned the same",
    ),
    "idle trials": (tried()[:, 0], np.zeros((40, 4)), {"pbo"}, "all trials earned the same"),
    "short trials": (tried()[:, 0], tried(11), {"pbo"}, "11 cells of time, too few to say"),
    "no trial cells": (tried()[:, 0], np.zeros((0, 3)), {"pbo", "trial_variance"}, "0 cells"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_judged_is_0_and_the_note_says_why(case):
    returns, trials, zeros, note = CASES[case]
    found = significance(returns, trials)
    assert_plain(found)
    assert {key: found[key] for key in zeros} == dict.fromkeys(zeros, 0.0)
    assert note in found["note"]


def test_with_one_trial_nothing_is_deflated():
    returns = np.random.default_rng(1).normal(4e-4, 1e-3, 50)
    for trials in (None, tried(trials=1)):
        found = significance(returns, trials)
        assert found["trials"] == 1
        assert found["deflated_sharpe"] == found["probabilistic_sharpe"] > 0.5


@pytest.mark.parametrize(
    ("returns", "trials"),
    [
        (np.array([0.1, np.nan]), None),
        (np.zeros((5, 2)), None),
        (np.zeros(5), np.zeros(5)),
        (np.zeros(5), np.array([[0.1, np.inf]])),
    ],
)
def test_what_is_no_return_is_refused(returns, trials):
    with pytest.raises(DataError, match="finite"):
        significance(returns, trials)


def test_returns_by_cell_are_those_of_the_trades_that_begin_in_it():
    net = np.array([0.01, -0.02, 0.03])
    trades = Trades(row=np.array([0, 2, 3]), gross=net, net=net)
    cell = np.array([0, 0, 1, 1, 2])
    assert cell_returns(trades, cell).tolist() == pytest.approx([0.01, 0.01, 0.0])
    none = Trades(row=np.empty(0, np.int64), gross=np.empty(0), net=np.empty(0))
    assert cell_returns(none, cell).tolist() == [0.0, 0.0, 0.0]
    assert cell_returns(none, np.empty(0, np.int64)).tolist() == []
