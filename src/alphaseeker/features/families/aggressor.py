"""Family 10, the aggressor: which side takes, in data that tells."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.declared.aggressor import AGGRESSOR_WINDOWS, INTENSITY_HALF_LIVES
from alphaseeker.features.groups import BUY, BUYS, CANCELLED, DEPTH, LARGE, SELL, SELLS
from alphaseeker.features.window_lanes import lane_of, reader, writer
from alphaseeker.kernels.lane_math import smaller, where
from alphaseeker.kernels.lanes import load_wide

__all__ = [
    "begin_sides",
    "take_in_sides",
    "write_intensity",
    "write_sides",
]

N_INTENSITIES = len(INTENSITY_HALF_LIVES)
AVERAGES = tuple(lane_of(h) for h in INTENSITY_HALF_LIVES)
LARGE_TIMES = 4.0  # the mean size
SIZE_WEIGHT = 0.01
_sum = reader(AGGRESSOR_WINDOWS)
_write = writer(AGGRESSOR_WINDOWS)
_write_intensity = writer(INTENSITY_HALF_LIVES)


@part
def begin_sides(rec: Any) -> None:
    """Begin a segment."""
    rec.trade.mean_size = 0.0
    rec.trade.sizes = 0


@part
def _lost(price: float, size: float, price_before: float, size_before: float, away: float) -> float:
    """Return the size that left a side: ``away`` is -1 where a lower price is further away."""
    if price == price_before:
        return max(0.0, size_before - size)
    return size_before if (price - price_before) * away > 0.0 else 0.0


@part
def take_in_sides(
    rec: Any,
    bid: float,
    ask: float,
    bid_volume: float,
    ask_volume: float,
    buy_volume: float,
    sell_volume: float,
) -> None:
    """Take in a tick's volumes by aggressor, beside its quote; the quote before still stands."""
    quote = rec.quote
    trade = rec.trade
    partial = rec.sides.partial
    bought = buy_volume if buy_volume > 0.0 else 0.0  # NaN is nothing
    sold = sell_volume if sell_volume > 0.0 else 0.0
    volume = bought + sold
    if volume > 0.0:
        partial[BUY] += bought
        partial[SELL] += sold
        if bought > 0.0:
            partial[BUYS] += 1.0
        if sold > 0.0:
            partial[SELLS] += 1.0
        for i in range(N_INTENSITIES):
            if bought > 0.0:
                rec.averages.buys[AVERAGES[i]] += 1.0
            if sold > 0.0:
                rec.averages.sells[AVERAGES[i]] += 1.0
        if trade.sizes == 0:
            trade.mean_size = volume
        else:
            if volume > LARGE_TIMES * trade.mean_size:
                partial[LARGE] += volume
            trade.mean_size += (volume - trade.mean_size) * SIZE_WEIGHT
        trade.sizes += 1
    lost_bid = _lost(bid, bid_volume, quote.bid_price, quote.bid_volume, -1.0)
    lost_ask = _lost(ask, ask_volume, quote.ask_price, quote.ask_volume, 1.0)
    partial[CANCELLED] += max(0.0, lost_bid - sold) + max(0.0, lost_ask - bought)


@part
def write_sides(rec: Any) -> None:
    """Write what changes with a trade, with the quote, and when a bucket closes."""
    out = rec.out.aggressor
    group = rec.sides
    sums = group.sums
    partial = group.partial
    full = load_wide(group.full, 0)
    ready = full <= float(rec.clock.seen)
    depth = 0.5 * (rec.quote.bid_volume + rec.quote.ask_volume)
    bought = _sum(sums, BUY) + partial[BUY]
    sold = _sum(sums, SELL) + partial[SELL]
    buys = _sum(sums, BUYS) + partial[BUYS]
    sells = _sum(sums, SELLS) + partial[SELLS]
    volume = bought + sold
    # Two sums of the same sizes, in another order: their share is at most 1.
    large = smaller((_sum(sums, LARGE) + partial[LARGE]) / volume, 1.0)
    ratio = (bought - sold) / volume
    counts = (buys - sells) / (buys + sells)
    any_trade = volume > 0.0
    _write(out.signed_ratio, where(ready, where(any_trade, ratio, 0.0), math.nan))
    _write(out.count_imbalance, where(ready, where(any_trade, counts, 0.0), math.nan))
    _write(out.large_trade_share, where(ready, where(any_trade, large, 0.0), math.nan))
    mean_depth = (_sum(rec.flow.sums, DEPTH) + depth) / (full + 1.0)
    cancelled = _sum(sums, CANCELLED) + partial[CANCELLED]
    rate = cancelled * load_wide(group.rates, 0) / mean_depth
    _write(out.cancel_rate, where(ready, rate, math.nan))


@part
def write_intensity(rec: Any) -> None:
    """Write the intensities of buying less those of selling."""
    averages = rec.averages
    ready = load_wide(rec.flow.full, 0) <= float(rec.clock.seen)
    surplus = load_wide(averages.buys, 0) - load_wide(averages.sells, 0)
    intensity = surplus * load_wide(averages.rates, 0)
    _write_intensity(rec.out.aggressor.intensity, where(ready, intensity, math.nan))
