"""Family 3, flow: order flow imbalance at the touch and the moves of its two sides."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import kernel
from alphaseeker.features.catalogue import FLOW_WINDOWS, WINDOWS
from alphaseeker.features.layout import ASK_DOWN, BID_UP, DEPTH, OFI_ASK, OFI_BID
from alphaseeker.features.output import as_output
from alphaseeker.kernels.ewma import flow_step

__all__ = ["take_in_quote", "write_flow"]

FIRST = WINDOWS.index(FLOW_WINDOWS[0])
N_FLOW = len(FLOW_WINDOWS)
FAST_S = 1.0
SLOW_S = 30.0
SLOW_WINDOW = WINDOWS.index(30)
LN2 = math.log(2.0)


@kernel
def take_in_quote(
    rec: Any, bid: float, ask: float, bid_volume: float, ask_volume: float, elapsed: float
) -> None:
    """Add the order flow between the previous quote and this one (``elapsed`` in seconds)."""
    quote = rec.quote
    partial = rec.buckets.partial
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
    if bid > quote.bid_price:
        partial[BID_UP] += 1.0
    if ask < quote.ask_price:
        partial[ASK_DOWN] += 1.0
    state = rec.state
    state.flow_fast = flow_step(state.flow_fast, bid_half + ask_half, elapsed, FAST_S)
    state.flow_slow = flow_step(state.flow_slow, bid_half + ask_half, elapsed, SLOW_S)


@kernel
def write_flow(rec: Any) -> None:
    """Write every column whose window has been seen."""
    out = rec.out.flow
    sums = rec.buckets.sums
    partial = rec.buckets.partial
    clock = rec.clock
    lengths = clock.lengths
    seconds = clock.bucket_ns * 1e-9
    depth = 0.5 * (rec.quote.bid_volume + rec.quote.ask_volume)
    for i in range(N_FLOW):
        w = FIRST + i
        length = lengths[w]
        if length == 0 or clock.seen < length:
            continue
        scale = (length + 1) / (sums[w, DEPTH] + depth)
        bid_half = (sums[w, OFI_BID] + partial[OFI_BID]) * scale
        ask_half = (sums[w, OFI_ASK] + partial[OFI_ASK]) * scale
        out.ofi[i] = as_output(bid_half + ask_half)
        out.ofi_bid[i] = as_output(bid_half)
        out.ofi_ask[i] = as_output(ask_half)
        rate = 1.0 / (length * seconds)
        out.bid_up[i] = as_output((sums[w, BID_UP] + partial[BID_UP]) * rate)
        out.ask_down[i] = as_output((sums[w, ASK_DOWN] + partial[ASK_DOWN]) * rate)
    length = lengths[SLOW_WINDOW]
    if length > 0 and clock.seen >= length:
        state = rec.state
        pace = LN2 * (state.flow_fast / FAST_S - state.flow_slow / SLOW_S)
        scale = (length + 1) / (sums[SLOW_WINDOW, DEPTH] + depth)
        out.ofi_fast_slow = as_output(pace * scale)
