"""The honest evaluation of a model on rows that it has never seen.

One function serves the end of a training run and ``alphaseeker evaluate``: ``evaluate_on`` takes
the blocks, a model and the function that scores a matrix, and looks at nothing before ``from_ns``
but the labels that were already known by then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError, ModelError
from alphaseeker.features.block import FeatureBlock
from alphaseeker.model.decision import allocate_decision, decide
from alphaseeker.training import baselines as simple
from alphaseeker.training.dataset import Rows, gather, join_blocks, warm_rows
from alphaseeker.training.metrics import symbol_rank_correlation
from alphaseeker.training.scorecard import HeldBack, held_back, score, skill_ahead
from alphaseeker.training.splits import MIN_ROWS
from alphaseeker.training.target import HOLD, Target, classify, target_from_dict
from alphaseeker.training.trades import simulate_trades
from alphaseeker.training.verdict import judge, suspicions

__all__ = ["EvaluatedModel", "evaluate_on", "evaluate_scores", "evaluation_rows"]

NEUTRAL = {"temperature": 1.0, "bias": [0.0, 0.0, 0.0], "min_confidence": 0.0}

BASELINE_METRICS = ("log_loss", "log_loss_skill", "ic", "ic_pooled", "mcc", "accuracy", "macro_f1")


class EvaluatedModel(Protocol):
    """What an evaluation needs of a model; ``TrainedModel`` and ``ModelArtifact`` have it."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The k columns in the model's order."""

    @property
    def class_prior(self) -> tuple[float, float, float]:
        """Class shares of the training part."""

    @property
    def calibration(self) -> dict[str, Any]:
        """``temperature``, ``bias`` and ``min_confidence``."""

    @property
    def target(self) -> dict[str, Any]:
        """``Target.to_dict()`` with the fitted threshold."""

    @property
    def training(self) -> dict[str, Any]:
        """``baselines`` and ``ready_history_s`` among others."""


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
    return _chosen_rows(blocks, rows, model, from_ns)


def _columns(blocks: Sequence[FeatureBlock], names: Sequence[str]) -> list[int]:
    known = {name: position for position, name in enumerate(blocks[0].names)}
    missing = [name for name in names if name not in known]
    if missing:
        raise ModelError(
            f"the model needs {len(missing)} features that the blocks lack ({missing[0]!r} is the "
            "first): compute the features by the names that the model holds"
        )
    return [known[name] for name in names]


def _chosen_rows(
    blocks: Sequence[FeatureBlock], rows: Rows, model: EvaluatedModel, from_ns: int
) -> npt.NDArray[np.int64]:
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
            f"{int(later.sum())} of {len(rows)} rows lie in the held-back part, "
            f"{int((later & rows.usable).sum())} of them have a label that the data resolves and "
            f"{int((later & warm).sum())} have warm features. Bring data of a longer time after "
            "the training part"
        )
    return chosen


