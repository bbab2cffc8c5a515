"""The risk manager: the state machine of one account, with plain Python in and out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from alphaseeker.config import RiskConfig
from alphaseeker.errors import DataError
from alphaseeker.risk.alerts import Alerts, OnAlert
from alphaseeker.risk.inputs import read_equity, read_quote, read_signal
from alphaseeker.risk.metrics import account_metrics
from alphaseeker.risk.report import Report, describe, log_decision, position_dict, read_report
from alphaseeker.risk.state import Action, Reason, Refusal, allocate_position
from alphaseeker.risk.step import act_step, decide_step, refuse_step
from alphaseeker.risk.venue_calls import VenueCalls

__all__ = ["RiskManager"]

# After these, and after a cash flow, more than the marks of a quote has changed.
_LASTING = (int(Action.OPEN_POSITION), int(Action.CLOSE_POSITION), int(Action.HALT))


class RiskManager(VenueCalls):
    """Position, stops, sizing, limits and profit of one account over any number of symbols.

    Parameters
    ----------
    config
        A ``RiskConfig``, or a mapping of its keys over the defaults.
    clock
        Nanoseconds UTC now, which no time stamp may be more than 5 s ahead of. A replay in
        which time stamps are ahead of the machine's clock gives its own.
    monotonic
        Nanoseconds of a clock that is never set; see ``StreamClock``.
    journal
        Folder of the journal, in the place of JOURNAL_PATH.
    on_alert
        Called with a dictionary once for each crossing of a limit; see ``Alerts``.

    Raises
    ------
    ConfigError
        An unknown key (the message names the nearest known one), or a value out of range.
    StateError
        Another manager holds the journal, or its folder cannot be used.

    Notes
    -----
    Positions change by ``manage`` (paper fills at the quote: buys at the ask, sells at the bid,
    TRANSACTION_COST_PCT a side) until ``on_fill`` or ``reconcile`` is first called; from then on
    the venue's word alone changes them, and ``manage`` repeats what to do until a fill comes: an
    entry for as long as it is asked for, an exit until nothing is held. What was proposed and has
    not filled counts in MAX_EXPOSURE for PENDING_ENTRY_S. A paper position that is open at that
    moment is undone: the venue's fill takes its place.

    With a journal, what a call changes is on disk before its answer is returned, and a manager
    made after a restart goes on from there bit for bit. A journal that is damaged, or missing
    where there has been one (or JOURNAL_REQUIRED is set), gives an account that is HALTED: exits
    go on, and entries after ``reconcile`` and ``reset_halt``. While it cannot be written, entries
    are denied, exits go on, and ``risk_status`` says so. One manager at a time holds a journal;
    ``close``, or the end of a ``with`` block, gives it back.

    Subclasses add rules of their own by overriding ``allow_entry``. Calls from several threads
    are taken one after the other.
    """

    def __init__(
        self,
        config: RiskConfig | Mapping[str, Any] | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
        journal: str | os.PathLike[str] | None = None,
        on_alert: OnAlert | None = None,
    ) -> None:
        self._alerts = Alerts(on_alert)
        super().__init__(config, clock, monotonic, journal)

    def allow_entry(
        self, market_data: Mapping[str, Any], signal: Mapping[str, Any], proposed: dict[str, Any]
    ) -> str | None:
        """Refuse an entry that every built-in rule allows; a hook for subclasses.

        Parameters
        ----------
        market_data, signal
            As given to ``manage``.
        proposed
            ``symbol, side, size, entry_price, stop_loss, take_profit`` of the entry.

        Returns
        -------
        str or None
            Why the entry is refused; None allows it. Exits are never asked about. Where it
            raises, the entry is refused and ``manage`` raises the same; an answer that is neither
            text nor None counts as a ``DataError`` that it raised.
        """
        return None

    def manage(
        self, market_data: Mapping[str, Any], signal: Mapping[str, Any], account_balance: float
    ) -> dict[str, Any]:
        """Take one quote and one signal; return what to do and how the account stands.

        Parameters
        ----------
        market_data
            ``bid_price``, ``ask_price``; optionally ``bid_volume``, ``ask_volume``, ``symbol``,
            ``funding_rate`` and ``timestamp`` (where it is missing, the clock of the stream; see
            ``StreamClock``). A quote older than the last one blocks exits until one is in order,
            or until three late ones in a row, whose times rise, set the symbol's time anew.
        signal
            What ``predict`` returned; ``signal_label`` or ``signal`` is enough. Where it has
            ``probabilities``, the three-class Kelly stake bounds the size (KELLY_FRACTION).
        account_balance
            Equity as the venue reports it. The first one starts the account; later, a new
            figure that differs from the manager's own equity is a cash flow, never PnL. The
            figure of the last call is no news, nor is the manager's own equity, now or as it was
            last given out (``GIVEN_EQUITIES`` figures since the last cash flow). At 0 and below,
            positions are closed and none is opened.

        Returns
        -------
        dict
            ``action`` (open_position, close_position, reject_signal, monitor, halt),
            ``risk_level`` (LOW, MEDIUM, HIGH), ``reason``, ``position`` (the one that is opened,
            closed or held) and ``risk_status`` (VaR, CVaR as a share of the equity a minute,
            positive for a loss; drawdown as a share). Plain JSON-safe Python.

        Raises
        ------
        DataError
            Malformed input; the state's bytes are as they were.
        StateError
            The journal was closed, or belongs to the process that this one is a fork of.
        """
        quote = read_quote(market_data, signal, self._clock)
        request = read_signal(signal)
        balance = read_equity(account_balance, "account_balance")
        refusal: str | None = None
        with self._lock:
            if self._journal is not None:
                self._journal.check()
            position = self._positions.get(quote.symbol)
            if position is None:
                self._check_name("market_data", quote.symbol, held=True)
                position = allocate_position(self._config, quote.symbol)
            timestamp = quote.timestamp
            if not quote.stamped:
                # Without a time stamp, nothing says that it is older than the one before.
                timestamp = max(timestamp, int(position["timestamp"][0]))
            account, prices = self._account, quote[3:7]
            minutes = account["samples"][0]
            action = decide_step(
                account, position, timestamp, *prices, balance, *request, quote.funding_rate
            )
            if action < 0:
                raise DataError(f"the risk step refuses its input: {Refusal(action).name}")
            self._positions[quote.symbol] = position
            if quote.stamped and position["timestamp"][0] == timestamp:
                self._clock.note(quote.symbol, timestamp)
            if action == Action.OPEN_POSITION:
                refusal = self._enter(market_data, signal, quote.symbol, position, timestamp)
                report = read_report(position)
            else:
                act_step(self._account, position)
                report = read_report(position)
                self._journal_tick(quote.symbol, position, report, timestamp)
            statistics = self._current_statistics(report.samples)
            crossed = report.crossed
            alerts = self._alerts.collect(crossed, quote.symbol, account, position)
            if report.samples != minutes:
                alerts += self._alerts.silent(account, self._positions)
        result = describe(
            report,
            statistics,
            max_daily_loss=self._config.MAX_DAILY_LOSS,
            max_drawdown=self._config.MAX_DRAWDOWN,
            refusal=refusal,
        )
        if self._journal is not None and self._journal.problem is not None:
            result["risk_level"] = "HIGH"
            result["risk_status"]["alerts"].append(
                f"the risk journal cannot be written ({self.journal_problem}): no entries"
            )
        log_decision(quote.symbol, report, result)
        self._alerts.send(alerts)
        return result

    def metrics(self) -> dict[str, Any]:
        """Return the account's figures: money, limits, trades, statistics, open positions."""
        with self._lock:
            statistics = self._current_statistics(int(self._account["samples"][0]))
            figures = account_metrics(self._account, self._positions, statistics)
            return figures | {"alerts": self._alerts.statistics(self._account)}

    def _enter(
        self,
        market_data: Mapping[str, Any],
        signal: Mapping[str, Any],
        symbol: str,
        position: npt.NDArray[Any],
        timestamp: int,
    ) -> str | None:
        """Make a proposed entry, unless a rule or the journal refuses it; return why it did."""
        try:
            refusal = self._entry_refusal(market_data, signal, symbol, position)
        except BaseException:
            report = self._refuse(symbol, position, timestamp)
            self._alerts.send(self._alerts.collect(report.crossed, symbol, self._account, position))
            raise
        if refusal is not None:
            self._refuse(symbol, position, timestamp)
            return refusal
        account_before, position_before = self._account.copy(), position.copy()
        act_step(self._account, position)
        if self._journal_tick(symbol, position, read_report(position), timestamp):
            return None
        # Nobody is told of an entry that a restart would not know.
        self._account[:], position[:] = account_before, position_before
        refuse_step(position)
        position["report"]["reason"] = int(Reason.JOURNAL_FAILED)
        act_step(self._account, position)
        return self.journal_problem

    def _refuse(self, symbol: str, position: npt.NDArray[Any], timestamp: int) -> Report:
        """Make no entry of the one that was proposed."""
        refuse_step(position)
        act_step(self._account, position)
        report = read_report(position)
        self._journal_tick(symbol, position, report, timestamp)
        return report

    def _entry_refusal(
        self,
        market_data: Mapping[str, Any],
        signal: Mapping[str, Any],
        symbol: str,
        position: npt.NDArray[Any],
    ) -> str | None:
        """Return why a proposed entry is not to be made, asking the subclass last."""
        if signal.get("filter_reason") is not None:
            return f"the signal was filtered ({signal['filter_reason']})"
        proposed = {"symbol": symbol, **position_dict(read_report(position))}
        answer: Any = self.allow_entry(market_data, signal, proposed)
        if answer is not None and not isinstance(answer, str):
            raise DataError(
                f"allow_entry of {type(self).__name__} returned {answer!r}; it must return None "
                "to allow the entry, or text that says why not"
            )
        return answer

    def _journal_tick(
        self, symbol: str, position: npt.NDArray[Any], report: Report, timestamp: int
    ) -> bool:
        """Note a cash flow and journal what a quote changed; return False where that failed."""
        durable = report.action in _LASTING
        if report.cash_flow != 0.0:
            self._note_cash_flow(timestamp, report.cash_flow)
            durable = True
        if self._journal is None:
            return True
        return self._journal.tick(symbol, position, samples=report.samples, durable=durable)
