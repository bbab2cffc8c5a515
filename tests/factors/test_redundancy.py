import time

import numpy as np
import pytest
from scipy.stats import spearmanr

from alphaseeker.errors import DataError
from alphaseeker.factors.redundancy import (
    MIN_COMMON_ROWS,
    SAMPLED_ROWS,
    cluster_factors,
    rank_correlations,
    sample_rows,
)
from alphaseeker.training.graded_selection import REDUNDANT
from oracles.factor_statistics import complete_linkage, rank_correlation

ROWS = 400


@pytest.fixture(scope="module")
def values():
    """Near copies, ties, missing rows of many patterns, a constant, and a column never finite."""
    random = np.random.default_rng(5)
    base = random.standard_normal((ROWS, 3))
    table = np.column_stack(
        [
            base,
            base[:, 0] + 0.2 * random.standard_normal(ROWS),
            np.exp(-base[:, 0]),  # the first upside down, and bent
            np.round(base[:, 1], 1),
            np.where(np.arange(ROWS) < 150, np.nan, base[:, 1] ** 3),
            np.where(random.random(ROWS) < 0.4, np.nan, base[:, 2] + 0.3 * base[:, 1]),
            np.where(base[:, 2] < 0.0, np.inf, base[:, 2]),
            np.full(ROWS, 0.1),
            np.full(ROWS, np.nan),
            np.where(np.arange(ROWS) < MIN_COMMON_ROWS - 1, base[:, 0], np.nan),
        ]
    )
    return table.astype(np.float32)


def test_rank_correlations_are_spearman_of_the_rows_both_know(values):
    found = rank_correlations(values)
    symbol = np.zeros(ROWS, dtype=np.int64)
    count = values.shape[1]
    assert np.array_equal(found, found.T)
    assert np.array_equal(np.diag(found), np.ones(count))
    for left in range(count):
        for right in range(left):
            pair = values[:, left].astype(float), values[:, right].astype(float)
            wanted = rank_correlation(*pair, symbol, MIN_COMMON_ROWS)
            same = np.array_equal(np.isfinite(pair[0]), np.isfinite(pair[1]))
            # What misses different rows and is not near the limit stays an estimate.
            atol = 1e-12 if same or abs(found[left, right]) >= 0.7 else 0.05
            assert found[left, right] == pytest.approx(wanted, abs=atol)


def test_complete_columns_equal_scipy():
    random = np.random.default_rng(1)
    table = random.standard_normal((500, 6)) @ random.standard_normal((6, 6))
    table[:, 2] = np.round(table[:, 2])
    np.testing.assert_allclose(
        rank_correlations(table), spearmanr(table).statistic, rtol=0, atol=1e-12
    )


def test_a_level_that_differs_between_symbols_ties_nothing_together():
    random = np.random.default_rng(2)
    symbol = np.repeat([3, 7], 300)
    table = random.standard_normal((600, 3)) + 100.0 * symbol[:, None]
    table[::4, 1] = np.nan
    table[:, 2] = -table[:, 0]
    table[:150, 2] = np.nan
    found = rank_correlations(table, symbol)
    assert abs(found[0, 1]) < 0.15
    assert rank_correlations(table)[0, 1] > 0.7
    for left, right in ((0, 2), (0, 1)):
        wanted = rank_correlation(table[:, left], table[:, right], symbol, MIN_COMMON_ROWS)
        atol = 1e-12 if abs(wanted) > 0.7 else 0.02
        assert found[left, right] == pytest.approx(wanted, abs=atol)
    assert found[0, 2] == pytest.approx(-1.0)


