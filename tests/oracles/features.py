"""Every feature from its formula, one row at a time, in plain NumPy.

Each signal returns its value and the sum of the absolute terms that it was added up from, which is
what its rounding error is measured against (in places a fraction of that sum, where both sides
subtract the level of the price first). Buckets are rebuilt from the ticks for every segment;
nothing is carried from row to row. Prices are decimals: two quotes of one mid have one mid here,
whatever the last bit of their floats.
"""

import math

import numpy as np
import pandas as pd

FLOW = (1, 5, 30, 60, 300)
MOMENTUM = (5, 30, 60, 300, 900)
VOLATILITY = (30, 60, 300, 900)
NAN = (math.nan, 0.0)


def stands_since(values, i):
    """Return the first row of the run of equal values that ends with row ``i``."""
    others = np.flatnonzero(values[: i + 1] != values[i])
    return int(others[-1]) + 1 if len(others) else 0


class Segment:
    """Ticks of one continuous stretch; arrays of equal length, time in nanoseconds."""

    def __init__(self, timestamp, bid, ask, bid_volume, ask_volume, close, *, bucket_s, tick_size):
        self.t = np.asarray(timestamp, dtype=np.int64)
        self.b, self.a = np.asarray(bid, float), np.asarray(ask, float)
        self.B, self.A = np.asarray(bid_volume, float), np.asarray(ask_volume, float)
        self.p = np.asarray(close, float)
        self.m = np.array([float(f"{mid:.13g}") for mid in (self.b + self.a) / 2])
        self.bucket_s = bucket_s
        self.tick_size = tick_size
        self.k = self.t // round(bucket_s * 1e9)
        every = np.arange(self.k[0], self.k[-1] + 1)
        last = pd.Series(np.arange(len(self.t))).groupby(self.k).last().reindex(every).ffill()
        ends = last.to_numpy(dtype=int)
        self.end_mid = self.m[ends]
        self.end_depth = (self.B + self.A)[ends] / 2
        previous = np.concatenate(([self.m[0]], self.end_mid[:-1]))
        self.end_return = np.log(self.end_mid) - np.log(previous)
        before_b, before_a = np.roll(self.b, 1), np.roll(self.a, 1)
        before_B, before_A = np.roll(self.B, 1), np.roll(self.A, 1)
        self.e_bid = (self.b >= before_b) * self.B - (self.b <= before_b) * before_B
        self.e_ask = (self.a >= before_a) * before_A - (self.a <= before_a) * self.A
        self.bid_up = (self.b > before_b).astype(float)
        self.ask_down = (self.a < before_a).astype(float)
        for flow in (self.e_bid, self.e_ask, self.bid_up, self.ask_down):
            flow[0] = 0.0

    def at(self, i):
        """Return {name: (value, sum of absolute terms)} of row ``i``."""
        out = {}
        out.update(self._book(i))
        out.update(self._flow(i))
        out.update(self._momentum(i))
        out.update(self._volatility(i))
        return out

    def _window(self, i, seconds, lag=0):
        """Return the whole buckets of the window and the present one's place, or None."""
        length = seconds * 10**9 // round(self.bucket_s * 1e9)
        now = int(self.k[i] - self.k[0])
        if length == 0 or now - 1 < length + lag:
            return None
        return length, now

    def _returns(self, i, length, now):
        present = math.log(self.m[i]) - math.log(self.end_mid[now - 1])
        return np.append(self.end_return[now - length : now], present)

    def _book(self, i):
        b, a, B, A, m, p = self.b[i], self.a[i], self.B[i], self.A[i], self.m[i], self.p[i]
        s = a - b
        imbalance = (B - A) / (B + A)
        if s > 0:
            inside = min(5.0, max(-5.0, (p - m) / s))
        else:
            inside = 5.0 * np.sign(p - m)
        began = max(stands_since(x, i) for x in (self.b, self.a, self.B, self.A))
        quote_age = (self.t[i] - self.t[began]) * 1e-9
        mid_age = (self.t[i] - self.t[stands_since(self.m, i)]) * 1e-9
        wap = (a * B + b * A) / (A + B)
        return {
            "book.spread": (s / m * 1e4, (a + b) / m * 1e4),
            "book.spread_ticks": (s / self.tick_size, (a + b) / self.tick_size),
            "book.imbalance": (imbalance, 1.0),
            "book.imbalance_abs": (abs(imbalance), 1.0),
            "book.size_ratio": (math.log(B / A), 1.0),
            "book.wap_dev": ((wap - m) / m * 1e4, 2e4),
            "book.depth": (math.log(A + B), 1.0),
            "book.quote_slope": (
                s / (math.log(1 + A) + math.log(1 + B)) / m * 1e4,
                (a + b) / (math.log(1 + A) + math.log(1 + B)) / m * 1e4,
            ),
            "book.last_in_spread": (inside, (p + m) / s if s > 0 else 0.0),
            "book.quote_age": (math.log(1 + quote_age), 1.0),
            "book.mid_age": (math.log(1 + mid_age), 1.0),
        }

    def _flow(self, i):
        out = {}
        for w in FLOW:
            names = ["ofi", "ofi_bid", "ofi_ask", "bid_up", "ask_down"]
            found = self._window(i, w)
            if found is None:
                out.update({f"flow.{name}_{w}s": NAN for name in names})
                continue
            length, now = found
            first = np.searchsorted(self.k, self.k[i] - length)
            rows = slice(first, i + 1)
            depth = np.append(self.end_depth[now - length : now], (self.B[i] + self.A[i]) / 2)
            mean = depth.mean()
            bid, ask = self.e_bid[rows], self.e_ask[rows]
            terms = (np.abs(bid).sum() + np.abs(ask).sum()) / mean
            rate = length * self.bucket_s
            out[f"flow.ofi_{w}s"] = ((bid.sum() + ask.sum()) / mean, terms)
            out[f"flow.ofi_bid_{w}s"] = (bid.sum() / mean, terms)
            out[f"flow.ofi_ask_{w}s"] = (ask.sum() / mean, terms)
            out[f"flow.bid_up_{w}s"] = (self.bid_up[rows].sum() / rate, 0.0)
            out[f"flow.ask_down_{w}s"] = (self.ask_down[rows].sum() / rate, 0.0)
        found = self._window(i, 30)
        out["flow.ofi_fast_slow"] = NAN
        if found is not None:
            length, now = found
            e = (self.e_bid + self.e_ask)[: i + 1]
            age = (self.t[i] - self.t[: i + 1]) * 1e-9
            fast = (e * 2.0 ** (-age / 1.0)).sum() / 1.0
            slow = (e * 2.0 ** (-age / 30.0)).sum() / 30.0
            depth = np.append(self.end_depth[now - length : now], (self.B[i] + self.A[i]) / 2)
            terms = (np.abs(e) * (2.0**-age + 2.0 ** (-age / 30.0) / 30.0)).sum()
            out["flow.ofi_fast_slow"] = (
                math.log(2) * (fast - slow) / depth.mean(),
                math.log(2) * terms / depth.mean(),
            )
        return out

    def _momentum(self, i):
        out = {}
        m = self.m[i]
        for w in MOMENTUM:
            found = self._window(i, w)
            names = ["return", "ema_gap", "zscore", "range_position", "efficiency", "slope"]
            if found is None:
                out.update({f"momentum.{name}_{w}s": NAN for name in names})
                continue
            length, now = found
            carried = self.end_mid[now - length - 1]
            logs = abs(math.log(m)) + abs(math.log(carried))
            out[f"momentum.return_{w}s"] = (math.log(m / carried) * 1e4, logs * 1e4)

            # The mid that stood from tick j to tick j + 1 weighs what is left of that time.
            left = 2.0 ** (-(self.t[i] - self.t[: i + 1]) * 1e-9 / w)
            average = (self.m[:i] * np.diff(left)).sum() + self.m[0] * left[0]
            out[f"momentum.ema_gap_{w}s"] = ((m - average) / m * 1e4, 2e4)

            mids = np.append(self.end_mid[now - length : now], m)
            std = mids.std()
            level = np.ptp(mids) > 0
            z = (m - mids.mean()) / std if level else 0.0
            out[f"momentum.zscore_{w}s"] = (z, 2 * m / std * 1e-6 if level else 0.0)

            time = np.arange(length + 1) * float(self.bucket_s)
            time -= time.mean()
            rise = (time * (mids - mids.mean())).sum() / (time * time).sum()
            terms = (np.abs(time) * mids).sum() / (time * time).sum()
            out[f"momentum.slope_{w}s"] = (rise / m * 1e4, terms / m * 1e4 * 1e-2)

            first = np.searchsorted(self.k, self.k[i] - length)
            inside = np.append(self.m[first : i + 1], carried)
            spread = np.ptp(inside)
            place = (m - inside.min()) / spread if spread > 0 else 0.5
            out[f"momentum.range_position_{w}s"] = (place, 1.0)

            path = np.abs(np.diff(np.append(self.end_mid[now - length - 1 : now], m))).sum()
            out[f"momentum.efficiency_{w}s"] = (abs(m - carried) / path if path > 0 else 0.0, 1.0)
        for w in VOLATILITY:
            out[f"momentum.autocorr_{w}s"] = NAN
            found = self._window(i, w, lag=1)
            if found is None:
                continue
            length, now = found
            r = self._returns(i, length, now)
            before = np.append(self.end_return[now - length - 1], r[:-1])
            if (r != 0).sum() < 10:
                continue
            if np.ptp(r) <= 1e-6 * np.abs(r).max():  # all equal
                out[f"momentum.autocorr_{w}s"] = (0.0, 0.0)
                continue
            variance = ((r - r.mean()) ** 2).mean()
            value = ((r * before).mean() - r.mean() ** 2) / variance
            squares = (r * r).mean() + r.mean() ** 2
            terms = np.abs(r * before).mean() + r.mean() ** 2 + abs(value) * squares
            out[f"momentum.autocorr_{w}s"] = (value, terms / variance)
        moves = np.sign(np.diff(self.m[: i + 1]))
        moves = moves[moves != 0]
        run = 0
        for move in moves[::-1]:
            if move != moves[-1]:
                break
            run += int(move)
        out["momentum.run_length"] = (float(run), 0.0)
        return out

    def _volatility(self, i):
        out = {}
        names = ["up_share", "skew", "kurt", "max_move", "bipower", "jump_share", "realized"]
        for w in VOLATILITY:
            out.update({f"volatility.{name}_{w}s": NAN for name in names})
            found = self._window(i, w)
            if found is None:
                continue
            length, now = found
            r = self._returns(i, length, now)
            rv = (r * r).sum()
            out[f"volatility.realized_{w}s"] = (math.sqrt(rv) * 1e4, 0.0)
            if (r != 0).sum() < 10:
                continue
            n = length + 1
            out[f"volatility.up_share_{w}s"] = ((r[r > 0] ** 2).sum() / rv, 1.0)
            skew = math.sqrt(n) / rv**1.5
            out[f"volatility.skew_{w}s"] = (skew * (r**3).sum(), skew * np.abs(r**3).sum())
            out[f"volatility.kurt_{w}s"] = (n * (r**4).sum() / rv**2, 0.0)
            out[f"volatility.max_move_{w}s"] = (np.abs(r).max() / math.sqrt(rv), 0.0)
            if self._window(i, w, lag=1) is None:
                continue
            before = np.append(self.end_return[now - length - 1], r[:-1])
            bipower = math.pi / 2 * np.abs(r * before).sum()
            out[f"volatility.bipower_{w}s"] = (bipower * 1e8, 0.0)
            out[f"volatility.jump_share_{w}s"] = (max(0.0, 1 - bipower / rv), bipower / rv)
        out["volatility.ewma"] = NAN
        now = int(self.k[i] - self.k[0])
        if now - 1 >= 12:
            squares = np.append(self.end_return[1:now], self._returns(i, 1, now)[-1]) ** 2
            variance = squares[0]
            for square in squares[1:]:
                variance = 0.94 * variance + 0.06 * square
            out["volatility.ewma"] = (math.sqrt(variance) * 1e4, 0.0)
        out["volatility.ratio_short_long"] = NAN
        short, long = self._window(i, 30), self._window(i, 300)
        if short is not None and long is not None:
            short_r, long_r = self._returns(i, *short), self._returns(i, *long)
            below = (long_r**2).mean()
            ratio = math.sqrt((short_r**2).mean() / below) if below > 0 else 1.0
            out["volatility.ratio_short_long"] = (ratio, 0.0)
        return out
