import math

import numba
import numpy as np
import pytest

from alphaseeker.errors import DataError
from alphaseeker.factors.forward_returns import forward_return, label_end
from alphaseeker.factors.portfolio import (
    MAX_RATIO,
    block_gains,
    calmar,
    max_drawdown,
    portfolio_periods,
    quantile_costs,
    quantile_positions,
    quantile_spread,
    sharpe,
    sortino,
)
from oracles import factors as oracle

RETURNS = [0.01, -0.02, 0.015, 0.03, -0.01, -0.025, 0.02, 0.005, -0.005, 0.01]
BLOCKS = np.array([[0, 60], [60, 120], [130, 200], [200, 300]])
EDGES = np.array([[-0.8, 0.9], [math.nan, math.nan], [-0.5, 0.5], [0.0, 0.0]])


def sample(seed, rows=300):
    """Irregular times, three segments, missing factors."""
    rng = np.random.default_rng(seed)
    segment = np.repeat([0, 1, 4], [110, 90, 100])
    timestamp = np.cumsum(rng.integers(0, 5, rows))
    price = np.exp(0.01 * np.cumsum(rng.standard_normal(rows)))
    factor = rng.standard_normal(rows)
    factor[rng.random(rows) < 0.15] = np.nan
    end = label_end(timestamp, segment, 10)
    returns = forward_return(timestamp, price, segment, 10)
    return factor, returns, end, timestamp, segment


def test_ratios_reference_values():
    assert round(sharpe(RETURNS, 252), 6) == 2.695191
    assert round(sortino(RETURNS, 252), 6) == 4.440916
    assert round(max_drawdown(RETURNS), 5) == -0.03475
    assert round(calmar(RETURNS, 252), 5) == 30.31871


@pytest.mark.parametrize("seed", range(3))
def test_max_drawdown_equals_the_oracle(seed):
    returns = 0.02 * np.random.default_rng(seed).standard_normal(300)
    assert max_drawdown(returns) == pytest.approx(oracle.max_drawdown(returns), rel=1e-12)


def test_first_period_can_be_the_drawdown():
    assert max_drawdown([-0.1, 0.5]) == pytest.approx(-0.1)
    assert max_drawdown([0.1, -1.0, 0.5]) == pytest.approx(-1.0)


@pytest.mark.parametrize("ratio", [sharpe, sortino, calmar])
@pytest.mark.parametrize("few", [[], [0.01]])
def test_fewer_than_two_periods_have_no_ratio(ratio, few):
    assert ratio(few, 365.0) == 0.0


@pytest.mark.parametrize("ratio", [sharpe, sortino, calmar])
def test_ratios_stay_finite(ratio):
    assert ratio([0.0, 0.0, 0.0], 365.0) == 0.0
    assert ratio([0.01, 0.01, 0.01], 365.0) == MAX_RATIO
    assert -MAX_RATIO <= ratio([-0.5, -1.0, -2.0], 525_600.0) < 0.0
    assert 0.0 < ratio([0.5, 0.4, -0.1] * 1000, 525_600.0) <= MAX_RATIO


