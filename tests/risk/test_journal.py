"""What a restart brings back, what it refuses to trust, and who may write a journal."""

from __future__ import annotations

import logging
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alphaseeker import create_ml_engine
from alphaseeker.errors import ConfigError, StateError
from alphaseeker.risk import account_state, journal, journal_files, journal_reading
from alphaseeker.risk.manager import RiskManager

START = 1_700_006_400  # midnight UTC, seconds
BUY, HOLD, SELL = {"signal": 1}, {"signal": 0}, {"signal": -1}
DEVICE_FULL = OSError(28, "No space left on device")


def quote(bid: float = 99.99, after: float = 0.0, symbol: str = "BTCUSDT") -> dict[str, Any]:
    stamp = START + after
    return {"bid_price": bid, "ask_price": bid + 0.02, "timestamp": stamp, "symbol": symbol}


def fill(identity: Any, side: str, size: float, price: float, **more: Any) -> dict[str, Any]:
    known = {"symbol": "BTCUSDT", "timestamp": START + 1}
    return {"id": identity, "side": side, "size": size, "price": price} | known | more


def at(folder: Path, **config: Any) -> RiskManager:
    def clock() -> int:
        return (START + 100) * 10**9

    return RiskManager({"VOLATILITY_BASED_SL": False} | config, clock=clock, journal=folder)


def everything(manager: RiskManager) -> Any:
    metrics = manager.metrics()
    del metrics["alerts"]["recent"]  # of this process alone
    return manager.state_bytes(), metrics, manager.cash_flows, manager.events


def segment(folder: Path) -> Path:
    (found,) = folder.glob("*.journal")
    return found


def traded(folder: Path) -> Any:
    """Trade a little, and return all that must not be lost."""
    with at(folder) as manager:
        manager.manage(quote(), HOLD, 10_000)
        manager.manage(quote(after=1), BUY, 10_000)
        manager.on_fill(fill(1, "BUY", 40.0, 100.0))
        manager.manage(quote(99.5, after=70), HOLD, 10_500)
        return everything(manager)


# ---- restarts -----------------------------------------------------------------------------------


def test_a_restart_brings_back_every_byte(tmp_path: Path) -> None:
    before = traded(tmp_path / "a" / "journal")
    with at(tmp_path / "a" / "journal") as manager:
        assert everything(manager) == before
        assert len(manager.cash_flows) == 1
        assert not manager.on_fill(fill(1, "BUY", 40.0, 100.0))["applied"]
        assert manager.state_bytes() == before[0]
        assert manager.on_fill(fill(2, "SELL", 40.0, 99.0))["journalled"]
    with at(tmp_path / "a" / "journal") as manager:
        assert manager.position_side("BTCUSDT") == "FLAT"
        assert not manager.on_fill(fill(2, "SELL", 40.0, 99.0))["applied"]


def test_many_restarts_are_as_if_there_were_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 20_000)
    monkeypatch.setattr(journal, "SNAPSHOTS_A_SEGMENT", 0)
    rng = np.random.default_rng(5)
    settings = {"VOLATILITY_HALF_LIFE_S": 5.0, "JOURNAL_FSYNC": "never"}
    one = RiskManager(settings)
    two = RiskManager(settings, journal=tmp_path)
    mid = 100.0
    numbers = []
    for index in range(600):
        mid *= math.exp(rng.standard_normal() * 1e-3)
        market_data = quote(mid, index * 25.0, "ABC"[int(rng.integers(3))])
        signal = [SELL, HOLD, BUY][int(rng.integers(3))]
        assert two.manage(market_data, signal, 10_000) == one.manage(market_data, signal, 10_000)
        if index % 60 == 59:
            two.close()
            two = RiskManager(settings, journal=tmp_path)
            numbers.append(int(segment(tmp_path).stem))
            assert everything(two) == everything(one)
    two.close()
    assert numbers[-1] > len(numbers) + 3  # segments were begun without a restart too


