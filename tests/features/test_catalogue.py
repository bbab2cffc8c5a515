"""What the catalogue declares, and what a model's schema hash rests on."""

import dataclasses
import re
from collections import Counter
from itertools import pairwise

import pytest

from alphaseeker.errors import ConfigError
from alphaseeker.features import catalogue
from alphaseeker.features.catalogue import (
    FAMILIES,
    FEATURES,
    SIGNALS,
    WINDOWS,
    feature_named,
    schema_hash,
)
from alphaseeker.features.declaration import MIN_RETURNS, NANOSECONDS, Feature, Signal
from alphaseeker.features.declared.bars import BAR_WINDOWS
from alphaseeker.market.depth import MAX_LEVELS

NAMES = [feature.name for feature in FEATURES]
UNITS = {
    *("bp", "bp/s", "bp/size", "bp/notional", "bp/notional^0.5", "bp^2"),
    *("1", "0..1", "-1..1", "0..100", "1/s"),
    *("ticks", "spreads", "moves", "minutes"),
}
SIGN = {
    "trades.signed_ratio",
    "trades.sign_autocorr",
    "liquidity.kyle",
    "liquidity.hasbrouck",
    "liquidity.effective_spread",
    "liquidity.realized_spread",
    "liquidity.price_impact",
}


def test_names_are_unique_and_well_formed():
    assert len(set(NAMES)) == len(NAMES)
    for feature in FEATURES:
        assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z0-9]+)*", feature.name), feature.name
        assert feature.name.startswith(f"{feature.family}.{feature.signal}")


def test_how_many_columns_there_are():
    needed = Counter(feature.inputs for feature in FEATURES)
    assert needed == {(): 192, ("sign",): 21, ("depth",): 29, ("aggressor",): 19}
    assert needed[()] + needed[("sign",)] >= 200  # from the seven required columns
    assert len(FEATURES) == 261


def test_columns_stand_by_family_and_those_of_optional_inputs_last():
    assert FAMILIES == (
        *("book", "dynamics", "flow", "momentum", "volatility", "bars", "trades", "liquidity"),
        *("calendar", "depth", "aggressor"),
    )
    assert list(dict.fromkeys(feature.family for feature in FEATURES)) == list(FAMILIES)
    for feature in FEATURES:
        optional = feature.family if feature.family in ("depth", "aggressor") else None
        assert (feature.inputs == (optional,)) == (optional is not None), feature.name


def test_what_rests_on_the_sign_of_trades_says_so():
    assert {f"{s.family}.{s.name}" for s in SIGNALS if s.inputs == ("sign",)} == SIGN


def test_only_depth_asks_for_levels():
    for feature in FEATURES:
        if feature.family == "depth":
            assert 2 <= feature.levels <= MAX_LEVELS
        else:
            assert feature.levels == 0
    asked = {"depth.imbalance_3": 3, "depth.imbalance_10": 10, "depth.ofi_level4_30s": 4}
    assert {name: feature_named(name).levels for name in asked} == asked


def test_signals_of_a_family_stand_together():
    families = [signal.family for signal in SIGNALS]
    changes = sum(left != right for left, right in pairwise(families))
    assert changes == len(FAMILIES) - 1


def test_windows_in_a_name_are_windows_of_the_record():
    for feature in FEATURES:
        match = re.search(r"_(\d+)s$", feature.name)
        if match:
            assert int(match[1]) == feature.window_s
            assert feature.window_s in WINDOWS
        else:
            assert feature.name == f"{feature.family}.{feature.signal}"
    assert list(WINDOWS) == sorted(WINDOWS)


def test_every_column_says_what_it_is():
    for feature in FEATURES:
        assert feature.formula
        assert feature.formula == feature.formula.strip()
        assert "  " not in feature.formula
        assert feature.unit in UNITS, feature.name
        assert feature.source == "" or re.search(r"[12]\d{3}$", feature.source), feature.name


def test_statistics_of_returns_say_when_there_are_too_few():
    said = {s.name for s in SIGNALS if f"NaN below {MIN_RETURNS} non-zero returns" in s.formula}
    assert said == {
        *("autocorr", "variance_ratio"),
        *("bipower", "jump_share", "up_share", "skew", "kurt", "max_move"),
    }


def test_a_signal_expands_to_a_column_per_window():
    signal = Signal(family="flow", name="thing", unit="1", formula="x", windows=(5, 60))
    assert [feature.name for feature in signal.features()] == ["flow.thing_5s", "flow.thing_60s"]
    assert [feature.window_s for feature in signal.features()] == [5, 60]
    alone = next(Signal(family="flow", name="thing", unit="1", formula="x").features())
    assert (alone.name, alone.window_s, alone.history_s) == ("flow.thing", 0, 0)


def test_memory_is_told_in_windows():
    signal = Signal(
        family="bars",
        name="thing",
        unit="1",
        formula="x",
        windows=(60, 300),
        memory_windows=15,
        lag_s=7,
        lag_buckets=2,
        bar=True,
    )
    first, second = signal.features()
    assert (first.memory_s, second.memory_s) == (900, 4500)
    assert (first.history_s, second.history_s) == (909, 4509)
    assert (first.shortest_s, second.shortest_s) == (60, 300)
    assert first.history_buckets(10.0) == 90 + 1 + 2  # seven seconds take a whole bucket
    assert first.history_buckets(11.0) is None  # sixty seconds are not a whole number of them
    unbarred = dataclasses.replace(first, bar=False)
    assert unbarred.history_buckets(11.0) == 900 // 11 + 1 + 2


