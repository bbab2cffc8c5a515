"""Family 5, volatility: size, symmetry and jumps of the bucket returns."""

import math

import numpy as np

from oracles.features.segment import MIN_RETURNS, NAN

WINDOWS = (30, 60, 300, 900)
NAMES = ("realized", "bipower", "jump_share", "up_share", "skew", "kurt", "max_move")


def columns(segment, i):
    out = {}
    for w in WINDOWS:
        out.update({f"volatility.{name}_{w}s": NAN for name in NAMES})
        found = segment.window(i, w)
        if found is None:
            continue
        for name, value in of_returns(segment, i, w, *found).items():
            out[f"volatility.{name}_{w}s"] = value
    out["volatility.ewma"] = ewma(segment, i)
    out["volatility.ratio_short_long"] = ratio_short_long(segment, i)
    return out


def of_returns(segment, i, w, length, now):
    """Return what can be said of one window that has been seen."""
    r = segment.returns(i, length, now)
    variance = (r * r).sum()
    out = {"realized": (math.sqrt(variance) * 1e4, 0.0)}
    if (r != 0).sum() < MIN_RETURNS:
        return out
    n = length + 1
    skew = math.sqrt(n) / variance**1.5
    out["up_share"] = ((r[r > 0] ** 2).sum() / variance, 1.0)
    out["skew"] = (skew * (r**3).sum(), skew * np.abs(r**3).sum())
    out["kurt"] = (n * (r**4).sum() / variance**2, 0.0)
    out["max_move"] = (np.abs(r).max() / math.sqrt(variance), 0.0)
    if segment.window(i, w, lag=1) is None:
        return out
    before = np.append(segment.end_return[now - length - 1], r[:-1])
    bipower = math.pi / 2 * np.abs(r * before).sum()
    out["bipower"] = (bipower * 1e8, 0.0)
    out["jump_share"] = (max(0.0, 1 - bipower / variance), bipower / variance)
    return out


def ewma(segment, i):
    now = int(segment.k[i]) - segment.first_bucket
    if now - 1 < 12:
        return NAN
    squares = np.append(segment.end_return[1:now], segment.returns(i, 1, now)[-1]) ** 2
    variance = squares[0]
    for square in squares[1:]:
        variance = 0.94 * variance + 0.06 * square
    return math.sqrt(variance) * 1e4, 0.0


def ratio_short_long(segment, i):
    short, long = segment.window(i, 30), segment.window(i, 300)
    if short is None or long is None:
        return NAN
    above = (segment.returns(i, *short) ** 2).mean()
    below = (segment.returns(i, *long) ** 2).mean()
    return (math.sqrt(above / below) if below > 0 else 1.0), 0.0
