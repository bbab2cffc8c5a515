"""What columns of trades in pandas are made of on events: sums over the rows that traded alone."""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

__all__ = ["Trades"]

LAG = 5  # buckets after which a trade is judged


class Trades:
    """The trades of a market, signed by the tick rule, and their sums over windows of buckets."""

    SUMS = ("traded", "volume", "notional", "signed", "sign_product", "effective")
    JUDGED = ("realized", "impact", "judged")

    def __init__(self, market):
        self.market = market
        volume = market.frame["volume"].to_numpy()
        traded = volume > 0
        traded[market.starts] = False  # was traded before the segment
        self.row = np.flatnonzero(traded)
        self.volume = volume[self.row]
        self.price = market.close.to_numpy()[self.row]
        self.running = lru_cache(maxsize=None)(self._running)

    # The first trade of each bucket.
    first = cached_property(lambda self: np.searchsorted(self.row, self.market.first_row))

    @cached_property
    def mid_before(self):
        market, before = self.market, self.row - 1
        return 0.5 * (market.bid.to_numpy()[before] + market.ask.to_numpy()[before])

    @cached_property
    def begins(self):
        """Tell of which trades there is none before them in their segment."""
        places = np.searchsorted(self.row, self.market.starts)
        return places[places < len(self.row)]

    @cached_property
    def sign(self):
        rule = np.sign(self.price - self.mid_before)
        known = pd.Series(np.where(rule != 0, rule, np.nan))
        known.iloc[self.begins] = rule[self.begins]
        return known.ffill().to_numpy()

    @cached_property
    def sign_product(self):
        product = self.sign * np.append(0.0, self.sign[:-1])
        product[self.begins] = 0.0
        return product

    traded = cached_property(lambda self: np.ones(len(self.row)))
    notional = cached_property(lambda self: self.price * self.volume)
    signed = cached_property(lambda self: self.sign * self.volume)
    effective = cached_property(lambda self: 2 * self.sign * (self.price / self.mid_before - 1))

    def _running(self, name):
        """Return the sums before each trade and after the last, and where they stood at the
        beginning of each bucket."""
        running = np.append(0.0, np.cumsum(getattr(self, name)))
        return running, pd.Series(running[self.first])

    @cached_property
    def counts(self):
        """Return for how many rows each of these sums stood."""
        return np.diff(self.row, prepend=0, append=len(self.market.times))

    def since(self, name, w):
        """Return the sum over the last w buckets and the one in progress, row by row."""
        running, begun = self.running(name)
        return pd.Series(np.repeat(running, self.counts)) - self.market.spread_out(begun.shift(w))

    def of_bucket(self, name):
        running, begun = self.running(name)
        return begun.diff().shift(-1).fillna(running[-1] - begun.iloc[-1])

    # Trades as they are judged by the mid a while later.

    def total(self, values):
        running = np.append(0.0, np.cumsum(values))
        return pd.Series(np.diff(running[self.first], append=running[-1]))

    sides = cached_property(lambda self: self.total(2 * self.sign))
    weights = cached_property(lambda self: self.total(2 * self.sign / self.mid_before))
    prices = cached_property(lambda self: self.total(2 * self.sign / self.mid_before * self.price))

    def judged(self, name, w):
        """Return the sum over as many buckets as a window has, moved back by the lag.

        The last of these is judged by the present mid.
        """
        market = self.market
        if name == "judged":
            count = self.of_bucket("traded")
            return market.spread_out(count.rolling(w + 1).sum().shift(LAG))
        later = market.ended.mid.shift(-LAG)
        if name == "realized":
            known, weights = self.prices, -self.weights
        else:
            known, weights = -self.sides, self.weights
        settled = (known + weights * later).rolling(w).sum().shift(LAG + 1)
        known = market.spread_out(settled + known.shift(LAG))
        return known + market.spread_out(weights.shift(LAG)) * market.mid
