"""VaR, CVaR and Sharpe ratio, historical and expanded."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.integrate import quad

from alphaseeker.config import RiskConfig
from alphaseeker.risk.metrics import equity_statistics
from alphaseeker.risk.state import allocate_account
from alphaseeker.risk.statistics import (
    cornish_fisher,
    cornish_fisher_quantile,
    cornish_fisher_shortfall,
    historical_cvar,
    historical_var,
    is_monotone,
    sharpe_ratio,
)


@pytest.mark.parametrize("count", [1, 2, 19, 20, 21, 100, 140, 1440])
@pytest.mark.parametrize("tail", [0.05, 0.01])
def test_var_is_the_empirical_quantile_and_cvar_the_mean_beyond(count: int, tail: float) -> None:
    returns = np.random.default_rng(count).standard_normal(count) * 1e-3
    var = historical_var(returns, tail)
    assert var == -np.quantile(returns, round(tail, 2), method="inverted_cdf")
    assert historical_cvar(returns, tail) == pytest.approx(-returns[returns <= -var].mean())
    assert historical_cvar(returns, tail) >= var - 1e-18


def test_without_observations_all_is_zero() -> None:
    nothing = np.empty(0)
    assert historical_var(nothing) == historical_cvar(nothing) == sharpe_ratio(nothing) == 0.0
    assert sharpe_ratio(np.array([0.01])) == 0.0
    assert math.copysign(1.0, historical_var(np.zeros(10))) == 1.0


def test_sharpe_is_annualised_and_zero_without_deviation() -> None:
    returns = np.array([0.01, -0.01, 0.02, 0.0])
    expected = returns.mean() / returns.std(ddof=1) * math.sqrt(525_600)
    assert sharpe_ratio(returns) == pytest.approx(expected)
    assert sharpe_ratio(np.full(1000, 0.1)) == 0.0


@pytest.mark.parametrize(
    ("tail", "expected"),
    [(0.05, -1.721744), (0.01, -3.301284)],
)
def test_cornish_fisher_quantiles_of_the_reference(tail: float, expected: float) -> None:
    assert is_monotone(-0.5, 3.0)
    assert cornish_fisher_quantile(tail, -0.5, 3.0) == pytest.approx(expected, abs=5e-7)
    assert cornish_fisher_quantile(tail, 0.0, 0.0) == NormalDist().inv_cdf(tail)


@pytest.mark.parametrize(("skewness", "kurtosis"), [(0.0, 0.0), (-0.5, 3.0), (0.3, 1.0)])
def test_the_shortfall_is_the_mean_of_the_quantiles_below(skewness: float, kurtosis: float) -> None:
    def quantile(tail: float) -> float:
        return cornish_fisher_quantile(tail, skewness, kurtosis)

    mean = quad(quantile, 0.0, 0.05)[0] / 0.05
    assert cornish_fisher_shortfall(0.05, skewness, kurtosis) == pytest.approx(mean, rel=1e-6)


def test_the_domain_is_where_the_expansion_rises() -> None:
    z = np.linspace(-30.0, 30.0, 6_001)
    rng = np.random.default_rng(3)
    inside = 0
    for skewness, kurtosis in rng.uniform([-3.0, -1.0], [3.0, 12.0], (200, 2)):
        expansion = z + (z**2 - 1) * skewness / 6 + (z**3 - 3 * z) * kurtosis / 24
        expansion -= (2 * z**3 - 5 * z) * skewness**2 / 36
        rises = bool((np.diff(expansion) > 0).all())
        assert is_monotone(skewness, kurtosis) == rises
        inside += rises
    assert 20 < inside < 180


def test_cornish_fisher_agrees_with_the_normal_and_gives_way_outside_its_domain() -> None:
    normal = np.random.default_rng(1).standard_normal(200_000) * 0.01
    found = cornish_fisher(normal)
    assert found is not None
    assert found[0] == pytest.approx(historical_var(normal), rel=0.02)
    assert found[1] == pytest.approx(historical_cvar(normal), rel=0.02)
    crash = np.r_[np.zeros(999), -0.5]
    assert cornish_fisher(crash) is None
    assert cornish_fisher(np.full(50, 0.1)) is None
    assert cornish_fisher(normal[:3]) is None


def test_the_figures_say_which_method_they_used() -> None:
    account = allocate_account(RiskConfig())
    returns = np.random.default_rng(1).standard_normal(1_440) * 1e-4
    account["returns"] = returns
    account["samples"] = 1_440
    expanded = equity_statistics(account, "cornish_fisher")
    assert (expanded.var_95, expanded.cvar_95) == cornish_fisher(returns)
    assert expanded.var_method == "cornish_fisher"
    assert equity_statistics(account).var_95 == historical_var(returns)
    account["returns"][0][7] = -0.5
    fallen_back = equity_statistics(account, "cornish_fisher")
    assert fallen_back.var_method == "historical"
    assert fallen_back.var_95 == historical_var(account["returns"][0])
