"""Family 2, dynamics: how the quote moves about."""

import numpy as np

from oracles.features.segment import NAN, level_average, z_score

WINDOWS = (5, 30, 60, 300)
HALF_LIVES = (1, 5, 30)


def columns(segment, i):
    out = {}
    for w in WINDOWS:
        found = segment.window(i, w)
        if found is None:
            names = ("spread_z", "depth_z", "imbalance_persistence", "quote_rate")
            out.update({f"dynamics.{name}_{w}s": NAN for name in names})
            continue
        length, now = found
        window = slice(now - length, now)
        out[f"dynamics.spread_z_{w}s"] = z_score(
            np.append(segment.end_spread[window], segment.s[i])
        )
        depths = np.append(segment.end_depth[window] * 2, segment.A[i] + segment.B[i])
        out[f"dynamics.depth_z_{w}s"] = z_score(np.log(depths))
        out[f"dynamics.imbalance_persistence_{w}s"] = (persistence(segment, i, length), 1.0)
        rate = quote_changes(segment, i, length) / (length * segment.bucket_s)
        out[f"dynamics.quote_rate_{w}s"] = (rate, 0.0)

    imbalance = (segment.B - segment.A) / (segment.B + segment.A)
    for h in HALF_LIVES:
        mean = change = NAN
        if segment.window(i, h) is not None:
            average = level_average(imbalance, segment.t, i, h)
            mean, change = (average, 1.0), (imbalance[i] - average, 2.0)
        out[f"dynamics.imbalance_mean_{h}s"] = mean
        out[f"dynamics.imbalance_change_{h}s"] = change
    out["dynamics.quote_rate_ratio"] = (quote_rate_ratio(segment, i), 0.0)
    return out


def persistence(segment, i, length):
    """Add up the time for which each sign of the imbalance stood, as a share of the window."""
    began = (segment.k[i] - length) * segment.bucket_ns
    rows = slice(segment.rows_since(i, length).start - 1, i + 1)  # from the quote carried into it
    stood = np.diff(np.maximum(segment.t[rows], began)) * 1e-9
    sign = np.sign(segment.B[rows] - segment.A[rows])[:-1]
    return (sign * stood).sum() / (length * segment.bucket_s)


def quote_changes(segment, i, length):
    """Count the window's ticks that brought another quote than the tick before."""
    rows = segment.rows_since(i, length)
    changed = np.zeros(rows.stop - rows.start, dtype=bool)
    for field in (segment.b, segment.a, segment.B, segment.A):
        changed |= field[rows] != field[rows.start - 1 : rows.stop - 1]
    return changed.sum()


def quote_rate_ratio(segment, i):
    short, long = segment.window(i, 5), segment.window(i, 300)
    if short is None or long is None:
        return np.nan
    long_rate = quote_changes(segment, i, long[0]) / long[0]
    if long_rate == 0:
        return 1.0
    return quote_changes(segment, i, short[0]) / short[0] / long_rate
