"""The honest evaluation of models on rows that they have never seen, by fold and over all folds.

One way of judging serves the end of a training run and ``alphaseeker evaluate``: ``judge_answers``
takes the answers of a model and of its baselines on rows held back, ``report_of`` puts the folds
and the whole together. ``evaluate_on`` does both for one model and all rows from a moment on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.features.block import FeatureBlock
from alphaseeker.model.decision import allocate_decision, choices_of
from alphaseeker.training.answers import NEUTRAL, Answers, EvaluatedModel, ScoreMatrix, answer
from alphaseeker.training.bootstrap import cell_length
from alphaseeker.training.calibration_limit import calibration_limit
from alphaseeker.training.dataset import Rows, join_blocks, warm_rows
from alphaseeker.training.importance import feature_importance
from alphaseeker.training.metrics import calibration_curve, symbol_rank_correlation
from alphaseeker.training.paths import mean_card, spread_of
from alphaseeker.training.scorecard import (
    HeldBack,
    held_back,
    information_coefficients,
    score,
    skill_ahead,
)
from alphaseeker.training.search import Search
from alphaseeker.training.significance import cell_returns, significance
from alphaseeker.training.splits import MIN_ROWS
from alphaseeker.training.target import HOLD, Target, target_from_dict
from alphaseeker.training.trades import simulate_trades
from alphaseeker.training.verdict import judge, suspicions

__all__ = [
    "Judged",
    "evaluate_on",
    "evaluation_rows",
    "fold_entry",
    "judge_answers",
    "report_of",
]

BASELINE_METRICS = ("log_loss", "log_loss_skill", "ic", "ic_pooled", "mcc", "accuracy", "macro_f1")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Answers with their score card.

    Attributes
    ----------
    answers
        What was judged.
    card
        All metrics, ``intervals``, ``baselines``, and the place: ``start_ns``, ``end_ns``,
        ``n_rows``, ``n_blocks``.
    returns
        Net return of each cell of time, shape (cells,), of the trades that the engine would take,
        or of every BUY and SELL where it takes none.
    """

    answers: Answers
    card: dict[str, Any]
    returns: npt.NDArray[np.float64]


def judge_answers(answers: Answers, target: Target) -> Judged:
    """Judge calibrated probabilities on rows held back, beside those of the baselines.

    Classification metrics are those of the most probable class (ties are HOLD), without the
    smallest confidence, so that they compare with the baselines'. ``n_trades`` and
    ``net_return_bp`` are of the decisions that the engine would take, 0 where it takes none;
    ``n_trades_all`` and ``net_return_all_bp`` of acting on every directional choice.
    ``ic_unadapted`` and ``ic_pooled_unadapted`` are of the model's own probabilities, with which
    live monitoring compares (``inference.rolling_ic``).

    Parameters
    ----------
    answers
        Of one model, or of those of several folds.
    target
        Its horizon and its costs.
    """
    held = held_back(
        answers.rows, answers.label, prior=answers.prior, label_span_ns=target.horizon_ns
    )
    cost = target.transaction_cost
    trades = simulate_trades(held.rows, answers.side, transaction_cost=cost)
    directional = (answers.choice - HOLD).astype(np.int8)
    every = simulate_trades(held.rows, directional, transaction_cost=cost)
    card = score(held, answers.probabilities, answers.choice, trades, every)
    card["n_trades"], card["n_trades_all"] = len(trades), len(every)
    card["ic_unadapted"], card["ic_pooled_unadapted"] = information_coefficients(
        held, answers.unadapted
    )
    times = held.rows.timestamp
    card["ece_expected"], card["ece_limit"] = calibration_limit(
        answers.probabilities, answers.label, times, held.rows.symbol, target.horizon_ns
    )
    place = {
        "start_ns": int(times.min()),
        "end_ns": int(times.max()),
        "n_rows": len(times),
        "n_blocks": held.n_cells,
    }
    baselines = {
        name: _rival_card(held, answers.probabilities, values)
        for name, values in answers.rivals.items()
    }
    return Judged(
        answers=answers,
        card={**card, **place, "baselines": baselines},
        returns=cell_returns(trades if len(trades) else every, held.cell),
    )


def _rival_card(
    held: HeldBack, probabilities: npt.NDArray[np.float64], rival: npt.NDArray[np.float64]
) -> dict[str, Any]:
    """Return the metrics of a baseline, and by how much the model is ahead of it."""
    choice = choices_of(allocate_decision(NEUTRAL), rival)
    full = score(held, rival, choice)
    ahead, bounds = skill_ahead(held, probabilities, rival)
    return {
        **{key: full[key] for key in BASELINE_METRICS},
        "skill_behind_model": ahead,
        "intervals": {
            **{key: full["intervals"][key] for key in BASELINE_METRICS},
            "skill_behind_model": bounds,
        },
    }


