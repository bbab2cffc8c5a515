"""Prefix invariance on the simulated market: what looks ahead is named, what does not passes."""

import dataclasses

import numpy as np
import pytest

from alphaseeker import custom_feature, frame_feature
from alphaseeker.config import Config
from alphaseeker.features.inputs import available_names
from alphaseeker.features.settings import fit_settings
from alphaseeker.market.readers import read_ticks
from alphaseeker.training.prefix_invariance import check_prefixes, cut_places


@custom_feature(state=[("last", float)], unit="price")
def change(state, tick, window_s):
    "change of the mid since the tick before"
    moved = 0.0 if tick.first == 1 else tick.mid - state.last
    state.last = tick.mid
    return moved


@frame_feature(unit="1")
def past_change(frame):
    "change of the mid over five ticks"
    return frame.groupby("segment")["mid"].pct_change(5)


@frame_feature(unit="1")
def centred(frame):
    "mean of the mid over two ticks on both sides, over the mid"
    return frame["mid"].rolling(5, center=True).mean() / frame["mid"] - 1.0


@frame_feature(unit="1")
def standardised(frame):
    "the mid by its mean and deviation over the whole sample"
    return (frame["mid"] - frame["mid"].mean()) / frame["mid"].std()


@frame_feature(unit="1")
def next_close(frame):
    "the close of the tick after"
    return frame["close"].shift(-1) / frame["mid"] - 1.0


@frame_feature(unit="1")
def range_of_session(frame):
    "where the mid stands in the range of its segment"
    by = frame.groupby("segment")["mid"]
    return (frame["mid"] - by.transform("min")) / (by.transform("max") - by.transform("min"))


@pytest.fixture(scope="module")
def series(market):
    return read_ticks(market.head(4_000))


@pytest.fixture(scope="module")
def settings(series):
    return dataclasses.replace(fit_settings(series, Config()), custom=(change,))


def test_every_column_of_the_catalogue_and_a_custom_step_pass(series, settings):
    (found,) = check_prefixes(series, settings, available_names(settings))
    assert found.passed
    assert found.figures["columns"] > 100
    assert found.figures["cuts"] == 8
    assert "custom.change" in available_names(settings)


def test_depth_and_aggressor_columns_pass(deep_market):
    series = read_ticks(deep_market.head(2_000))
    settings = fit_settings(series, Config())
    (found,) = check_prefixes(series, settings, available_names(settings))
    assert found.passed
    assert settings.depth_levels > 0


def test_a_frame_feature_of_the_past_passes(series, settings):
    (found,) = check_prefixes(series, settings, ["book.imbalance"], [past_change])
    assert found.passed
    assert found.figures["columns"] == 2


@pytest.mark.parametrize(
    ("feature", "most"),
    [(centred, 2), (next_close, 1), (standardised, 4_000), (range_of_session, 4_000)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_frame_feature_that_looks_ahead_is_named(series, settings, feature, most):
    (found,) = check_prefixes(series, settings, ["book.imbalance"], [past_change, feature])
    assert not found.passed
    assert found.figures["column"] == f"custom.{feature.name}"
    assert f"custom.{feature.name} looks ahead" in found.sentence
    assert "no centred window" in found.sentence
    # A window differs in its own length before the cut, the whole sample nearly everywhere.
    assert 1 <= found.figures["differing"] <= most
    if most > 2:
        assert found.figures["differing"] > 800


def test_the_source_row_is_told_where_rows_were_refused(market, settings):
    frame = market.head(3_000).copy()
    frame.loc[frame.index[10:15], "ask_price"] = frame["bid_price"] * 0.5
    series = read_ticks(frame)
    (found,) = check_prefixes(series, settings, [], [next_close])
    cuts = cut_places(2_995)
    # The last row before a cut; the first one that was compared.
    assert found.figures["first_row"] in [place + 5 for place in cuts]


def test_cuts_lie_over_the_data_and_the_last_lacks_one_row():
    places = cut_places(1_000)
    assert len(places) == 8
    assert places == sorted(set(places))
    assert places[0] >= 50
    assert places[-1] == 999
    assert cut_places(1) == []
    assert cut_places(2) == [1]


def test_without_a_single_cut_nothing_is_cleared(series, settings):
    one_row = [dataclasses.replace(series[0], ticks=series[0].ticks[:1], rows=series[0].rows[:1])]
    (finding,) = check_prefixes(one_row, settings, ["book.imbalance"])
    assert not finding.judged
    assert "give more rows" in finding.sentence


def test_values_that_are_missing_are_equal(series, settings):
    @frame_feature()
    def nothing(frame):
        return np.full(len(frame), np.nan)

    assert check_prefixes(series, settings, [], [nothing])[0].passed
