"""Markets in which nothing, or one thing alone, happens: every column has its defined value."""

import math
from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.features.catalogue import FEATURES, feature_named

LONGEST_HISTORY = max(feature.history_buckets(1.0) for feature in FEATURES)


def needs_ten_returns(feature):
    return "non-zero returns" in feature.formula


# What a signal with a window says where nothing was ever traded.
NOTHING_TRADED = {
    "bars.volume_ratio": 1.0,
    "trades.volume_z": 0.0,
    "trades.signed_ratio": 0.0,
    "trades.trade_rate": 0.0,
    "trades.mean_size_ratio": 1.0,
    "trades.vwap_dev": 0.0,
    "trades.sign_autocorr": 0.0,
    "trades.bulk_imbalance": 0.0,
    "trades.vpin": 0.0,
    "liquidity.kyle": 0.0,
    "liquidity.amihud": 0.0,
    "liquidity.hasbrouck": 0.0,
    "liquidity.roll": 0.0,
    "liquidity.effective_spread": 0.0,
    "liquidity.realized_spread": 0.0,
    "liquidity.price_impact": 0.0,
    "aggressor.signed_ratio": 0.0,
    "aggressor.count_imbalance": 0.0,
    "aggressor.large_trade_share": 0.0,
    "aggressor.intensity": 0.0,
}
# And where, beside that, the book never changes: 3 bid, 2 asked.
NOTHING_MOVES = {
    **NOTHING_TRADED,
    "dynamics.spread_z": 0.0,
    "dynamics.depth_z": 0.0,
    "dynamics.imbalance_mean": np.float32(0.2),
    "dynamics.imbalance_change": 0.0,
    "dynamics.imbalance_persistence": 1.0,
    "dynamics.quote_rate": 0.0,
    "dynamics.quote_rate_ratio": 1.0,
    "flow.ofi": 0.0,
    "flow.ofi_bid": 0.0,
    "flow.ofi_ask": 0.0,
    "flow.ofi_fast_slow": 0.0,
    "flow.bid_up": 0.0,
    "flow.ask_down": 0.0,
    "momentum.return": 0.0,
    "momentum.ema_gap": 0.0,
    "momentum.zscore": 0.0,
    "momentum.range_position": 0.5,
    "momentum.efficiency": 0.0,
    "momentum.slope": 0.0,
    "momentum.rsi": 50.0,
    "momentum.macd": 0.0,
    "momentum.macd_histogram": 0.0,
    "volatility.realized": 0.0,
    "volatility.ewma": 0.0,
    "volatility.ratio_short_long": 1.0,
    "bars.bar_return_in_progress": 0.0,
    "bars.prev_return": 0.0,
    "bars.range": 0.0,
    "bars.close_position": 0.5,
    "bars.body_share": 0.0,
    "bars.parkinson": 0.0,
    "bars.garman_klass": 0.0,
    "bars.rogers_satchell": 0.0,
    "bars.atr": 0.0,
    "depth.ofi_level2": 0.0,
    "depth.ofi_level3": 0.0,
    "depth.ofi_level4": 0.0,
    "depth.ofi_level5": 0.0,
    "depth.integrated_ofi": 0.0,
    "aggressor.cancel_rate": 0.0,
}


def still(make_series, with_depth, rows):
    series = with_depth(make_series(np.arange(rows), 9.99, 10.01, buy_volume=0.0, sell_volume=0.0))
    return replace(series, depth=np.repeat(series.depth[:1], rows, axis=0))


def test_where_nothing_varies_every_window_has_its_defined_value(
    make_series, with_depth, everything, run
):
    result = run(still(make_series, with_depth, LONGEST_HISTORY + 100), **everything)
    last = result.values[-1]
    waiting = [feature for feature in FEATURES if feature.history_buckets(1.0) > 0]
    for feature in waiting:
        value = last[result.names.index(feature.name)]
        if needs_ten_returns(feature):
            assert np.isnan(value), feature.name
        else:
            assert value == NOTHING_MOVES[f"{feature.family}.{feature.signal}"], feature.name
    assert not np.any(np.signbit(last) & (last == 0.0))
    # The others do not wait; they are what they were at the first tick, their ages apart.
    now = [result.names.index(f.name) for f in FEATURES if f not in waiting]
    ages = [index for index in now if result.names[index].endswith("_age")]
    standing = [
        index for index in now if index not in ages and "calendar" not in FEATURES[index].family
    ]
    assert len(standing) > 20
    assert result.values[-1, standing].tobytes() == result.values[0, standing].tobytes()
    assert last[ages].tolist() == [np.float32(math.log(LONGEST_HISTORY + 100))] * 2


