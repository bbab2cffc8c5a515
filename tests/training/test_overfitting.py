import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from alphaseeker.errors import DataError
from alphaseeker.factors.portfolio import sharpe
from alphaseeker.training.overfitting import MAX_BLOCKS, backtest_overfitting
from oracles import overfitting as oracle


def noise(periods=120, trials=8, seed=0):
    return np.random.default_rng(seed).normal(size=(periods, trials))


def assert_equals_the_oracle(matrix, blocks):
    found = backtest_overfitting(matrix, blocks=blocks)
    expected = oracle.cross_validation(matrix.tolist(), blocks)
    logits, before, after, chosen = (np.array(column) for column in zip(*expected, strict=True))
    np.testing.assert_array_equal(found.chosen, chosen)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.in_sample, before, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.out_of_sample, after, rtol=1e-9, atol=1e-12)
    assert found.probability == oracle.probability(expected)
    assert found.loss_probability == oracle.loss_probability(expected)


@pytest.mark.parametrize("blocks", [2, 4, 6, 8])
@pytest.mark.parametrize(("periods", "trials"), [(16, 2), (50, 5), (61, 3)])
def test_it_equals_the_oracle(blocks, periods, trials):
    assert_equals_the_oracle(noise(periods, trials, seed=blocks), blocks)


def test_it_equals_the_oracle_where_trials_do_not_trade():
    matrix = noise(48, 4, seed=9)
    matrix[:24, 1] = 0.0  # idle in one half of the blocks
    matrix[:, 2] = 0.0
    matrix[:, 3] = np.where(np.arange(48) < 12, 0.01, matrix[:, 3])
    assert_equals_the_oracle(matrix, 4)


def test_idle_trials_have_a_ratio_of_exactly_zero_and_tie():
    matrix = 0.1 * noise(60, 5, seed=8) - 1.0
    matrix[:30, 1:3] = 0.0
    found = backtest_overfitting(matrix, blocks=2)
    assert found.chosen[0] == 1
    assert found.in_sample[0] == 0.0
    # From the other side: whoever is best there meets two equal ones that are better.
    matrix[30:, 1] += 0.5
    found = backtest_overfitting(matrix, blocks=2)
    assert found.chosen[1] == 1
    assert found.out_of_sample[1] == 0.0
    assert found.logits[1] == pytest.approx(math.log(4.5 / 1.5))


# Quarters are exact, so that both sides see the same ties.
QUARTERS = st.integers(-2, 2).map(lambda number: number / 4)


@given(arrays(np.float64, (8, 3), elements=QUARTERS))
@settings(max_examples=60, deadline=None)
def test_equal_returns_keep_probabilities_and_ranks_in_their_bounds(matrix):
    found = backtest_overfitting(matrix, blocks=4)
    assert 0.0 <= found.probability <= 1.0
    assert (np.abs(found.logits) <= math.log(3.0) + 1e-12).all()
    assert np.isfinite([found.slope, *found.in_sample, *found.out_of_sample]).all()


def test_ratios_are_those_of_the_factors_and_the_slope_is_scipys():
    matrix = noise(60, 5, seed=2)
    found = backtest_overfitting(matrix, blocks=2)
    halves = matrix[:30], matrix[30:]
    for row, (inside, outside) in enumerate((halves, halves[::-1])):
        before = [sharpe(inside[:, trial], 1.0) for trial in range(5)]
        assert found.chosen[row] == int(np.argmax(before))
        assert found.in_sample[row] == pytest.approx(max(before))
        after = sharpe(outside[:, found.chosen[row]], 1.0)
        assert found.out_of_sample[row] == pytest.approx(after)
    found = backtest_overfitting(matrix, blocks=10)
    line = stats.linregress(found.in_sample, found.out_of_sample)
    assert found.slope == pytest.approx(line.slope)
    assert len(found.logits) == math.comb(10, 5)


