"""Family 1, the book: what the present quote says by itself."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.microprice import microprice_step
from alphaseeker.features.output import as_output
from alphaseeker.kernels.lane_math import logarithm
from alphaseeker.kernels.lanes import lanes_of, store

__all__ = ["take_logarithms", "write_ages", "write_book", "write_last_trade"]

BP = 1e4
SECONDS = 1e-9
CLIP = 5.0  # spreads
# Sizes are decimal: 52.96 + 357.21 and 29.88 + 380.29 differ in the last bit, which must not make a
# z-score. What is looked back on is the logarithm in steps of about 1e-12.
GRID = 2.0**40
# Below this 1 + x has too few digits left of a size x, whose ln(1 + x) is x to eight digits.
SMALL_SIZES = 1e-8
# Places in the quote's ``logs``.
LOG_DEPTH, LOG_RATIO, LOG_SIZES, LOG_QUOTE_AGE, LOG_MID_AGE = range(5)


@part
def take_logarithms(rec: Any, timestamp: int) -> None:
    """Compute all logarithms of the present quote at once."""
    quote = rec.quote
    bid_volume, ask_volume = quote.bid_volume, quote.ask_volume
    logs = logarithm(
        lanes_of(
            bid_volume + ask_volume,
            bid_volume / ask_volume,
            (1.0 + bid_volume) * (1.0 + ask_volume),  # two in one; sizes up to 1e150 fit
            1.0 + (timestamp - quote.changed) * SECONDS,
            1.0 + (timestamp - quote.mid_changed) * SECONDS,
            1.0,
            1.0,
            1.0,
        )
    )
    store(quote.logs, 0, logs)
    quote.log_depth = math.floor(quote.logs[LOG_DEPTH] * GRID + 0.5) / GRID


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
    out.size_ratio = as_output(quote.logs[LOG_RATIO])
    # (a B + b A) / (A + B) - m is half the spread times the imbalance: no digits cancel.
    out.wap_dev = as_output(0.5 * spread * imbalance * bp)
    ticks = microprice_step(fitted.microprice, spread, fitted.tick_size, bid_volume, ask_volume)
    out.microprice_dev = as_output(ticks * fitted.tick_size * bp)
    out.depth = as_output(quote.logs[LOG_DEPTH])
    sizes = bid_volume + ask_volume
    if sizes > SMALL_SIZES:
        sizes = quote.logs[LOG_SIZES]
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
    quote = rec.quote
    out.quote_age = as_output(_grown(timestamp - quote.changed, quote.logs[LOG_QUOTE_AGE]))
    out.mid_age = as_output(_grown(timestamp - quote.mid_changed, quote.logs[LOG_MID_AGE]))


@part
def _grown(age: int, logarithm_of_one_more: float) -> float:
    """Return ln(1 + x) of an age, from the logarithm of the rounded 1 + x (Kahan, 1982)."""
    seconds = age * SECONDS
    rounded = 1.0 + seconds
    if rounded == 1.0:
        return seconds
    return logarithm_of_one_more * (seconds / (rounded - 1.0))
