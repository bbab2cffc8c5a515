"""Family 4, momentum: where the mid stands against its own past."""

import math

import numpy as np

from oracles.features.segment import MIN_RETURNS, NAN, SECOND, level_average

WINDOWS = (5, 30, 60, 300, 900)
RETURN_WINDOWS = (30, 60, 300, 900)
MINUTE_NS = 60 * SECOND
MACD_S, HISTOGRAM_S = 27 * 60, 36 * 60
STEPS = 10  # of the variance ratio


def columns(segment, i):
    out = {}
    for w in WINDOWS:
        found = segment.window(i, w)
        if found is None:
            names = ("return", "ema_gap", "zscore", "range_position", "efficiency", "slope", "rsi")
            out.update({f"momentum.{name}_{w}s": NAN for name in names})
            continue
        for name, value in of_mids(segment, i, w, *found).items():
            out[f"momentum.{name}_{w}s"] = value
    for w in RETURN_WINDOWS:
        out[f"momentum.autocorr_{w}s"] = autocorrelation(segment, i, w)
        out[f"momentum.variance_ratio_{w}s"] = variance_ratio(segment, i, w)
    out["momentum.run_length"] = (run_length(segment.m[: i + 1]), 0.0)
    out["momentum.macd"], out["momentum.macd_histogram"] = macd(segment, i)
    return out


def of_mids(segment, i, w, length, now):
    """Return the columns of one window that has been seen."""
    out = {}
    m = segment.m[i]
    carried = segment.end_mid[now - length - 1]
    logs = abs(math.log(m)) + abs(math.log(carried))
    out["return"] = (math.log(m / carried) * 1e4, logs * 1e4)

    average = level_average(segment.m, segment.t, i, w)
    out["ema_gap"] = ((m - average) / m * 1e4, 2e4)

    mids = np.append(segment.end_mid[now - length : now], m)
    std = mids.std()
    level = np.ptp(mids) > 0
    z = (m - mids.mean()) / std if level else 0.0
    out["zscore"] = (z, 2 * m / std * 1e-6 if level else 0.0)

    time = np.arange(length + 1) * float(segment.bucket_s)
    time -= time.mean()
    rise = (time * (mids - mids.mean())).sum() / (time * time).sum()
    terms = (np.abs(time) * mids).sum() / (time * time).sum()
    out["slope"] = (rise / m * 1e4, terms / m * 1e4 * 1e-2)

    inside = np.append(segment.m[segment.rows_since(i, length)], carried)
    spread = np.ptp(inside)
    place = (m - inside.min()) / spread if spread > 0 else 0.5
    out["range_position"] = (place, 1.0)

    path = np.abs(segment.changes(i, length, now)).sum()
    out["efficiency"] = (abs(m - carried) / path if path > 0 else 0.0, 1.0)

    # Each step leaves (1 - 1/n) of what was there: the change of j buckets ago weighs
    # (1 - 1/n)^j / n.
    dm = segment.changes(i, now - 1, now)
    weight = (1 - 1 / length) ** np.arange(now - 1, -1, -1) / length
    up = (weight * np.maximum(dm, 0)).sum()
    down = (weight * np.maximum(-dm, 0)).sum()
    out["rsi"] = (100 * up / (up + down) if up + down > 1e-12 * m else 50.0, 100.0)
    return out


def autocorrelation(segment, i, w):
    found = segment.window(i, w, lag=1)
    if found is None:
        return NAN
    length, now = found
    r = segment.returns(i, length, now)
    before = np.append(segment.end_return[now - length - 1], r[:-1])
    if (r != 0).sum() < MIN_RETURNS:
        return NAN
    if np.ptp(r) <= 1e-6 * np.abs(r).max():  # all equal
        return 0.0, 0.0
    variance = ((r - r.mean()) ** 2).mean()
    value = ((r * before).mean() - r.mean() ** 2) / variance
    squares = (r * r).mean() + r.mean() ** 2
    terms = np.abs(r * before).mean() + r.mean() ** 2 + abs(value) * squares
    return value, terms / variance


def variance_ratio(segment, i, w):
    """Compare the squares of the changes over ten buckets with those over one."""
    found = segment.window(i, w, lag=STEPS - 1)
    if found is None:
        return NAN
    length, now = found
    r = segment.returns(i, length, now)
    if (r != 0).sum() < MIN_RETURNS:
        return NAN
    ends = np.log(np.append(segment.end_mid[now - length : now], segment.m[i]))
    begins = np.log(segment.end_mid[now - length - STEPS : now - STEPS + 1])
    R = ends - begins
    return (R * R).sum() / (STEPS * (r * r).sum()), 0.0


def run_length(mids):
    moves = np.sign(np.diff(mids))
    moves = moves[moves != 0]
    run = 0
    for move in moves[::-1]:
        if move != moves[-1]:
            break
        run += int(move)
    return float(run)


def macd(segment, i):
    """Return MACD and its histogram over the closes of the whole minutes that have ended."""
    buckets = MINUTE_NS // segment.bucket_ns
    if buckets * segment.bucket_ns != MINUTE_NS:
        return NAN, NAN
    now = int(segment.k[i]) - segment.first_bucket
    # A minute ends with the bucket ahead of a multiple; a whole one begins after the first bucket.
    first_end = 2 * buckets - 1 - segment.first_bucket % buckets
    closes = segment.end_mid[first_end:now:buckets]
    if len(closes) == 0:
        return NAN, NAN
    fast = slow = closes[0]
    signal = 0.0
    for close in closes[1:]:
        fast += 2 / 13 * (close - fast)
        slow += 2 / 27 * (close - slow)
        signal += 2 / 10 * (fast - slow - signal)
    difference = fast - slow
    line = histogram = NAN
    if segment.window(i, MACD_S) is not None:
        line = (difference / closes[-1] * 1e4, 20.0)
    if segment.window(i, HISTOGRAM_S) is not None:
        histogram = ((difference - signal) / closes[-1] * 1e4, 20.0)
    return line, histogram
