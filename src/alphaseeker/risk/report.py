"""From the report record of a step to the plain dictionary that users read."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from alphaseeker.risk.state import Action, Reason, State

__all__ = [
    "Report",
    "Statistics",
    "describe",
    "held_position",
    "held_side",
    "log_decision",
    "position_dict",
    "read_report",
]

logger = logging.getLogger(__name__)

SIDE_NAMES = {1: "LONG", 0: "FLAT", -1: "SHORT"}
_PRICES = ("entry_price", "stop_loss", "take_profit")

# A limit is worth a warning from half of it on, and is nearly reached at four fifths.
MEDIUM_SHARE = 0.5
HIGH_SHARE = 0.8

# Plain dictionaries: calling an enum by value takes longer than the whole risk step.
_STATE_NAMES = {int(state): state.name for state in State}
_MONITOR, _OPEN = int(Action.MONITOR), int(Action.OPEN_POSITION)
_ACTIVE = int(State.ACTIVE)
_ACTION_NAMES = {int(action): action.name.lower() for action in Action}

_REASONS: dict[Reason, str] = {
    Reason.NO_SIGNAL: "no_signal: nothing to do",
    Reason.IN_POSITION: "in_position: stop and target are not reached",
    Reason.NOTHING_TO_CLOSE: "nothing_to_close: no position of that side is open",
    Reason.EMPTY_SIDE: "empty_side: no fill on a book with an empty side",
    Reason.CROSSED_BOOK: "crossed_book: no fill while bid is above ask",
    Reason.LOCKED_BOOK: "locked_book: no entry while bid equals ask",
    Reason.OUT_OF_ORDER: "out_of_order: the quote is older than the last one",
    Reason.STOP_LOSS: "stop_loss: the stop was reached",
    Reason.TAKE_PROFIT: "take_profit: the target was reached",
    Reason.TIME_LIMIT: "time_limit: MAX_HOLDING_S has passed",
    Reason.TRAILING_STOP: "trailing_stop: the price fell back from its best by TRAILING_STOP_PCT",
    Reason.OPPOSITE_SIGNAL: "opposite_signal: the signal turned against the position",
    Reason.MAX_DAILY_LOSS: "MAX_DAILY_LOSS: touched; exits only until the next UTC day",
    Reason.MAX_DRAWDOWN: "MAX_DRAWDOWN: touched; exits only until reset_halt()",
    Reason.RISK_PER_TRADE: "RISK_PER_TRADE",
    Reason.MAX_POSITION_SIZE: "MAX_POSITION_SIZE",
    Reason.LOT_SIZE: "LOT_SIZE: less than one lot is left",
    Reason.MIN_NOTIONAL: "MIN_NOTIONAL: the size is worth less",
    Reason.NO_SIGNAL_STRENGTH: "no_signal_strength: the signal's strength is 0",
    Reason.COST_BREAKS_LIMIT: "cost_breaks_limit: spread and fees alone would touch a loss limit",
    Reason.STOP_INSIDE_SPREAD: "stop_inside_spread: the spread is wider than the stop's distance",
    Reason.REFUSED_BY_RULE: "refused_by_rule",
    Reason.KELLY: "KELLY",
    Reason.VOLATILITY_TARGET: "VOLATILITY_TARGET",
    Reason.MAX_EXPOSURE: "MAX_EXPOSURE (None: MAX_POSITION_SIZE, of all symbols together)",
    Reason.MAX_NOTIONAL: "MAX_NOTIONAL",
    Reason.COOLDOWN: "cooldown: MAX_CONSECUTIVE_LOSSES was reached; no entry for COOLDOWN_S",
    Reason.MAX_ORDERS_PER_MINUTE: "MAX_ORDERS_PER_MINUTE: no further entry in this minute",
    Reason.MAX_SPREAD: "MAX_SPREAD_PCT: the spread is wider",
    Reason.STALE_QUOTE: "stale_quote: older than MAX_QUOTE_AGE_S by the account's time",
    Reason.MODEL_DRIFT: "model_drift: BLOCK_ON_DRIFT allows no entry",
    Reason.JOURNAL_DAMAGED: (
        "JOURNAL_DAMAGED: exits only until reconcile(position, equity) and reset_halt()"
    ),
    Reason.JOURNAL_RECONCILED: "JOURNAL_RECONCILED: exits only until reset_halt()",
    Reason.JOURNAL_FAILED: "JOURNAL_FAILED: no entry that a restart would not know",
}
_TEXTS = {int(reason): text for reason, text in _REASONS.items()}
# What bounds a size, and why it may leave none.
_BINDING: dict[int, str] = {
    Reason.RISK_PER_TRADE: "leaves no size",
    Reason.MAX_POSITION_SIZE: "leaves no size",
    Reason.MAX_EXPOSURE: "positions, and entries that have not filled yet, leave no room",
    Reason.MAX_NOTIONAL: "leaves no size",
    Reason.VOLATILITY_TARGET: "the volatility is not known yet",
    Reason.KELLY: "the signal's probabilities do not pay for spread and fees",
}


class Report(NamedTuple):
    """The fields of the ``REPORT`` dtype, in its order, as plain Python."""

    action: int
    reason: int
    state: int
    side: int
    quantity: float
    price: float
    entry_price: float
    stop_loss: float
    take_profit: float
    stop_distance: float
    equity: float
    daily_pnl: float
    daily_loss: float
    drawdown: float
    exposure: float
    cash_flow: float
    samples: int
    late_quotes: int
    crossed: int


class Statistics(NamedTuple):
    """Statistics of the equity's returns a minute over the last day."""

    var_95: float
    cvar_95: float
    sharpe: float
    var_method: str = "historical"


