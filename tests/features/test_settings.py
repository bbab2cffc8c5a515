"""The tick size and the bucket length, read off captures and off prices made by hand."""

from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.errors import ConfigError, ModelError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.integrated_flow import fit_integrated_weights
from alphaseeker.features.microprice import fit_microprice
from alphaseeker.features.settings import (
    fit_settings,
    infer_bucket_s,
    infer_tick_size,
    settings_from_plain,
)
from alphaseeker.market.simulator import simulate
from alphaseeker.model.plain_pickle import decode, encode

FITTED = {
    "usdm_BTCUSDT_quotes": (1.0, 0.1),
    "usdm_BTCUSDT_100ms_depth10": (1.0, 0.1),
    "spot_NEXOUSDT_1s": (1.0, 0.001),
}


def test_captures_have_their_cadence_and_their_tick(capture):
    if capture.name == "crypto_1m":
        ticks = {one.symbol: fit_settings([one], Config()).tick_size for one in capture.series}
        assert capture.settings.bucket_s == 60.0
        assert {symbol: ticks[symbol] for symbol in ("ethusd", "ltcusd")} == {
            "ethusd": 0.01,
            "ltcusd": 0.01,
        }
        assert capture.settings.tick_sizes == ticks
        assert capture.settings.tick_size_of("ltcusd") == 0.01
        assert np.isnan(capture.settings.tick_size_of("a symbol that it never saw"))
    else:
        assert (capture.settings.bucket_s, capture.settings.tick_size) == FITTED[capture.name]


@pytest.mark.parametrize(
    ("prices", "tick"),
    [
        ([60_000.1, 60_000.2, 60_000.5], 0.1),
        ([60_000.0, 60_000.5, 60_002.0], 0.5),
        ([100.0, 150.0, 225.0], 25.0),
        ([0.00001234, 0.00001235], 1e-8),
        ([60_000.12345, 60_000.12346], 1e-5),  # ten digits
        ([1.1, 1.2, 1.1 + 2e-13], 0.1),  # a price that a program added up
        ([7.0], 7.0),
        ([float("nan"), 0.0, -1.0, 0.25, 0.5], 0.25),
    ],
)
def test_tick_size_of_prices(prices, tick):
    assert infer_tick_size(np.array(prices)) == pytest.approx(tick, rel=1e-12)


@pytest.mark.parametrize(
    ("start", "tick"),
    [
        *((start, tick) for start in (30.0, 1_000.0, 28_000.0) for tick in (0.1, 0.25, 0.5, 1.0)),
        (30.0, 0.01),
        (1_000.0, 0.01),  # at 28,000 float32 is coarser than that
        (1_000.0, 1 / 256),
        (0.3, 0.0001),
    ],
)
def test_prices_that_were_rounded_to_float32_have_the_same_tick_size(start, tick):
    prices = start + tick * np.arange(1, 400)
    assert infer_tick_size(prices.astype(np.float32).astype(np.float64)) == pytest.approx(tick)
    assert infer_tick_size(prices) == pytest.approx(tick)


def test_a_stray_price_does_not_decide():
    prices = np.append(np.arange(1, 5001) * 0.5, 7.123)
    assert infer_tick_size(prices) == 0.5


@pytest.mark.parametrize("prices", [[], [float("nan")], [0.0, -3.0, float("inf")]])
def test_without_a_usable_price_the_tick_size_is_unknown(prices):
    assert np.isnan(infer_tick_size(np.array(prices)))


@pytest.mark.parametrize(
    ("interval_s", "bucket_s"),
    [(0.001, 1.0), (0.1, 1.0), (1.0, 1.0), (1.4, 1.0), (5.0, 5.0), (60.0, 60.0), (7200.0, 900.0)],
)
def test_bucket_follows_the_cadence(make_series, interval_s, bucket_s):
    assert infer_bucket_s([make_series(np.arange(50) * interval_s, 1.0, 1.1)]) == bucket_s


