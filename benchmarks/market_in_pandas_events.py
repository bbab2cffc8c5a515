"""What columns in pandas are made of where a bucket of one second has many rows or none.

Rows lie in the order of time, so that what belongs to a bucket is repeated for its rows, and a sum
since a bucket began is the difference of two running sums. Windows are rolled over the buckets
that have ended; the bucket in progress is added for each row. Trades are few: what they add up to
is computed for them alone.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
import pandas as pd
from market_in_pandas import LN2, SECOND, BucketQuantities, RowQuantities
from market_in_pandas_bars import Bars
from market_in_pandas_event_trades import Trades

__all__ = ["Market"]

GAP = 900 * SECOND  # more begins a segment


class Market(RowQuantities):
    """Ticks of events and what columns share, each computed at its first use.

    The buckets of all segments stand in one table, one segment's after the other's.
    """

    def __init__(self, frame, tick_size):
        super().__init__(frame, tick_size)
        self.times = self.time.to_numpy()
        self.ended, self.present = Ended(self), Present(self)
        self.running = lru_cache(maxsize=None)(self._running)
        self.sum = lru_cache(maxsize=None)(self._sum)
        self.averages = lru_cache(maxsize=None)(self._averages)

    # Segments and buckets.

    @cached_property
    def starts(self):
        """Row at which each segment begins."""
        return np.append(0, np.flatnonzero(np.diff(self.times) > GAP) + 1)

    @cached_property
    def edges(self):
        """The seconds of each bucket's beginning and the first bucket of each segment."""
        lasts = np.append(self.starts[1:], len(self.times)) - 1
        begins, ends = self.times[self.starts] // SECOND, self.times[lasts] // SECOND + 1
        counts = ends - begins
        firsts = np.append(0, np.cumsum(counts)[:-1])
        number = np.arange(counts.sum()) + np.repeat(begins - firsts, counts)
        return number, firsts

    number = cached_property(lambda self: self.edges[0])
    firsts = cached_property(lambda self: self.edges[1])
    first_row = cached_property(lambda self: np.searchsorted(self.times, self.number * SECOND))

    @cached_property
    def counts(self):
        return np.diff(self.first_row, append=len(self.times))

    # The row that stood when a bucket ended: the last one, an earlier bucket's where it is empty.
    end_row = cached_property(lambda self: np.append(self.first_row[1:], len(self.times)) - 1)

    @cached_property
    def segments(self):
        """Slices of the rows and of the buckets of each segment."""
        rows = pairwise([*self.starts, len(self.times)])
        buckets = pairwise([*self.firsts, len(self.number)])
        return [slice(*pair) for pair in rows], [slice(*pair) for pair in buckets]

    def spread_out(self, table):
        """Give every row the value of its bucket."""
        return pd.Series(np.repeat(np.asarray(table), self.counts))

    # Windows.

    def _running(self, name):
        """Return the running sum of a quantity of rows, and where it stood when buckets began."""
        running = getattr(self, name).cumsum()
        return running, pd.Series(np.append(0.0, running.to_numpy())[self.first_row])

    def since(self, name, w):
        """Return the sum over the last w buckets and the one in progress, row by row."""
        running, begun = self.running(name)
        return running - self.spread_out(begun.shift(w))

    def _sum(self, name, w):
        if name in Trades.SUMS:
            return self.trades.since(name, w)
        if name in Trades.JUDGED:
            return self.trades.judged(name, w)
        if not hasattr(Ended, name):
            return self.since(name, w)
        ended = getattr(self.ended, name).rolling(w).sum().shift()
        return self.spread_out(ended) + getattr(self.present, name)

    def mean(self, name, w):
        return self.sum(name, w) / (w + 1)

    def largest(self, name, w):
        ended = getattr(self.ended, name).rolling(w).max().shift()
        return np.maximum(self.spread_out(ended), getattr(self.present, name))

    def score(self, name, w):
        """Add the present value to mean and variance of those that buckets ended with."""
        window = getattr(self.ended, name).rolling(w)
        distance = getattr(self.present, name) - self.spread_out(window.mean().shift())
        others = self.spread_out(window.var(ddof=0).shift() * ((w + 1) / w))
        below = np.sqrt(others + distance**2 / w)
        return (distance / below).where(below != 0, 0.0)

    def diff(self, name, w):
        return getattr(self, name) - self.spread_out(getattr(self.ended, name).shift(w + 1))

    def extremes(self, w):
        carried, by_bucket = self.ended.mid.shift(w + 1), self.mid.groupby(self.place)
        low = np.fmin(self.ended.low.rolling(w).min().shift(), carried)
        high = np.fmax(self.ended.high.rolling(w).max().shift(), carried)
        return (
            np.minimum(self.spread_out(low), by_bucket.cummin()),
            np.maximum(self.spread_out(high), by_bucket.cummax()),
        )

    def rise(self, w):
        mids = self.ended.mid
        place = pd.Series(np.arange(len(mids), dtype=float))
        ended = (place * mids).rolling(w).sum().shift()
        ended -= (place - w / 2) * mids.rolling(w).sum().shift()
        return self.spread_out(ended) + w / 2 * self.mid

    place = cached_property(lambda self: np.repeat(np.arange(len(self.counts)), self.counts))

    # Averages that forget by the time that goes by; halves are few enough for a float to hold.

    @cached_property
    def seconds(self):
        """Return the time since the segment began."""
        rows, _ = self.segments
        began = np.repeat(self.times[self.starts], [part.stop - part.start for part in rows])
        return (self.times - began) * 1e-9

    def added_up(self, values):
        rows, _ = self.segments
        return np.concatenate([np.cumsum(values[part]) for part in rows])

    def _averages(self, half_life):
        """Return how much more than a segment's first row each row weighs."""
        return np.exp2(self.seconds / half_life)

    def level_average(self, name, half_life):
        weight, values = self.averages(half_life), getattr(self, name).to_numpy()
        stood = np.empty(len(values))
        np.multiply(values[:-1], np.diff(weight), out=stood[1:])
        stood[self.starts] = values[self.starts]
        return pd.Series(self.added_up(stood) / weight)

    def pace(self, name, half_life):
        weight, values = self.averages(half_life), getattr(self, name).to_numpy()
        impulses = values * weight
        impulses[self.starts] = 0.0
        return pd.Series(self.added_up(impulses) / weight) * (LN2 / half_life)

    def standing(self, w):
        sign = np.sign(self.bids - self.asks).to_numpy()
        stood = np.empty(len(sign))
        np.multiply(sign[:-1], np.diff(self.seconds), out=stood[1:])
        stood[self.starts] = 0.0
        running = np.cumsum(stood)
        before = np.maximum(self.first_row - 1, 0)
        until = (self.number * SECOND - self.times[before]) * 1e-9
        begun = pd.Series(running[before] + sign[before] * until)
        return pd.Series(running - self.spread_out(begun.shift(w)).to_numpy())

    # Buckets one after the other.

    def recursion(self, table, begins=0, **decay):
        """Return the average of each segment's buckets, from that many buckets on."""
        _, buckets = self.segments
        parts = [table[part][begins:].ewm(adjust=False, **decay).mean() for part in buckets]
        return pd.concat(parts).reindex(table.index) if begins else pd.concat(parts)

    def ups_and_downs(self, w):
        now, averages = self.present.move, []
        for moves, present in ((self.ended.move, now), (-self.ended.move, -now)):
            ended = self.recursion(moves.clip(lower=0), alpha=1 / w).shift() * (1 - 1 / w)
            averages.append(self.spread_out(ended) + np.maximum(present, 0.0) / w)
        return averages

    @cached_property
    def variance(self):
        ended = self.recursion(self.ended.r2, begins=1, alpha=0.06).shift()
        return 0.94 * self.spread_out(ended) + 0.06 * self.present.r2

    @cached_property
    def tick_move(self):
        move = self.mid.diff()
        move.iloc[self.starts] = np.nan
        return move

    def of_minute(self, function):
        return self.spread_out(function(self.number // 60))

    trades = cached_property(Trades)

    def _bars(self, w):
        return Bars(self.ended, self.number // w, self.counts, self.firsts)


class Ended(BucketQuantities):
    """Quantities of the buckets that have ended, a row for each of them."""

    def __init__(self, market):
        self.market = market

    def at_end(self, name):
        return pd.Series(getattr(self.market, name).to_numpy()[self.market.end_row])

    def change(self, values):
        change = values.diff()
        change.iloc[self.market.firsts] = 0.0
        return change

    mid = cached_property(lambda self: self.at_end("mid"))
    log_mid = cached_property(lambda self: np.log(self.mid))
    decimal_spread = cached_property(lambda self: self.at_end("spread").round(8))
    half_size = cached_property(lambda self: self.at_end("size") / 2)
    log_size = cached_property(lambda self: np.log(self.at_end("size")))
    close = cached_property(lambda self: self.at_end("close"))
    move = cached_property(lambda self: self.change(self.mid))
    r = cached_property(lambda self: self.change(self.log_mid))
    r_before = cached_property(lambda self: self.r.shift())
    ten = cached_property(lambda self: self.log_mid.diff(10) ** 2)
    price_move = cached_property(lambda self: self.change(self.close))
    price_move_before = cached_property(lambda self: self.price_move.shift())

    def extreme(self, ufunc):
        found = ufunc.reduceat(self.market.mid.to_numpy(), self.market.first_row)
        return pd.Series(np.where(self.market.counts > 0, found, self.mid))

    low = cached_property(lambda self: self.extreme(np.minimum))
    high = cached_property(lambda self: self.extreme(np.maximum))

    volume = cached_property(lambda self: self.market.trades.of_bucket("volume"))
    notional = cached_property(lambda self: self.market.trades.of_bucket("notional"))
    signed = cached_property(lambda self: self.market.trades.of_bucket("signed"))
    side = cached_property(lambda self: np.sign(self.signed.round(8)))

    @cached_property
    def deviation(self):
        squares = self.market.recursion(self.price_move2, begins=1, halflife=60)
        return np.sqrt(squares).shift()


class Present(BucketQuantities):
    """The same quantities of the bucket in progress, up to each row."""

    def __init__(self, market):
        self.market = market

    mid = cached_property(lambda self: self.market.mid)
    log_mid = cached_property(lambda self: self.market.log_mid)
    decimal_spread = cached_property(lambda self: self.market.decimal_spread)
    half_size = cached_property(lambda self: self.market.half_size)
    log_size = cached_property(lambda self: self.market.log_size)

    def spread_out(self, name, buckets=1):
        return self.market.spread_out(getattr(self.market.ended, name).shift(buckets))

    move = cached_property(lambda self: self.mid - self.spread_out("mid"))
    r = cached_property(lambda self: self.log_mid - self.spread_out("log_mid"))
    r_before = cached_property(lambda self: self.spread_out("r"))
    ten = cached_property(lambda self: (self.log_mid - self.spread_out("log_mid", 10)) ** 2)
    price_move = cached_property(lambda self: self.market.close - self.spread_out("close"))
    price_move_before = cached_property(lambda self: self.spread_out("price_move"))
    deviation = cached_property(lambda self: self.spread_out("deviation", 0))

    volume = cached_property(lambda self: self.market.trades.since("volume", 0))
    notional = cached_property(lambda self: self.market.trades.since("notional", 0))
    signed = cached_property(lambda self: self.market.trades.since("signed", 0))
    side = cached_property(lambda self: np.sign(self.signed.round(8)))
