"""What ``select`` may be, and the columns that a training computes for it."""

import numpy as np
import pytest

from alphaseeker.config import FeatureConfig, load_config
from alphaseeker.errors import ConfigError, DataError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.market.simulator import START_NS, simulate_frame
from alphaseeker.model.artifact import load_artifact
from alphaseeker.training.column_request import check_select, columns_for, requested_columns
from alphaseeker.training.resume import resume_from
from alphaseeker.training.run import train_source

NAMES = ["momentum.return_30s", "book.imbalance", "flow.ofi_5s"]
IN_ORDER = tuple(f.name for f in FEATURES if f.name in NAMES)
QUICK = {"num_boost_round": 5, "num_threads": 1, "FOLDS": 2, "REFIT": False}


def test_names_come_in_the_order_of_the_catalogue():
    assert check_select(NAMES) == check_select(tuple(NAMES[::-1])) == IN_ORDER
    assert check_select(np.array(NAMES)) == IN_ORDER
    assert check_select(None) is None
    assert check_select("auto") == "auto"


@pytest.mark.parametrize(
    ("select", "said"),
    [
        (["book.imbalanse"], "the nearest is 'book.imbalance'"),
        (["book.imbalance", "book.imbalance"], "twice"),
        ("all", "must be 'auto', None or a list"),
        ("book.imbalance", "must be 'auto', None or a list"),
        ([], "must be 'auto', None or a list"),
        ([1], "must be 'auto', None or a list"),
        (3, "must be 'auto', None or a list"),
        (True, "must be 'auto', None or a list"),
    ],
)
def test_anything_else_is_refused(select, said):
    with pytest.raises(ConfigError, match=said):
        check_select(select)


def test_a_list_computes_what_it_names_what_baselines_read_and_the_book():
    settings = FeatureSettings(tick_size=0.01)
    names = columns_for(("volatility.realized_60s",), settings)
    others = [name for name in names if not name.startswith("book.")]
    assert others == ["flow.ofi_60s", "momentum.return_60s", "volatility.realized_60s"]
    assert {f.name for f in FEATURES if f.name.startswith("book.")} == {*names} - {*others}
    assert columns_for(None, settings) is columns_for("auto", settings) is None


def test_a_column_that_the_data_do_not_offer_is_refused():
    with pytest.raises(DataError, match=r"depth\.\w+, which the data do not offer: depth needs"):
        columns_for(("depth.round_trip_cost",), FeatureSettings(tick_size=0.01))
    with pytest.raises(DataError, match=r"flow\.ofi_5s, which is not among the columns"):
        requested_columns(("flow.ofi_5s",), ["book.imbalance"], FeatureConfig())


def test_settings_that_a_list_passes_over_are_told():
    names = ("a", "b", "c")
    assert requested_columns(("c", "a"), names, FeatureConfig()).columns == (0, 2)
    assert requested_columns(("c", "a"), names, FeatureConfig()).warnings == ()
    (warning,) = requested_columns(
        ("c",), names, FeatureConfig(windows=[5], MAX_FEATURES=2)
    ).warnings
    assert warning.startswith("windows and MAX_FEATURES without effect")


@pytest.fixture(scope="module")
def config():
    return load_config(None, QUICK)


@pytest.fixture(scope="module")
def listed(market, config):
    """A model of three features."""
    return train_source(market.head(6_000), config, select=NAMES)


def test_a_model_of_a_list_reads_exactly_these(listed, market, config):
    assert listed.artifact.feature_names == IN_ORDER
    found = listed.trained.results["selection"]
    assert found["select"] == list(IN_ORDER)
    assert found["folds"] == dict.fromkeys(sorted(IN_ORDER), 2)
    folds = listed.trained.results["evaluation_results"]["folds"]
    assert [fold["feature_names"] for fold in folds] == [list(IN_ORDER)] * 2
    # The columns that were computed beside them change nothing of the model.
    windows = {"families": ["book", "flow", "momentum"], "windows": [5, 30]}
    with pytest.raises(ConfigError, match=r"nearest is 'flow\.ofi_5s'"):
        train_source(market.head(6_000), config.override(windows), select=["flow.ofi_5"])


def test_a_list_that_the_held_back_part_never_reaches_is_refused(market, config):
    # Sessions of two minutes: none has fifteen minutes of history.
    frame = market.head(6_000).copy()
    frame["session"] = frame.index // 120
    with pytest.raises(DataError, match=r"usable rows|history"):
        train_source(frame, config.override({"HORIZON_S": 10}), select=["momentum.return_900s"])


def test_what_a_resumed_training_may_select(listed, config, tmp_path):
    from alphaseeker.model.artifact import save_artifact

    path = save_artifact(listed.artifact, tmp_path / "old.joblib")
    later = simulate_frame(6_000, seed=9, signal_strength=0.5, start_ns=START_NS + 10**14)
    warm, refit = (resume_from(path, mode, config) for mode in ("warm", "refit"))
    with pytest.raises(ConfigError, match="a warm start keeps the columns"):
        check_select("auto", resumed=warm)
    with pytest.raises(ConfigError, match=r"names flow\.ofi_1s, which the model to resume"):
        check_select(["flow.ofi_1s"], resumed=refit)
    assert check_select(NAMES[:1], resumed=refit) == (NAMES[0],)

    one = train_source(later, config, resume=path, resume_mode="refit", select=NAMES[1:])
    assert {*one.artifact.feature_names} == {*NAMES[1:]}
    assert one.artifact.training["selection"]["select"] == list(one.artifact.feature_names)
    assert one.artifact.training["resumed_from"]["select"] == list(IN_ORDER)
    gone_on = train_source(later, config, resume=path, resume_mode="warm")
    assert gone_on.artifact.training["selection"] == listed.artifact.training["selection"]
    assert load_artifact(path).training["selection"]["select"] == list(IN_ORDER)
