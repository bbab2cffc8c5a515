"""The oracle against examples worked by hand, and against pandas and NumPy where they can judge."""

import math

import numpy as np
import pandas as pd
import pytest

from oracles.features import Segment, bars, book, calendar, dynamics, flow, momentum
from oracles.features.segment import level_average, z_score

SECOND = 10**9
START = 1_700_000_100  # 2023-11-14 22:15:00 UTC, the start of a minute


def segment_of(seconds, mids, *, spread=0.02, sizes=(3.0, 2.0), bucket_s=1.0, **given):
    """Return a segment of quotes of one width around the given mids."""
    seconds = np.asarray(seconds, float)
    mids = np.broadcast_to(np.asarray(mids, float), seconds.shape)
    bid_size, ask_size = (np.broadcast_to(size, seconds.shape) for size in sizes)
    return Segment(
        START * SECOND + np.rint(seconds * SECOND).astype(np.int64),
        mids - np.asarray(spread) / 2,
        mids + np.asarray(spread) / 2,
        bid_size,
        ask_size,
        mids,
        bucket_s=bucket_s,
        **{"tick_size": 0.01, **given},
    )


def values(columns, segment, i):
    return {name: value for name, (value, _) in columns(segment, i).items()}


def test_empty_buckets_carry_what_stood():
    segment = segment_of([0.5, 1.2, 1.7, 4.1], [10.0, 10.5, 11.0, 12.0])
    assert segment.end_mid.tolist() == [10.0, 11.0, 11.0, 11.0, 12.0]
    assert segment.end_row.tolist() == [0, 2, 2, 2, 3]
    assert segment.first_row.tolist() == [0, 1, 3, 3, 3]
    assert segment.end_change.tolist() == [0.0, 1.0, 0.0, 0.0, 1.0]
    assert segment.window(3, 3) == (3, 4)
    assert segment.window(3, 4) is None  # the first bucket does not count
    assert segment.rows_since(3, 3) == slice(1, 4)
    assert segment.rows_since(3, 2) == slice(3, 4)


def test_quotes_of_one_width_around_one_mid_are_equal():
    bid, ask = np.array([100.0, 100.1, 100.1]), np.array([100.3, 100.2, 100.4])
    ones = np.ones(3)
    segment = Segment(np.arange(3) * SECOND, bid, ask, ones, ones, bid, bucket_s=1.0)
    assert segment.m.tolist() == [100.15, 100.15, 100.25]
    assert segment.s.tolist() == [0.3, 0.1, 0.3]
    assert ask[0] - bid[0] != ask[2] - bid[2]


def test_what_was_traded_before_a_segment_counts_for_nothing():
    traded = {"volume": [5.0, 6.0], "buy_volume": [5.0, 2.0], "sell_volume": [0.0, 4.0]}
    segment = segment_of([0, 1], 10.0, **traded)
    assert segment.v.tolist() == [0.0, 6.0]
    assert segment.vb.tolist() == [0.0, 2.0]
    assert segment.vs.tolist() == [0.0, 4.0]
    assert traded["volume"] == [5.0, 6.0]


def test_the_first_level_of_the_depth_is_the_quote():
    rows = np.arange(24.0).reshape(2, 3, 4)
    segment = segment_of([0, 1], 10.0, depth=rows, depth_levels=2)
    assert segment.depth[:, 0].tolist() == [[9.99, 3.0, 10.01, 2.0]] * 2
    assert segment.depth[:, 1].tolist() == rows[:, 1].tolist()
    assert segment.depth.shape == (2, 2, 4)
    assert segment_of([0, 1], 10.0, depth=rows, depth_levels=0).depth is None
    deeper = segment_of([0, 1], 10.0, depth=rows, depth_levels=5).depth
    assert np.isnan(deeper).any(axis=2).tolist() == [[False, False, False, True, True]] * 2


def test_order_flow_of_five_quotes():
    bid, bid_size = np.array([100, 100, 101, 101, 100]), np.array([5, 7, 3, 3, 8])
    ask, ask_size = np.array([101, 101, 102, 102, 102]), np.array([4, 4, 6, 2, 2])
    e = flow.bid_flow(bid, bid_size) + flow.ask_flow(ask, ask_size)
    assert e.tolist() == [0, 2, 7, 4, -3]


