"""The clock: closes buckets as time passes, carries empty ones, and starts a segment afresh."""

from __future__ import annotations

from typing import Any

import numpy as np

from alphaseeker._jit import kernel
from alphaseeker.features.layout import (
    ASK_DOWN,
    BID_UP,
    DEPTH,
    MOVED,
    OFI_ASK,
    OFI_BID,
    PATH,
    PRODUCT,
    PRODUCT_ABS,
    RETURN_1,
    RETURN_2,
    RETURN_3,
    RETURN_4,
    RETURN_UP,
    RING,
)
from alphaseeker.kernels.extrema import rolling_maximum_reset, rolling_maximum_step
from alphaseeker.kernels.regression import rolling_pairs_reset, rolling_pairs_step
from alphaseeker.kernels.windows import window_sums_reset, window_sums_step

__all__ = ["advance_clock", "begin_segment"]

LAMBDA = 0.94  # RiskMetrics (1996)


@kernel
def begin_segment(rec: Any, timestamp: int, mid: float) -> None:
    """Forget everything: ``timestamp`` is the first of a segment, with its mid."""
    clock = rec.clock
    clock.segments += 1
    clock.timestamp = timestamp
    clock.first_bucket = timestamp // clock.bucket_ns
    clock.bucket = clock.first_bucket
    clock.seen = 0
    quote = rec.quote
    quote.mid = mid
    quote.log_mid = np.log(mid)
    quote.changed = timestamp
    quote.mid_changed = timestamp
    buckets = rec.buckets
    buckets.partial[:] = 0.0
    window_sums_reset(buckets.prefix, buckets.positions)
    before = (clock.bucket - 1) & (RING - 1)
    buckets.mids[before] = mid
    buckets.log_mids[before] = quote.log_mid
    buckets.last_return = 0.0
    rolling_pairs_reset(rec.pairs.prefix, rec.pairs.positions)
    rolling_maximum_reset(rec.highs.heads, rec.highs.tail)
    rolling_maximum_reset(rec.lows.heads, rec.lows.tail)
    rolling_maximum_reset(rec.moves.heads, rec.moves.tail)
    state = rec.state
    state.flow_fast = 0.0
    state.flow_slow = 0.0
    state.high = mid
    state.low = mid
    state.mid_averages[:] = mid
    state.run_length = 0
    state.variance = 0.0
    state.variance_count = 0


@kernel
def _close_bucket(rec: Any) -> None:
    """Close the bucket in progress and open the next, with the quote carried into it."""
    clock = rec.clock
    quote = rec.quote
    buckets = rec.buckets
    state = rec.state
    here = clock.bucket & (RING - 1)
    before = (clock.bucket - 1) & (RING - 1)
    change = quote.log_mid - buckets.log_mids[before]
    path = abs(quote.mid - buckets.mids[before])
    buckets.mids[here] = quote.mid
    buckets.log_mids[here] = quote.log_mid

    partial = buckets.partial
    square = change * change
    product = change * buckets.last_return
    partial[DEPTH] = 0.5 * (quote.bid_volume + quote.ask_volume)
    partial[RETURN_1] = change
    partial[RETURN_2] = square
    partial[RETURN_3] = square * change
    partial[RETURN_4] = square * square
    partial[RETURN_UP] = square if change > 0.0 else 0.0
    partial[PRODUCT] = product
    partial[PRODUCT_ABS] = abs(product)
    partial[MOVED] = 1.0 if change != 0.0 else 0.0
    partial[PATH] = path
    buckets.last_return = change
    window_sums_step(
        buckets.slots,
        buckets.prefix,
        buckets.sums,
        buckets.positions,
        clock.lengths,
        clock.offsets,
        partial,
    )
    # Only the flows collect during a bucket; the rest is written when it closes.
    partial[OFI_BID] = 0.0
    partial[OFI_ASK] = 0.0
    partial[BID_UP] = 0.0
    partial[ASK_DOWN] = 0.0

    rolling_pairs_step(
        rec.pairs.slots,
        rec.pairs.prefix,
        rec.pairs.moments,
        rec.pairs.positions,
        clock.lengths,
        clock.offsets,
        float(clock.bucket - clock.first_bucket),
        quote.mid,
    )
    _push_maximum(rec.highs, clock, state.high)
    _push_maximum(rec.lows, clock, -state.low)
    _push_maximum(rec.moves, clock, abs(change))
    state.high = quote.mid
    state.low = quote.mid

    # The first bucket began before it was watched: its return is not a whole bucket's.
    if clock.bucket > clock.first_bucket:
        if state.variance_count == 0:
            state.variance = square
        else:
            state.variance = LAMBDA * state.variance + (1.0 - LAMBDA) * square
        state.variance_count += 1
        clock.seen += 1
    clock.bucket += 1


@kernel
def _push_maximum(deque: Any, clock: Any, value: float) -> None:
    rolling_maximum_step(
        deque.values,
        deque.buckets,
        deque.heads,
        deque.tail,
        deque.maxima,
        clock.lengths,
        clock.bucket,
        value,
    )


@kernel
def advance_clock(rec: Any, timestamp: int) -> bool:
    """Close every bucket that ended before ``timestamp``; say whether there was one."""
    bucket = timestamp // rec.clock.bucket_ns
    rolled: bool = bucket > rec.clock.bucket
    while rec.clock.bucket < bucket:
        _close_bucket(rec)
    return rolled
