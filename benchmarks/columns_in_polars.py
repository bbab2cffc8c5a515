"""The catalogue's columns as expressions of polars, on a grid of one second.

As in ``columns_in_pandas``; a lazy query shares what several of its expressions have in common.
Left out besides ``book.microprice_dev`` are the columns of bulk classification: polars has no
normal distribution.
"""

from __future__ import annotations

import math

import polars as pl

from alphaseeker.features.catalogue import FEATURES

__all__ = ["IN_POLARS", "every_column", "one_column"]

SECOND = 10**9
LN2 = math.log(2.0)
LAG = 5  # rows after which a trade is judged

TIME = pl.col("timestamp")
BID, ASK = pl.col("bid_price"), pl.col("ask_price")
BIDS, ASKS = pl.col("bid_volume"), pl.col("ask_volume")
CLOSE = pl.col("close")
VOLUME = pl.when(pl.int_range(pl.len()) > 0).then(pl.col("volume")).otherwise(0.0)

MID = 0.5 * (BID + ASK)
SPREAD = ASK - BID
SIZE = BIDS + ASKS
IMBALANCE = (BIDS - ASKS) / SIZE
LOG_MID = MID.log()
MOVE = MID.diff().fill_null(0.0)
PLACE = pl.int_range(pl.len()).cast(pl.Float64)
R = LOG_MID.diff().fill_null(0.0)
R2 = R**2
PRODUCT = R * R.shift()


def number(condition):
    """Return 1.0 where ``condition`` holds, else 0.0."""
    return condition.fill_null(False).cast(pl.Float64)


def flow(price, size):
    before, stood = price.shift(), size.shift()
    return number(price >= before) * size - number(price <= before) * stood


FLOW_BID = flow(BID, BIDS)
FLOW_ASK = flow(-ASK, -ASKS)
FLOW = FLOW_BID + FLOW_ASK


def differs(field):
    return (field != field.shift()).fill_null(True)


CHANGED = differs(BID) | differs(ASK) | differs(BIDS) | differs(ASKS)

# Trades, signed by the tick rule.
MID_BEFORE = MID.shift().fill_null(MID.first())
TRADED = number(VOLUME > 0)
NOTIONAL = CLOSE * VOLUME
RULE = pl.when(VOLUME > 0).then((CLOSE - MID_BEFORE).sign())
LAST_SIGN = pl.when(RULE != 0).then(RULE).forward_fill().fill_null(0.0)
SIGN = LAST_SIGN * TRADED
SIGNED = SIGN * VOLUME
ILLIQUIDITY = pl.when(VOLUME > 0).then(R.abs() / NOTIONAL).otherwise(0.0)
JUDGED = TRADED.shift(LAG)
PRESSURE = 2 * SIGN.shift(LAG) / MID_BEFORE.shift(LAG)
PRICE_MOVE = CLOSE.diff().fill_null(0.0)


def total(values, w):
    """Return the sum over the last w buckets and the present one."""
    return values.rolling_sum(w + 1)


def mean(values, w):
    return values.rolling_mean(w + 1)


def share(above, below, otherwise=0.0, least=1e-9):
    # A rolling sum of polars that is 0 again keeps a residue of what was in it.
    return pl.when(below.abs() > least).then(above / below).otherwise(otherwise)


def score(values, w):
    return share(values - mean(values, w), values.rolling_std(w + 1, ddof=0))


def decayed(values, **decay):
    return values.ewm_mean(adjust=False, **decay)


def level_average(values, half_life):
    return decayed(values.shift().fill_null(values.first()), half_life=half_life)


def age(changed):
    since = pl.when(changed).then(TIME).forward_fill()
    return ((TIME - since) * 1e-9).log1p()


def pace(values, half_life):
    """Return an impulse EWMA, per second."""
    weight = LN2 / half_life / (1 - 2.0 ** (-1 / half_life))
    return decayed(values.fill_null(0.0), half_life=half_life) * weight


def wap_dev(w):
    return ((ASK * BIDS + BID * ASKS) / SIZE / MID - 1) * 1e4


def ofi_fast_slow(w):
    return (pace(FLOW, 1) - pace(FLOW, 30)) / mean(SIZE / 2, 30)


