"""The record: its output is the catalogue, and every step writes every column of it."""

from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES, WINDOWS
from alphaseeker.features.groups import STACKS, SUMS
from alphaseeker.features.inputs import available_names
from alphaseeker.features.layout import (
    LAG_RING,
    OUTPUT,
    PLAN,
    RECORD,
    RING,
    feature_vector,
)
from alphaseeker.features.step import tick_step
from alphaseeker.features.window_lanes import lane_of
from alphaseeker.kernels.lanes import WIDE
from alphaseeker.kernels.windows import (
    LANES,
    LENGTH,
    PARTIAL,
    PREFIX,
    SLOTS,
    TOTAL,
    WIDTH,
)

SETTINGS = FeatureSettings(tick_size=0.01)
POISON = np.float32(12345.678)


def feed(records, series):
    vector = feature_vector(records)
    levels = np.empty((len(series), 0, 4)) if series.depth is None else series.depth
    for tick, depth in zip(series.ticks, levels, strict=True):
        tick_step(records, vector, depth, *(tick[name] for name in step_fields(series)))
    return vector


def offered(settings):
    """Tell of each column of the catalogue whether the settings offer it."""
    names = set(available_names(settings))
    return np.array([feature.name in names for feature in FEATURES])


def step_fields(series):
    names = list(series.ticks.dtype.names)
    return ["timestamp", "session"] + [n for n in names if n not in ("timestamp", "session")]


def named(mask):
    return [feature.name for feature, marked in zip(FEATURES, mask, strict=True) if marked]


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
    assert records["out"][last.family][last.signal].ravel()[-1] == len(vector) - 1


def test_state_of_a_symbol_fits_its_budget():
    assert RECORD.itemsize <= 512 * 1024
    assert max(WINDOWS) + 10 < RING
    for ring in (RING, LAG_RING):
        assert ring & (ring - 1) == 0


