"""Family 9, depth: the levels of the book below the best quote."""

import math
from functools import lru_cache

import numpy as np

from oracles.features.flow import ask_flow, bid_flow
from oracles.features.segment import NAN

IMBALANCES = (3, 5, 10)
FLOW_LEVELS = (2, 3, 4, 5)
FLOW_WINDOWS = (5, 30, 60)
INTEGRATED_WINDOWS = (5, 30, 60, 300)
DISTANCES = (5, 10, 25)
# Prices are near m and are subtracted from it: of such terms a thousandth is far above their
# rounding.
LEVEL = 1e-3
# Two prices side by side are known to 1e-15 of themselves, which 1e-9 of this is.
RATIO_ROUNDING = 1e-6


def columns(segment, i):
    """Return the columns that ``segment.depth_levels`` levels are enough for; none without."""
    if segment.depth is None:
        return {}
    out = {}
    for levels in IMBALANCES:
        if segment.depth_levels >= levels:
            out[f"depth.imbalance_{levels}"] = imbalance(segment.depth[i, :levels], np.ones(levels))
    book = segment.depth[i]
    halves = 0.5 ** np.arange(segment.depth_levels)
    out["depth.imbalance_weighted"] = imbalance(book, halves)
    if np.isnan(book).any():
        names = ("mid_dev", "bid_slope", "ask_slope", "round_trip_cost", "gap", "largest_share")
        out.update({f"depth.{name}": NAN for name in names})
        out.update({f"depth.within_{distance}bp": NAN for distance in DISTANCES})
    else:
        out.update(of_the_whole_book(segment, i))
    for w in FLOW_WINDOWS:
        for level in FLOW_LEVELS:
            if segment.depth_levels >= level:
                weights = np.arange(1, segment.depth_levels + 1) == level
                out[f"depth.ofi_level{level}_{w}s"] = flow(segment, i, w, weights)
    weights = segment.ofi_weights
    if weights is None:
        weights = np.full(segment.depth_levels, 1 / segment.depth_levels)
    for w in INTEGRATED_WINDOWS:
        out[f"depth.integrated_ofi_{w}s"] = flow(segment, i, w, weights)
    return out


def imbalance(book, weights):
    """Return the imbalance of weighted sizes; NaN where a level is missing."""
    if np.isnan(book).any():
        return NAN
    bids, asks = (weights * book[:, 1]).sum(), (weights * book[:, 3]).sum()
    return (bids - asks) / (bids + asks), 1.0


def of_the_whole_book(segment, i):
    book, m = segment.depth[i], segment.m[i]
    b, B, a, A = book.T
    sizes = np.append(A, B)
    weighted_mid = (a * B + b * A).sum() / sizes.sum()
    bought, sold = average_price(a, A, segment, i), average_price(b, B, segment, i)
    out = {
        "mid_dev": ((weighted_mid - m) / m * 1e4, 2e4 * LEVEL),
        "bid_slope": slope(b, B, m),
        "ask_slope": slope(a, A, m),
        "round_trip_cost": ((bought - sold) / m * 1e4, 2e4 * LEVEL),
        "gap": (((a[1] - a[0]) - (b[0] - b[1])) / m * 1e4, 4e4 * LEVEL),
        "largest_share": (sizes.max() / sizes.sum(), 1.0),
    }
    away = np.abs(np.append(a, b) - m) / m * 1e4
    for distance in DISTANCES:
        out[f"within_{distance}bp"] = within(away, sizes, distance)
    return {f"depth.{name}": value for name, value in out.items()}


def average_price(prices, sizes, segment, i):
    """Return what a unit costs where the notional is traded; the last level holds any size."""
    units = segment.round_trip_notional / segment.m[i]
    left, paid = units, 0.0
    for level, (price, size) in enumerate(zip(prices, sizes, strict=True)):
        taken = left if level == len(prices) - 1 else min(left, size)
        paid += taken * price
        left -= taken
    return paid / units


def slope(prices, sizes, m):
    """Return ln(1 + slope) of one side, a term without a denominator left out."""
    v = np.log(1 + np.cumsum(sizes))
    total = terms = 0.0
    for level, price in enumerate(prices):
        if level == 0:
            numerator, distance = v[0], abs(price / m - 1)
        elif v[level - 1] > 0:
            numerator, distance = v[level] / v[level - 1] - 1, abs(price / prices[level - 1] - 1)
        else:
            continue
        if distance > 0:
            total += numerator / distance
            terms += numerator / distance * RATIO_ROUNDING / distance
    mean = total / len(prices)
    return math.log(1 + mean), 1.0 + terms / len(prices) / (1 + mean)


def within(away, sizes, distance):
    """Return ln(1 + size) of the levels at most ``distance`` bp away."""
    value = math.log(1 + sizes[away <= distance + 1e-9].sum())
    # A level just at the distance may be taken as inside or not.
    least = math.log(1 + sizes[away < distance - 1e-9].sum())
    return value, (value - least) * 1e9


@lru_cache(maxsize=2)
def level_flows(segment):
    """Return the two halves of e of each row and level, shape (2, rows, levels)."""
    out = np.zeros((2, *segment.depth.shape[:2]))
    for level in range(segment.depth_levels):
        book = segment.depth[:, level]
        there = ~np.isnan(book).any(axis=1)
        both = there & np.append(False, there[:-1])
        out[0, both, level] = bid_flow(book[:, 0], book[:, 1])[both]
        out[1, both, level] = ask_flow(book[:, 2], book[:, 3])[both]
    return out


def flow(segment, i, seconds, weights):
    """Return the window's flow, summed over the levels with ``weights``, per size of the touch."""
    found = segment.window(i, seconds)
    if found is None:
        return NAN
    depth = segment.mean_depth(i, *found)
    halves = level_flows(segment)[:, segment.rows_since(i, found[0])] * weights
    return halves.sum() / depth, np.abs(halves).sum() / depth
