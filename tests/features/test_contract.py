"""What every declaration promises: its history, its unit's scale law, and no clock of its own."""

import math
from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES, feature_named
from alphaseeker.features.declaration import NANOSECONDS
from alphaseeker.features.inputs import available_names
from alphaseeker.features.readiness import required_buckets

# Units, and what prices times ten and sizes times ten make of a column.
LAWS = {
    "bp": (1.0, 1.0),
    "bp^2": (1.0, 1.0),
    "bp/s": (1.0, 1.0),
    "bp/size": (1.0, 0.1),
    "bp/notional": (0.1, 0.1),
    "bp/notional^0.5": (0.1**0.5, 0.1**0.5),
    "ticks": (10.0, 1.0),
    "1": (1.0, 1.0),
    "-1..1": (1.0, 1.0),
    "0..1": (1.0, 1.0),
    "0..100": (1.0, 1.0),
    "1/s": (1.0, 1.0),
    "spreads": (1.0, 1.0),
    "moves": (1.0, 1.0),
    "minutes": (1.0, 1.0),
}
BOUNDS = {
    "-1..1": (-1.0, 1.0),
    "0..1": (0.0, 1.0),
    "0..100": (0.0, 100.0),
    "minutes": (1.0, 480.0),
    "ticks": (0.0, math.inf),
    "spreads": (-5.0, 5.0),
}
# Their table is looked up by the spread in ticks: they scale only where the tick does, too.
BY_TICK = {"book.microprice_dev"}
# They rest on ln(1 + size), in which no factor can be told apart.
OF_LOGARITHMS = {
    "book.quote_slope",
    "depth.bid_slope",
    "depth.ask_slope",
    *(f"trades.volume_z_{window}s" for window in (30, 60, 300)),
}
PRICES = ("bid_price", "ask_price", "close")
SIZES = ("bid_volume", "ask_volume", "volume", "buy_volume", "sell_volume")
TOLERANCE = 2e-6  # of a value, and of the largest of its column
LONGEST_HISTORY = max(feature.history_buckets(1.0) for feature in FEATURES)


def needs_ten_returns(feature):
    return "non-zero returns" in feature.formula


def with_history(run, bucket_s):
    """Yield each column, its values on the accepted rows, and where it has its history."""
    history = run.history[run.accepted]
    for name, column in zip(run.names, run.values[run.accepted].T, strict=True):
        feature = feature_named(name)
        needed = feature.history_buckets(bucket_s)
        ready = np.zeros(len(history), dtype=bool) if needed is None else history >= needed
        yield feature, column, ready


def unequal(names, values, expected):
    """Return the columns that differ by more than rounding."""
    found = []
    for name, got, wanted in zip(names, values.T, expected.T, strict=True):
        known = np.abs(wanted[np.isfinite(wanted)])
        allowed = TOLERANCE * (np.abs(wanted) + known.max(initial=0.0))
        same = (np.isnan(got) & np.isnan(wanted)) | (np.abs(got - wanted) <= allowed)
        if not same.all():
            found.append(name)
    return found


@pytest.fixture(scope="module")
def busy(deep_walk):
    """Ticks that move the mid in nearly every second, for longer than most histories."""
    return deep_walk(5000)


@pytest.fixture(scope="module")
def busy_run(busy, run, everything):
    return run(busy, **everything)


@pytest.fixture(scope="module")
def long_run(deep_walk, run, everything):
    """Ticks that go on for longer than every history."""
    return run(deep_walk(22_000, seed=5, interval_s=0.8), **everything)


# ---- history ------------------------------------------------------------------------------------


def test_every_column_of_the_catalogue_is_put_to_the_test(busy_run):
    assert list(busy_run.names) == [feature.name for feature in FEATURES]
    assert {feature.unit for feature in FEATURES} == set(LAWS)


def test_nan_until_the_declared_history_and_finite_after(busy_run, long_run):
    assert long_run.history[-1] > LONGEST_HISTORY
    wrong = set()
    for result in (busy_run, long_run):
        for feature, column, ready in with_history(result, 1.0):
            # On the longer run, the mid moves less often than every third second now and then.
            fickle = result is long_run and needs_ten_returns(feature)
            finite = np.isfinite(column)
            if finite[~ready].any() or not (finite[ready].all() or fickle):
                wrong.add(feature.name)
    assert wrong == set()


