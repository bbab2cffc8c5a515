"""The slow definitions of depth and aggressor, against books small enough to work out by hand.

One tick stands in each bucket of five seconds, so that row i stands in bucket i.
"""

import math

import numpy as np
import pytest

from oracles.features import Segment
from oracles.features.aggressor import columns as aggressor
from oracles.features.depth import columns as depth

SECOND = 10**9
START = 1_700_000_100 * SECOND
NAN = math.nan
BUCKET_S = 5

# A best bid of 99 and a best ask of 101, and two more levels: bid and size, ask and size.
BOOK = [(99, 2, 101, 1), (98, 4, 103, 3), (97, 6, 104, 4)]
# The example of Cont, Kukanov & Stoikov (2014): e is 2, 7, 4 and -3.
FLOWING = [(100, 5, 101, 4), (100, 7, 101, 4), (101, 3, 102, 6), (101, 3, 102, 2), (100, 8, 102, 2)]


def segment_of(books, **fields):
    """Return a segment of books, each a list of levels; the first level is the quote."""
    books = np.array(books, float)
    t = START + (np.arange(len(books)) * BUCKET_S + 1) * SECOND
    b, B, a, A = books[:, 0].T
    return Segment(t, b, a, B, A, a, bucket_s=BUCKET_S, depth=books, **fields)


def values(columns, segment, i):
    return {name.partition(".")[2]: value for name, (value, _) in columns(segment, i).items()}


# ---- depth --------------------------------------------------------------------------------------


def deep_books(rows, levels):
    rng = np.random.default_rng(1)
    prices = np.arange(levels)
    books = np.empty((rows, levels, 4))
    books[:, :, 0], books[:, :, 2] = 99 - prices, 101 + prices
    books[:, :, 1::2] = rng.uniform(1, 9, (rows, levels, 2))
    return books


@pytest.mark.parametrize(
    ("levels", "count"), [(2, 10 + 3 + 4), (3, 11 + 6 + 4), (5, 12 + 12 + 4), (10, 13 + 12 + 4)]
)
def test_there_are_the_columns_that_the_levels_are_enough_for(levels, count):
    segment = segment_of(deep_books(100, levels))
    first, last = depth(segment, 0), depth(segment, 99)
    assert list(first) == list(last)
    assert len(last) == count
    assert np.isfinite(list(last.values())).all()
    windowed = {name for name in last if name.endswith("s") and "ofi" in name}
    assert {name for name, (value, _) in first.items() if math.isnan(value)} == windowed
    without = Segment(segment.t, segment.b, segment.a, segment.B, segment.A, segment.p, bucket_s=5)
    assert depth(without, 99) == {}


def test_the_whole_book():
    out = values(depth, segment_of([BOOK], round_trip_notional=500.0), 0)
    assert out["imbalance_3"] == pytest.approx((12 - 8) / 20)
    # (2 + 4/2 + 6/4) = 5.5 against (1 + 3/2 + 4/4) = 3.5
    assert out["imbalance_weighted"] == pytest.approx(2 / 9)
    # (101*2 + 103*4 + 104*6 + 99*1 + 98*3 + 97*4) / 20 = 2019 / 20 = 100.95
    assert out["mid_dev"] == pytest.approx(95)
    assert out["gap"] == pytest.approx(100)
    assert out["largest_share"] == pytest.approx(0.3)
    # 5 units: (101 + 3*103 + 104) / 5 = 102.8 less (2*99 + 3*98) / 5 = 98.4
    assert out["round_trip_cost"] == pytest.approx(440)


def test_a_round_trip_larger_than_the_book_goes_on_at_its_last_price():
    out = values(depth, segment_of([BOOK], round_trip_notional=1000.0), 0)
    # 10 units: (101 + 3*103 + 6*104) / 10 = 103.4 less (2*99 + 4*98 + 4*97) / 10 = 97.8
    assert out["round_trip_cost"] == pytest.approx(560)


def test_slopes():
    out = values(depth, segment_of([BOOK]), 0)
    bid = math.log(3) / 0.01
    bid += (math.log(7) / math.log(3) - 1) / (1 / 99)
    bid += (math.log(13) / math.log(7) - 1) / (1 / 98)
    assert out["bid_slope"] == pytest.approx(math.log(1 + bid / 3))
    ask = math.log(2) / 0.01
    ask += (math.log(5) / math.log(2) - 1) / (2 / 101)
    ask += (math.log(9) / math.log(5) - 1) / (1 / 103)
    assert out["ask_slope"] == pytest.approx(math.log(1 + ask / 3))


def test_a_term_of_a_slope_without_a_denominator_is_left_out():
    # The book is locked at its mid; the second bid stands at the first one's price.
    out = values(depth, segment_of([[(100, 1, 100, 1), (100, 2, 101, 2), (99, 4, 102, 1)]]), 0)
    assert out["bid_slope"] == pytest.approx(
        math.log(1 + (math.log(8) / math.log(4) - 1) * 100 / 3)
    )
    ask = (math.log(4) / math.log(2) - 1) * 100 + (math.log(5) / math.log(4) - 1) * 101
    assert out["ask_slope"] == pytest.approx(math.log(1 + ask / 3))


