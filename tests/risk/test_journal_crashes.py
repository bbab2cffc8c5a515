"""A process killed, a disk that refuses and a power cut at every single call of the system."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alphaseeker.errors import StateError
from alphaseeker.risk import journal, journal_files
from alphaseeker.risk.manager import RiskManager

START = 1_700_006_400  # midnight UTC, seconds
DAY = 86_400
CHANGING = ("open", "write", "fsync", "ftruncate", "rename", "unlink")
CONFIG = {"VOLATILITY_BASED_SL": False, "MAX_DRAWDOWN": 0.5}


class Killed(BaseException):
    """The process is gone; nothing of it catches this."""


class Disk:
    """The system's calls, counted; one of them, or all from one on, can be made to go wrong.

    ``kill`` ends the process at the call of that number: before it, in the middle of a write, or
    right after it. ``refuse`` is a range of calls that raise OSError. Nothing is really synced:
    ``after_a_power_cut`` says what had been.
    """

    def __init__(self, kill: int = -1, how: str = "before", refuse: range = range(0)) -> None:
        self.calls = 0
        self.segments = 0
        self.kill, self.how, self.refuse = kill, how, refuse
        self.dead = False
        self.synced: dict[int, bytes] = {}  # content by inode
        self.names: dict[str, int] = {}  # inode by name, as the folder was last synced

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in CHANGING:
            return real

        def call(*arguments: Any) -> Any:
            if self.dead:
                raise Killed
            number, self.calls = self.calls, self.calls + 1
            self.segments += name == "rename"
            if number in self.refuse:
                if name == "write":
                    real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            if number != self.kill:
                return self._synced(*arguments) if name == "fsync" else real(*arguments)
            if self.how == "interrupt":
                real(*arguments)
                raise KeyboardInterrupt
            if self.how == "after":
                real(*arguments)
            elif self.how == "middle" and name == "write":
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            self.dead = True
            raise Killed

        return call

    def _synced(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_dir():
            if path.name != "journal":
                return  # the folder above
            self.names = {entry.name: entry.stat().st_ino for entry in path.iterdir()}
        else:
            self.synced[status.st_ino] = path.read_bytes()

    def after_a_power_cut(self, folder: Path) -> Path:
        """Return a folder with what was synced: names with the folder, content with the file."""
        other = folder.with_name("after")
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()
        for name, inode in self.names.items():
            (other / name).write_bytes(self.synced.get(inode, b""))
        return other


class Clock:
    def __init__(self) -> None:
        self.now = START * 10**9

    def __call__(self) -> int:
        return self.now


def quote(after: float, mid: float = 100.0, symbol: str = "BTCUSDT") -> dict[str, Any]:
    return {
        "bid_price": mid - 0.01,
        "ask_price": mid + 0.01,
        "symbol": symbol,
        "timestamp": START + after,
    }


def tick(after: float, side: int, mid: float = 100.0, symbol: str = "BTCUSDT", cash: float = 1e4):
    def call(manager: RiskManager) -> Any:
        return manager.manage(quote(after, mid, symbol), {"signal": side}, cash)

    return after, call


def fill(after: float, identity: int, side: str, size: float, price: float = 100.0) -> Any:
    def call(manager: RiskManager) -> Any:
        return manager.on_fill(
            {"id": identity, "symbol": "BTCUSDT", "side": side, "size": size, "price": price}
            | {"timestamp": START + after}
        )

    return after, call


# Opens, closes, a second symbol, a deposit, a day that ends, settings, the venue's word, fills
# that come twice, a limit that is touched and a halt that is lifted.
STEPS: list[tuple[float, Callable[[RiskManager], Any]]] = [
    tick(0, 0),
    tick(1, 1),
    tick(2, 0, 100.1),
    tick(3, -1, 100.2),
    tick(4, -1, 50.0, "ETHUSDT"),
    tick(5, 0, 50.01, "ETHUSDT", 12_000.0),
    (5, lambda manager: manager.configure({"MAX_DAILY_LOSS": 0.9})),
    tick(70, 1),
    tick(DAY + 1, 0, 100.05),
    fill(DAY + 2, 1, "BUY", 30.0),
    fill(DAY + 3, 2, "BUY", 10.0, 100.1),
    fill(DAY + 3, 2, "BUY", 10.0, 100.1),
    tick(DAY + 4, 0, 99.0),
    fill(DAY + 5, 3, "SELL", 40.0, 98.9),
    (
        DAY + 4,  # the stream's time, which the last quote has set
        lambda manager: manager.reconcile(
            {"BTCUSDT": {"side": "LONG", "size": 80.0, "entry_price": 99.0}}, 11_000.0
        ),
    ),
    tick(DAY + 6, 0, 20.0),
    (DAY + 6, lambda manager: manager.reset_halt()),
    fill(DAY + 7, 4, "SELL", 80.0, 20.0),
    tick(2 * DAY, 0, 20.0),
    tick(2 * DAY + 1, 1, 20.0),
]


def run(manager: RiskManager, clock: Clock, first: int = 0) -> Iterator[Any]:
    for after, call in STEPS[first:]:
        clock.now = round((START + after) * 10**9)
        yield call(manager)


def manager_at(folder: Path | None, clock: Clock, fsync: str = "actions") -> RiskManager:
    config = CONFIG | {"JOURNAL_FSYNC": fsync}
    return RiskManager(config, clock=clock, monotonic=lambda: 0, journal=folder)


def whole(manager: RiskManager) -> tuple[bytes, list[Any], list[Any]]:
    """All that a restart must bring back."""
    return manager.state_bytes(), manager.cash_flows, manager.events


@pytest.fixture(scope="module")
def states() -> list[tuple[bytes, list[Any], list[Any]]]:
    """The state before the first step and after every one, of a manager without a journal."""
    clock = Clock()
    manager = manager_at(None, clock)
    found = [whole(manager)]
    found += [whole(manager) for _ in run(manager, clock)]
    manager.configure({"MAX_DAILY_LOSS": 0.02})
    assert len(manager.cash_flows) > 1
    assert {event["event"] for event in manager.events} == {"settings", "reconcile", "reset_halt"}
    return found


@contextmanager
def on(disk: Disk) -> Iterator[None]:
    """Let the journal use ``disk``, with segments so short that several are begun."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_files, "os", disk)
        patch.setattr(journal, "SEGMENT_BYTES", 14_500)
        patch.setattr(journal, "SNAPSHOTS_A_SEGMENT", 0)
        try:
            yield
        finally:
            disk.dead = False


