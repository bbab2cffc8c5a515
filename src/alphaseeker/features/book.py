"""Family 1, the book: what the present quote says by itself."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import kernel
from alphaseeker.features.output import as_output

__all__ = ["write_ages", "write_book"]

BP = 1e4
SECONDS = 1e-9
CLIP = 5.0  # spreads


@kernel
def write_book(rec: Any, close: float) -> None:
    """Write the columns that follow from the present quote and last trade."""
    quote = rec.quote
    out = rec.out.book
    bid, ask, mid = quote.bid_price, quote.ask_price, quote.mid
    bid_volume, ask_volume = quote.bid_volume, quote.ask_volume
    spread = ask - bid
    both = bid_volume + ask_volume
    imbalance = (bid_volume - ask_volume) / both
    out.spread = as_output(spread / mid * BP)
    out.spread_ticks = as_output(spread / rec.state.tick_size)
    out.imbalance = as_output(imbalance)
    out.imbalance_abs = as_output(abs(imbalance))
    out.size_ratio = as_output(math.log(bid_volume / ask_volume))
    # (a B + b A) / (A + B) - m is half the spread times the imbalance: no digits cancel.
    out.wap_dev = as_output(0.5 * spread * imbalance / mid * BP)
    out.depth = as_output(math.log(both))
    sizes = math.log1p(bid_volume) + math.log1p(ask_volume)
    out.quote_slope = as_output(spread / sizes / mid * BP)
    if spread > 0.0:
        out.last_in_spread = as_output(min(CLIP, max(-CLIP, (close - mid) / spread)))
    elif close != bid:
        out.last_in_spread = as_output(CLIP if close > bid else -CLIP)
    else:
        out.last_in_spread = as_output(0.0)


@kernel
def write_ages(rec: Any, timestamp: int) -> None:
    """Write how long the quote and the mid have stood."""
    out = rec.out.book
    out.quote_age = as_output(math.log1p((timestamp - rec.quote.changed) * SECONDS))
    out.mid_age = as_output(math.log1p((timestamp - rec.quote.mid_changed) * SECONDS))