def quote_rate_ratio(w):
    changes = CHANGED.cast(pl.Float64)
    return share(total(changes, 5) / 5, total(changes, 300) / 300, 1.0)


def persistence(w):
    return IMBALANCE.sign().shift().rolling_sum(w) / w


def strength(w):
    up, down = (decayed(move.clip(0.0), alpha=1 / w) for move in (MOVE, -MOVE))
    return pl.when(up + down > 1e-12 * MID).then(100 * up / (up + down)).otherwise(50.0)


def range_position(w):
    low, high = MID.rolling_min(w + 2), MID.rolling_max(w + 2)
    return share(MID - low, high - low, 0.5)


def slope(w):
    count = w + 1
    rise = total(PLACE * MID, w) - (PLACE - w / 2) * total(MID, w)
    return rise / ((count**3 - count) / 12) / MID * 1e4


def autocorrelation(w):
    demeaned = mean(R, w) ** 2
    return (mean(PRODUCT, w) - demeaned) / (mean(R2, w) - demeaned)


def run_length(w):
    direction = pl.when(MOVE != 0).then(MOVE.sign()).forward_fill()
    count = number(MOVE != 0).cum_sum()
    turned = (MOVE != 0) & (direction != direction.shift()).fill_null(True)
    begun = pl.when(turned).then(count).forward_fill()
    return (count - begun + 1) * direction


def jump_share(w):
    return (1 - math.pi / 2 * total(PRODUCT.abs(), w) / total(R2, w)).clip(0.0)


def ratio_short_long(w):
    return share(mean(R2, 30), mean(R2, 300), 1.0, least=1e-18).sqrt()


def mean_size_ratio(w):
    short = total(VOLUME, 30) / total(TRADED, 30)
    return (
        pl.when(total(TRADED, 30) > 0)
        .then(short / total(VOLUME, 300) * total(TRADED, 300))
        .otherwise(1.0)
    )


def vwap_dev(w):
    return (1 - share(total(NOTIONAL, w), total(VOLUME, w), MID) / MID) * 1e4


def kyle(w):
    return share(total(MOVE * SIGNED, w), total(SIGNED**2, w)) / MID * 1e4


def roll(w):
    covariance = mean(PRICE_MOVE * PRICE_MOVE.shift(), w) - mean(PRICE_MOVE, w) ** 2
    kept = covariance <= -1e-12 * mean(PRICE_MOVE**2, w)
    return pl.when(kept).then(2e4 * (-covariance).sqrt() / MID).otherwise(0.0)


def ewma(w):
    squares = pl.when(pl.int_range(pl.len()) > 0).then(R2)
    return decayed(squares, alpha=0.06).sqrt() * 1e4


def minute():
    return TIME // (60 * SECOND)


