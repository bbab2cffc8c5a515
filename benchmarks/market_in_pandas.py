"""What columns in pandas are made of: the inputs of a row, and sums over windows of them.

On a grid of one second a row is a bucket: a window of w whole buckets and the present one are w + 1
rows.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
from scipy.special import erf

__all__ = ["SECOND", "Market"]

SECOND = 10**9
LAG = 5  # rows after which a trade is judged


class Market:
    """Ticks of a one-second grid and what columns share, each computed at its first use."""

    def __init__(self, frame, tick_size):
        self.time = frame["timestamp"]
        self.bid, self.ask = frame["bid_price"], frame["ask_price"]
        self.bids, self.asks = frame["bid_volume"], frame["ask_volume"]
        self.close = frame["close"]
        self.frame, self.tick_size = frame, tick_size
        self.rolled = lru_cache(maxsize=None)(self._rolled)
        self.bars = lru_cache(maxsize=None)(self._bars)

    @cached_property
    def volume(self):
        return self.frame["volume"].where(self.time.index > 0, 0.0)

    def _rolled(self, name, how, rows):
        return getattr(getattr(self, name).rolling(rows), how)()

    def sum(self, name, w):
        """Return the sum over the last w buckets and the present one."""
        return self.rolled(name, "sum", w + 1)

    def mean(self, name, w):
        return self.sum(name, w) / (w + 1)

    mid = cached_property(lambda self: 0.5 * (self.bid + self.ask))
    spread = cached_property(lambda self: self.ask - self.bid)
    # Spreads of one width differ in the last bit, which a score of nothing else would show.
    decimal_spread = cached_property(lambda self: self.spread.round(8))
    size = cached_property(lambda self: self.bids + self.asks)
    half_size = cached_property(lambda self: 0.5 * self.size)
    log_size = cached_property(lambda self: np.log(self.size))
    imbalance = cached_property(lambda self: (self.bids - self.asks) / self.size)
    log_mid = cached_property(lambda self: np.log(self.mid))
    move = cached_property(lambda self: self.mid.diff().fillna(0.0))
    path = cached_property(lambda self: self.move.abs())
    place = cached_property(lambda self: pd.Series(np.arange(len(self.mid), dtype=float)))
    placed_mid = cached_property(lambda self: self.place * self.mid)
    stood = cached_property(lambda self: np.sign(self.imbalance).shift())

    r = cached_property(lambda self: self.log_mid.diff().fillna(0.0))
    r_before = cached_property(lambda self: self.r.shift())
    r2 = cached_property(lambda self: self.r**2)
    r3 = cached_property(lambda self: self.r**3)
    r4 = cached_property(lambda self: self.r**4)
    r_abs = cached_property(lambda self: self.r.abs())
    r_up = cached_property(lambda self: self.r2.where(self.r > 0, 0.0))
    product = cached_property(lambda self: self.r * self.r_before)
    product_abs = cached_property(lambda self: self.product.abs())
    ten = cached_property(lambda self: self.log_mid.diff(10) ** 2)

    bid_rose = cached_property(lambda self: (self.bid > self.bid.shift()).astype(float))
    ask_fell = cached_property(lambda self: (self.ask < self.ask.shift()).astype(float))

    @cached_property
    def flow_bid(self):
        before = self.bid.shift()
        flow = self.bids.where(self.bid >= before, 0.0)
        return flow - self.bids.shift().where(self.bid <= before, 0.0)

    @cached_property
    def flow_ask(self):
        before = self.ask.shift()
        flow = self.asks.shift().where(self.ask >= before, 0.0)
        return flow - self.asks.where(self.ask <= before, 0.0)

    flow = cached_property(lambda self: self.flow_bid + self.flow_ask)

    @cached_property
    def changed(self):
        fields = (self.bid, self.ask, self.bids, self.asks)
        return np.logical_or.reduce([field != field.shift() for field in fields]).astype(float)

    quotes = cached_property(lambda self: pd.Series(self.changed))

    # Trades, signed by the tick rule.
    mid_before = cached_property(lambda self: self.mid.shift().fillna(self.mid.iloc[0]))
    traded = cached_property(lambda self: (self.volume > 0).astype(float))
    log_volume = cached_property(lambda self: np.log1p(self.volume))
    notional = cached_property(lambda self: self.close * self.volume)

    @cached_property
    def last_sign(self):
        sign = np.sign(self.close - self.mid_before).where(self.volume > 0)
        return sign.where(sign != 0).ffill().fillna(0.0)

    sign = cached_property(lambda self: self.last_sign * self.traded)
    sign_product = cached_property(lambda self: self.sign * self.last_sign.shift())
    signed = cached_property(lambda self: self.sign * self.volume)
    signed2 = cached_property(lambda self: self.signed**2)
    move_signed = cached_property(lambda self: self.move * self.signed)
    illiquidity = cached_property(
        lambda self: (self.r_abs / self.notional).where(self.volume > 0, 0.0)
    )
    return_root = cached_property(lambda self: self.r * self.sign * np.sqrt(self.notional))
    effective = cached_property(lambda self: 2 * self.sign * (self.close / self.mid_before - 1))

    @cached_property
    def realized(self):
        sign, price = 2 * self.sign.shift(LAG), self.close.shift(LAG)
        return sign * (price - self.mid) / self.mid_before.shift(LAG)

    impact = cached_property(
        lambda self: 2 * self.sign.shift(LAG) * (self.mid / self.mid_before.shift(LAG) - 1)
    )
    judged = cached_property(lambda self: self.traded.shift(LAG))
    price_move = cached_property(lambda self: self.close.diff().fillna(0.0))
    price_move2 = cached_property(lambda self: self.price_move**2)
    price_product = cached_property(lambda self: self.price_move * self.price_move.shift())

    @cached_property
    def bulk_share(self):
        squares = self.price_move2[1:].ewm(halflife=60, adjust=False).mean()
        deviation = np.sqrt(squares).reindex(self.volume.index).shift()
        known = erf(self.price_move / deviation / np.sqrt(2.0))
        return known.where(deviation > 0, np.sign(self.price_move))

    bulk = cached_property(lambda self: self.bulk_share * self.volume)
    bulk_abs = cached_property(lambda self: self.bulk.abs())

    def _bars(self, w):
        """Return the whole bars of w seconds that have a predecessor, by their number."""
        number = self.time // (w * SECOND)
        by_number = self.mid.groupby(number)
        bars = pd.DataFrame(
            {
                "high": by_number.max(),
                "low": by_number.min(),
                "close": by_number.last(),
                "volume": self.volume.groupby(number).sum(),
            }
        )
        bars["open"] = bars["close"].shift()
        bars["high"] = bars[["high", "open"]].max(axis=1)
        bars["low"] = bars[["low", "open"]].min(axis=1)
        bars = bars[1:]
        return number, bars, np.log(bars)

    def spread_out(self, column, number):
        """Give every row the value of the last bar that was closed before it."""
        return column.shift().reindex(number).reset_index(drop=True)
