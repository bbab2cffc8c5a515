"""Family 3, flow: orders that come to and leave the touch."""

import math

import numpy as np

from oracles.features.segment import NAN

WINDOWS = (1, 5, 30, 60, 300)


def bid_flow(price, size):
    """Return 1{b>=b'}B - 1{b<=b'}B' of each row; 0 at the first."""
    before, stood = price[:-1], size[:-1]
    now, stands = price[1:], size[1:]
    return np.append(0.0, (now >= before) * stands - (now <= before) * stood)


def ask_flow(price, size):
    """Return 1{a>=a'}A' - 1{a<=a'}A of each row; 0 at the first."""
    return bid_flow(-price, -size)


def columns(segment, i):
    out = {}
    bids = bid_flow(segment.b[: i + 1], segment.B[: i + 1])
    asks = ask_flow(segment.a[: i + 1], segment.A[: i + 1])
    for w in WINDOWS:
        found = segment.window(i, w)
        if found is None:
            names = ("ofi", "ofi_bid", "ofi_ask", "bid_up", "ask_down")
            out.update({f"flow.{name}_{w}s": NAN for name in names})
            continue
        length, now = found
        depth = segment.mean_depth(i, length, now)
        rows = segment.rows_since(i, length)
        bid, ask = bids[rows], asks[rows]
        terms = (np.abs(bid).sum() + np.abs(ask).sum()) / depth
        out[f"flow.ofi_{w}s"] = ((bid.sum() + ask.sum()) / depth, terms)
        out[f"flow.ofi_bid_{w}s"] = (bid.sum() / depth, terms)
        out[f"flow.ofi_ask_{w}s"] = (ask.sum() / depth, terms)
        before = slice(rows.start - 1, rows.stop - 1)
        bid_up = (segment.b[rows] > segment.b[before]).sum()
        ask_down = (segment.a[rows] < segment.a[before]).sum()
        out[f"flow.bid_up_{w}s"] = (bid_up / (length * segment.bucket_s), 0.0)
        out[f"flow.ask_down_{w}s"] = (ask_down / (length * segment.bucket_s), 0.0)
    out["flow.ofi_fast_slow"] = fast_slow(segment, i, bids + asks)
    return out


def fast_slow(segment, i, e):
    """Return the flow a second of the last second less that of the last half minute."""
    found = segment.window(i, 30)
    if found is None:
        return NAN
    depth = segment.mean_depth(i, *found)
    age = (segment.t[i] - segment.t[: i + 1]) * 1e-9
    fast, slow = 2.0 ** (-age / 1.0) / 1.0, 2.0 ** (-age / 30.0) / 30.0
    value = math.log(2) * ((e * fast).sum() - (e * slow).sum()) / depth
    return value, math.log(2) * (np.abs(e) * (fast + slow)).sum() / depth
