"""Tables of a backtest for the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from alphaseeker.console import grid

__all__ = ["backtest_lines", "backtest_tables"]


def backtest_tables(metrics: Mapping[str, Any], folds: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Return what was earned, what it cost, how it was traded, and the folds if there are any."""
    earned = grid(
        f"{metrics['trades']:,} trades in {metrics['market_time_s'] / 3600:,.1f} h of market time",
        "net return",
        "before fees",
        "before spread too",
        "Sharpe",
        "Sortino",
        "Calmar",
        "max drawdown",
        "deflated Sharpe",
    )
    earned.add_row(
        f"{metrics['net_return']:+.3%}",
        f"{metrics['gross_return']:+.3%}",
        f"{metrics['return_before_costs']:+.3%}",
        f"{metrics['sharpe']:+.2f}",
        f"{metrics['sortino']:+.2f}",
        f"{metrics['calmar']:+.2f}",
        f"{metrics['max_drawdown']:.3%}",
        f"{metrics['significance']['deflated_sharpe']:.1%}",
    )
    costs = grid(
        "costs",
        "turnover",
        "fees",
        "spread and depth",
        "funding",
        "costs of winners' earnings",
        "break-even bp a side",
    )
    costs.add_row(
        f"{metrics['turnover']:,.1f}",
        f"{metrics['fees']:,.2f}",
        f"{metrics['spread_cost']:,.2f}",
        f"{metrics['funding']:,.2f}",
        f"{metrics['cost_share']:.1%}",
        f"{metrics['break_even_cost_bp']:+.2f}",
    )
    traded = grid(
        "trades",
        "long / short",
        "hit rate",
        "profit factor",
        "mean trade bp",
        "mean holding s",
        "time in market",
        "exposure",
    )
    traded.add_row(
        f"{metrics['long_trades']:,} / {metrics['short_trades']:,}",
        f"{metrics['hit_rate']:.1%}",
        f"{metrics['profit_factor']:.2f}",
        f"{metrics['mean_trade_bp']:+.2f}",
        f"{metrics['mean_holding_s']:,.1f}",
        f"{metrics['time_in_market']:.1%}",
        f"{metrics['exposure']:.3f}",
    )
    tables = [earned, costs, traded]
    if metrics["exits"] or metrics["rejected"]:
        tables.append(_reasons(metrics))
    if folds:
        tables.append(_folds(folds))
    return tables


def _reasons(metrics: Mapping[str, Any]) -> Table:
    table = grid("why", "", "count")
    for what, counts in (("exit", metrics["exits"]), ("rejected", metrics["rejected"])):
        for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
            table.add_row(f"{what} {reason.lower().replace('_', ' ')}", f"{count:,}")
    return table


def _folds(folds: Sequence[Mapping[str, Any]]) -> Table:
    table = grid(
        "folds, each from the initial equity",
        "fold",
        "from",
        "to",
        "trades",
        "net return",
        "before fees",
        "Sharpe",
        "max drawdown",
        "break-even bp a side",
    )
    for fold in folds:
        table.add_row(
            str(fold["fold"]),
            fold["start"],
            fold["end"],
            f"{fold['trades']:,}",
            f"{fold['net_return']:+.3%}",
            f"{fold['gross_return']:+.3%}",
            f"{fold['sharpe']:+.2f}",
            f"{fold['max_drawdown']:.3%}",
            f"{fold['break_even_cost_bp']:+.2f}",
        )
    return table


def backtest_lines(result: Mapping[str, Any]) -> list[str]:
    """Say in words what no table holds; warnings stand first."""
    metrics, settings = result["metrics"], result["settings"]
    orders = metrics["orders"]
    names = ", ".join(name or "a symbol without a name" for name in metrics["symbols"])
    lines = [f"warning: {warning}" for warning in result["warnings"]]
    lines.append(
        f"ticks    {metrics['ticks']:,} of {names} from "
        f"{metrics['start']} to {metrics['end']}, {metrics['refused']:,} refused; "
        f"{metrics['seconds']:.2f} s, {metrics['ticks_per_s']:,.0f} a second"
    )
    signals = ", ".join(f"{count:,} {side}" for side, count in metrics["signals"].items())
    lines.append(f"signals  {signals}")
    lines.append(
        f"orders   {orders['orders']:,} as taker, {settings['latency_ms']:g} ms after the tick: "
        f"{orders['partial']:,} filled in part, {orders['unfilled']:,} not at all, "
        f"{orders['waited']:,} waited over a gap, {orders['expired']:,} outlived the data"
    )
    lines.append(
        f"equity   {metrics['initial_equity']:,.2f} to {metrics['final_equity']:,.2f}, net "
        f"{metrics['net_pnl']:+,.2f}"
    )
    if metrics["halted_at"] > 0.0:
        lines.append("halted   MAX_DRAWDOWN was touched: nothing was opened after it")
    return lines
