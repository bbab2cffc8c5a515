"""What the catalogue declares, and what a model's schema hash rests on."""

import dataclasses
import re
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
from alphaseeker.features.declaration import Feature, Signal

NAMES = [feature.name for feature in FEATURES]


def test_names_are_unique_and_well_formed():
    assert len(set(NAMES)) == len(NAMES)
    for feature in FEATURES:
        assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*(_[1-9]\d*s)?", feature.name), feature.name
        assert feature.name.startswith(f"{feature.family}.{feature.signal}")


def test_there_are_at_least_thirty_columns_of_four_families():
    assert len(FEATURES) >= 30
    assert set(FAMILIES) >= {"book", "flow", "momentum", "volatility"}
    assert {feature.family for feature in FEATURES} == set(FAMILIES)


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
    assert list(WINDOWS) == sorted(WINDOWS)


def test_every_column_says_what_it_is():
    for feature in FEATURES:
        assert feature.formula
        assert feature.unit
        assert feature.source == "" or re.search(r"[12]\d{3}$", feature.source), feature.name


def test_a_signal_expands_to_a_column_per_window():
    signal = Signal(family="flow", name="thing", unit="1", formula="x", windows=(5, 60))
    assert [feature.name for feature in signal.features()] == ["flow.thing_5s", "flow.thing_60s"]
    assert [feature.window_s for feature in signal.features()] == [5, 60]
    alone = next(Signal(family="flow", name="thing", unit="1", formula="x").features())
    assert (alone.name, alone.window_s, alone.history_s) == ("flow.thing", 0, 0)


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
    ],
)
def test_history_in_buckets_of_any_length(name, bucket_s, buckets):
    assert feature_named(name).history_buckets(bucket_s) == buckets


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
    changed = dataclasses.replace(feature, **{part: value + (1 if isinstance(value, int) else "x")})
    monkeypatch.setitem(catalogue._BY_NAME, name, changed)
    assert schema_hash([name]) != before
