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


@pytest.mark.parametrize("delay", [0, 4, 9, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_periods_equal_the_oracle(seed, delay):
    factor, returns, end, timestamp, segment = sample(seed)
    position = np.round(np.tanh(factor))
    ours = portfolio_periods(position, returns, end, timestamp, segment, delay)
    plain = oracle.portfolio_periods(position, returns, end, timestamp, segment, delay)
    np.testing.assert_allclose(ours[0], plain[0], rtol=1e-12)
    np.testing.assert_allclose(ours[1], plain[1], rtol=1e-12)
    assert ours[2] == plain[2]
    assert (len(ours[0]) == 0) == (delay == 1000)


def test_periods_do_not_overlap_and_pay_for_opening_and_closing():
    rows = 7
    timestamp, segment = np.arange(rows), np.zeros(rows, dtype=np.int64)
    returns = forward_return(timestamp, np.exp(np.arange(7.0)), segment, 2)
    position = np.array([1.0, 0, -1, 0, -1, 0, 0])
    gains, trades, held = portfolio_periods(
        position, returns, label_end(timestamp, segment, 2), timestamp, segment, 0
    )
    gain = math.expm1(2.0)
    assert gains == pytest.approx([gain, -gain, -gain])
    assert trades.tolist() == [1.0, 2.0, 1.0]
    assert held == 6


def test_kernels_compile_inside_another():
    @numba.njit
    def inner(factor, returns, end, timestamp, segment, blocks, edges):
        position = quantile_positions(factor, blocks, edges)
        gains, _, _ = portfolio_periods(position, returns, end, timestamp, segment, 0)
        spread = quantile_spread(position, returns)
        return gains, spread, block_gains(position, returns, blocks)

    arrays = sample(0)
    gains, spread, by_block = inner(*arrays, BLOCKS, EDGES)
    position = quantile_positions(arrays[0], BLOCKS, EDGES)
    assert np.array_equal(gains, portfolio_periods(position, *arrays[1:], 0)[0])
    assert spread == quantile_spread(position, arrays[1])
    assert np.array_equal(by_block, block_gains(position, arrays[1], BLOCKS), equal_nan=True)
