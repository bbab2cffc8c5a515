"""What the numbers say: edge, weak or no edge, and which results look too good to be true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alphaseeker.training.bootstrap import MIN_CELLS

__all__ = ["MIN_BLOCKS_TO_JUDGE", "judge", "suspicions"]

# Fewer blocks of time than these carry no interval worth the name.
MIN_BLOCKS_TO_JUDGE = MIN_CELLS

# Who repeats the past as it is must be beaten for there to be anything at all.
TRIVIAL = ("class_prior", "last_label")

SUSPECT_IC = 0.15
SUSPECT_IC_HORIZON_S = 60.0
SUSPECT_IC_RATIO = 1.5
SUSPECT_AUC = 0.60
SUSPECT_AUC_HORIZON_S = 300.0
SUSPECT_MACRO_F1 = 0.85


def judge(
    card: Mapping[str, Any],
    baselines: Mapping[str, Any],
    blocks: int,
    folds: Sequence[Mapping[str, Any]] = (),
) -> tuple[str, str]:
    """Return the verdict and the sentence why.

    ``no edge``: there are fewer than 20 blocks, or the log-loss skill is not above 0 and above
    the last label's, or the lower bound of the IC reaches 0: skill alone may be a forecast of
    volatility, which says nothing about the side to take. The lower bound of the IC is that of
    ``ic`` or of ``ic_pooled``, whichever is lower: the one takes a lucky drift for skill, the other
    is biased for scores made of past returns.

    ``edge``: the lower bound of the skill is above 0 too, the model beats every baseline in skill
    and in IC, its trades earn more than they cost, and neither the latest fold nor half of all
    folds go without skill or IC: what held on old data only is nothing to trade on. ``weak``:
    anything between.

    Parameters
    ----------
    card
        Score card of the model.
    baselines
        Score cards of the baselines: ``class_prior``, ``last_label`` and whatever else there is.
    blocks
        Number of blocks of time behind the intervals.
    folds
        Score cards of the folds, the latest last.
    """
    intervals = card["intervals"]
    skill_low = _low(intervals["log_loss_skill"])
    ic_low = min(_low(intervals["ic"]), _low(intervals["ic_pooled"]))
    figures = ", ".join(
        [
            f"log-loss skill {_shown(card, 'log_loss_skill')} nats",
            f"IC {_shown(card, 'ic')}",
            f"pooled {_shown(card, 'ic_pooled')}",
            f"{_blocks(blocks)}",
            f"calibration error {card['ece']:.3f}, by chance below {card['ece_limit']:.3f}",
        ]
    )
    if blocks < MIN_BLOCKS_TO_JUDGE:
        return "no edge", (
            f"too few independent blocks to judge: the held-back rows make {_blocks(blocks)} of "
            f"five label spans or more, intervals need at least {MIN_BLOCKS_TO_JUDGE}: {figures}"
        )
    for name in TRIVIAL:
        # The class prior's own skill is 0.
        if card["log_loss_skill"] <= max(0.0, baselines[name]["log_loss_skill"]):
            return "no edge", (
                f"the {_plain(name)} does no worse (skill "
                f"{baselines[name]['log_loss_skill']:.5f}): {figures}"
            )
    if ic_low <= 0.0:
        return "no edge", f"the direction is not surely known (the IC may be zero): {figures}"
    missing = []
    if skill_low <= 0.0:
        missing.append("the log-loss skill may be zero")
    for name, rival in baselines.items():
        better = [
            f"{what} {rival[key]:.4f}"
            for key, what in (("log_loss_skill", "skill"), ("ic", "IC"))
            if rival[key] >= card[key]
        ]
        if better:
            missing.append(f"the {_plain(name)} baseline does better: {', '.join(better)}")
    if card["n_trades"] == 0:
        missing.append(
            "it takes no trade (acting on every BUY and SELL: "
            f"{card['n_trades_all']} trades, {card['net_return_all_bp']:.2f} bp each after costs)"
        )
    elif card["net_return_bp"] <= 0.0:
        missing.append(
            f"its {card['n_trades']} trades earn {card['net_return_bp']:.2f} bp each after costs"
        )
    if failed := _failed_folds(folds):
        missing.append(failed)
    if missing:
        return "weak", f"there is information, but {' and '.join(missing)}: {figures}"
    return "edge", (
        f"skill and IC are above zero and above the baselines', and its {card['n_trades']} trades "
        f"earn {card['net_return_bp']:.2f} bp each after costs: {figures}"
    )


def _failed_folds(folds: Sequence[Mapping[str, Any]]) -> str:
    """Return what is to be said of folds without skill or IC; nothing where they are few and old.

    On minute bars of several venues the folds had skills of .53, .49, -.30 and -.01 nats: .18 in
    the pool, and nothing where it counts.
    """
    failed = [min(fold["log_loss_skill"], fold["ic"]) <= 0.0 for fold in folds]
    if not failed or not (failed[-1] or 2 * sum(failed) >= len(failed)):
        return ""
    latest = folds[-1]
    which = "the latest among them" if failed[-1] else "not the latest"
    return (
        f"{sum(failed)} of {len(failed)} folds show none, {which} (latest: skill "
        f"{latest['log_loss_skill']:.4f}, IC {latest['ic']:.4f})"
    )


def _blocks(count: int) -> str:
    return "1 block" if count == 1 else f"{count} blocks"


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _low(bounds: Sequence[float]) -> float:
    return bounds[0] if bounds else 0.0


def _shown(card: Mapping[str, Any], name: str) -> str:
    bounds = card["intervals"][name]
    return f"{card[name]:.4f}" + (f" [{bounds[0]:.4f}, {bounds[1]:.4f}]" if bounds else "")


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