def test_order_flow_of_a_window():
    bid, bid_size = [100, 100, 101, 101, 100], [5.0, 7.0, 3.0, 3.0, 8.0]
    ask, ask_size = [101, 101, 102, 102, 102], [4.0, 4.0, 6.0, 2.0, 2.0]
    time = np.array([0, 1, 2, 3, 3]) * SECOND
    segment = Segment(time, bid, ask, bid_size, ask_size, bid, bucket_s=1.0)
    got = values(flow.columns, segment, 4)
    # Bucket 2 and the present one, 3: e = 7 + 4 - 3, of which the bid 3, 0 and -3. Depths: at the
    # end of bucket 2 (3 + 6) / 2, now (8 + 2) / 2.
    assert got["flow.ofi_1s"] == pytest.approx(8 / 4.75)
    assert got["flow.ofi_bid_1s"] == 0.0
    assert got["flow.ofi_ask_1s"] == pytest.approx(8 / 4.75)
    assert got["flow.bid_up_1s"] == 1.0
    assert got["flow.ask_down_1s"] == 0.0
    assert math.isnan(got["flow.ofi_5s"])


def test_microprice_is_read_from_the_row_of_the_spread_and_the_bin_of_the_imbalance():
    table = [[-0.4, -0.1, 0.1, 0.4], [-0.8, -0.2, 0.2, 0.8]]
    # B / (A + B) is 0, 0.25, 0.5, 1 (nearly), and the spread 1, 1, 2 and 7 ticks.
    segment = segment_of(
        range(4),
        [10.005, 10.005, 10.0, 10.005],
        spread=np.array([0.01, 0.01, 0.02, 0.07]),
        sizes=([1e-9, 1.0, 2.0, 1e17], [1.0, 3.0, 2.0, 1.0]),
        microprice=table,
    )
    got = [book.columns(segment, i)["book.microprice_dev"][0] for i in range(4)]
    ticks = np.array([-0.4, -0.1, 0.2, 0.8])
    assert got == pytest.approx(ticks * 0.01 / np.array([10.005, 10.005, 10.0, 10.005]) * 1e4)


@pytest.mark.parametrize("given", [{"microprice": None}, {"tick_size": math.nan}])
def test_microprice_is_unknown_without_a_table_or_a_tick_size(given):
    segment = segment_of([0], 10.0, **{"microprice": [[0.1, 0.2]], **given})
    assert math.isnan(book.columns(segment, 0)["book.microprice_dev"][0])


def test_z_score_of_six_values():
    # Mean 2, mean square deviation (5 * 1 + 25) / 6 = 5.
    assert z_score(np.array([1.0, 1, 1, 1, 1, 7]))[0] == pytest.approx(math.sqrt(5))
    assert z_score(np.array([0.3] * 4)) == (0.0, 0.0)


def test_spread_and_depth_against_their_last_five_buckets():
    spread = np.array([0.09, 0.01, 0.01, 0.01, 0.01, 0.01, 0.07])
    e = math.e
    sizes = (np.array([1, e, e, e, e, e, e**7]) / 2,) * 2
    segment = segment_of(np.arange(7) + 0.5, 10.0, spread=spread, sizes=sizes)
    got = values(dynamics.columns, segment, 6)
    assert got["dynamics.spread_z_5s"] == pytest.approx(math.sqrt(5))
    assert got["dynamics.depth_z_5s"] == pytest.approx(math.sqrt(5))


def test_average_of_a_level_weighs_each_value_by_the_time_it_stood():
    level, time = np.array([0.5, -0.5, 0.25]), np.array([0, 30, 60]) * SECOND
    assert level_average(level, time, 0, 30) == 0.5
    assert level_average(level, time, 1, 30) == 0.5  # -0.5 has stood for no time
    assert level_average(level, time, 2, 30) == pytest.approx(0.0, abs=1e-15)
    assert level_average(level, time, 2, 15) == pytest.approx(0.75 * -0.5 + 0.25 * 0.5)


def test_imbalance_against_its_average():
    # I = 0.5 until 30 s, -0.5 until 60 s, then 0.25.
    segment = segment_of([0, 30, 60], 10.0, sizes=([3.0, 1.0, 5.0], [1.0, 3.0, 3.0]))
    got = values(dynamics.columns, segment, 2)
    assert got["dynamics.imbalance_mean_30s"] == pytest.approx(0.0, abs=1e-15)
    assert got["dynamics.imbalance_change_30s"] == pytest.approx(0.25)
    assert math.isnan(dynamics.columns(segment, 1)["dynamics.imbalance_mean_30s"][0])


