"""The catalogue's columns as one writes them in pandas.

What several columns need is computed once for a market: of rows that are buckets
(``market_in_pandas``) or of events (``market_in_pandas_events``). One that is fresh pays for all of
it.
Left out is ``book.microprice_dev``, which is looked up in a fitted table.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from market_in_pandas import LN2, share

from alphaseeker.features.catalogue import FEATURES

__all__ = ["IN_PANDAS"]

ANGLE = 2 * np.pi / 1440  # of a minute of the day


def age(market, changed):
    since = market.time.where(changed).ffill()
    return np.log1p((market.time - since) * 1e-9)


def quote_slope(market, w):
    sizes = np.log1p(market.asks) + np.log1p(market.bids)
    return market.spread / sizes / market.mid * 1e4


def wap_dev(market, w):
    average = (market.ask * market.bids + market.bid * market.asks) / market.size
    return (average / market.mid - 1) * 1e4


def ofi_fast_slow(market, w):
    return (market.pace("flow", 1) - market.pace("flow", 30)) / market.mean("half_size", 30)


def quote_rate_ratio(market, w):
    return share(market.sum("changed", 5) / 5, market.sum("changed", 300) / 300, 1.0)


def strength(market, w):
    up, down = market.ups_and_downs(w)
    return (100 * up / (up + down)).where(up + down > 1e-12 * market.mid, 50.0)


def range_position(market, w):
    low, high = market.extremes(w)
    return share(market.mid - low, high - low, 0.5)


def slope(market, w):
    count = w + 1
    return market.rise(w) / ((count**3 - count) / 12) / market.mid * 1e4


def autocorrelation(market, w):
    mean = market.mean("r", w)
    return (market.mean("product", w) - mean**2) / (market.mean("r2", w) - mean**2)


def run_length(market, w):
    moves = np.sign(market.tick_move)
    moves = moves[moves != 0]
    begins = moves != moves.shift()
    place = pd.Series(np.arange(1.0, len(moves) + 1), index=moves.index)
    run = (place - place.where(begins).ffill() + 1) * moves
    run = run.fillna(0.0)  # where a segment begins there is no move to go on from
    return run.reindex(market.mid.index).ffill()


def convergence(market, histogram):
    bars = market.bars(60)
    closes = bars.known(bars.close)
    fast = closes.ewm(span=12, adjust=False).mean()
    line = fast - closes.ewm(span=26, adjust=False).mean()
    if histogram:
        line = line - line.ewm(span=9, adjust=False).mean()
    return bars.closed(line / closes * 1e4)


def jump_share(market, w):
    bipower = np.pi / 2 * market.sum("product_abs", w)
    return (1 - bipower / market.sum("r2", w)).clip(lower=0)


def ratio_short_long(market, w):
    return np.sqrt(share(market.mean("r2", 30), market.mean("r2", 300), 1.0))


def bar_return(market, w):
    bars = market.bars(w)
    return np.log(market.mid / bars.in_progress(bars.open)) * 1e4


def of_last_bar(formula):
    def column(market, w):
        bars = market.bars(w)
        return bars.closed(formula(bars))

    return column


def garman_klass(bars):
    size, rise = bars.log_high - bars.log_low, bars.log_close - bars.log_open
    return np.sqrt((0.5 * size**2 - (2 * LN2 - 1) * rise**2).clip(lower=0)) * 1e4


def rogers_satchell(bars):
    above = (bars.log_high - bars.log_close) * (bars.log_high - bars.log_open)
    below = (bars.log_low - bars.log_close) * (bars.log_low - bars.log_open)
    return np.sqrt((above + below).clip(lower=0)) * 1e4


def close_position(bars):
    return share(bars.close - bars.low, bars.high - bars.low, 0.5)


def body_share(bars):
    return share((bars.close - bars.open).abs(), bars.high - bars.low)


def volume_ratio(bars):
    return share(bars.volume, bars.volume.ewm(alpha=1 / 8, adjust=False).mean(), 1.0)


def true_range(bars):
    average = (bars.high - bars.low).ewm(alpha=1 / 14, adjust=False).mean()
    return average / bars.close * 1e4


def mean_size_ratio(market, w):
    short = market.sum("volume", 30) / market.sum("traded", 30)
    long = market.sum("volume", 300) / market.sum("traded", 300)
    return (short / long).fillna(1.0)


def vwap_dev(market, w):
    average = market.sum("notional", w) / market.sum("volume", w)
    return (1 - average / market.mid).fillna(0.0) * 1e4


def kyle(market, w):
    return share(market.sum("move_signed", w), market.sum("signed2", w)) / market.mid * 1e4


def roll(market, w):
    covariance = market.mean("price_product", w) - market.mean("price_move", w) ** 2
    kept = covariance.where(covariance <= -1e-12 * market.mean("price_move2", w), 0.0)
    return 2 * np.sqrt(-kept) / market.mid * 1e4


def skew(market, w):
    variance = market.sum("r2", w)
    return np.sqrt(w + 1) * market.sum("r3", w) / (variance * np.sqrt(variance))


SIGNALS = {
    "book.spread": lambda m, w: m.spread / m.mid * 1e4,
    "book.spread_ticks": lambda m, w: m.spread / m.tick_size,
    "book.imbalance": lambda m, w: m.imbalance,
    "book.imbalance_abs": lambda m, w: m.imbalance.abs(),
    "book.size_ratio": lambda m, w: np.log(m.bids / m.asks),
    "book.wap_dev": wap_dev,
    "book.depth": lambda m, w: m.log_size,
    "book.quote_slope": quote_slope,
    "book.last_in_spread": lambda m, w: ((m.close - m.mid) / m.spread).clip(-5.0, 5.0),
    "book.quote_age": lambda m, w: age(m, m.changed),
    "book.mid_age": lambda m, w: age(m, m.mid != m.mid.shift()),
    "dynamics.spread_z": lambda m, w: m.score("decimal_spread", w),
    "dynamics.depth_z": lambda m, w: m.score("log_size", w),
    "dynamics.imbalance_mean": lambda m, w: m.level_average("imbalance", w),
    "dynamics.imbalance_change": lambda m, w: m.imbalance - m.level_average("imbalance", w),
    "dynamics.imbalance_persistence": lambda m, w: m.standing(w) / w,
    "dynamics.quote_rate": lambda m, w: m.sum("changed", w) / w,
    "dynamics.quote_rate_ratio": quote_rate_ratio,
    "flow.ofi": lambda m, w: m.sum("flow", w) / m.mean("half_size", w),
    "flow.ofi_bid": lambda m, w: m.sum("flow_bid", w) / m.mean("half_size", w),
    "flow.ofi_ask": lambda m, w: m.sum("flow_ask", w) / m.mean("half_size", w),
    "flow.ofi_fast_slow": ofi_fast_slow,
    "flow.bid_up": lambda m, w: m.sum("bid_rose", w) / w,
    "flow.ask_down": lambda m, w: m.sum("ask_fell", w) / w,
    "momentum.return": lambda m, w: m.diff("log_mid", w) * 1e4,
    "momentum.ema_gap": lambda m, w: (1 - m.level_average("mid", w) / m.mid) * 1e4,
    "momentum.zscore": lambda m, w: m.score("mid", w),
    "momentum.range_position": range_position,
    "momentum.efficiency": lambda m, w: share(m.diff("mid", w).abs(), m.sum("path", w)),
    "momentum.slope": slope,
    "momentum.rsi": strength,
    "momentum.autocorr": autocorrelation,
    "momentum.variance_ratio": lambda m, w: m.sum("ten", w) / (10 * m.sum("r2", w)),
    "momentum.run_length": run_length,
    "momentum.macd": lambda m, w: convergence(m, False),
    "momentum.macd_histogram": lambda m, w: convergence(m, True),
    "volatility.realized": lambda m, w: np.sqrt(m.sum("r2", w)) * 1e4,
    "volatility.ewma": lambda m, w: np.sqrt(m.variance) * 1e4,
    "volatility.bipower": lambda m, w: np.pi / 2 * m.sum("product_abs", w) * 1e8,
    "volatility.jump_share": jump_share,
    "volatility.up_share": lambda m, w: m.sum("r_up", w) / m.sum("r2", w),
    "volatility.skew": skew,
    "volatility.kurt": lambda m, w: (w + 1) * m.sum("r4", w) / m.sum("r2", w) ** 2,
    "volatility.ratio_short_long": ratio_short_long,
    "volatility.max_move": lambda m, w: m.largest("r_abs", w) / np.sqrt(m.sum("r2", w)),
    "bars.bar_return_in_progress": bar_return,
    "bars.prev_return": of_last_bar(lambda bars: (bars.log_close - bars.log_open) * 1e4),
    "bars.range": of_last_bar(lambda bars: (bars.log_high - bars.log_low) * 1e4),
    "bars.close_position": of_last_bar(close_position),
    "bars.body_share": of_last_bar(body_share),
    "bars.volume_ratio": of_last_bar(volume_ratio),
    "bars.parkinson": of_last_bar(
        lambda bars: (bars.log_high - bars.log_low) / np.sqrt(4 * LN2) * 1e4
    ),
    "bars.garman_klass": of_last_bar(garman_klass),
    "bars.rogers_satchell": of_last_bar(rogers_satchell),
    "bars.atr": of_last_bar(true_range),
    "trades.volume_z": lambda m, w: m.score("log_volume", w),
    "trades.signed_ratio": lambda m, w: share(m.sum("signed", w), m.sum("volume", w)),
    "trades.trade_rate": lambda m, w: m.sum("traded", w) / w,
    "trades.mean_size_ratio": mean_size_ratio,
    "trades.vwap_dev": vwap_dev,
    "trades.sign_autocorr": lambda m, w: share(m.sum("sign_product", w), m.sum("traded", w)),
    "trades.bulk_imbalance": lambda m, w: share(m.sum("bulk", w), m.sum("volume", w)),
    "trades.vpin": lambda m, w: share(m.sum("bulk_abs", w), m.sum("volume", w)),
    "liquidity.kyle": kyle,
    "liquidity.amihud": lambda m, w: (
        share(m.sum("illiquidity", w), m.sum("bucket_traded", w)) * 1e4
    ),
    "liquidity.hasbrouck": lambda m, w: share(m.sum("return_root", w), m.sum("notional", w)) * 1e4,
    "liquidity.roll": roll,
    "liquidity.effective_spread": lambda m, w: (
        share(m.sum("effective", w), m.sum("traded", w)) * 1e4
    ),
    "liquidity.realized_spread": lambda m, w: share(m.sum("realized", w), m.sum("judged", w)) * 1e4,
    "liquidity.price_impact": lambda m, w: share(m.sum("impact", w), m.sum("judged", w)) * 1e4,
    "calendar.hour_sin": lambda m, w: m.of_minute(lambda n: np.sin(ANGLE * (n % 1440))),
    "calendar.hour_cos": lambda m, w: m.of_minute(lambda n: np.cos(ANGLE * (n % 1440))),
    "calendar.funding_minutes": lambda m, w: m.of_minute(lambda n: 480 - n % 480),
}

# Each takes a market and returns the column.
IN_PANDAS = {
    feature.name: partial(SIGNALS[f"{feature.family}.{feature.signal}"], w=feature.window_s)
    for feature in FEATURES
    if f"{feature.family}.{feature.signal}" in SIGNALS
}
