"""What a backtest came to, in plain finite numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.backtest.state import END_OF_DATA
from alphaseeker.factors.portfolio import MAX_RATIO, calmar, sharpe, sortino
from alphaseeker.inference.signal import Side
from alphaseeker.risk.state import Reason
from alphaseeker.training.sharpe import (
    MIN_PERIODS,
    deflated_sharpe,
    probabilistic_sharpe,
    sharpe_moments,
)

__all__ = ["of_gaps", "period_returns", "reason_name", "summarise", "why_no_trade"]

YEAR_S = 365 * 86_400
# The longest period of which there are thirty: minutes of a short test, days of a long one.
PERIODS_S = (86_400, 3_600, 60)
LEAST_PERIODS = 30
BASIS_POINTS = 1e4


def reason_name(reason: int) -> str:
    """Return the name of an entry's or exit's reason, as the trades hold it."""
    return "END_OF_DATA" if reason == END_OF_DATA else Reason(reason).name


def period_returns(samples: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], int]:
    """Return the equity's simple returns by period, and the length of a period in seconds.

    Parameters
    ----------
    samples
        Dtype ``state.SAMPLE``: the start, ends of minutes, and the last row. A gap between two of
        them counts as one period: it is no market time.

    Returns
    -------
    tuple
        Shape (p,); and 86,400, 3,600 or 60: the longest of which there are thirty.
    """
    stamps = samples["timestamp"] // (60 * 10**9)
    equity = samples["equity"]
    for seconds in PERIODS_S:
        marks = stamps // (seconds // 60)
        ends = np.append(np.flatnonzero(np.diff(marks) > 0) + 1, len(marks) - 1)
        if len(ends) > LEAST_PERIODS or seconds == PERIODS_S[-1]:
            break
    values = np.concatenate((equity[:1], equity[ends]))
    before, after = values[:-1], values[1:]
    returns = np.where(before > 0.0, after / np.where(before > 0.0, before, 1.0) - 1.0, 0.0)
    return returns, seconds


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else 0.0


def _significance(
    returns: npt.NDArray[np.float64], period_s: int, searched: Mapping[str, float]
) -> dict[str, Any]:
    """Return the Sharpe ratio's worth; ``searched`` says what the model was chosen from."""
    trials = float(searched.get("trials", 1.0))
    variance = float(searched.get("variance_per_s", 0.0)) * period_s
    plain = {"trials": trials, "probabilistic_sharpe": 0.0, "deflated_sharpe": 0.0}
    if len(returns) < MIN_PERIODS or not returns.any():
        return {**plain, "note": f"{len(returns)} periods or no trade: too little to judge"}
    moments = sharpe_moments(returns)
    return {
        "trials": trials,
        "probabilistic_sharpe": probabilistic_sharpe(moments),
        "deflated_sharpe": deflated_sharpe(moments, trials=trials, variance=variance),
        "note": "",
    }