def test_persistence_of_the_sign_of_the_imbalance():
    segment = segment_of([0.5, 3.0, 4.0, 6.5], 10.0, sizes=([3, 2, 1, 9], [2, 2, 2, 2]))
    # The window began at 1 s: + for 2 s, nothing for 1 s, - for 2.5 s, + for no time yet.
    got = values(dynamics.columns, segment, 3)
    assert got["dynamics.imbalance_persistence_5s"] == pytest.approx(-0.1)


def test_quotes_that_change_nothing_are_not_counted():
    seconds = np.append(np.arange(303.0), 302.5)
    sizes = np.ones(304)
    sizes[[100, 300, 303]] += 1  # each comes and goes: two changes, but for the last
    segment = segment_of(seconds, 10.0, sizes=(sizes, 1.0))
    got = values(dynamics.columns, segment, 303)
    assert got["dynamics.quote_rate_5s"] == pytest.approx(3 / 5)
    assert got["dynamics.quote_rate_300s"] == pytest.approx(5 / 300)
    assert got["dynamics.quote_rate_ratio"] == pytest.approx((3 / 5) / (5 / 300))
    assert dynamics.columns(segment_of(seconds, 10.0), 303)["dynamics.quote_rate_ratio"][0] == 1.0


def test_relative_strength_of_six_changes():
    segment = segment_of(np.arange(7) + 0.5, [100, 101, 102, 101, 102, 103, 102])
    # Five times U is 1, 1.8, 1.44, 2.152, 2.7216, 2.17728; five times D 0, 0, 1, 0.8, 0.64, 1.512.
    expected = 100 * 2.17728 / (2.17728 + 1.512)
    got = values(momentum.columns, segment, 6)
    assert got["momentum.rsi_5s"] == pytest.approx(expected)
    still = values(momentum.columns, segment_of(np.arange(7), 100.0), 6)
    assert still["momentum.rsi_5s"] == 50.0


def test_slope_and_z_score_of_the_mid_are_what_numpy_gives():
    mids = 100 + np.array([0, 3, 1, 4, 1, 5, 9]) / 100
    got = values(momentum.columns, segment_of(np.arange(7) + 0.5, mids), 6)
    inside = mids[1:]
    slope = np.polyfit(np.arange(6), inside, 1)[0]
    assert got["momentum.slope_5s"] == pytest.approx(slope / mids[-1] * 1e4)
    assert got["momentum.zscore_5s"] == pytest.approx((mids[-1] - inside.mean()) / inside.std())


def test_variance_ratio_of_a_line_and_of_a_zigzag():
    rows = np.arange(45)
    line = values(momentum.columns, segment_of(rows, 100 * 1.001**rows), 44)
    assert line["momentum.variance_ratio_30s"] == pytest.approx(10.0, rel=1e-9)
    zigzag = values(momentum.columns, segment_of(rows, 100 + rows % 2), 44)
    assert zigzag["momentum.variance_ratio_30s"] == 0.0
    # The first of the 31 changes over ten buckets needs 39 whole buckets behind the present one.
    segment = segment_of(rows, 100 + rows % 2)
    assert momentum.variance_ratio(segment, 40, 30)[0] == 0.0
    assert math.isnan(momentum.variance_ratio(segment, 39, 30)[0])