@pytest.mark.parametrize("bucket_s", [1.5, 3.6, 7.0, 30.0, 60.0, 900.0])
def test_histories_hold_in_buckets_of_any_length(deep_walk, everything, run, bucket_s):
    interval_s = 1.2 if bucket_s < 60 else bucket_s / 4
    result = run(deep_walk(3000, interval_s=interval_s), **everything, bucket_s=bucket_s)
    wrong = []
    for feature, column, ready in with_history(result, bucket_s):
        finite = np.isfinite(column)
        if finite[~ready].any() or not (needs_ten_returns(feature) or finite[ready].all()):
            wrong.append(feature.name)
    assert wrong == []


def test_on_captures_only_declared_rules_make_nan(capture):
    wrong = set()
    for series, run in zip(capture.series, capture.runs, strict=True):
        levels = capture.settings.depth_levels
        complete = np.ones(run.accepted.sum(), dtype=bool)
        if levels:
            below = series.depth[run.accepted, 1:levels]
            complete = ~np.isnan(below).any(axis=(1, 2))
        for feature, column, ready in with_history(run, capture.settings.bucket_s):
            if needs_ten_returns(feature):
                known = np.zeros_like(ready)  # where they are too few is the oracle's to say
            elif feature.levels and not feature.window_s:
                known = ready & complete
            else:
                known = ready
            if np.isfinite(column[~ready]).any() or not np.isfinite(column[known]).all():
                wrong.add(feature.name)
            if np.isinf(column).any():
                wrong.add(feature.name)
    assert wrong == set()


def test_every_column_at_once_is_ready_after_the_longest_history(busy_run):
    names = [feature.name for feature in FEATURES if feature.memory_s <= 900]
    needed = required_buckets(busy_run.names, bucket_s=1.0, ready_history_s=900)
    assert needed == 909
    columns = [busy_run.names.index(name) for name in names]
    assert np.isfinite(busy_run.values[busy_run.history >= needed][:, columns]).all()


def test_levels_that_are_missing_make_nan_of_what_reads_them_and_of_nothing_else(
    deep_walk, everything, run
):
    series = deep_walk(2000, missing=0.04, seed=9)
    result = run(series, **everything)
    there = np.isfinite(series.depth[:, :, 0]) & np.isfinite(series.depth[:, :, 2])
    count = np.logical_and.accumulate(there, axis=1).sum(axis=1)
    assert set(count) > {2, 5, 10}
    whole_book = {"depth.imbalance_3": 3, "depth.imbalance_5": 5}
    for feature, column, ready in with_history(result, 1.0):
        known = ready
        if feature.levels and not feature.window_s:
            known = ready & (count >= whole_book.get(feature.name, 10))
        if not needs_ten_returns(feature):
            assert np.isfinite(column).tolist() == known.tolist(), feature.name


# ---- scale laws, and shifts in time --------------------------------------------------------------


def scaled_by_ten(series, fields, level_columns):
    """Return the series with some fields, and columns of its depth, times ten."""
    ticks, depth = series.ticks.copy(), series.depth.copy()
    for field in fields:
        ticks[field] = np.round(ticks[field] * 10, 9)
    depth[:, :, level_columns] = np.round(depth[:, :, level_columns] * 10, 9)
    return replace(series, ticks=ticks, depth=depth)


@pytest.mark.parametrize("tick_factor", [1.0, 10.0])
def test_prices_times_ten(busy, busy_run, everything, run, tick_factor):
    settings = FeatureSettings(**everything)
    scaled = run(
        scaled_by_ten(busy, PRICES, slice(0, 4, 2)),
        **{**everything, "tick_size": settings.tick_size * tick_factor},
        # Quote currency: ten times as much buys as many units.
        round_trip_notional=settings.round_trip_notional * 10,
    )
    expected = busy_run.values.astype(float)
    for column, name in zip(expected.T, busy_run.names, strict=True):
        unit = feature_named(name).unit
        column *= LAWS[unit][0] / (tick_factor if unit == "ticks" else 1.0)
    wrong = unequal(busy_run.names, scaled.values.astype(float), expected)
    assert set(wrong) == (BY_TICK if tick_factor == 1.0 else set())