@pytest.mark.parametrize("seed", range(6))
def test_clusters_equal_complete_linkage_written_out(seed):
    random = np.random.default_rng(seed)
    table = random.standard_normal((300, 4))[:, random.integers(0, 4, 14)]
    table = table * random.choice([-1.0, 1.0], 14) + 0.25 * random.standard_normal((300, 14))
    correlations = rank_correlations(table)
    names = [f"f{place}" for place in range(14)]
    standing = [int(place) for place in random.permutation(14)]
    found = cluster_factors(names, correlations, standing)
    wanted = complete_linkage(1.0 - np.abs(correlations), 0.1)
    mine = [
        {place for place in range(14) if found.clusters[place] == number}
        for number in set(found.clusters)
    ]
    assert sorted(map(sorted, mine)) == sorted(map(sorted, wanted))
    assert 2 <= len(wanted) < 14
    for cluster in wanted:
        best = min(cluster, key=standing.index)
        for place in cluster:
            other = found.redundant_with[place]
            assert other == (None if place == best else names[best])
            told = 0.0 if place == best else correlations[place, best]
            assert found.correlation[place] == told
            assert place == best or abs(told) >= REDUNDANT
    seen = [found.clusters[place] for place in standing]
    firsts = list(dict.fromkeys(seen))
    assert firsts == sorted(firsts) == list(range(len(wanted)))


def test_the_limit_itself_joins_and_a_chain_does_not():
    names = ["a", "b", "c"]
    limit = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert cluster_factors(names, limit).clusters == [0, 0, 1]
    below = np.where(limit == 0.9, 0.899, limit)
    assert cluster_factors(names, below).clusters == [0, 1, 2]
    assert cluster_factors(names, below, max_distance=0.2).clusters == [0, 0, 1]
    chain = np.array([[1.0, 0.95, 0.8], [0.95, 1.0, 0.92], [0.8, 0.92, 1.0]])
    joined = cluster_factors(names, chain)
    assert joined.clusters == [0, 0, 1]
    assert joined.redundant_with == [None, "a", None]
    assert cluster_factors(names, -chain + 2 * np.eye(3)).clusters == [0, 0, 1]


def test_one_factor_and_none():
    assert cluster_factors(["a"], np.ones((1, 1))).clusters == [0]
    assert cluster_factors([], np.empty((0, 0))).redundant_with == []


def test_what_cannot_be_clustered_is_refused():
    with pytest.raises(DataError, match=r"shape \(2, 2\) for 3 names"):
        cluster_factors(["a", "b", "c"], np.eye(2))
    with pytest.raises(DataError, match="each position from 0 to 1 once"):
        cluster_factors(["a", "b"], np.eye(2), [0, 0])
    with pytest.raises(DataError, match=r"from 0 to 1, and is 1\.5"):
        cluster_factors(["a", "b"], np.eye(2), max_distance=1.5)
    with pytest.raises(DataError, match="matrix"):
        rank_correlations(np.zeros(3))
    with pytest.raises(DataError, match="2 entries for 3 rows"):
        rank_correlations(np.zeros((3, 1)), np.zeros(2, dtype=np.int64))


@pytest.mark.parametrize(("rows", "most"), [(0, 5), (1, 5), (5, 5), (6, 5), (101, 10)])
def test_sampled_rows_are_evenly_spread(rows, most):
    found = sample_rows(rows, most)
    assert len(found) <= most
    assert set(np.diff(found).tolist()) <= {-(-rows // most)}
    assert len(found) == 0 if rows == 0 else len(found) > rows // (rows // most + 1) - 1
    assert rows <= most or len(found) > most // 2


def test_a_sample_of_a_hundred_factors_takes_moments():
    random = np.random.default_rng(0)
    table = random.standard_normal((SAMPLED_ROWS, 110), dtype=np.float32)
    for column in range(0, 110, 11):
        table[: 10 * column, column] = np.nan
    rank_correlations(table[:100])  # compiled
    start = time.thread_time()
    found = cluster_factors([str(name) for name in range(110)], rank_correlations(table))
    assert time.thread_time() - start < 10.0  # .3 s on a quiet core; a pair at a time takes 60
    assert len(set(found.clusters)) == 110