def test_where_nothing_is_traded_what_rests_on_trades_has_its_defined_value(
    walk, with_depth, everything, run
):
    quotes = walk(22_000, seed=6, interval_s=0.8, buy_volume=0.0, sell_volume=0.0)
    quotes.ticks["close"] = 100.0
    result = run(with_depth(quotes), **everything)
    checked = 0
    for feature in FEATURES:
        value = NOTHING_TRADED.get(f"{feature.family}.{feature.signal}")
        if value is not None:
            ready = result.history >= feature.history_buckets(1.0)
            assert ready.any()
            assert np.all(result.column(feature.name)[ready] == value), feature.name
            checked += 1
    assert checked == sum(
        f.family in ("trades", "liquidity") or "volume_ratio" in f.signal for f in FEATURES
    ) + sum(f.family == "aggressor" and f.signal != "cancel_rate" for f in FEATURES)


# What a run of purchases at the ask says, a tick up every second; of sales and a tick down, the
# second number.
ONE_SIDED = {
    "momentum.run_length": (1_499.0, -1_499.0),
    "momentum.range_position": (1.0, 0.0),
    "momentum.efficiency": (1.0, 1.0),
    "momentum.rsi": (100.0, 0.0),
    "volatility.up_share": (1.0, 0.0),
    "volatility.jump_share": (0.0, 0.0),
    "dynamics.quote_rate_ratio": (
        pytest.approx(6 / 5 * 300 / 301),
        pytest.approx(6 / 5 * 300 / 301),
    ),
    "trades.signed_ratio": (1.0, -1.0),
    "trades.sign_autocorr": (1.0, 1.0),
    "trades.volume_z": (0.0, 0.0),
    "trades.mean_size_ratio": (pytest.approx(1.0), pytest.approx(1.0)),
    "liquidity.roll": (0.0, 0.0),
    "aggressor.signed_ratio": (1.0, -1.0),
    "aggressor.count_imbalance": (1.0, -1.0),
    "aggressor.large_trade_share": (0.0, 0.0),
    "bars.close_position": (1.0, 0.0),
    "bars.body_share": (1.0, 1.0),
}


FOLLOWERS = (
    "flow.ofi_60s",
    "momentum.return_60s",
    "momentum.ema_gap_60s",
    "momentum.slope_300s",
    "bars.prev_return_60s",
    "trades.bulk_imbalance_60s",
    "aggressor.intensity_5s",
)


@pytest.mark.parametrize("down", [False, True])
def test_runs_to_one_side(make_series, with_depth, everything, run, down):
    rows = np.arange(1_500)
    bid = (20_000 - rows if down else 20_000 + rows) / 100
    side = (
        {"buy_volume": 0.0, "sell_volume": 2.0} if down else {"buy_volume": 2.0, "sell_volume": 0}
    )
    close = bid if down else bid + 0.01
    series = make_series(rows, bid, np.round(bid + 0.01, 2), close=close, volume=2.0, **side)
    result = run(with_depth(series), **everything)
    last = result.values[-1]
    found = set()
    for name, value in zip(result.names, last, strict=True):
        feature = feature_named(name)
        key = f"{feature.family}.{feature.signal}"
        if key in ONE_SIDED and result.history[-1] >= feature.history_buckets(1.0):
            assert value == ONE_SIDED[key][int(down)], name
            found.add(key)
    assert found == set(ONE_SIDED)
    sign = -1.0 if down else 1.0
    for name in FOLLOWERS:
        assert last[result.names.index(name)] * sign > 0, name
    for name in ("liquidity.kyle_60s", "liquidity.hasbrouck_60s", "liquidity.price_impact_60s"):
        assert last[result.names.index(name)] > 0, name


@pytest.mark.parametrize("size", [1e-3, 1e-7, 1e-12, 1e-20])
def test_the_slope_of_the_quote_is_that_of_however_small_sizes(make_series, run, size):
    """One more than a size of 1e-20 is one, whose logarithm is no size at all."""
    series = make_series(range(3), 100.0, 100.02, bid_volume=3.0 * size, ask_volume=2.0 * size)
    slopes = run(series).column("book.quote_slope").astype(float)
    expected = 0.02 / (math.log1p(3.0 * size) + math.log1p(2.0 * size)) / 100.01 * 1e4
    np.testing.assert_allclose(slopes, expected, rtol=3e-7)


@pytest.mark.parametrize("size", [math.nan, -1e6])
def test_a_level_whose_size_is_not_known_is_missing_with_those_behind_it(
    walk, with_depth, run, size
):
    """The bits of NaN are those of a large number: a logarithm of them would be 710."""
    series = with_depth(walk(40), levels=5)
    damaged, blank = series.depth.copy(), series.depth.copy()
    damaged[30, 1, 1] = size
    blank[30, 1:, :2] = math.nan
    known = run(series, depth_levels=5)
    result = run(replace(series, depth=damaged), depth_levels=5)
    expected = run(replace(series, depth=blank), depth_levels=5)
    np.testing.assert_array_equal(result.values[:30], known.values[:30])
    np.testing.assert_array_equal(result.values, expected.values)
    for name in ("bid_slope", "within_5bp", "within_10bp", "within_25bp"):
        assert np.isfinite(known.column(f"depth.{name}")[30])
        assert np.isnan(result.column(f"depth.{name}")[30]), name
