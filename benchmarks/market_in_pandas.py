"""What columns in pandas are made of: the inputs of a row, and sums over windows of them.

On a grid of one second a row is a bucket: a window of w whole buckets and the present one are w + 1
rows. ``market_in_pandas_events`` offers the same where a bucket has many rows or none.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
from market_in_pandas_bars import Bars
from scipy.special import erf

__all__ = ["LN2", "SECOND", "BucketQuantities", "Market", "RowQuantities", "share"]

SECOND = 10**9
LN2 = float(np.log(2.0))
LAG = 5  # rows after which a trade is judged


def share(above, below, otherwise=0.0):
    return (above / below).where(below != 0, otherwise)


class RowQuantities:
    """What the columns of a row by itself and of two rows in a row are made of."""

    def __init__(self, frame, tick_size):
        self.time = frame["timestamp"]
        self.bid, self.ask = frame["bid_price"], frame["ask_price"]
        self.bids, self.asks = frame["bid_volume"], frame["ask_volume"]
        self.close = frame["close"]
        self.frame, self.tick_size = frame, tick_size
        self.bars = lru_cache(maxsize=None)(self._bars)

    mid = cached_property(lambda self: 0.5 * (self.bid + self.ask))
    spread = cached_property(lambda self: self.ask - self.bid)
    # Spreads of one width differ in the last bit, which a score of nothing else would show.
    decimal_spread = cached_property(lambda self: self.spread.round(8))
    size = cached_property(lambda self: self.bids + self.asks)
    half_size = cached_property(lambda self: 0.5 * self.size)
    log_size = cached_property(lambda self: np.log(self.size))
    imbalance = cached_property(lambda self: (self.bids - self.asks) / self.size)
    log_mid = cached_property(lambda self: np.log(self.mid))

    bid_rose = cached_property(lambda self: self.bid > self.bid.shift())
    ask_fell = cached_property(lambda self: self.ask < self.ask.shift())

    @cached_property
    def flow_bid(self):
        before, stood = self.bid.shift(), self.bids.shift()
        return self.bids * (self.bid >= before) - stood * (self.bid <= before)

    @cached_property
    def flow_ask(self):
        before, stood = self.ask.shift(), self.asks.shift()
        return stood * (self.ask >= before) - self.asks * (self.ask <= before)

    flow = cached_property(lambda self: self.flow_bid + self.flow_ask)

    @cached_property
    def changed(self):
        fields = (self.bid, self.ask, self.bids, self.asks)
        return pd.Series(np.logical_or.reduce([field != field.shift() for field in fields]))


class BucketQuantities:
    """What is made of the changes over a bucket and of what was traded in it."""

    path = cached_property(lambda self: self.move.abs())
    r2 = cached_property(lambda self: self.r**2)
    r3 = cached_property(lambda self: self.r2 * self.r)
    r4 = cached_property(lambda self: self.r2**2)
    r_abs = cached_property(lambda self: self.r.abs())
    r_up = cached_property(lambda self: self.r2.where(self.r > 0, 0.0))
    product = cached_property(lambda self: self.r * self.r_before)
    product_abs = cached_property(lambda self: self.product.abs())

    bucket_traded = cached_property(lambda self: (self.volume > 0).astype(float))
    log_volume = cached_property(lambda self: np.log1p(self.volume))
    signed2 = cached_property(lambda self: self.signed**2)
    move_signed = cached_property(lambda self: self.move * self.signed)
    illiquidity = cached_property(
        lambda self: (self.r_abs / self.notional).where(self.volume > 0, 0.0)
    )
    return_root = cached_property(lambda self: self.r * self.side * np.sqrt(self.notional))
    price_move2 = cached_property(lambda self: self.price_move**2)
    price_product = cached_property(lambda self: self.price_move * self.price_move_before)

    @cached_property
    def bulk_share(self):
        known = erf(self.price_move / self.deviation / np.sqrt(2.0))
        return known.where(self.deviation > 0, np.sign(self.price_move))

    bulk = cached_property(lambda self: self.bulk_share * self.volume)
    bulk_abs = cached_property(lambda self: self.bulk.abs())


class Market(RowQuantities, BucketQuantities):
    """Ticks of a one-second grid and what columns share, each computed at its first use."""

    def __init__(self, frame, tick_size):
        super().__init__(frame, tick_size)
        self.rolled = lru_cache(maxsize=None)(self._rolled)

    @cached_property
    def volume(self):
        return self.frame["volume"].where(self.time.index > 0, 0.0)

    def _rolled(self, name, how, rows):
        return getattr(getattr(self, name).rolling(rows), how)()

    def sum(self, name, w):
        """Return the sum over the last w buckets and the present one."""
        return self.rolled(name, "sum", w + 1)

    def mean(self, name, w):
        return self.sum(name, w) / (w + 1)

    def largest(self, name, w):
        return self.rolled(name, "max", w + 1)

    def score(self, name, w):
        window = getattr(self, name).rolling(w + 1)
        return share(getattr(self, name) - window.mean(), window.std(ddof=0))

    def diff(self, name, w):
        """Return the change since the end of the bucket before the last w ones."""
        return getattr(self, name).diff(w + 1)

    def extremes(self, w):
        """Return the lowest and the highest mid, the one carried into the window included."""
        return self.rolled("mid", "min", w + 2), self.rolled("mid", "max", w + 2)

    def level_average(self, name, half_life):
        values = getattr(self, name)
        before = values.shift().fillna(values.iloc[0])
        return before.ewm(halflife=half_life, adjust=False).mean()

    def pace(self, name, half_life):
        """Return an impulse EWMA, per second."""
        weight = LN2 / half_life / (1 - 2.0 ** (-1 / half_life))
        values = getattr(self, name).fillna(0.0)
        return values.ewm(halflife=half_life, adjust=False).mean() * weight

    def standing(self, w):
        """Return for how many of w seconds longer the bid than the ask was the larger size."""
        return self.rolled("stood", "sum", w)

    def rise(self, w):
        """Return the sum over the window of the mid times its distance from the centre."""
        centre = self.place - w / 2
        return self.sum("placed_mid", w) - centre * self.sum("mid", w)

    def ups_and_downs(self, w):
        up = self.move.clip(lower=0).ewm(alpha=1 / w, adjust=False).mean()
        return up, (-self.move).clip(lower=0).ewm(alpha=1 / w, adjust=False).mean()

    stood = cached_property(lambda self: np.sign(self.imbalance).shift())
    place = cached_property(lambda self: pd.Series(np.arange(len(self.mid), dtype=float)))
    placed_mid = cached_property(lambda self: self.place * self.mid)
    move = cached_property(lambda self: self.mid.diff().fillna(0.0))
    tick_move = cached_property(lambda self: self.move)
    r = cached_property(lambda self: self.log_mid.diff().fillna(0.0))
    r_before = cached_property(lambda self: self.r.shift())
    ten = cached_property(lambda self: self.log_mid.diff(10) ** 2)

    def after_first(self, values):
        """Return values of which the first is missing: averages begin with the second one."""
        known = values.copy()
        known.iloc[0] = np.nan
        return known

    @cached_property
    def variance(self):
        return self.after_first(self.r2).ewm(alpha=0.06, adjust=False).mean()

    def of_minute(self, function):
        """Return a function of the minutes since 1970."""
        return function(self.time // (60 * SECOND))

    # Trades, signed by the tick rule.
    mid_before = cached_property(lambda self: self.mid.shift().fillna(self.mid.iloc[0]))
    traded = cached_property(lambda self: self.bucket_traded)
    notional = cached_property(lambda self: self.close * self.volume)

    @cached_property
    def last_sign(self):
        sign = np.sign(self.close - self.mid_before).where(self.volume > 0)
        return sign.where(sign != 0).ffill().fillna(0.0)

    sign = cached_property(lambda self: self.last_sign * self.traded)
    side = cached_property(lambda self: self.sign)
    sign_product = cached_property(lambda self: self.sign * self.last_sign.shift())
    signed = cached_property(lambda self: self.sign * self.volume)
    effective = cached_property(lambda self: 2 * self.sign * (self.close / self.mid_before - 1))

    @cached_property
    def realized(self):
        sign, price = 2 * self.sign.shift(LAG), self.close.shift(LAG)
        return sign * (price - self.mid) / self.mid_before.shift(LAG)

    impact = cached_property(
        lambda self: 2 * self.sign.shift(LAG) * (self.mid / self.mid_before.shift(LAG) - 1)
    )
    judged = cached_property(lambda self: self.traded.shift(LAG))
    price_move = cached_property(lambda self: self.close.diff().fillna(0.0))
    price_move_before = cached_property(lambda self: self.price_move.shift())

    @cached_property
    def deviation(self):
        squares = self.after_first(self.price_move2).ewm(halflife=60, adjust=False).mean()
        return np.sqrt(squares).shift()

    # Of buckets that are rows.
    high = property(lambda self: self.mid)
    low = property(lambda self: self.mid)

    def _bars(self, w):
        number = (self.time // (w * SECOND)).to_numpy()
        return Bars(self, number, np.ones(len(number), dtype=int), [0])
