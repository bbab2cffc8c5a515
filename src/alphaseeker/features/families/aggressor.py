"""Family 10, the aggressor: which side takes, in data that tells."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.declared.aggressor import AGGRESSOR_WINDOWS, INTENSITY_HALF_LIVES
from alphaseeker.features.declared.flow import FLOW_WINDOWS
from alphaseeker.features.groups import BUY, BUYS, CANCELLED, DEPTH, LARGE, SELL, SELLS
from alphaseeker.features.layout import HALF_LIVES
from alphaseeker.features.output import as_output

__all__ = [
    "begin_sides",
    "take_in_sides",
    "write_intensity",
    "write_sides",
]

N_INTENSITIES = len(INTENSITY_HALF_LIVES)
AVERAGES = tuple(HALF_LIVES.index(h) for h in INTENSITY_HALF_LIVES)
WINDOWS_OF_INTENSITY = tuple(FLOW_WINDOWS.index(h) for h in INTENSITY_HALF_LIVES)
INTENSITY_RATES = tuple(math.log(2.0) / h for h in INTENSITY_HALF_LIVES)
FIRST_FLOW = FLOW_WINDOWS.index(AGGRESSOR_WINDOWS[0])
LARGE_TIMES = 4.0  # the mean size
SIZE_WEIGHT = 0.01


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
    depth = 0.5 * (rec.quote.bid_volume + rec.quote.ask_volume)
    for i in range(group.count):
        length = group.lengths[i]
        if length == 0 or rec.clock.seen < length:
            continue
        bought = sums[i, BUY] + partial[BUY]
        sold = sums[i, SELL] + partial[SELL]
        volume = bought + sold
        if volume > 0.0:
            buys = sums[i, BUYS] + partial[BUYS]
            sells = sums[i, SELLS] + partial[SELLS]
            large = sums[i, LARGE] + partial[LARGE]
            out.signed_ratio[i] = as_output((bought - sold) / volume)
            out.count_imbalance[i] = as_output((buys - sells) / (buys + sells))
            # Two sums of the same sizes, in another order: their share is at most 1.
            out.large_trade_share[i] = as_output(min(1.0, large / volume))
        else:
            out.signed_ratio[i] = as_output(0.0)
            out.count_imbalance[i] = as_output(0.0)
            out.large_trade_share[i] = as_output(0.0)
        mean_depth = (rec.flow.sums[FIRST_FLOW + i, DEPTH] + depth) / (length + 1.0)
        cancelled = sums[i, CANCELLED] + partial[CANCELLED]
        out.cancel_rate[i] = as_output(cancelled * group.rates[i] / mean_depth)


@part
def write_intensity(rec: Any) -> None:
    """Write the intensities of buying less those of selling."""
    out = rec.out.aggressor
    averages = rec.averages
    for i in range(N_INTENSITIES):
        length = rec.flow.lengths[WINDOWS_OF_INTENSITY[i]]
        if length == 0 or rec.clock.seen < length:
            continue
        surplus = averages.buys[AVERAGES[i]] - averages.sells[AVERAGES[i]]
        out.intensity[i] = as_output(surplus * INTENSITY_RATES[i])
