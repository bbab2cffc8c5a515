"""Block ICs of a factor: ours against ``scipy.stats.spearmanr`` called on each block.

Run with ``pytest benchmarks/test_factors.py``. Both rows of a group do the same work: 40 blocks
of 1,440 rows, the factor float32, the return float64, and must agree.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from alphaseeker.config import Config
from alphaseeker.factors.blocks import block_orders, cut_blocks, return_ranks
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.factors.rank_correlation import block_ics
from alphaseeker.features.block import FeatureBlock
from alphaseeker.market.quality import QualityReport

SECOND = 10**9
ROWS = 57_600
FACTORS = 10


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((FACTORS, ROWS)).astype(np.float32).astype(np.float64)
    returns = rng.standard_normal(ROWS) + 0.1 * factors[0]
    timestamp, segment = np.arange(ROWS), np.zeros(ROWS, dtype=np.int64)
    return factors, returns, cut_blocks(timestamp, segment, ROWS // 40)


def ours(factors, returns, blocks):
    orders = block_orders(returns, blocks)
    ranks = np.empty(len(returns), dtype=np.float32)
    squares, counts = np.empty(len(blocks)), np.empty(len(blocks), dtype=np.int64)
    return_ranks(returns, blocks, orders, ranks, squares, counts)
    ranked = orders, ranks, squares, counts
    ics, edges = np.empty((len(factors), len(blocks))), np.empty((len(blocks), 2))
    for row, factor in enumerate(factors.astype(np.float32)):
        block_ics(factor, returns, blocks, 5, *ranked, ics[row], edges, np.empty(0))
    return ics


def scipy_ics(factors, returns, blocks):
    return np.array(
        [[spearmanr(factor[a:b], returns[a:b]).statistic for a, b in blocks] for factor in factors]
    )


@pytest.mark.benchmark(group="block ICs, 10 factors x 57,600 rows")
@pytest.mark.parametrize("implementation", [ours, scipy_ics], ids=["alphaseeker", "scipy"])
def test_block_ics(benchmark, data, implementation):
    ics = benchmark.pedantic(implementation, args=data, rounds=5, warmup_rounds=1)
    np.testing.assert_allclose(ics, ours(*data), atol=1e-12)


@pytest.mark.benchmark(group="whole evaluation")
def test_evaluation_of_110_factors_over_123_000_rows(benchmark):
    rng = np.random.default_rng(0)
    rows = 123_000
    mid = 100.0 * np.exp(np.cumsum(1e-4 * rng.standard_normal(rows)))
    zeros = np.zeros(rows, dtype=np.int64)
    block = FeatureBlock(
        symbol="BENCH",
        names=tuple(f"factor_{column}" for column in range(110)),
        values=rng.standard_normal((rows, 110), dtype=np.float32),
        timestamp=np.arange(rows) * SECOND,
        mid=mid,
        spread=np.full(rows, 0.01),
        close=mid,
        segment=zeros,
        history=zeros,
        verdict=zeros.astype(np.int8),
        row=np.arange(rows),
        bucket_s=1.0,
        quality=QualityReport(),
    )
    result = benchmark.pedantic(
        evaluate_factor_blocks, args=([block], Config()), rounds=1, warmup_rounds=1
    )
    assert len(result["factor_results"]) == 110
