"""The grade of a factor: one table of points, and what caps it.

Six figures give points; each is first taken one standard error nearer zero, so that a figure
which chance explains gives next to nothing. Points rise in a straight line up to "full at".

====================  ===  ==========  =========================================================
part                  max  full at     the figure
====================  ===  ==========  =========================================================
``ic``                 25  0.05        absolute mean block IC, less its standard error
``p_value``            20  0.001       corrected (Bonferroni) p-value, by -log10
``return_spread``      20  0.14        quantile spread in standard deviations of the forward
                                       return: what an IC of 0.05 gives quintiles of normal data
``sharpe``             15  5           of the gross quantile portfolio, a year
``sortino``            10  7           the same portfolio
``calmar``             10  10          the same portfolio
====================  ===  ==========  =========================================================

The last four are multiplied by ``1 - 1/t``, t being that of the portfolio's mean gain over blocks,
which takes them one standard error nearer zero.

The total is AAA from 80, AA from 70, A from 60, B from 45, C from 30, D from 15, else E.
A cap lowers the total to just below the next better grade:

======  ========================================================================================
cap     reason
======  ========================================================================================
C       fewer than 20 independent blocks
C       not significant after correction for the number of factors
C       the portfolio, decided from the past, does not gain at the same level (one-sided,
        corrected for the number of factors whose IC is significant)
D       its correlation with the return is less than two thirds of the IC: the IC comes from
        ranking a trending factor within its own block, and could not have been known
E       nothing could be measured
======  ========================================================================================

A factor is confirmed where neither the cap for the portfolio's gain nor the D holds: without that,
a small p-value of the IC is no discovery. What is made of the price's own past (its level, returns
over long windows, distances from averages) has a large IC within blocks on every random walk: the
p-value of the IC lets it through, and these two caps alone decide. So the gain is corrected, too
(Bonferroni again), for the number of factors that came this far. Of a true factor the
correlation of past quantiles is larger than the IC (1.1 to 1.6 times in simulations), since the
outer quantiles alone are held; of 12,000 price levels of random walks over 21 blocks the largest
was .65 times the IC. ``benchmarks/factor_null.py`` measures the whole rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["GRADES", "MIN_BLOCKS", "POINTS", "Evidence", "Grade", "grade_factor"]

GRADES: dict[str, float] = {
    "AAA": 80.0,
    "AA": 70.0,
    "A": 60.0,
    "B": 45.0,
    "C": 30.0,
    "D": 15.0,
    "E": 0.0,
}
MIN_BLOCKS = 20
MIN_CONFIRMATION = 2.0 / 3.0

_STEP = 0.1  # a capped total stays this far below the next better grade
# Of each part the most points, and the figure at which it has them.
POINTS = {
    "ic": (25.0, 0.05),
    "p_value": (20.0, 3.0),  # -log10(0.001)
    "return_spread": (20.0, 0.14),
    "sharpe": (15.0, 5.0),
    "sortino": (10.0, 7.0),
    "calmar": (10.0, 10.0),
}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a grade is made of.

    Everything that has a side (all but the IC and the p-values) is measured in the direction that
    the blocks before pointed to: positive is a gain.

    Attributes
    ----------
    ic, ic_error
        Mean block IC and its standard error.
    p_value
        Two-sided p-value of the IC, corrected for the number of factors.
    spread_sigma
        Quantile spread in standard deviations of the forward return.
    sharpe, sortino, calmar
        Of the gross portfolio, a year.
    gain_t, gain_p_value
        t of the portfolio's mean gain over blocks, and its two-sided p-value, not corrected.
    gain_tries
        Number of factors, of those evaluated together, whose IC is significant after correction:
        what the p-value of the gain is corrected for.
    past_ic
        Correlation of the past-decided position with the return.
    n_blocks
        Independent blocks.
    alpha
        Level of significance.
    """

    ic: float
    ic_error: float
    p_value: float
    spread_sigma: float
    sharpe: float
    sortino: float
    calmar: float
    gain_t: float
    gain_p_value: float
    past_ic: float
    n_blocks: int
    alpha: float
    gain_tries: int = 1


@dataclass(frozen=True, kw_only=True)
class Grade:
    """A grade and where it comes from.

    Attributes
    ----------
    name
        AAA, AA, A, B, C, D or E.
    total
        Points from 0 to 100, caps applied: the grade is the band that it falls into.
    parts
        Points of each part, caps not applied.
    reasons
        One sentence for each cap that holds.
    confirmed
        Whether trading on the past bears the IC out.
    """

    name: str
    total: float
    parts: dict[str, float]
    reasons: tuple[str, ...]
    confirmed: bool


def _gains(evidence: Evidence) -> bool:
    one_sided = 0.5 * evidence.gain_p_value if evidence.gain_t > 0.0 else 1.0
    return one_sided * max(evidence.gain_tries, 1) <= evidence.alpha


def _borne_out(evidence: Evidence) -> bool:
    return evidence.past_ic >= MIN_CONFIRMATION * abs(evidence.ic)


def _caps(evidence: Evidence) -> list[tuple[str, str]]:
    caps = []
    if evidence.n_blocks < MIN_BLOCKS:
        caps.append(("C", f"{evidence.n_blocks} independent blocks, fewer than {MIN_BLOCKS}"))
    if not evidence.p_value <= evidence.alpha:
        caps.append(("C", f"corrected p-value {evidence.p_value:.3g} is above {evidence.alpha:g}"))
    if not _gains(evidence):
        among = f", one of {evidence.gain_tries} tries" if evidence.gain_tries > 1 else ""
        caps.append(("C", f"the portfolio's gain has t = {evidence.gain_t:.2f}{among}"))
    if not _borne_out(evidence):
        caps.append(
            (
                "D",
                f"past quantiles correlate {evidence.past_ic:.3f} with the return where the IC "
                f"is {abs(evidence.ic):.3f}",
            )
        )
    return caps


def grade_factor(evidence: Evidence | None) -> Grade:
    """Grade a factor by the table of this module.

    Parameters
    ----------
    evidence
        None where nothing could be measured: grade E without points.
    """
    if evidence is None:
        parts = dict.fromkeys(POINTS, 0.0)
        return Grade(name="E", total=0.0, parts=parts, reasons=(), confirmed=False)
    kept = 1.0 - 1.0 / evidence.gain_t if evidence.gain_t > 1.0 else 0.0
    figures = {
        "ic": abs(evidence.ic) - evidence.ic_error,
        "p_value": -math.log10(max(evidence.p_value, 1e-300)),
        "return_spread": evidence.spread_sigma * kept,
        "sharpe": evidence.sharpe * kept,
        "sortino": evidence.sortino * kept,
        "calmar": evidence.calmar * kept,
    }
    parts = {
        part: most * min(max(0.0, figures[part] / full), 1.0)  # 0.0 stands first: NaN gives none
        for part, (most, full) in POINTS.items()
    }
    total = sum(parts.values())
    caps = _caps(evidence)
    names = list(GRADES)
    for cap, _ in caps:
        total = min(total, GRADES[names[names.index(cap) - 1]] - _STEP)
    name = next(name for name in names if total >= GRADES[name])
    return Grade(
        name=name,
        total=total,
        parts=parts,
        reasons=tuple(why for _, why in caps),
        confirmed=_gains(evidence) and _borne_out(evidence),
    )
