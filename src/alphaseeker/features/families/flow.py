"""Family 3, flow: order flow imbalance at the touch and the moves of its two sides."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.declared.flow import FLOW_WINDOWS
from alphaseeker.features.groups import (
    ASK_DOWN,
    BID_UP,
    DEPTH,
    OFI_ASK,
    OFI_BID,
    QUOTES,
    SIGN_TIME,
)
from alphaseeker.features.output import as_output
from alphaseeker.features.window_lanes import lane_of, reader, writer
from alphaseeker.kernels.lane_math import where
from alphaseeker.kernels.lanes import load_wide

__all__ = ["close_flow", "take_in_quote", "write_flow", "write_flow_pace"]

# Half-lives of the pace.
FAST_S, SLOW_S = 1, 30
FAST, SLOW = lane_of(FAST_S), lane_of(SLOW_S)
FAST_RATE, SLOW_RATE = math.log(2.0) / FAST_S, math.log(2.0) / SLOW_S
SECONDS = 1e-9
_sum = reader(FLOW_WINDOWS)
_write = writer(FLOW_WINDOWS)


@part
def take_in_quote(rec: Any, bid: float, ask: float, bid_volume: float, ask_volume: float) -> None:
    """Add the order flow between the previous quote and this one, which differs."""
    quote = rec.quote
    partial = rec.flow.partial
    bid_half = 0.0
    if bid >= quote.bid_price:
        bid_half += bid_volume
    if bid <= quote.bid_price:
        bid_half -= quote.bid_volume
    ask_half = 0.0
    if ask <= quote.ask_price:
        ask_half -= ask_volume
    if ask >= quote.ask_price:
        ask_half += quote.ask_volume
    partial[OFI_BID] += bid_half
    partial[OFI_ASK] += ask_half
    partial[QUOTES] += 1.0
    if bid > quote.bid_price:
        partial[BID_UP] += 1.0
    if ask < quote.ask_price:
        partial[ASK_DOWN] += 1.0
    flows = rec.averages.flows
    flows[FAST] += bid_half + ask_half
    flows[SLOW] += bid_half + ask_half


@part
def close_flow(rec: Any) -> None:
    """Complete the bucket in progress."""
    group = rec.flow
    clock = rec.clock
    quote = rec.quote
    end = (clock.bucket + 1) * clock.bucket_ns
    group.partial[SIGN_TIME] += quote.sign * ((end - clock.timestamp) * SECONDS)
    clock.timestamp = end
    group.partial[DEPTH] = 0.5 * (quote.bid_volume + quote.ask_volume)


@part
def write_flow(rec: Any) -> None:
    """Write every column but the pace; NaN where a window has not been seen."""
    out = rec.out.flow
    group = rec.flow
    sums = group.sums
    partial = group.partial
    full = load_wide(group.full, 0)
    ready = full <= float(rec.clock.seen)
    depth = 0.5 * (rec.quote.bid_volume + rec.quote.ask_volume)
    scale = where(ready, (full + 1.0) / (_sum(sums, DEPTH) + depth), math.nan)
    bid_half = (_sum(sums, OFI_BID) + partial[OFI_BID]) * scale
    ask_half = (_sum(sums, OFI_ASK) + partial[OFI_ASK]) * scale
    _write(out.ofi, bid_half + ask_half)
    _write(out.ofi_bid, bid_half)
    _write(out.ofi_ask, ask_half)
    rate = where(ready, load_wide(group.rates, 0), math.nan)
    _write(out.bid_up, (_sum(sums, BID_UP) + partial[BID_UP]) * rate)
    _write(out.ask_down, (_sum(sums, ASK_DOWN) + partial[ASK_DOWN]) * rate)


@part
def write_flow_pace(rec: Any) -> None:
    """Write the flow of the last second against that of the last half minute."""
    length = rec.flow.lengths[SLOW]
    if length > 0 and rec.clock.seen >= length:
        flows = rec.averages.flows
        depth = 0.5 * (rec.quote.bid_volume + rec.quote.ask_volume)
        pace = flows[FAST] * FAST_RATE - flows[SLOW] * SLOW_RATE
        scale = (length + 1) / (rec.flow.sums[SLOW, DEPTH] + depth)
        rec.out.flow.ofi_fast_slow = as_output(pace * scale)
