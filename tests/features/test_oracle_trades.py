"""The slow definitions of trades and liquidity, against markets small enough to work out by hand.

Most have one tick in the middle of each bucket, so that row i stands in bucket i.
"""

import math

import numpy as np
import pytest

from oracles.features import Segment
from oracles.features.liquidity import columns as liquidity
from oracles.features.trades import columns as trades
from oracles.features.trades import signed_volumes, signs

SECOND = 10**9
START = 1_700_000_100 * SECOND  # every bucket length below divides it
NAN = math.nan


@pytest.fixture
def market():
    """Return a function: a segment of ticks one bucket apart, quoted 1 to each side of ``mid``."""

    def make(mid, p, v, *, bucket_s, seconds=None, **sides):
        mid, p, v = np.broadcast_arrays(np.asarray(mid, float), p, v)
        if seconds is None:
            seconds = (np.arange(len(mid)) + 0.5) * bucket_s
        t = START + np.rint(np.asarray(seconds) * SECOND).astype(np.int64)
        size = np.ones(len(mid))
        return Segment(t, mid - 1, mid + 1, size, size, p, v, bucket_s=bucket_s, **sides)

    return make


def values(columns, segment, i):
    return {name.partition(".")[2]: value for name, (value, _) in columns(segment, i).items()}


def test_there_is_a_value_and_its_terms_for_every_column(market):
    segment = market(100.0 + np.arange(1000) % 3, 100.5, 1.0, bucket_s=1.0)
    for columns, count in ((trades, 22), (liquidity, 21)):
        out = columns(segment, 999)
        assert len(out) == count
        assert np.isfinite(list(out.values())).all()
        assert all(terms >= 0 for _, terms in out.values())


# ---- signs ---------------------------------------------------------------------------------------


def test_a_trade_is_a_purchase_above_the_mid_before_it_and_a_sale_below(market):
    segment = market(
        [100, 100, 100, 102, 102, 100], [101, 101, 99, 101, 101, 101], 2.0, bucket_s=10
    )
    # The first tick's volume was traded before the segment. Of the last three prices of 101 each
    # has its own mid before it: 100, 102, 102; the mid that comes with the trade says nothing.
    assert signs(segment).tolist() == [0, 1, -1, 1, -1, -1]
    assert signed_volumes(segment).tolist() == [0, 2, -2, 2, -2, -2]


def test_a_trade_at_the_mid_has_the_sign_of_the_trade_before(market):
    prices = [100, 100, 101, 100, 99, 100, 99, 100]
    segment = market([100] * 8, prices, [1, 1, 1, 1, 0, 1, 1, 1], bucket_s=10)
    # Row 1 has none before it; row 4 is no trade, so that row 5 follows row 3.
    assert signs(segment).tolist() == [0, 0, 1, 1, 0, 1, -1, -1]


def test_the_decimal_mid_is_what_a_price_is_compared_with():
    # (0.7 + 1.0) / 2 and (0.8 + 0.9) / 2 differ from 0.85 or from each other in the last bit.
    bid, ask = np.array([0.7, 0.8, 0.7]), np.array([1.0, 0.9, 1.0])
    size = np.ones(3)
    segment = Segment(START + np.arange(3), bid, ask, size, size, [0.85] * 3, size, bucket_s=10)
    assert signs(segment).tolist() == [0, 0, 0]


SIDES = {
    "buy_volume": [0, 3, 1, 2, NAN, 4, 0],
    "sell_volume": [0, 1, 3, 2, 4, NAN, 0],
}


def test_the_aggressor_decides_the_sign_where_both_sides_are_known(market):
    segment = market([100] * 7, [101] * 7, 4.0, bucket_s=10, aggressor=True, **SIDES)
    # Row 3: as much bought as sold. Rows 4 and 5: one side is missing, and 101 is above the mid.
    assert signs(segment).tolist() == [0, 1, -1, 0, 1, 1, 0]
    # 4 (3-1)/4, 4 (1-3)/4, 0, +4, +4, and nothing where no side has any.
    assert signed_volumes(segment).tolist() == [0, 2, -2, 0, 4, 4, 0]


