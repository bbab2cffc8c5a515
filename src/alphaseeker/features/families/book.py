"""Family 1, the book: what the present quote says by itself."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.microprice import microprice_step
from alphaseeker.features.output import as_output

__all__ = ["write_ages", "write_book", "write_last_trade"]

BP = 1e4
SECONDS = 1e-9
CLIP = 5.0  # spreads


@part
def write_book(rec: Any) -> None:
    """Write the columns that follow from the present quote."""
    quote = rec.quote
    out = rec.out.book
    bid, ask = quote.bid_price, quote.ask_price
    bid_volume, ask_volume = quote.bid_volume, quote.ask_volume
    spread = ask - bid
    imbalance = quote.imbalance
    bp = BP / quote.mid
    fitted = rec.fitted
    out.spread = as_output(spread * bp)
    out.spread_ticks = as_output(spread / fitted.tick_size)
    out.imbalance = as_output(imbalance)
    out.imbalance_abs = as_output(abs(imbalance))
    out.size_ratio = as_output(math.log(bid_volume / ask_volume))
    # (a B + b A) / (A + B) - m is half the spread times the imbalance: no digits cancel.
    out.wap_dev = as_output(0.5 * spread * imbalance * bp)
    ticks = microprice_step(fitted.microprice, spread, fitted.tick_size, bid_volume, ask_volume)
    out.microprice_dev = as_output(ticks * fitted.tick_size * bp)
    out.depth = as_output(quote.log_depth)
    # Two logarithms in one; sizes up to 1e150 fit.
    sizes = math.log((1.0 + bid_volume) * (1.0 + ask_volume))
    out.quote_slope = as_output(spread / sizes * bp)


@part
def write_last_trade(rec: Any) -> None:
    """Write where the last trade stands in the present quote."""
    quote = rec.quote
    out = rec.out.book
    spread = quote.ask_price - quote.bid_price
    if spread > 0.0:
        place = (quote.close - quote.mid) / spread
        out.last_in_spread = as_output(min(CLIP, max(-CLIP, place)))
    elif quote.close != quote.bid_price:
        out.last_in_spread = as_output(CLIP if quote.close > quote.bid_price else -CLIP)
    else:
        out.last_in_spread = as_output(0.0)


@part
def write_ages(rec: Any, timestamp: int) -> None:
    """Write how long the quote and the mid have stood."""
    out = rec.out.book
    age = timestamp - rec.quote.changed
    out.quote_age = as_output(math.log1p(age * SECONDS)) if age > 0 else as_output(0.0)
    age = timestamp - rec.quote.mid_changed
    out.mid_age = as_output(math.log1p(age * SECONDS)) if age > 0 else as_output(0.0)