ROWS = {
    "book.spread": lambda w: SPREAD / MID * 1e4,
    "book.spread_ticks": lambda w: SPREAD / pl.col("tick_size"),
    "book.imbalance": lambda w: IMBALANCE,
    "book.imbalance_abs": lambda w: IMBALANCE.abs(),
    "book.size_ratio": lambda w: (BIDS / ASKS).log(),
    "book.wap_dev": wap_dev,
    "book.depth": lambda w: SIZE.log(),
    "book.quote_slope": lambda w: SPREAD / (ASKS.log1p() + BIDS.log1p()) / MID * 1e4,
    "book.last_in_spread": lambda w: ((CLOSE - MID) / SPREAD).clip(-5.0, 5.0),
    "book.quote_age": lambda w: age(CHANGED),
    "book.mid_age": lambda w: age(differs(MID)),
    "dynamics.spread_z": lambda w: score(SPREAD.round(8), w),
    "dynamics.depth_z": lambda w: score(SIZE.log(), w),
    "dynamics.imbalance_mean": lambda w: level_average(IMBALANCE, w),
    "dynamics.imbalance_change": lambda w: IMBALANCE - level_average(IMBALANCE, w),
    "dynamics.imbalance_persistence": persistence,
    "dynamics.quote_rate": lambda w: total(CHANGED.cast(pl.Float64), w) / w,
    "dynamics.quote_rate_ratio": quote_rate_ratio,
    "flow.ofi": lambda w: total(FLOW, w) / mean(SIZE / 2, w),
    "flow.ofi_bid": lambda w: total(FLOW_BID, w) / mean(SIZE / 2, w),
    "flow.ofi_ask": lambda w: total(FLOW_ASK, w) / mean(SIZE / 2, w),
    "flow.ofi_fast_slow": ofi_fast_slow,
    "flow.bid_up": lambda w: total(number(BID > BID.shift()), w) / w,
    "flow.ask_down": lambda w: total(number(ASK < ASK.shift()), w) / w,
    "momentum.return": lambda w: LOG_MID.diff(w + 1) * 1e4,
    "momentum.ema_gap": lambda w: (1 - level_average(MID, w) / MID) * 1e4,
    "momentum.zscore": lambda w: score(MID, w),
    "momentum.range_position": range_position,
    "momentum.efficiency": lambda w: share(MID.diff(w + 1).abs(), total(MOVE.abs(), w)),
    "momentum.slope": slope,
    "momentum.rsi": strength,
    "momentum.autocorr": autocorrelation,
    "momentum.variance_ratio": lambda w: total(LOG_MID.diff(10) ** 2, w) / (10 * total(R2, w)),
    "momentum.run_length": run_length,
    "volatility.realized": lambda w: total(R2, w).sqrt() * 1e4,
    "volatility.ewma": ewma,
    "volatility.bipower": lambda w: math.pi / 2 * total(PRODUCT.abs(), w) * 1e8,
    "volatility.jump_share": jump_share,
    "volatility.up_share": lambda w: total(number(R > 0) * R2, w) / total(R2, w),
    "volatility.skew": lambda w: math.sqrt(w + 1) * total(R**3, w) / total(R2, w) ** 1.5,
    "volatility.kurt": lambda w: (w + 1) * total(R**4, w) / total(R2, w) ** 2,
    "volatility.ratio_short_long": ratio_short_long,
    "volatility.max_move": lambda w: R.abs().rolling_max(w + 1) / total(R2, w).sqrt(),
    "trades.volume_z": lambda w: score(VOLUME.log1p(), w),
    "trades.signed_ratio": lambda w: share(total(SIGNED, w), total(VOLUME, w)),
    "trades.trade_rate": lambda w: total(TRADED, w) / w,
    "trades.mean_size_ratio": mean_size_ratio,
    "trades.vwap_dev": vwap_dev,
    "trades.sign_autocorr": lambda w: share(total(SIGN * LAST_SIGN.shift(), w), total(TRADED, w)),
    "liquidity.kyle": kyle,
    "liquidity.amihud": lambda w: share(total(ILLIQUIDITY, w), total(TRADED, w)) * 1e4,
    "liquidity.hasbrouck": lambda w: (
        share(total(R * SIGN * NOTIONAL.sqrt(), w), total(NOTIONAL, w)) * 1e4
    ),
    "liquidity.roll": roll,
    "liquidity.effective_spread": lambda w: (
        share(total(2 * SIGN * (CLOSE / MID_BEFORE - 1), w), total(TRADED, w)) * 1e4
    ),
    "liquidity.realized_spread": lambda w: (
        share(total(PRESSURE * (CLOSE.shift(LAG) - MID), w), total(JUDGED, w)) * 1e4
    ),
    "liquidity.price_impact": lambda w: (
        share(total(PRESSURE * (MID - MID_BEFORE.shift(LAG)), w), total(JUDGED, w)) * 1e4
    ),
    "calendar.hour_sin": lambda w: (2 * math.pi / 1440 * (minute() % 1440)).sin(),
    "calendar.hour_cos": lambda w: (2 * math.pi / 1440 * (minute() % 1440)).cos(),
    "calendar.funding_minutes": lambda w: 480 - minute() % 480,
}