def test_the_share_of_the_sides_is_taken_of_the_whole_volume(market):
    sides = {"buy_volume": [0, 3.0], "sell_volume": [0, 1.0]}
    segment = market([100] * 2, [101] * 2, 10.0, bucket_s=10, aggressor=True, **sides)
    assert signed_volumes(segment).tolist() == [0, 5]


def test_a_trade_at_the_mid_follows_an_aggressor_too(market):
    sides = {"buy_volume": [0, 0, NAN], "sell_volume": [0, 1, NAN]}
    segment = market([100] * 3, [101, 101, 100], 1.0, bucket_s=10, aggressor=True, **sides)
    assert signs(segment).tolist() == [0, -1, -1]


def test_sides_are_not_looked_at_where_the_settings_say_so(market):
    segment = market([100] * 7, [101] * 7, 4.0, bucket_s=10, aggressor=False, **SIDES)
    assert signs(segment).tolist() == [0, 1, 1, 1, 1, 1, 1]
    assert signed_volumes(segment).tolist() == [0, 4, 4, 4, 4, 4, 4]


# ---- trades --------------------------------------------------------------------------------------


def test_ratio_rate_average_price_and_autocorrelation_of_three_trades(market):
    # Rows 3 to 6 are the window of 30 s; the signs are +, + | +, -, (none), - as 100 is the mid.
    p, v = [101, 101, 101, 101, 99, 99, 100], [9, 50, 50, 1, 2, 0, 5]
    out = values(trades, market([100] * 7, p, v, bucket_s=10), 6)
    assert out["signed_ratio_30s"] == pytest.approx((1 - 2 - 5) / 8)
    assert out["trade_rate_30s"] == pytest.approx(3 / 30)
    # (101 + 2 * 99 + 5 * 100) / 8 = 99.875
    assert out["vwap_dev_30s"] == pytest.approx(12.5)
    # + after + (a trade before the window), - after +, - after -
    assert out["sign_autocorr_30s"] == pytest.approx((1 - 1 + 1) / 3)


def test_a_window_without_a_trade_says_0(market):
    segment = market([100] * 40, np.arange(40) + 80.0, 0.0, bucket_s=10)
    out = values(trades, segment, 39)
    assert out.pop("mean_size_ratio") == 1
    assert set(out.values()) == {0}


def test_mean_size_ratio_compares_the_trades_of_30_s_with_those_of_300_s(market):
    v = np.array([0.0] + [1.0] * 27 + [3.0] + [0.0] * 4)
    segment = market([100] * 33, [101] * 33, v, bucket_s=10)
    # Of 28 trades in 300 s, with 30 in all, one is in the last 30 s: 3 / (30 / 28).
    assert values(trades, segment, 31)["mean_size_ratio"] == pytest.approx(2.8)
    assert values(trades, segment, 32)["mean_size_ratio"] == 1


def test_volume_z_is_0_at_constant_volume(market):
    segment = market([100] * 8, [101] * 8, 0.3, bucket_s=10)
    assert values(trades, segment, 7)["volume_z_30s"] == 0


def test_volume_z_is_of_the_logarithm_of_a_buckets_volume(market):
    # ln(1 + v) is 0, 0, 1 and, of two ticks together, 3: (3 - 1) / sqrt(3/2).
    one, half_of_three = math.e - 1, (math.e**3 - 1) / 2
    v = [7, 7, 0, 0, one, half_of_three, half_of_three]
    seconds = [5, 15, 25, 35, 45, 51, 52]
    segment = market([100] * 7, [101] * 7, v, bucket_s=10, seconds=seconds)
    assert values(trades, segment, 6)["volume_z_30s"] == pytest.approx(2 / math.sqrt(1.5))


@pytest.mark.parametrize("side", [1, -1])
def test_vpin_of_one_sided_trading_is_1(market, side):
    # A price that never moved before has no sigma: the sign of its first move is all there is.
    p = np.full(12, 100.0)
    p[-1] += side
    segment = market([100] * 12, p, np.arange(12) == 11, bucket_s=10)
    out = values(trades, segment, 11)
    assert out["vpin_30s"] == 1
    assert out["bulk_imbalance_30s"] == side