def test_equal_stamps_and_breaks_between_sessions_are_no_cadence(make_series):
    seconds = np.repeat(np.arange(40) * 5.0, 3)
    session = np.arange(120) // 2  # breaks of no time and of five seconds
    assert infer_bucket_s([make_series(seconds, 1.0, 1.1, session=0)]) == 5.0
    assert infer_bucket_s([make_series(seconds[::2], 1.0, 1.1, session=session[::2])]) == 1.0
    assert infer_bucket_s([make_series([0.0], 1.0, 1.1)]) == 1.0
    assert infer_bucket_s([]) == 1.0


def test_configuration_has_its_effect(make_series):
    series = [make_series(np.arange(50) * 60.0, 1.0, 1.1)]
    changes = {"BUCKET_S": 5, "MAX_GAP_S": 120.0, "MAX_JUMP": 0.5}
    settings = fit_settings(series, Config().override(changes))
    assert (settings.bucket_s, settings.max_gap_s, settings.max_jump) == (5.0, 120.0, 0.5)
    fitted = fit_settings(series, Config())
    sizes = {series[0].symbol: 0.1}
    assert fitted == FeatureSettings(bucket_s=60.0, tick_size=0.1, tick_sizes=sizes)
    assert fitted.tick_size_of("another name for the only one") == 0.1


@pytest.mark.parametrize("bucket_s", [0.0, 0.5, -1.0, 901.0, float("nan"), float("inf")])
def test_buckets_that_the_record_has_no_room_for_are_refused(bucket_s):
    with pytest.raises(ConfigError, match=r"bucket_s is .* from 1 to 900"):
        FeatureSettings(bucket_s=bucket_s)


@pytest.mark.parametrize("tick_size", [0.0, -0.1, float("inf"), "0.1", True, None])
def test_tick_sizes_that_are_none_are_refused(tick_size):
    with pytest.raises(ConfigError, match="tick_size is"):
        FeatureSettings(tick_size=tick_size)


@pytest.fixture(scope="module")
def deep():
    """Two SIMULATED symbols with depth and the aggressor's side."""
    return [
        simulate(3_000, seed=seed, symbol=f"SIMULATED_{seed}", depth_levels=levels)
        for seed, levels in ((1, 5), (2, 3))
    ]


@pytest.fixture(scope="module")
def fitted(deep):
    """What was fitted on them."""
    return fit_settings(deep, Config())


def test_depth_and_sides_count_where_every_series_has_them(deep, fitted):
    assert (fitted.depth_levels, fitted.aggressor) == (3, True)
    alone = fit_settings(deep[:1], Config())
    assert alone.depth_levels == 5
    ticks = deep[1].ticks.copy()
    ticks["sell_volume"] = np.nan
    flat = fit_settings([deep[0], replace(deep[1], ticks=ticks, depth=None)], Config())
    assert (flat.depth_levels, flat.aggressor, flat.ofi_weights) == (0, False, {})


def test_tables_and_weights_are_those_of_each_symbol(deep, fitted):
    assert list(fitted.microprices) == [one.symbol for one in deep] == list(fitted.ofi_weights)
    for one in deep:
        assert fitted.microprices[one.symbol] == fit_microprice([one], 0.01)
        assert fitted.ofi_weights[one.symbol] == fit_integrated_weights([one], 3, 1.0)
    first, second = (fitted.microprices[one.symbol] for one in deep)
    assert first != second


def test_a_symbol_with_too_few_ticks_gets_nothing_of_anothers(deep):
    few = replace(deep[1], ticks=deep[1].ticks[:40], rows=deep[1].rows[:40])
    settings = fit_settings([deep[0], replace(few, depth=deep[1].depth[:40])], Config())
    assert set(settings.tick_sizes) == {"SIMULATED_1", "SIMULATED_2"}
    assert list(settings.microprices) == list(settings.ofi_weights) == ["SIMULATED_1"]
    for symbol in ("SIMULATED_2", "another one"):
        assert settings.microprice_of(symbol) is None
        assert settings.ofi_weights_of(symbol) == [1 / 3] * 3
    assert settings.microprice_of("SIMULATED_1") == settings.microprices["SIMULATED_1"]


