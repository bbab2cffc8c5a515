import numpy as np
import pytest
from numba import njit

from alphaseeker.config import Config
from alphaseeker.training.dataset import join_blocks
from alphaseeker.training.target import target_from_config
from alphaseeker.training.trades import non_overlapping, simulate_trades
from oracles import metrics as oracle

SECOND = 1_000_000_000


@pytest.mark.parametrize("seed", range(5))
def test_trades_never_overlap(seed):
    random = np.random.default_rng(seed)
    n = 200
    segment = np.sort(random.integers(0, 3, n))
    times = np.cumsum(random.integers(0, 3, n))
    end = times + random.integers(1, 9, n)
    side = random.integers(-1, 2, n).astype(np.int8)
    taken = np.empty(n, np.bool_)
    non_overlapping(times, segment, end, side, taken)
    assert np.flatnonzero(taken).tolist() == oracle.trades(times, segment, end, side)


def test_the_kernel_runs_inside_another_jitted_function():
    @njit
    def caller(times, segment, end, side, taken):
        non_overlapping(times, segment, end, side, taken)
        return taken.sum()

    times = np.arange(6)
    taken = np.empty(6, np.bool_)
    assert caller(times, times * 0, times + 2, np.ones(6, np.int8), taken) == 3


def test_a_trade_pays_the_spread_once_and_the_cost_twice(make_block):
    block = make_block([100, 101, 100, 102, 102], spread=0.1)
    target = target_from_config(Config().override({"HORIZON_S": 1}))
    rows = join_blocks([block], target).take(np.arange(4))
    side = np.array([1, -1, 0, 1], np.int8)
    trades = simulate_trades(rows, side, transaction_cost=0.0005)
    assert trades.row.tolist() == [0, 1, 3]
    np.testing.assert_allclose(trades.gross[0], 0.01 - 0.001, rtol=1e-12)
    np.testing.assert_allclose(trades.gross[1], 1 / 101 - 0.1 / 101, rtol=1e-12)
    np.testing.assert_allclose(trades.net, trades.gross - 0.001, rtol=1e-12)
