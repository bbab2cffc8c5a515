"""One continuous stretch of ticks and the buckets that are rebuilt from it.

Prices are decimals: two quotes of one mid have one mid here, and two quotes of one width one
spread, whatever the last bit of their floats.
"""

import math

import numpy as np

SECOND = 10**9
NAN = (math.nan, 0.0)
MIN_RETURNS = 10  # non-zero ones in a window; with fewer, a statistic of returns is NaN


class Segment:
    """Ticks of one continuous stretch, and what its buckets end with.

    Attributes
    ----------
    t, b, a, B, A, p, m, s
        Time in nanoseconds, best bid and ask price and size, last trade, decimal mid and spread.
    v, vb, vs
        Volume traded since the tick before, the part that bought and the part that sold (NaN where
        unknown). The first tick's is 0 in all three: it was traded before the segment.
    aggressor
        Whether the settings say that the data names the side of a trade.
    depth, depth_levels
        None where no levels are asked for or given, else of shape (ticks, levels, 4): bid price and
        size, ask price and size; NaN where a level is missing. Level 1 is the tick's own quote.
    tick_size, microprice, ofi_weights, round_trip_notional
        Numbers that were fitted or set beforehand.
    bucket_ns, bucket_s
        Length of a bucket.
    k, first_bucket
        Each tick's bucket, as a number since 1970, and the segment's first.
    first_row, end_row
        For each bucket from the segment's first to its last, empty ones too: the first row at or
        after its beginning, and the last row before its end (an earlier bucket's where it is empty,
        so that what stood is carried through).
    end_mid, end_spread, end_depth, end_p
        What stood when a bucket ended; the depth is (A + B) / 2.
    end_return, end_change
        Change of ln m and of m over a bucket; in the first one, since the first tick.
    """

    def __init__(
        self,
        timestamp,
        bid,
        ask,
        bid_volume,
        ask_volume,
        close,
        volume=None,
        buy_volume=None,
        sell_volume=None,
        *,
        bucket_s,
        tick_size=math.nan,
        aggressor=False,
        depth=None,
        depth_levels=None,
        microprice=None,
        ofi_weights=None,
        round_trip_notional=10_000.0,
    ):
        self.t = np.asarray(timestamp, dtype=np.int64)
        rows = len(self.t)
        self.b, self.a = np.asarray(bid, float), np.asarray(ask, float)
        self.B, self.A = np.asarray(bid_volume, float), np.asarray(ask_volume, float)
        self.p = np.asarray(close, float)
        self.m = np.array([float(f"{mid:.13g}") for mid in (self.b + self.a) / 2])
        self.s = np.array(
            [
                round(wide, 12 - math.floor(math.log10(mid)))
                for wide, mid in zip((self.a - self.b).tolist(), self.m.tolist(), strict=True)
            ]
        )
        self.v = np.zeros(rows) if volume is None else np.array(volume, float)
        self.vb = np.full(rows, math.nan) if buy_volume is None else np.array(buy_volume, float)
        self.vs = np.full(rows, math.nan) if sell_volume is None else np.array(sell_volume, float)
        self.v[0] = self.vb[0] = self.vs[0] = 0.0

        self.tick_size = tick_size
        self.aggressor = aggressor
        self.microprice = None if microprice is None else np.asarray(microprice, float)
        self.ofi_weights = None if ofi_weights is None else np.asarray(ofi_weights, float)
        self.round_trip_notional = round_trip_notional
        given = np.empty((rows, 0, 4)) if depth is None else np.asarray(depth, float)
        self.depth_levels = given.shape[1] if depth_levels is None else depth_levels
        self.depth = None
        if self.depth_levels > 0:
            self.depth = np.full((rows, self.depth_levels, 4), math.nan)
            shared = min(self.depth_levels, given.shape[1])
            self.depth[:, :shared] = given[:, :shared]
            self.depth[:, 0] = np.stack([self.b, self.B, self.a, self.A], axis=1)

        self.bucket_s = bucket_s
        self.bucket_ns = round(bucket_s * SECOND)
        self.k = self.t // self.bucket_ns
        self.first_bucket = int(self.k[0])
        every = np.arange(self.k[0], self.k[-1] + 1)
        self.first_row = np.searchsorted(self.k, every, side="left")
        self.end_row = np.searchsorted(self.k, every, side="right") - 1
        self.end_mid = self.m[self.end_row]
        self.end_spread = self.s[self.end_row]
        self.end_depth = (self.B + self.A)[self.end_row] / 2
        self.end_p = self.p[self.end_row]
        before = np.concatenate(([self.m[0]], self.end_mid[:-1]))
        self.end_return = np.log(self.end_mid) - np.log(before)
        self.end_change = self.end_mid - before

    def window(self, i, seconds, lag=0):
        """Return the whole buckets of the window and the place of row ``i``'s own, or None.

        None where the window and ``lag`` more buckets have not been seen: the segment's first
        bucket, which began before it was watched, is not counted. ``end_mid[now - length : now]``
        then are the mids of the window's whole buckets.
        """
        length = seconds * SECOND // self.bucket_ns
        now = int(self.k[i]) - self.first_bucket
        if length == 0 or now - 1 < length + lag:
            return None
        return length, now

    def rows_since(self, i, length):
        """Return the ticks of the ``length`` buckets before row ``i``, and of its own up to it."""
        return slice(int(np.searchsorted(self.k, self.k[i] - length)), i + 1)

    def returns(self, i, length, now):
        """Return r of the window's buckets and, as the last, of the present one."""
        present = math.log(self.m[i]) - math.log(self.end_mid[now - 1])
        return np.append(self.end_return[now - length : now], present)

    def changes(self, i, length, now):
        """Return dm of the window's buckets and, as the last, of the present one."""
        present = self.m[i] - self.end_mid[now - 1]
        return np.append(self.end_change[now - length : now], present)

    def mean_depth(self, i, length, now):
        """Return the mean of (A + B) / 2 over the window's bucket ends and the present."""
        present = (self.B[i] + self.A[i]) / 2
        return np.append(self.end_depth[now - length : now], present).mean()


def z_score(values):
    """Return (z of the last value, sum of absolute terms); 0 where all are equal."""
    if np.ptp(values) == 0:
        return 0.0, 0.0
    mean, std = values.mean(), values.std()
    return (values[-1] - mean) / std, (abs(values[-1]) + abs(mean)) / std


def level_average(values, t, i, half_life):
    """Return E_h of a level at row ``i``: each value weighs by the time for which it stood.

    The value before the first row is taken to be the first one; the present one has no weight yet.
    """
    left = 2.0 ** (-(t[i] - t[: i + 1]) * 1e-9 / half_life)
    return (values[:i] * np.diff(left)).sum() + values[0] * left[0]


def stands_since(values, i):
    """Return the first row of the run of equal values that ends with row ``i``."""
    others = np.flatnonzero(values[: i + 1] != values[i])
    return int(others[-1]) + 1 if len(others) else 0
