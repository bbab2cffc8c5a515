"""Bars in polars: a frame of one row a bar, of the fields that a column is made of alone."""

from __future__ import annotations

import polars as pl

__all__ = ["Bars"]

MID = 0.5 * (pl.col("bid_price") + pl.col("ask_price"))
OPENED = pl.col("last").shift()
# What is aggregated of the rows of a bar, and what of that makes its fields.
OF_ROWS = {
    "high": pl.col("mid").max(),
    "low": pl.col("mid").min(),
    "last": pl.col("mid").last(),
    "traded": pl.col("volume").sum(),
}
FIELDS = {
    "open": OPENED,
    "last": pl.col("last"),
    "high": pl.max_horizontal("high", OPENED),
    "low": pl.min_horizontal("low", OPENED),
    "traded": pl.col("traded"),
}


class Bars:
    """What a market gives of bars of w seconds.

    It has ``of_bar(w, column)``, which gives every row the value of the bar that it is in.
    """

    def __init__(self, frame):
        self.frame, self.collected = frame, {}

    def bars(self, w, fields=tuple(FIELDS)):
        """Return fields of the bars that have a predecessor, computed unless they are known."""
        known = self.collected.get(w)
        if known is None or not set(fields) <= set(known.columns):
            number = (pl.col("timestamp") // (w * 10**9)).set_sorted()
            rows = self.frame.lazy().select("volume", MID.alias("mid"), number.alias("number"))
            # Knowing that they are sorted, it takes half the time of ``group_by_dynamic``.
            bars = rows.group_by("number", maintain_order=True).agg(
                column.alias(name) for name, column in OF_ROWS.items()
            )
            bars = bars.select(FIELDS[name].alias(name) for name in fields)
            # The first bar was not watched from its beginning.
            self.collected[w] = known = bars.slice(1).collect()
        return known

    def closed(self, w, column):
        """Give every row the value of the last bar that was closed before it."""
        bars = self.bars(w, sorted(set(column.meta.root_names())))
        return self.known(w, bars.select(column.shift()))

    def opened(self, w):
        return self.known(w, self.bars(w, ["open"]).select("open"))

    def known(self, w, bars):
        first = pl.Series([None], dtype=pl.Float64)
        return self.of_bar(w, first.append(bars.to_series()))
