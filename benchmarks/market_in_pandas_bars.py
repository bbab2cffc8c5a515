"""Bars in pandas, made of the buckets of a market."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

__all__ = ["Bars"]


class Bars:
    """Bars of which each field is computed at its first use.

    Of the bar in which a segment begins only the close is known.

    Parameters
    ----------
    buckets
        Has ``high``, ``low``, ``mid`` and ``volume`` of every bucket.
    number
        Shape (buckets,): the bar that a bucket belongs to.
    rows
        Shape (buckets,): how many rows a bucket has.
    firsts
        The first bucket of each segment.
    """

    def __init__(self, buckets, number, rows, firsts):
        self.buckets = buckets
        self.begins = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
        self.rows = np.add.reduceat(rows, self.begins)
        self.firsts = np.searchsorted(self.begins, firsts)

    def reduced(self, ufunc, name):
        return ufunc.reduceat(getattr(self.buckets, name).to_numpy(), self.begins)

    @cached_property
    def close(self):
        lasts = np.append(self.begins[1:], len(self.buckets.mid)) - 1
        return pd.Series(self.buckets.mid.to_numpy()[lasts])

    @cached_property
    def open(self):
        opened = self.close.shift()
        opened.iloc[self.firsts] = np.nan
        return opened

    high = cached_property(lambda self: np.maximum(self.open, self.reduced(np.maximum, "high")))
    low = cached_property(lambda self: np.minimum(self.open, self.reduced(np.minimum, "low")))
    volume = cached_property(lambda self: self.known(self.reduced(np.add, "volume")))
    log_open = cached_property(lambda self: np.log(self.open))
    log_high = cached_property(lambda self: np.log(self.high))
    log_low = cached_property(lambda self: np.log(self.low))
    log_close = cached_property(lambda self: np.log(self.close))

    def known(self, values):
        """Return values of the bars without those of the bars that had begun before a segment."""
        known = pd.Series(values)
        known.iloc[self.firsts] = np.nan
        return known

    def in_progress(self, column):
        """Give every row the value of the bar that it is in."""
        return pd.Series(np.repeat(column.to_numpy(), self.rows))

    def closed(self, column):
        """Give every row the value of the last bar that was closed before it."""
        return self.in_progress(column.shift())