def test_a_restart_goes_on_without_an_older_segment(tmp_path: Path) -> None:
    before = traded(tmp_path)
    old = segment(tmp_path)
    content = old.read_bytes()
    at(tmp_path).close()
    old.write_bytes(content)  # the process ended before it could be removed
    (tmp_path / "00000009.new").write_bytes(content[:100])  # and this was never finished
    with at(tmp_path) as manager:
        assert everything(manager) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "00000003.journal",
        "format",
        "lock",
    ]


def test_the_settings_in_force_are_the_managers_own_and_a_change_is_on_record(
    tmp_path: Path,
) -> None:
    traded(tmp_path)
    with at(tmp_path, MAX_DAILY_LOSS=0.5) as manager:
        assert manager.config.MAX_DAILY_LOSS == 0.5
        manager.configure({"MAX_DRAWDOWN": 0.2, "JOURNAL_FSYNC": "always"})
    with at(tmp_path, MAX_DAILY_LOSS=0.5, MAX_DRAWDOWN=0.2) as manager:
        changes = [event["changed"] for event in manager.events if event["event"] == "settings"]
    assert changes == [{"MAX_DAILY_LOSS": [0.02, 0.5]}, {"MAX_DRAWDOWN": [0.1, 0.2]}]


def test_bytes_that_are_restored_are_journalled(tmp_path: Path) -> None:
    other = RiskManager({"VOLATILITY_BASED_SL": False})
    other.manage(quote(symbol="ETHUSDT"), SELL, 5_000)
    traded(tmp_path)
    with at(tmp_path) as manager:
        manager.restore_bytes(other.state_bytes())
        manager.manage(quote(after=5), HOLD, 5_000)
        before = everything(manager)
    with at(tmp_path) as manager:
        assert everything(manager) == before
        assert manager.position_side("ETHUSDT") == "SHORT"


# ---- what cannot be trusted ---------------------------------------------------------------------


def test_a_last_record_that_was_cut_was_never_answered(tmp_path: Path) -> None:
    with at(tmp_path) as manager:
        manager.manage(quote(), HOLD, 10_000)
        manager.manage(quote(after=1), BUY, 10_000)
        before, length = everything(manager), segment(tmp_path).stat().st_size
        manager.manage(quote(after=2), SELL, 10_000)
    content = segment(tmp_path).read_bytes()
    name = segment(tmp_path).name
    for end in [*range(length, len(content), 7), len(content) - 1]:
        for rest in (b"", b"\0" * 50):
            for path in tmp_path.glob("*.journal"):
                path.unlink()
            (tmp_path / name).write_bytes(content[:end] + rest)
            with at(tmp_path) as manager:
                assert everything(manager) == before


def test_damage_before_the_end_halts_with_exits_allowed(tmp_path: Path) -> None:
    with at(tmp_path) as manager:
        manager.manage(quote(), HOLD, 10_000)
        manager.manage(quote(after=1), BUY, 10_000)
        length = segment(tmp_path).stat().st_size
        manager.manage(quote(after=2), HOLD, 10_000)
        manager.manage(quote(after=3), HOLD, 10_000)
    path, content = segment(tmp_path), segment(tmp_path).read_bytes()
    rng = np.random.default_rng(0)
    # Bits of the two last records: the last one was answered too, and is all there.
    places = [*range(length, length + 30), *rng.integers(length, len(content), 40)]
    for place in places:
        for old in tmp_path.glob("*.journal*"):
            old.unlink()
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with at(tmp_path) as manager:
            assert manager.state == "HALTED"
            assert manager.events[-1]["event"] == "journal_damaged"
            # What stands before the damage is not forgotten.
            assert manager.position_side("BTCUSDT") == "LONG"
        assert path.with_name(path.name + ".damaged").read_bytes() == damaged
    with at(tmp_path) as manager:  # a restart does not lift it
        answer = manager.manage(quote(after=4), BUY, 10_000)
        assert answer["action"] == "halt"
        assert "JOURNAL_DAMAGED" in answer["reason"]
        assert manager.position_side("BTCUSDT") == "FLAT"
        answer = manager.manage(quote(after=5), BUY, 10_000)
        assert answer["action"] == "reject_signal"
        assert "reset_halt" in answer["reason"]


def lost(folder: Path) -> None:
    segment(folder).unlink()


