"""Which of the figures about a model lie beyond their limits, and the sentences that say so."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from alphaseeker.config import MonitoringConfig
from alphaseeker.inference.alerts import Finding
from alphaseeker.inference.rolling_ic import distance

__all__ = [
    "MOVED_SHARE",
    "age_findings",
    "drawdown_findings",
    "hit_findings",
    "ic_findings",
    "psi_findings",
]

# A feature's PSI passes what one window of training in twenty has by chance, and features move
# together: with volatility, many do at once.
MOVED_SHARE = 1 / 3
CERTAIN = 2.576  # standard errors: by chance one gap in a hundred is as wide
# The same for the IC, which has no margin as wide as MAX_HIT_RATE_GAP: one in a thousand. Looked at
# every 50 predictions over 30 days of one a minute, 2 of 36 good models were doubted; one whose IC
# fell from .1 to 0 was after 1,600 predictions, from .3 after 200, and one that turned from .1 to
# -.1 after 250 (medians; ``benchmarks/rolling_ic_alarms.py``).
SURE = 3.29


def _finding(
    kind: str, name: str, value: float, limit: float, sentence: str, symbol: str = ""
) -> Finding:
    return Finding(kind=kind, name=name, value=value, limit=limit, symbol=symbol, sentence=sentence)


def age_findings(age: float, config: MonitoringConfig) -> list[Finding]:
    """Judge the age of the model, in days."""
    limit = config.MAX_MODEL_AGE_DAYS
    if age <= limit:
        return []
    sentence = f"the model is {age:.0f} days old, MAX_MODEL_AGE_DAYS is {limit:g}: train it again"
    return [_finding("model_age", "MAX_MODEL_AGE_DAYS", age, limit, sentence)]


def hit_findings(hits: Mapping[str, Any], config: MonitoringConfig) -> list[Finding]:
    """Judge what ``retraining.hit_rates`` returned."""
    gap, limit = abs(hits["hit_rate_gap"]), config.MAX_HIT_RATE_GAP
    known = hits["resolved"] >= config.MIN_RESOLVED and abs(hits["hit_rate_z"]) > CERTAIN
    if not known or gap <= limit:
        return []
    sentence = (
        f"the model is right in {100 * hits['hit_rate']:.1f} % of its latest predictions and "
        f"says {100 * hits['expected_hit_rate']:.1f} % ({hits['resolved']} resolved, "
        f"{abs(hits['hit_rate_z']):.1f} standard errors apart), MAX_HIT_RATE_GAP is "
        f"{100 * limit:g} %: what it learned no longer holds"
    )
    return [_finding("hit_rate", "MAX_HIT_RATE_GAP", gap, limit, sentence)]


def ic_findings(rolling: Mapping[str, Any], config: MonitoringConfig) -> list[Finding]:
    """Judge the rolling IC of all symbols together, and by symbol where that passes.

    Parameters
    ----------
    rolling
        From ``rolling_ic_steps``, with ``expected``.
    config
        MIN_ROLLING_IC, MAX_IC_GAP and MIN_RESOLVED.
    """
    found = _judged_ic(rolling, rolling["independent"], rolling["expected"], SURE, "", config)
    by_symbol = [one for one in rolling["by_symbol"] if one["pairs"] >= config.MIN_RESOLVED]
    if found or len(by_symbol) < 2:
        return found
    # Of a thousand symbols one is as far off by chance as one in a thousand looks.
    doubt = NormalDist().cdf(-SURE) / len(by_symbol)
    sure = -NormalDist().inv_cdf(doubt)
    for one in by_symbol:
        found += _judged_ic(one, one["pairs"], rolling["expected"], sure, one["symbol"], config)
    return found


def _judged_ic(
    rolling: Mapping[str, Any],
    independent: float,
    expected: float,
    sure: float,
    symbol: str,
    config: MonitoringConfig,
) -> list[Finding]:
    pairs, ic, found = rolling["pairs"], rolling["ic"], []
    if pairs < config.MIN_RESOLVED:
        return []
    least, widest = config.MIN_ROLLING_IC, config.MAX_IC_GAP
    below = -distance(ic, least, independent)
    if ic < least and below > sure:
        sentence = (
            f"the score orders the latest {pairs} returns with an IC of {ic:+.3f}, "
            f"{below:.1f} standard errors below MIN_ROLLING_IC ({least:g}): what the model "
            "learned no longer holds"
        )
        found.append(_finding("rolling_ic", "MIN_ROLLING_IC", ic, least, sentence, symbol))
    gap, behind = expected - ic, -distance(ic, expected, independent)
    if gap > widest and behind > sure:
        sentence = (
            f"the score orders the latest {pairs} returns with an IC of {ic:+.3f}, in the "
            f"training's evaluation it was {expected:+.3f} ({behind:.1f} standard errors apart), "
            f"MAX_IC_GAP is {widest:g}: what the model learned no longer holds"
        )
        found.append(_finding("ic_gap", "MAX_IC_GAP", gap, widest, sentence, symbol))
    return found


def psi_findings(psi: Mapping[str, Any], config: MonitoringConfig) -> list[Finding]:
    """Judge what ``retraining.feature_drift`` returned."""
    if not psi["judged"] or psi["share"] <= MOVED_SHARE:
        return []
    worst = ", ".join(f"{item['feature']} {item['psi']:.2f}" for item in psi["worst"][:3])
    sentence = (
        f"{psi['count']} of {psi['features']} features have moved since training (PSI above "
        f"MAX_FEATURE_PSI, {config.MAX_FEATURE_PSI:g}, and above what was usual in training; "
        f"worst: {worst}): the market is another one"
    )
    return [_finding("feature_psi", "MAX_FEATURE_PSI", psi["share"], MOVED_SHARE, sentence)]


def drawdown_findings(trades: Mapping[str, Any], config: MonitoringConfig) -> list[Finding]:
    """Judge what ``retraining.traded_returns`` returned."""
    value, limit = trades["drawdown"], config.MAX_MODEL_DRAWDOWN
    if value <= limit:
        return []
    sentence = (
        f"acting on the signals would be {100 * value:.2f} % of the position "
        f"below its peak after costs ({trades['trades']} trades), MAX_MODEL_DRAWDOWN is "
        f"{100 * limit:g} %"
    )
    return [_finding("model_drawdown", "MAX_MODEL_DRAWDOWN", value, limit, sentence)]