def test_a_move_of_one_sigma_is_68_percent_one_sided(market):
    # Every dp is 1, or every other one -1: sigma = 1, and 2 Phi(1) - 1 = 0.6826895.
    rising = values(trades, market([100] * 14, np.arange(14) + 90.0, 2.0, bucket_s=10), 13)
    assert rising["vpin_30s"] == pytest.approx(0.6826895)
    assert rising["bulk_imbalance_30s"] == pytest.approx(0.6826895)
    turning = values(trades, market([100] * 14, 99.0 + np.arange(14) % 2, 2.0, bucket_s=10), 13)
    assert turning["vpin_30s"] == pytest.approx(0.6826895)
    assert turning["bulk_imbalance_30s"] == pytest.approx(0, abs=1e-12)


def test_sigma_halves_its_square_in_60_s(market):
    # In buckets of 60 s: dp = 4 in the first whole one, 5 buckets without a move, then dp = 1.
    # sigma^2 = 16 / 32, so dp / sigma = sqrt(2), and 2 Phi(sqrt 2) - 1 = erf(1) = 0.8427008.
    p = [100, 104, 104, 104, 104, 104, 104, 105]
    segment = market([100] * 8, p, [0] * 7 + [1], bucket_s=60)
    assert values(trades, segment, 7)["bulk_imbalance_300s"] == pytest.approx(0.8427008)
    assert math.isnan(values(trades, segment, 7)["bulk_imbalance_30s"])  # shorter than a bucket


def test_the_bulk_columns_wait_for_60_s_more_than_their_window(market):
    segment = market([100] * 12, [101] * 12, 1.0, bucket_s=10)
    finite = [values(trades, segment, i) for i in range(12)]
    assert [math.isfinite(out["signed_ratio_30s"]) for out in finite].index(True) == 4
    assert [math.isfinite(out["vpin_30s"]) for out in finite].index(True) == 10
    assert math.isfinite(finite[10]["bulk_imbalance_30s"])


# ---- liquidity -----------------------------------------------------------------------------------


@pytest.fixture
def three_trades(market):
    """Rows 1 to 4 are the window of 60 s: dm = 1, -1, 0, 2 and q = 2, -4, 1, 0."""
    return market(
        [100, 101, 100, 100, 102], [100, 101, 100, 100.5, 90], [8, 2, 4, 1, 0], bucket_s=20
    )


def test_kyle_is_the_slope_of_the_mid_on_signed_volume(three_trades):
    expected = 1e4 * (2 + 4) / (4 + 16 + 1) / 102
    assert values(liquidity, three_trades, 4)["kyle_60s"] == pytest.approx(expected)


def test_kyle_nets_what_was_bought_and_sold_within_a_bucket(market):
    # 3 bought and 1 sold while the mid rises by 4: q = 2.
    mid, p = [100, 100, 100, 100, 104, 104], [100, 100, 100, 101, 99, 104]
    seconds = [5, 25, 45, 65, 71, 85]
    segment = market(mid, p, [0, 0, 0, 3, 1, 0], bucket_s=20, seconds=seconds)
    assert values(liquidity, segment, 5)["kyle_60s"] == pytest.approx(1e4 * (4 * 2) / 4 / 104)


def test_amihud_is_the_mean_over_the_buckets_that_traded(three_trades):
    move = math.log(1.01)
    expected = 1e4 * (move / (2 * 101) + move / (4 * 100) + 0) / 3
    assert values(liquidity, three_trades, 4)["amihud_60s"] == pytest.approx(expected)


def test_hasbrouck_is_the_slope_of_the_return_on_the_signed_root_of_notional(three_trades):
    move = math.log(1.01)
    expected = 1e4 * (move * math.sqrt(202) + move * math.sqrt(400)) / (202 + 400 + 100.5)
    assert values(liquidity, three_trades, 4)["hasbrouck_60s"] == pytest.approx(expected)


def test_effective_spread_is_twice_the_distance_from_the_mid_before(three_trades):
    expected = 1e4 * (2 * 1 / 100 + 2 * 1 / 101 + 2 * 0.5 / 100) / 3
    assert values(liquidity, three_trades, 4)["effective_spread_60s"] == pytest.approx(expected)


