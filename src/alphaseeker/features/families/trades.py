"""Family 7, trades: who crosses the spread, how much, and at what price."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from alphaseeker._jit import part
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
from alphaseeker.features.window_lanes import lane_of, reader, writer
from alphaseeker.kernels.lane_math import where
from alphaseeker.kernels.lanes import load_wide

__all__ = [
    "begin_trades",
    "close_trades",
    "take_in_trade",
    "write_trades",
    "write_volume_scores",
    "write_vwap",
]

SHORT, LONG = lane_of(30), lane_of(300)
ROOT_HALF = math.sqrt(0.5)
BP = 1e4
_sum = reader(TRADE_WINDOWS)
_write = writer(TRADE_WINDOWS)


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
    _write(rec.out.trades.volume_z, series_score(rec, np.int64(LOG_VOLUME), log_volume))


@part
def write_trades(rec: Any, change: float) -> None:
    """Write what rests on trades alone; ``change`` is that of the last price over the bucket."""
    out = rec.out.trades
    group = rec.trades
    sums = group.sums
    partial = group.partial
    seen = float(rec.clock.seen)
    full = load_wide(group.full, 0)
    ready = full <= seen
    share = bulk_share(rec, change)
    bulk_signed = share * partial[VOLUME]
    bulk_abs = abs(share) * partial[VOLUME]
    volume = _sum(sums, VOLUME) + partial[VOLUME]
    trades = _sum(sums, TRADES) + partial[TRADES]
    _write(out.trade_rate, where(ready, trades * load_wide(group.rates, 0), math.nan))
    any_trade = trades > 0.0
    inverse = where(ready, where(any_trade, 1.0 / volume, 0.0), math.nan)
    _write(out.signed_ratio, (_sum(sums, SIGNED) + partial[SIGNED]) * inverse)
    products = (_sum(sums, SIGN_PRODUCT) + partial[SIGN_PRODUCT]) / trades
    _write(out.sign_autocorr, where(ready, where(any_trade, products, 0.0), math.nan))
    known = full + float(rec.trade.bulk_lag) <= seen
    inverse = where(known, inverse, math.nan)
    _write(out.bulk_imbalance, (_sum(sums, BULK_SIGNED) + bulk_signed) * inverse)
    _write(out.vpin, (_sum(sums, BULK_ABS) + bulk_abs) * inverse)
    if group.lengths[SHORT] > 0 and rec.clock.seen >= group.lengths[LONG]:
        recent = sums[SHORT, TRADES] + partial[TRADES]
        if recent > 0.0:
            mean = (sums[SHORT, VOLUME] + partial[VOLUME]) / recent
            long_volume = sums[LONG, VOLUME] + partial[VOLUME]
            long_trades = sums[LONG, TRADES] + partial[TRADES]
            out.mean_size_ratio = as_output(mean * long_trades / long_volume)
        else:
            out.mean_size_ratio = as_output(1.0)


@part
def write_vwap(rec: Any) -> None:
    """Write the mid's distance from the volume-weighted average price."""
    group = rec.trades
    sums = group.sums
    partial = group.partial
    mid = rec.quote.mid
    ready = load_wide(group.full, 0) <= float(rec.clock.seen)
    volume = _sum(sums, VOLUME) + partial[VOLUME]
    average = (_sum(sums, NOTIONAL) + partial[NOTIONAL]) / volume
    gap = where(volume > 0.0, (mid - average) / mid * BP, 0.0)
    _write(rec.out.trades.vwap_dev, where(ready, gap, math.nan))