def outlived(folder: Path, disk: Disk, fsync: str = "actions") -> tuple[int, bool]:
    """Run the steps until the disk ends them; return how many were answered, and whether all."""
    answered, manager = 0, None
    clock = Clock()
    with on(disk):
        try:
            manager = manager_at(folder, clock, fsync)
            for _ in run(manager, clock):
                answered += 1
            return answered, True
        except Killed:
            return answered, False
        finally:
            disk.dead = False
            if manager is not None:
                manager.close()


def settings_aside(state: tuple[bytes, list[Any], list[Any]]) -> tuple[list[Any], list[Any]]:
    return state[1], [e for e in state[2] if e["event"] != "settings"]


def taken_up(folder: Path, states: Any, answered: int, behind: int = 1) -> int:
    """Restart on ``folder``, go on to the end; return the step whose state was found."""
    clock = Clock()
    # The restart is told of the settings that were in force, as a user's own file would.
    config = CONFIG | ({"MAX_DAILY_LOSS": 0.9} if answered > 6 else {})
    with on(Disk()):
        manager = RiskManager(config, clock=clock, monotonic=lambda: 0, journal=folder)
        assert manager.metrics()["state"] != "HALTED" or answered >= 15
        found = [n for n in range(answered + 1, answered - behind - 1, -1) if n < len(states)]
        at = manager.state_bytes()
        if answered == 6:  # the call that changes the settings was under way
            manager.configure({"MAX_DAILY_LOSS": 0.9})
            step = 7
        else:
            step = next((n for n in found if states[n][0] == at), -1)
        assert step >= 0, f"after {answered} answers no state that was ever reached"
        assert settings_aside(whole(manager)) == settings_aside(states[step])
        if step == answered + 1:
            # Not answered, so it is sent again: a fill must not count twice.
            after, call = STEPS[answered]
            clock.now = round((START + after) * 10**9)
            if "fill" in call.__qualname__:
                assert not call(manager)["applied"]
                assert manager.state_bytes() == at
        for _ in run(manager, clock, step):
            pass
        assert manager.state_bytes() == states[-1][0]
        assert manager.cash_flows == states[-1][1]
        manager.close()
    return step


