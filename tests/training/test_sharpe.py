import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alphaseeker.errors import DataError
from alphaseeker.factors.portfolio import MAX_RATIO
from alphaseeker.training.sharpe import (
    MIN_PERIODS,
    SharpeMoments,
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
    trial_variance,
)
from oracles import sharpe as oracle

# Ten returns with a Sharpe ratio of 2.695191 at 252 periods a year.
REFERENCE = [0.01, -0.02, 0.015, 0.03, -0.01, -0.025, 0.02, 0.005, -0.005, 0.01]


def moments(periods=24, sharpe=0.458, skewness=0.0, kurtosis=3.0):
    return SharpeMoments(periods=periods, sharpe=sharpe, skewness=skewness, kurtosis=kurtosis)


# ---- published values -------------------------------------------------------------------------


def test_the_probabilistic_ratio_of_bailey_and_lopez_de_prado_2012():
    # Two years of monthly returns with an annual Sharpe ratio of 1.585.
    assert probabilistic_sharpe(moments()) == pytest.approx(0.982, abs=5e-4)
    skewed = moments(skewness=-2.448, kurtosis=10.164)
    assert probabilistic_sharpe(skewed) == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(("per_year", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_the_track_record_of_bailey_and_lopez_de_prado_2012(per_year, years):
    # An annual Sharpe ratio of 2 against one of 1, normal returns.
    root = math.sqrt(per_year)
    found = minimum_track_record(moments(sharpe=2 / root), 1 / root)
    assert found / per_year == pytest.approx(years, abs=5e-3)


@pytest.mark.parametrize(
    ("trials", "skewness", "kurtosis", "expected"),
    [(100, -3, 10, 0.9004), (46, -3, 10, 0.9505), (88, 0, 3, 0.9505)],
)
def test_the_deflated_ratio_of_bailey_and_lopez_de_prado_2014(trials, skewness, kurtosis, expected):
    # Five years of 250 days, annual Sharpe ratio 2.5, annual variance of the trials 1/2.
    found = deflated_sharpe(
        moments(1250, 2.5 / math.sqrt(250), skewness, kurtosis), trials=trials, variance=0.5 / 250
    )
    assert found == pytest.approx(expected, abs=2e-4)


def test_the_expected_maximum_of_bailey_and_lopez_de_prado_2014():
    assert expected_maximum_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)
    # Ten tries of one year give 1.57 where there is nothing to find.
    assert expected_maximum_sharpe(10, 1.0) == pytest.approx(1.57, abs=5e-3)


def test_the_reference_ratio_is_that_of_the_factors():
    found = sharpe_moments(REFERENCE * 2)
    # Ten returns twice: the divisor of the variance is 19/20 instead of 9/10 of them.
    expected = 2.695191 / math.sqrt(252) * math.sqrt((19 / 20) / (9 / 10))
    assert found.sharpe == pytest.approx(expected, rel=1e-6)
    assert found.periods == 20


# ---- oracle and judges ------------------------------------------------------------------------

SAMPLES = [
    np.random.default_rng(0).normal(1e-3, 1e-2, 60),
    np.random.default_rng(1).exponential(1e-3, 400) - 9e-4,
    5e-4 - np.random.default_rng(2).exponential(1e-3, 33),
    1e-3 * np.random.default_rng(3).standard_t(3, 1000),
    np.tile([0.01, 0.01, -0.02], 9),
]


@pytest.mark.parametrize("returns", SAMPLES)
def test_moments_equal_their_oracle_and_scipys(returns):
    found = sharpe_moments(returns)
    expected = oracle.moments(returns.tolist())
    assert (found.sharpe, found.skewness, found.kurtosis) == pytest.approx(expected, rel=1e-9)
    assert found.skewness == pytest.approx(stats.skew(returns), rel=1e-9)
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-9)


@pytest.mark.parametrize("returns", SAMPLES)
@pytest.mark.parametrize("hurdle", [-0.1, 0.0, 0.05])
def test_ratios_equal_their_oracles(returns, hurdle):
    own = sharpe_moments(returns)
    shape = own.sharpe, own.skewness, own.kurtosis
    expected = oracle.probabilistic(own.periods, *shape, hurdle)
    assert probabilistic_sharpe(own, hurdle) == pytest.approx(expected, rel=1e-9)
    for trials, variance in ((2, 0.01), (7, 1e-3), (1000, 4e-4)):
        highest = oracle.expected_maximum(trials, variance)
        assert expected_maximum_sharpe(trials, variance) == pytest.approx(highest, rel=1e-8)
        expected = oracle.probabilistic(own.periods, *shape, highest)
        found = deflated_sharpe(own, trials=trials, variance=variance)
        assert found == pytest.approx(expected, rel=1e-7, abs=1e-15)
    if own.sharpe > hurdle:
        expected = oracle.minimum_length(*shape, hurdle, 0.9)
        assert minimum_track_record(own, hurdle, confidence=0.9) == pytest.approx(expected)


def test_the_expected_maximum_is_that_of_worthless_trials():
    draws = np.random.default_rng(4).normal(0.0, 0.1, (4000, 50)).max(axis=1)
    # The formula is the limit for many trials: within .5 % at 50.
    error = draws.std() / math.sqrt(len(draws))
    assert expected_maximum_sharpe(50, 0.01) == pytest.approx(draws.mean(), abs=4 * error + 1e-3)


