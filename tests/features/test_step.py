"""The step on ticks made by hand: order flow, segments, and what leaves the columns as they are."""

from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import feature_named
from alphaseeker.features.layout import feature_vector
from alphaseeker.features.step import tick_step
from alphaseeker.market.gate import Verdict

SECOND = 10**9
START = 1_700_000_100 * SECOND


def column(run, name):
    return run.column(name)


def windowed(run):
    """Tell of each column whether it has to wait for its history."""
    return np.array([feature_named(name).history_buckets(1.0) > 0 for name in run.names])


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


def test_each_window_counts_its_buckets_and_the_present_one(make_series, run):
    rows = np.arange(400)
    rising = run(make_series(rows, (10_000 + rows) / 100, (10_001 + rows) / 100))
    assert column(rising, "flow.bid_up_60s")[-1] == pytest.approx(61 / 60)
    assert column(rising, "flow.ask_down_60s")[-1] == 0.0


def test_a_long_return_that_begins_while_nothing_moves(make_series, run):
    """The mid leaves its price for one second: ten seconds later the last ten have a return.

    Until then, and from the second after it, they have none.
    """
    rows = np.arange(1800)  # long enough that nothing is written merely because windows fill
    away = (rows % 23 == 11) & (rows < 1400)
    result = run(make_series(rows, np.where(away, 10.01, 10.0), np.where(away, 10.03, 10.02)))
    ratio = column(result, "momentum.variance_ratio_300s")
    moved = np.flatnonzero(away)[-1]
    # Beside the 13 or so visits, one long return more of the size of the short ones.
    visits = away[moved + 10 - 300 : moved + 10].sum()
    before, during, after = ratio[moved + 9], ratio[moved + 10], ratio[moved + 11]
    assert during - after == pytest.approx(0.0, abs=1e-6)
    assert during - before == pytest.approx(1 / (10 * 2 * visits), rel=1e-3)


def test_what_was_traded_before_a_segment_counts_for_nothing(make_series, run):
    rows = np.arange(700)
    first = np.where(rows == 0, 1e9, 1.0)
    sides = {"aggressor": True}
    loud = run(
        make_series(rows, 9.99, 10.01, volume=first, buy_volume=first, sell_volume=0), **sides
    )
    calm = run(make_series(rows, 9.99, 10.01, volume=1.0, buy_volume=1.0, sell_volume=0), **sides)
    assert loud.values.tobytes() == calm.values.tobytes()


def test_trades_are_signed_by_the_aggressor_only_where_the_settings_say_so(make_series, run):
    rows = np.arange(400)
    # Bought at the bid: the tick rule calls it a sale.
    series = make_series(rows, 9.99, 10.01, close=9.99, volume=1.0, buy_volume=1.0, sell_volume=0)
    assert column(run(series, aggressor=True), "trades.signed_ratio_60s")[-1] == 1.0
    assert column(run(series), "trades.signed_ratio_60s")[-1] == -1.0
    series.ticks["sell_volume"][390] = np.nan  # one side unknown: the tick rule, for that trade
    mixed = column(run(series, aggressor=True), "trades.signed_ratio_60s")[-1]
    assert mixed == pytest.approx((60 - 1) / 61)


@pytest.mark.parametrize("size", [(2.0, 0.0), (0.0, 2.0), (2.0, np.nan), (2.0, 1.0)])
def test_sides_count_without_a_volume_and_under_an_unchanged_quote(make_series, run, size):
    rows = np.arange(400)
    # The last tick comes at the moment of the one before it: no time passes, no bucket closes.
    seconds = np.minimum(rows, 398)
    series = make_series(seconds, 9.99, 10.01, volume=0.0, buy_volume=0.0, sell_volume=0.0)
    series.ticks["buy_volume"][399], series.ticks["sell_volume"][399] = size
    struck = run(series, aggressor=True)
    bought, sold = np.nan_to_num(size)
    count = float(bought > 0) - float(sold > 0)
    for name, expected in {
        "aggressor.signed_ratio_60s": (bought - sold) / (bought + sold),
        "aggressor.count_imbalance_60s": count / ((bought > 0) + (sold > 0)),
        "aggressor.intensity_5s": np.log(2) / 5 * count,
        "aggressor.cancel_rate_60s": 0.0,
    }.items():
        assert column(struck, name)[-1] == pytest.approx(expected, rel=1e-6), name
        assert column(struck, name)[-2] == 0.0
    # It is no trade to the other families.
    assert column(struck, "trades.trade_rate_60s")[-1] == 0.0


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
def test_a_new_segment_starts_from_nothing(deep_walk, everything, run, change, settings):
    series = deep_walk(2000)
    settings = {**everything, **settings}
    half = 1000
    ticks = series.ticks.copy()
    if change == "session":
        ticks["session"][half:] = 1
    else:
        ticks["timestamp"][half:] += (40 if change == "gap" else 902) * SECOND
    result = run(replace(series, ticks=ticks), **settings)
    assert result.segments[half - 1] == 1
    assert result.segments[half] == 2
    assert result.history[half] == 0
    waiting = windowed(result)
    assert np.isfinite(result.values[half - 1][waiting]).any()
    assert np.isnan(result.values[half][waiting]).all()
    later = replace(series, ticks=ticks[half:], rows=series.rows[half:], depth=series.depth[half:])
    alone = run(later, **settings)
    assert result.values[half:].tobytes() == alone.values.tobytes()


def test_a_gap_within_the_limits_is_caught_up(walk, run):
    series = walk(2000)
    ticks = series.ticks.copy()
    ticks["timestamp"][1000:] += 600 * SECOND
    result = run(type(series)(symbol="", ticks=ticks, rows=series.rows))
    assert result.segments[-1] == 1
    assert result.history[1000] >= 600 + result.history[999]


def test_volume_enters_the_families_of_trades_alone(walk, run):
    series = walk(3000)
    traded = series.ticks.copy()
    traded["volume"] = np.random.default_rng(0).exponential(1.0, len(traded))
    plain, other = run(series), run(replace(series, ticks=traded))
    differing = {
        name.partition(".")[0]
        for name in plain.names
        if plain.column(name).tobytes() != other.column(name).tobytes()
    }
    assert differing == {"bars", "trades", "liquidity"}


def test_depth_and_sides_enter_their_own_families_alone(deep_walk, everything, run):
    series = deep_walk(1500)
    plain, whole = run(series), run(series, **everything)
    for name in plain.names:
        same = plain.column(name).tobytes() == whole.column(name).tobytes()
        feature = feature_named(name)
        assert same or feature.inputs == ("sign",) or name == "book.microprice_dev", name
    assert plain.column("trades.signed_ratio_60s").tobytes() != (
        whole.column("trades.signed_ratio_60s").tobytes()
    )


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
def test_a_tick_that_is_not_accepted_changes_no_feature(changes, verdict, everything):
    records = allocate_session(
        FeatureSettings(**{**everything, "depth_levels": 2, "ofi_weights": {}})
    )
    vector = feature_vector(records)
    levels = np.array([[10.0, 1.0, 10.1, 2.0], [9.9, 3.0, 10.2, 4.0]])
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
        tick_step(records, vector, levels, *tick.values())
    # A copy of the record would leave out the bytes between its fields.
    before = np.frombuffer(records.tobytes(), dtype=records.dtype)
    tick.update(changes)
    assert tick_step(records, vector, levels * 2, *tick.values()) == verdict
    for part in records.dtype.names:
        if part != "gate" or verdict < 0:
            assert records[part].tobytes() == before[part].tobytes(), part