def test_the_choice_among_worthless_trials_is_a_coin_and_degrades():
    # What is high in one half of a fixed sample is low in the other: a slope towards -1.
    runs = [backtest_overfitting(noise(400, 20, seed), blocks=8) for seed in range(40)]
    assert np.mean([run.probability for run in runs]) == pytest.approx(0.5, abs=0.12)
    assert np.mean([run.loss_probability for run in runs]) == pytest.approx(0.5, abs=0.12)
    assert np.mean([run.slope for run in runs]) < -0.3


def test_a_trial_that_is_truly_better_is_no_overfitting():
    matrix = noise(400, 20, seed=1)
    matrix[:, 7] += 0.5
    found = backtest_overfitting(matrix, blocks=8)
    assert found.probability == 0.0
    assert found.loss_probability == 0.0
    assert set(found.chosen) == {7}
    assert found.logits == pytest.approx(np.full(70, math.log(20.0)))


def test_trials_that_pay_in_one_half_only_are_all_overfitting():
    # Two trials that earn what the other one loses: the better one is the worse one elsewhere.
    edge = np.where(np.arange(80) < 40, 1.0, -1.0)
    own = 0.1 * noise(80, 1, seed=3)
    found = backtest_overfitting(np.hstack([edge[:, None] + own, own - edge[:, None]]), blocks=2)
    assert found.probability == 1.0
    assert found.loss_probability == 1.0


def test_equal_trials_are_no_better_than_the_median():
    column = noise(64, 1, seed=4)
    found = backtest_overfitting(np.tile(column, 6), blocks=8)
    assert found.probability == 1.0
    assert (found.logits == 0.0).all()
    assert (found.chosen == 0).all()


def test_nothing_that_ever_trades_is_defined():
    found = backtest_overfitting(np.zeros((40, 3)), blocks=4)
    assert (found.probability, found.slope, found.loss_probability) == (1.0, 0.0, 0.0)


def test_a_large_mean_costs_no_digits():
    matrix = noise(64, 3, seed=5)
    found = backtest_overfitting(1e4 + matrix, blocks=4)
    expected = oracle.cross_validation((1e4 + matrix).tolist(), 4)
    assert found.in_sample == pytest.approx([before for _, before, _, _ in expected], rel=1e-9)


def test_the_order_of_trials_changes_no_probability():
    matrix = noise(96, 9, seed=6)
    found = backtest_overfitting(matrix, blocks=6)
    turned = backtest_overfitting(matrix[:, ::-1], blocks=6)
    assert np.array_equal(found.logits, turned.logits)
    assert np.array_equal(8 - found.chosen, turned.chosen)


@pytest.mark.parametrize("trials", [2, 1000])
def test_halves_are_counted_in_the_order_of_combinations(trials):
    # All lose, but one trial in the first block: it is chosen with that, and loses most elsewhere.
    matrix = 0.01 * noise(60, trials, seed=7) - 0.02
    matrix[:, 1] -= 1.0
    matrix[:6, 1] += 50.0
    found = backtest_overfitting(matrix, blocks=10)
    with_first = [0 in half for half in itertools.combinations(range(10), 5)]
    assert (found.chosen == 1).tolist() == with_first
    assert ((found.out_of_sample < -50.0) == (found.chosen == 1)).all()


@pytest.mark.parametrize(
    ("matrix", "blocks", "message"),
    [
        (np.zeros(40), 4, r"shape \(40,\)"),
        (np.zeros((40, 1)), 4, "at least 2 trials"),
        (np.zeros((40, 2)), 5, "blocks is 5"),
        (np.zeros((40, 2)), 0, "blocks is 0"),
        (np.zeros((400, 2)), MAX_BLOCKS + 2, "blocks is 22"),
        (np.zeros((15, 2)), 8, "15 periods are too few for 8 blocks; give at least 16"),
        (np.where(np.arange(80).reshape(40, 2) == 7, np.nan, 0), 4, "trial 1 in period 3 is nan"),
    ],
)
def test_what_cannot_be_judged_is_refused(matrix, blocks, message):
    with pytest.raises(DataError, match=message):
        backtest_overfitting(matrix, blocks=blocks)