def test_returns_that_are_worth_nothing_pass_as_often_as_they_should():
    random = np.random.default_rng(5)
    passed = [probabilistic_sharpe(sharpe_moments(random.normal(size=60))) for _ in range(2000)]
    assert np.mean(np.array(passed) > 0.95) == pytest.approx(0.05, abs=0.02)


def test_the_best_of_many_worthless_trials_is_found_out():
    random = np.random.default_rng(6)
    naive, deflated = [], []
    for _ in range(200):
        trials = [sharpe_moments(one) for one in random.normal(size=(40, 100))]
        variance = trial_variance([one.sharpe for one in trials])
        best = max(trials, key=lambda one: one.sharpe)
        naive.append(probabilistic_sharpe(best) > 0.95)
        deflated.append(deflated_sharpe(best, trials=40, variance=variance) > 0.95)
    assert np.mean(naive) > 0.8
    assert np.mean(deflated) < 0.1


# ---- properties -------------------------------------------------------------------------------


@given(st.floats(0.01, 1.0), st.floats(-2.0, 2.0), st.floats(0.0, 9.0), st.floats(0.6, 0.99))
def test_after_the_minimum_track_record_the_probability_is_the_confidence(
    ratio, skewness, excess, confidence
):
    own = moments(20, ratio, skewness, 1.0 + skewness**2 + excess)
    periods = minimum_track_record(own, confidence=confidence)
    shape = own.sharpe, own.skewness, own.kurtosis
    if periods > 1.0 + 1e-9:
        found = oracle.probabilistic(periods, *shape, 0.0)
        assert found == pytest.approx(confidence, rel=1e-6)


def test_more_trials_and_more_spread_deflate_more():
    own = moments(500, 0.15)
    by_trials = [deflated_sharpe(own, trials=n, variance=0.002) for n in (1, 2, 5, 50, 10**9)]
    assert by_trials == sorted(by_trials, reverse=True)
    assert by_trials[0] == probabilistic_sharpe(own)
    assert len(set(by_trials)) == 5
    assert deflated_sharpe(own, trials=50, variance=0.0) == probabilistic_sharpe(own)


@pytest.mark.parametrize("scale", [1e-120, 1e-9, 1e9])
def test_the_scale_of_the_returns_does_not_matter(scale):
    found, expected = sharpe_moments(scale * SAMPLES[0]), sharpe_moments(SAMPLES[0])
    assert found.skewness == pytest.approx(expected.skewness, rel=1e-9)
    assert found.kurtosis == pytest.approx(expected.kurtosis, rel=1e-9)


# ---- edges ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "ratio", "probability"), [(0.0, 0.0, 0.5), (0.1, MAX_RATIO, 1.0), (-0.1, -1e6, 0.0)]
)
def test_returns_that_never_vary(value, ratio, probability):
    found = sharpe_moments(np.full(30, value))
    assert found == moments(30, ratio, 0.0, 3.0)
    assert probabilistic_sharpe(found) == pytest.approx(probability, abs=1e-9)
    lengths = {0.0: math.inf, 0.1: pytest.approx(2.35, abs=0.01), -0.1: math.inf}
    assert minimum_track_record(found) == lengths[value]


def test_an_estimate_without_error_is_sure():
    # Two-valued returns can have a variance of the ratio of 0: here 1 - 2 S + S^2 at S = 1.
    own = moments(20, 1.0, 2.0, 5.0)
    found = [probabilistic_sharpe(own, benchmark) for benchmark in (0.5, 1.0, 1.5)]
    assert found == [1.0, 0.5, 0.0]
    assert minimum_track_record(own, 0.5) == 1.0


def test_a_single_trial_has_no_variance_and_nothing_to_deflate():
    assert trial_variance([0.3]) == 0.0
    assert trial_variance([0.3] * 7) == 0.0
    assert trial_variance([0.1, 0.2, 0.6]) == pytest.approx(np.var([0.1, 0.2, 0.6], ddof=1))
    assert expected_maximum_sharpe(1, 5.0) == 0.0
    assert expected_maximum_sharpe(1.2, 5.0) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sharpe_moments(REFERENCE), f"10 periods .* at least {MIN_PERIODS}"),
        (lambda: sharpe_moments([]), "0 periods"),
        (lambda: sharpe_moments([0.1] * 30 + [np.nan]), "1 values that are not finite"),
        (lambda: sharpe_moments(np.ones((30, 2))), r"shape \(30, 2\)"),
        (lambda: moments(kurtosis=0.0), "not the excess over 3"),
        (lambda: moments(sharpe=math.nan), "sharpe is nan"),
        (lambda: probabilistic_sharpe(moments(), math.inf), "benchmark is inf"),
        (lambda: minimum_track_record(moments(), math.nan), "benchmark is nan"),
        (lambda: minimum_track_record(moments(), confidence=1.0), "confidence is 1.0"),
        (lambda: minimum_track_record(moments(), confidence=0.4), "confidence is 0.4"),
        (lambda: expected_maximum_sharpe(0, 1.0), "trials is 0"),
        (lambda: expected_maximum_sharpe(5, -1.0), "variance of the trials is -1.0"),
        (lambda: expected_maximum_sharpe(5, math.nan), "variance of the trials is nan"),
        (lambda: trial_variance([]), r"shape \(0,\)"),
        (lambda: trial_variance([0.1, math.inf]), "1 values that are not finite"),
    ],
)
def test_what_cannot_be_judged_is_refused(call, message):
    with pytest.raises(DataError, match=message):
        call()