def test_sizes_near_the_mid():
    book = [(9_999, 1, 10_001, 2), (9_995, 4, 10_008, 8), (9_989, 16, 10_011, 32)]
    segment = segment_of([book])
    out = values(depth, segment, 0)
    assert out["within_5bp"] == pytest.approx(math.log(1 + 1 + 2 + 4))
    assert out["within_10bp"] == pytest.approx(math.log(1 + 1 + 2 + 4 + 8))
    assert out["within_25bp"] == pytest.approx(math.log(1 + 63))
    # The level just 5 bp away may be lost to rounding, no other.
    terms = {name: terms for name, (_, terms) in depth(segment, 0).items()}
    assert terms["depth.within_5bp"] * 1e-9 == pytest.approx(math.log(8 / 4))
    assert terms["depth.within_10bp"] == terms["depth.within_25bp"] == 0


def test_a_book_with_levels_missing_is_judged_by_the_columns_that_need_fewer():
    book = [*BOOK, (96, 1, NAN, NAN), (NAN, NAN, NAN, NAN)]
    out = values(depth, segment_of([book, [*BOOK, (96, 1, 105, 1), (95, 1, 106, 1)]]), 0)
    assert out["imbalance_3"] == pytest.approx(0.2)
    present = {name for name, value in out.items() if not math.isnan(value)}
    assert present == {"imbalance_3"}


def test_flow_below_the_touch():
    books = [[(90, 3, 110, 5), level] for level in FLOWING]
    segment = segment_of(books, ofi_weights=[0.6, -0.4])
    # One whole bucket of 5 s and the present one: e of two rows; the touch holds (3 + 5) / 2.
    flows = [values(depth, segment, i)["ofi_level2_5s"] for i in range(5)]
    assert flows == pytest.approx([NAN, NAN, 9 / 4, 11 / 4, 1 / 4], nan_ok=True)
    integrated = [values(depth, segment, i)["integrated_ofi_5s"] for i in range(5)]
    assert integrated[2:] == pytest.approx([-0.4 * e / 4 for e in (9, 11, 1)])
    equal = values(depth, segment_of(books), 2)["integrated_ofi_5s"]
    assert equal == pytest.approx(0.5 * 9 / 4)
    # Row 1: the bid gained 2; row 2: bid +3, ask +4.
    assert depth(segment, 2)["depth.ofi_level2_5s"][1] == pytest.approx((2 + 3 + 4) / 4)


def test_the_touch_flows_too_and_its_mean_size_divides():
    books = [[touch, (90, 1, 110, 1)] for touch in FLOWING]
    out = values(depth, segment_of(books, ofi_weights=[1, 0]), 3)
    # Sizes of the touch at the ends of two buckets: (3 + 6) / 2 and (3 + 2) / 2.
    assert out["integrated_ofi_5s"] == pytest.approx((7 + 4) / 3.5)
    assert out["ofi_level2_5s"] == 0


def test_a_level_missing_now_or_before_has_no_flow():
    books = [[(90, 3, 110, 5), level] for level in FLOWING]
    books[2] = [(90, 3, 110, 5), (101, 3, NAN, NAN)]
    segment = segment_of(books)
    flows = [values(depth, segment, i)["ofi_level2_5s"] for i in range(2, 5)]
    assert flows == pytest.approx([2 / 4, 0, -3 / 4])


def test_a_longer_window_holds_more():
    books = [[(90, 3, 110, 5), (80, 1 + i % 7, 120, 1)] for i in range(20)]
    segment = segment_of(books)
    assert math.isnan(values(depth, segment, 6)["ofi_level2_30s"])
    # Row 7 and the six buckets before it: the bid's size went from 1 to 7 and back to 1.
    out = values(depth, segment, 7)
    assert out["ofi_level2_30s"] == 0
    assert out["ofi_level2_5s"] == pytest.approx((7 - 6 + 1 - 7) / 4)
    assert depth(segment, 7)["depth.ofi_level2_30s"][1] == pytest.approx((6 + 6) / 4)


# ---- aggressor ----------------------------------------------------------------------------------


def traded(vb, vs, touches=None, **fields):
    """Return a segment of trades; the touch is 99 / 101 with 10 and 10 where none is given."""
    books = [[touch] for touch in (touches or [(99, 10, 101, 10)] * len(vb))]
    volume = np.nan_to_num(vb) + np.nan_to_num(vs)
    return segment_of(books, volume=volume, buy_volume=vb, sell_volume=vs, aggressor=True, **fields)


