"""The page of a factor evaluation: grades, how sure they are, costs, and which factors repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from alphaseeker.factors.duration import duration
from alphaseeker.factors.grade import GRADES, POINTS
from alphaseeker.report.charts import histogram, row_chart, sparkline
from alphaseeker.report.factor_cards import (
    PART_NAMES,
    factor_card,
    grade_badge,
    measured_steps,
    score_meter,
)
from alphaseeker.report.page import DASH, document, number, p_value, signed, table, tile

__all__ = ["factor_page", "save_factor_page"]

Result = Mapping[str, Any]

_DETAILED = 24  # factors that are shown in full; all stand in the table
_CHARTED = 20
_BINS = 20


def factor_page(result: Result) -> str:
    """Return the page of a result of ``evaluate_factors`` as one HTML file.

    It holds everything itself (no script, nothing fetched) and follows the reader's light or dark
    setting. What a result lacks is left out.

    Parameters
    ----------
    result
        As from ``evaluate_factors`` or ``evaluate_factor_blocks``, or read back from its JSON.
        Only ``factor_results`` must be there, and of each factor its ``factor_name``.

    Returns
    -------
    str
        HTML.
    """
    factors: Sequence[Result] = result["factor_results"]
    said = str(result.get("report", "")).split("\n\n")[0].splitlines()
    title, _, rest = said[0].partition(": ") if said else ("Factors", "", "")
    parts = [
        f"<header><h1>{escape(title)}</h1>",
        *(f'<p class="soft">{escape(words)}</p>' for words in (rest, *said[1:]) if words),
        _tiles(factors),
        "</header>",
        _overview(factors),
        _significance(factors),
        _costs(factors),
        _clusters(factors),
        _details(factors, result.get("blocks", {})),
        _definitions(),
    ]
    return document(title, "\n".join(part for part in parts if part))


def _numbers(factors: Sequence[Result], key: str) -> list[float]:
    found = [factor.get(key) for factor in factors]
    return [float(value) for value in found if isinstance(value, (int, float))]


def save_factor_page(result: dict[str, Any]) -> dict[str, Any]:
    """Write the page beside the JSON at ``report_path``, and say where as ``page_path``.

    Parameters
    ----------
    result
        As from ``evaluate_factor_source``; ``page_path`` is added.
    """
    path = Path(result["report_path"]).with_suffix(".html")
    path.write_text(factor_page(result), encoding="utf-8")
    result["page_path"] = str(path)
    return result


def _tiles(factors: Sequence[Result]) -> str:
    grades = Counter(factor.get("grade") for factor in factors)
    good = sum(grades[name] for name, least in GRADES.items() if least >= GRADES["B"])
    tiles = [
        tile(f"{len(factors)}", "factors"),
        tile(f"{sum(bool(factor.get('significant')) for factor in factors)}", "significant"),
        tile(f"{good}", "graded B or better"),
    ]
    clusters = {factor["cluster"] for factor in factors if "cluster" in factor}
    if clusters:
        tiles.append(tile(f"{len(clusters)}", "different factors (clusters)"))
    significant = [factor for factor in factors if factor.get("significant")]
    gaining = [value for value in _numbers(significant, "return_spread_net_bp") if value > 0.0]
    tiles.append(tile(f"{len(gaining)}", "of the significant gain after costs"))
    counts = "".join(
        f"{grade_badge(name)} {grades[name]} &nbsp; " for name in GRADES if grades[name] > 0
    )
    return f'<div class="tiles">{"".join(tiles)}</div>\n<p>{counts}</p>'


def _decay_line(factor: Result) -> str:
    known = {step["horizon_s"]: step.get("ic") for step in measured_steps(factor)}
    decay = factor.get("ic_decay") or []
    return " ".join(signed(known.get(step["horizon_s"]), "+.2f") for step in decay) or DASH


def _overview(factors: Sequence[Result]) -> str:
    horizons: Sequence[Result] = next(
        (factor["ic_decay"] for factor in factors if factor.get("ic_decay")), []
    )
    decay = "IC at " + ", ".join(duration(step["horizon_s"]) for step in horizons)
    head = ["factor", "grade", "score", "", "IC", "t", "p (Bonferroni)", "IC by block"]
    head += [decay if horizons else "IC decay", "spread bp", "net bp", "break-even bp", "Sharpe"]
    head += ["net", "turnover", "autocorr.", "blocks", "same as"]
    rows = []
    for each in factors:
        # Of what could not be measured every figure is 0, which would pass for one.
        factor = each if each.get("n_blocks") != 0 else {}
        rolling = factor.get("rolling_ic") or []
        rows.append(
            [
                escape(str(each["factor_name"])),
                grade_badge(each.get("grade"), each.get("reason")),
                number(factor.get("total_score"), ".1f"),
                score_meter(factor),
                signed(factor.get("ic")),
                signed(factor.get("ic_t"), "+.1f"),
                p_value(factor.get("p_value_bonferroni")),
                sparkline(rolling, title="IC of each block, in order of time") if rolling else DASH,
                _decay_line(factor),
                number(factor.get("return_spread_bp")),
                signed(factor.get("return_spread_net_bp"), "+.2f"),
                number(factor.get("break_even_cost_bp")),
                number(factor.get("sharpe"), ".1f"),
                number(factor.get("sharpe_net"), ".1f"),
                number(factor.get("turnover")),
                number(factor.get("autocorrelation")),
                number(factor.get("n_blocks"), "d"),
                escape(str(factor.get("redundant_with") or "")),
            ]
        )
    return (
        "<h2>All factors</h2><p class=soft>Best first. Grey in a score is what a cap took away. "
        "A bar of the IC by block is one stretch of time; blue points up, orange down. What caps "
        "a grade is told where the pointer rests on it.</p>"
        f'<div class="scroll">{table(head, rows, left=(1, 3, 7, 8, 17))}</div>'
    )


def _significance(factors: Sequence[Result]) -> str:
    values = _numbers([factor for factor in factors if factor.get("n_blocks")], "p_value")
    if not values:
        return ""
    counts = [0] * _BINS
    for value in values:
        counts[min(int(value * _BINS), _BINS - 1)] += 1
    steps = [
        ("raw", "p_value"),
        ("Bonferroni", "p_value_bonferroni"),
        ("Holm", "p_value_holm"),
        ("Benjamini-Hochberg", "p_value_bh"),
    ]
    rows = []
    for name, key in steps:
        found = _numbers(factors, key)
        if found:
            rows.append([name, *(str(sum(p <= level for p in found)) for level in (0.05, 0.01))])
    chart = histogram(
        counts,
        title="How many factors have which p-value, uncorrected",
        expected=len(values) / _BINS,
        ends=("p = 0", "p = 1"),
    )
    return (
        "<h2>Significance</h2><p class=soft>p-values of the mean block IC. Of factors that know "
        "nothing each column would hold as many as the dashed line says; what stands above it on "
        "the left is more than chance.</p>"
        f'<div class="cells"><div><h3>p-values, uncorrected</h3>{chart}</div>'
        f"<div><h3>factors at or below a level</h3>"
        f"{table(['correction', 'p ≤ .05', 'p ≤ .01'], rows)}</div></div>"
    )


def _fee(factors: Sequence[Result]) -> float | None:
    """Return the fee a side, in basis points, that the net figures were made with."""
    for factor in factors:
        even, net = factor.get("break_even_cost_bp"), factor.get("return_spread_net_bp")
        if isinstance(even, (int, float)) and isinstance(net, (int, float)) and (even or net):
            return float(even) - float(net) / 4.0
    return None


def _costs(factors: Sequence[Result]) -> str:
    shown = [
        factor
        for factor in factors
        if factor.get("significant") and isinstance(factor.get("break_even_cost_bp"), (int, float))
    ][:_CHARTED]
    if not shown:
        return ""
    fee = _fee(shown)
    chart = row_chart(
        [str(factor["factor_name"]) for factor in shown],
        [float(factor["break_even_cost_bp"]) for factor in shown],
        title="Fee a side, in basis points, at which the quantile spread is used up",
        rule=fee,
        rule_label="" if fee is None else f"fee {fee:.2f} bp",
    )
    return (
        "<h2>Costs</h2><p class=soft>The fee a side, in basis points, at which the quantile spread "
        "of a significant factor is used up, half the quoted spread being paid already. What does "
        "not reach the dashed line loses when it is traded by itself.</p>" + chart
    )


def _clusters(factors: Sequence[Result]) -> str:
    members: dict[Any, list[Result]] = {}
    for factor in factors:
        if "cluster" in factor:
            members.setdefault(factor["cluster"], []).append(factor)
    rows = []
    for cluster in members.values():
        if len(cluster) < 2:
            continue
        best, *others = sorted(cluster, key=lambda factor: factor.get("redundant_with") is not None)
        named = ", ".join(
            f"{escape(str(other['factor_name']))} "
            f"({number(other.get('redundant_correlation'), '+.2f')})"
            for other in others
        )
        rows.append([escape(str(best["factor_name"])), grade_badge(best.get("grade")), named])
    if not rows:
        return ""
    return (
        "<h2>The same factor twice</h2><p class=soft>Factors whose ranks correlate by .9 or more, "
        "whatever the sign. The best of each stands first; the number is the correlation with it."
        f"</p><div class=scroll>{table(['best', 'grade', 'says the same'], rows, left=(1, 2))}"
        "</div>"
    ).replace("<td class=l>", "<td class='l wrap'>")


def _details(factors: Sequence[Result], blocks: Result) -> str:
    shown = [factor for factor in factors if factor.get("n_blocks")][:_DETAILED]
    if not shown:
        return ""
    starts = blocks.get("rolling_ic_start") or []
    cards = "\n".join(
        factor_card(factor, starts, is_open=place == 0) for place, factor in enumerate(shown)
    )
    return f"<h2>The best {len(shown)} in full</h2>\n{cards}"


def _definitions() -> str:
    parts = [
        [PART_NAMES[name], number(most, "g"), number(full, "g")]
        for name, (most, full) in POINTS.items()
    ]
    bands = [[grade_badge(name), number(least, "g")] for name, least in GRADES.items()]
    return (
        "<h2>How to read this</h2>"
        "<p>The IC is the mean of Spearman's rank correlations between factor and forward return "
        "over blocks of time much longer than the horizon; t and p test that mean over blocks. "
        "Everything that is traded is decided with the quantiles and the direction of the blocks "
        "before. Net figures pay the fee and half the quoted spread on every trade. "
        "A grade is a sum of points of six figures, each taken one standard error nearer zero, "
        "with caps: C for fewer than 20 blocks, for a corrected p-value above the level and for a "
        "portfolio that does not gain at that level; D where past quantiles do not bear the IC "
        "out; E where nothing could be measured.</p>"
        '<div class="cells"><div>'
        f"{table(['part', 'most points', 'reached at'], parts)}</div><div>"
        f"{table(['grade', 'from points'], bands)}</div></div>"
        "<footer>Past figures are no promise. Costs beyond fee and half the quoted spread (market "
        "impact, latency) are not in them.</footer>"
    )
