"""A model's backtest trades what the live calls trade, tick by tick, several symbols included."""

import numpy as np
import pandas as pd
import pytest

from alphaseeker.backtest import Backtest
from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import DataError
from alphaseeker.market.simulator import START_NS, simulate_frame
from alphaseeker.risk.manager import RiskManager
from known_markets import EQUITY

# Costs that let the small model trade often.
SETTINGS = {
    "TRADE_WITHOUT_EDGE": True,
    "MIN_CONFIDENCE": 0.0,
    "TRANSACTION_COST_PCT": 0.00002,
    "READY_HISTORY_S": 60,
}
LATENCY_NS = 1_300_000_000
ROWS = 2_500
WRONG_BOOK = ("empty_side", "crossed_book", "out_of_order")


def market(seed, symbol):
    """Return SIMULATED quotes after the training, with some of all that the gate judges."""
    data = simulate_frame(
        ROWS, seed=seed, signal_strength=0.5, start_ns=START_NS + 10 * 86_400 * 10**9
    ).drop(columns=["buy_volume", "sell_volume"])
    data["symbol"] = symbol
    data.loc[700, "bid_price"] = data.loc[700, "ask_price"] + 1.0  # crossed
    data.loc[800, "bid_volume"] = 0.0  # an empty side
    data.loc[900] = data.loc[899]  # repeated
    data.loc[1_000, "timestamp"] -= pd.Timedelta(seconds=20)  # out of order
    data.loc[1_100, "close"] = np.nan  # refused
    # When a row is known: a late one comes when it came.
    return data.assign(known=data.timestamp.astype("int64").cummax())


@pytest.fixture(scope="module")
def alone():
    return market(21, "SIMULATED")


@pytest.fixture(scope="module")
def both(alone):
    """Two symbols whose time stamps are the same for a while, and then are not."""
    second = market(22, "SECOND")
    shift = np.where(np.arange(ROWS) < 1_200, 0, 300_000_000)
    second["timestamp"] += shift.astype("timedelta64[ns]")
    second["known"] += shift
    return pd.concat([alone, second]).sort_values("known", kind="stable")


class Venue:
    """Holds one order a symbol and fills it as a taker; plain Python."""

    def __init__(self, engine):
        self.engine = engine
        self.quotes = {}
        self.orders = {}
        self.fills = []

    def before(self, now):
        """Fill what was due before ``now``, in the order of its times, at the last quotes."""
        for name, order in sorted(self.orders.items(), key=lambda item: item[1]["due"]):
            if order["due"] < now:
                del self.orders[name]
                self.fill(self.quotes[name], order)

    def fill(self, quote, order):
        side = "ask" if order["side"] == "BUY" else "bid"
        fill = {
            "id": len(self.fills),
            "symbol": quote["symbol"],
            "side": order["side"],
            "size": min(order["size"], quote[f"{side}_volume"]),
            "price": quote[f"{side}_price"],
            "timestamp": order["due"],
        }
        self.engine.on_fill(fill)
        self.fills.append((fill["symbol"], order["due"], fill["side"], fill["size"], fill["price"]))

    def take(self, now, tick, decision):
        """Remember a quote that can be traded on, and take an order where none is on its way."""
        name = tick["symbol"]
        if not decision["reason"].startswith(WRONG_BOOK):
            self.quotes[name] = tick
        position = decision["position"]
        opens = decision["action"] == "open_position"
        closes = decision["action"] in ("close_position", "halt") and position["side"] != "FLAT"
        if name not in self.orders and (opens or closes):
            buys = (position["side"] == "LONG") == opens
            side = "BUY" if buys else "SELL"
            self.orders[name] = {"due": now + LATENCY_NS, "side": side, "size": position["size"]}


def rows_of(data):
    stamps = data["timestamp"].astype("int64").tolist()
    known = data["known"].tolist()
    rows = data.drop(columns="known").to_dict("records")
    for stamp, moment, row in zip(stamps, known, rows, strict=True):
        yield moment, {**row, "timestamp": stamp}


def live_on_paper(engine, data):
    fills, equity, held = [], EQUITY, {}
    for _, tick in rows_of(data):
        try:
            signal = engine.predict(tick, replay=True)
        except DataError:
            continue
        decision = engine.manage_risk(tick, signal, equity)
        equity = decision["risk_status"]["equity"]
        name = tick["symbol"]
        side = engine.risk_manager.position(name)["side"]
        if side != held.get(name, "FLAT"):
            position = decision["position"]
            buys = (position["side"] == "LONG") == (decision["action"] == "open_position")
            price = tick["ask_price" if buys else "bid_price"]
            word = "BUY" if buys else "SELL"
            fills.append((name, tick["timestamp"], word, position["size"], price))
            held[name] = side
    return fills, equity


def live_at_a_venue(engine, data):
    now = [int(data["known"].iloc[0])]
    clock = {"clock": lambda: now[0], "monotonic": lambda: now[0]}
    engine.risk_manager = RiskManager(engine.config.risk, **clock)
    flat = {name: {"side": "FLAT"} for name in data["symbol"].unique()}
    engine.reconcile(flat, EQUITY)
    venue = Venue(engine)
    for moment, tick in rows_of(data):
        now[0] = moment
        venue.before(moment)
        try:
            signal = engine.predict(tick, replay=True)
        except DataError:
            continue
        if tick["symbol"] in venue.orders:
            signal = {"signal": 0}
        venue.take(tick["timestamp"], tick, engine.manage_risk(tick, signal, EQUITY))
    return venue.fills, engine.risk_manager.equity


def own_fills(result):
    fills = result.fills[result.fills.reason != "END_OF_DATA"]
    stamps = fills.time.astype("int64")
    return list(zip(fills.symbol, stamps, fills.side, fills["size"], fills.price, strict=True))


def engine_for(model, **more):
    engine = AlphaSeekerMLEngine(load_config(None, {**SETTINGS, **more}))
    engine.load_model(model)
    return engine


SEVERAL = {"MAX_POSITION_SIZE": 0.4, "MAX_EXPOSURE": 0.9, "RISK_PER_TRADE": 0.05}


@pytest.mark.parametrize(("name", "more"), [("alone", {}), ("both", SEVERAL)])
def test_paper_fills_are_those_of_the_live_calls(trained, request, name, more):
    data = request.getfixturevalue(name)
    engine = engine_for(trained[0], **more)
    result = Backtest(engine).run(data.drop(columns="known"), latency_ms=0.0, equity=EQUITY)
    fills, equity = live_on_paper(engine, data)
    assert len(fills) > 30
    assert {fill[0] for fill in fills} == set(data.symbol)
    assert own_fills(result) == fills
    assert result.metrics["final_equity"] == pytest.approx(equity, abs=1e-9)
    assert result.metrics["refused"] == data.symbol.nunique()


@pytest.mark.parametrize(("name", "more"), [("alone", {}), ("both", SEVERAL)])
def test_fills_with_a_latency_are_those_of_a_live_venue(trained, request, name, more):
    data = request.getfixturevalue(name)
    engine = engine_for(trained[0], **more)
    latency_ms = LATENCY_NS / 1e6
    result = Backtest(engine).run(data.drop(columns="known"), latency_ms=latency_ms, equity=EQUITY)
    fills, equity = live_at_a_venue(engine, data)
    assert len(fills) > 30
    assert {fill[0] for fill in fills} == set(data.symbol)
    assert any(result.fills["size"] < result.fills.wanted)  # some in part
    assert own_fills(result) == fills
    assert result.metrics["final_equity"] == pytest.approx(equity, abs=1e-9)
