"""What columns in polars are made of: the inputs of a row, and sums over windows of them.

On a grid of one second a row is a bucket: a window of w whole buckets and the present one are w + 1
rows. ``market_in_polars_events`` offers the same where a bucket has many rows or none.

The parts are series, each computed at its first use: one lazy query of a column would compute what
stands in it twice, nested, several times. What a column makes of the parts is an expression.
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache

import numpy as np
import polars as pl
from market_in_polars_bars import Bars

__all__ = [
    "ASK",
    "ASKS",
    "BID",
    "BIDS",
    "CLOSE",
    "LAG",
    "LN2",
    "LOG_MID",
    "MID",
    "SECOND",
    "SIZE",
    "SPREAD",
    "TIME",
    "BucketQuantities",
    "Market",
    "RowQuantities",
    "decayed",
    "differs",
    "share",
    "where",
]

SECOND = 10**9
LN2 = math.log(2.0)
LAG = 5  # buckets after which a trade is judged

TIME = pl.col("timestamp")
BID, ASK = pl.col("bid_price"), pl.col("ask_price")
BIDS, ASKS = pl.col("bid_volume"), pl.col("ask_volume")
CLOSE = pl.col("close")

MID = 0.5 * (BID + ASK)
SPREAD = ASK - BID
SIZE = BIDS + ASKS
LOG_MID = np.log(MID)


def number(condition):
    """Return 1.0 where ``condition`` holds, else 0.0."""
    return condition.cast(pl.Float64)


def where(condition, values, otherwise=0.0):
    """Choose between two series or two expressions."""
    if isinstance(condition, pl.Series):
        if not isinstance(otherwise, pl.Series):
            otherwise = pl.Series([otherwise], dtype=pl.Float64)
        return values.zip_with(condition, otherwise)
    return pl.when(condition).then(values).otherwise(otherwise)


def flow(risen, fallen, price):
    """Return what came to a side or left it, by whether its price rose or fell or stayed."""
    before = price.shift()
    return where(price >= before, risen) - where(price <= before, fallen)


def differs(field):
    return (field != field.shift()).fill_null(True)


def share(above, below, otherwise=0.0, least=1e-9):
    # A rolling sum of polars that is 0 again keeps a residue of what was in it.
    return where(below.abs() > least, above / below, otherwise)


def decayed(values, **decay):
    return values.ewm_mean(adjust=False, **decay)


class RowQuantities:
    """What the columns of a row by itself and of two rows in a row are made of."""

    mid, log_mid = MID, LOG_MID
    decimal_spread = SPREAD.round(8)
    half_size, log_size = SIZE / 2, np.log(SIZE)
    imbalance = (BIDS - ASKS) / SIZE
    flow_bid, flow_ask = flow(BIDS, BIDS.shift(), BID), flow(ASKS.shift(), ASKS, ASK)
    flow = flow_bid + flow_ask
    bid_rose, ask_fell = BID > BID.shift(), ASK < ASK.shift()
    changed = differs(BID) | differs(ASK) | differs(BIDS) | differs(ASKS)


class BucketQuantities:
    """What is made of the changes over a bucket and of what was traded in it."""

    path = cached_property(lambda self: self.move.abs())
    r2 = cached_property(lambda self: self.r**2)
    r3 = cached_property(lambda self: self.r**3)
    r4 = cached_property(lambda self: self.r**4)
    r_abs = cached_property(lambda self: self.r.abs())
    r_up = cached_property(lambda self: where(self.r > 0, self.r2))
    product = cached_property(lambda self: self.r * self.r_before)
    product_abs = cached_property(lambda self: self.product.abs())

    bucket_traded = cached_property(lambda self: number(self.volume > 0))
    log_volume = cached_property(lambda self: np.log1p(self.volume))
    signed2 = cached_property(lambda self: self.signed**2)
    move_signed = cached_property(lambda self: self.move * self.signed)
    return_root = cached_property(lambda self: self.r * self.side * self.notional.sqrt())
    price_move2 = cached_property(lambda self: self.price_move**2)
    price_product = cached_property(lambda self: self.price_move * self.price_move_before)

    @cached_property
    def illiquidity(self):
        return where(self.volume > 0, self.r.abs() / self.notional)


class Market(RowQuantities, BucketQuantities, Bars):
    """The parts on a one-second grid.

    Parameters
    ----------
    frame
        The columns of the capture.
    """

    def __init__(self, frame):
        super().__init__(frame)
        self.series = lru_cache(maxsize=None)(self._series)
        self.rolled = lru_cache(maxsize=None)(self._rolled)

    def _series(self, name):
        """Return a quantity of rows, or of the buckets that rows are."""
        if hasattr(RowQuantities, name):
            return self.frame.select(getattr(RowQuantities, name)).to_series()
        return getattr(self, name)

    def _rolled(self, name, how, rows):
        return getattr(self.series(name).cast(pl.Float64), f"rolling_{how}")(rows)

    def sum(self, name, w):
        """Return the sum over the last w buckets and the present one."""
        return pl.lit(self.rolled(name, "sum", w + 1))

    def mean(self, name, w):
        return pl.lit(self.rolled(name, "mean", w + 1))

    def largest(self, name, w):
        return pl.lit(self.rolled(name, "max", w + 1))

    def score(self, name, w):
        values = self.series(name)
        above = values - values.rolling_mean(w + 1)
        return pl.lit(share(above, values.rolling_std(w + 1, ddof=0)))

    def diff(self, name, w):
        """Return the change since the end of the bucket before the last w ones."""
        return pl.lit(self.series(name).diff(w + 1))

    def extremes(self, w):
        """Return the lowest and the highest mid, the one carried into the window included."""
        return [pl.lit(self.rolled("mid", how, w + 2)) for how in ("min", "max")]

    def level_average(self, name, half_life):
        values = self.series(name)
        return pl.lit(decayed(values.shift(fill_value=values[0]), half_life=half_life))

    def pace(self, name, half_life):
        """Return an impulse EWMA, per second."""
        weight = LN2 / half_life / (1 - 2.0 ** (-1 / half_life))
        return pl.lit(decayed(self.series(name).fill_null(0.0), half_life=half_life)) * weight

    def standing(self, w):
        """Return for how many of w seconds longer the bid than the ask was the larger size."""
        return pl.lit(self.series("imbalance").sign().shift().rolling_sum(w))

    def rise(self, w):
        """Return the sum over the window of the mid times its distance from the centre."""
        centre = self.place - w / 2
        rise = self.rolled("placed_mid", "sum", w + 1) - centre * self.rolled("mid", "sum", w + 1)
        return pl.lit(rise)

    def ups_and_downs(self, w):
        moves = self.move, -self.move
        return [pl.lit(decayed(where(move > 0, move), alpha=1 / w)) for move in moves]

    def run(self):
        """Return how many moves in a row went the way of the last one, signed."""
        moved = self.move != 0
        direction = self.move.filter(moved).sign()
        count = pl.int_range(len(direction), eager=True)
        turned = (direction != direction.shift()).fill_null(True)
        begun = count.zip_with(turned, pl.Series([None], dtype=pl.Int64)).forward_fill()
        run = pl.concat([pl.Series([None], dtype=pl.Float64), (count - begun + 1) * direction])
        return pl.lit(run.gather(moved.cum_sum()))

    def of_minute(self, function):
        """Return a function of the minutes since 1970."""
        return function(TIME // (60 * SECOND))

    place = cached_property(lambda self: pl.int_range(len(self.frame), eager=True).cast(pl.Float64))
    placed_mid = cached_property(lambda self: self.place * self.series("mid"))
    move = cached_property(lambda self: self.series("mid").diff().scatter(0, 0.0))
    r = cached_property(lambda self: self.series("log_mid").diff().scatter(0, 0.0))
    r_before = cached_property(lambda self: self.r.shift())
    ten = cached_property(lambda self: self.series("log_mid").diff(10) ** 2)

    @property
    def variance(self):
        return pl.lit(decayed(self.r2.clone().scatter(0, None), alpha=0.06))

    # Trades, signed by the tick rule.
    volume = cached_property(lambda self: self.frame["volume"].clone().scatter(0, 0.0))
    traded = cached_property(lambda self: number(self.volume > 0))
    close = cached_property(lambda self: self.frame["close"])
    notional = cached_property(lambda self: self.close * self.volume)

    @cached_property
    def mid_before(self):
        mid = self.series("mid")
        return mid.shift(fill_value=mid[0])

    @cached_property
    def last_sign(self):
        sign = (self.close - self.mid_before).sign()
        return where((sign != 0) & (self.volume > 0), sign, None).forward_fill().fill_null(0.0)

    sign = cached_property(lambda self: self.last_sign * self.traded)
    side = cached_property(lambda self: self.sign)
    sign_product = cached_property(lambda self: self.sign * self.last_sign.shift())
    signed = cached_property(lambda self: self.sign * self.volume)
    effective = cached_property(lambda self: self.sign * 2 * (self.close / self.mid_before - 1))
    judged = cached_property(lambda self: self.traded.shift(LAG))
    pressure = cached_property(lambda self: (self.sign * 2 / self.mid_before).shift(LAG))

    @cached_property
    def realized(self):
        return self.pressure * (self.close.shift(LAG) - self.series("mid"))

    @cached_property
    def impact(self):
        return self.pressure * (self.series("mid") - self.mid_before.shift(LAG))

    price_move = cached_property(lambda self: self.close.diff().scatter(0, 0.0))
    price_move_before = cached_property(lambda self: self.price_move.shift())

    def of_bar(self, w, column):
        """Give every row the value of the bar that it is in."""
        return pl.lit(column).gather((TIME // (w * SECOND)).rle_id())