def test_trades_that_cancel_within_a_bucket_have_no_side(market):
    # 3 bought and 3 sold in the bucket where the mid moves: half its notional moved the price
    # neither way, and each of the two paid 1 of 100.
    seconds = [5, 25, 45, 65, 71, 85]
    mid, p = [100, 100, 100, 100, 104, 104], [100, 100, 100, 101, 99, 104]
    segment = market(mid, p, [0, 0, 0, 3, 3, 0], bucket_s=20, seconds=seconds)
    out = values(liquidity, segment, 5)
    assert out["kyle_60s"] == 0
    assert out["hasbrouck_60s"] == 0
    assert out["amihud_60s"] == pytest.approx(1e4 * math.log(1.04) / 600)
    assert out["effective_spread_60s"] == pytest.approx(200)


def test_what_rounding_leaves_of_trades_that_cancel_has_no_side(market):
    # 0.1 and 0.2 bought, 0.3 sold: 5e-17 is left, which would be the whole denominator.
    assert 0.1 + 0.2 - 0.3 != 0
    seconds = [5, 25, 45, 65, 67, 71, 85]
    mid, p = [100, 100, 100, 100, 100, 104, 104], [100, 100, 100, 101, 101, 99, 104]
    segment = market(mid, p, [0, 0, 0, 0.1, 0.2, 0.3, 0], bucket_s=20, seconds=seconds)
    out = values(liquidity, segment, 6)
    assert out["kyle_60s"] == 0
    assert out["hasbrouck_60s"] == 0


def test_a_window_without_trades_costs_nothing(market):
    segment = market(100.0 + np.arange(60) % 2, 100.0, 0.0, bucket_s=20)
    assert set(values(liquidity, segment, 59).values()) == {0}


@pytest.mark.parametrize("spread", [0.25, 1.0])
def test_roll_gives_the_spread_back(market, spread):
    # A price that bounces between bid and ask so that any three in a row are equally frequent, as
    # if each side were drawn by lot: 16 changes, in two rounds of eight.
    sides = np.array([-1, -1, -1, 1, -1, 1, 1, 1])[np.arange(24) % 8]
    segment = market([100.0] * 24, 100 + sides * spread / 2, 0.0, bucket_s=4)
    assert values(liquidity, segment, 23)["roll_60s"] == pytest.approx(1e4 * spread / 100)


def test_roll_of_a_price_that_turns_at_every_trade_is_twice_the_spread(market):
    # Bid and ask in strict turn: cov = -spread^2, four times what drawing lots gives.
    segment = market([100.0] * 24, 100 + 0.25 * (-1.0) ** np.arange(24), 0.0, bucket_s=4)
    assert values(liquidity, segment, 23)["roll_60s"] == pytest.approx(1e4 * 2 * 0.5 / 100)


def test_roll_leaves_out_the_drift(market):
    # dp = 0.3, -0.1, ... has the mean 0.1: cov = -0.03 - 0.01.
    p = 90 + np.cumsum(np.where(np.arange(24) % 2, 0.3, -0.1))
    segment = market([100.0] * 24, p, 0.0, bucket_s=4)
    assert values(liquidity, segment, 23)["roll_60s"] == pytest.approx(1e4 * 2 * 0.2 / 100)