@pytest.mark.parametrize("how", ["before", "middle", "after"])
def test_a_process_killed_at_any_call_loses_and_doubles_nothing(
    how: str, tmp_path: Path, states: Any
) -> None:
    ended, kill, ahead = False, 0, 0
    while not ended:
        folder = tmp_path / "journal"
        shutil.rmtree(folder, ignore_errors=True)
        disk = Disk(kill, how)
        answered, ended = outlived(folder, disk)
        ahead += taken_up(folder, states, answered) > answered
        kill += 1
    assert kill > 60
    assert disk.segments > 2
    assert ahead > 0


@pytest.mark.parametrize("fsync", ["always", "actions"])
def test_a_power_cut_at_any_call_loses_nothing_that_was_synced(
    fsync: str, tmp_path: Path, states: Any
) -> None:
    ended, kill, lost = False, 0, 0
    while not ended:
        folder = tmp_path / "journal"
        shutil.rmtree(folder, ignore_errors=True)
        disk = Disk(kill)
        answered, ended = outlived(folder, disk, fsync)
        # Between two actions quotes that only moved the marks may go.
        behind = 0 if fsync == "always" else 2
        step = taken_up(disk.after_a_power_cut(folder), states, answered, behind)
        lost = max(lost, answered - step)
        kill += 1
    assert kill > 60
    assert lost == (0 if fsync == "always" else 1)


@pytest.mark.parametrize("length", [1, 9])
def test_a_disk_that_refuses_denies_entries_and_nothing_else(length: int, tmp_path: Path) -> None:
    first, denied, failed = 0, 0, 0
    done = False
    while not done:
        folder, copy = tmp_path / "journal", tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        disk = Disk(refuse=range(first, first + length))
        first += 1
        wrong = False
        clock = Clock()
        with on(disk):
            try:
                manager = manager_at(folder, clock)
            except StateError:
                continue  # without its lock there is no manager
            for after, call in STEPS:
                clock.now = round((START + after) * 10**9)
                try:
                    result = call(manager) or {}
                except StateError:
                    result = {}  # of settings and a lifted halt: they are as before
                status = manager.journal
                assert status is not None
                if status["problem"] is not None:
                    failed += 1
                    assert result.get("action") != "open_position"
                    assert result.get("journalled", False) is False
                    if "risk_status" in result:
                        assert "cannot be written" in result["risk_status"]["alerts"][-1]
                        denied += "JOURNAL_FAILED" in result["reason"]
                    wrong = True
                    continue
                if not wrong and after != STEPS[-1][0]:
                    continue
                wrong = False
                # What was answered is what a restart finds.
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(folder, copy)
                with on(Disk()), RiskManager(manager.config, clock=clock, journal=copy) as other:
                    assert other.state_bytes() == manager.state_bytes()
                    assert other.cash_flows == manager.cash_flows
                    assert other.events == manager.events
            done = disk.calls < first
            manager.close()
    assert denied > 0
    assert failed > 20


def test_an_interrupt_from_the_keyboard_at_any_call_leaves_a_sound_journal(tmp_path: Path) -> None:
    interrupt, interrupted = 0, 1
    while interrupted:
        folder, interrupted = tmp_path / "journal", 0
        shutil.rmtree(folder, ignore_errors=True)
        clock = Clock()
        with on(Disk(interrupt, "interrupt")):
            interrupt += 1
            try:
                manager = manager_at(folder, clock)
            except KeyboardInterrupt:
                interrupted += 1
                continue
            for after, call in STEPS:
                clock.now = round((START + after) * 10**9)
                try:
                    call(manager)
                except KeyboardInterrupt:
                    interrupted += 1
            before = whole(manager)
            manager.close()
        with on(Disk()), RiskManager(manager.config, clock=clock, journal=folder) as other:
            assert whole(other) == before
    assert interrupt > 60
