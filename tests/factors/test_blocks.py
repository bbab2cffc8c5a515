import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from alphaseeker.factors.blocks import (
    MIN_BLOCK_ROWS,
    block_orders,
    cut_blocks,
    return_ranks,
)
from alphaseeker.factors.rank_correlation import block_ics
from oracles import factors as oracle


def run(factor, returns, blocks, quantiles=5):
    ics, edges = np.empty(len(blocks)), np.empty((len(blocks), 2))
    products = np.empty(len(factor))
    ranked = ranked_returns(returns, blocks)
    values = factor.astype(np.float32)
    used = block_ics(values, returns, blocks, quantiles, *ranked, ics, edges, products)
    return ics, edges, products, used


def ranked_returns(returns, blocks):
    orders = block_orders(returns, blocks)
    ranks = np.empty(len(returns), dtype=np.float32)
    squares, counts = np.empty(len(blocks)), np.empty(len(blocks), dtype=np.int64)
    return_ranks(returns, blocks, orders, ranks, squares, counts)
    return orders, ranks, squares, counts


def sample(rng, rows=400):
    """A factor and returns with ties, NaN and infinities."""
    factor = np.round(rng.standard_normal(rows), 1)
    returns = np.round(rng.standard_normal(rows) + 0.3 * factor, 1)
    factor[rng.random(rows) < 0.2] = np.nan
    factor[rng.random(rows) < 0.02] = np.inf
    returns[rng.random(rows) < 0.1] = np.nan
    return factor.astype(np.float32).astype(np.float64), returns


BLOCKS = np.array([[0, 100], [100, 105], [120, 250], [250, 400]])


def test_cuts_the_asked_number_of_even_blocks():
    blocks = cut_blocks(np.arange(57_600), np.zeros(57_600, dtype=np.int64), 1440)
    assert len(blocks) == 40
    assert np.all(np.diff(blocks, axis=1) == 1440)
    assert blocks[0, 0] == 0
    assert blocks[-1, 1] == 57_600
    assert np.array_equal(blocks[1:, 0], blocks[:-1, 1])


@pytest.mark.parametrize(("length", "pieces"), [(49, 0), (50, 1), (149, 1), (150, 2), (1000, 10)])
def test_a_segment_gives_the_nearest_number_of_blocks(length, pieces):
    assert len(cut_blocks(np.arange(length), np.zeros(length, dtype=np.int64), 100)) == pieces


def test_blocks_stay_within_segments_and_cover_them():
    rng = np.random.default_rng(3)
    segment = np.repeat(np.arange(6), [300, 20, 90, 1, 400, 250])
    timestamp = np.cumsum(rng.integers(0, 4, len(segment)))
    blocks = cut_blocks(timestamp, segment, 150)
    assert len(blocks) > 6
    for start, stop in blocks:
        assert len(set(segment[start:stop])) == 1
        assert 75 <= timestamp[stop - 1] - timestamp[start] + 4 <= 229
    kept = np.concatenate([np.arange(*block) for block in blocks])
    assert len(kept) == len(set(kept))
    assert set(segment[kept]) == {0, 2, 4, 5}
    assert np.isin(segment, [0, 2, 4, 5]).sum() == len(kept)


def test_cuts_nanoseconds_of_years_without_overflow():
    year = 365 * 86_400 * 10**9
    timestamp = 1_700_000_000 * 10**9 + np.arange(20_000) * (5 * year // 20_000)
    blocks = cut_blocks(timestamp, np.zeros(20_000, dtype=np.int64), 5 * year // 10_000)
    assert len(blocks) == 10_000
    assert set(np.diff(blocks, axis=1).ravel()) == {2}


def test_no_rows_no_blocks():
    none = np.empty(0, dtype=np.int64)
    assert cut_blocks(none, none, 10).shape == (0, 2)


@pytest.mark.parametrize("seed", range(5))
def test_ics_and_edges_equal_the_oracle_and_scipy(seed):
    factor, returns = sample(np.random.default_rng(seed))
    ics, edges, _, _ = run(factor, returns, BLOCKS)
    np.testing.assert_allclose(
        ics, oracle.block_ics(factor, returns, BLOCKS, MIN_BLOCK_ROWS), rtol=1e-12
    )
    np.testing.assert_array_equal(
        edges, oracle.block_edges(factor, returns, BLOCKS, 5, MIN_BLOCK_ROWS)
    )
    for block in (0, 2, 3):
        rows = slice(*BLOCKS[block])
        kept = np.isfinite(factor[rows]) & np.isfinite(returns[rows])
        expected = spearmanr(factor[rows][kept], returns[rows][kept]).statistic
        assert ics[block] == pytest.approx(expected, rel=1e-12)


def test_products_average_to_the_ic():
    factor, returns = sample(np.random.default_rng(9))
    ics, _, products, used = run(factor, returns, BLOCKS)
    assert used == np.isfinite(products).sum()
    for (start, stop), ic in zip(BLOCKS, ics, strict=True):
        if math.isnan(ic):
            assert np.isnan(products[start:stop]).all()
        else:
            assert np.nanmean(products[start:stop]) == pytest.approx(ic)


def test_block_of_few_pairs_or_without_variation_has_no_ic():
    blocks = np.array([[0, 9], [9, 19], [19, 29], [29, 39]])
    factor, returns = np.arange(39.0), np.arange(39.0)
    factor[9:19] = 7.0
    returns[19:29] = 0.0
    ics, edges, _, used = run(factor, returns, blocks)
    assert np.isnan(ics).tolist() == [True, True, True, False]
    assert np.isnan(edges[:, 0]).tolist() == [True, False, False, False]
    assert ics[3] == pytest.approx(1.0)
    assert used == 10


@pytest.mark.parametrize("missing", [0.0, 0.05])
@pytest.mark.parametrize("rows", [30, 1_500, 5_000])
def test_ranks_of_the_returns_are_shared_or_made_anew(rows, missing):
    """Whole numbers and signs, with and without rows that the factor lacks."""
    rng = np.random.default_rng(rows)
    factor = np.round(3.0 * rng.standard_normal(rows)) * 0.5
    factor[rng.random(rows) < missing] = np.nan
    factor[:2] = -0.0, 0.0
    returns = rng.standard_normal(rows) + factor
    returns[-5:] = np.nan
    ics, *_ = run(factor, returns, np.array([[0, rows]]))
    both = np.isfinite(factor) & np.isfinite(returns)
    assert ics[0] == pytest.approx(spearmanr(factor[both], returns[both]).statistic, rel=1e-12)


def test_products_are_left_out_where_they_are_not_wanted():
    factor, returns = sample(np.random.default_rng(2))
    ics, edges = np.empty(len(BLOCKS)), np.empty((len(BLOCKS), 2))
    ranked = ranked_returns(returns, BLOCKS)
    values = factor.astype(np.float32)
    block_ics(values, returns, BLOCKS, 5, *ranked, ics, edges, np.empty(0))
    np.testing.assert_array_equal(ics, run(factor, returns, BLOCKS)[0])
    np.testing.assert_array_equal(edges, run(factor, returns, BLOCKS)[1])
