"""Family 6, bars: the time frames of one, five and fifteen minutes on the wall clock."""

import math

import numpy as np

from oracles.features.segment import NAN, SECOND

WINDOWS = (60, 300, 900)
# How many times a bar's own length must have been seen.
MEMORY = {
    "bar_return_in_progress": 1,
    "prev_return": 2,
    "range": 2,
    "close_position": 2,
    "body_share": 2,
    "volume_ratio": 16,
    "parkinson": 2,
    "garman_klass": 2,
    "rogers_satchell": 2,
    "atr": 15,
}


def columns(segment, i):
    out = {}
    for w in WINDOWS:
        bars, in_progress = bars_of(segment, i, w)
        known = {}
        if in_progress is not None:
            known["bar_return_in_progress"] = in_progress
        if bars:
            known |= of_last_bar(*bars[-1]) | of_every_bar(bars)
        for name, times in MEMORY.items():
            seen = segment.window(i, w * times) is not None
            out[f"bars.{name}_{w}s"] = known.get(name, NAN) if seen else NAN
    return out


def bars_of(segment, i, w):
    """Return open, high, low, close and volume of the whole bars that have ended, oldest first,
    and the return of the bar in progress; nothing where buckets do not fill a bar exactly."""
    buckets = w * SECOND // segment.bucket_ns
    if buckets * segment.bucket_ns != w * SECOND:
        return [], None
    now = int(segment.k[i]) - segment.first_bucket
    # A bar begins where the bucket's number is a multiple; a whole one begins after the first.
    begin = buckets - segment.first_bucket % buckets
    bars = []
    while begin + buckets <= now:
        rows = slice(segment.first_row[begin], segment.first_row[begin + buckets])
        opened, closed = segment.end_mid[begin - 1], segment.end_mid[begin + buckets - 1]
        mids = np.append(segment.m[rows], opened)
        bars.append((opened, mids.max(), mids.min(), closed, segment.v[rows].sum()))
        begin += buckets
    if begin > now:
        return bars, None
    m, opened = segment.m[i], segment.end_mid[begin - 1]
    logs = abs(math.log(m)) + abs(math.log(opened))
    return bars, (math.log(m / opened) * 1e4, logs * 1e4 * 1e-3)


def of_last_bar(O, H, L, C, v):  # noqa: E741
    """Return the columns of one bar by itself."""
    bp = 1e4
    size = math.log(H / L)
    logs = (abs(math.log(H)) + abs(math.log(L))) * bp * 1e-3
    rise = math.log(C / O)
    parkinson = size**2 / (4 * math.log(2))
    garman_klass = 0.5 * size**2 - (2 * math.log(2) - 1) * rise**2
    above = math.log(H / C) * math.log(H / O)
    below = math.log(L / C) * math.log(L / O)
    return {
        "prev_return": (rise * bp, logs),
        "range": (size * bp, logs),
        "close_position": ((C - L) / (H - L) if H > L else 0.5, 1.0),
        "body_share": (abs(C - O) / (H - L) if H > L else 0.0, 1.0),
        "parkinson": (math.sqrt(parkinson) * bp, logs),
        "garman_klass": (math.sqrt(max(0.0, garman_klass)) * bp, logs),
        "rogers_satchell": (math.sqrt(max(0.0, above + below)) * bp, logs),
    }


def of_every_bar(bars):
    """Return the columns that are carried on from bar to bar."""
    _, high, low, close, volume = (np.array(field) for field in zip(*bars, strict=True))
    usual, true_range = volume[0], high[0] - low[0]
    for v, wide in zip(volume[1:], (high - low)[1:], strict=True):
        usual += (v - usual) / 8
        true_range += (wide - true_range) / 14
    return {
        "volume_ratio": (volume[-1] / usual if usual > 0 else 1.0, 0.0),
        "atr": (true_range / close[-1] * 1e4, 0.0),
    }