@pytest.mark.parametrize("bucket_s", [1.0, 20.0, 60.0])
def test_macd_is_that_of_exponential_averages_of_minutes(bucket_s):
    rng = np.random.default_rng(11)
    seconds = 30 + np.cumsum(rng.exponential(25.0, 200))
    mids = (10_000 + np.cumsum(rng.integers(-3, 4, 200))) / 100
    segment = segment_of(seconds, mids, bucket_s=bucket_s)
    minute = pd.Series(mids).groupby((START + seconds) // 60).last()
    # The first tick lies in a minute that had begun; the last minute has not ended.
    every = minute.reindex(np.arange(minute.index[0], minute.index[-1])).ffill()
    closes = every.iloc[1:]
    average = {n: closes.ewm(span=n, adjust=False).mean() for n in (12, 26)}
    difference = average[12] - average[26]
    signal = difference.ewm(span=9, adjust=False).mean()
    got = values(momentum.columns, segment, 199)
    last = closes.iloc[-1]
    assert got["momentum.macd"] == pytest.approx(difference.iloc[-1] / last * 1e4)
    histogram = (difference - signal).iloc[-1] / last * 1e4
    assert got["momentum.macd_histogram"] == pytest.approx(histogram)


def test_three_bars():
    segment = segment_of(
        [-30, 10, 20, 50, 70, 190],
        [100, 103, 99, 102, 101, 104],
        volume=[9.0, 1.0, 2.0, 3.0, 6.0, 4.0],
    )
    whole, in_progress = bars.bars_of(segment, 5, 60)
    # Open, high, low, close, volume; nobody came in the third minute.
    assert whole == [(100, 103, 99, 102, 6), (102, 102, 101, 101, 6), (101, 101, 101, 101, 0)]
    assert in_progress[0] == pytest.approx(1e4 * math.log(104 / 101))
    got = values(bars.columns, segment, 5)
    assert got["bars.bar_return_in_progress_60s"] == in_progress[0]
    assert got["bars.prev_return_60s"] == got["bars.range_60s"] == 0.0
    assert got["bars.close_position_60s"] == 0.5
    assert got["bars.body_share_60s"] == 0.0
    assert math.isnan(got["bars.atr_60s"])  # fifteen minutes of memory


def test_one_bar_by_itself():
    got = {name: value for name, (value, _) in bars.of_last_bar(100, 103, 99, 102, 6).items()}
    # ln(103 / 99) = 0.0396091, ln(102 / 100) = 0.0198026, ln(103 / 102) = 0.0097562,
    # ln(103 / 100) = 0.0295588, ln(99 / 102) = -0.0298530, ln(99 / 100) = -0.0100503.
    assert got["prev_return"] == pytest.approx(198.026, rel=1e-5)
    assert got["range"] == pytest.approx(396.091, rel=1e-5)
    assert got["close_position"] == 0.75
    assert got["body_share"] == 0.5
    # 0.0396091 / sqrt(4 ln 2)
    assert got["parkinson"] == pytest.approx(237.877, rel=1e-5)
    # sqrt(0.5 * 0.00156888 - 0.3862944 * 0.00039214)
    assert got["garman_klass"] == pytest.approx(251.59, rel=1e-4)
    # sqrt(0.0097562 * 0.0295588 + 0.0298530 * 0.0100503)
    assert got["rogers_satchell"] == pytest.approx(242.57, rel=1e-4)


def test_what_is_carried_from_bar_to_bar():
    three = [(100, 103, 99, 102, 6), (102, 102, 101, 101, 6), (101, 101, 101, 101, 2)]
    got = bars.of_every_bar(three)
    # Volume 6, 6, then 6 - 4/8; true range 4, 4 - 3/14, and 13/14 of that.
    assert got["volume_ratio"][0] == pytest.approx(2 / 5.5)
    assert got["atr"][0] == pytest.approx((4 - 3 / 14) * 13 / 14 / 101 * 1e4)
    assert bars.of_every_bar([(100, 103, 99, 102, 0)])["volume_ratio"][0] == 1.0


def test_a_bar_that_had_begun_before_the_segment_is_not_whole():
    ended = {begin: bars.bars_of(segment_of([begin, 200], 10.0), 1, 60)[0] for begin in (-1, 0, 1)}
    assert {begin: len(whole) for begin, whole in ended.items()} == {-1: 3, 0: 2, 1: 2}


@pytest.mark.parametrize(
    ("bucket_s", "filled"),
    [(7.0, ()), (3.6, (900,)), (30.0, (60, 300, 900)), (900.0, (900,))],
)
def test_a_bar_that_buckets_do_not_fill_is_never_known(bucket_s, filled):
    segment = segment_of(np.arange(0, 40_000, 50), 10.0, bucket_s=bucket_s)
    got = values(bars.columns, segment, 799)
    for w in (60, 300, 900):
        known = [not math.isnan(value) for name, value in got.items() if name.endswith(f"_{w}s")]
        assert known == [w in filled] * 10
    macd = values(momentum.columns, segment, 799)["momentum.macd"]
    assert math.isnan(macd) == (60 not in filled)


def test_the_time_of_day():
    got = values(calendar.columns, segment_of([0, 59.9, 60], 10.0), 1)
    assert got["calendar.funding_minutes"] == 105  # 22:15 to midnight
    # 22:15 is 26.25 degrees before midnight.
    assert got["calendar.hour_sin"] == pytest.approx(-math.sin(math.radians(26.25)))
    assert got["calendar.hour_cos"] == pytest.approx(math.cos(math.radians(26.25)))
    minutes = [
        calendar.columns(segment_of([at * 60], 10.0), 0)["calendar.funding_minutes"][0]
        for at in (1, 104, 105, 106)
    ]
    assert minutes == [104, 1, 480, 479]
