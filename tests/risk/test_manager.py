"""The risk manager as a user meets it."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from alphaseeker.config import RiskConfig
from alphaseeker.errors import ConfigError, DataError, StateError
from alphaseeker.risk.manager import RiskManager

SECOND = 10**9
START = 1_700_006_400  # midnight UTC, seconds
BUY = {"signal": 1, "signal_label": "BUY", "confidence": 0.8, "signal_strength": 1.0}
SELL = {"signal": -1, "signal_label": "SELL", "signal_strength": 1.0}
HOLD = {"signal": 0, "signal_label": "HOLD", "signal_strength": 0.0, "filter_reason": None}


class Clock:
    """A clock that stands where it is set."""

    def __init__(self) -> None:
        self.now = START * SECOND

    def __call__(self) -> int:
        return self.now


def quote(bid: float = 99.99, ask: float = 100.01, after: float = 0.0, **more: Any) -> Any:
    return {
        "bid_price": bid,
        "ask_price": ask,
        "bid_volume": 1.0,
        "ask_volume": 2.0,
        "close": bid,
        "volume": 0.0,
        "timestamp": START + after,
        "symbol": "BTCUSDT",
    } | more


def fixed(**config: Any) -> RiskManager:
    return RiskManager({"VOLATILITY_BASED_SL": False} | config)


def test_the_documented_snippet() -> None:
    manager = RiskManager({"custom_stop_loss": 0.003, "dynamic_position_sizing": True})
    result = manager.manage(quote(), BUY | {"signal_strength": 0.5}, 10_000)
    assert result["action"] == "open_position"
    position = result["position"]
    assert position["stop_loss"] == pytest.approx(100.01 * 0.997, rel=1e-15)  # exactly 0.3 %
    assert position["size"] == pytest.approx(0.5 * 10_000 / 100.01, rel=1e-12)
    assert "MAX_POSITION_SIZE" in result["reason"]
    assert result.get("risk_level", "N/A") == "LOW"


def test_what_manage_returns_has_the_documented_keys_and_is_plain_json() -> None:
    manager = fixed(MAX_DAILY_LOSS=0.01)
    calls = [
        (quote(), HOLD, "monitor"),
        (quote(after=1), BUY, "open_position"),
        (quote(after=2), HOLD, "monitor"),
        (quote(after=3), SELL, "close_position"),
        (quote(100.0, 100.0, after=4), BUY, "reject_signal"),
        (quote(after=5), BUY, "open_position"),
        (quote(95.0, 95.1, after=6), HOLD, "halt"),
    ]
    for market_data, signal, action in calls:
        result = manager.manage(market_data, signal, 10_000.0)
        assert result["action"] == action
        assert list(result) == ["action", "risk_level", "reason", "position", "risk_status"]
        assert list(result["position"]) == [
            "side",
            "size",
            "entry_price",
            "stop_loss",
            "take_profit",
        ]
        assert list(result["risk_status"]) == [
            "equity",
            "daily_pnl",
            "drawdown",
            "var_95",
            "cvar_95",
            "sharpe",
            "exposure",
            "state",
            "alerts",
        ]
        assert result["risk_level"] in ("LOW", "MEDIUM", "HIGH")
        assert json.loads(json.dumps(result, allow_nan=False)) == result
        plain = [*result["position"].values(), *result["risk_status"].values()]
        assert {type(value) for value in plain} <= {str, float, list}
    json.dumps(manager.metrics(), allow_nan=False)
    assert result["risk_level"] == "HIGH"
    assert result["risk_status"]["state"] == "REDUCING"


def test_a_flat_position_has_side_flat_and_zero_prices() -> None:
    result = fixed().manage(quote(), HOLD, 10_000)
    assert result["position"] == {
        "side": "FLAT",
        "size": 0.0,
        "entry_price": 0.0,
        "stop_loss": 0.0,
        "take_profit": 0.0,
    }
    assert f"{result['position']['entry_price']:.2f}" == "0.00"


def test_a_close_says_what_to_close() -> None:
    manager = fixed()
    opened = manager.manage(quote(), SELL, 10_000)["position"]
    assert manager.position_side("BTCUSDT") == "SHORT"
    closed = manager.manage(quote(101.0, 101.02, after=1), HOLD, 10_000)
    assert closed["action"] == "close_position"
    assert closed["position"] == opened
    assert "stop_loss" in closed["reason"]
    assert "101.02" in closed["reason"]
    assert manager.position_side("BTCUSDT") == "FLAT"
    assert manager.position_side("never seen") == "FLAT"


@pytest.mark.parametrize(
    ("signal", "action"),
    [
        ({"signal": 1}, "open_position"),
        ({"signal_label": "SELL"}, "open_position"),
        ({"signal_label": "BUY", "signal": np.int64(1)}, "open_position"),
        ({"signal": np.float32(-1.0), "signal_strength": np.float32(0.5)}, "open_position"),
        ({"signal_label": np.str_("BUY"), "confidence": np.float16(0.5)}, "open_position"),
        ({"signal": 1, "confidence": 0}, "open_position"),
        ({"signal": 0}, "monitor"),
        ({"signal_label": "CLOSE_LONG", "signal": -1}, "monitor"),
        ({"signal": 1, "filter_reason": "crossed_book"}, "reject_signal"),
        ({"signal": 1, "signal_strength": 0.0}, "reject_signal"),
    ],
)
def test_signals(signal: dict[str, Any], action: str) -> None:
    assert fixed().manage(quote(), signal, 10_000)["action"] == action


@pytest.mark.parametrize(
    ("market_data", "signal", "balance", "named"),
    [
        ({"bid_price": math.nan}, {}, 10_000, "bid_price"),
        ({"bid_price": "100"}, {}, 10_000, "bid_price"),
        ({"bid_price": True}, {}, 10_000, "bid_price"),
        ({"bid_price": None}, {}, 10_000, "bid_price"),
        ({"ask_price": -1.0}, {}, 10_000, "ask_price"),
        ({"ask_price": 1e39}, {}, 10_000, "ask_price"),
        ({"ask_price": 10**400}, {}, 10_000, "ask_price"),
        ({"bid_volume": math.nan}, {}, 10_000, "bid_volume"),
        ({"ask_volume": -1}, {}, 10_000, "ask_volume"),
        ({"timestamp": 0}, {}, 10_000, "timestamp"),
        ({"timestamp": math.nan}, {}, 10_000, "timestamp"),
        ({"timestamp": 4_000_000_000}, {}, 10_000, "ahead"),
        ({"symbol": 5}, {}, 10_000, "symbol"),
        ({}, {"symbol": "ETHUSDT"}, 10_000, "ETHUSDT"),
        ({}, {"signal": 2}, 10_000, "signal"),
        ({}, {"signal": True}, 10_000, "signal"),
        ({}, {"signal": -1}, 10_000, "agree"),
        ({}, {"signal_label": "LONG"}, 10_000, "signal_label"),
        ({}, {"signal": None, "signal_label": None}, 10_000, "signal_label"),
        ({}, {"signal_strength": math.nan}, 10_000, "signal_strength"),
        ({}, {"signal_strength": 1.5}, 10_000, "signal_strength"),
        ({}, {}, math.nan, "account_balance"),
        ({}, {}, -math.inf, "account_balance"),
        ({}, {}, "10000", "account_balance"),
        ({}, {}, None, "account_balance"),
    ],
)
@pytest.mark.parametrize("warm", [False, True])
def test_malformed_input_is_refused_by_name_and_changes_no_byte(
    market_data: dict[str, Any], signal: dict[str, Any], balance: Any, named: str, warm: bool
) -> None:
    manager = fixed()
    if warm:
        manager.manage(quote(), BUY, 10_000)
    before = manager.state_bytes()
    with pytest.raises(DataError, match=named):
        manager.manage(quote(after=1) | market_data, BUY | signal, balance)
    assert manager.state_bytes() == before


def test_an_empty_side_and_a_crossed_book_only_wait() -> None:
    manager = fixed()
    manager.manage(quote(), BUY, 10_000)
    empty = quote(after=1, bid_volume=0.0, bid_price=None)
    crossed = quote(101.0, 90.0, after=2)
    for market_data, reason in ((empty, "empty_side"), (crossed, "crossed_book")):
        result = manager.manage(market_data, SELL, 10_000)
        assert result["action"] == "monitor"
        assert result["reason"].startswith(reason)
        assert manager.position_side("BTCUSDT") == "LONG"


def test_a_missing_time_is_the_receive_time() -> None:
    clock = Clock()
    manager = RiskManager(clock=clock)
    market_data = quote()
    del market_data["timestamp"]
    manager.manage(market_data, HOLD, 10_000)
    clock.now += 90 * SECOND
    manager.manage(market_data, HOLD, 10_000)
    assert manager.metrics()["return_samples"] == 1


def test_a_reported_balance_that_differs_is_a_cash_flow_and_never_profit() -> None:
    manager = fixed()
    manager.manage(quote(), HOLD, 10_000)
    result = manager.manage(quote(after=1), HOLD, 12_500)
    assert result["risk_status"]["equity"] == 12_500
    assert result["risk_status"]["daily_pnl"] == 0.0
    result = manager.manage(quote(after=2), HOLD, 5_000)
    assert result["risk_status"]["drawdown"] == 0.0
    assert [flow["amount"] for flow in manager.cash_flows] == [2_500.0, -7_500.0]
    assert manager.metrics()["cash_flow"] == -5_000.0


def test_a_constant_balance_hides_no_loss() -> None:
    manager = fixed(MAX_DAILY_LOSS=0.01, MAX_CONSECUTIVE_LOSSES=None)
    for index in range(20):
        signal = BUY if index % 2 == 0 else SELL
        result = manager.manage(quote(after=index), signal, 10_000)
        if result["action"] == "halt" or result["reason"].startswith("cost_breaks_limit"):
            break
    assert index < 19
    assert result["risk_status"]["daily_pnl"] < -80
    assert manager.cash_flows == []


def test_an_equity_from_before_a_fill_is_no_cash_flow() -> None:
    manager = fixed()
    manager.manage(quote(99.99, after=0), HOLD, 10_000)
    manager.on_fill(fill(1, "BUY", 50.0, 100.01, fee=0.0) | {"timestamp": START + 1})
    told = manager.manage(quote(99.95, after=2), HOLD, 10_000)["risk_status"]["equity"]
    manager.on_fill(fill(2, "BUY", 10.0, 100.01, fee=30.0) | {"timestamp": START + 3})
    read = manager.equity
    assert read < told - 30.0
    manager.on_fill(fill(3, "BUY", 10.0, 100.01, fee=7.0) | {"timestamp": START + 4})
    equity = manager.equity
    # Neither the last answer's figure nor one that was read between two fills is news.
    for after, figure in ((5, told), (6, read), (7, told)):
        result = manager.manage(quote(99.95, after=after), HOLD, figure)
        assert result["risk_status"]["equity"] == equity
        assert manager.metrics()["cash_flows"] == 0
    # What the manager never gave out is a flow; what it gave out before that no longer its own.
    manager.manage(quote(99.95, after=8), HOLD, 12_000.0)
    assert manager.equity == pytest.approx(12_000)
    manager.manage(quote(99.95, after=9), HOLD, told)
    assert manager.equity == pytest.approx(told)
    assert manager.metrics()["cash_flows"] == 2


def test_an_equity_of_long_ago_is_a_cash_flow() -> None:
    manager = fixed()
    first = manager.manage(quote(99.99, after=0), BUY, 10_000)["risk_status"]["equity"]
    for index in range(1, 20):
        manager.manage(quote(99.99 + 0.001 * index, after=index), HOLD, manager.equity)
    manager.manage(quote(99.99, after=30), HOLD, 9_999.0)
    manager.manage(quote(99.99 + 0.1, after=31), HOLD, first)
    assert manager.metrics()["cash_flows"] == 2


def test_under_a_venue_an_exit_is_repeated_until_it_fills() -> None:
    manager = fixed()
    manager.manage(quote(99.99, after=0), HOLD, 10_000)
    manager.on_fill(fill(1, "BUY", 40.0, 100.0) | {"timestamp": START + 1})
    stopped = manager.manage(quote(99.5, after=2), HOLD, manager.equity)
    assert (stopped["action"], stopped["reason"][:9]) == ("close_position", "stop_loss")
    # The order was turned down, and the price is back above the stop.
    again = manager.manage(quote(99.9, after=3), BUY, manager.equity)
    assert (again["action"], again["reason"][:9]) == ("close_position", "stop_loss")
    other = fixed()
    other.restore_bytes(manager.state_bytes())
    manager = other
    manager.on_fill(fill(2, "SELL", 30.0, 99.9) | {"timestamp": START + 4})
    rest = manager.manage(quote(100.0, after=5), HOLD, manager.equity)
    assert rest["action"] == "close_position"
    assert rest["position"]["size"] == pytest.approx(10.0)
    manager.on_fill(fill(3, "SELL", 10.0, 100.0) | {"timestamp": START + 6})
    assert manager.manage(quote(100.0, after=7), BUY, manager.equity)["action"] == "open_position"
    # The next position is not left for the last one's reason.
    manager.on_fill(fill(4, "BUY", 40.0, 100.0) | {"timestamp": START + 8})
    assert manager.manage(quote(100.0, after=9), HOLD, manager.equity)["action"] == "monitor"


def test_subclasses_add_rules_to_entries_only() -> None:
    seen: list[dict[str, Any]] = []

    class Careful(RiskManager):
        def allow_entry(
            self,
            market_data: Mapping[str, Any],
            signal: Mapping[str, Any],
            proposed: dict[str, Any],
        ) -> str | None:
            seen.append(proposed)
            return "not before noon" if market_data["timestamp"] < START + 10 else None

    manager = Careful({"VOLATILITY_BASED_SL": False})
    result = manager.manage(quote(), BUY, 10_000)
    assert result["action"] == "reject_signal"
    assert "not before noon" in result["reason"]
    assert result["position"]["side"] == "FLAT"
    assert result["risk_status"]["equity"] == 10_000
    assert manager.manage(quote(after=10), BUY, 10_000)["action"] == "open_position"
    assert manager.manage(quote(after=11), SELL, 10_000)["action"] == "close_position"
    assert len(seen) == 2
    assert seen[0]["symbol"] == "BTCUSDT"
    assert seen[0]["side"] == "LONG"


def fill(identity: Any, side: str, size: float, price: float, **more: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "symbol": "BTCUSDT",
        "side": side,
        "size": size,
        "price": price,
        "timestamp": START + 1,
    } | more


def test_once_fills_come_they_alone_change_the_position() -> None:
    manager = fixed()
    proposed = manager.manage(quote(), BUY, 10_000)["position"]
    # the paper entry is undone: the venue's fill takes its place
    done = manager.on_fill(fill(1, "BUY", 40.0, 100.02))
    assert done["applied"]
    assert done["position"]["size"] == 40.0 < proposed["size"]
    assert done["position"]["stop_loss"] == pytest.approx(100.02 * 0.996)
    assert manager.metrics()["fees"] == pytest.approx(40 * 100.02 * 0.0005)
    for after in (2, 3):  # said again until the venue has done it
        result = manager.manage(quote(99.0, 99.02, after=after), HOLD, 10_000)
        assert result["action"] == "close_position"
        assert result["position"]["size"] == 40.0
    manager.on_fill(fill(2, "SELL", 40.0, 98.9))
    assert manager.position_side("BTCUSDT") == "FLAT"
    result = manager.manage(quote(99.0, 99.02, after=4), BUY, 10_000)
    assert result["action"] == "open_position"
    assert manager.position_side("BTCUSDT") == "FLAT"


def test_the_same_fill_twice_counts_once_and_an_unknown_symbol_opens() -> None:
    manager = fixed()
    manager.manage(quote(), HOLD, 10_000)
    manager.on_fill(fill("a", "SELL", 2.0, 50.0, symbol="NEW"))
    before = manager.state_bytes()
    again = manager.on_fill(fill("a", "SELL", 2.0, 50.0, symbol="NEW"))
    assert not again["applied"]
    assert manager.state_bytes() == before
    assert manager.position_side("NEW") == "SHORT"
    assert manager.on_fill(fill("a", "SELL", 2.0, 50.0, symbol="OTHER"))["applied"]
    flipped = manager.on_fill(fill("b", "BUY", 5.0, 40.0, symbol="NEW"))
    assert flipped["position"]["side"] == "LONG"
    assert flipped["position"]["size"] == 3.0


def test_maker_fee_taker_fee_and_a_given_fee() -> None:
    fees = []
    for more in ({"liquidity": "maker"}, {}, {"fee": -0.3}):
        manager = fixed()
        manager.manage(quote(), HOLD, 10_000)
        manager.on_fill(fill(1, "BUY", 10.0, 100.0, **more))
        fees.append(manager.metrics()["fees"])
    assert fees == pytest.approx([0.2, 0.5, -0.3])


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": ""},
        {"id": True},
        {"side": "LONG"},
        {"size": 0.0},
        {"size": math.nan},
        {"price": -1.0},
        {"price": "100"},
        {"fee": math.inf},
        {"liquidity": "both"},
        {"symbol": 3},
        {"timestamp": -1},
    ],
)
def test_a_malformed_fill_is_refused_and_changes_no_byte(changes: dict[str, Any]) -> None:
    manager = fixed()
    manager.manage(quote(), BUY, 10_000)
    before = manager.state_bytes()
    with pytest.raises(DataError):
        manager.on_fill(fill(1, "BUY", 1.0, 100.0) | changes)
    assert manager.state_bytes() == before


def test_a_fill_before_any_equity_is_kept() -> None:
    manager = fixed()
    manager.on_fill(fill(1, "BUY", 10.0, 100.0))
    result = manager.manage(quote(after=2), HOLD, 5_000)
    assert result["position"]["size"] == 10.0
    assert result["risk_status"]["equity"] == 5_000
    assert result["risk_status"]["daily_pnl"] == 0.0


def test_reconcile_takes_the_venues_word() -> None:
    manager = RiskManager({"VOLATILITY_BASED_SL": False}, clock=Clock())
    manager.manage(quote(), HOLD, 10_000)
    manager.on_fill(fill(1, "BUY", 10.0, 100.0))
    own = manager.equity
    # agreed size: the gap in equity is a cash flow, stop and entry stay
    before = manager.position("BTCUSDT")
    done = manager.reconcile({"symbol": "BTCUSDT", "side": "LONG", "size": 10.0}, own + 50.0)
    assert done["changed"] == []
    assert done["cash_flow"] == pytest.approx(50.0)
    assert manager.position("BTCUSDT") == before
    # another size: fills were missed, a shortfall is a loss
    done = manager.reconcile(
        {"BTCUSDT": {"size": 0.0}, "ETH": {"size": -2.0, "entry_price": 9.0}}, own
    )
    assert done["changed"] == ["BTCUSDT", "ETH"]
    assert done["missed_loss"] == pytest.approx(-50.0)
    assert manager.equity == pytest.approx(own)
    assert manager.metrics()["daily_pnl"] == pytest.approx(own - 10_000 - 50.0)
    assert manager.position("ETH")["stop_loss"] == pytest.approx(9.036)
    # the whole account: what is not listed is flat
    assert manager.reconcile({"BTCUSDT": {"side": "FLAT"}}, own)["changed"] == ["ETH"]
    assert manager.metrics()["open_positions"] == 0


def test_reconcile_starts_an_account_and_refuses_what_it_cannot_price() -> None:
    manager = fixed()
    before = manager.state_bytes()
    for position, equity in (
        ({"symbol": "X", "side": "LONG", "size": 1.0}, 100.0),
        ({"side": "LONG", "size": 0.0}, 100.0),
        ({"side": "UP", "size": 1.0}, 100.0),
        ({"size": math.nan}, 100.0),
        ({"X": 5.0}, 100.0),
        ({"X": {"size": 0.0}}, math.nan),
        ({}, 100.0),
        ([], 100.0),
    ):
        with pytest.raises(DataError):
            manager.reconcile(position, equity)
    assert manager.state_bytes() == before
    manager.reconcile({"symbol": "X", "side": "SHORT", "size": 2.0, "entry_price": 5.0}, 700.0)
    assert manager.equity == 700.0
    assert manager.position_side("X") == "SHORT"


def test_a_state_resumes_bit_for_bit() -> None:
    rng = np.random.default_rng(9)
    one = RiskManager({"VOLATILITY_HALF_LIFE_S": 5.0})
    mid = 100.0
    ticks = []
    for index in range(400):
        mid *= math.exp(rng.standard_normal() * 1e-3)
        signal = [SELL, HOLD, BUY][int(rng.integers(3))]
        symbol = "AB"[int(rng.integers(2))]
        ticks.append((quote(mid, mid + 0.01, after=index * 20, symbol=symbol), signal))
    for market_data, signal in ticks[:200]:
        one.manage(market_data, signal, 10_000)
    two = RiskManager({"VOLATILITY_HALF_LIFE_S": 5.0})
    two.restore_bytes(one.state_bytes())
    before = one.metrics()
    assert before["alerts"].pop("recent")  # what was told is not told again
    assert two.metrics() == before | {"alerts": before["alerts"] | {"recent": []}}
    for market_data, signal in ticks[200:]:
        result = one.manage(market_data, signal, 10_000)
        assert two.manage(market_data, signal, 10_000) == result
    assert one.state_bytes() == two.state_bytes()
    assert result["risk_status"]["cvar_95"] >= result["risk_status"]["var_95"] > 0.0
    assert result["risk_status"]["sharpe"] != 0.0


def test_a_restored_manager_keeps_its_own_limits_and_a_bad_state_changes_nothing() -> None:
    one = fixed()
    one.manage(quote(), BUY, 10_000)
    two = fixed(MAX_DAILY_LOSS=0.0001)
    two.restore_bytes(one.state_bytes())
    assert two.manage(quote(after=1), HOLD, 10_000)["action"] == "halt"
    before = one.state_bytes()
    for damaged in (before[:-1], b"", None, "text", np.zeros(3)):
        with pytest.raises(StateError):
            one.restore_bytes(damaged)  # type: ignore[arg-type]
    assert one.state_bytes() == before


def test_a_drawdown_halt_waits_for_a_hand() -> None:
    manager = fixed(MAX_DRAWDOWN=0.005)
    manager.manage(quote(), BUY, 10_000)
    assert not manager.reset_halt()
    assert manager.manage(quote(99.0, 99.02, after=1), HOLD, 10_000)["action"] == "halt"
    assert manager.state == "HALTED"
    late = quote(after=200_000)
    assert manager.manage(late, BUY, 10_000)["action"] == "reject_signal"
    assert manager.reset_halt()
    assert manager.state == "ACTIVE"
    assert manager.manage(late, BUY, 10_000)["action"] == "open_position"


def test_risk_level_and_alerts_rise_with_the_share_of_a_limit() -> None:
    manager = fixed(MAX_DAILY_LOSS=0.005, STOP_LOSS_PCT=0.02, RISK_PER_TRADE=0.1)
    levels = []
    for after, bid in enumerate([99.99, 99.90, 99.75, 99.64, 99.4]):
        result = manager.manage(quote(bid, bid + 0.02, after=after), BUY, 10_000)
        levels.append((result["risk_level"], len(result["risk_status"]["alerts"])))
    assert [level for level, _ in levels] == ["LOW", "LOW", "MEDIUM", "HIGH", "HIGH"]
    assert [count for _, count in levels] == [0, 0, 1, 1, 2]


def test_configure_keeps_the_state_and_checks_first() -> None:
    manager = fixed()
    manager.manage(quote(), BUY, 10_000)
    with pytest.raises(ConfigError, match="MAX_DRAWDOWN"):
        manager.configure({"MAX_DRAWDOWM": 0.2})
    manager.configure({"TAKE_PROFIT_PCT": 0.01})
    assert manager.config.TAKE_PROFIT_PCT == 0.01
    assert not manager.config.VOLATILITY_BASED_SL
    assert manager.position_side("BTCUSDT") == "LONG"


def test_settings_come_as_dataclass_mapping_or_nothing() -> None:
    assert RiskManager().config == RiskConfig()
    assert RiskManager(RiskConfig(LOT_SIZE=0.5)).config.LOT_SIZE == 0.5
    with pytest.raises(ConfigError, match="custom_stop_loss"):
        RiskManager({"custom_stop_los": 0.003})
    with pytest.raises(ConfigError, match="num_leaves"):
        RiskManager({"num_leaves": 15})
    with pytest.raises(ConfigError):
        RiskManager({"MAX_DRAWDOWN": 2.0})


def test_several_threads_on_one_account_lose_nothing() -> None:
    manager = fixed()
    manager.manage(quote(symbol="0"), HOLD, 10_000)

    def trade(symbol: str) -> None:
        for index in range(200):
            manager.on_fill(fill(2 * index, "BUY", 1.0, 100.0, symbol=symbol, fee=0.5))
            manager.on_fill(fill(2 * index + 1, "SELL", 1.0, 100.0, symbol=symbol, fee=0.5))

    threads = [threading.Thread(target=trade, args=(str(index),)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert manager.metrics()["fees"] == 800.0
    assert manager.metrics()["trades"] == 800
    assert manager.equity == 9_200.0