def emptied(folder: Path) -> None:
    segment(folder).write_bytes(b"")


def replaced(folder: Path) -> None:
    segment(folder).write_bytes(b"not a journal" * 100)


@pytest.mark.parametrize("harm", [lost, emptied, replaced])
def test_a_history_that_is_gone_halts_until_the_venue_was_heard(harm: Any, tmp_path: Path) -> None:
    traded(tmp_path)
    harm(tmp_path)
    with at(tmp_path) as manager:
        assert manager.state == "HALTED"
        before = manager.state_bytes()
        with pytest.raises(StateError, match="reconcile"):
            manager.reset_halt()
        assert manager.state_bytes() == before
        assert manager.manage(quote(), BUY, 10_000)["action"] == "reject_signal"
    with at(tmp_path) as manager:
        venue = {"symbol": "BTCUSDT", "side": "LONG", "size": 3.0, "entry_price": 100.0}
        assert manager.reconcile(venue, 10_000.0)["journalled"]
    with at(tmp_path) as manager:
        assert manager.state == "HALTED"
        assert manager.reset_halt()
        answer = manager.manage(quote(after=101), HOLD, 10_000.0)
        assert answer["action"] == "monitor"
        assert answer["position"]["size"] == 3.0
        assert manager.on_fill(fill(9, "SELL", 3.0, 100.0))["applied"]
        assert manager.manage(quote(after=102), BUY, manager.equity)["action"] == "open_position"


def test_journal_required(tmp_path: Path) -> None:
    with at(tmp_path / "new") as manager:
        assert manager.state == "ACTIVE"
    with at(tmp_path / "new", JOURNAL_REQUIRED=True) as manager:
        assert manager.state == "ACTIVE"
    with at(tmp_path / "elsewhere", JOURNAL_REQUIRED=True) as manager:
        assert manager.state == "HALTED"
        assert "JOURNAL_REQUIRED" in manager.events[-1]["damage"]


def test_another_version_halts_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(journal, "LAYOUT", "0123")
        patch.setattr(journal_reading, "LAYOUT", "0123")
        traded(tmp_path)
    with at(tmp_path) as manager:
        assert manager.state == "HALTED"
        assert "layout 0123" in manager.events[-1]["damage"]
        other = RiskManager()
        manager.restore_bytes(other.state_bytes())
        assert manager.state == "HALTED"


# ---- writes that fail ---------------------------------------------------------------------------


class Refusing:
    """The system with a disk that is full."""

    def __getattr__(self, name: str) -> Any:
        if name not in ("write", "open"):
            return getattr(os, name)

        def refuse(*_: Any) -> None:
            raise DEVICE_FULL

        return refuse


def test_a_full_disk_denies_entries_lets_exits_go_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_ml_engine(JOURNAL_PATH=tmp_path, VOLATILITY_BASED_SL=False)
    manager = engine.risk_manager
    engine.manage_risk(quote(), BUY, 10_000)
    assert engine.health_check()["components"]["risk"]["status"] == "OK"
    with monkeypatch.context() as patch:
        patch.setattr(journal_files, "os", Refusing())
        assert engine.manage_risk(quote(after=1), SELL, 10_000)["action"] == "close_position"
        calm = RiskManager({"VOLATILITY_BASED_SL": False})
        calm.restore_bytes(manager.state_bytes())
        answer = engine.manage_risk(quote(after=2), BUY, 10_000)
        assert answer["action"] == "reject_signal"
        assert answer["reason"].startswith("JOURNAL_FAILED")
        assert "No space left on device" in answer["reason"]
        assert answer["risk_level"] == "HIGH"
        assert "no entries" in answer["risk_status"]["alerts"][-1]
        # Apart from the report, the state is that of a quote without a signal.
        calm.manage(quote(after=2), HOLD, 10_000)
        ours, theirs = manager.metrics(), calm.metrics()
        assert ours.pop("decisions") != theirs.pop("decisions")
        assert ours == theirs
        risk = engine.health_check()["components"]["risk"]
        assert risk["status"] == "ERROR"
        assert "No space left on device" in risk["message"]
        before = everything(manager)
        with pytest.raises(StateError, match="No space left"):
            manager.configure({"MAX_DAILY_LOSS": 0.5})
        assert everything(manager) == before
        assert manager.config.MAX_DAILY_LOSS == 0.02
        first = manager.on_fill(fill("x", "BUY", 1.0, 100.0))
        assert (first["applied"], first["journalled"]) == (True, False)
        again = manager.on_fill(fill("x", "BUY", 1.0, 100.0))
        assert (again["applied"], again["journalled"]) == (False, False)
    # sent again once there is room, it is written
    again = manager.on_fill(fill("x", "BUY", 1.0, 100.0))
    assert (again["applied"], again["journalled"]) == (False, True)
    assert engine.health_check()["components"]["risk"]["status"] == "OK"
    before = everything(manager)
    manager.close()
    with at(tmp_path) as other:
        assert everything(other) == before


