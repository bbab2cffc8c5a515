"""Our figures against those of the packages that are known for them, on the same rows.

Where a definition differs, the test shows by how much and why: the relation is exact.
"""

import math
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alphaseeker.factors.autocorrelation import rank_autocorrelation
from alphaseeker.factors.blocks import MIN_BLOCK_ROWS, block_orders, return_ranks
from alphaseeker.factors.information import mean_test, newey_west, pearson, spearman
from alphaseeker.factors.multiple_tests import benjamini_hochberg, bonferroni, holm
from alphaseeker.factors.portfolio import MAX_RATIO, calmar, max_drawdown, sharpe, sortino
from alphaseeker.factors.rank_correlation import block_ics
from alphaseeker.factors.redundancy import rank_correlations
from alphaseeker.factors.stability import ic_by_day

DAYS, ASSETS, QUANTILES = 30, 50, 5
HORIZON = "1D"
PER_YEAR = 252


def peer(name):
    """Import a package, its own warnings apart; skip where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed: pip install .[peers]")


@pytest.fixture(scope="module")
def empyrical():
    return peer("empyrical")


@pytest.fixture(scope="module")
def alphalens():
    return peer("alphalens")


# ---- scipy and statsmodels ----------------------------------------------------------------------


@pytest.fixture(
    params=["plain", "tied", "laden", "both laden", "heavy", "huge", "tiny"], scope="module"
)
def pair(request):
    random = np.random.default_rng(11)
    left = random.standard_normal(700)
    right = 0.3 * left + random.standard_normal(700)
    if request.param == "tied":
        left, right = np.round(left), np.round(right * 2)
    elif request.param == "heavy":
        left, right = random.standard_t(1.5, 700), random.standard_t(1.5, 700)
    elif request.param == "huge":
        left = left * 1e150
    elif request.param == "tiny":
        right = 1.0 + right * 1e-9
    if "laden" in request.param:
        left[random.random(700) < 0.3] = np.nan
    if request.param == "both laden":
        right[random.random(700) < 0.3] = np.nan
    return left, right


def test_correlations_equal_scipy_and_pandas(pair):
    left, right = pair
    both = np.isfinite(left) & np.isfinite(right)
    assert pearson(left, right) == pytest.approx(
        stats.pearsonr(left[both], right[both]).statistic, abs=1e-9
    )
    wanted = stats.spearmanr(left, right, nan_policy="omit").statistic
    assert spearman(left, right) == pytest.approx(wanted, abs=1e-12)
    frame = pd.DataFrame({"left": left, "right": right})
    assert spearman(left, right) == pytest.approx(
        frame.corr(method="spearman").iloc[0, 1], abs=1e-12
    )
    assert pearson(left, right) == pytest.approx(frame.corr().iloc[0, 1], abs=1e-7)


def test_matrix_of_correlations_equals_pandas():
    random = np.random.default_rng(12)
    table = random.standard_normal((500, 4))
    table = np.column_stack([table, table + 0.3 * random.standard_normal((500, 4))])
    table[random.random(500) < 0.2, 2] = np.nan
    table[:100, 5] = np.nan
    wanted = pd.DataFrame(table).corr(method="spearman").to_numpy()
    found = rank_correlations(table)
    near = np.abs(wanted) > 0.75
    assert near.sum() == 16
    np.testing.assert_allclose(found[near], wanted[near], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=0.01)


@pytest.mark.parametrize("lags", [0, 1, 5, 59])
def test_newey_west_equals_ols_with_hac_errors(lags):
    linear_model = pytest.importorskip("statsmodels.regression.linear_model")
    random = np.random.default_rng(13)
    series = np.convolve(random.standard_normal(900), np.ones(30), mode="valid") + 3.0
    mean, error = newey_west(series, lags)
    ones = np.ones(len(series))
    for corrected in (False, True):
        fitted = linear_model.OLS(series, ones).fit(
            cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": corrected}
        )
        # With the small-sample correction statsmodels multiplies the variance by n / (n - 1).
        scale = math.sqrt(len(series) / (len(series) - 1)) if corrected else 1.0
        assert fitted.params[0] == pytest.approx(mean)
        assert fitted.bse[0] == pytest.approx(error * scale)
        assert fitted.tvalues[0] == pytest.approx(mean / error / scale)


def test_mean_of_blocks_equals_scipy_and_clustered_errors_equal_statsmodels():
    random = np.random.default_rng(14)
    values = random.standard_normal(60) + 0.2
    found, wanted = mean_test(values), stats.ttest_1samp(values, 0.0)
    assert (found.t, found.p_value) == pytest.approx((wanted.statistic, wanted.pvalue))
    linear_model = pytest.importorskip("statsmodels.regression.linear_model")
    groups = random.integers(0, 20, 60)
    fitted = linear_model.OLS(values, np.ones(60)).fit(
        cov_type="cluster",
        cov_kwds={"groups": groups, "use_correction": False},
        use_t=True,
    )
    found = mean_test(values, groups)
    count = len(np.unique(groups))
    # Ours is corrected for the number of groups g; theirs, uncorrected here, for nothing.
    assert found.error == pytest.approx(fitted.bse[0] * math.sqrt(count / (count - 1)))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(found.t), count - 1))


@pytest.mark.parametrize("count", [1, 2, 7, 200])
@pytest.mark.parametrize(
    ("ours", "method"),
    [(bonferroni, "bonferroni"), (holm, "holm"), (benjamini_hochberg, "fdr_bh")],
)
def test_corrected_p_values_equal_statsmodels(ours, method, count):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    random = np.random.default_rng(count)
    p_values = np.round(random.beta(0.3, 3.0, count), 3)  # with ties
    wanted = multitest.multipletests(p_values, method=method)[1]
    np.testing.assert_allclose(ours(p_values), wanted, rtol=1e-12)


# ---- empyrical ----------------------------------------------------------------------------------


@pytest.fixture(params=["gaining", "losing", "heavy", "reference"], scope="module")
def returns(request):
    random = np.random.default_rng(15)
    if request.param == "reference":
        return np.array([0.01, -0.02, 0.015, 0.03, -0.01, -0.025, 0.02, 0.005, -0.005, 0.01])
    if request.param == "heavy":
        return np.clip(0.004 * random.standard_t(2.0, 400), -0.5, 0.5)
    drift = 0.001 if request.param == "gaining" else -0.001
    return drift + 0.01 * random.standard_normal(400)


def test_sharpe_sortino_and_drawdown_equal_empyrical(empyrical, returns):
    for periods in (PER_YEAR, 365):
        assert sharpe(returns, periods) == pytest.approx(
            empyrical.sharpe_ratio(returns, annualization=periods)
        )
        assert sortino(returns, periods) == pytest.approx(
            empyrical.sortino_ratio(returns, annualization=periods)
        )
    assert max_drawdown(returns) == pytest.approx(empyrical.max_drawdown(returns))


def test_calmar_equals_empyrical(empyrical, returns):
    """Both compound, to a year, what the whole of the periods came to."""
    assert calmar(returns, PER_YEAR) == pytest.approx(
        empyrical.calmar_ratio(returns, annualization=PER_YEAR)
    )


def test_ratios_where_empyrical_has_no_finite_one(empyrical):
    """What never lost: empyrical says inf or nan; ours are the largest numbers that we report."""
    never = np.array([0.01, 0.02, 0.01])
    with np.errstate(divide="ignore"):
        assert not math.isfinite(empyrical.sortino_ratio(never, annualization=PER_YEAR))
    assert math.isnan(empyrical.calmar_ratio(never, annualization=PER_YEAR))
    assert sortino(never, PER_YEAR) == calmar(never, PER_YEAR) == MAX_RATIO
    still = np.zeros(3)
    assert math.isnan(empyrical.sharpe_ratio(still, annualization=PER_YEAR))
    assert sharpe(still, PER_YEAR) == 0.0


# ---- alphalens ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panel():
    """A factor and its forward return: day by day 50 numbers, in order of time.

    To us it is a series cut into blocks, to alphalens a cross-section of 50 assets a day.
    """
    random = np.random.default_rng(16)
    factor = np.empty((DAYS, ASSETS))
    factor[0] = random.standard_normal(ASSETS)
    for day in range(1, DAYS):
        factor[day] = 0.8 * factor[day - 1] + 0.6 * random.standard_normal(ASSETS)
    factor = factor.astype(np.float32).astype(np.float64)
    forward = 0.01 * (0.2 * factor + random.standard_normal((DAYS, ASSETS)))
    return factor, forward


@pytest.fixture(scope="module")
def factor_data(alphalens, panel):
    factor, forward = panel
    days = pd.date_range("2024-01-01", periods=DAYS, freq="D", name="date")
    index = pd.MultiIndex.from_product([days, range(ASSETS)], names=["date", "asset"])
    frame = pd.DataFrame({HORIZON: forward.ravel(), "factor": factor.ravel()}, index=index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame["factor_quantile"] = alphalens.utils.quantize_factor(frame, quantiles=QUANTILES)
    return frame


@pytest.fixture(scope="module")
def measured(panel):
    """ICs and quantile edges of the same rows, a block for each day."""
    factor, forward = (side.ravel() for side in panel)
    blocks = np.arange(0, DAYS * ASSETS, ASSETS)[:, None] + [0, ASSETS]
    ics, edges = np.empty(DAYS), np.empty((DAYS, 2))
    orders = block_orders(forward, blocks)
    ranks = np.empty(len(forward), dtype=np.float32)
    squares, counts = np.empty(DAYS), np.empty(DAYS, dtype=np.int64)
    return_ranks(forward, blocks, orders, ranks, squares, counts)
    given = (factor.astype(np.float32), forward, blocks, QUANTILES, orders, ranks, squares, counts)
    block_ics(*given, ics, edges, np.empty(0))
    return ics, edges


def quietly(function, *arguments, **options):
    """Call a peer whose own code warns (grouping in pandas); its figures are what is compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return function(*arguments, **options)


