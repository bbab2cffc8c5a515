"""What a risk manager holds and how it is kept: settings, memory, journal, bytes."""

from __future__ import annotations

import json
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy.typing as npt

from alphaseeker.config import RiskConfig
from alphaseeker.errors import ConfigError, DataError, StateError
from alphaseeker.risk.inputs import read_config
from alphaseeker.risk.journal import Journal
from alphaseeker.risk.journal_frames import Kind
from alphaseeker.risk.memory import Memory
from alphaseeker.risk.metrics import equity_statistics
from alphaseeker.risk.report import Statistics
from alphaseeker.risk.snapshot import decode, encode
from alphaseeker.risk.state import Reason, State, allocate_account, write_all_rules
from alphaseeker.risk.stream_clock import MAX_AHEAD_NS, StreamClock

__all__ = ["AccountState"]

logger = logging.getLogger(__name__)

_UNTRUSTED = (int(Reason.JOURNAL_DAMAGED), int(Reason.JOURNAL_RECONCILED))

_states: weakref.WeakSet[AccountState] = weakref.WeakSet()


def _renew_locks() -> None:
    """In a forked child, where the threads that held a lock are not, begin with fresh ones."""
    for state in _states:
        state._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


class _Saved(NamedTuple):
    """The state before a call."""

    account: npt.NDArray[Any]
    positions: dict[str, npt.NDArray[Any]]
    events: list[dict[str, Any]]
    noted: int