def test_a_halt_stands_where_lifting_it_cannot_be_journalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(tmp_path, MAX_DRAWDOWN=0.005) as manager:
        manager.manage(quote(), BUY, 10_000)
        manager.manage(quote(99.0, after=1), HOLD, 10_000)
        assert manager.state == "HALTED"
        with monkeypatch.context() as patch:
            patch.setattr(journal_files, "os", Refusing())
            before = everything(manager)
            with pytest.raises(StateError, match="the halt stands"):
                manager.reset_halt()
            assert everything(manager) == before
        assert manager.reset_halt()
        before = everything(manager)
    with at(tmp_path, MAX_DRAWDOWN=0.005) as manager:
        assert everything(manager) == before
        assert [event["event"] for event in manager.events] == ["reset_halt"]


def test_a_rule_that_raises_leaves_a_state_that_was_journalled(tmp_path: Path) -> None:
    class Broken(RiskManager):
        def allow_entry(
            self,
            market_data: Mapping[str, Any],
            signal: Mapping[str, Any],
            proposed: dict[str, Any],
        ) -> str | None:
            raise ZeroDivisionError

    with Broken(journal=tmp_path) as manager:
        with pytest.raises(ZeroDivisionError):
            manager.manage(quote(), BUY, 10_000)
        assert manager.position_side("BTCUSDT") == "FLAT"
        assert manager.metrics()["decisions"]["reject_signal"] == 1
        before = everything(manager)
    with RiskManager(journal=tmp_path) as manager:
        assert everything(manager) == before


