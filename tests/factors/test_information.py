import math
import os

import numba
import numpy as np
import pytest
import statsmodels.api as sm
from scipy.signal import lfilter
from scipy.stats import pearsonr, spearmanr, ttest_1samp

from alphaseeker.errors import DataError
from alphaseeker.factors.information import mean_test, newey_west, pearson, spearman
from oracles import factors as oracle

RETURNS = np.array([0.10, -0.05, 0.20, 0.0, 0.15, -0.10, 0.05, 0.12, -0.02, 0.08])


def test_spearman_with_ties_reference_value():
    value = spearman(np.array([1.0, 2, 2, 3, 5]), np.array([2.0, 1, 4, 4, 5]))
    assert round(value, 6) == 0.763158


def test_newey_west_reference_values():
    mean, error = newey_west(RETURNS, 2)
    assert round(mean / error, 6) == 3.311681
    assert round(mean / (error * math.sqrt(10 / 9)), 6) == 3.141736


@pytest.mark.parametrize("lags", [0, 1, 7, 59, 500])
@pytest.mark.parametrize("small_sample", [False, True])
def test_newey_west_equals_statsmodels(lags, small_sample):
    rng = np.random.default_rng(2)
    series = 0.05 + np.convolve(rng.standard_normal(430), np.ones(31), mode="valid")
    fit = sm.OLS(series, np.ones(len(series))).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": small_sample}
    )
    mean, error = newey_west(series, lags)
    if small_sample:
        error *= math.sqrt(len(series) / (len(series) - 1))
    assert mean == pytest.approx(fit.params[0], rel=1e-12)
    assert error == pytest.approx(fit.bse[0], rel=1e-9)


@pytest.mark.parametrize("lags", [0, 2, 9, 30])
def test_newey_west_equals_the_oracle(lags):
    assert newey_west(RETURNS, lags) == pytest.approx(oracle.newey_west(RETURNS, lags), rel=1e-12)


def test_newey_west_of_nothing():
    mean, error = newey_west(np.empty(0), 3)
    assert mean == 0.0
    assert math.isnan(error)


@pytest.mark.parametrize("seed", range(4))
def test_correlations_equal_scipy_and_the_oracle(seed):
    rng = np.random.default_rng(seed)
    left = np.round(rng.standard_normal(200), 1)
    right = np.round(left + rng.standard_normal(200), 1)
    assert pearson(left, right) == pytest.approx(pearsonr(left, right).statistic, rel=1e-12)
    assert spearman(left, right) == pytest.approx(spearmanr(left, right).statistic, rel=1e-12)
    left[::7], right[::5], right[3] = np.nan, np.nan, np.inf
    assert pearson(left, right) == pytest.approx(oracle.pearson(left, right), rel=1e-12)
    assert spearman(left, right) == pytest.approx(oracle.spearman(left, right), rel=1e-12)


@pytest.mark.parametrize("correlation", [pearson, spearman])
@pytest.mark.parametrize("left", [[], [1.0], [0.1] * 5, [math.nan] * 5, [1.0, 1.0, math.nan]])
def test_correlation_of_what_does_not_vary_is_nan(correlation, left):
    values = np.array(left, dtype=np.float64)
    assert math.isnan(correlation(values, np.arange(float(len(values)))))
    assert math.isnan(correlation(np.arange(float(len(values))), values))


def test_t_test_equals_scipy():
    expected = ttest_1samp(RETURNS, 0.0)
    test = mean_test(RETURNS)
    assert test.t == pytest.approx(expected.statistic, rel=1e-12)
    assert test.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert (test.mean, test.std, test.count) == (
        pytest.approx(0.053),
        pytest.approx(np.std(RETURNS, ddof=1)),
        10,
    )


def test_groups_equal_statsmodels_cluster_robust_error():
    groups = np.array([7, 7, 1, 1, 1, 3, 4, 4, 9, 9])
    fit = sm.OLS(RETURNS, np.ones(10)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    test = mean_test(RETURNS, groups)
    assert test.error == pytest.approx(fit.bse[0] * math.sqrt(5 / 4), rel=1e-12)
    assert test.count == 5


def test_the_same_blocks_twice_are_no_more_evidence_than_once():
    once = mean_test(RETURNS)
    twice = mean_test(np.tile(RETURNS, 2), np.tile(np.arange(10), 2))
    assert twice.t == pytest.approx(once.t)
    assert twice.p_value == pytest.approx(once.p_value)


@pytest.mark.parametrize(
    ("values", "t", "p_value"), [([], 0.0, 1.0), ([0.5], 0.0, 1.0), ([0.0, 0.0], 0.0, 1.0)]
)
def test_nothing_to_test(values, t, p_value):
    test = mean_test(np.array(values))
    assert (test.t, test.p_value) == (t, p_value)


def test_equal_values_are_beyond_doubt_and_finite():
    test = mean_test(np.full(30, 0.3))
    assert math.isfinite(test.t)
    assert test.t > 1e5
    assert test.p_value < 1e-50


def test_groups_of_another_length_are_refused():
    with pytest.raises(DataError, match="2 entries for 3 values"):
        mean_test(np.zeros(3), np.zeros(2, dtype=np.int64))


@pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="1.6 million rows need compiled kernels"
)
def test_block_test_holds_its_level_where_the_naive_one_does_not():
    """AR(.98) signal, overlapping horizon of 60 rows, no relation: rejections at 5 %."""
    rng = np.random.default_rng(11)
    runs, rows, horizon, size = 200, 8000, 60, 800
    naive = blockwise = 0
    for _ in range(runs):
        signal = lfilter([1.0], [1.0, -0.98], rng.standard_normal(rows))
        walk = np.cumsum(rng.standard_normal(rows + horizon))
        forward = walk[horizon:] - walk[:-horizon]
        correlation = pearson(signal, forward)
        naive += abs(correlation) * math.sqrt(rows) > 1.96
        cut = range(0, rows, size)
        ics = [spearman(signal[at : at + size], forward[at : at + size]) for at in cut]
        blockwise += mean_test(np.array(ics)).p_value < 0.05
    assert naive / runs > 0.6
    assert 0.01 <= blockwise / runs <= 0.11


def test_kernels_compile_inside_another():
    @numba.njit
    def inner(left, right):
        return pearson(left, right), spearman(left, right), newey_west(left, 1)[0]

    rising = np.arange(5.0)
    assert inner(rising, -rising) == pytest.approx((-1.0, -1.0, 2.0))
