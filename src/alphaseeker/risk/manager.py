"""The risk manager: the state machine of one account, with plain Python in and out."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from alphaseeker.config import Config, RiskConfig
from alphaseeker.errors import DataError
from alphaseeker.risk.account import clock_step, lift_halt_step
from alphaseeker.risk.fills import fill_step
from alphaseeker.risk.inputs import read_equity, read_fill, read_positions, read_quote, read_signal
from alphaseeker.risk.metrics import account_metrics, equity_statistics
from alphaseeker.risk.reconciliation import settle, take_positions, trust_venue, venue_targets
from alphaseeker.risk.report import (
    Report,
    Statistics,
    describe,
    held_position,
    held_side,
    position_dict,
    read_report,
)
from alphaseeker.risk.snapshot import decode, encode
from alphaseeker.risk.state import (
    Action,
    Refusal,
    State,
    allocate_account,
    allocate_position,
    write_rules,
)
from alphaseeker.risk.step import act_step, decide_step, refuse_step
from alphaseeker.risk.stream_clock import StreamClock

__all__ = ["RiskManager"]

logger = logging.getLogger(__name__)

SEEN_FILLS = 100_000  # fill ids remembered, to know a fill that comes twice
KEPT_FLOWS = 1_000  # cash flows listed; their total and count are never lost


class RiskManager:
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

    Raises
    ------
    ConfigError
        An unknown key (the message names the nearest known one), or a value out of range.

    Notes
    -----
    Positions change by ``manage`` (paper fills at the quote: buys at the ask, sells at the bid,
    TRANSACTION_COST_PCT a side) until ``on_fill`` or ``reconcile`` is first called; from then on
    the venue's word alone changes them, and ``manage`` repeats what to do until a fill comes. A
    paper position that is open at that moment is undone: the venue's fill takes its place.

    Subclasses add rules of their own by overriding ``allow_entry``. Calls from several threads
    are taken one after the other.
    """

    def __init__(
        self,
        config: RiskConfig | Mapping[str, Any] | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._config = _checked(config, RiskConfig())
        self._clock = StreamClock(clock, monotonic)
        self._lock = threading.RLock()
        self._account = allocate_account(self._config)
        self._positions: dict[str, npt.NDArray[Any]] = {}
        self._fills: dict[tuple[str, str], None] = {}
        self._statistics = Statistics(0.0, 0.0, 0.0)
        self._statistics_samples = 0
        self._cash_flows: deque[dict[str, float | int]] = deque(maxlen=KEPT_FLOWS)

    @property
    def config(self) -> RiskConfig:
        """The settings in force."""
        return self._config

    @property
    def state(self) -> str:
        """ACTIVE, REDUCING (daily loss limit) or HALTED (drawdown limit)."""
        return State(int(self._account["state"][0])).name

    @property
    def equity(self) -> float:
        """Equity after leaving every position at its last quote, exit fees paid."""
        return float(self._account["equity"][0])

    @property
    def cash_flows(self) -> list[dict[str, float | int]]:
        """The last deposits and withdrawals seen: ``timestamp`` (ns), ``amount``, ``equity``."""
        return list(self._cash_flows)

    def configure(self, config: RiskConfig | Mapping[str, Any]) -> None:
        """Change settings: a whole ``RiskConfig``, or a mapping of keys over the present ones.

        State, money and the stops of open positions stay.

        Raises
        ------
        ConfigError
            An unknown key, or a value out of range; nothing is changed then.
        """
        with self._lock:
            self._config = _checked(config, self._config)
            write_rules(self._account, self._config)

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
            Why the entry is refused; None allows it. Exits are never asked about.
        """
        return None

    def manage(
        self, market_data: Mapping[str, Any], signal: Mapping[str, Any], account_balance: float
    ) -> dict[str, Any]:
        """Take one quote and one signal; return what to do and how the account stands.

        Parameters
        ----------
        market_data
            ``bid_price``, ``ask_price``; optionally ``bid_volume``, ``ask_volume``, ``symbol``
            and ``timestamp`` (where it is missing, the clock of the stream; see
            ``StreamClock``). A quote older than the last one blocks exits until one is in order,
            or until three late ones in a row, whose times rise, set the symbol's time anew.
        signal
            What ``predict`` returned; ``signal_label`` or ``signal`` is enough.
        account_balance
            Equity as the venue reports it. The first one starts the account; later, a new
            figure that differs from the manager's own equity is a cash flow, never PnL. The
            figure of the last call, or the manager's own equity, is no news. At 0 and below,
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
        """
        quote = read_quote(market_data, signal, self._clock)
        request = read_signal(signal)
        balance = read_equity(account_balance, "account_balance")
        refusal: str | None = None
        with self._lock:
            position = self._positions.get(quote.symbol)
            if position is None:
                position = allocate_position()
            timestamp = quote.timestamp
            if not quote.stamped:
                # Without a time stamp, nothing says that it is older than the one before.
                timestamp = max(timestamp, int(position["timestamp"][0]))
            action = decide_step(
                self._account,
                position,
                timestamp,
                quote.bid_price,
                quote.ask_price,
                quote.bid_volume,
                quote.ask_volume,
                balance,
                request.intent,
                request.strength,
            )
            if action < 0:
                raise DataError(f"the risk step refuses its input: {Refusal(action).name}")
            self._positions[quote.symbol] = position
            if quote.stamped and position["timestamp"][0] == timestamp:
                self._clock.note(quote.symbol, timestamp)
            if action == Action.OPEN_POSITION:
                refusal = self._entry_refusal(market_data, signal, quote.symbol, position)
                if refusal is not None:
                    refuse_step(position)
            act_step(self._account, position)
            report = read_report(position)
            statistics = self._current_statistics(report.samples)
            if report.cash_flow != 0.0:
                self._note_cash_flow(timestamp, report.cash_flow)
        result = describe(
            report,
            statistics,
            max_daily_loss=self._config.MAX_DAILY_LOSS,
            max_drawdown=self._config.MAX_DRAWDOWN,
            refusal=refusal,
        )
        _log(quote.symbol, report, result)
        return result

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
            ``realised_pnl`` (the fee deducted) and ``position`` after it.

        Raises
        ------
        DataError
            Malformed input; the state's bytes are as they were.
        """
        parsed = read_fill(fill, self._clock, self._config)
        key = (parsed.symbol, parsed.identity)
        with self._lock:
            if key in self._fills:
                return self._fill_result(parsed.symbol, applied=False, realised=0.0)
            trust_venue(self._account, self._positions)
            self._fills[key] = None
            if len(self._fills) > SEEN_FILLS:
                del self._fills[next(iter(self._fills))]
            clock_step(self._account, parsed.timestamp)
            position = self._positions.setdefault(parsed.symbol, allocate_position())
            realised = fill_step(self._account, position, parsed.quantity, parsed.price, parsed.fee)
            return self._fill_result(parsed.symbol, applied=True, realised=float(realised))

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
            flow, but where fills were missed, a shortfall is a loss that counts.

        Raises
        ------
        DataError
            Malformed input, or no price is known for a position; the state is as it was.
        """
        listed, whole = read_positions(position)
        balance = read_equity(equity, "equity")
        with self._lock:
            now = self._clock.now()
            targets = venue_targets(listed, self._positions, whole=whole)
            changed, missed = take_positions(self._account, self._positions, targets, now)
            flow, loss = settle(self._account, balance, fills_missed=missed)
            if flow != 0.0:
                self._note_cash_flow(now, flow)
        if changed or loss:
            logger.warning("reconciled %s; missed loss %.10g", changed, loss)
        return {"changed": changed, "cash_flow": flow, "missed_loss": loss}

    def position_side(self, symbol: str) -> str:
        """Return FLAT, LONG or SHORT; a symbol never seen is FLAT."""
        return held_side(self._positions.get(symbol))

    def position(self, symbol: str) -> dict[str, Any]:
        """Return ``side, size, entry_price, stop_loss, take_profit`` of a symbol's position."""
        return held_position(self._positions.get(symbol))

    def reset_halt(self) -> bool:
        """Lift a drawdown halt; the drawdown is counted anew from the present equity.

        A daily loss limit is not lifted: it ends with the UTC day.

        Returns
        -------
        bool
            Whether a halt was lifted.
        """
        with self._lock:
            if self.state != State.HALTED.name:
                return False
            lift_halt_step(self._account)
            logger.warning("halt lifted by hand; the account is %s", self.state)
            return True

    def metrics(self) -> dict[str, Any]:
        """Return the account's figures: money, limits, trades, statistics, open positions."""
        with self._lock:
            statistics = self._current_statistics(int(self._account["samples"][0]))
            return account_metrics(self._account, self._positions, statistics)

    def state_bytes(self) -> bytes:
        """Return the whole state as bytes with a layout hash and a checksum."""
        with self._lock:
            return encode(self._account, self._positions, self._fills)

    def restore_bytes(self, data: bytes) -> None:
        """Take the state of ``state_bytes``; this manager's own settings stay in force.

        Raises
        ------
        StateError
            The bytes are damaged or of another layout; the present state stays.
        """
        snapshot = decode(data)
        with self._lock:
            self._account[:] = snapshot.account
            write_rules(self._account, self._config)
            self._positions = snapshot.positions
            self._fills = dict.fromkeys(snapshot.fills)
            self._statistics_samples = -1
            self._clock.forget()

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
        return self.allow_entry(market_data, signal, proposed)

    def _note_cash_flow(self, timestamp: int, amount: float) -> None:
        self._cash_flows.append({"timestamp": timestamp, "amount": amount, "equity": self.equity})
        logger.info("cash flow of %.10g; equity %.10g", amount, self.equity)

    def _fill_result(self, symbol: str, *, applied: bool, realised: float) -> dict[str, Any]:
        return {"applied": applied, "realised_pnl": realised, "position": self.position(symbol)}

    def _current_statistics(self, samples: int) -> Statistics:
        """Return the statistics, computed anew only where a minute was sampled since."""
        if samples != self._statistics_samples:
            self._statistics = equity_statistics(self._account)
            self._statistics_samples = samples
        return self._statistics


def _checked(config: RiskConfig | Mapping[str, Any] | None, base: RiskConfig) -> RiskConfig:
    if config is None:
        return base
    if isinstance(config, RiskConfig):
        return config
    return Config(risk=base).override({"risk": config}).risk


def _log(symbol: str, report: Report, result: dict[str, Any]) -> None:
    if report.action == Action.HALT:
        logger.warning("%s: halt, %s", symbol, result["reason"])
    elif report.action in (Action.OPEN_POSITION, Action.CLOSE_POSITION):
        logger.info("%s: %s, %s", symbol, result["action"], result["reason"])
