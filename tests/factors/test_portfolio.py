import itertools
import math

import numpy as np
import pytest

from alphaseeker.errors import DataError
from alphaseeker.factors.forward_returns import forward_return, label_end
from alphaseeker.factors.portfolio import (
    MAX_RATIO,
    PLACES,
    SUMS,
    calmar,
    close_portfolio,
    max_drawdown,
    portfolio_ratios,
    sharpe,
    sortino,
    walk_portfolio,
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


def walked(position, price, cost, end, timestamp, segment, delay, *, pieces=1):
    """Walk a factor whose quantiles are ``position``, in one piece or several."""
    rows = len(position)
    factor = np.asarray(position, dtype=np.float32)
    sums, places = np.zeros((1, SUMS)), np.zeros((1, PLACES), dtype=np.int64)
    edge, delays = np.array([[-0.5, 0.5]]), np.array([delay])
    bounds = np.linspace(0, rows, pieces + 1).astype(np.int64)
    for first, stop in itertools.pairwise(bounds):
        ahead = np.where(end[first:] >= 0, end[first:] - first, -1)
        walk_portfolio(
            factor[first:stop],
            np.array([[0, stop - first]]),
            edge,
            np.ones(1),
            price[first:],
            cost[first:],
            0.0,
            ahead,
            timestamp[first:],
            segment[first:],
            delays,
            sums,
            places,
        )
    close_portfolio(sums, places)
    return sums[0], places[0]


def held(seed):
    """What is walked over: positions (some unknown), prices, costs, ends, times."""
    factor, _, end, timestamp, segment = sample(seed)
    rng = np.random.default_rng(seed + 50)
    price = np.exp(0.01 * np.cumsum(rng.standard_normal(len(factor))))
    return np.round(np.tanh(factor)), price, rng.random(len(factor)), end, timestamp, segment


@pytest.mark.parametrize("pieces", [1, 2, 40])
@pytest.mark.parametrize("delay", [0, 4, 9, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_ratios_of_a_walk_equal_those_of_the_oracles_periods(seed, delay, pieces):
    sums, places = walked(*held(seed), delay, pieces=pieces)
    gains, trades, costs, held_ns = oracle.portfolio_periods(*held(seed), delay)
    found = portfolio_ratios(sums, places, 10**6)
    assert (found is None) == (delay == 1000)
    if found is None:
        return
    a_year = 10**6 * len(gains) / held_ns.sum()
    expected = (
        sharpe(gains, a_year),
        sharpe(gains - costs, a_year),
        sortino(gains, a_year),
        calmar(gains, a_year),
        oracle.max_drawdown(gains),
        trades.mean(),
    )
    assert found == pytest.approx(expected, rel=1e-9)


def test_periods_do_not_overlap_and_pay_for_opening_and_closing():
    rows = 7
    timestamp, segment = np.arange(rows), np.zeros(rows, dtype=np.int64)
    price = np.array([100.0, 1, 110, 1, 99, 1, 90])
    position = np.array([1.0, 0, -1, 0, -1, 0, 0])
    cost = np.array([0.1, 9, 0.2, 9, 0.4, 9, 0.8])
    end = label_end(timestamp, segment, 2)
    sums, places = walked(position, price, cost, end, timestamp, segment, 0)
    gains, costs = [0.1, 0.1, 9 / 99], [0.1, 2 * 0.2, 0.8]
    found = portfolio_ratios(sums, places, 6)
    assert found[0] == pytest.approx(sharpe(gains, 3))
    assert found[1] == pytest.approx(sharpe(np.subtract(gains, costs), 3))
    assert found[5] == pytest.approx((1.0 + 2.0 + 1.0) / 3)


def test_what_cannot_be_held_on_is_closed_and_opened_anew():
    timestamp, segment = np.arange(7), np.zeros(7, dtype=np.int64)
    position = np.array([1.0, 1, math.nan, math.nan, 1, 1, 1])
    cost = np.array([1.0, 9, 2, 9, 3, 9, 4])
    end = label_end(timestamp, segment, 2)
    sums, places = walked(position, np.ones(7), cost, end, timestamp, segment, 0)
    found = portfolio_ratios(sums, places, 4)
    assert found[:2] == (0.0, pytest.approx(sharpe([-3.0, -7.0], 2)))
    assert found[5] == 2.0


@pytest.mark.parametrize("pace", ["jitter", "events"])
def test_no_move_is_nobodys(pace):
    """Holding all the time earns what the price did, wherever the periods end."""
    rng = np.random.default_rng(6)
    steps = 60_000 + rng.integers(-5, 6, 500) if pace == "jitter" else rng.integers(0, 50_000, 500)
    timestamp, segment = np.cumsum(steps), np.zeros(500, dtype=np.int64)
    price = 100.0 * np.exp(np.cumsum(0.01 * rng.standard_normal(500)))
    end = label_end(timestamp, segment, 60_000)
    zeros = np.zeros(500)
    _, places = walked(np.ones(500), price, zeros, end, timestamp, segment, 0)
    lasted = int(places[4])
    last = int(np.searchsorted(timestamp, timestamp[0] + lasted))
    assert last > 490
    # A year of just that length holds one compound return; the fall is that of every period.
    gains = oracle.portfolio_periods(np.ones(500), price, zeros, end, timestamp, segment, 0)[0]
    assert math.prod(1.0 + gains) == pytest.approx(price[last] / price[0])
    sums, places = walked(np.ones(500), price, zeros, end, timestamp, segment, 0)
    found = portfolio_ratios(sums, places, lasted)
    assert found[3] == pytest.approx(calmar(gains, len(gains)))


def test_position_is_that_of_the_edges_given_and_unknown_without_them():
    timestamp, segment = np.arange(40), np.zeros(40, dtype=np.int64)
    end = label_end(timestamp, segment, 1)
    price = 100.0 + np.arange(40.0)
    factor = np.where(np.arange(40) < 20, 5.0, -5.0).astype(np.float32)
    blocks = np.array([[0, 10], [10, 20], [20, 30]])

    def periods(edges, directions):
        sums, places = np.zeros((1, SUMS)), np.zeros((1, PLACES), dtype=np.int64)
        given = np.array(edges, dtype=float), np.array(directions, dtype=float)
        walk_portfolio(
            factor, blocks, *given, price, np.zeros(40), 0.0, end, timestamp, segment,
            np.zeros(1, dtype=np.int64), sums, places,
        )  # fmt: skip
        close_portfolio(sums, places)
        return places[0, 7], sums[0, 4]

    unknown, known = [math.nan, math.nan], [-1.0, 1.0]
    assert periods([unknown, known, unknown], [1, 1, 1]) == (10, pytest.approx(0.0087, abs=1e-4))
    assert periods([known, known, known], [math.nan, 1, math.nan])[0] == 10
    assert periods([known, known, known], [math.nan, -1, math.nan])[1] < 0.0
    # In the last block it is in the lowest quantile, while the price still rises.
    assert periods([unknown, unknown, known], [1, 1, 1])[1] < 0.0
    # On both edges most values are equal: no position.
    assert periods([unknown, [5.0, 5.0], unknown], [1, 1, 1])[1] == 0.0