def test_sizes_times_ten(busy, busy_run, everything, run):
    notional = FeatureSettings(**everything).round_trip_notional
    grown = scaled_by_ten(busy, SIZES, slice(1, 4, 2))
    scaled = run(grown, **everything, round_trip_notional=notional * 10)
    expected = busy_run.values.astype(float)
    for column, name in zip(expected.T, busy_run.names, strict=True):
        column *= LAWS[feature_named(name).unit][1]
        if name == "book.depth":
            column += math.log(10.0)
        elif "depth.within" in name:
            column[:] = np.log1p(10.0 * np.expm1(column))
    # A share of just so many tenths falls to either side: the micro-price's bins have edges there.
    tenths = busy.ticks["bid_volume"] / (busy.ticks["bid_volume"] + busy.ticks["ask_volume"]) * 10
    inside = np.abs(tenths - np.rint(tenths)) > 1e-9
    assert inside.mean() > 0.9
    wrong = unequal(busy_run.names, scaled.values[inside].astype(float), expected[inside])
    assert set(wrong) == OF_LOGARITHMS


def test_slope_of_the_quote_in_sizes_times_ten(busy, busy_run, everything, run):
    grown = scaled_by_ten(busy, SIZES, slice(1, 4, 2))
    logarithms = [
        np.log1p(one.ticks["bid_volume"]) + np.log1p(one.ticks["ask_volume"])
        for one in (busy, grown)
    ]
    np.testing.assert_allclose(
        run(grown, **everything).column("book.quote_slope"),
        busy_run.column("book.quote_slope") * logarithms[0] / logarithms[1],
        rtol=TOLERANCE,
    )


@pytest.mark.parametrize("seconds", [1, 1_234, -86_400 * 365, 86_400])
def test_time_shifted_by_whole_buckets(busy, busy_run, everything, run, seconds):
    ticks = busy.ticks.copy()
    ticks["timestamp"] += seconds * NANOSECONDS
    shifted = run(replace(busy, ticks=ticks), **everything)
    differing = {
        name
        for index, name in enumerate(busy_run.names)
        if shifted.values[:, index].tobytes() != busy_run.values[:, index].tobytes()
    }
    on_the_clock = {f.name for f in FEATURES if f.bar or f.family == "calendar"}
    if seconds % 86_400 == 0:
        assert differing == set()
    else:
        assert differing <= on_the_clock
        assert {"bars.prev_return_60s", "calendar.hour_sin"} <= differing | (
            {"bars.prev_return_60s"} if seconds % 60 == 0 else set()
        )


# ---- the past and nothing else -------------------------------------------------------------------


def test_a_prefix_gives_the_bits_of_the_whole(busy, busy_run, everything, run, rows_of):
    for end in (1, 2, 777, 2_500, 4_999):
        part = run(rows_of(busy, slice(0, end)), **everything)
        assert part.values.tobytes() == busy_run.values[:end].tobytes()


def test_another_future_changes_nothing_before_it(busy, busy_run, everything, run):
    rng = np.random.default_rng(4)
    for now in (0, 1, 40, 1_300, 2_600, 4_900):
        ticks, depth = busy.ticks.copy(), busy.depth.copy()
        future = ticks[now + 1 :]
        for field in (*PRICES, *SIZES):
            future[field] *= rng.uniform(0.95, 1.0, len(future))
        future["ask_price"] += 6.0
        future["timestamp"] += NANOSECONDS // 3
        depth[now + 1 :] *= rng.uniform(0.9, 1.1, depth[now + 1 :].shape)
        other = run(replace(busy, ticks=ticks, depth=depth), **everything)
        assert other.values[: now + 1].tobytes() == busy_run.values[: now + 1].tobytes()
        assert other.values[now + 1 :].tobytes() != busy_run.values[now + 1 :].tobytes()


def test_a_session_is_as_if_it_were_alone(deep_walk, everything, run, rows_of):
    series = deep_walk(6_000, seed=11)
    starts = (0, 1_500, 1_501, 4_000)
    series.ticks["session"] = np.searchsorted(starts, np.arange(6_000), side="right")
    whole = run(series, **everything)
    for start, end in zip(starts, [*starts[1:], 6_000], strict=True):
        alone = run(rows_of(series, slice(start, end)), **everything)
        assert alone.values.tobytes() == whole.values[start:end].tobytes()
        assert alone.history.tobytes() == whole.history[start:end].tobytes()


