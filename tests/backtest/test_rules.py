"""A rule written in Python decides in the backtest what it decides live."""

import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.risk.manager import RiskManager
from known_markets import EQUITY, PLAIN, START_NS, frame, run, walk

RISK = Config().override(PLAIN).risk


class LongOnly(RiskManager):
    """Refuses shorts, and remembers what it was asked."""

    def __init__(self, config):
        super().__init__(config)
        self.asked = []

    def allow_entry(self, market_data, signal, proposed):
        self.asked.append(proposed["side"])
        return "no shorts" if proposed["side"] == "SHORT" else None


class SeesTheAccount(RiskManager):
    """Lets nothing in once the account has lost anything."""

    def allow_entry(self, market_data, signal, proposed):
        assert self.position(proposed["symbol"])["side"] == "FLAT"
        return "lost" if self.equity < EQUITY else None


class Looks(RiskManager):
    """Keeps what it was shown where the test finds it."""

    shown = ()

    def allow_entry(self, market_data, signal, proposed):
        type(self).shown = (market_data, signal, proposed)


@pytest.fixture(scope="module")
def market():
    bids, asks = walk(1_500, seed=2, step=0.05)
    sides = np.random.default_rng(2).choice([-1, 0, 1], 1_500, p=[0.1, 0.8, 0.1])
    return frame(bids, asks, volume=40.0), sides


@pytest.mark.parametrize("latency_ms", [0.0, 400.0])
def test_entries_that_the_rule_refuses_are_not_made(market, latency_ms):
    data, sides = market
    manager = LongOnly(RISK)
    before = manager.state_bytes()
    ruled = run(data, sides, latency_ms=latency_ms, manager=manager)
    free = run(data, sides, latency_ms=latency_ms)
    assert set(free.trades.side) == {"LONG", "SHORT"}
    assert set(ruled.trades.side) == {"LONG"}
    assert len(ruled.trades) > 20
    assert ruled.metrics["rejected"]["REFUSED_BY_RULE"] > 20
    assert ruled.settings["own_rule"]
    assert not free.settings["own_rule"]
    # The live manager was not asked and did not trade.
    assert manager.asked == []
    assert manager.state_bytes() == before


def test_the_same_rule_live_makes_the_same_entries(market):
    data, sides = market
    result = run(data, sides, latency_ms=0.0, manager=LongOnly(RISK))
    live = LongOnly(RISK)
    opened = []
    equity = EQUITY
    stamps = data.timestamp.astype("int64").tolist()
    for stamp, row, side in zip(stamps, data.to_dict("records"), sides.tolist(), strict=True):
        decision = live.manage({**row, "timestamp": stamp}, {"signal": side}, equity)
        equity = decision["risk_status"]["equity"]
        if decision["action"] == "open_position":
            opened.append((stamp, decision["position"]["size"]))
    trades = result.trades
    assert opened == list(zip(trades.entry_time.astype("int64"), trades["size"], strict=True))
    assert len(live.asked) > len(opened)


def test_a_rule_sees_the_account_of_the_backtest(market):
    data, sides = market
    result = run(data, sides, manager=SeesTheAccount(RISK), latency_ms=0.0)
    first_loss = (result.trades.net_pnl < 0).idxmax()
    assert len(result.trades) == first_loss + 1


def test_what_a_rule_is_shown():
    levels = {
        f"{side}_{what}_1": value
        for side, value in (("bid", 100.0), ("ask", 100.01))
        for what, value in (("price", value), ("volume", 7.0))
    }
    data = frame([100.0] * 3, [100.01] * 3, volume=7.0, **levels)
    run(data, [0, 1, 0], manager=Looks(RISK), p_up=[0.6] * 3, p_down=[0.1] * 3)
    market_data, signal, proposed = Looks.shown
    assert market_data["timestamp"] == START_NS + 10**9
    assert market_data["symbol"] == "A"
    assert (market_data["bid_price"], market_data["ask_volume"]) == (100.0, 7.0)
    assert market_data["depth"].tolist() == [[100.0, 7.0, 100.01, 7.0]]
    assert (signal["signal"], signal["signal_label"], signal["signal_strength"]) == (1, "BUY", 1.0)
    assert signal["probabilities"] == pytest.approx({"BUY": 0.6, "HOLD": 0.3, "SELL": 0.1})
    assert signal["filter_reason"] is None
    assert (proposed["symbol"], proposed["side"]) == ("A", "LONG")
    assert proposed["size"] == pytest.approx(EQUITY / 100.01)
    assert proposed["stop_loss"] == pytest.approx(100.01 * 0.5)