# ---- how and where ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fsync", "expected"), [("actions", [0, 1, 0, 1, 1]), ("always", [1] * 5), ("never", [0] * 5)]
)
def test_journal_fsync(
    fsync: str, expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = at(tmp_path, JOURNAL_FSYNC=fsync)
    synced: list[int] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return synced.append if name == "fsync" else getattr(os, name)

    monkeypatch.setattr(journal_files, "os", Counting())
    counts = []
    for call in (
        lambda: manager.manage(quote(), HOLD, 10_000),
        lambda: manager.manage(quote(after=1), BUY, 10_000),
        lambda: manager.manage(quote(after=2), HOLD, 10_000),
        lambda: manager.manage(quote(after=3), HOLD, 12_000),
        lambda: manager.on_fill(fill(1, "BUY", 1.0, 100.0)),
    ):
        call()
        counts.append(len(synced) - sum(counts))
    assert counts == expected
    manager.close()


def test_journal_path(tmp_path: Path) -> None:
    engine = create_ml_engine(JOURNAL_PATH=tmp_path)
    assert engine.config.risk.JOURNAL_PATH == str(tmp_path)
    engine.manage_risk(quote(), BUY, 10_000)
    assert engine.risk_manager.journal == {
        "path": str(tmp_path),
        "records": 2,
        "problem": None,
        "has_history": True,
    }
    with pytest.raises(ConfigError, match="JOURNAL_PATH"):
        engine.update_config({"JOURNAL_PATH": str(tmp_path / "other")})
    engine.update_config({"JOURNAL_FSYNC": "always"})
    # A manager that takes the engine's place frees the journal of the one before.
    engine.risk_manager = RiskManager({"custom_stop_loss": 0.003})
    assert engine.risk_manager.journal is None
    with at(tmp_path) as manager:
        assert manager.position_side("BTCUSDT") == "LONG"


def test_a_state_that_was_saved_before_does_not_undo_the_journal(tmp_path: Path) -> None:
    engine = create_ml_engine(JOURNAL_PATH=tmp_path / "journal", VOLATILITY_BASED_SL=False)
    engine.save_state(tmp_path / "empty")
    engine.manage_risk(quote(), BUY, 10_000)
    engine.save_state(tmp_path / "state")
    engine.manage_risk(quote(after=1), SELL, 10_000)
    before = everything(engine.risk_manager)
    engine.risk_manager.close()
    engine = create_ml_engine(JOURNAL_PATH=tmp_path / "journal", VOLATILITY_BASED_SL=False)
    assert engine.load_state(tmp_path / "state")
    assert everything(engine.risk_manager) == before
    engine.risk_manager.close()
    fresh = create_ml_engine(JOURNAL_PATH=tmp_path / "fresh", VOLATILITY_BASED_SL=False)
    assert fresh.load_state(tmp_path / "state")
    assert fresh.risk_manager.position_side("BTCUSDT") == "LONG"
    fresh.risk_manager.close()


def test_a_closed_manager_answers_no_more(tmp_path: Path) -> None:
    with at(tmp_path) as manager:
        manager.manage(quote(), HOLD, 10_000)
    before = manager.state_bytes()
    manager.close()
    for call in (
        lambda: manager.manage(quote(after=1), HOLD, 10_000),
        lambda: manager.on_fill(fill(1, "BUY", 1.0, 100.0)),
        lambda: manager.reconcile({"size": 0.0}, 10_000.0),
        lambda: manager.configure({"MAX_DRAWDOWN": 0.2}),
        lambda: manager.reset_halt(),
        lambda: manager.restore_bytes(before),
    ):
        with pytest.raises(StateError, match="closed"):
            call()
    assert manager.state_bytes() == before
    with RiskManager() as without:  # nothing to close
        pass
    without.manage(quote(), HOLD, 10_000)


def test_a_folder_that_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "journal"):
        with pytest.raises(StateError, match="cannot be opened"):
            RiskManager(journal=path)
    with pytest.raises(ConfigError, match="JOURNAL_PATH"):
        RiskManager({"JOURNAL_PATH": ""})
    monkeypatch.setattr(journal_files, "fcntl", None)
    with pytest.raises(StateError, match="flock"):
        RiskManager(journal=tmp_path)


OTHER_PROCESS = """
import os, sys, time, warnings
from alphaseeker.errors import StateError
from alphaseeker.risk.manager import RiskManager

manager = RiskManager(journal=sys.argv[1])
quote = {"bid_price": 99.99, "ask_price": 100.01, "timestamp": 1_700_006_400}
manager.manage(quote, {"signal": 1}, 10_000)
warnings.simplefilter("ignore")
said, says = os.pipe()
child = os.fork()
if child == 0:
    try:
        manager.manage(quote, {"signal": -1}, 10_000)
    except StateError as error:
        print(error, flush=True)
    manager.close()
    os.write(says, b".")
    time.sleep(1_800)  # a child that outlives its parent does not keep the lock
    os._exit(0)
os.close(says)
os.read(said, 1)
print("ready", child, flush=True)
time.sleep(1_800)
"""