def report_of(
    paths: Sequence[Judged],
    folds: Sequence[Mapping[str, Any]],
    target: Target,
    *,
    importance: Sequence[Mapping[str, Any]],
    search: Search | None = None,
) -> dict[str, Any]:
    """Put the whole, its folds and the verdict together.

    Parameters
    ----------
    paths
        Each judges every row held back once. Of several (combinatorial folds) the means are
        reported, intervals too, and ``path_spread``: the lowest and the highest by metric.
    folds
        Entries of ``folds``, as they are to stand there.
    target
        Its horizon.
    importance
        As from ``feature_importance``.
    search
        The configurations that were tried for the model that is saved, None for no search.

    Returns
    -------
    ``evaluation_results`` of the public API: plain, finite, JSON-serialisable.
    """
    card = mean_card([path.card for path in paths])
    baselines = card.pop("baselines")
    answers = [path.answers for path in paths]
    verdict, reason = judge(card, baselines, card["n_blocks"], folds)
    warnings = suspicions(
        card, horizon_s=target.horizon_s, best_book=_best_book_feature(answers[0])
    )
    return {
        **card,
        "n_paths": len(paths),
        "path_spread": spread_of([path.card for path in paths]),
        "folds": list(folds),
        "baselines": baselines,
        "calibration_curve": calibration_curve(
            np.concatenate([one.probabilities for one in answers]),
            np.concatenate([one.label for one in answers]),
        ),
        "importance": list(importance),
        "overfitting": _significance(paths[0], search, target),
        "verdict": verdict,
        "verdict_reason": reason,
        "warnings": warnings,
    }


def _significance(path: Judged, search: Search | None, target: Target) -> dict[str, Any]:
    """Say what the Sharpe ratio by cell of time is worth; of several paths the first is judged.

    ``returns_of`` says which returns: of the trades that the engine would take, or of every BUY and
    SELL where it takes none.
    """
    taken = path.card["n_trades"] > 0
    ratio = 1.0
    if search is not None:
        own = cell_length(path.answers.rows.timestamp, target.horizon_ns)
        ratio = own / search.trials[0].cell_ns
    return {
        **significance(path.returns, None if search is None else search.returns, cell_ratio=ratio),
        "returns_of": "trades" if taken else "every BUY and SELL",
        "cells": len(path.returns),
    }


def _best_book_feature(answers: Answers) -> tuple[str, float] | None:
    best: tuple[str, float] | None = None
    rows = answers.rows
    for name, column in answers.book.items():
        finite = np.isfinite(column)
        ic = symbol_rank_correlation(
            column[finite].astype(np.float64), rows.forward_return[finite], rows.symbol[finite]
        )
        if best is None or abs(ic) > best[1]:
            best = (name, abs(ic))
    return best


def evaluation_rows(
    blocks: Sequence[FeatureBlock], model: EvaluatedModel, *, from_ns: int
) -> npt.NDArray[np.int64]:
    """Return the numbers of the rows that ``evaluate_on`` judges, counted over all blocks.

    They lie at or after ``from_ns``, have a resolved label, are warm, and the engine would ask the
    model on them.

    Raises
    ------
    DataError
        They are fewer than 30.
    """
    rows = join_blocks(blocks, target_from_dict(model.target))
    return _chosen_rows(blocks, rows, model, from_ns)[0]


def _chosen_rows(
    blocks: Sequence[FeatureBlock], rows: Rows, model: EvaluatedModel, from_ns: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rows that are judged, and all rows on which the engine would ask."""
    warm = warm_rows(
        blocks,
        model.feature_names,
        ready_history_s=model.training["ready_history_s"],
    )
    later = rows.timestamp >= from_ns
    chosen = np.flatnonzero(rows.usable & warm & later)
    if len(chosen) < MIN_ROWS:
        raise DataError(
            f"{len(chosen)} rows can be evaluated, at least {MIN_ROWS} are needed: "
            f"{int(later.sum())} of {len(rows)} rows lie after the training part, "
            f"{int((later & rows.usable).sum())} of them have a label that the data resolves and "
            f"{int((later & warm).sum())} have warm features. Bring data of a longer time after "
            "the training part"
        )
    return chosen, np.flatnonzero(rows.asked & warm & later)


def evaluate_on(
    blocks: Sequence[FeatureBlock],
    model: EvaluatedModel,
    predict_matrix: ScoreMatrix,
    *,
    from_ns: int,
) -> dict[str, Any]:
    """Evaluate ``model`` on all rows at or after ``from_ns``.

    Parameters
    ----------
    blocks
        Features of all symbols, with at least the model's columns.
    model
        A trained model or a model file's content.
    predict_matrix
        Raw scores, shape (n, 3), of a float32 matrix, shape (n, k).
    from_ns
        Start of the held-back part, nanoseconds UTC.

    Returns
    -------
    ``evaluation_results`` of the public API, with one fold: plain, finite, JSON-serialisable.

    Raises
    ------
    DataError
        Fewer than 30 rows can be judged.
    ModelError
        The blocks lack a column of the model.
    """
    target = target_from_dict(model.target)
    rows = join_blocks(blocks, target)
    chosen, asked = _chosen_rows(blocks, rows, model, from_ns)
    answers, sample = answer(blocks, rows, model, predict_matrix, chosen, asked=asked)
    judged = judge_answers(answers, target)
    return report_of(
        [judged],
        [fold_entry(judged)],
        target,
        importance=feature_importance(model.model_text, model.feature_names, [sample]),
    )


def fold_entry(judged: Judged) -> dict[str, Any]:
    """Return the card of a fold without the long classification report."""
    return {key: value for key, value in judged.card.items() if key != "classification_report"}