def test_the_only_symbol_stands_for_another_name(deep):
    settings = fit_settings(deep[:1], Config())
    assert settings.microprice_of("a bot's name") == settings.microprices["SIMULATED_1"]
    assert settings.ofi_weights_of("a bot's name") == settings.ofi_weights["SIMULATED_1"]
    assert settings.tick_size_of("a bot's name") == 0.01


def test_two_series_of_one_symbol_are_fitted_together(deep):
    half = len(deep[0]) // 2
    parts = [
        replace(deep[0], ticks=deep[0].ticks[rows], rows=deep[0].rows[rows], depth=depth)
        for rows, depth in (
            (slice(0, half), deep[0].depth[:half]),
            (slice(half, None), deep[0].depth[half:]),
        )
    ]
    together = fit_settings(parts, Config())
    assert together.microprices == {"SIMULATED_1": fit_microprice(parts, 0.01)}
    assert together.ofi_weights == {"SIMULATED_1": fit_integrated_weights(parts, 5, 1.0)}


def test_the_gap_that_ends_a_segment_ends_a_move_too(deep):
    short = fit_settings(deep, Config().override({"MAX_GAP_S": 0.5}))
    assert (short.microprices, short.ofi_weights) == ({}, {})


def test_settings_come_back_from_a_model_file(fitted):
    plain = decode(encode(_listed(asdict(fitted))))
    back = settings_from_plain(plain)
    assert _listed(asdict(back)) == plain == _listed(asdict(FeatureSettings(**plain)))
    for symbol in ("SIMULATED_1", "SIMULATED_2"):
        assert [*map(tuple, back.microprice_of(symbol))] == [*fitted.microprice_of(symbol)]
        assert tuple(back.ofi_weights_of(symbol)) == fitted.ofi_weights_of(symbol)


def _listed(value):
    """Return nested tuples as lists, as a model file holds them."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize(
    "damage",
    [
        {"moonphase": 1.0},
        {"bucket_s": "1"},
        {"bucket_s": 0.0},
        {"max_gap_s": float("nan")},
        {"max_jump": None},
        {"tick_size": -0.1},
        {"tick_sizes": [0.1]},
        {"tick_sizes": {"A": "0.1"}},
        {"tick_sizes": {1: 0.1}},
        {"microprices": {"A": []}},
        {"microprices": {"A": [[0.0] * 9]}},
        {"microprices": {"A": [[0.0] * 10] * 5}},
        {"microprices": {"A": [[float("inf")] * 10]}},
        {"microprices": {"A": [0.0] * 10}},
        {"microprices": {"A": "0" * 10}},
        {"ofi_weights": {"A": [0.5, 0.5]}},
        {"ofi_weights": {"A": [0.5, 0.5, "0"]}},
        {"ofi_weights": {"A": None}},
        {"aggressor": 1},
        {"depth_levels": 1},
        {"depth_levels": 11},
        {"depth_levels": 3.0},
        {"depth_levels": True},
        {"round_trip_notional": 0.0},
        {"round_trip_notional": float("inf")},
    ],
)
def test_damaged_settings_are_a_model_error(fitted, damage):
    with pytest.raises(ModelError, match="settings"):
        settings_from_plain({**_listed(asdict(fitted)), **damage})


@pytest.mark.parametrize("name", [one.name for one in fields(FeatureSettings)])
def test_every_setting_must_be_there(fitted, name):
    plain = _listed(asdict(fitted))
    del plain[name]
    with pytest.raises(ModelError, match=f"settings {name} is missing"):
        settings_from_plain(plain)


def test_a_damaged_value_is_named_and_kept_short(fitted):
    damage = {"microprices": {"A": [[0.5] * 1_000]}}
    with pytest.raises(ModelError, match="settings microprices is damaged") as refused:
        settings_from_plain({**_listed(asdict(fitted)), **damage})
    assert len(str(refused.value)) < 250