@pytest.mark.parametrize("bucket_s", [1.0, 3.6, 60.0, 900.0])
def test_windows_of_any_bucket_fit_the_record(bucket_s):
    records = allocate_session(FeatureSettings(bucket_s=bucket_s))
    tenths = round(bucket_s * 10)
    for name, group in (SUMS | STACKS).items():
        lanes = [lane_of(window) for window in group.windows]
        expected = np.zeros(WIDE)
        expected[lanes] = [window * 10 // tenths for window in group.windows]
        lengths = records[name]["lengths"][0]
        assert lengths.tolist() == expected.tolist()
        assert lengths.sum() <= records[name]["slots"].shape[1]
        # A window of no bucket is never full, and so is a lane without a window.
        never = np.where(expected > 0, expected, np.inf)
        assert records[name]["full"][0].tolist() == never.tolist()
    for name, group in STACKS.items():
        lanes = [lane_of(window) for window in group.windows]
        begins = records[name]["offsets"][0, lanes]
        ends = begins + records[name]["lengths"][0, lanes]
        assert np.all(ends[:-1] <= begins[1:])
        assert ends[-1] <= records[name]["slots"].shape[1]
        assert records[name]["count"].tolist() == [WIDE]
    for name in SUMS:
        lengths = np.maximum(records[name]["lengths"][0], 1)
        np.testing.assert_allclose(records[name]["rates"][0], 1 / (lengths * bucket_s), rtol=1e-15)
    lengths = np.maximum(records["moves"]["lengths"][0], 1)
    np.testing.assert_allclose(records["averages"]["shares"][0], 1 / lengths, rtol=1e-15)
    assert records["clock"]["longest"][0] == 9000 // tenths
    assert records["trade"]["lag"][0] == np.ceil(5 / bucket_s)


@pytest.mark.parametrize("bucket_s", [1.0, 3.6])
def test_the_plan_finds_every_array_of_every_group(bucket_s):
    """What a group's fields are called, the plan knows by its row in the memory."""
    settings = FeatureSettings(bucket_s=bucket_s, depth_levels=2, aggressor=True)
    records = allocate_session(settings)
    lengths = {name: records[name]["lengths"][0].copy() for name in SUMS}
    memory = records["memory"][0]
    memory[:] = np.arange(memory.size).reshape(memory.shape)
    rows = iter(zip(PLAN, records["windows"][0], strict=True))
    taken = []
    for name, group in SUMS.items():
        field = records[name]
        for window, seconds in enumerate(group.windows):
            row, own = next(rows)
            width = row[WIDTH] * LANES
            assert own[LENGTH] == lengths[name][lane_of(seconds)]
            assert group.channels <= width < group.channels + LANES
            at = sum(group.windows[:window]) * width
            arrays = {
                row[PARTIAL] * LANES: field["partial"][0],
                row[PREFIX] * LANES: field["prefix"][0, window],
                row[TOTAL] * LANES: field["sums"][0, lane_of(seconds)],
                row[SLOTS] * LANES: field["slots"].ravel()[at : at + own[LENGTH] * width],
            }
            assert len(arrays) == 4
            for first, array in arrays.items():
                assert array.tolist() == list(range(first, first + array.size))
            places = list(arrays.values()) if window == 0 else list(arrays.values())[1:]
            taken.extend(np.concatenate(places).tolist())
    assert next(rows, None) is None
    assert len(set(taken)) == len(taken)  # no two share a number


def test_groups_build_their_sums_at_buckets_of_their_own():
    records = allocate_session(FeatureSettings(depth_levels=2, aggressor=True))
    lengths, every = records["windows"][0, :, LENGTH], records["begins"][0]
    begins = every[lengths == 300].tolist()
    assert len(begins) == len(SUMS)
    begins += [300 * records[name]["stagger"].item() // 8 for name in STACKS]
    assert len(set(begins)) >= len(begins) - 1  # nine groups share eight places
    assert np.all(every < np.maximum(lengths, 1))


def test_groups_that_the_data_has_nothing_for_are_not_kept_up():
    for settings, unused in (
        ({}, {"levels", "sides"}),
        ({"aggressor": True}, {"levels"}),
        ({"depth_levels": 2}, {"sides"}),
        ({"depth_levels": 2, "aggressor": True}, set()),
    ):
        lengths = allocate_session(FeatureSettings(**settings))["windows"][0, :, LENGTH]
        groups = np.repeat(list(SUMS), [len(group.windows) for group in SUMS.values()])
        assert set(groups[lengths == 0].tolist()) == unused
        assert not set(groups[lengths > 0].tolist()) & unused


def test_the_first_tick_writes_every_column(deep_walk, everything):
    records = allocate_session(FeatureSettings(**everything))
    feature_vector(records)[:] = POISON
    vector = feed(records, deep_walk(1))
    assert not np.any(vector == POISON)
    known = np.isfinite(vector)
    history = np.array([feature.history_buckets(1.0) for feature in FEATURES])
    np.testing.assert_array_equal(known, history == 0)


@pytest.fixture(scope="module")
def longest(deep_walk):
    """Ticks for longer than every history, up to the first one after the end of every bar."""
    series = deep_walk(42_000)
    end = np.flatnonzero(np.diff(series.ticks["timestamp"] // (900 * 10**9)))[-1] + 1
    return series, end


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"aggressor": True},
        {"depth_levels": 2},
        {"depth_levels": 3, "aggressor": True},
        {"depth_levels": 5},
        {"depth_levels": 10, "aggressor": True},
    ],
)
def test_one_warm_step_writes_every_column_of_what_the_settings_offer(
    longest, everything, rows_of, inputs
):
    settings = FeatureSettings(tick_size=0.01, microprices=everything["microprices"], **inputs)
    whole, end = longest
    levels = settings.depth_levels
    series = replace(whole, depth=whole.depth[:, :levels] if levels else None)
    records = allocate_session(settings)
    vector = feed(records, rows_of(series, slice(0, end)))
    wanted = offered(settings)
    assert named(wanted & ~np.isfinite(vector)) == []
    assert np.isnan(vector[~wanted]).all()
    vector[:] = POISON
    # Into another bucket, minute and bar, to another mid, with a trade and other levels.
    last = rows_of(series, [end])
    for field in ("bid_price", "ask_price"):
        last.ticks[field] += 0.05
    last.ticks["volume"] = last.ticks["buy_volume"] = 1.0
    last.ticks["sell_volume"] = 0.0
    feed(records, last)
    written = vector != POISON
    assert named(wanted & ~written) == []
    assert named(wanted & ~np.isfinite(vector)) == []
    # What is not offered gets no number: no family writes into another one's columns.
    assert named(~wanted & written & ~np.isnan(vector)) == []