def test_block_ics_equal_the_cross_sectional_ones(alphalens, factor_data, measured):
    assert ASSETS >= MIN_BLOCK_ROWS
    wanted = quietly(alphalens.performance.factor_information_coefficient, factor_data)
    ics, _ = measured
    np.testing.assert_allclose(ics, wanted[HORIZON], rtol=0, atol=1e-7)
    mean = quietly(alphalens.performance.mean_information_coefficient, factor_data)
    assert mean_test(ics).mean == pytest.approx(mean[HORIZON])
    daily = ic_by_day(ics, pd.Series(wanted.index).to_numpy("datetime64[ns]").astype(np.int64))
    by_time = quietly(alphalens.performance.mean_information_coefficient, factor_data, by_time="D")
    assert [day["ic"] for day in daily] == pytest.approx(by_time[HORIZON].tolist())
    assert [day["day"] for day in daily] == [str(day.date()) for day in by_time.index]


def test_quantile_spread_is_twice_that_of_alphalens(alphalens, factor_data, measured, panel):
    """Ours is long one unit and short one; theirs halves both, for a gross book of one.

    Theirs ranks a day among itself. Ours holds a day against the edges of the one before, which
    is known then; here each day is held against its own.
    """
    factor, forward = panel
    _, edges = measured
    low, high = factor <= edges[:, :1], factor >= edges[:, 1:]
    quantile = factor_data["factor_quantile"].to_numpy().reshape(DAYS, ASSETS)
    np.testing.assert_array_equal(low, quantile == 1)
    np.testing.assert_array_equal(high, quantile == QUANTILES)
    ours = [
        day[long].mean() - day[short].mean()
        for day, long, short in zip(forward, high, low, strict=True)
    ]
    means, _ = quietly(
        alphalens.performance.mean_return_by_quantile, factor_data, by_date=True, demeaned=False
    )
    theirs, _ = quietly(alphalens.performance.compute_mean_returns_spread, means, QUANTILES, 1)
    np.testing.assert_allclose(ours, 2.0 * theirs[HORIZON], rtol=1e-12)
    pooled, _ = quietly(alphalens.performance.mean_return_by_quantile, factor_data, demeaned=True)
    # Taking each day's mean away moves both quantiles alike.
    difference = pooled.loc[QUANTILES, HORIZON] - pooled.loc[1, HORIZON]
    assert np.mean(ours) == pytest.approx(difference)


