import numpy as np
import pytest

from alphaseeker.config import FeatureConfig
from alphaseeker.errors import ConfigError, DataError
from alphaseeker.training.selection import candidate_columns, select_columns

NAMES = ("book.imbalance", "flow.ofi_5s", "flow.ofi_60s", "momentum.return_60s")


def choose(columns, **config):
    return select_columns(
        ((k, np.asarray(column, np.float32)) for k, column in enumerate(columns)),
        NAMES,
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
