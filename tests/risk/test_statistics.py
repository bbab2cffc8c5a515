"""VaR, CVaR and Sharpe ratio."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alphaseeker.risk.statistics import historical_cvar, historical_var, sharpe_ratio


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
