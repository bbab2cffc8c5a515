"""The record: its output is the catalogue, and every step writes every column of it."""

import numpy as np
import pytest

from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES, WINDOWS
from alphaseeker.features.layout import OUTPUT, RECORD, RING, allocate_session, feature_vector
from alphaseeker.features.step import tick_step

SETTINGS = FeatureSettings(tick_size=0.01)
POISON = np.float32(12345.678)


def feed(records, series):
    vector = feature_vector(records)
    for tick in series.ticks:
        tick_step(records, vector, *(tick[name] for name in step_fields(series)))
    return vector


def step_fields(series):
    names = list(series.ticks.dtype.names)
    return ["timestamp", "session"] + [n for n in names if n not in ("timestamp", "session")]


def test_output_is_the_catalogue_in_order():
    names = []
    for family in OUTPUT.names:
        fields = OUTPUT[family]
        for signal in fields.names:
            shape = fields[signal].shape
            names += [f"{family}.{signal}"] * (shape[0] if shape else 1)
            assert fields[signal].base == np.float32
    assert names == [f"{feature.family}.{feature.signal}" for feature in FEATURES]
    assert OUTPUT.itemsize == 4 * len(FEATURES)


def test_feature_vector_is_the_record_itself():
    records = allocate_session(SETTINGS)
    vector = feature_vector(records)
    assert vector.dtype == np.float32
    assert vector.shape == (len(FEATURES),)
    assert np.shares_memory(vector, records)
    vector[:] = np.arange(len(vector))
    assert records["out"]["book"]["spread"][0] == 0.0
    last = FEATURES[-1]
    assert records["out"][last.family][last.signal][0] == len(vector) - 1


def test_state_of_a_symbol_fits_its_budget():
    assert RECORD.itemsize <= 512 * 1024
    assert max(WINDOWS) + 2 < RING


@pytest.mark.parametrize("bucket_s", [1.0, 3.6, 60.0, 900.0])
def test_windows_of_any_bucket_fit_the_record(bucket_s):
    clock = allocate_session(FeatureSettings(bucket_s=bucket_s))["clock"]
    lengths = clock["lengths"][0]
    assert np.all(lengths <= WINDOWS)
    assert lengths.tolist() == [int(round(w * 10) // round(bucket_s * 10)) for w in WINDOWS]


def test_the_first_tick_writes_every_column(walk):
    records = allocate_session(SETTINGS)
    feature_vector(records)[:] = POISON
    vector = feed(records, walk(1))
    assert not np.any(vector == POISON)
    known = np.isfinite(vector)
    history = np.array([feature.history_buckets(1.0) for feature in FEATURES])
    np.testing.assert_array_equal(known, history == 0)


def test_a_warm_step_writes_every_column(walk):
    series = walk(4000)
    records = allocate_session(SETTINGS)
    warm = type(series)(symbol="", ticks=series.ticks[:-1], rows=series.rows[:-1])
    vector = feed(records, warm)
    assert np.all(np.isfinite(vector))
    last = series.ticks[-1:].copy()
    last["timestamp"] += 2 * 10**9  # into another bucket
    last["bid_price"] += 0.05  # and to another mid
    last["ask_price"] += 0.05
    vector[:] = POISON
    feed(records, type(series)(symbol="", ticks=last, rows=series.rows[-1:]))
    assert np.all(np.isfinite(vector))
    missed = [feature.name for feature, value in zip(FEATURES, vector, strict=True)
              if value == POISON]  # fmt: skip
    assert missed == []