def test_roll_of_a_trend_or_of_a_price_that_goes_on_its_way_is_0(market):
    trend = market([100.0] * 24, 90 + 0.1 * np.arange(24), 0.0, bucket_s=4)
    assert values(liquidity, trend, 23)["roll_60s"] == 0
    waves = market(
        [100.0] * 24, 100 + np.array([0, 1, 2, 1])[np.arange(24) // 2 % 4], 0, bucket_s=4
    )
    assert values(liquidity, waves, 23)["roll_60s"] == 0


@pytest.fixture
def bought_and_sold(market):
    """A purchase in bucket 30 and a sale in bucket 40, of a mid that follows by and by."""
    mid, p, v = np.full(70, 100.0), np.full(70, 100.0), np.zeros(70)
    mid[31:35], mid[35:41], mid[41:] = 100.4, 100.6, 100.5
    p[30], v[30] = 101, 2.0
    p[40], v[40] = 100, 7.0
    return market(mid, p, v, bucket_s=1)


def test_realized_spread_and_impact_are_judged_5_s_later(bought_and_sold):
    out = values(liquidity, bought_and_sold, 66)
    # Bought 1 above 100, of which 0.6 was lost 5 s later; sold 0.6 below 100.6, of which 0.1.
    first, second = 1e4 * 2 / 100, 1e4 * 2 / 100.6
    assert out["effective_spread_60s"] == pytest.approx((first * 1.0 + second * 0.6) / 2)
    assert out["realized_spread_60s"] == pytest.approx((first * 0.4 + second * 0.5) / 2)
    assert out["price_impact_60s"] == pytest.approx((first * 0.6 + second * 0.1) / 2)


def test_realized_spread_and_impact_add_up_to_the_effective_spread(market):
    # No trade in the first and last 5 s of the window, which only one of the two sees.
    rng = np.random.default_rng(3)
    rows = np.arange(90)
    mid = 100 + np.cumsum(rng.integers(-2, 3, 90)) / 4
    v = np.where((30 <= rows) & (rows < 80), rng.integers(0, 3, 90), 0)
    segment = market(mid, mid + rng.integers(-2, 3, 90) / 2, v, bucket_s=1)
    out = values(liquidity, segment, 86)
    assert out["price_impact_60s"] != 0
    both = out["realized_spread_60s"] + out["price_impact_60s"]
    assert both == pytest.approx(out["effective_spread_60s"])


def test_a_trade_is_judged_by_the_present_mid_in_the_fifth_bucket_after_it(market):
    seconds = np.append(np.arange(71) + 0.2, [70.6, 71.2])
    mid, p, v = np.full(73, 100.0), np.full(73, 100.0), np.zeros(73)
    p[65], v[65] = 101, 1.0
    mid[70], mid[71:] = 100.3, 100.5
    mid[72] = 99
    segment = market(mid, p, v, bucket_s=1, seconds=seconds)
    out = [values(liquidity, segment, i) for i in (69, 70, 71, 72)]
    assert [row["effective_spread_60s"] for row in out] == pytest.approx([200] * 4)
    # Not yet; as the mid stands in bucket 70; and for good as it stood when that ended.
    assert [row["realized_spread_60s"] for row in out] == pytest.approx([0, 140, 100, 100])
    assert [row["price_impact_60s"] for row in out] == pytest.approx([0, 60, 100, 100])


def test_the_judged_trades_are_those_of_as_many_buckets_5_s_before(market):
    p, v = np.full(90, 100.0), np.zeros(90)
    p[15], v[15] = 101, 1.0
    segment = market(100.0, p, v, bucket_s=1)
    rows = [values(liquidity, segment, i) for i in (75, 76, 80, 81)]
    assert [row["effective_spread_60s"] for row in rows] == pytest.approx([200, 0, 0, 0])
    assert [row["realized_spread_60s"] for row in rows] == pytest.approx([200, 200, 200, 0])


def test_in_buckets_longer_than_5_s_a_trade_is_judged_one_bucket_later(market):
    mid, p = [100, 100, 100, 100, 100, 100.5, 99], [100, 100, 100, 100, 101, 100, 100]
    segment = market(mid, p, [0, 0, 0, 0, 1, 0, 0], bucket_s=20)
    for row in (5, 6):
        out = values(liquidity, segment, row)
        assert out["realized_spread_60s"] == pytest.approx(100)
        assert out["price_impact_60s"] == pytest.approx(100)


def test_liquidity_waits_for_its_window_and_for_what_comes_before_it(market):
    segment = market([100] * 16, [101] * 16, 1.0, bucket_s=5)
    rows = [values(liquidity, segment, i) for i in range(16)]
    since = {
        name: [math.isfinite(row[name]) for row in rows].index(True)
        for name in (
            "kyle_60s",
            "amihud_60s",
            "hasbrouck_60s",
            "effective_spread_60s",
            "roll_60s",
            "realized_spread_60s",
            "price_impact_60s",
        )
    }
    assert list(since.values()) == [13, 13, 13, 13, 14, 14, 14]
