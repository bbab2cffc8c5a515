"""Small markets with known quotes, and an engine without a model to trade them with."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from alphaseeker.backtest.run import Backtest
from alphaseeker.config import Config
from alphaseeker.market.schema import TICK, TickSeries
from alphaseeker.risk.manager import RiskManager

START_NS = 1_704_067_200_000_000_000  # 2024-01-01 UTC
SECOND = 1_000_000_000
EQUITY = 10_000.0
# All equity in one position, and nothing that ends it but the opposite side.
PLAIN = {
    "RISK_PER_TRADE": 1.0,
    "custom_stop_loss": 0.5,
    "TAKE_PROFIT_PCT": 1.0,
    "MAX_DAILY_LOSS": 1.0,
    "MAX_DRAWDOWN": 1.0,
    "dynamic_position_sizing": False,
    "MAX_CONSECUTIVE_LOSSES": None,
    "MAX_ORDERS_PER_MINUTE": None,
    "MAX_SPREAD_PCT": 1.0,
    "KELLY_FRACTION": None,
}


def without_model(manager=None, **settings):
    """Return an engine that can trade given signals alone."""
    config = Config().override({**PLAIN, **settings})
    return SimpleNamespace(
        config=config, risk_manager=manager or RiskManager(config.risk), custom=()
    )


def frame(bids, asks, *, seconds=None, volume=1e6, symbol="A", start_ns=START_NS, **columns):
    """Return a market frame: one quote a second where ``seconds`` does not say otherwise."""
    count = len(bids)
    seconds = np.arange(count) if seconds is None else np.asarray(seconds)
    stamps = start_ns + np.round(seconds * 1e9).astype(np.int64)
    data = {
        "timestamp": stamps.astype("datetime64[ns]"),
        "symbol": symbol,
        "bid_price": np.asarray(bids, dtype=float),
        "ask_price": np.asarray(asks, dtype=float),
        "bid_volume": np.broadcast_to(np.asarray(volume, dtype=float), count).copy(),
        "ask_volume": np.broadcast_to(np.asarray(volume, dtype=float), count).copy(),
        "close": np.asarray(bids, dtype=float),
        "volume": 0.0,
        **columns,
    }
    return pd.DataFrame(data)


def series(bids, asks, *, symbol="A", volume=1e6, step_ns=SECOND):
    """Return the same as ticks, one every ``step_ns``."""
    count = len(bids)
    ticks = np.zeros(count, dtype=TICK)
    ticks["timestamp"] = START_NS + step_ns * np.arange(count)
    ticks["bid_price"], ticks["ask_price"] = bids, asks
    ticks["bid_volume"] = ticks["ask_volume"] = volume
    ticks["close"] = bids
    ticks["buy_volume"] = ticks["sell_volume"] = np.nan
    return TickSeries(symbol=symbol, ticks=ticks, rows=np.arange(1, count + 1))


def walk(count, *, seed, start=100.0, step=0.01, spread=0.02, odds=0.5):
    """Return bids and asks of a random walk by single steps: a martingale at even odds."""
    moves = np.where(np.random.default_rng(seed).random(count) < odds, step, -step)
    mids = start + np.cumsum(moves)
    return np.round(mids - spread / 2, 6), np.round(mids + spread / 2, 6)


def run(data, sides, *, latency_ms=100.0, manager=None, settings=None, **more):
    """Trade given sides on a frame and return the result."""
    engine = without_model(manager, **(settings or {}))
    given = {"equity": EQUITY, **more}
    return Backtest(engine).run_signals(data, sides, latency_ms=latency_ms, **given)