def test_one_process_alone_and_a_killed_one_makes_room(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        child = None
        try:
            said = other.stdout.readline()
            assert f"belongs to process {other.pid}" in said
            ready, child = other.stdout.readline().split()
            assert ready == "ready"
            with pytest.raises(StateError, match=f"in use by process {other.pid}; end it"):
                RiskManager(journal=tmp_path)
            other.kill()
            other.wait()
            with RiskManager(journal=tmp_path) as manager:
                assert manager.position_side("") == "LONG"
                with pytest.raises(StateError, match="this process"):
                    RiskManager(journal=tmp_path)
        finally:
            other.kill()
            if child is not None:
                os.kill(int(child), 9)


def test_events_are_logged_and_kept_without_a_journal(caplog: pytest.LogCaptureFixture) -> None:
    manager = RiskManager()
    with caplog.at_level(logging.WARNING, logger=account_state.__name__):
        manager.configure({"MAX_DAILY_LOSS": 0.5})
    assert "MAX_DAILY_LOSS" in caplog.text
    manager.reconcile({"symbol": "X", "side": "SHORT", "size": 2.0, "entry_price": 5.0}, 700.0)
    assert [event["event"] for event in manager.events] == ["settings", "reconcile"]
    assert manager.events[1]["changed"] == ["X"]
    assert manager.journal is None
    assert manager.journal_problem is None


def test_a_restart_forgets_no_loss(tmp_path: Path) -> None:
    with at(tmp_path, MAX_DAILY_LOSS=0.005) as manager:
        manager.manage(quote(), BUY, 10_000)
        assert manager.manage(quote(99.0, after=1), HOLD, 10_000)["action"] == "halt"
        loss = manager.metrics()["daily_pnl"]
        assert loss < -50
    with at(tmp_path, MAX_DAILY_LOSS=0.005) as manager:
        assert manager.state == "REDUCING"
        answer = manager.manage(quote(99.0, after=2), BUY, manager.equity)
        assert answer["action"] == "reject_signal"
        assert answer["risk_status"]["daily_pnl"] == loss
        # What the venue reports is less: nobody knows of a fill, so it is no loss of the day.
        flat = {"symbol": "BTCUSDT", "side": "FLAT"}
        assert manager.reconcile(flat, manager.equity - 5.0)["cash_flow"] == pytest.approx(-5.0)
        assert manager.metrics()["daily_pnl"] == pytest.approx(loss)
    with RiskManager({"MAX_DAILY_LOSS": 0.005}, journal=tmp_path) as manager:  # the next day
        answer = manager.manage(quote(99.0, after=86_401), BUY, manager.equity)
        assert answer["action"] == "open_position"


def test_a_manager_with_a_rule_takes_the_engines_place() -> None:
    class Small(RiskManager):
        def allow_entry(
            self,
            market_data: Mapping[str, Any],
            signal: Mapping[str, Any],
            proposed: dict[str, Any],
        ) -> str | None:
            return "too large" if proposed["size"] > 10 else None

    engine = create_ml_engine()
    engine.risk_manager = Small({"custom_stop_loss": 0.003})
    answer = engine.manage_risk(quote(), BUY, 10_000)
    assert answer["reason"].endswith("too large")
    assert engine.manage_risk(quote(after=1), BUY, 10_000.0)["action"] == "reject_signal"
    engine.risk_manager = RiskManager({"custom_stop_loss": 0.003})
    opened = engine.manage_risk(quote(after=2), BUY, 10_000)
    assert opened["position"]["stop_loss"] == pytest.approx(100.01 * 0.997)
    assert engine.get_performance_stats()["risk_metrics"]["open_positions"] == 1


UNCOMPILED = """
import sys
from alphaseeker.risk.manager import RiskManager

quote = {"bid_price": 99.99, "ask_price": 100.01, "timestamp": 1_700_006_400}
with RiskManager(journal=sys.argv[1]) as manager:
    manager.manage(quote, {"signal": 1}, 10_000)
    manager.manage(quote | {"bid_price": 99.98}, {"signal": 0}, 10_000)
    before = manager.state_bytes()
with RiskManager(journal=sys.argv[1]) as manager:
    assert manager.state_bytes() == before
"""


def test_a_journal_is_the_same_without_the_compiler(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-W", "error", "-c", UNCOMPILED, str(tmp_path)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        check=True,
        timeout=1_800,
    )
    with RiskManager(journal=tmp_path) as manager:
        assert manager.state == "ACTIVE"
        assert manager.position_side("") == "LONG"


# ---- files taken away ---------------------------------------------------------------------------


def removed(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_a_journal_that_is_removed_underneath_denies_entries_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    with at(folder) as manager:
        manager.manage(quote(), HOLD, 10_000)
        removed(folder)
        denied = manager.manage(quote(after=1), BUY, 10_000)
        assert denied["action"] == "reject_signal"
        assert denied["reason"].startswith("JOURNAL_FAILED")
        assert "its file was removed" in denied["reason"]
        done = manager.on_fill(fill(1, "BUY", 40.0, 100.0))
        assert (done["applied"], done["journalled"]) == (True, False)
        # Another one may hold the folder's new lock: this one must not write there again.
        with at(folder) as other:
            other.manage(quote(), HOLD, 10_000)
            assert not manager.on_fill(fill(2, "BUY", 1.0, 100.0))["journalled"]
            problem = manager.journal_problem
            assert problem is not None
            assert "make a new RiskManager" in problem
            segment(folder)  # one, the other's
            assert other.on_fill(fill(1, "BUY", 1.0, 100.0))["journalled"]


def test_a_segment_that_is_removed_is_written_again(tmp_path: Path) -> None:
    with at(tmp_path) as manager:
        manager.manage(quote(), HOLD, 10_000)
        segment(tmp_path).unlink()
        assert not manager.on_fill(fill(1, "BUY", 40.0, 100.0))["journalled"]
        assert manager.on_fill(fill(2, "BUY", 1.0, 100.0))["journalled"]
        before = everything(manager)
    with at(tmp_path) as manager:
        assert everything(manager) == before


def test_without_syncs_a_removed_segment_is_missed_before_long(tmp_path: Path) -> None:
    with at(tmp_path, JOURNAL_FSYNC="never") as manager:
        manager.manage(quote(), HOLD, 10_000)
        segment(tmp_path).unlink()
        for index in range(70):
            manager.manage(quote(after=1 + index), HOLD, 10_000)
        before = everything(manager)
    with at(tmp_path) as manager:
        assert everything(manager)[0] == before[0]


@pytest.mark.parametrize("path", ["", 5, b"journal", "a\0b"])
def test_a_path_that_is_none_is_refused(path: Any) -> None:
    with pytest.raises(ConfigError, match=r"JOURNAL_PATH is .*path of a folder"):
        RiskManager(journal=path)


@pytest.mark.parametrize("seed", range(3))
def test_a_manager_that_is_restarted_now_and_then_is_the_one_that_was_not(
    tmp_path: Path, seed: int
) -> None:
    """Quotes, proposals, fills, silent symbols, funding: every answer and every byte."""
    rng = np.random.default_rng(seed)
    config = {
        "MAX_EXPOSURE": 1.5,
        "MAX_DRAWDOWN": 0.5,
        "FUNDING_RATE": 0.0003,
        "FUNDING_INTERVAL_S": 300.0,
        "TRAILING_STOP_PCT": 0.002,
        "MAX_HOLDING_S": 200.0,
    }

    def begin(journal: Path | None) -> RiskManager:
        return RiskManager(
            config | {"JOURNAL_FSYNC": "never"}, clock=lambda: 2 * START * 10**9, journal=journal
        )

    one, two = begin(None), begin(tmp_path / "journal")
    mids = dict.fromkeys("ABCD", 100.0)
    after = 0.0
    for index in range(400):
        after += float(rng.choice([0.0, 0.2, 1.0, 5.0, 40.0]))
        symbol = "ABCD"[int(rng.integers(4))]
        mids[symbol] *= 1.0 + 5e-4 * float(rng.standard_normal())
        if rng.random() < 0.05:
            two.close()
            two = begin(tmp_path / "journal")
            assert two.state_bytes() == one.state_bytes()
        if rng.random() < 0.8:
            balance = one.equity if rng.random() < 0.9 else 10_000.0
            given = quote(mids[symbol], after, symbol), {"signal": int(rng.integers(-1, 2))}
            assert one.manage(*given, balance) == two.manage(*given, balance)
        else:
            side, size = ("BUY", "SELL")[int(rng.integers(2))], float(rng.choice([1.0, 5.0, 20.0]))
            done = fill(index, side, size, mids[symbol], symbol=symbol, timestamp=START + after)
            assert one.on_fill(done) == two.on_fill(done)
    assert two.state_bytes() == one.state_bytes()
    assert one.metrics()["trades"] > 3
    two.close()
