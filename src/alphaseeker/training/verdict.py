"""What the numbers say: edge, weak or no edge, and which results look too good to be true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["MIN_BLOCKS_FOR_EDGE", "MIN_BLOCKS_TO_JUDGE", "judge", "suspicions"]

# Fewer blocks of time than these carry no interval worth the name.
MIN_BLOCKS_FOR_EDGE = 20
MIN_BLOCKS_TO_JUDGE = 5

SUSPECT_IC = 0.15
SUSPECT_IC_HORIZON_S = 60.0
SUSPECT_IC_RATIO = 1.5
SUSPECT_AUC = 0.60
SUSPECT_AUC_HORIZON_S = 300.0
SUSPECT_MACRO_F1 = 0.85


def judge(card: Mapping[str, Any], baselines: Mapping[str, Any], blocks: int) -> tuple[str, str]:
    """Return the verdict and the sentence why.

    ``edge``: the lower bounds of log-loss skill and IC are above 0, the skill is above that of
    the class prior and of the last label, the net return is above 0, and there are at least 20
    blocks. ``weak``: one of the two lower bounds is above 0. ``no edge``: neither is, or there are
    fewer than 5 blocks.

    The lower bound of the IC is that of ``ic`` or of ``ic_pooled``, whichever is lower: ranks
    within short blocks are biased for scores made of past returns, pooled ranks are not, while
    pooled ranks mistake a drift of level for skill.

    Parameters
    ----------
    card
        Score card of the model.
    baselines
        Score cards of ``class_prior`` and ``last_label``.
    blocks
        Number of blocks of time behind the intervals.
    """
    intervals = card["intervals"]
    skill, ic = intervals["log_loss_skill"], intervals["ic"]
    ic_low = min(ic[0], intervals["ic_pooled"][0])
    figures = (
        f"log-loss skill {_shown(card['log_loss_skill'], skill)} nats, "
        f"IC {_shown(card['ic'], ic)}, pooled {_shown(card['ic_pooled'], intervals['ic_pooled'])}, "
        f"{_blocks(blocks)}"
    )
    if blocks < MIN_BLOCKS_TO_JUDGE:
        return "no edge", (
            f"the held-back part has {_blocks(blocks)} of five label spans, too few to tell skill "
            f"from luck (at least {MIN_BLOCKS_TO_JUDGE}): {figures}"
        )
    if skill[0] <= 0.0 and ic_low <= 0.0:
        return "no edge", f"neither skill nor IC is surely above zero: {figures}"
    missing = []
    if skill[0] <= 0.0:
        missing.append("the log-loss skill may be zero")
    if ic_low <= 0.0:
        missing.append("the IC may be zero")
    missing += [
        f"{name.replace('_', ' ')} is no worse (skill {baselines[name]['log_loss_skill']:.5f})"
        for name in ("class_prior", "last_label")
        if baselines[name]["log_loss_skill"] >= card["log_loss_skill"]
    ]
    if card["n_trades"] == 0:
        missing.append("it takes no trade")
    elif card["net_return_bp"] <= 0.0:
        missing.append(
            f"its {card['n_trades']} trades earn {card['net_return_bp']:.2f} bp each after costs"
        )
    if blocks < MIN_BLOCKS_FOR_EDGE:
        missing.append(f"{_blocks(blocks)} are fewer than {MIN_BLOCKS_FOR_EDGE}")
    if missing:
        return "weak", f"there is information, but {' and '.join(missing)}: {figures}"
    return "edge", (
        f"skill and IC are above zero and above the baselines', and its {card['n_trades']} trades "
        f"earn {card['net_return_bp']:.2f} bp each after costs: {figures}"
    )


def _blocks(count: int) -> str:
    return "1 block" if count == 1 else f"{count} blocks"


def _shown(value: float, bounds: list[float]) -> str:
    return f"{value:.4f} [{bounds[0]:.4f}, {bounds[1]:.4f}]"


def suspicions(
    card: Mapping[str, Any], *, horizon_s: float, best_book: tuple[str, float] | None
) -> list[str]:
    """Return a warning, with the likely leak, for each result that is suspect on sight.

    Parameters
    ----------
    card
        Score card of the model.
    horizon_s
        Horizon of the label.
    best_book
        Name and absolute IC of the best single feature of the book, None where there is none.
    """
    found = []
    book_ic = best_book[1] if best_book else 0.0
    if (
        horizon_s >= SUSPECT_IC_HORIZON_S
        and card["ic"] > SUSPECT_IC
        and card["ic"] > SUSPECT_IC_RATIO * book_ic
    ):
        known = (
            f"{best_book[0]} alone has {book_ic:.3f}" if best_book else "no book feature is at hand"
        )
        found.append(
            f"suspect: IC {card['ic']:.3f} over {horizon_s:g} s while {known}. A likely leak is a "
            "feature that looks ahead (a centred window, a price of after the tick, a label "
            "shifted by one): check prefix invariance of custom features"
        )
    if horizon_s >= SUSPECT_AUC_HORIZON_S and card["auc"] > SUSPECT_AUC:
        found.append(
            f"suspect: AUC {card['auc']:.3f} for the direction over {horizon_s:g} s. A likely leak "
            "is scaling or selection that was fitted on the whole sample, or a test part that "
            "overlaps the training part"
        )
    if card["macro_f1"] > SUSPECT_MACRO_F1:
        found.append(
            f"suspect: macro-F1 {card['macro_f1']:.3f}. A likely leak is the label itself, or the "
            "price at its end, among the features; a price that repeats on a fixed pattern does "
            "it too"
        )
    return found
