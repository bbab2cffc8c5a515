"""Family 8, liquidity: what trading costs, and how far it moves the price."""

import math

import numpy as np

from oracles.features.segment import NAN, SECOND
from oracles.features.trades import bucket_sums, signed_volumes, signs

WINDOWS = (60, 300, 900)
LAG_S = 5  # after which a trade is judged
OF_BUCKETS = ("kyle", "amihud", "hasbrouck", "roll", "effective_spread")
OF_JUDGED = ("realized_spread", "price_impact")
# A change of ln m is known to the last bit of ln m, 2e-16 of it; as what 1e-9 is taken of, and
# with room for a library whose logarithm rounds the other way.
LOG_ROUNDING = 1e-6
# p, m' and m+ are near m' and are subtracted from each other: of a trade's terms, four times
# 1e4 bp, a hundredth is far above their rounding.
LEVEL = 1e-2


def columns(segment, i):
    out = {}
    for w in WINDOWS:
        out.update({f"liquidity.{name}_{w}s": NAN for name in OF_BUCKETS + OF_JUDGED})
        found = segment.window(i, w)
        if found is None:
            continue
        known = {
            "kyle": kyle(segment, i, *found),
            "amihud": amihud(segment, i, *found),
            "hasbrouck": hasbrouck(segment, i, *found),
            "effective_spread": effective_spread(segment, i, *found),
        }
        if segment.window(i, w, lag=1) is not None:
            known["roll"] = roll(segment, i, *found)
        lag = math.ceil(LAG_S * SECOND / segment.bucket_ns)
        if segment.window(i, w, lag=lag) is not None:
            known["realized_spread"], known["price_impact"] = judged(segment, i, *found)
        out.update({f"liquidity.{name}_{w}s": value for name, value in known.items()})
    return out


def bucket_flows(segment, i, length):
    """Return q of each bucket, and what it was added up from.

    Purchases and sales that cancel leave a rounding error, which is no flow.
    """
    q = bucket_sums(segment, i, length, signed_volumes(segment))
    gross = bucket_sums(segment, i, length, np.abs(signed_volumes(segment)))
    volume = bucket_sums(segment, i, length, segment.v)
    return np.where(np.abs(q) <= 1e-12 * volume, 0.0, q), gross


def kyle(segment, i, length, now):
    dm = segment.changes(i, length, now)
    q, gross = bucket_flows(segment, i, length)
    squares = (q * q).sum()
    if squares == 0:
        return 0.0, 0.0
    value = (dm * q).sum() / squares
    # q of a bucket is itself a sum, rounded at the level of all that was traded in it.
    terms = ((np.abs(dm) + 2 * abs(value) * np.abs(q)) * gross).sum() / squares
    return value / segment.m[i] * 1e4, terms / segment.m[i] * 1e4


def log_terms(segment, i, r):
    """Return what each r was added up from; nothing where the mid is the same as before."""
    return np.where(r != 0, np.abs(r) + LOG_ROUNDING * abs(math.log(segment.m[i])), 0.0)


def amihud(segment, i, length, now):
    r = segment.returns(i, length, now)
    notional = bucket_sums(segment, i, length, segment.p * segment.v)
    traded = bucket_sums(segment, i, length, segment.v) > 0
    if not traded.any():
        return 0.0, 0.0
    terms = log_terms(segment, i, r)
    return (
        (np.abs(r[traded]) / notional[traded]).mean() * 1e4,
        (terms[traded] / notional[traded]).mean() * 1e4,
    )


def hasbrouck(segment, i, length, now):
    r = segment.returns(i, length, now)
    q, _ = bucket_flows(segment, i, length)
    notional = bucket_sums(segment, i, length, segment.p * segment.v)
    total = notional.sum()
    if total == 0:
        return 0.0, 0.0
    terms = log_terms(segment, i, r)
    root = np.sqrt(notional)
    return (r * np.sign(q) * root).sum() / total * 1e4, (terms * root).sum() / total * 1e4


def roll(segment, i, length, now):
    p = np.append(segment.end_p[now - length - 2 : now], segment.p[i])
    dp = np.diff(p)
    before, dp = dp[:-1], dp[1:]
    covariance = (dp * before).mean() - dp.mean() ** 2
    terms = np.abs(dp * before).mean() + dp.mean() ** 2
    value = 0.0
    if covariance <= -1e-12 * (dp * dp).mean():
        value = 2 * math.sqrt(-covariance)
    # The root moves by half the change of what is under it, over the root. About 0 that is no
    # measure, as rounding decides there whether a root is taken.
    about_0 = 1e-9 * terms
    rounded = 0.0
    if terms > 0 and covariance <= about_0:
        rounded = terms / math.sqrt(max(-covariance, about_0))
    return value / segment.m[i] * 1e4, rounded / segment.m[i] * 1e4


def mids_before(segment):
    """Return m' of each row: the mid of the row before, the first row's own."""
    return np.append(segment.m[0], segment.m[:-1])


def mean_over_trades(eps, above, below, mid):
    """Return the mean of 2 eps (above - below) / mid over trades."""
    if len(eps) == 0:
        return 0.0, 0.0
    value = (2 * eps * (above - below) / mid).mean()
    return value * 1e4, (2 * (above + below) / mid).mean() * 1e4 * LEVEL


def effective_spread(segment, i, length, now):
    rows = segment.rows_since(i, length)
    traded = segment.v[rows] > 0
    eps, p = signs(segment)[rows][traded], segment.p[rows][traded]
    mid = mids_before(segment)[rows][traded]
    return mean_over_trades(eps, p, mid, mid)


def judged(segment, i, length, now):
    """Return realized spread and price impact of the window's trades as of ``LAG_S`` before."""
    lag = math.ceil(LAG_S * SECOND / segment.bucket_ns)
    # As many buckets as the window has, present one and all, moved back by the lag.
    rows = slice(segment.first_row[now - lag - length], segment.first_row[now - lag + 1])
    traded = segment.v[rows] > 0
    eps, p = signs(segment)[rows][traded], segment.p[rows][traded]
    mid = mids_before(segment)[rows][traded]
    place = segment.k[rows][traded] - segment.first_bucket
    later = np.append(segment.end_mid[:now], segment.m[i])[place + lag]
    return mean_over_trades(eps, p, later, mid), mean_over_trades(eps, later, mid, mid)
