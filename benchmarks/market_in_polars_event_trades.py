"""What columns of trades in polars are made of on events: sums over the rows that traded alone."""

from __future__ import annotations

from functools import cached_property, lru_cache

import polars as pl
from market_in_polars import LAG, where

__all__ = ["Trades"]

NOTHING = pl.Series([0.0])


class Trades:
    """The trades of a market, signed by the tick rule, and their sums over windows of buckets.

    What was traded in the row that begins a segment was traded before it and counts for nothing.
    """

    SUMS = ("traded", "volume", "notional", "signed", "sign_product", "effective")
    JUDGED = ("realized", "impact", "judged")

    def __init__(self, market):
        self.market, self.frame = market, market.frame
        self.running = lru_cache(maxsize=None)(self._running)

    is_trade = cached_property(lambda self: self.frame["volume"] > 0)
    row = cached_property(lambda self: self.is_trade.arg_true().cast(pl.Int64))
    # The number of trades before each bucket, and before and in each row.
    before_bucket = cached_property(lambda self: self.row.search_sorted(self.market.first))
    until_row = cached_property(lambda self: self.is_trade.cum_sum())

    @cached_property
    def begins(self):
        """The place of each segment's first trade."""
        places = self.row.search_sorted(self.market.begins[0])
        return places.filter(places < len(self.row))

    @cached_property
    def traded(self):
        starts = self.row.is_in(self.market.begins[0].implode())
        return (~starts).cast(pl.Float64)

    price = cached_property(lambda self: self.frame["close"].gather(self.row))
    volume = cached_property(lambda self: self.frame["volume"].gather(self.row) * self.traded)
    notional = cached_property(lambda self: self.price * self.volume)

    @cached_property
    def mid_before(self):
        before = (self.row - 1).clip(0)
        bid, ask = self.frame["bid_price"], self.frame["ask_price"]
        return (bid.gather(before) + ask.gather(before)) * 0.5

    @cached_property
    def sign(self):
        rule = (self.price - self.mid_before).sign() * self.traded
        known = where(rule != 0, rule, None)
        return known.scatter(self.begins, rule.gather(self.begins)).forward_fill()

    @cached_property
    def sign_product(self):
        return (self.sign * self.sign.shift()).scatter(self.begins, 0.0)

    signed = cached_property(lambda self: self.sign * self.volume)
    effective = cached_property(lambda self: self.sign * 2 * (self.price / self.mid_before - 1))

    def _running(self, name):
        """Return the sums before each trade and after the last."""
        return pl.concat([NOTHING, getattr(self, name).cum_sum()])

    def since(self, name, w):
        """Return the sum over the last w buckets and the one in progress, row by row."""
        running = self.running(name)
        begun = running.gather(self.before_bucket).shift(w)
        return running[self.until_row] - self.market.spread_out(begun)

    def of_bucket(self, name):
        running = self.running(name)
        begun = running.gather(self.before_bucket)
        return begun.shift(-1, fill_value=running[-1]) - begun

    # Trades as they are judged by the mid a while later.

    sides = cached_property(lambda self: self.sign * 2)
    weights = cached_property(lambda self: self.sides / self.mid_before)
    prices = cached_property(lambda self: self.weights * self.price)

    def judged(self, name, w):
        """Return the sum over as many buckets as a window has, moved back by the lag.

        The last of these is judged by the present mid.
        """
        market = self.market
        if name == "judged":
            return market.spread_out(self.of_bucket("traded").rolling_sum(w + 1).shift(LAG))
        later, weights = market.ended.mid.shift(-LAG), self.of_bucket("weights")
        if name == "realized":
            known, weights = self.of_bucket("prices"), -weights
        else:
            known = -self.of_bucket("sides")
        settled = (known + weights * later).rolling_sum(w).shift(LAG + 1)
        known = market.spread_out(settled + known.shift(LAG))
        return known + market.spread_out(weights.shift(LAG)) * market.present.mid
