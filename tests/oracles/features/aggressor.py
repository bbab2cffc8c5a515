"""Family 10, aggressor: trades by the side that struck, and size that left without a trade.

A volume that is missing counts as none. The first row of a segment counts for nothing.
"""

import math
from functools import lru_cache

import numpy as np

from oracles.features.segment import NAN

WINDOWS = (5, 30, 60, 300)
HALF_LIVES = (1, 5, 30)
OF_WINDOWS = ("signed_ratio", "count_imbalance", "large_trade_share", "cancel_rate")
TIMES_THE_MEAN = 4  # more than that is a large trade
SHARE = 0.01  # of the newest trade in the mean size
IMPULSE = 1e-6  # 1e-9 of which is far above the rounding of a whole


def columns(segment, i):
    """Return the columns where the data names the aggressor, none where it does not."""
    if not segment.aggressor:
        return {}
    out = {}
    for w in WINDOWS:
        out.update({f"aggressor.{name}_{w}s": NAN for name in OF_WINDOWS})
        found = segment.window(i, w)
        if found is not None:
            known = of_window(segment, i, *found)
            out.update({f"aggressor.{name}_{w}s": value for name, value in known.items()})
    for h in HALF_LIVES:
        out[f"aggressor.intensity_{h}s"] = intensity(segment, i, h)
    return out


def sides(segment):
    """Return vb and vs of each row."""
    return np.nan_to_num(segment.vb), np.nan_to_num(segment.vs)


def of_window(segment, i, length, now):
    rows = segment.rows_since(i, length)
    bought, sold = (side[rows] for side in sides(segment))
    volume = bought + sold
    out = dict.fromkeys(OF_WINDOWS, (0.0, 0.0))
    if volume.sum() > 0:
        out["signed_ratio"] = ((bought.sum() - sold.sum()) / volume.sum(), 1.0)
        buys, sells = (bought > 0).sum(), (sold > 0).sum()
        out["count_imbalance"] = ((buys - sells) / (buys + sells), 0.0)
        large, unsure = (mark[rows] for mark in large_trades(segment))
        # Just at the limit, rounding decides.
        terms = 1.0 + volume[unsure].sum() / volume.sum() * 1e9
        out["large_trade_share"] = (volume[large].sum() / volume.sum(), terms)
    lost_bid, lost_ask = (side[rows] for side in losses(segment))
    cancelled = np.maximum(0.0, lost_bid - sold) + np.maximum(0.0, lost_ask - bought)
    scale = segment.mean_depth(i, length, now) * length * segment.bucket_s
    terms = lost_bid.sum() + lost_ask.sum() + volume.sum()
    out["cancel_rate"] = (cancelled.sum() / scale, terms / scale)
    return out


@lru_cache(maxsize=2)
def large_trades(segment):
    """Tell of each row whether it is a large trade, and whether rounding decides that."""
    volumes = sum(sides(segment))
    large, unsure = np.zeros((2, len(volumes)), dtype=bool)
    mean = None
    for row in np.flatnonzero(volumes > 0):
        volume = volumes[row]
        if mean is None:
            mean = volume
            continue
        limit = TIMES_THE_MEAN * mean
        large[row] = volume > limit
        unsure[row] = abs(volume - limit) <= 1e-12 * limit
        mean = mean + SHARE * (volume - mean)
    return large, unsure


@lru_cache(maxsize=2)
def losses(segment):
    """Return for each row the sizes that left the best bid and the best ask."""
    return lost(segment.b, segment.B), lost(-segment.a, segment.A)


def lost(price, size):
    """Return the size that left the best price of a side since the row before, 0 at the first.

    ``price`` rises towards the other side.
    """
    out = np.zeros(len(price))
    for row in range(1, len(price)):
        if price[row] < price[row - 1]:
            out[row] = size[row - 1]
        elif price[row] == price[row - 1]:
            out[row] = max(0.0, size[row - 1] - size[row])
    return out


def intensity(segment, i, half_life):
    """Return the pace of buying ticks less that of selling ticks, the latest counting most."""
    if segment.window(i, half_life) is None:
        return NAN
    age = (segment.t[i] - segment.t[: i + 1]) * 1e-9
    weight = math.log(2) / half_life * 2.0 ** (-age / half_life)
    bought, sold = (side[: i + 1] > 0 for side in sides(segment))
    # What is left of an impulse is known to the last bit of the impulse, however long ago.
    struck = (bought.sum() + sold.sum()) * math.log(2) / half_life * IMPULSE
    terms = (weight * bought + weight * sold).sum() + struck
    return weight[bought].sum() - weight[sold].sum(), terms
