"""The evaluation of factors as a text table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alphaseeker.config import Config
from alphaseeker.factors.duration import duration

__all__ = ["factor_table"]


def factor_table(
    results: Sequence[Mapping[str, Any]],
    *,
    symbols: Sequence[str],
    rows: int,
    n_tested: int,
    config: Config,
) -> str:
    """Write results of ``evaluate_factor_blocks`` for a terminal.

    Parameters
    ----------
    results
        In the order in which they are to stand.
    symbols, rows, n_tested
        What was evaluated: instruments, rows in all, factors that could be tested.
    config
        The settings that were used.

    Returns
    -------
    str
        Lines without a trailing newline.
    """
    named = ", ".join(symbol or "(no symbol)" for symbol in symbols[:5])
    if len(symbols) > 5:
        named += f" and {len(symbols) - 5} more"
    named = f"Factors of {named}" if any(symbols) else "Factors"
    significant = sum(1 for result in results if result["significant"])
    cost_bp = config.risk.TRANSACTION_COST_PCT * 1e4
    width = max([len("factor"), *(len(result["factor_name"]) for result in results)])
    lines = [
        f"{named}: {rows:,} rows, forward return over {duration(config.factor.FORWARD_S)}",
        f"{significant} of {n_tested} tested factors significant at {config.factor.ALPHA:g} "
        "after Bonferroni's correction and confirmed by trading on the past",
        f"spread: highest minus lowest of {config.factor.QUANTILES} quantiles, in the direction "
        f"of the IC so far; net of {cost_bp:g} bp and half the quoted spread a side",
        "",
        f"{'factor':<{width}} grade score     IC      t  p (Bonf.) spread bp  net bp break-even "
        "  Sharpe turnover blocks",
    ]
    lines.extend(
        f"{result['factor_name']:<{width}} {result['grade']:<5} {result['total_score']:5.1f} "
        f"{result['ic']:+6.3f} {result['ic_t']:+6.1f} {result['p_value_bonferroni']:10.2g} "
        f"{result['return_spread_bp']:9.2f} {result['return_spread_net_bp']:7.2f} "
        f"{result['break_even_cost_bp']:10.2f} {result['sharpe']:8.1f} "
        f"{result['turnover']:8.2f} {result['n_blocks']:6d}"
        for result in results
    )
    return "\n".join(lines)
