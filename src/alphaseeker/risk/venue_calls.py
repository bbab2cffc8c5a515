"""Calls by which the venue's word or a hand changes the state: fills, truth, a lifted halt."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from alphaseeker.errors import StateError
from alphaseeker.risk.account import clock_step, lift_halt_step
from alphaseeker.risk.account_state import AccountState
from alphaseeker.risk.fills import fill_step
from alphaseeker.risk.inputs import read_equity, read_fill, read_positions
from alphaseeker.risk.journal_frames import Kind
from alphaseeker.risk.reconciliation import settle, take_positions, trust_venue, venue_targets
from alphaseeker.risk.report import held_position, held_side
from alphaseeker.risk.state import Reason, State, record_of

__all__ = ["VenueCalls"]

logger = logging.getLogger(__name__)


class VenueCalls(AccountState):
    """Fills, reconciliation and the lifting of a halt; see ``RiskManager``."""

    def on_fill(self, fill: Mapping[str, Any]) -> dict[str, Any]:
        """Take a fill of the venue; from the first one on, fills alone change positions.

        Parameters
        ----------
        fill
            ``id``, ``side`` (BUY, SELL), ``size``, ``price``; optionally ``symbol``, ``fee``
            (money), ``liquidity`` (taker, maker: which cost applies without a fee) and
            ``timestamp``. A fill larger than the position flips it; an unknown symbol opens one.

        Returns
        -------
        dict
            ``applied`` (False for an id that was seen before: then nothing changed),
            ``realised_pnl`` (the fee deducted), ``position`` after it, and ``journalled``: False
            where the journal could not be written, so that a restart would not know the fill
            unless a later call is written; True without a journal.

        Raises
        ------
        DataError
            Malformed input; the state's bytes are as they were.
        """
        parsed = read_fill(fill, self._clock, self._config)
        key = (parsed.symbol, parsed.identity)
        with self._lock:
            self._check_journal()
            self._check_name("the fill", parsed.symbol, held=False)
            known = key in self._memory.fills
            realised = 0.0
            if known:
                # It may be sent again because it could not be journalled.
                journalled = self.journal_problem is None or self._write(Kind.FILL, ())
            else:
                first = self._account["venue"][0] == 0
                trust_venue(self._account, self._positions)
                clock_step(self._account, parsed.timestamp)
                position = record_of(self._positions, parsed.symbol, self._config)
                realised = float(
                    fill_step(self._account, position, parsed.quantity, parsed.price, parsed.fee)
                )
                self._note(fills=key)
                # The first fill may have undone paper positions of other symbols.
                journalled = self._write(Kind.FILL, None if first else (parsed.symbol,))
            return {
                "applied": not known,
                "realised_pnl": realised,
                "position": self.position(parsed.symbol),
                "journalled": journalled,
            }

    def reconcile(self, position: Mapping[str, Any], equity: float) -> dict[str, Any]:
        """Take the venue's word for positions and equity, such as after a restart.

        Parameters
        ----------
        position
            One position (``symbol``, ``side`` and ``size``, ``entry_price``), or a mapping of
            symbol to position, which is then the whole account: others become flat. A flat
            account names its symbols with ``{"side": "FLAT"}``; an empty mapping is refused. A
            position of the size that the manager knows from fills keeps its entry and stop.
        equity
            As the venue reports it.

        Returns
        -------
        dict
            ``changed`` (symbols whose size was another; paper positions that were dropped are
            among them), ``cash_flow`` and ``missed_loss``: the difference in equity is a cash
            flow, but where fills were missed, a shortfall is a loss that counts; and
            ``journalled``, as for a fill. ``events`` and the journal list the difference.

        Raises
        ------
        DataError
            Malformed input, or no price is known for a position; the state is as it was.
        """
        listed, whole = read_positions(position)
        balance = read_equity(equity, "equity")
        with self._lock:
            self._check_journal()
            now = self._clock.now()
            for symbol, venue in listed.items():
                if venue.quantity != 0.0:
                    self._check_name("the position", symbol, held=False)
            targets = venue_targets(listed, self._positions, whole=whole)
            for symbol in targets:
                record_of(self._positions, symbol, self._config)
            changed, missed = take_positions(self._account, self._positions, targets, now)
            flow, loss = settle(self._account, balance, fills_missed=missed)
            if flow != 0.0:
                self._note_cash_flow(now, flow)
            if self._account["halt_reason"][0] == Reason.JOURNAL_DAMAGED:
                self._account["halt_reason"] = int(Reason.JOURNAL_RECONCILED)
            done = {"changed": changed, "cash_flow": flow, "missed_loss": loss}
            self._note_event("reconcile", **done)
            journalled = self._write(Kind.RECONCILE)
        if changed or loss:
            logger.warning("reconciled %s; missed loss %.10g", changed, loss)
        return {**done, "journalled": journalled}

    def position_side(self, symbol: str) -> str:
        """Return FLAT, LONG or SHORT; a symbol never seen is FLAT."""
        return held_side(self._positions.get(symbol))

    def position(self, symbol: str) -> dict[str, Any]:
        """Return ``side, size, entry_price, stop_loss, take_profit`` of a symbol's position."""
        return held_position(self._positions.get(symbol))

    def reset_halt(self) -> bool:
        """Lift a halt; the drawdown is counted anew from the present equity.

        A daily loss limit is not lifted: it ends with the UTC day.

        Returns
        -------
        bool
            Whether a halt was lifted: not where a limit of the settings, or an equity that is not
            above 0, halts the account again at once.

        Raises
        ------
        StateError
            The journal was damaged and ``reconcile`` has not been called since, or it cannot be
            written; the halt stands.
        """
        with self._lock:
            self._check_journal()
            if self.state != State.HALTED.name:
                return False
            if self._account["halt_reason"][0] == Reason.JOURNAL_DAMAGED:
                raise StateError(
                    "the halt stands: the journal was damaged, so positions and equity are not "
                    "certain; call reconcile(position, equity) with the venue's word first"
                )
            saved = self._saved()
            lift_halt_step(self._account)
            self._note_event("reset_halt", state=self.state)
            if not self._write(Kind.RESET_HALT, ()):
                self._put_back(saved)
                raise self._unwritable("the halt stands")
            logger.warning("halt lifted by hand; the account is %s", self.state)
            return self.state != State.HALTED.name
