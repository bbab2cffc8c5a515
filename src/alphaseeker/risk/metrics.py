"""The account's figures as a plain dictionary, for statistics and monitoring."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.risk.account import limit_shares
from alphaseeker.risk.report import Statistics, held_position
from alphaseeker.risk.state import RETURN_MINUTES, Action, State
from alphaseeker.risk.statistics import (
    cornish_fisher,
    historical_cvar,
    historical_var,
    sharpe_ratio,
)

__all__ = ["account_metrics", "equity_statistics"]


def equity_statistics(account: npt.NDArray[Any], method: str = "historical") -> Statistics:
    """Return VaR, CVaR and Sharpe ratio of the equity's returns a minute over the last day.

    Parameters
    ----------
    account
        Shape (1,), dtype ``ACCOUNT``.
    method
        ``historical``, or ``cornish_fisher``: outside the latter's domain of validity the
        historical figures stand in. Which were used, ``var_method`` says.
    """
    kept = np.asarray(account["returns"][0][: min(int(account["samples"][0]), RETURN_MINUTES)])
    expanded = cornish_fisher(kept) if method == "cornish_fisher" else None
    if expanded is None:
        var, cvar, method = historical_var(kept), historical_cvar(kept), "historical"
    else:
        var, cvar = expanded
    return Statistics(var_95=var, cvar_95=cvar, sharpe=sharpe_ratio(kept), var_method=method)


def account_metrics(
    account: npt.NDArray[Any], positions: Mapping[str, npt.NDArray[Any]], statistics: Statistics
) -> dict[str, Any]:
    """Return money, limits, trades, statistics and positions; finite, plain Python.

    Parameters
    ----------
    account
        Shape (1,), dtype ``ACCOUNT``.
    positions
        Records of dtype ``POSITION``, shape (1,), by symbol.
    statistics
        Of the account's returns.
    """

    def value(name: str) -> Any:
        return account[name][0].item()

    started = value("started") == 1
    loss, drawdown = limit_shares(account) if started else (0.0, 0.0)
    trades = value("trades")
    decisions = account["decisions"][0].tolist()
    return {
        "state": State(value("state")).name,
        "equity": value("equity"),
        "balance": value("balance"),
        "daily_pnl": value("equity") - value("day_start_equity") if started else 0.0,
        "daily_loss": max(_share(loss), 0.0),
        "drawdown": _share(drawdown),
        "peak_equity": value("peak_equity"),
        "realised_pnl": value("realised_pnl"),
        "unrealised_pnl": value("unrealised") + value("unrealised_error"),
        "fees": value("fees"),
        "funding": value("funding"),
        "cash_flow": value("cash_flow"),
        "cash_flows": value("cash_flows"),
        "trades": trades,
        "wins": value("wins"),
        "hit_rate": value("wins") / trades if trades else 0.0,
        "consecutive_losses": value("consecutive_losses"),
        "cooldown_s": max(value("cooldown_until") - value("timestamp"), 0) * 1e-9,
        "orders_this_minute": value("orders"),
        "drift": value("drift") == 1,
        "open_positions": value("open_positions"),
        "notional": value("notional") + value("notional_error"),
        "pending_notional": value("pending") + value("pending_error"),
        "var_95": statistics.var_95,
        "cvar_95": statistics.cvar_95,
        "var_method": statistics.var_method,
        "sharpe": statistics.sharpe,
        "return_samples": value("samples"),
        "decisions": {
            action.name.lower(): count for action, count in zip(Action, decisions, strict=True)
        },
        "positions": {symbol: held_position(record) for symbol, record in positions.items()},
    }


def _share(value: float) -> float:
    """Return a limit's share; without a positive base, all of it is lost."""
    return 1.0 if math.isnan(value) else float(value)