def test_autocorrelation_is_that_of_one_pair_of_days(alphalens, factor_data, panel):
    """Theirs: a correlation across the assets for each day. Ours: one over all pairs in time.

    Of a single pair of days both are the same number. Over all days theirs has a number for each,
    and the mean of them leaves out what all assets share.
    """
    theirs = quietly(alphalens.performance.factor_rank_autocorrelation, factor_data, period=1)
    factor = panel[0].ravel()
    rows = np.arange(ASSETS)
    ours = [
        rank_autocorrelation(factor, rows + ASSETS * (day - 1), rows + ASSETS * day)
        for day in range(1, DAYS)
    ]
    np.testing.assert_allclose(ours, theirs.iloc[1:], rtol=0, atol=1e-12)
    every = np.arange(ASSETS * (DAYS - 1))
    assert rank_autocorrelation(factor, every, every + ASSETS) == pytest.approx(
        theirs.mean(), abs=0.02
    )


def test_turnover_counts_changes_of_the_position(alphalens, factor_data, panel):
    """Theirs: the share of a quantile's names that are new. Ours: what is traded a period.

    A position of ours is +1, 0 or -1 in one instrument and its turnover the mean absolute change.
    Over equal quantiles each new name of the highest or lowest quantile is one step up or down,
    and each name that left is another: 2 (new top + new bottom) / quantiles, added over assets.
    """
    factor = panel[0]
    ranks = stats.rankdata(factor, axis=1)
    share = ASSETS // QUANTILES
    position = (ranks > ASSETS - share).astype(int) - (ranks <= share)
    ours = np.abs(np.diff(position, axis=0)).mean(axis=1)
    theirs = [
        quietly(
            alphalens.performance.quantile_turnover,
            factor_data["factor_quantile"],
            quantile,
        ).to_numpy()[1:]
        for quantile in (QUANTILES, 1)
    ]
    np.testing.assert_allclose(ours, 2.0 * (theirs[0] + theirs[1]) / QUANTILES, rtol=1e-12)


def test_peers_are_named_in_the_extra():
    """What is compared here is what ``pip install .[peers]`` brings."""
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    assert extras["peers"]
    assert set(extras["peers"]) <= set(extras["dev"])