def read_report(position: npt.NDArray[Any]) -> Report:
    """Return the report of a position record, shape (1,), dtype ``POSITION``."""
    values: tuple[Any, ...] = np.asarray(position)["report"].item()
    return Report._make(values)


def position_dict(report: Report) -> dict[str, Any]:
    """Return the position that a decision is about; prices of a flat one are 0.0."""
    return {
        "side": SIDE_NAMES[report.side],
        "size": report.quantity,
        "entry_price": report.entry_price,
        "stop_loss": report.stop_loss,
        "take_profit": report.take_profit,
    }


def held_side(position: npt.NDArray[Any] | None) -> str:
    """Return the side that a record, shape (1,), dtype ``POSITION``, holds; None holds nothing."""
    if position is None:
        return "FLAT"
    quantity = position["quantity"][0]
    return SIDE_NAMES[int(quantity > 0.0) - int(quantity < 0.0)]


def held_position(position: npt.NDArray[Any] | None) -> dict[str, Any]:
    """Return the position that a record, shape (1,), dtype ``POSITION``, holds; None holds none."""
    prices = {name: 0.0 if position is None else float(position[name][0]) for name in _PRICES}
    size = 0.0 if position is None else abs(float(position["quantity"][0]))
    return {"side": held_side(position), "size": size, **prices}


def _reason_text(report: Report, refusal: str | None) -> str:
    text = _TEXTS[report.reason]
    if report.action == _MONITOR:
        return text
    if report.action == _OPEN:
        side = "buy" if report.side > 0 else "sell"
        return f"{side} at {report.price:.10g}: size bound by {text}"
    if report.reason in _BINDING:
        return f"{text}: {_BINDING[report.reason]}"
    if refusal is not None:
        return f"{text}: {refusal}"
    if report.price > 0.0:
        return f"{text}; exit at {report.price:.10g}"
    return text


def _alert(name: str, value: float, limit: float) -> str:
    return f"{name} is {value:.2%} of a limit of {limit:.2%}"


def describe(
    report: Report,
    statistics: Statistics,
    *,
    max_daily_loss: float,
    max_drawdown: float,
    refusal: str | None = None,
) -> dict[str, Any]:
    """Return the dictionary of ``manage_risk``.

    Parameters
    ----------
    report, statistics
        What the step reported, and the statistics of the account.
    max_daily_loss, max_drawdown
        The limits, for risk level and alerts.
    refusal
        What a rule that refused the entry gave as its reason.
    """
    alerts: list[str] = []
    level = "LOW"
    if report.state != _ACTIVE:
        level = "HIGH"
        alerts.append(f"trading is {_STATE_NAMES[report.state]}: exits only")
    if report.late_quotes > 0:
        level = "HIGH" if level == "HIGH" else "MEDIUM"
        alerts.append("quotes out of order, exits blocked")
    daily_loss, drawdown = report.daily_loss, report.drawdown
    if daily_loss >= MEDIUM_SHARE * max_daily_loss or drawdown >= MEDIUM_SHARE * max_drawdown:
        for name, value, limit in (
            ("daily loss", daily_loss, max_daily_loss),
            ("drawdown", drawdown, max_drawdown),
        ):
            if value >= MEDIUM_SHARE * limit:
                alerts.append(_alert(name, value, limit))
                if value >= HIGH_SHARE * limit:
                    level = "HIGH"
                elif level == "LOW":
                    level = "MEDIUM"
    return {
        "action": _ACTION_NAMES[report.action],
        "risk_level": level,
        "reason": _reason_text(report, refusal),
        "position": position_dict(report),
        "risk_status": {
            "equity": report.equity,
            "daily_pnl": report.daily_pnl,
            "drawdown": report.drawdown,
            "var_95": statistics.var_95,
            "cvar_95": statistics.cvar_95,
            "sharpe": statistics.sharpe,
            "exposure": report.exposure,
            "state": _STATE_NAMES[report.state],
            "alerts": alerts,
        },
    }


def log_decision(symbol: str, report: Report, result: dict[str, Any]) -> None:
    """Log what was opened, closed or halted; ``result`` is the dictionary of ``describe``."""
    if report.action == _MONITOR:
        return
    if report.action == Action.HALT:
        logger.warning("%s: halt, %s", symbol, result["reason"])
    elif report.action in (Action.OPEN_POSITION, Action.CLOSE_POSITION):
        logger.info("%s: %s, %s", symbol, result["action"], result["reason"])