@pytest.mark.parametrize(
    ("name", "bucket_s", "buckets"),
    [
        ("book.spread", 1.0, 0),
        ("book.spread", 60.0, 0),
        ("flow.ofi_60s", 1.0, 60),
        ("flow.ofi_60s", 60.0, 1),
        ("flow.ofi_60s", 61.0, None),
        ("flow.ofi_1s", 1.0, 1),
        ("flow.ofi_1s", 1.5, None),
        ("momentum.return_5s", 1.5, 3),
        ("momentum.return_900s", 3.6, 250),  # where 900 // 3.6 is 249
        ("momentum.autocorr_30s", 1.0, 31),
        ("volatility.ewma", 1.0, 12),
        ("volatility.ewma", 900.0, 12),
        ("volatility.ratio_short_long", 30.0, 10),
        ("volatility.ratio_short_long", 60.0, None),  # its short window is 30 s
        ("dynamics.imbalance_mean_1s", 1.0, 1),
        ("dynamics.imbalance_mean_1s", 2.0, None),
        ("dynamics.quote_rate_ratio", 5.0, 60),
        ("dynamics.quote_rate_ratio", 6.0, None),
        ("momentum.variance_ratio_30s", 1.0, 39),
        ("momentum.variance_ratio_30s", 30.0, 10),
        ("momentum.macd", 1.0, 1620),
        ("momentum.macd", 60.0, 27),
        ("momentum.macd", 7.0, None),  # minutes are not whole numbers of them
        ("momentum.macd_histogram", 1.0, 2160),
        ("bars.bar_return_in_progress_300s", 1.0, 300),
        ("bars.range_60s", 1.0, 120),
        ("bars.range_60s", 1.5, 80),
        ("bars.range_60s", 3.6, None),
        ("bars.range_900s", 3.6, 500),
        ("bars.range_60s", 120.0, None),
        ("bars.volume_ratio_900s", 60.0, 240),
        ("bars.atr_60s", 1.0, 900),
        ("trades.mean_size_ratio", 30.0, 10),
        ("trades.mean_size_ratio", 60.0, None),
        # A lag in seconds is rounded up to whole buckets where the window is rounded down.
        ("trades.vpin_300s", 1.0, 360),
        ("trades.vpin_300s", 7.0, 42 + 9),
        ("trades.bulk_imbalance_60s", 60.0, 2),
        ("liquidity.realized_spread_60s", 1.0, 65),
        ("liquidity.price_impact_60s", 2.0, 30 + 3),
        ("liquidity.price_impact_60s", 60.0, 1 + 1),
        ("liquidity.roll_900s", 1.0, 901),
        ("depth.gap", 60.0, 0),
        ("depth.integrated_ofi_300s", 1.0, 300),
        ("aggressor.intensity_30s", 7.0, 4),
        ("calendar.hour_sin", 900.0, 0),
    ],
)
def test_history_in_buckets_of_any_length(name, bucket_s, buckets):
    assert feature_named(name).history_buckets(bucket_s) == buckets


@pytest.mark.parametrize("bucket_s", [1.0, 1.5, 3.6, 7.0, 60.0, 900.0])
def test_no_column_is_finite_before_its_window_has_passed(bucket_s):
    finite = 0
    for feature in FEATURES:
        buckets = feature.history_buckets(bucket_s)
        if buckets is None:
            assert feature.window_s > 0
            continue
        finite += 1
        assert buckets >= feature.window_s * NANOSECONDS // round(bucket_s * NANOSECONDS)
        if bucket_s == 1.0:
            assert buckets == feature.history_s
    assert (finite == len(FEATURES)) == (bucket_s == 1.0)


def test_bars_fill_with_buckets_of_their_length():
    for window in BAR_WINDOWS:
        feature = feature_named(f"bars.prev_return_{window}s")
        assert feature.history_buckets(float(window)) == 2


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match=r"unknown feature 'book\.sprad'"):
        feature_named("book.sprad")
    with pytest.raises(ConfigError, match="unknown feature 'nothing'"):
        schema_hash(["book.spread", "nothing"])


def test_schema_hash_depends_on_the_columns_and_their_order():
    assert schema_hash(NAMES[:5]) == schema_hash(tuple(NAMES[:5]))
    assert schema_hash(NAMES[:5]) != schema_hash(NAMES[4::-1])
    assert schema_hash(NAMES[:5]) != schema_hash(NAMES[:4])
    assert schema_hash(NAMES[:5]) != schema_hash(NAMES[1:6])


@pytest.mark.parametrize("part", [part.name for part in dataclasses.fields(Feature)])
def test_schema_hash_depends_on_every_part_of_a_declaration(monkeypatch, part):
    name = "flow.ofi_60s"
    before = schema_hash([name])
    feature = feature_named(name)
    value = getattr(feature, part)
    more = {bool: True, int: 1, str: "x", tuple: ("depth",)}[type(value)]
    changed = dataclasses.replace(feature, **{part: value + more})
    monkeypatch.setitem(catalogue._BY_NAME, name, changed)
    assert schema_hash([name]) != before
