"""Odd input, taken or refused: no time stamp and no balance may switch the exits off."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alphaseeker.errors import ConfigError, DataError
from alphaseeker.risk.manager import RiskManager

SECOND = 10**9
START = 1_700_006_400  # midnight UTC, seconds
BUY = {"signal": 1, "signal_label": "BUY", "confidence": 0.8, "signal_strength": 1.0}
HOLD = {"signal": 0, "signal_label": "HOLD", "signal_strength": 0.0}
FILL = {"id": 1, "symbol": "BTCUSDT", "side": "BUY", "size": 9.0, "price": 100.0}
OUT_OF_ORDER = "quotes out of order, exits blocked"


class Clock:
    """A clock that stands where it is set."""

    def __init__(self) -> None:
        self.now = START * SECOND

    def __call__(self) -> int:
        return self.now


def unstamped(bid: float = 99.99, symbol: str = "BTCUSDT") -> dict[str, Any]:
    return {"bid_price": bid, "ask_price": bid + 0.02, "symbol": symbol}


def quote(bid: float = 99.99, after: float = 0.0, symbol: str = "BTCUSDT") -> dict[str, Any]:
    return unstamped(bid, symbol) | {"timestamp": START + after}


def fixed(*, clock: Any = None, monotonic: Any = None, **config: Any) -> RiskManager:
    return RiskManager(
        {"VOLATILITY_BASED_SL": False} | config,
        clock=clock or Clock(),
        monotonic=monotonic or Clock(),
    )


# ---- time ---------------------------------------------------------------------------------------


def test_a_quote_ahead_of_the_clock_does_not_switch_the_stop_off() -> None:
    manager = fixed()
    manager.manage(quote(), BUY, 10_000)
    with pytest.raises(DataError, match=r"5\.001 s ahead"):
        manager.manage(quote(after=5.001), HOLD, 10_000)
    manager.manage(quote(after=5), HOLD, 10_000)
    for after in (1, 2):
        result = manager.manage(quote(95.0, after), HOLD, 10_000)
        assert result["reason"].startswith("out_of_order")
        assert OUT_OF_ORDER in result["risk_status"]["alerts"]
        assert result["risk_level"] == "MEDIUM"
    result = manager.manage(quote(99.0, after=3), HOLD, 10_000)
    assert result["action"] == "close_position"
    assert OUT_OF_ORDER not in result["risk_status"]["alerts"]


def test_a_limit_touched_on_a_late_quote_says_that_exits_wait() -> None:
    manager = fixed(MAX_DAILY_LOSS=0.01)
    manager.manage(quote(after=2), BUY | {"signal_strength": 0.5}, 10_000)
    manager.manage(quote(after=2, symbol="B"), BUY | {"signal_strength": 0.5}, 10_000)
    assert manager.manage(quote(95.0, after=3, symbol="B"), HOLD, 10_000)["action"] == "halt"
    result = manager.manage(quote(95.0, after=1), HOLD, 10_000)
    assert manager.position_side("BTCUSDT") == "LONG"
    assert OUT_OF_ORDER in result["risk_status"]["alerts"]
    assert result["risk_level"] == "HIGH"


def test_a_missing_time_in_a_replay_is_the_replays() -> None:
    machine, steady = Clock(), Clock()
    machine.now += 400 * 86_400 * SECOND
    manager = fixed(clock=machine, monotonic=steady)
    manager.manage(quote(), BUY, 10_000)
    steady.now += SECOND // 2
    manager.manage(unstamped(), HOLD, 10_000)
    manager.manage(unstamped(symbol="OTHER"), HOLD, 10_000)
    manager.on_fill(FILL)
    manager.reconcile({"symbol": "BTCUSDT", "side": "LONG", "size": 9.0}, manager.equity)
    result = manager.manage(quote(99.0, after=0.5), HOLD, 10_000)
    assert result["action"] == "close_position"
    # neither a minute nor a day of the machine's clock was begun
    assert manager.metrics()["return_samples"] == 0


def test_the_machines_time_before_a_replays_lasts_three_quotes() -> None:
    machine = Clock()
    machine.now += 400 * 86_400 * SECOND
    manager = fixed(clock=machine)
    manager.manage(unstamped(), BUY, 10_000)
    actions = [manager.manage(quote(99.0, after), HOLD, 10_000)["action"] for after in range(3)]
    assert actions == ["monitor", "monitor", "close_position"]


def test_a_missing_time_is_never_out_of_order() -> None:
    manager = fixed()
    manager.manage(quote(after=5), BUY, 10_000)
    assert manager.manage(quote(99.0, after=4), HOLD, 10_000)["action"] == "monitor"
    assert manager.manage(unstamped(99.0), HOLD, 10_000)["action"] == "close_position"
    clock = Clock()
    manager = fixed(clock=clock)
    manager.manage(unstamped(), BUY, 10_000)
    clock.now -= 3600 * SECOND  # set back
    assert manager.manage(unstamped(99.0), HOLD, 10_000)["action"] == "close_position"


# ---- balance and exposure -----------------------------------------------------------------------


def test_an_equity_below_zero_fed_back_leaves_every_position() -> None:
    manager = fixed(MAX_POSITION_SIZE=10.0, RISK_PER_TRADE=1.0)
    for symbol in "AB":
        manager.manage(quote(symbol=symbol), BUY | {"signal_strength": 0.5}, 10_000)
        assert manager.position_side(symbol) == "LONG"
    equity = manager.manage(quote(60.0, 1, "A"), HOLD, 10_000)["risk_status"]["equity"]
    assert equity < 0.0
    result = manager.manage(quote(60.0, 2, "B"), BUY, equity)
    assert result["action"] == "halt"
    assert manager.position_side("B") == "FLAT"
    equity = result["risk_status"]["equity"]
    assert manager.manage(quote(60.0, 3, "B"), BUY, equity)["action"] == "reject_signal"
    assert manager.manage(quote(60.0, 4, "B"), BUY, -(10**6))["action"] == "reject_signal"
    assert manager.reconcile({"symbol": "A", "side": "FLAT"}, -5.0)["changed"] == []
    assert manager.equity == -5.0
    json.dumps(manager.metrics(), allow_nan=False)


def test_the_cap_on_positions_is_the_accounts() -> None:
    manager = fixed()
    results = [manager.manage(quote(symbol=name), BUY, 10_000) for name in "ABCDE"]
    assert [result["action"] for result in results] == ["open_position"] + 4 * ["reject_signal"]
    assert all("MAX_POSITION_SIZE" in result["reason"] for result in results)
    size = sum(manager.position(name)["size"] for name in "ABCDE")
    assert size * 100.01 <= 10_000 * (1 + 1e-12)


# ---- the venue's word ---------------------------------------------------------------------------


def test_an_empty_answer_of_the_venue_flattens_nothing() -> None:
    manager = fixed()
    manager.manage(quote(), BUY, 10_000)
    before = manager.state_bytes()
    with pytest.raises(DataError, match="FLAT"):
        manager.reconcile({}, 10_000)
    assert manager.state_bytes() == before


def test_reconcile_tells_which_paper_positions_it_dropped() -> None:
    for listed in ({"BTCUSDT": {"side": "FLAT"}}, {"symbol": "ETH", "side": "FLAT"}):
        manager = fixed()
        manager.manage(quote(), BUY, 10_000)
        done = manager.reconcile(listed, 9_990.0)
        assert done["changed"] == ["BTCUSDT"]
        assert manager.position_side("BTCUSDT") == "FLAT"
        # it was never traded, so that no fill was missed
        assert done["cash_flow"] == pytest.approx(-10.0)
        assert done["missed_loss"] == 0.0


def test_a_paper_position_that_the_venue_has_too_takes_its_entry() -> None:
    manager = fixed()
    size = manager.manage(quote(), BUY, 10_000)["position"]["size"]
    held = {"symbol": "BTCUSDT", "side": "LONG", "size": size, "entry_price": 100.5}
    done = manager.reconcile(held, 9_990.0)
    assert done["changed"] == []
    assert done["missed_loss"] == pytest.approx(-10.0)
    assert manager.position("BTCUSDT")["entry_price"] == 100.5


def test_a_look_at_an_unknown_symbol_makes_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = fixed()
    monkeypatch.setattr("alphaseeker.risk.manager.allocate_position", None)
    assert manager.position_side("never seen") == "FLAT"
    assert set(manager.position("never seen").values()) == {"FLAT", 0.0}


# ---- types --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("market_data", "signal", "named"),
    [
        (None, BUY, "market_data is None .NoneType."),
        (pd.Series(quote()), BUY, "market_data .* .Series."),
        (quote(), None, "signal is None .NoneType."),
        (quote(), "BUY", "signal is 'BUY' .str."),
        (quote(), pd.Series(BUY), "signal .* .Series."),
    ],
)
def test_what_is_no_dictionary_is_refused(market_data: Any, signal: Any, named: str) -> None:
    with pytest.raises(DataError, match=f"(?s){named}; it must be a dictionary"):
        fixed().manage(market_data, signal, 10_000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("signal_strength", True),
        ("signal_strength", None),
        ("signal_strength", np.float32("nan")),
        ("signal_strength", np.float64(-0.1)),
        ("confidence", math.nan),
        ("confidence", np.bool_(True)),
        ("confidence", "0.8"),
        ("confidence", 1.5),
        ("signal", np.bool_(True)),
        ("signal", math.nan),
        ("signal", np.float32("nan")),
        ("signal", np.array([1])),
        ("signal_label", np.array(["BUY"])),
        ("symbol", np.zeros(3)),
        ("symbol", math.nan),
    ],
)
def test_a_signal_that_is_not_sound_is_refused_by_name(name: str, value: Any) -> None:
    manager = fixed()
    manager.manage(quote(), HOLD, 10_000)
    before = manager.state_bytes()
    with pytest.raises(DataError, match=name):
        manager.manage(quote(after=1), BUY | {name: value}, 10_000)
    assert manager.state_bytes() == before


def calls_with(value: Any) -> list[Callable[[RiskManager], Any]]:
    """Every call that takes numbers or words, with ``value`` in the place of one of them."""
    calls: list[Callable[[RiskManager], Any]] = [
        lambda manager: manager.manage(quote(), BUY, value),
        lambda manager: manager.manage(value, BUY, 1.0),
        lambda manager: manager.reconcile(value, 1.0),
        lambda manager: manager.reconcile({"X": value}, 1.0),
        lambda manager: manager.reconcile({"X": {"size": 0.0}}, value),
    ]

    def market(name: str) -> Callable[[RiskManager], Any]:
        return lambda manager: manager.manage(quote() | {name: value}, BUY, 1.0)

    def signal(name: str) -> Callable[[RiskManager], Any]:
        return lambda manager: manager.manage(quote(), BUY | {name: value}, 1.0)

    def fill(name: str) -> Callable[[RiskManager], Any]:
        return lambda manager: manager.on_fill(FILL | {name: value})

    def held(name: str) -> Callable[[RiskManager], Any]:
        return lambda manager: manager.reconcile({"X": {"size": 1.0, name: value}}, 1.0)

    calls += map(market, ("bid_price", "ask_price", "bid_volume"))
    calls += map(signal, ("signal", "signal_label", "signal_strength", "confidence"))
    calls += map(fill, ("side", "size", "price", "fee", "liquidity"))
    calls += map(held, ("side", "size", "entry_price"))
    return calls


@pytest.mark.parametrize(
    "value", [10**400, 10**6_000, [10**6_000], pd.Series(range(900)), "9" * 900], ids=type
)
def test_no_message_is_as_long_as_what_was_given(value: Any) -> None:
    manager = fixed()
    for call in calls_with(value):
        with pytest.raises(DataError) as caught:
            call(manager)
        assert len(str(caught.value)) < 500


def test_a_state_from_a_clock_that_was_ahead_says_so(caplog: pytest.LogCaptureFixture) -> None:
    late = Clock()
    late.now += 86_400 * SECOND
    manager = fixed(clock=late)
    manager.manage(unstamped(), HOLD, 10_000.0)
    other = fixed()
    other.restore_bytes(manager.state_bytes())
    assert "86400 s ahead of the clock" in caplog.text
    assert other.manage(quote(after=1), BUY, 10_000.0)["reason"].startswith("out_of_order")
    caplog.clear()
    fixed(clock=late).restore_bytes(manager.state_bytes())
    assert caplog.text == ""


def test_a_halt_that_comes_again_at_once_was_not_lifted() -> None:
    manager = fixed()
    manager.manage(quote(), HOLD, 0.0)
    assert manager.state == "HALTED"
    assert manager.reset_halt() is False
    manager.manage(quote(after=1), HOLD, 10_000.0)
    assert manager.reset_halt() is True
    assert manager.state == "ACTIVE"


# ---- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quoted", "filled"), [("", "BTCUSDT"), ("BTCUSDT", "")])
def test_a_fill_whose_stop_no_quote_would_check_is_refused(quoted: str, filled: str) -> None:
    manager = RiskManager()
    manager.manage(quote(symbol=quoted), {"signal": 0}, 10_000)
    before = manager.state_bytes()
    fill = {"id": 1, "symbol": filled, "side": "BUY", "size": 1.0, "price": 100.0}
    with pytest.raises(DataError, match=r"the fill has .*give the same symbol"):
        manager.on_fill(fill)
    held = {"symbol": filled, "side": "LONG", "size": 1.0, "entry_price": 100.0}
    with pytest.raises(DataError, match=r"the position has .*give the same symbol"):
        manager.reconcile(held, 10_000)
    assert manager.state_bytes() == before
    manager.reconcile({"symbol": filled, "side": "FLAT"}, 10_000)  # nothing to stop


@pytest.mark.parametrize(("quoted", "filled"), [("", "BTCUSDT"), ("BTCUSDT", "")])
def test_quotes_without_the_name_of_what_is_held_are_refused(quoted: str, filled: str) -> None:
    manager = RiskManager()
    fill = {"id": 1, "symbol": filled, "side": "BUY", "size": 1.0, "price": 100.0}
    manager.on_fill(fill)
    with pytest.raises(DataError, match=r"market_data has .*give the same symbol"):
        manager.manage(quote(symbol=quoted), {"signal": 0}, 10_000)
    manager.manage(quote(symbol=filled), {"signal": 0}, 10_000)


# ---- rules and callbacks ------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [True, False, 0])
def test_a_rule_that_answers_yes_or_no_is_told_what_to_answer(answer: Any) -> None:
    class YesOrNo(RiskManager):
        def allow_entry(self, *_: Any) -> Any:
            return answer

    manager = YesOrNo()
    with pytest.raises(DataError, match=rf"allow_entry of YesOrNo returned {answer}.*None"):
        manager.manage(quote(), {"signal": 1}, 10_000)
    assert manager.position_side("BTCUSDT") == "FLAT"
    assert manager.metrics()["decisions"]["reject_signal"] == 1


def test_an_alert_of_the_quote_on_which_a_rule_fails_is_told() -> None:
    class Failing(RiskManager):
        def allow_entry(self, *_: Any) -> str | None:
            raise RuntimeError

    told: list[dict[str, Any]] = []
    manager = Failing(on_alert=told.append)
    manager.set_drift(True)
    with pytest.raises(RuntimeError):
        manager.manage(quote(), {"signal": 1}, 10_000)
    manager.manage(quote(), {"signal": 0}, 10_000)
    assert [alert["kind"] for alert in told] == ["model_drift"]


def test_a_callback_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(ConfigError, match="on_alert is 5"):
        RiskManager(on_alert=5)  # type: ignore[arg-type]