class AccountState:
    """Settings and memory of one account, and the journal that keeps it; see ``RiskManager``."""

    def __init__(
        self,
        config: RiskConfig | Mapping[str, Any] | None,
        clock: Callable[[], int],
        monotonic: Callable[[], int],
        journal: str | os.PathLike[str] | None,
    ) -> None:
        self._config = read_config(config, RiskConfig())
        self._clock = StreamClock(clock, monotonic)
        self._lock = threading.RLock()
        _states.add(self)
        self._memory = Memory(account=allocate_account(self._config))
        self._account = self._memory.account
        self._positions = self._memory.positions
        self._statistics = Statistics(0.0, 0.0, 0.0)
        self._statistics_samples = 0
        self._journal: Journal | None = None
        given = self._config
        if journal is not None:
            # It is checked as the setting is.
            given = read_config({"JOURNAL_PATH": journal}, self._config)
        if given.JOURNAL_PATH is not None:
            self._open_journal(Path(given.JOURNAL_PATH))

    @property
    def config(self) -> RiskConfig:
        """The settings in force."""
        return self._config

    @property
    def state(self) -> str:
        """ACTIVE, REDUCING (daily loss limit) or HALTED (drawdown limit, damaged journal)."""
        return State(int(self._account["state"][0])).name

    @property
    def equity(self) -> float:
        """Equity after leaving every position at its last quote, exit fees paid."""
        return float(self._account["equity"][0])

    @property
    def cash_flows(self) -> list[dict[str, float | int]]:
        """The last deposits and withdrawals seen: ``timestamp`` (ns), ``amount``, ``equity``."""
        return list(self._memory.cash_flows)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The last changes by hand: ``timestamp`` (ns), ``event`` and what it was.

        ``settings`` (``changed``: key to the values before and after), ``reconcile``,
        ``reset_halt``, ``restore`` and ``journal_damaged``. A journal keeps them.
        """
        return list(self._memory.events)

    @property
    def journal(self) -> dict[str, Any] | None:
        """What is known of the journal, None without one.

        ``path``, ``records`` written since its beginning, ``problem`` (why the last one could
        not be written, else None), ``has_history``: the account it keeps has seen something.
        """
        if self._journal is None:
            return None
        seen = self._account["timestamp"][0] > 0 or self._account["state"][0] != State.ACTIVE
        return {
            "path": str(self._journal.folder),
            "records": self._journal.sequence,
            "problem": self._journal.problem,
            "has_history": bool(seen),
        }

    @property
    def journal_problem(self) -> str | None:
        """Why the journal could not be written last time; None where it could, or is none."""
        return None if self._journal is None else self._journal.problem

    def configure(self, config: RiskConfig | Mapping[str, Any]) -> None:
        """Change settings: a whole ``RiskConfig``, or a mapping of keys over the present ones.

        State, money and the stops of open positions stay. ``events`` and the journal list what
        was changed.

        Raises
        ------
        ConfigError
            An unknown key, a value out of range, or another JOURNAL_PATH; nothing is changed
            then.
        StateError
            The journal cannot be written; nothing is changed then.
        """
        with self._lock:
            self._check_journal()
            changed = read_config(config, self._config)
            if changed.JOURNAL_PATH != self._config.JOURNAL_PATH:
                raise ConfigError(
                    f"JOURNAL_PATH is {changed.JOURNAL_PATH!r}, in use is "
                    f"{self._config.JOURNAL_PATH!r}; a manager keeps its journal: make a new "
                    "RiskManager for another one"
                )
            before, saved = self._config, self._saved()
            self._use(changed)
            self._note_settings(_kept_settings(before))
            if not self._write(Kind.SETTINGS):
                self._use(before)
                self._put_back(saved)
                raise self._unwritable("the settings stay as they were")

    @property
    def drift(self) -> bool:
        """Whether the model was last said to have drifted."""
        return bool(self._account["drift"][0] == 1)

    def set_drift(self, drifted: bool) -> None:
        """Say whether the model has drifted: an alert, and no entries under BLOCK_ON_DRIFT."""
        with self._lock:
            self._check_journal()
            if self._account["drift"][0] != bool(drifted):
                self._account["drift"] = int(bool(drifted))
                self._write(Kind.DRIFT, ())

    def state_bytes(self) -> bytes:
        """Return the whole state as bytes with a layout hash and a checksum."""
        with self._lock:
            return encode(self._account, self._positions, self._memory.fills)

    def restore_bytes(self, data: bytes) -> None:
        """Take the state of ``state_bytes``; this manager's own settings stay in force.

        A journal begins a new segment with it. A halt for a damaged journal stays.

        Raises
        ------
        StateError
            The bytes are damaged or of another layout; the present state stays.
        """
        snapshot = decode(data)
        with self._lock:
            self._check_journal()
            halted = int(self._account["halt_reason"][0])
            flows, events = self._memory.cash_flows, self._memory.events
            restored = Memory(
                account=snapshot.account,
                positions=snapshot.positions,
                fills=dict.fromkeys(snapshot.fills),
                cash_flows=flows.copy(),
                events=events.copy(),
            )
            self._memory.take(restored)
            if halted in _UNTRUSTED:
                self._halt(halted)
            self._after_restoring()
            self._note_event("restore")
            if self._journal is not None:
                self._journal.begin(self._memory)

    def close(self) -> None:
        """Let go of the journal, for another manager to take it; without one nothing happens."""
        with self._lock:
            if self._journal is not None:
                self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _use(self, config: RiskConfig) -> None:
        """Put settings in force."""
        self._config = config
        write_all_rules(self._account, self._positions, config)
        if self._journal is not None:
            self._journal.fsync = config.JOURNAL_FSYNC
            self._journal.settings = _kept_settings(config)

    def _open_journal(self, folder: Path) -> None:
        """Take up the state that a journal holds, or fail closed where it should and does not."""
        journal = Journal(folder, fsync=self._config.JOURNAL_FSYNC)
        try:
            restored = journal.read()
        except OSError as error:
            journal.close()
            raise StateError(f"the risk journal {folder} cannot be read: {error}") from error
        damage = restored.damage
        if damage is None and restored.memory is None:
            if journal.existed:
                damage = "there has been a journal, but its segments are gone"
            elif self._config.JOURNAL_REQUIRED:
                damage = "JOURNAL_REQUIRED is set, and there is none"
        if restored.memory is not None:
            self._memory.take(restored.memory)
            self._after_restoring()
            self._note_settings(restored.settings)
        if damage is not None:
            self._halt(int(Reason.JOURNAL_DAMAGED))
            self._note_event("journal_damaged", damage=damage)
            logger.error(
                "risk journal %s: %s; the account is HALTED until reconcile() and reset_halt()",
                folder,
                damage,
            )
        self._journal = journal
        journal.settings = _kept_settings(self._config)
        journal.begin(self._memory, restored.damaged)

    def _after_restoring(self) -> None:
        self._use(self._config)
        self._statistics_samples = -1
        self._clock.forget()
        ahead = self._clock.ahead_s(int(self._account["timestamp"][0]))
        if ahead > MAX_AHEAD_NS * 1e-9:
            logger.error(
                "the account's last time is %.0f s ahead of the clock: until then every quote is "
                "stale, and the UTC day does not end. Set the clock right; where it was wrong "
                "before, begin with a new journal or state, and reconcile",
                ahead,
            )

    def _halt(self, reason: int) -> None:
        self._account["state"] = int(State.HALTED)
        self._account["halt_reason"] = reason

    def _check_journal(self) -> None:
        """Refuse a change that the journal, closed or another process's, could not keep."""
        if self._journal is not None:
            self._journal.check()

    def _check_name(self, source: str, symbol: str, *, held: bool) -> None:
        """Refuse a symbol that is new where others, with a name or without, must be meant.

        A position and the quotes that its stop waits for then have the same name. ``held``: only
        symbols with a position count, else those with a quote.
        """
        if symbol in self._positions:
            return
        field = "quantity" if held else "quotes"
        for other, record in self._positions.items():
            if bool(other) != bool(symbol) and record[field][0] != 0:
                known = "a position" if held else "market data"
                one, two = (f"symbol {name!r}" if name else "no symbol" for name in (symbol, other))
                raise DataError(
                    f"{source} has {one}, but there is {known} with {two}; give the same symbol "
                    "with quotes, fills and positions, or none with any of them: a stop is checked "
                    "on quotes of its own symbol"
                )

    def _write(self, kind: Kind, symbols: Iterable[str] | None = None) -> bool:
        """Journal what a call changed; True without a journal too."""
        return self._journal is None or self._journal.write(kind, symbols)

    def _unwritable(self, consequence: str) -> StateError:
        return StateError(
            f"the risk journal cannot be written ({self.journal_problem}); {consequence}. See "
            "to its folder and its disk, and call again"
        )

    def _saved(self) -> _Saved:
        """Return copies of what a call changes that must not stand unless it is journalled."""
        return _Saved(
            account=self._account.copy(),
            positions={symbol: record.copy() for symbol, record in self._positions.items()},
            events=list(self._memory.events),
            noted=0 if self._journal is None else self._journal.noted("events"),
        )

    def _put_back(self, saved: _Saved) -> None:
        self._account[:] = saved.account
        for symbol, record in saved.positions.items():
            self._positions[symbol][:] = record
        self._memory.events.clear()
        self._memory.events.extend(saved.events)
        if self._journal is not None:
            self._journal.forget("events", saved.noted)

    def _note(self, **entries: Any) -> None:
        """Put entries into the memory's lists and, with the next record, into the journal."""
        if "cash_flows" in entries:
            self._memory.cash_flows.append(entries["cash_flows"])
        if "events" in entries:
            self._memory.events.append(entries["events"])
        if "fills" in entries:
            self._memory.remember_fills([entries["fills"]])
        if self._journal is not None:
            self._journal.note(**entries)

    def _note_event(self, event: str, **more: Any) -> None:
        self._note(events={"timestamp": self._clock.now(), "event": event, **more})

    def _note_settings(self, before: dict[str, Any]) -> None:
        """Note what is another setting than ``before``: a limit may have been loosened."""
        now = _kept_settings(self._config)
        changed = {key: [before.get(key), now[key]] for key in now if before.get(key) != now[key]}
        if changed:
            logger.warning("risk settings changed: %s", changed)
            self._note_event("settings", changed=changed)

    def _note_cash_flow(self, timestamp: int, amount: float) -> None:
        flow = {"timestamp": timestamp, "amount": amount, "equity": self.equity}
        self._note(cash_flows=flow)
        logger.info("cash flow of %.10g; equity %.10g", amount, self.equity)

    def _current_statistics(self, samples: int) -> Statistics:
        """Return the statistics, computed anew only where a minute was sampled since."""
        if samples != self._statistics_samples:
            self._statistics = equity_statistics(self._account, self._config.VAR_METHOD)
            self._statistics_samples = samples
        return self._statistics


def _kept_settings(config: RiskConfig) -> dict[str, Any]:
    """Return the settings as a journal keeps them: plain, without those of the journal itself."""
    plain = json.loads(json.dumps(asdict(config), default=str))
    return {key: value for key, value in plain.items() if not key.startswith("JOURNAL_")}
