"""Family 7, trades: their signs, their volume, and the volume that the price gives a side to.

A trade is a tick with a volume. Its sign is that of its aggressor where the settings say that the
data names it, else that of its price against the mid that stood before it.
"""

import math
from functools import lru_cache

import numpy as np
from scipy.stats import norm

from oracles.features.segment import NAN, SECOND, z_score

WINDOWS = (30, 60, 300)
HALF_LIFE_S = 60  # of the variance that bulk classification measures a change by
OF_TRADES = ("volume_z", "signed_ratio", "trade_rate", "vwap_dev", "sign_autocorr")
OF_BULK = ("bulk_imbalance", "vpin")


def columns(segment, i):
    out = {}
    for w in WINDOWS:
        out.update({f"trades.{name}_{w}s": NAN for name in OF_TRADES + OF_BULK})
        found = segment.window(i, w)
        if found is None:
            continue
        known = of_trades(segment, i, *found)
        # As many whole buckets more as hold the half-life.
        lag = math.ceil(HALF_LIFE_S * SECOND / segment.bucket_ns)
        if segment.window(i, w, lag=lag) is not None:
            known |= of_bulk(segment, i, *found)
        out.update({f"trades.{name}_{w}s": value for name, value in known.items()})
    out["trades.mean_size_ratio"] = mean_size_ratio(segment, i)
    return out


# The three below hold for every row of a segment at once, as row t rests on no row after it.


def has_sides(segment):
    """Tell of each row whether the aggressor decides its sign."""
    known = ~np.isnan(segment.vb) & ~np.isnan(segment.vs)
    return known & segment.aggressor


@lru_cache(maxsize=2)
def signs(segment):
    """Return eps of each row; 0 where nothing was traded."""
    sided = has_sides(segment)
    out = np.zeros(len(segment.t))
    before = 0.0
    for row in np.flatnonzero(segment.v > 0):
        if sided[row]:
            sign = np.sign(segment.vb[row] - segment.vs[row])
        elif segment.p[row] != segment.m[row - 1]:
            sign = np.sign(segment.p[row] - segment.m[row - 1])
        else:
            sign = before
        out[row] = before = sign
    return out


@lru_cache(maxsize=2)
def signed_volumes(segment):
    """Return q of each row: what was bought less what was sold."""
    out = signs(segment) * segment.v
    for row in np.flatnonzero(has_sides(segment)):
        bought, sold = segment.vb[row], segment.vs[row]
        known = bought + sold
        out[row] = segment.v[row] * (bought - sold) / known if known > 0 else 0.0
    return out


def bucket_sums(segment, i, length, values):
    """Add up a row's ``values`` in each of the window's whole buckets and in the present one."""
    rows = segment.rows_since(i, length)
    place = segment.k[rows] - (segment.k[i] - length)
    return np.bincount(place, weights=values[rows], minlength=length + 1)


def of_trades(segment, i, length, now):
    out = {}
    m = segment.m[i]
    rows = segment.rows_since(i, length)
    p, v, q = segment.p[rows], segment.v[rows], signed_volumes(segment)[rows]
    volume, count = v.sum(), (v > 0).sum()

    out["volume_z"] = z_score(np.log1p(bucket_sums(segment, i, length, segment.v)))
    out["trade_rate"] = (count / (length * segment.bucket_s), 0.0)
    if count == 0:
        return out | dict.fromkeys(("signed_ratio", "vwap_dev", "sign_autocorr"), (0.0, 0.0))
    out["signed_ratio"] = (q.sum() / volume, np.abs(q).sum() / volume)
    vwap = (p * v).sum() / volume
    # A hundredth: 2e-7 bp, far above the rounding of m and of the average price.
    out["vwap_dev"] = ((m - vwap) / m * 1e4, (m + vwap) / m * 1e4 * 1e-2)

    every = np.flatnonzero(segment.v[: i + 1] > 0)
    eps = signs(segment)[every]
    products = eps * np.append(0.0, eps[:-1])
    out["sign_autocorr"] = (products[every >= rows.start].sum() / count, 0.0)
    return out


def mean_size_ratio(segment, i):
    short, long = segment.window(i, 30), segment.window(i, 300)
    if short is None or long is None:
        return NAN
    recent = segment.v[segment.rows_since(i, short[0])]
    usual = segment.v[segment.rows_since(i, long[0])]
    if not recent.any():
        return 1.0, 0.0
    return recent[recent > 0].mean() / usual[usual > 0].mean(), 0.0


@lru_cache(maxsize=2)
def price_variances(segment):
    """Return sigma^2 of dp as it stood before each bucket of the segment."""
    dp = np.diff(segment.end_p, prepend=segment.p[0])
    share = 1 - 2.0 ** (-segment.bucket_s / HALF_LIFE_S)
    out = np.zeros(len(dp))
    for place in range(2, len(dp)):
        square = dp[place - 1] ** 2
        # The first whole bucket follows the one in which the segment began.
        out[place] = square if place == 2 else out[place - 1] + share * (square - out[place - 1])
    return out


def bought_less_sold(dp, variance):
    """Return 2 Phi(dp / sigma) - 1: the share bought less the share sold."""
    still = variance == 0
    sigma = np.sqrt(np.where(still, 1.0, variance))
    return np.where(still, np.sign(dp), 2 * norm.cdf(dp / sigma) - 1)


def of_bulk(segment, i, length, now):
    volumes = bucket_sums(segment, i, length, segment.v)
    if not volumes.any():
        return dict.fromkeys(OF_BULK, (0.0, 0.0))
    dp = np.diff(np.append(segment.end_p[now - length - 1 : now], segment.p[i]))
    part = bought_less_sold(dp, price_variances(segment)[now - length : now + 1])
    # Phi is rounded at the level of 1, however little of it is left.
    return {
        "bulk_imbalance": ((part * volumes).sum() / volumes.sum(), 1.0),
        "vpin": ((np.abs(part) * volumes).sum() / volumes.sum(), 1.0),
    }
