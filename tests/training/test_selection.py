import numpy as np
import pytest
from scipy.signal import lfilter

from alphaseeker.config import FeatureConfig
from alphaseeker.errors import ConfigError, DataError
from alphaseeker.training.selection import candidate_columns, select_columns

NAMES = ("book.imbalance", "flow.ofi_5s", "flow.ofi_60s", "momentum.return_60s")


def choose(columns, forward_return=None, **config):
    n = len(columns[0])
    outcome = np.random.default_rng(9).normal(size=n) if forward_return is None else forward_return
    return select_columns(
        ((k, np.asarray(column, np.float32)) for k, column in enumerate(columns)),
        NAMES,
        outcome,
        np.arange(n) // 50,
        FeatureConfig(**config),
    )


def test_families_and_windows_filter_columns():
    def kept(**config):
        return candidate_columns(NAMES, FeatureConfig(**config))

    assert kept() == [0, 1, 2, 3]
    assert kept(families=["flow"]) == [1, 2]
    assert kept(windows=[60]) == [0, 2, 3]
    assert kept(families=["flow", "momentum"], windows=[5]) == [1]


def test_unknown_families_and_windows_name_the_nearest():
    with pytest.raises(ConfigError, match=r"'flwo'.*nearest is flow"):
        candidate_columns(NAMES, FeatureConfig(families=["flwo"]))
    with pytest.raises(ConfigError, match=r"windows names 61.*nearest is 60"):
        candidate_columns(NAMES, FeatureConfig(windows=[61]))
    with pytest.raises(ConfigError, match="leave none"):
        candidate_columns(NAMES[1:], FeatureConfig(families=["momentum"], windows=[5]))


def test_cold_and_constant_columns_go_with_a_warning():
    random = np.random.default_rng(0)
    good = random.normal(size=200)
    cold = np.where(np.arange(200) < 120, np.nan, good)
    chosen = choose([good, np.ones(200), cold, good])
    assert chosen.names == ("book.imbalance", "momentum.return_60s")
    assert chosen.columns == (0, 3)
    assert "flow.ofi_60s (40 %)" in chosen.warnings[0]
    assert "constant on the training rows: flow.ofi_5s" in chosen.warnings[1]
    assert choose([good, np.ones(200), cold, good], MIN_WARM_SHARE=0.3).columns == (0, 2, 3)


def test_a_column_that_is_never_finite_goes_at_any_warm_share():
    good = np.random.default_rng(0).normal(size=100)
    assert choose([good, np.full(100, np.nan)], MIN_WARM_SHARE=0.0).columns == (0,)


def test_no_column_left_is_an_error():
    with pytest.raises(DataError, match="none of the 1 features"):
        choose([np.ones(100)])


def test_the_best_by_rank_correlation_stay_in_their_order():
    random = np.random.default_rng(1)
    outcome = random.normal(size=1000)
    noise = random.normal(size=(2, 1000))
    columns = [noise[0], -outcome + noise[1], noise[1], outcome + 3 * noise[0]]
    chosen = choose(columns, outcome, MAX_FEATURES=2)
    assert chosen.columns == (1, 3)
    assert "below the best 2" in chosen.warnings[0]
    assert choose(columns, outcome, MAX_FEATURES=1).columns == (1,)


def test_past_returns_and_levels_do_not_crowd_out_a_signal():
    # A random walk that a persistent imbalance leads by a little: IC .09 over 60 s.
    horizon, n = 60, 20_000
    for seed in range(5):
        random = np.random.default_rng(seed)
        size = n + horizon + 1000
        imbalance = lfilter([np.sqrt(1 - 0.98**2)], [1, -0.98], random.normal(size=size))
        step = 0.05 * imbalance[:-1] + random.normal(size=size - 1)
        price = np.concatenate([[0.0], np.cumsum(step)])
        t = np.arange(1000, 1000 + n)
        past = {f"momentum.return_{w}s": price[t] - price[t - w] for w in (5, 30, 60, 300, 900)}
        columns = {**past, "price": price[t], "book.imbalance": imbalance[t]}
        chosen = select_columns(
            ((k, values.astype(np.float32)) for k, values in enumerate(columns.values())),
            tuple(columns),
            price[t + horizon] - price[t],
            np.zeros(n, np.int64),
            FeatureConfig(MAX_FEATURES=2),
        )
        assert "book.imbalance" in chosen.names
