"""Family 1, the book: what the present quote says by itself."""

import math

import numpy as np

from oracles.features.segment import stands_since


def columns(segment, i):
    b, a, B, A = segment.b[i], segment.a[i], segment.B[i], segment.A[i]
    m, p, t = segment.m[i], segment.p[i], segment.t
    s = a - b
    imbalance = (B - A) / (B + A)
    if s > 0:
        inside = min(5.0, max(-5.0, (p - m) / s))
    else:
        inside = 5.0 * np.sign(p - m)
    quotes = (segment.b, segment.a, segment.B, segment.A)
    quote_began = max(stands_since(field, i) for field in quotes)
    quote_age = (t[i] - t[quote_began]) * 1e-9
    mid_age = (t[i] - t[stands_since(segment.m, i)]) * 1e-9
    wap = (a * B + b * A) / (A + B)
    sizes = math.log(1 + A) + math.log(1 + B)
    return {
        "book.spread": (s / m * 1e4, (a + b) / m * 1e4),
        "book.spread_ticks": (s / segment.tick_size, (a + b) / segment.tick_size),
        "book.imbalance": (imbalance, 1.0),
        "book.imbalance_abs": (abs(imbalance), 1.0),
        "book.size_ratio": (math.log(B / A), 1.0),
        "book.wap_dev": ((wap - m) / m * 1e4, 2e4),
        "book.microprice_dev": (microprice_dev(segment, i), 0.0),
        "book.depth": (math.log(A + B), 1.0),
        "book.quote_slope": (s / sizes / m * 1e4, (a + b) / sizes / m * 1e4),
        "book.last_in_spread": (inside, (p + m) / s if s > 0 else 0.0),
        "book.quote_age": (math.log(1 + quote_age), 1.0),
        "book.mid_age": (math.log(1 + mid_age), 1.0),
    }


def microprice_dev(segment, i):
    """Look up how far, in ticks, the mid is expected to go from such a quote."""
    table, tick = segment.microprice, segment.tick_size
    if table is None or math.isnan(tick):
        return math.nan
    spreads, bins = table.shape
    row = max(0, min(round((segment.a[i] - segment.b[i]) / tick), spreads) - 1)
    share = segment.B[i] / (segment.A[i] + segment.B[i])
    column = min(int(share * bins), bins - 1)
    return table[row, column] * tick / segment.m[i] * 1e4
