"""The tick size and the bucket length, read off captures and off prices made by hand."""

import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.errors import ConfigError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.settings import fit_settings, infer_bucket_s, infer_tick_size

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
