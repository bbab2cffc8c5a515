"""Family 7, trades: who crosses the spread, how much, and at what price."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from alphaseeker._jit import part
from alphaseeker.features.declared.momentum import MOMENTUM_WINDOWS
from alphaseeker.features.declared.trades import TRADE_WINDOWS
from alphaseeker.features.families.dynamics import series_score
from alphaseeker.features.groups import (
    BULK_ABS,
    BULK_SIGNED,
    LOG_VOLUME,
    NOTIONAL,
    SIGN_PRODUCT,
    SIGNED,
    TRADES,
    VOLUME,
)
from alphaseeker.features.output import as_output

__all__ = [
    "begin_trades",
    "close_trades",
    "take_in_trade",
    "write_trades",
    "write_volume_scores",
    "write_vwap",
]

FIRST_DEVIATION = MOMENTUM_WINDOWS.index(TRADE_WINDOWS[0])
SHORT = TRADE_WINDOWS.index(30)
LONG = TRADE_WINDOWS.index(300)
ROOT_HALF = math.sqrt(0.5)
BP = 1e4


@part
def begin_trades(rec: Any, close: float) -> None:
    """Begin a segment whose last trade was at ``close``."""
    trade = rec.trade
    trade.sign = 0.0
    trade.bucket_close = close
    trade.bucket_change = 0.0
    trade.bulk_variance = 0.0
    trade.bulk_count = 0
    trade.effective = 0.0
    trade.pressure = 0.0
    trade.signs = 0.0


@part
def take_in_trade(
    rec: Any, close: float, volume: float, buy_volume: float, sell_volume: float, before: float
) -> None:
    """Take in what was traded since the previous tick.

    Parameters
    ----------
    close
        Price of the last trade.
    volume
        Traded, above 0.
    buy_volume, sell_volume
        Of it by the aggressor, NaN where unknown.
    before
        The mid that prevailed before the trade.
    """
    trade = rec.trade
    partial = rec.trades.partial
    both = buy_volume + sell_volume
    if rec.fitted.aggressor == 1 and both == both:
        balance = buy_volume - sell_volume
        sign = 1.0 if balance > 0.0 else -1.0 if balance < 0.0 else 0.0
        signed = volume * balance / both if both > 0.0 else 0.0
    else:
        if close > before:
            sign = 1.0
        elif close < before:
            sign = -1.0
        else:
            sign = trade.sign
        signed = sign * volume
    partial[VOLUME] += volume
    partial[SIGNED] += signed
    partial[TRADES] += 1.0
    partial[NOTIONAL] += close * volume
    partial[SIGN_PRODUCT] += sign * trade.sign
    twice = 2.0 * sign
    trade.effective += twice * (close - before) / before
    trade.pressure += twice / before
    trade.signs += twice
    trade.sign = sign


@part
def bulk_share(rec: Any, change: float) -> float:
    """Return 2 Phi(dp / sigma) - 1 of a bucket's ``change`` of the last price."""
    if change == 0.0:
        return 0.0
    variance = rec.trade.bulk_variance
    if variance > 0.0:
        return math.erf(change / math.sqrt(variance) * ROOT_HALF)
    return 1.0 if change > 0.0 else -1.0


@part
def close_trades(rec: Any, change: float) -> None:
    """Complete the bucket in progress, over which the last price changed by ``change``."""
    group = rec.trades
    trade = rec.trade
    partial = group.partial
    share = bulk_share(rec, change)
    partial[BULK_SIGNED] = share * partial[VOLUME]
    partial[BULK_ABS] = abs(share) * partial[VOLUME]
    if rec.clock.bucket > rec.clock.first_bucket:
        square = change * change
        if trade.bulk_count == 0:
            trade.bulk_variance = square
        else:
            trade.bulk_variance += (square - trade.bulk_variance) * trade.bulk_weight
        trade.bulk_count += 1


@part
def write_volume_scores(rec: Any) -> None:
    """Write how the present bucket's volume stands among those of the windows."""
    volume = rec.trades.partial[VOLUME]
    log_volume = math.log1p(volume) if volume > 0.0 else 0.0
    for i in range(rec.trades.count):
        length = rec.trades.lengths[i]
        if length > 0 and rec.clock.seen >= length:
            score = series_score(rec, np.int64(LOG_VOLUME), FIRST_DEVIATION + i, log_volume)
            rec.out.trades.volume_z[i] = as_output(score)


@part
def write_trades(rec: Any, change: float, every: bool) -> None:
    """Write what rests on trades alone, for every window or those whose sums have changed.

    ``change`` is that of the last price over the bucket in progress.
    """
    out = rec.out.trades
    group = rec.trades
    sums = group.sums
    partial = group.partial
    seen = rec.clock.seen
    share = bulk_share(rec, change)
    bulk_signed = share * partial[VOLUME]
    bulk_abs = abs(share) * partial[VOLUME]
    for i in range(rec.trades.count):
        length = group.lengths[i]
        if length == 0 or seen < length or not (every or group.changed[i] != 0.0):
            continue
        volume = sums[i, VOLUME] + partial[VOLUME]
        trades = sums[i, TRADES] + partial[TRADES]
        out.trade_rate[i] = as_output(trades * group.rates[i])
        if trades > 0.0:
            inverse = 1.0 / volume
            out.signed_ratio[i] = as_output((sums[i, SIGNED] + partial[SIGNED]) * inverse)
            products = sums[i, SIGN_PRODUCT] + partial[SIGN_PRODUCT]
            out.sign_autocorr[i] = as_output(products / trades)
        else:
            inverse = 0.0
            out.signed_ratio[i] = as_output(0.0)
            out.sign_autocorr[i] = as_output(0.0)
        if seen >= length + rec.trade.bulk_lag:
            out.bulk_imbalance[i] = as_output((sums[i, BULK_SIGNED] + bulk_signed) * inverse)
            out.vpin[i] = as_output((sums[i, BULK_ABS] + bulk_abs) * inverse)
    fresh = every or group.changed[SHORT] != 0.0 or group.changed[LONG] != 0.0
    if fresh and group.lengths[SHORT] > 0 and seen >= group.lengths[LONG]:
        trades = sums[SHORT, TRADES] + partial[TRADES]
        if trades > 0.0:
            mean = (sums[SHORT, VOLUME] + partial[VOLUME]) / trades
            volume = sums[LONG, VOLUME] + partial[VOLUME]
            out.mean_size_ratio = as_output(mean * (sums[LONG, TRADES] + partial[TRADES]) / volume)
        else:
            out.mean_size_ratio = as_output(1.0)


@part
def write_vwap(rec: Any, every: bool) -> None:
    """Write the mid's distance from the volume-weighted average price, as ``write_trades`` does."""
    out = rec.out.trades
    group = rec.trades
    sums = group.sums
    partial = group.partial
    mid = rec.quote.mid
    for i in range(rec.trades.count):
        length = group.lengths[i]
        if length == 0 or rec.clock.seen < length or not (every or group.changed[i] != 0.0):
            continue
        volume = sums[i, VOLUME] + partial[VOLUME]
        if volume > 0.0:
            average = (sums[i, NOTIONAL] + partial[NOTIONAL]) / volume
            out.vwap_dev[i] = as_output((mid - average) / mid * BP)
        else:
            out.vwap_dev[i] = as_output(0.0)
