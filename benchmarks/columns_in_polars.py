"""The catalogue's columns in polars.

As in ``columns_in_pandas``, of rows that are buckets (``market_in_polars``) or of events
(``market_in_polars_events``). Left out besides ``book.microprice_dev`` are the columns of bulk
classification: polars has no normal distribution. Logarithms of all rows are NumPy's, which polars
takes: its own take up to three times as long.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import polars as pl
from market_in_polars import (
    ASK,
    ASKS,
    BID,
    BIDS,
    CLOSE,
    LN2,
    MID,
    SIZE,
    SPREAD,
    TIME,
    decayed,
    differs,
    share,
)

from alphaseeker.features.catalogue import FEATURES

__all__ = ["IN_POLARS"]

ANGLE = 2 * math.pi / 1440  # of a minute of the day


def age(changed):
    since = pl.when(changed).then(TIME).forward_fill()
    return np.log1p((TIME - since) * 1e-9)


def wap_dev(m, w):
    return ((ASK * BIDS + BID * ASKS) / SIZE / MID - 1) * 1e4


def ofi_fast_slow(m, w):
    return (m.pace("flow", 1) - m.pace("flow", 30)) / m.mean("half_size", 30)


def quote_rate_ratio(m, w):
    return share(m.sum("changed", 5) / 5, m.sum("changed", 300) / 300, 1.0)


def strength(m, w):
    up, down = m.ups_and_downs(w)
    return pl.when(up + down > 1e-12 * MID).then(100 * up / (up + down)).otherwise(50.0)


def range_position(m, w):
    low, high = m.extremes(w)
    return share(MID - low, high - low, 0.5)


def slope(m, w):
    count = w + 1
    return m.rise(w) / ((count**3 - count) / 12) / MID * 1e4


def autocorrelation(m, w):
    demeaned = m.mean("r", w) ** 2
    return (m.mean("product", w) - demeaned) / (m.mean("r2", w) - demeaned)


def jump_share(m, w):
    return (1 - math.pi / 2 * m.sum("product_abs", w) / m.sum("r2", w)).clip(0.0)


def skew(m, w):
    variance = m.sum("r2", w)
    return math.sqrt(w + 1) * m.sum("r3", w) / (variance * variance.sqrt())


def ratio_short_long(m, w):
    return share(m.mean("r2", 30), m.mean("r2", 300), 1.0, least=1e-18).sqrt()


def mean_size_ratio(m, w):
    short = m.sum("volume", 30) / m.sum("traded", 30)
    return (
        pl.when(m.sum("traded", 30) > 0)
        .then(short / m.sum("volume", 300) * m.sum("traded", 300))
        .otherwise(1.0)
    )


def vwap_dev(m, w):
    return (1 - share(m.sum("notional", w), m.sum("volume", w), MID) / MID) * 1e4


def kyle(m, w):
    return share(m.sum("move_signed", w), m.sum("signed2", w)) / MID * 1e4


def roll(m, w):
    covariance = m.mean("price_product", w) - m.mean("price_move", w) ** 2
    kept = covariance <= -1e-12 * m.mean("price_move2", w)
    return pl.when(kept).then(2e4 * (-covariance).sqrt() / MID).otherwise(0.0)


ROWS = {
    "book.spread": lambda m, w: SPREAD / MID * 1e4,
    "book.spread_ticks": lambda m, w: SPREAD / pl.col("tick_size"),
    "book.imbalance": lambda m, w: m.imbalance,
    "book.imbalance_abs": lambda m, w: m.imbalance.abs(),
    "book.size_ratio": lambda m, w: np.log(BIDS / ASKS),
    "book.wap_dev": wap_dev,
    "book.depth": lambda m, w: np.log(SIZE),
    "book.quote_slope": lambda m, w: SPREAD / (np.log1p(ASKS) + np.log1p(BIDS)) / MID * 1e4,
    "book.last_in_spread": lambda m, w: ((CLOSE - MID) / SPREAD).clip(-5.0, 5.0),
    "book.quote_age": lambda m, w: age(m.changed),
    "book.mid_age": lambda m, w: age(differs(MID)),
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
    "momentum.ema_gap": lambda m, w: (1 - m.level_average("mid", w) / MID) * 1e4,
    "momentum.zscore": lambda m, w: m.score("mid", w),
    "momentum.range_position": range_position,
    "momentum.efficiency": lambda m, w: share(m.diff("mid", w).abs(), m.sum("path", w)),
    "momentum.slope": slope,
    "momentum.rsi": strength,
    "momentum.autocorr": autocorrelation,
    "momentum.variance_ratio": lambda m, w: m.sum("ten", w) / (10 * m.sum("r2", w)),
    "momentum.run_length": lambda m, w: m.run(),
    "volatility.realized": lambda m, w: m.sum("r2", w).sqrt() * 1e4,
    "volatility.ewma": lambda m, w: m.variance.sqrt() * 1e4,
    "volatility.bipower": lambda m, w: math.pi / 2 * m.sum("product_abs", w) * 1e8,
    "volatility.jump_share": jump_share,
    "volatility.up_share": lambda m, w: m.sum("r_up", w) / m.sum("r2", w),
    "volatility.skew": skew,
    "volatility.kurt": lambda m, w: (w + 1) * m.sum("r4", w) / m.sum("r2", w) ** 2,
    "volatility.ratio_short_long": ratio_short_long,
    "volatility.max_move": lambda m, w: m.largest("r_abs", w) / m.sum("r2", w).sqrt(),
    "trades.volume_z": lambda m, w: m.score("log_volume", w),
    "trades.signed_ratio": lambda m, w: share(m.sum("signed", w), m.sum("volume", w)),
    "trades.trade_rate": lambda m, w: m.sum("traded", w) / w,
    "trades.mean_size_ratio": mean_size_ratio,
    "trades.vwap_dev": vwap_dev,
    "trades.sign_autocorr": lambda m, w: share(m.sum("sign_product", w), m.sum("traded", w)),
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
    "calendar.hour_sin": lambda m, w: m.of_minute(lambda n: (ANGLE * (n % 1440)).sin()),
    "calendar.hour_cos": lambda m, w: m.of_minute(lambda n: (ANGLE * (n % 1440)).cos()),
    "calendar.funding_minutes": lambda m, w: m.of_minute(lambda n: 480 - n % 480),
}

# Of bars: expressions over one row a bar, whose result the rows of the next bar get.
HIGH, LOW, OPEN = pl.col("high"), pl.col("low"), pl.col("open")
LAST = pl.col("last")
RANGE, RISE = HIGH.log() - LOW.log(), LAST.log() - OPEN.log()
ABOVE = (HIGH.log() - LAST.log()) * (HIGH.log() - OPEN.log())
BELOW = (LOW.log() - LAST.log()) * (LOW.log() - OPEN.log())
TRADED_IN_BAR = pl.col("traded")
LINE = decayed(LAST, span=12) - decayed(LAST, span=26)
CLOSED_BARS = {
    "bars.prev_return": RISE * 1e4,
    "bars.range": RANGE * 1e4,
    "bars.close_position": share(LAST - LOW, HIGH - LOW, 0.5),
    "bars.body_share": share((LAST - OPEN).abs(), HIGH - LOW),
    "bars.volume_ratio": share(TRADED_IN_BAR, decayed(TRADED_IN_BAR, alpha=1 / 8), 1.0),
    "bars.parkinson": RANGE / math.sqrt(4 * LN2) * 1e4,
    "bars.garman_klass": (0.5 * RANGE**2 - (2 * LN2 - 1) * RISE**2).clip(0.0).sqrt() * 1e4,
    "bars.rogers_satchell": (ABOVE + BELOW).clip(0.0).sqrt() * 1e4,
    "bars.atr": decayed(HIGH - LOW, alpha=1 / 14) / LAST * 1e4,
    "momentum.macd": LINE / LAST * 1e4,
    "momentum.macd_histogram": (LINE - decayed(LINE, span=9)) / LAST * 1e4,
}


def of_last_bar(column):
    return lambda m, w: m.closed(w or 60, column)


SIGNALS = ROWS | {name: of_last_bar(column) for name, column in CLOSED_BARS.items()}
SIGNALS["bars.bar_return_in_progress"] = lambda m, w: np.log(MID / m.opened(w)) * 1e4

# Each takes a market and returns the column's expression.
IN_POLARS = {
    feature.name: partial(SIGNALS[f"{feature.family}.{feature.signal}"], w=feature.window_s)
    for feature in FEATURES
    if f"{feature.family}.{feature.signal}" in SIGNALS
}
