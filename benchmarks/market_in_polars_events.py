"""What columns in polars are made of where a bucket of one second has many rows or none.

As in ``market_in_pandas_events``: what belongs to a bucket is gathered for its rows, a sum since a
bucket began is the difference of two running sums, and windows are rolled over the buckets that
have ended.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import polars as pl
from market_in_polars import (
    LN2,
    MID,
    SECOND,
    SIZE,
    SPREAD,
    BucketQuantities,
    RowQuantities,
    decayed,
    share,
    where,
)
from market_in_polars_bars import Bars
from market_in_polars_event_trades import Trades

__all__ = ["Market"]

GAP = 900 * SECOND  # more begins a segment


class Market(RowQuantities, Bars):
    """The parts on events; the buckets of all segments stand in one table, one after the other.

    Parameters
    ----------
    frame
        The columns of the capture.
    """

    def __init__(self, frame):
        super().__init__(frame)
        self.ended, self.present = Ended(self), Present(self)
        self.series = lru_cache(maxsize=None)(self._series)
        self.summed = lru_cache(maxsize=None)(self._summed)

    def _series(self, name):
        """Return a quantity of rows."""
        return self.frame.select(getattr(RowQuantities, name)).to_series()

    # Segments and buckets.

    time = cached_property(lambda self: self.frame["timestamp"])

    @cached_property
    def segments(self):
        """Return the begin and the length of each segment: in rows, and in buckets."""
        begins = [0, *(self.time.diff() > GAP).arg_true()]
        ends = [*begins[1:], len(self.time)]
        rows, buckets, place = [], [], 0
        for begin, end in zip(begins, ends, strict=True):
            count = self.time[end - 1] // SECOND - self.time[begin] // SECOND + 1
            rows.append((begin, end - begin))
            buckets.append((place, count))
            place += count
        return rows, buckets

    @cached_property
    def begins(self):
        """Return the row and the bucket that each segment begins with."""
        return [pl.Series([begin for begin, _ in parts]) for parts in self.segments]

    @cached_property
    def offsets(self):
        """Return for each segment how much more than its place the seconds of a bucket are."""
        pairs = zip(*self.segments, strict=True)
        return [self.time[row] // SECOND - place for (row, _), (place, _) in pairs]

    @cached_property
    def second(self):
        """Return the seconds since 1970 of each bucket."""
        return pl.concat(
            [
                pl.int_range(place + offset, place + offset + count, eager=True)
                for (place, count), offset in zip(self.segments[1], self.offsets, strict=True)
            ]
        )

    @cached_property
    def first(self):
        """Return the row that each bucket begins with, an empty one the next one's."""
        return self.time.search_sorted(self.second * SECOND).cast(pl.Int64)

    before = cached_property(lambda self: self.first - 1)

    @cached_property
    def end(self):
        """Return the row that each bucket ends with, an empty one an earlier one's."""
        return self.first.shift(-1, fill_value=len(self.time)) - 1

    @cached_property
    def bucket(self):
        """Return the bucket of each row."""
        parts = [
            self.time.slice(*part) // SECOND - offset
            for part, offset in zip(self.segments[0], self.offsets, strict=True)
        ]
        return pl.concat(parts, rechunk=True).cast(pl.UInt32, wrap_numerical=True)

    def spread_out(self, table):
        """Give every row the value of its bucket."""
        return table[self.bucket]

    # Windows.

    def since(self, name, w):
        """Return the sum over the last w buckets and the one in progress, row by row."""
        running = self.series(name).cum_sum()
        begun = running.gather(self.before).cast(pl.Float64)
        return running - self.spread_out(begun.shift(w))

    def _summed(self, name, w):
        if name in Trades.SUMS:
            return self.trades.since(name, w)
        if name in Trades.JUDGED:
            return self.trades.judged(name, w)
        if not hasattr(Ended, name):
            return self.since(name, w)
        ended = getattr(self.ended, name).rolling_sum(w).shift()
        return self.spread_out(ended) + getattr(self.present, name)

    def sum(self, name, w):
        return pl.lit(self.summed(name, w))

    def mean(self, name, w):
        return self.sum(name, w) / (w + 1)

    def largest(self, name, w):
        ended = self.spread_out(getattr(self.ended, name).rolling_max(w).shift())
        present = getattr(self.present, name)
        return pl.lit(where(ended > present, ended, present))

    def score(self, name, w):
        """Add the present value to mean and variance of those that buckets ended with."""
        ended = getattr(self.ended, name)
        distance = getattr(self.present, name) - self.spread_out(ended.rolling_mean(w).shift())
        others = self.spread_out(ended.rolling_var(w, ddof=0).shift() * ((w + 1) / w))
        return pl.lit(share(distance, (others + distance * distance / w).sqrt()))

    def diff(self, name, w):
        before = self.spread_out(getattr(self.ended, name).shift(w + 1))
        return pl.lit(getattr(self.present, name) - before)

    def extremes(self, w):
        carried = self.ended.mid.shift(w + 1)
        low, high = self.ended.low.rolling_min(w).shift(), self.ended.high.rolling_max(w).shift()
        low = self.spread_out(where(low < carried, low, carried))
        high = self.spread_out(where(high > carried, high, carried))
        lowest, highest = self.present.low, self.present.high
        # Series, as ``min_horizontal`` takes seven times as long.
        return (
            pl.lit(where(low < lowest, low, lowest)),
            pl.lit(where(high > highest, high, highest)),
        )

    def rise(self, w):
        mids = self.ended.mid
        place = pl.int_range(len(mids), eager=True).cast(pl.Float64)
        ended = (place * mids).rolling_sum(w).shift()
        ended -= (place - w / 2) * mids.rolling_sum(w).shift()
        return pl.lit(self.spread_out(ended)) + w / 2 * MID

    # Averages that forget by the time that goes by; halves are few enough for a float to hold.

    def level_average(self, name, half_life):
        values, parts = self.series(name), []
        for begin, count in self.segments[0]:
            part = values.slice(begin, count)
            before = part.shift(fill_value=part[0])
            rows = pl.DataFrame({"before": before, "time": self.time.slice(begin, count)})
            average = pl.col("before").ewm_mean_by("time", half_life=f"{half_life * SECOND}i")
            parts.append(rows.select(average).to_series())
        return pl.lit(pl.concat(parts))

    def pace(self, name, half_life):
        values, parts = self.series(name), []
        for begin, count in self.segments[0]:
            time = self.time.slice(begin, count)
            weight = np.exp((time - time[0]) * (LN2 / half_life / SECOND))
            # What comes with a segment's first row is no change.
            impulses = (values.slice(begin + 1, count - 1) * weight.slice(1)).cum_sum()
            parts += [pl.Series([0.0]), impulses / weight.slice(1)]
        return pl.lit(pl.concat(parts)) * (LN2 / half_life)

    def standing(self, w):
        sign = (self.frame["bid_volume"] - self.frame["ask_volume"]).sign().cast(pl.Int64)
        running = (sign.shift() * self.time.diff()).cum_sum()
        until = self.second * SECOND - self.time.gather(self.before)
        begun = running.gather(self.before) + sign.gather(self.before) * until
        return pl.lit((running - self.spread_out(begun.shift(w))) / SECOND)

    # Buckets one after the other.

    def recursion(self, table, begins=0, **decay):
        """Return the average of each segment's buckets, from that many buckets on."""
        parts = []
        for begin, count in self.segments[1]:
            parts.append(pl.Series([None] * begins, dtype=pl.Float64))
            parts.append(decayed(table.slice(begin + begins, count - begins), **decay))
        return pl.concat(parts)

    def ups_and_downs(self, w):
        now, averages = self.present.move, []
        for moves, present in ((self.ended.move, now), (-self.ended.move, -now)):
            ended = self.recursion(moves.clip(0.0), alpha=1 / w).shift() * (1 - 1 / w)
            averages.append(pl.lit(self.spread_out(ended) + where(present > 0, present / w)))
        return averages

    @property
    def variance(self):
        ended = self.recursion(self.ended.r2, begins=1, alpha=0.06).shift()
        return pl.lit(0.94 * self.spread_out(ended) + 0.06 * self.present.r2)

    def run(self):
        """Return how many moves in a row went the way of the last one, signed."""
        mid = self.series("mid")
        moved = (mid != mid.shift()).fill_null(False)
        at = moved.arg_true().cast(pl.Int64)
        direction = (mid.gather(at) - mid.gather(at - 1)).sign()
        direction = where(~at.is_in(self.begins[0].implode()), direction)
        count = pl.int_range(len(at), eager=True)
        turned = (direction != direction.shift()).fill_null(True)
        begun = count.zip_with(turned, pl.Series([None], dtype=pl.Int64)).forward_fill()
        run = pl.concat([pl.Series([0.0]), (count - begun + 1) * direction])
        return pl.lit(run.gather(moved.cum_sum()))

    def of_minute(self, function):
        return pl.lit(self.spread_out(pl.select(function(pl.lit(self.second // 60))).to_series()))

    @cached_property
    def trades(self):
        return Trades(self)

    def of_bar(self, w, column):
        return pl.lit(self.spread_out(column.gather((self.second // w).rle_id())))


class Ended(BucketQuantities):
    """Quantities of the buckets that have ended, a row for each of them."""

    def __init__(self, market):
        self.market = market

    def at_end(self, expression):
        return self.market.frame.select(expression.gather(pl.lit(self.market.end))).to_series()

    def change(self, values):
        return values.diff().scatter(self.market.begins[1], 0.0)

    mid = cached_property(lambda self: self.market.series("mid").gather(self.market.end))
    log_mid = cached_property(lambda self: np.log(self.mid))
    decimal_spread = cached_property(lambda self: self.at_end(SPREAD).round(8))
    half_size = cached_property(lambda self: self.at_end(SIZE) / 2)
    log_size = cached_property(lambda self: np.log(self.at_end(SIZE)))
    close = cached_property(lambda self: self.market.frame["close"].gather(self.market.end))
    move = cached_property(lambda self: self.change(self.mid))
    r = cached_property(lambda self: self.change(self.log_mid))
    r_before = cached_property(lambda self: self.r.shift())
    ten = cached_property(lambda self: self.log_mid.diff(10) ** 2)
    price_move = cached_property(lambda self: self.change(self.close))
    price_move_before = cached_property(lambda self: self.price_move.shift())

    def extreme(self, present):
        known = self.market.end >= self.market.first
        return where(known, present.gather(self.market.end), self.mid)

    low = cached_property(lambda self: self.extreme(self.market.present.low))
    high = cached_property(lambda self: self.extreme(self.market.present.high))

    volume = cached_property(lambda self: self.market.trades.of_bucket("volume"))
    notional = cached_property(lambda self: self.market.trades.of_bucket("notional"))
    signed = cached_property(lambda self: self.market.trades.of_bucket("signed"))
    side = cached_property(lambda self: self.signed.round(8).sign())


class Present(BucketQuantities):
    """The same quantities of the bucket in progress, up to each row."""

    def __init__(self, market):
        self.market = market

    mid = cached_property(lambda self: self.market.series("mid"))
    log_mid = cached_property(lambda self: self.market.series("log_mid"))
    decimal_spread = cached_property(lambda self: self.market.series("decimal_spread"))
    half_size = cached_property(lambda self: self.market.series("half_size"))
    log_size = cached_property(lambda self: self.market.series("log_size"))
    close = cached_property(lambda self: self.market.frame["close"])

    # Moved further apart than the mids are from each other, buckets begin a running extreme anew:
    # it takes a third of the time of one ``over`` buckets.
    @cached_property
    def apart(self):
        return self.market.bucket.cast(pl.Float64) * (self.mid.max() - self.mid.min() + 1.0)

    low = cached_property(lambda self: (self.mid - self.apart).cum_min() + self.apart)
    high = cached_property(lambda self: (self.mid + self.apart).cum_max() - self.apart)

    def since(self, name, buckets=1):
        ended = self.market.spread_out(getattr(self.market.ended, name).shift(buckets))
        return getattr(self, name) - ended

    move = cached_property(lambda self: self.since("mid"))
    r = cached_property(lambda self: self.since("log_mid"))
    r_before = cached_property(lambda self: self.market.spread_out(self.market.ended.r.shift()))
    ten = cached_property(lambda self: self.since("log_mid", 10) ** 2)
    price_move = cached_property(lambda self: self.since("close"))

    @cached_property
    def price_move_before(self):
        return self.market.spread_out(self.market.ended.price_move.shift())

    volume = cached_property(lambda self: self.market.summed("volume", 0))
    notional = cached_property(lambda self: self.market.summed("notional", 0))
    signed = cached_property(lambda self: self.market.summed("signed", 0))
    side = cached_property(lambda self: self.signed.round(8).sign())