def test_there_is_a_value_and_its_terms_for_every_column_of_trades():
    rng = np.random.default_rng(2)
    segment = traded(*rng.poisson(1.0, (2, 100)).astype(float))
    out = aggressor(segment, 99)
    assert len(out) == 19
    # A bucket is longer than the shortest half-life.
    never = [name for name, value in out.items() if not np.isfinite(value).all()]
    assert never == ["aggressor.intensity_1s"]
    assert list(aggressor(segment, 0)) == list(out)
    assert np.isnan([value for value, _ in aggressor(segment, 0).values()]).all()
    segment.aggressor = False
    assert aggressor(segment, 99) == {}


def test_ratio_and_count_of_what_struck():
    # The first row's volume was traded before the segment, and row 1 lies before the window.
    segment = traded([100, 50, 3, 0, 1, 0], [100, 50, 1, 0, NAN, 5])
    out = values(aggressor, segment, 2)
    assert out["signed_ratio_5s"] == pytest.approx((53 - 51) / 104)
    out = values(aggressor, segment, 5)
    assert out["signed_ratio_5s"] == pytest.approx((1 - 5) / 6)
    assert out["count_imbalance_5s"] == 0
    assert values(aggressor, segment, 4)["count_imbalance_5s"] == 1
    out = values(aggressor, traded([0, 9, 3, 0, 1, 0, 2, 0], [0, 9, 1, 0, 0, 0, 0, 2]), 7)
    assert out["signed_ratio_30s"] == pytest.approx((15 - 12) / 27)
    assert out["count_imbalance_30s"] == pytest.approx((4 - 3) / 7)


def test_nothing_traded_is_nothing():
    segment = traded([8, 8, 0, 0], [8, 8, 0, NAN])
    out = values(aggressor, segment, 3)
    names = ("signed_ratio", "count_imbalance", "large_trade_share", "cancel_rate")
    assert [out[f"{name}_5s"] for name in names] == [0, 0, 0, 0]


def test_large_trades_are_above_four_times_the_mean_before_them():
    # The mean: 1 after row 1 (row 0 counts for nothing), still 1 after rows 2 and 3.
    segment = traded([90, 1, 1, 0, 3.9, 4.2, 0], [90, 0, 0, 0, 0, 0, 9])
    shares = [values(aggressor, segment, i)["large_trade_share_5s"] for i in range(2, 7)]
    # 3.9 is not above 4; it makes the mean 1.029, and 4.2 is above 4.116. Then 9 is large as well.
    assert shares == pytest.approx([0, 0, 0, 4.2 / 8.1, 1])
    # 4.1 is not above four times 1.029, though it is above 4.
    segment = traded([90, 1, 3.9, 4.1], [0, 0, 0, 0])
    assert values(aggressor, segment, 3)["large_trade_share_5s"] == 0
    # A single trade of both sides counts with both.
    segment = traded([0, 1, 2.5, 0], [0, 0, 2.5, 0])
    assert values(aggressor, segment, 3)["large_trade_share_5s"] == 1


def test_a_trade_at_the_limit_may_be_large_or_not():
    out = aggressor(traded([0, 1, 4, 2], [0, 0, 0, 0]), 3)["aggressor.large_trade_share_5s"]
    assert out[0] == 0
    assert 1e-9 * out[1] >= 4 / 6
    other = aggressor(traded([0, 1, 3.9, 2], [0, 0, 0, 0]), 3)["aggressor.large_trade_share_5s"]
    assert other == (0, 1)


def test_intensity_halves_with_every_half_life():
    # Rows stand 5 s apart; the first one counts for nothing, a row with both sides for both.
    segment = traded([9, 2, 1, 0, 0], [0, 0, 7, 1, NAN])
    pace = math.log(2) / 5
    buying, selling = 2**-3 + 2**-2, 2**-2 + 2**-1
    out = aggressor(segment, 4)["aggressor.intensity_5s"]
    assert out == pytest.approx((pace * (buying - selling), pace * (buying + selling)), rel=1e-5)
    assert math.isnan(values(aggressor, segment, 1)["intensity_5s"])
    assert values(aggressor, segment, 2)["intensity_5s"] == pytest.approx(pace * 0.5)


def test_what_left_without_a_trade():
    touches = [
        (99, 10, 101, 10),
        (99, 8, 101, 10),
        (98, 5, 101, 7),
        (99, 9, 101, 7),
        (99, 9, 100, 3),
    ]
    touches += [(99, 9, 102, 6)]
    segment = traded([0, 0, 2, 4, 0, 1], [0, 1, 3, 4, 4, 0], touches)
    # Lost: 2 bids, of them 1 sold; all 8 bids, 3 of them sold, and 3 asks, 2 of them bought;
    # nothing (a better bid); nothing (a better ask); all 3 asks, 1 of them bought.
    cancelled = [None, 1, 5 + 1, 0, 0, 2]
    mean_depth = [None, 9, 6, 8, 6, 7.5]
    for i in range(2, 6):
        expected = (cancelled[i - 1] + cancelled[i]) / 5 / ((mean_depth[i - 1] + mean_depth[i]) / 2)
        assert values(aggressor, segment, i)["cancel_rate_5s"] == pytest.approx(expected)