def evaluate_on(
    blocks: Sequence[FeatureBlock],
    model: EvaluatedModel,
    predict_matrix: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]],
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
    ``evaluation_results`` of the public API: plain, finite, JSON-serialisable.

    Raises
    ------
    DataError
        Fewer than 30 rows can be judged.
    ModelError
        The blocks lack a column of the model.
    """
    target = target_from_dict(model.target)
    rows = join_blocks(blocks, target)
    model_columns = _columns(blocks, model.feature_names)
    label = classify(rows.forward_return, rows.barrier, target)
    chosen = _chosen_rows(blocks, rows, model, from_ns)
    last = simple.last_resolved_label(rows.timestamp, rows.segment, rows.label_end, label)
    fitted = model.training["baselines"]
    rivals = {
        "class_prior": simple.prior_probabilities(model.class_prior, len(chosen)),
        "last_label": simple.last_label_probabilities(last[chosen], fitted["last_label"]),
    }
    logistic = fitted["logistic"]
    if logistic is not None:
        columns = _columns(blocks, logistic["features"])
        rivals["logistic"] = simple.logistic_probabilities(
            gather(blocks, chosen, columns), logistic
        )
    matrix = gather(blocks, chosen, model_columns)
    held = held_back(
        rows.take(chosen),
        label[chosen],
        prior=np.asarray(model.class_prior),
        label_span_ns=target.horizon_ns,
    )
    return evaluate_scores(
        predict_matrix(matrix),
        held,
        calibration=model.calibration,
        target=target,
        rivals=rivals,
        best_book=_best_book_feature(blocks, chosen, held),
    )


def _best_book_feature(
    blocks: Sequence[FeatureBlock], chosen: npt.NDArray[np.int64], held: HeldBack
) -> tuple[str, float] | None:
    best: tuple[str, float] | None = None
    for column, name in enumerate(blocks[0].names):
        if not name.startswith("book."):
            continue
        values = gather(blocks, chosen, [column])[:, 0].astype(np.float64)
        finite = np.isfinite(values)
        ic = symbol_rank_correlation(
            values[finite], held.rows.forward_return[finite], held.rows.symbol[finite]
        )
        if best is None or abs(ic) > best[1]:
            best = (name, abs(ic))
    return best


def evaluate_scores(
    scores: npt.NDArray[np.float64],
    held: HeldBack,
    *,
    calibration: Mapping[str, Any],
    target: Target,
    rivals: Mapping[str, npt.NDArray[np.float64]],
    best_book: tuple[str, float] | None,
) -> dict[str, Any]:
    """Evaluate raw scores on held-back rows, beside the baselines' probabilities.

    Classification metrics are those of the most probable class (ties are HOLD), without the
    smallest confidence, so that they compare with the baselines'. ``n_trades`` and
    ``net_return_bp`` are of the decisions that the engine would take, 0 where it takes none;
    ``n_trades_all`` and ``net_return_all_bp`` of acting on every directional choice.

    Parameters
    ----------
    scores
        Raw scores of the rows of ``held``, shape (n, 3).
    rivals
        Probabilities of each baseline on the same rows, each of shape (n, 3).
    best_book
        Name and absolute IC of the best single feature of the book.

    Returns
    -------
    See ``evaluate_on``.
    """
    free = {**calibration, "min_confidence": 0.0}
    probabilities, choice = decide(allocate_decision(free), scores)
    _, decided = decide(allocate_decision(calibration), scores)
    # Anything beyond the three classes (low confidence) is a HOLD.
    side = np.where(decided <= 2, decided - HOLD, 0).astype(np.int8)
    cost = target.transaction_cost
    trades = simulate_trades(held.rows, side, transaction_cost=cost)
    every = simulate_trades(held.rows, (choice - HOLD).astype(np.int8), transaction_cost=cost)
    card = score(held, probabilities, choice, trades, every)
    card["n_trades"], card["n_trades_all"] = len(trades), len(every)
    simple_cards = {}
    for name, values in rivals.items():
        logarithm = np.log(np.maximum(values, np.finfo(np.float64).tiny))
        _, rival_choice = decide(allocate_decision(NEUTRAL), logarithm)
        full = score(held, values, rival_choice)
        ahead, bounds = skill_ahead(held, probabilities, values)
        simple_cards[name] = {
            **{key: full[key] for key in BASELINE_METRICS},
            "skill_behind_model": ahead,
            "intervals": {
                **{key: full["intervals"][key] for key in BASELINE_METRICS},
                "skill_behind_model": bounds,
            },
        }
    verdict, reason = judge(card, simple_cards, held.n_cells)
    times = held.rows.timestamp
    place = {
        "start_ns": int(times.min()),
        "end_ns": int(times.max()),
        "n_rows": len(times),
        "n_blocks": held.n_cells,
    }
    warnings = suspicions(card, horizon_s=target.horizon_s, best_book=best_book)
    fold = {key: value for key, value in card.items() if key != "classification_report"}
    return {
        **card,
        **place,
        "folds": [{**place, **fold}],
        "baselines": simple_cards,
        "verdict": verdict,
        "verdict_reason": reason,
        "warnings": warnings,
    }
