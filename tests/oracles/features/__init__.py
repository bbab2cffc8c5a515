"""Every feature from its formula, one row at a time, in plain NumPy.

Each signal gives its value and the sum of the absolute terms that it was added up from, which is
what its rounding error is measured against (in places a fraction of that sum, where both sides
subtract the level of the price first). Buckets are rebuilt from the ticks for every segment;
nothing is carried from row to row.
"""

from oracles.features import (
    aggressor,
    bars,
    book,
    calendar,
    depth,
    dynamics,
    flow,
    liquidity,
    momentum,
    trades,
    volatility,
)
from oracles.features.segment import Segment

__all__ = ["Segment", "columns_at"]

ALWAYS = (book, dynamics, flow, momentum, volatility, bars, trades, liquidity, calendar)


def columns_at(segment, i):
    """Return {name: (value, sum of absolute terms)} of row ``i``.

    The families that need the depth or the aggressor's side are there where the segment has it.
    """
    families = list(ALWAYS)
    if segment.depth is not None:
        families.append(depth)
    if segment.aggressor:
        families.append(aggressor)
    out = {}
    for family in families:
        out.update(family.columns(segment, i))
    return out