def test_a_session_of_a_capture_is_as_if_it_were_alone(capture, rows_of, run):
    series, whole = capture.series[0], capture.runs[0]
    sessions = series.ticks["session"]
    settings = {field: getattr(capture.settings, field) for field in vars(capture.settings)}
    for session in np.unique(sessions)[:3]:
        rows = sessions == session
        if not whole.accepted[np.flatnonzero(rows)[0]]:
            continue
        alone = run(rows_of(series, rows), **settings)
        assert alone.values.tobytes() == whole.values[rows].tobytes()


def test_a_gap_within_the_limits_is_time_that_passed(deep_walk, everything, run):
    """Empty seconds are seconds in which nothing happened: the quote is as good as repeated."""
    series = deep_walk(1_500, seed=12)
    later = series.ticks["timestamp"].copy()
    later[1_000:] += 700 * NANOSECONDS
    ticks = series.ticks.copy()
    ticks["timestamp"] = later
    gap = run(replace(series, ticks=ticks), **everything)
    # The same ticks, and in the gap one a second that brings nothing but its time.
    seconds = later[999] + np.arange(1, 700) * NANOSECONDS
    held = np.repeat(ticks[999:1_000], len(seconds))
    held["timestamp"] = seconds
    for field in ("volume", "buy_volume", "sell_volume"):
        held[field] = 0.0
    filled = replace(
        series,
        ticks=np.concatenate([ticks[:1_000], held, ticks[1_000:]]),
        depth=np.concatenate(
            [series.depth[:1_000], np.repeat(series.depth[999:1_000], 699, 0), series.depth[1_000:]]
        ),
        rows=np.arange(1_500 + len(seconds)),
    )
    steady = run(filled, **everything)
    after = 1_000 + len(seconds)
    assert gap.segments[-1] == steady.segments[-1] == 1
    wrong = unequal(
        gap.names, gap.values[1_000:].astype(float), steady.values[after:].astype(float)
    )
    assert wrong == []


# ---- bounds, and life ----------------------------------------------------------------------------


def test_bounded_units_stay_in_their_bounds(capture):
    wrong = set()
    for run in capture.runs:
        for name, column in zip(run.names, run.values[run.accepted].T, strict=True):
            low, high = BOUNDS.get(feature_named(name).unit, (-math.inf, math.inf))
            finite = column[np.isfinite(column)]
            if not np.all((low <= finite) & (finite <= high)):
                wrong.add(name)
            if np.any(np.signbit(finite) & (finite == 0.0)):
                wrong.add(f"{name} has -0.0")
    assert wrong == set()


def test_every_column_varies(long_run):
    """A column that is never anything but one number carries nothing."""
    last = long_run.values[long_run.history >= LONGEST_HISTORY]
    constant = [
        name for name, column in zip(long_run.names, last.T, strict=True) if np.ptp(column) == 0
    ]
    assert constant == []


# What the data of a capture leaves a column no chance to be but one number.
IDLE = {
    # Every tick is a change of the quote.
    "usdm_BTCUSDT_quotes": {"book.quote_age"},
    # One tick a minute: where a bar is a minute, its open and its close are its high and its low.
    "crypto_1m": {"bars.rogers_satchell_60s"},
}


def test_every_column_of_the_captures_varies(capture):
    settings = capture.settings
    longest = max(run.history.max() for run in capture.runs)
    ranges = {}
    for run in capture.runs:
        for name, column in zip(run.names, run.values[run.accepted].T, strict=True):
            finite = column[np.isfinite(column)]
            if len(finite):
                ranges[name] = max(ranges.get(name, 0.0), np.ptp(finite))
    expected = set()
    for name in available_names(settings):
        feature = feature_named(name)
        needed = feature.history_buckets(settings.bucket_s)
        # In buckets of a minute, windows up to 5 minutes never hold ten returns.
        few = needs_ten_returns(feature) and feature.window_s < 10 * settings.bucket_s
        if needed is not None and needed < longest and not few:
            expected.add(name)
    assert len(expected) > 100
    assert expected - set(ranges) == set()
    idle = {name for name in expected if ranges[name] == 0}
    assert idle == IDLE.get(capture.name, set())