@pytest.mark.parametrize("ratio", [sharpe, sortino, calmar])
def test_what_is_no_return_is_refused(ratio):
    with pytest.raises(DataError, match="not finite"):
        ratio([0.1, math.nan], 365.0)
    with pytest.raises(DataError, match="periods_per_year"):
        ratio([0.1, 0.2], 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_positions_and_gains_equal_the_oracle(seed):
    factor, returns, *_ = sample(seed)
    position = quantile_positions(factor, BLOCKS, EDGES)
    np.testing.assert_array_equal(position, oracle.quantile_positions(factor, BLOCKS, EDGES))
    np.testing.assert_allclose(
        block_gains(position, returns, BLOCKS),
        oracle.block_gains(position, returns, BLOCKS),
        rtol=1e-12,
    )
    assert quantile_spread(position, returns) == pytest.approx(
        oracle.quantile_spread(position, returns), rel=1e-12
    )


def test_position_never_uses_the_edges_of_its_own_block():
    factor = np.linspace(-1.0, 1.0, 300)
    later = EDGES.copy()
    later[2:] = [[-9.0, 9.0], [-9.0, 9.0]]
    before = slice(0, 200)
    np.testing.assert_array_equal(
        quantile_positions(factor, BLOCKS, EDGES)[before],
        quantile_positions(factor, BLOCKS, later)[before],
    )


def test_spread_by_hand():
    position = np.array([1.0, 1, 0, -1, -1, math.nan, 1])
    returns = np.array([0.02, 0.04, 9.0, -0.01, 0.03, 9.0, math.nan])
    assert quantile_spread(position, returns) == pytest.approx(0.03 - 0.01)


@pytest.mark.parametrize(
    ("position", "spread"),
    [
        ([1.0, 0, 0], 2.5),
        ([0.0, -1, -1], 2.5),
        ([0.0, 0, 1], -2.0),
        ([0.0, 0, 0], math.nan),
        ([1.0, 1, 1], math.nan),
    ],
)
def test_rows_between_stand_in_for_an_empty_quantile(position, spread):
    returns = np.array([1.0, -1.0, -2.0])
    position = np.array(position)
    assert quantile_spread(position, returns) == pytest.approx(spread, nan_ok=True)
    assert oracle.quantile_spread(position, returns) == pytest.approx(spread, nan_ok=True)


def test_costs_of_the_spread_are_those_of_both_trades():
    position = np.array([1.0, 1, 0, -1, math.nan, 1])
    costs = np.array([0.02, 0.04, 9.0, 0.01, 9.0, math.nan])
    assert quantile_costs(position, costs) == pytest.approx(0.03 + 0.01)
    assert quantile_costs(position[:3], costs[:3]) == pytest.approx(0.03 + 9.0)
    assert math.isnan(quantile_costs(position[2:3], costs[2:3]))
    rng = np.random.default_rng(4)
    position, costs = rng.integers(-1, 2, 200).astype(float), rng.random(200)
    assert quantile_costs(position, costs) == pytest.approx(oracle.quantile_costs(position, costs))


def held(seed):
    """What `portfolio_periods` takes: positions (some unknown), prices, costs, ends, times."""
    factor, _, end, timestamp, segment = sample(seed)
    rng = np.random.default_rng(seed + 50)
    price = np.exp(0.01 * np.cumsum(rng.standard_normal(len(factor))))
    return np.round(np.tanh(factor)), price, rng.random(len(factor)), end, timestamp, segment


@pytest.mark.parametrize("delay", [0, 4, 9, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_periods_equal_the_oracle(seed, delay):
    ours = portfolio_periods(*held(seed), delay)
    plain = oracle.portfolio_periods(*held(seed), delay)
    for mine, other in zip(ours, plain, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-14)
    assert (len(ours[0]) == 0) == (delay == 1000)


def test_periods_do_not_overlap_and_pay_for_opening_and_closing():
    rows = 7
    timestamp, segment = np.arange(rows), np.zeros(rows, dtype=np.int64)
    price = np.array([100.0, 1, 110, 1, 99, 1, 90])
    position = np.array([1.0, 0, -1, 0, -1, 0, 0])
    cost = np.array([0.1, 9, 0.2, 9, 0.4, 9, 0.8])
    gains, trades, costs, lasted = portfolio_periods(
        position, price, cost, label_end(timestamp, segment, 2), timestamp, segment, 0
    )
    assert gains == pytest.approx([0.1, 0.1, 9 / 99])
    assert trades.tolist() == [1.0, 2.0, 1.0]
    assert costs == pytest.approx([0.1, 2 * 0.2, 0.8])
    assert lasted.tolist() == [2, 2, 2]


def test_what_cannot_be_held_on_is_closed_and_opened_anew():
    timestamp, segment = np.arange(7), np.zeros(7, dtype=np.int64)
    position = np.array([1.0, 1, math.nan, math.nan, 1, 1, 1])
    cost = np.array([1.0, 9, 2, 9, 3, 9, 4])
    gains, trades, costs, _ = portfolio_periods(
        position, np.ones(7), cost, label_end(timestamp, segment, 2), timestamp, segment, 0
    )
    assert gains.tolist() == [0.0, 0.0]
    assert trades.tolist() == [2.0, 2.0]
    assert costs.tolist() == [1.0 + 2.0, 3.0 + 4.0]


@pytest.mark.parametrize("pace", ["jitter", "events"])
def test_no_move_is_nobodys(pace):
    """Holding all the time earns what the price did, wherever the periods end."""
    rng = np.random.default_rng(6)
    steps = 60_000 + rng.integers(-5, 6, 500) if pace == "jitter" else rng.integers(0, 50_000, 500)
    timestamp, segment = np.cumsum(steps), np.zeros(500, dtype=np.int64)
    price = 100.0 * np.exp(np.cumsum(0.01 * rng.standard_normal(500)))
    end = label_end(timestamp, segment, 60_000)
    zeros = np.zeros(500)
    gains, _, _, lasted = portfolio_periods(np.ones(500), price, zeros, end, timestamp, segment, 0)
    last = int(np.searchsorted(timestamp, timestamp[0] + lasted.sum()))
    assert last > 490
    assert math.prod(1.0 + gains) == pytest.approx(price[last] / price[0])


def test_kernels_compile_inside_another():
    @numba.njit
    def inner(factor, price, cost, end, timestamp, segment, blocks, edges):
        position = quantile_positions(factor, blocks, edges)
        gains, _, _, _ = portfolio_periods(position, price, cost, end, timestamp, segment, 0)
        spread = quantile_spread(position, price) + quantile_costs(position, cost)
        return gains, spread, block_gains(position, price, blocks)

    arrays = held(0)
    gains, spread, by_block = inner(*arrays, BLOCKS, EDGES)
    position = quantile_positions(arrays[0], BLOCKS, EDGES)
    assert np.array_equal(gains, portfolio_periods(position, *arrays[1:], 0)[0])
    both = quantile_spread(position, arrays[1]) + quantile_costs(position, arrays[2])
    assert spread == pytest.approx(both)
    assert np.array_equal(by_block, block_gains(position, arrays[1], BLOCKS), equal_nan=True)
