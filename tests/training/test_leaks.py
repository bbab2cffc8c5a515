"""``find_leaks`` on the simulated market: clean data passes, planted faults are named."""

import dataclasses

import numpy as np
import pytest

from alphaseeker import custom_feature, frame_feature
from alphaseeker.config import Config
from alphaseeker.errors import ConfigError, ModelError
from alphaseeker.model.artifact import load_artifact
from alphaseeker.training.hindsight import outlook
from alphaseeker.training.leaks import (
    check_label_price,
    check_reported,
    check_unrelated_labels,
    find_leaks,
    returns_moved,
)
from alphaseeker.training.run import train_source
from alphaseeker.training.target import target_from_config
from known_blocks import VOLATILITY, block_of

CONFIG = Config().override({"num_threads": 1, "num_boost_round": 8})
CHECKS = [
    "prefix invariance",
    "alignment",
    "hindsight",
    "unrelated labels",
    "reported figures",
]


@custom_feature(state=[("last", float)], unit="price")
def change(state, tick, window_s):
    "change of the mid since the tick before"
    moved = 0.0 if tick.first == 1 else tick.mid - state.last
    state.last = tick.mid
    return moved


@frame_feature(unit="1")
def centred(frame):
    "mean of the mid over five ticks on both sides, over the mid"
    return frame["mid"].rolling(11, center=True).mean() / frame["mid"] - 1.0


@frame_feature(unit="1")
def label(frame):
    "the return of the minute to come"
    return frame["mid"].shift(-60) / frame["mid"] - 1.0


@pytest.fixture(scope="module")
def artifact(trained):
    return load_artifact(trained[0])


def failed(findings):
    return {(one.check, one.figures.get("column")): one for one in findings if not one.passed}


def test_clean_data_pass_every_check(artifact, market):
    findings = find_leaks(artifact, market, CONFIG)
    assert [one.check for one in findings] == CHECKS
    assert failed(findings) == {}
    assert "not judged" not in " ".join(one.sentence for one in findings)
    # The same twice: nothing is drawn by chance.
    assert find_leaks(artifact, market, CONFIG) == findings


def test_a_price_column_of_hindsight_is_named(artifact, market):
    # The simulated trades of a row are struck at the quotes of the row before.
    frame = market.copy()
    frame["close"] = frame["close"].shift(-2).ffill()
    assert ("alignment", "close") in failed(find_leaks(artifact, frame, CONFIG))


def test_features_of_the_frame_are_checked_twice(artifact, market):
    found = failed(find_leaks(artifact, market, CONFIG, custom=[centred, label, change]))
    assert ("prefix invariance", "custom.centred") in found
    assert ("prefix invariance", "custom.label") in found
    assert "custom.label knows" in found["hindsight", "custom.label"].sentence
    assert not [column for _, column in found if column == "custom.change"]


def test_custom_features_of_the_model_are_needed_and_checked(market):
    config = CONFIG.override({"families": ["book", "custom"], "windows": [60]})
    run = train_source(market.head(8_000), config, custom=[change])
    assert "custom.change" in run.artifact.feature_names
    with pytest.raises(ModelError, match=r"custom feature 'change'"):
        find_leaks(run.artifact, market.head(8_000), config)
    findings = find_leaks(run.artifact, market.head(8_000), config, custom=[change])
    assert failed(findings) == {}


def test_what_is_no_feature_is_refused(artifact, market):
    with pytest.raises(ConfigError, match="custom_feature or"):
        find_leaks(artifact, market, CONFIG, custom=[lambda frame: frame["mid"]])


def test_labels_of_old_last_prices_are_named():
    random = np.random.default_rng(0)
    block = block_of(VOLATILITY * random.normal(size=20_000), np.zeros((20_000, 1)), step_s=1.0)
    rows = np.arange(20_000)
    stale = dataclasses.replace(block, close=block.mid[rows // 60 * 60])  # a trade a minute
    by_close = target_from_config(Config().override({"LABEL_PRICE": "close"}))
    ahead = outlook([stale], by_close.horizon_ns)
    found = check_label_price([stale], ahead, by_close)
    assert found.figures["ic label"] > 0.4
    assert abs(found.figures["ic mid"]) < 0.1
    assert "LABEL_PRICE to mid" in found.sentence
    assert check_label_price([block], ahead, by_close) is None
    assert check_label_price([stale], ahead, target_from_config(Config())) is None


def test_moved_returns_are_the_same_path_elsewhere():
    random = np.random.default_rng(0)
    returns = VOLATILITY * random.normal(size=1_000)
    segment = np.arange(1_000) // 500
    block = block_of(returns, np.zeros((1_000, 1)), step_s=1.0, segment=segment)
    close = block.mid * (1.0 + 1e-4 * random.normal(size=1_000))
    moved = returns_moved(dataclasses.replace(block, close=close), 300)
    steps, before = np.diff(np.log(moved.mid)), np.diff(np.log(block.mid))
    before[499] = 0.0  # between segments
    np.testing.assert_allclose(steps[300:], before[:-300], atol=1e-12)
    np.testing.assert_allclose(moved.close / moved.mid, np.roll(close / block.mid, 300))
    assert moved.values is block.values
    empty = dataclasses.replace(
        block, mid=block.mid[:0], values=block.values[:0], timestamp=block.timestamp[:0]
    )
    assert returns_moved(empty, 3) is empty


def test_unrelated_labels_are_not_judged_on_little_data(simulate):
    (found,) = check_unrelated_labels([simulate(300, step_s=1.0)], CONFIG)
    assert found.passed
    assert "not judged" in found.sentence


def test_reported_figures_that_are_too_good_are_named(artifact, simulate):
    block = simulate(3_000, step_s=10.0)
    good = {**artifact.metrics, "ic": 0.4, "auc": 0.55, "macro_f1": 0.9}
    found = check_reported(dataclasses.replace(artifact, metrics=good), [block])
    assert [one.passed for one in found] == [False, False]
    assert "suspect: IC 0.400" in found[0].sentence
    assert "book.imbalance" in found[0].sentence
    none = dataclasses.replace(artifact, metrics={})
    assert "not judged" in check_reported(none, [block])[0].sentence
