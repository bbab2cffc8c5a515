"""What a page says of one factor: its grade and score, and all of its figures on one card."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from alphaseeker.factors.duration import duration
from alphaseeker.factors.grade import GRADES, POINTS
from alphaseeker.report.charts import column_chart, meter, sparkline
from alphaseeker.report.page import DASH, number, p_value, signed, table

__all__ = ["PART_NAMES", "factor_card", "grade_badge", "measured_steps", "score_meter"]

Factor = Mapping[str, Any]

PART_NAMES = {
    "ic": "information coefficient",
    "p_value": "corrected p-value",
    "return_spread": "quantile spread",
    "sharpe": "Sharpe",
    "sortino": "Sortino",
    "calmar": "Calmar",
}


def grade_badge(name: object, why: object = "") -> str:
    """Return a grade in its colour; what is no grade stands as E.

    ``why`` is what capped it, shown on hovering.
    """
    known = str(name) if name in GRADES else "E"
    told = f' title="{escape(str(why))}"' if why else ""
    return f'<span class="grade grade-{known}"{told}>{known}</span>'


def score_meter(factor: Factor) -> str:
    """Return the total as a bar, what caps took away in grey."""
    total = factor.get("total_score")
    if not isinstance(total, (int, float)):
        return DASH
    points = sum(factor.get("score_parts", {}).values())
    return meter(float(total), 100.0, before=points if points > total + 0.05 else None)


def measured_steps(factor: Factor) -> list[Factor]:
    """Return the horizons of ``ic_decay`` at which there was anything to measure."""
    return [step for step in factor.get("ic_decay") or [] if step.get("n_blocks") != 0]


def factor_card(factor: Factor, starts: Sequence[float], *, is_open: bool) -> str:
    """Return all that is known of a factor as a card that opens; what is missing is left out.

    Parameters
    ----------
    factor
        One of ``factor_results``.
    starts
        Seconds UTC at which the blocks of ``rolling_ic`` begin; may be empty.
    is_open
        Whether the card is open at first.
    """
    cells = [
        _parts_of_score(factor),
        _decay(factor),
        _rolling(factor, starts),
        _regimes(factor),
        _days(factor),
        _facts(factor),
        _symbols(factor),
    ]
    reason = factor.get("reason")
    return (
        f"<details{' open' if is_open else ''}><summary>{grade_badge(factor.get('grade'))}"
        f"<b>{escape(str(factor['factor_name']))}</b>"
        f"<span>IC {signed(factor.get('ic'))}, t {signed(factor.get('ic_t'), '+.1f')}</span>"
        + (f"<span class=soft>{escape(str(reason))}</span>" if reason else "")
        + f'</summary><div class="cells">{"".join(f"<div>{cell}</div>" for cell in cells if cell)}'
        "</div></details>"
    )


def _parts_of_score(factor: Factor) -> str:
    parts = factor.get("score_parts") or {}
    if not parts:
        return ""
    rows = [
        [PART_NAMES[name], number(parts.get(name), ".1f"), meter(float(parts.get(name, 0.0)), most)]
        for name, (most, _) in POINTS.items()
    ]
    rows.append(["<b>total</b>", number(factor.get("total_score"), ".1f"), score_meter(factor)])
    return f"<h3>Score</h3>{table(['part', 'points', ''], rows, left=(2,))}"


def _decay(factor: Factor) -> str:
    decay = measured_steps(factor)
    if not decay:
        return ""
    errors = [abs(step["ic"] / step["ic_t"]) if step.get("ic_t") else None for step in decay]
    chart = column_chart(
        [duration(step["horizon_s"]) for step in decay],
        [float(step["ic"]) for step in decay],
        errors=errors,
        title="IC at each horizon, with two standard errors",
    )
    return f"<h3>IC by horizon, ± 2 standard errors</h3>{chart}"


def _moment(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M")


def _rolling(factor: Factor, starts: Sequence[float]) -> str:
    rolling = factor.get("rolling_ic") or []
    if not rolling:
        return ""
    words = "IC of each block, in order of time"
    share = (factor.get("sign_share") or {}).get("blocks")
    chart = sparkline(rolling, title=words, width=300)
    told = f'<p class="soft">{_moment(starts[0])} to {_moment(starts[-1])} UTC' if starts else "<p>"
    if isinstance(share, (int, float)):
        told += f"; {share:.0%} of blocks on the side of the mean"
    return f"<h3>IC by block</h3>{chart}{told}</p>"


def _regimes(factor: Factor) -> str:
    regimes = factor.get("ic_by_regime") or {}
    if not regimes:
        return ""
    chart = column_chart(
        [f"{name} ({part['n_blocks']})" for name, part in regimes.items()],
        [float(part["ic"]) for part in regimes.values()],
        title="Mean IC by the volatility before the block; number of blocks in brackets",
    )
    return f"<h3>IC by past volatility (blocks)</h3>{chart}"


def _days(factor: Factor) -> str:
    days = factor.get("ic_by_day") or []
    if len(days) < 2 or max(day.get("n_blocks", 0) for day in days) < 2:  # else these are blocks
        return ""
    share = (factor.get("sign_share") or {}).get("days")
    chart = sparkline([float(day["ic"]) for day in days], title="Mean IC by day", width=300)
    told = f"{days[0]['day']} to {days[-1]['day']}, {len(days)} days"
    if isinstance(share, (int, float)):
        told += f"; {share:.0%} on the side of the mean"
    return f'<h3>IC by day</h3>{chart}<p class="soft">{told}</p>'


def _facts(factor: Factor) -> str:
    facts = [
        ("p-value", p_value(factor.get("p_value"))),
        ("Bonferroni", p_value(factor.get("p_value_bonferroni"))),
        ("Holm", p_value(factor.get("p_value_holm"))),
        ("Benjamini-Hochberg", p_value(factor.get("p_value_bh"))),
        ("t after Newey and West", signed(factor.get("newey_west_t"), "+.1f")),
        ("ICIR", number(factor.get("ic_ir"))),
        ("IC over all rows, Pearson", f"{_pair(factor, 'ic_pooled', 'pearson')}"),
        ("IC of past quantiles", signed(factor.get("past_ic"))),
        ("t of the portfolio's gain", signed(factor.get("gain_t"), "+.1f")),
        ("spread, net (bp)", _pair(factor, "return_spread_bp", "return_spread_net_bp", "+.2f")),
        ("break-even fee (bp a side)", number(factor.get("break_even_cost_bp"))),
        ("Sharpe, net", _pair(factor, "sharpe", "sharpe_net", "+.1f")),
        ("Sortino, Calmar", _pair(factor, "sortino", "calmar", ".4g")),
        ("largest drawdown", number(_percent(factor.get("max_drawdown")), ".2f") + " %"),
        ("turnover, autocorrelation", _pair(factor, "turnover", "autocorrelation", ".2f")),
        ("observations", number(factor.get("n_observations"), ",d")),
    ]
    return f"<h3>Figures</h3>{table(['', ''], [list(fact) for fact in facts])}"


def _pair(factor: Factor, first: str, second: str, form: str = "+.3f") -> str:
    return f"{number(factor.get(first), form)}, {number(factor.get(second), form)}"


def _percent(value: object) -> float:
    return 100.0 * value if isinstance(value, (int, float)) else math.nan


def _symbols(factor: Factor) -> str:
    symbols = factor.get("by_symbol") or []
    if not symbols:
        return ""
    rows = [
        [
            escape(str(each.get("symbol"))),
            signed(each.get("ic")),
            signed(each.get("ic_t"), "+.1f"),
            p_value(each.get("p_value")),
            number(each.get("n_blocks"), "d"),
        ]
        for each in symbols
    ]
    return f"<h3>By symbol</h3>{table(['symbol', 'IC', 't', 'p', 'blocks'], rows)}"