def summarise(
    control: npt.NDArray[Any],
    samples: npt.NDArray[Any],
    trades: npt.NDArray[Any],
    *,
    initial: float,
    searched: Mapping[str, float],
) -> dict[str, Any]:
    """Return the metrics; see ``BacktestResult``.

    Parameters
    ----------
    control
        Shape (1,), dtype ``state.CONTROL``, at the end.
    samples, trades
        Dtypes ``state.SAMPLE`` and ``trades.TRADE``.
    initial
        Equity at the start.
    searched
        ``trials`` and ``variance_per_s`` (of their Sharpe ratios, a second) of the search behind
        the model; empty where there was none.
    """
    c = control[0]
    final = float(samples["equity"][-1]) if len(samples) else initial
    returns, period_s = period_returns(samples) if len(samples) > 1 else (np.zeros(0), 60)
    a_year = YEAR_S / period_s
    net = trades["net_pnl"]
    turnover = float(trades["turnover"].sum())
    gross = float(trades["gross_pnl"].sum())
    fees = float(trades["fees"].sum())
    funding = float(trades["funding"].sum())
    spread = float(trades["spread_cost"].sum())
    won, lost = float(net[net > 0.0].sum()), -float(net[net < 0.0].sum())
    profit_factor = min(won / lost, MAX_RATIO) if lost > 0.0 else (MAX_RATIO if won > 0.0 else 0.0)
    holding = (trades["exit_time"] - trades["entry_time"]) * 1e-9
    earned = trades["gross_pnl"] + trades["spread_cost"]
    watched = float(c["watched_ns"])
    mean_equity = float(samples["equity"].mean()) if len(samples) else initial
    return {
        "initial_equity": initial,
        "final_equity": final,
        "net_pnl": final - initial,
        "net_return": final / initial - 1.0,
        "gross_return": gross / initial,
        "return_before_costs": (gross + spread) / initial,
        "sharpe": sharpe(returns, a_year),
        "sortino": sortino(returns, a_year),
        "calmar": calmar(returns, a_year),
        "period_s": period_s,
        "periods": len(returns),
        "significance": _significance(returns, period_s, searched),
        "max_drawdown": float(c["max_drawdown"]),
        "trades": len(trades),
        "long_trades": int((trades["side"] > 0).sum()),
        "short_trades": int((trades["side"] < 0).sum()),
        "hit_rate": _share(float((net > 0.0).sum()), len(trades)),
        "profit_factor": profit_factor,
        "mean_trade_bp": BASIS_POINTS * _share(float(net.sum()), 0.5 * turnover),
        "mean_holding_s": float(holding.mean()) if len(trades) else 0.0,
        "turnover": _share(turnover, mean_equity),
        "traded_notional": turnover,
        "fees": fees,
        "funding": funding,
        "spread_cost": spread,
        "cost_share": _share(fees + funding + spread, float(earned[earned > 0.0].sum())),
        "break_even_cost_bp": BASIS_POINTS * _share(1.0, turnover) * (gross - funding),
        "exposure": _share(float(c["exposure_ns"]), watched),
        "time_in_market": _share(float(c["held_ns"]), watched),
        "market_time_s": watched * 1e-9,
        "ticks": int(c["ticks"]),
        "refused": int(c["refused"]),
        "signals": {side.name: int(c["signals"][side + 1]) for side in Side},
        "rejected": _counts(dict(enumerate(c["rejected"].tolist()))),
        "exits": _counts(_by_reason(trades["exit_reason"])),
        "orders": {
            name: int(c[name]) for name in ("orders", "partial", "unfilled", "waited", "expired")
        },
        "halted_at": int(c["halted_at"]) * 1e-9,
    }


def of_gaps(metrics: Mapping[str, Any], max_gap_s: float) -> tuple[str, ...]:
    """Return a warning of what was earned while the data broke off, none where nothing was."""
    held = metrics["held_over_gaps"]
    if held["trades"] == 0:
        return ()
    return (
        f"GAPS: {held['trades']:,} of {metrics['trades']:,} trades were held over a gap of more "
        f"than {max_gap_s:g} s in the data, where no stop is seen touched; {held['net_pnl']:+,.2f} "
        f"of the net {metrics['net_pnl']:+,.2f} are theirs and say little. Sharpe and drawdown "
        "hold such a jump as one step",
    )


def why_no_trade(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence that says why nothing was traded, none where something was."""
    if metrics["trades"] > 0:
        return ()
    counts, orders, rejected = metrics["signals"], metrics["orders"], metrics["rejected"]
    asked = counts["BUY"] + counts["SELL"]
    if asked == 0:
        why = f"none of {counts['HOLD']:,} signals was BUY or SELL"
    elif orders["orders"] > 0:
        why = (
            f"of {orders['orders']:,} orders {orders['unfilled']:,} found nothing to fill at, and "
            f"the data ended before {orders['expired']:,}"
        )
    else:
        most = sorted(rejected.items(), key=lambda item: -item[1])
        reasons = ", ".join(f"{count:,} by {reason}" for reason, count in most)
        why = f"{asked:,} signals were BUY or SELL, and no entry was made"
        why += f"; rejected: {reasons}" if reasons else ""
    return (f"no trade: {why}",)


def _by_reason(reasons: npt.NDArray[np.int64]) -> dict[int, int]:
    found, counts = np.unique(reasons, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _counts(counts: Mapping[int, int]) -> dict[str, int]:
    return {reason_name(reason): count for reason, count in counts.items() if count > 0}
