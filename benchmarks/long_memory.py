"""Columns that remember everything since the beginning, carried along in extended precision.

Averages over bars and the convergence of averages of minutes weigh what is days old; no recent past
is long enough to compute them anew from. Minutes are built in whole steps and thousandths, exactly,
and the averages of them in ``numpy.longdouble``.
"""

from __future__ import annotations

import numpy as np

__all__ = ["LongMemory"]

MINUTE_NS = 60_000_000_000
MINUTES_A_BAR = (1, 5, 15)
Exact = np.longdouble


class Average:
    """An exponential average that begins with its first value."""

    def __init__(self, share):
        self.share, self.value = share, None

    def add(self, value):
        self.value = value if self.value is None else self.value + self.share * (value - self.value)
        return self.value


class Bars:
    """The whole bars of so many minutes, and the averages over them."""

    def __init__(self, minutes):
        self.minutes = minutes
        self.volume, self.true_range = Average(Exact(1) / 8), Average(Exact(1) / 14)
        self.begun = None
        self.columns = (0.0, 0.0)

    def add(self, minute, high, low, close, volume):
        if minute % self.minutes == 0:
            self.begun = [high, low, 0]
        if self.begun is None:
            return
        self.begun = [max(self.begun[0], high), min(self.begun[1], low), self.begun[2] + volume]
        if minute % self.minutes == self.minutes - 1:
            high, low, volume = self.begun
            usual = self.volume.add(Exact(volume))
            wide = self.true_range.add(Exact(high - low))
            self.columns = (
                float(Exact(volume) / usual) if usual > 0 else 1.0,
                float(wide / close * 10_000),
            )


class LongMemory:
    """Minutes of one market from its first tick on, and the columns that rest on all of them."""

    def __init__(self, steps_a_unit):
        self.steps_a_unit = steps_a_unit
        self.bars = [Bars(minutes) for minutes in MINUTES_A_BAR]
        self.fast, self.slow = Average(Exact(2) / 13), Average(Exact(2) / 27)
        self.signal = Average(Exact(2) / 10)
        self.macd = (0.0, 0.0)
        self.minute = None
        self.first = True

    def add(self, ticks):
        """Take accepted ticks in, in order."""
        bid, ask = (
            np.rint(ticks[side] * self.steps_a_unit).astype(np.int64)
            for side in ("bid_price", "ask_price")
        )
        mids = bid + ask  # halves of a step
        volumes = np.rint(ticks["volume"] * 1_000).astype(np.int64)
        minutes = ticks["timestamp"] // MINUTE_NS
        if self.minute is None:
            self.open(int(minutes[0]), int(mids[0]))
            volumes[0] = 0  # was traded before the segment
        begins = np.flatnonzero(np.diff(minutes, prepend=minutes[0] - 1))
        ends = np.append(begins[1:], len(minutes)) - 1
        parts = zip(
            minutes[begins].tolist(),
            np.maximum.reduceat(mids, begins).tolist(),
            np.minimum.reduceat(mids, begins).tolist(),
            mids[ends].tolist(),
            np.add.reduceat(volumes, begins).tolist(),
            strict=True,
        )
        for minute, high, low, close, volume in parts:
            while self.minute < minute:
                self.close_minute()
            self.high, self.low = max(self.high, high), min(self.low, low)
            self.last, self.volume = close, self.volume + volume

    def open(self, minute, mid):
        self.minute, self.volume = minute, 0
        self.high = self.low = self.last = mid

    def close_minute(self):
        # The first one was not watched from its beginning.
        if not self.first:
            for bars in self.bars:
                bars.add(self.minute, self.high, self.low, self.last, self.volume)
            close = Exact(self.last)
            line = self.fast.add(close) - self.slow.add(close)
            histogram = line - self.signal.add(line)
            self.macd = tuple(float(value / close * 10_000) for value in (line, histogram))
        self.first = False
        self.open(self.minute + 1, self.last)

    def columns(self):
        """Return {name: value} as of the last tick."""
        out = {"momentum.macd": self.macd[0], "momentum.macd_histogram": self.macd[1]}
        for minutes, bars in zip(MINUTES_A_BAR, self.bars, strict=True):
            out[f"bars.volume_ratio_{60 * minutes}s"] = bars.columns[0]
            out[f"bars.atr_{60 * minutes}s"] = bars.columns[1]
        return out
