"""The step on ticks made by hand: order flow, segments, and what leaves the columns as they are."""

import numpy as np
import pytest

from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.layout import allocate_session, feature_vector
from alphaseeker.features.step import tick_step
from alphaseeker.market.gate import Verdict

NAMES = [feature.name for feature in FEATURES]
SECOND = 10**9
START = 1_700_000_100 * SECOND
WINDOWED = np.array([feature.history_buckets(1.0) > 0 for feature in FEATURES])


def column(run, name):
    return run.values[:, NAMES.index(name)]


def test_order_flow_of_cont_kukanov_and_stoikov(make_series, run):
    bid = [100, 100, 100, 100, 101, 101, 100]
    bid_size = [5, 5, 5, 7, 3, 3, 8]
    ask = [101, 101, 101, 101, 102, 102, 102]
    ask_size = [4, 4, 4, 4, 6, 2, 2]
    # Two whole seconds of the first quote, then the four events of their test vector in the third.
    seconds = [0.0, 1.0, 2.0, 2.1, 2.2, 2.3, 2.4]
    result = run(make_series(seconds, bid, ask, bid_size, ask_size))
    depth = (4.5 + (np.array(bid_size) + ask_size) / 2) / 2
    flow = (column(result, "flow.ofi_1s") * depth)[2:]
    np.testing.assert_allclose(np.diff(flow), [2, 7, 4, -3], rtol=1e-6)
    bid_half = (column(result, "flow.ofi_bid_1s") * depth)[2:]
    np.testing.assert_allclose(np.diff(bid_half), [2, 3, 0, -3], rtol=1e-6, atol=1e-6)
    ask_half = (column(result, "flow.ofi_ask_1s") * depth)[2:]
    np.testing.assert_allclose(np.diff(ask_half), [0, 4, 4, 0], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(column(result, "flow.bid_up_1s")[2:], [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(column(result, "flow.ask_down_1s")[2:], [0, 0, 0, 0, 0])


def test_a_quiet_market_has_its_defined_values(make_series, run):
    result = run(make_series(np.arange(1000), 9.99, 10.01))
    last = dict(zip(NAMES, result.values[-1].tolist(), strict=True))
    for name, value in last.items():
        signal = name.partition(".")[2].rsplit("_", 1)[0]
        if signal in ("return", "ema_gap", "zscore", "efficiency", "slope", "realized", "ofi"):
            assert value == 0.0, name
        elif signal == "range_position":
            assert value == 0.5, name
        elif signal in ("autocorr", "bipower", "skew", "kurt", "up_share", "jump_share"):
            assert np.isnan(value), name  # fewer than ten returns
    assert last["volatility.ratio_short_long"] == 1.0
    assert last["volatility.ewma"] == 0.0
    assert last["momentum.run_length"] == 0.0
    assert not np.any(np.signbit(result.values[-1]) & (result.values[-1] == 0.0))


def test_a_mid_that_differs_in_its_last_bit_has_not_moved(make_series, run):
    wide = np.arange(400) % 2 == 0
    bid, ask = np.where(wide, 0.7, 0.8), np.where(wide, 1.0, 0.9)
    assert len(np.unique(0.5 * (bid + ask))) == 2  # 0.85 and the next float
    result = run(make_series(np.arange(400), bid, ask))
    for name in ("momentum.run_length", "momentum.zscore_60s", "volatility.realized_60s"):
        assert column(result, name)[-1] == 0.0
    assert column(result, "momentum.range_position_60s")[-1] == 0.5
    np.testing.assert_allclose(column(result, "book.mid_age"), np.log1p(np.arange(400)), rtol=1e-6)


def test_a_locked_book_is_computed_on(make_series, run):
    result = run(make_series(np.arange(3), 10.0, 10.0, close=[9.9, 10.0, 10.1]))
    assert result.verdicts.tolist() == [Verdict.NEW_SESSION, Verdict.LOCKED, Verdict.LOCKED]
    np.testing.assert_array_equal(column(result, "book.spread"), 0.0)
    np.testing.assert_array_equal(column(result, "book.wap_dev"), 0.0)
    np.testing.assert_array_equal(column(result, "book.last_in_spread"), [-5.0, 0.0, 5.0])


def test_one_sided_runs(make_series, run):
    rows = np.arange(400)
    rising = run(make_series(rows, (10_000 + rows) / 100, (10_001 + rows) / 100))
    assert column(rising, "momentum.run_length")[-1] == 399.0
    assert column(rising, "momentum.range_position_60s")[-1] == 1.0
    assert column(rising, "momentum.efficiency_60s")[-1] == 1.0
    assert column(rising, "flow.bid_up_60s")[-1] == pytest.approx(61 / 60)
    assert column(rising, "volatility.up_share_60s")[-1] == 1.0
    falling = run(make_series(rows, (10_400 - rows) / 100, (10_401 - rows) / 100))
    assert column(falling, "momentum.run_length")[-1] == -399.0
    assert column(falling, "momentum.range_position_60s")[-1] == 0.0
    assert column(falling, "volatility.up_share_60s")[-1] == 0.0


def test_empty_buckets_carry_the_quote_on(make_series, run):
    seconds = np.concatenate([np.arange(100), [160.0]])
    price = np.where(np.arange(101) < 90, 10.0, 10.1)
    result = run(make_series(seconds, price, price + 0.02))
    assert result.history[-1] == 159
    assert column(result, "momentum.return_60s")[-2] > 0.0
    assert column(result, "momentum.return_60s")[-1] == 0.0
    assert column(result, "flow.bid_up_60s")[-1] == 0.0
    assert column(result, "volatility.realized_60s")[-1] == 0.0
    assert column(result, "volatility.realized_300s")[-1] != 0.0


@pytest.mark.parametrize(
    ("change", "settings"),
    [
        ("session", {}),
        ("gap", {"max_gap_s": 30.0}),
        # Longer than the longest window: nothing of before is left, whatever the gate allows.
        ("long gap", {"max_gap_s": 1e6}),
    ],
)
def test_a_new_segment_starts_from_nothing(make_series, walk, run, change, settings):
    series = walk(2000)
    half = 1000
    ticks = series.ticks.copy()
    if change == "session":
        ticks["session"][half:] = 1
    else:
        ticks["timestamp"][half:] += (40 if change == "gap" else 902) * SECOND
    result = run(type(series)(symbol="", ticks=ticks, rows=series.rows), **settings)
    assert result.segments[half - 1] == 1
    assert result.segments[half] == 2
    assert result.history[half] == 0
    assert np.isfinite(result.values[half - 1][WINDOWED]).any()
    assert np.isnan(result.values[half][WINDOWED]).all()
    later = type(series)(symbol="", ticks=ticks[half:], rows=series.rows[half:])
    alone = run(later, **settings)
    assert result.values[half:].tobytes() == alone.values.tobytes()


def test_a_gap_within_the_limits_is_caught_up(walk, run):
    series = walk(2000)
    ticks = series.ticks.copy()
    ticks["timestamp"][1000:] += 600 * SECOND
    result = run(type(series)(symbol="", ticks=ticks, rows=series.rows))
    assert result.segments[-1] == 1
    assert result.history[1000] >= 600 + result.history[999]


def test_volume_does_not_enter_these_families(walk, run):
    series = walk(1500)
    traded = series.ticks.copy()
    traded["volume"] = np.random.default_rng(0).exponential(1.0, len(traded))
    other = run(type(series)(symbol="", ticks=traded, rows=series.rows))
    assert other.values.tobytes() == run(series).values.tobytes()


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.REPEATED),
        ({"bid_price": 10.5}, Verdict.CROSSED_BOOK),
        ({"bid_volume": 0.0}, Verdict.EMPTY_SIDE),
        ({"timestamp": START}, Verdict.OUT_OF_ORDER),
        ({"bid_price": 20.0, "ask_price": 20.1}, Verdict.PRICE_JUMP),
        ({"close": float("nan")}, Verdict.BAD_CLOSE),
    ],
)
def test_a_tick_that_is_not_accepted_changes_no_feature(changes, verdict):
    records = allocate_session(FeatureSettings(tick_size=0.01))
    vector = feature_vector(records)
    tick = {
        "timestamp": START,
        "session": 0,
        "bid_price": 10.0,
        "ask_price": 10.1,
        "bid_volume": 1.0,
        "ask_volume": 2.0,
        "close": 10.0,
        "volume": 1.0,
        "buy_volume": float("nan"),
        "sell_volume": float("nan"),
    }
    for second in range(100):
        tick["timestamp"] = START + second * SECOND
        tick_step(records, vector, *tick.values())
    before = records.copy()
    tick.update(changes)
    assert tick_step(records, vector, *tick.values()) == verdict
    for part in records.dtype.names:
        if part != "gate" or verdict < 0:
            assert records[part].tobytes() == before[part].tobytes(), part