# Columns of bars: expressions over one row a bar, whose result the rows of the next bar get.
HIGH, LOW, OPEN = pl.col("high"), pl.col("low"), pl.col("open")
LAST = pl.col("last")
RANGE, RISE = HIGH.log() - LOW.log(), LAST.log() - OPEN.log()
ABOVE = (HIGH.log() - LAST.log()) * (HIGH.log() - OPEN.log())
BELOW = (LOW.log() - LAST.log()) * (LOW.log() - OPEN.log())
TRADED_IN_BAR = pl.col("traded")
CLOSED_BARS = {
    "prev_return": RISE * 1e4,
    "range": RANGE * 1e4,
    "close_position": share(LAST - LOW, HIGH - LOW, 0.5),
    "body_share": share((LAST - OPEN).abs(), HIGH - LOW),
    "volume_ratio": share(TRADED_IN_BAR, decayed(TRADED_IN_BAR, alpha=1 / 8), 1.0),
    "parkinson": RANGE / math.sqrt(4 * LN2) * 1e4,
    "garman_klass": (0.5 * RANGE**2 - (2 * LN2 - 1) * RISE**2).clip(0.0).sqrt() * 1e4,
    "rogers_satchell": (ABOVE + BELOW).clip(0.0).sqrt() * 1e4,
    "atr": decayed(HIGH - LOW, alpha=1 / 14) / LAST * 1e4,
}
LINE = decayed(LAST, span=12) - decayed(LAST, span=26)
CLOSED_MINUTES = {
    "momentum.macd": LINE / LAST * 1e4,
    "momentum.macd_histogram": (LINE - decayed(LINE, span=9)) / LAST * 1e4,
}


def with_bars(rows, w, closed):
    """Join columns of bars of w seconds to the rows: of the last closed one, and the open."""
    number = TIME // (w * SECOND)
    bars = (
        rows.group_by(number.alias("bar"), maintain_order=True)
        .agg(
            MID.max().alias("high"),
            MID.min().alias("low"),
            MID.last().alias("last"),
            pl.col("volume").sum().alias("traded"),
        )
        .with_columns(LAST.shift().alias("open"))
        .with_columns(pl.max_horizontal("high", "open"), pl.min_horizontal("low", "open"))
        .slice(1)  # the first bar was not watched from its beginning
        .select("bar", "open", *[column.shift().alias(name) for name, column in closed.items()])
        .rename({"open": f"open_{w}"})
    )
    key = f"bar_{w}"
    bars = bars.rename({"bar": key})
    return rows.with_columns(number.alias(key)).join(
        bars, on=key, how="left", maintain_order="left"
    )


def closed_columns(name):
    """Return the length of the bars of a column and its expression, by its name."""
    if name in CLOSED_MINUTES:
        return 60, {name: CLOSED_MINUTES[name]}
    signal, _, window = name.removeprefix("bars.").rpartition("_")
    return int(window[:-1]), {name: CLOSED_BARS[signal]}


def in_progress(name, w):
    return ((MID / pl.col(f"open_{w}")).log() * 1e4).alias(name)


def one_column(rows, name):
    """Return a lazy frame of one column, computed from the columns of the capture alone."""
    if name in EXPRESSIONS:
        return rows.select(EXPRESSIONS[name].alias(name))
    if "in_progress" in name:
        w = int(name.rpartition("_")[2][:-1])
        return with_bars(rows, w, {}).select(in_progress(name, w))
    w, closed = closed_columns(name)
    return with_bars(rows, w, closed).select(name)


def every_column(rows):
    """Return a lazy frame of all columns, in which everything is shared that can be."""
    for w in (60, 300, 900):
        closed = {}
        for name in IN_POLARS:
            if name not in EXPRESSIONS and "in_progress" not in name:
                length, column = closed_columns(name)
                closed |= column if length == w else {}
        rows = with_bars(rows, w, closed)
    bars = [
        in_progress(name, int(name.rpartition("_")[2][:-1]))
        for name in IN_POLARS
        if "in_progress" in name
    ]
    others = [name for name in IN_POLARS if name not in EXPRESSIONS and "in_progress" not in name]
    return rows.select(*[EXPRESSIONS[name].alias(name) for name in EXPRESSIONS], *bars, *others)


EXPRESSIONS = {
    feature.name: ROWS[f"{feature.family}.{feature.signal}"](feature.window_s)
    for feature in FEATURES
    if f"{feature.family}.{feature.signal}" in ROWS
}
IN_POLARS = tuple(
    feature.name
    for feature in FEATURES
    if feature.name in EXPRESSIONS or feature.family == "bars" or feature.name in CLOSED_MINUTES
)
