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
from alphaseeker.features.layout import HALF_LIVES
from alphaseeker.features.output import as_output

__all__ = ["close_flow", "take_in_quote", "write_flow", "write_flow_pace"]

FAST = HALF_LIVES.index(1)
SLOW = HALF_LIVES.index(30)
SLOW_WINDOW = FLOW_WINDOWS.index(30)
LN2 = math.log(2.0)
FAST_RATE = LN2 / HALF_LIVES[FAST]
SLOW_RATE = LN2 / HALF_LIVES[SLOW]
SECONDS = 1e-9


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
    """Write every column whose window has been seen, but the pace."""
    out = rec.out.flow
    sums = rec.flow.sums
    partial = rec.flow.partial
    lengths = rec.flow.lengths
    seen = rec.clock.seen
    rates = rec.flow.rates
    depth = 0.5 * (rec.quote.bid_volume + rec.quote.ask_volume)
    for i in range(rec.flow.count):
        length = lengths[i]
        if length == 0 or seen < length:
            continue
        scale = (length + 1) / (sums[i, DEPTH] + depth)
        bid_half = (sums[i, OFI_BID] + partial[OFI_BID]) * scale
        ask_half = (sums[i, OFI_ASK] + partial[OFI_ASK]) * scale
        out.ofi[i] = as_output(bid_half + ask_half)
        out.ofi_bid[i] = as_output(bid_half)
        out.ofi_ask[i] = as_output(ask_half)
        rate = rates[i]
        out.bid_up[i] = as_output((sums[i, BID_UP] + partial[BID_UP]) * rate)
        out.ask_down[i] = as_output((sums[i, ASK_DOWN] + partial[ASK_DOWN]) * rate)


@part
def write_flow_pace(rec: Any) -> None:
    """Write the flow of the last second against that of the last half minute."""
    length = rec.flow.lengths[SLOW_WINDOW]
    if length > 0 and rec.clock.seen >= length:
        flows = rec.averages.flows
        depth = 0.5 * (rec.quote.bid_volume + rec.quote.ask_volume)
        pace = flows[FAST] * FAST_RATE - flows[SLOW] * SLOW_RATE
        scale = (length + 1) / (rec.flow.sums[SLOW_WINDOW, DEPTH] + depth)
        rec.out.flow.ofi_fast_slow = as_output(pace * scale)
