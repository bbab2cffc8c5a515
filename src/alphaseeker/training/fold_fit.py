"""One fit: all that is fitted on the training part of a fold and set by its validation part.

Selection, threshold, weights, parameters and baselines come from the training rows alone. Early
stopping, temperature and smallest confidence come from the validation rows. Nothing here looks at
a test part but for the histories of its rows, which are times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.model.adaptive import DEFAULT_ADAPTATION
from alphaseeker.model.decision import allocate_decision, choices_of, probabilities_of
from alphaseeker.model.golden import golden_places
from alphaseeker.training import baselines as simple
from alphaseeker.training.adaptation import adapt
from alphaseeker.training.calibration import choose_confidence, fit_calibration
from alphaseeker.training.column_request import AUTO, requested_columns
from alphaseeker.training.dataset import Rows, gather, reached_columns
from alphaseeker.training.fit import fit_model, raw_scores
from alphaseeker.training.fold_parts import Part, TrainingData, labelled_parts, require_rows
from alphaseeker.training.folds import Fold
from alphaseeker.training.graded_selection import graded_selection
from alphaseeker.training.reference import feature_reference
from alphaseeker.training.resume import Resumed
from alphaseeker.training.row_matrix import RowMatrix, score_rows
from alphaseeker.training.search import Search
from alphaseeker.training.search_run import evaluate_trial, search_model
from alphaseeker.training.selection import (
    Selection,
    candidate_columns,
    select_columns,
    unreached_warning,
)
from alphaseeker.training.splits import MIN_ROWS
from alphaseeker.training.target import (
    Target,
    classify,
)
from alphaseeker.training.weights import average_uniqueness

__all__ = ["FoldFit", "Progress", "fit_fold"]

# A validation part of fewer label spans of time than this earns a warning.
FEW_LABEL_SPANS = 20

Progress = Callable[[str, int, int], None]
"""Called with the stage ("select", "fit", "calibrate", "evaluate"), steps done and steps in all."""


@dataclass(frozen=True, kw_only=True)
class FoldFit:
    """A fitted model and all that its evaluation and its file need.

    Attributes
    ----------
    fold
        The times it was fitted on.
    model_text
        LightGBM's text model.
    feature_names
        The k columns, in order.
    class_prior
        Class shares of the training part, every row counting the same.
    calibration
        ``temperature``, ``bias``, ``min_confidence``, ``adaptive`` and what the method adds.
    target
        ``Target.to_dict()`` with the fitted threshold.
    training
        ``baselines``, ``ready_history_s``, ``best_iteration``, ``num_trees``, ``blend`` (weights
        of trees and linear part), ``reference`` (what live features are compared with),
        ``parameters`` (those that a search changed), ``selection`` (what ``select`` asked for, and
        the grades of the columns where they were graded).
    train_rows, validation_rows
        Numbers of rows that were used.
    sample
        float32, shape (500, k): runs of training rows, for golden rows.
    search
        What was tried, None where nothing was searched.
    warnings
        Sentences about this fit.
    """

    fold: Fold
    model_text: str
    feature_names: tuple[str, ...]
    class_prior: tuple[float, float, float]
    calibration: dict[str, Any]
    target: dict[str, Any]
    training: dict[str, Any]
    train_rows: int
    validation_rows: int
    sample: npt.NDArray[np.float32]
    search: Search | None
    warnings: tuple[str, ...]


def fit_fold(
    data: TrainingData,
    fold: Fold,
    *,
    report: Progress,
    search_share: float = 1.0,
    resumed: Resumed | None = None,
) -> FoldFit:
    """Fit a model on the training part of ``fold`` and calibrate it on its validation part.

    Parameters
    ----------
    data
        The blocks' columns as they are to be read for this fold.
    fold
        Training and validation part.
    report
        Called with a stage, steps done and steps in all.
    search_share
        Of the minutes of a search over the model's parameters: one over the number of fits.
    resumed
        The model that this one goes on from.

    Raises
    ------
    DataError
        Too few usable rows, no usable feature, or a class that the training part lacks.
    ConfigError
        A family or window that no feature has.
    """
    config, blocks = data.config, data.blocks
    selection = _select(data, fold, report, resumed)
    train, validation, target = labelled_parts(data, fold, selection.names)
    shares = np.bincount(train.label, minlength=3) / len(train.label)
    prior: list[float] = shares.tolist()
    matrix = RowMatrix(blocks, train.chosen, selection.columns)
    validation_matrix = RowMatrix(blocks, validation.chosen, selection.columns)
    parts = (
        (matrix, train.label, train.weight),
        (validation_matrix, validation.label, validation.weight),
    )

    model, search = search_model(
        partial(
            evaluate_trial,
            train=parts[0],
            validation=parts[1],
            rows=validation.rows,
            names=selection.names,
            config=config.model,
            target=target,
            min_confidence=config.inference.MIN_CONFIDENCE,
        ),
        config.model,
        rows=len(train.label),
        share=search_share,
        on_progress=lambda done, total: report("search", done, total),
    )
    fit = fit_model(
        *parts,
        selection.names,
        model,
        on_round=lambda done, total: report("fit", done, total),
        start=None if resumed is None else resumed.start,
    )
    report("calibrate", 0, 1)
    scores = score_rows(raw_scores(fit.model_text), validation_matrix)
    # Whatever the fit was weighed by: labels that overlap say less about the temperature.
    unique = average_uniqueness(
        validation.rows.timestamp, validation.rows.label_end, validation.rows.symbol
    )
    fitted = fit_calibration(
        scores,
        validation.label,
        prior=prior,
        uninformed=fit.uninformed,
        method=model.calibration,
        weights=unique,
    )
    reference = feature_reference(matrix.take, train.rows.timestamp, train.rows.segment)
    adaptive = dict(DEFAULT_ADAPTATION) if config.inference.ADAPTIVE_CALIBRATION else None
    free = {**fitted, "adaptive": adaptive, "min_confidence": 0.0}
    probabilities = adapt(
        blocks,
        validation.chosen,
        probabilities_of(allocate_decision(free), scores),
        calibration=free,
        prior=prior,
        target=target.to_dict(),
        reference=reference,
    )
    calibration, warnings = _with_confidence(free, probabilities, validation.rows, target, config)
    report("calibrate", 1, 1)
    return FoldFit(
        fold=fold,
        model_text=fit.model_text,
        feature_names=selection.names,
        class_prior=(prior[0], prior[1], prior[2]),
        calibration=calibration,
        target=target.to_dict(),
        training={
            "ready_history_s": config.inference.READY_HISTORY_S,
            "baselines": _fit_baselines(data, target, train, validation, prior, unique),
            "best_iteration": fit.best_iteration,
            "num_trees": fit.num_trees,
            "blend": fit.blend,
            "reference": reference,
            "parameters": {} if search is None else dict(search.best),
            "selection": _selection_record(data, selection, resumed),
        },
        train_rows=len(train.chosen),
        validation_rows=len(validation.chosen),
        sample=matrix.take(golden_places(len(matrix))),
        search=search,
        warnings=(*selection.warnings, *warnings),
    )


def _select(data: TrainingData, fold: Fold, report: Progress, resumed: Resumed | None) -> Selection:
    """Choose the columns on the training rows; a warm start has those of its model."""
    blocks, rows, config = data.blocks, data.rows, data.config
    names = blocks[0].names
    if resumed is not None and resumed.start is not None:
        return resumed.selection(names)
    train = fold.rows("train", rows.timestamp)
    chosen = np.flatnonzero(rows.usable & train)
    require_rows("train", chosen, data)
    if isinstance(data.select, tuple):
        return _requested(data, fold, data.select)
    candidates = candidate_columns(names, config.feature)
    if resumed is not None:
        candidates = sorted(resumed.candidates(names))
    reached = _reached(data, fold, candidates)
    warnings: tuple[str, ...] = ()
    # Where none is reached the parts themselves are too short, and are refused as such.
    if reached and len(reached) < len(candidates):
        warnings = (unreached_warning(candidates, reached, names),)
        candidates = reached

    def columns() -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        for done, column in enumerate(candidates):
            report("select", done, len(candidates))
            yield column, gather(blocks, chosen, [column])[:, 0]

    selection = graded_selection(
        select_columns(columns(), names, config.feature),
        blocks,
        train,
        rows.forward_return,
        config,
        horizon_s=data.target.horizon_s,
        automatic=data.select == AUTO,
    )
    report("select", len(candidates), len(candidates))
    return replace(selection, warnings=(*warnings, *selection.warnings))


def _requested(data: TrainingData, fold: Fold, select: tuple[str, ...]) -> Selection:
    """Take the columns of a list as they are; one that the other parts never reach is refused."""
    names = data.blocks[0].names
    selection = requested_columns(select, names, data.config.feature)
    reached = _reached(data, fold, selection.columns)
    lost = [names[column] for column in selection.columns if column not in reached]
    if lost:
        raise DataError(
            f"select names {', '.join(lost)}, whose history too few rows of the validation or of "
            f"the held-back part of {fold.name} have: leave them out, or bring longer sessions"
        )
    return selection


def _selection_record(
    data: TrainingData, selection: Selection, resumed: Resumed | None
) -> dict[str, Any]:
    """Return what the model file says of the choice of columns; a warm start's is the old one."""
    if resumed is not None and resumed.start is not None:
        return dict(resumed.artifact.training.get("selection") or {"select": None, "grades": {}})
    select = data.select
    return {
        "select": list(select) if isinstance(select, tuple) else select,
        "grades": dict(selection.grades),
    }


def _reached(data: TrainingData, fold: Fold, candidates: Sequence[int]) -> list[int]:
    """Return the columns whose history enough rows see to validate and to evaluate with them.

    It goes by histories alone, which are times: no value of those parts is looked at.
    """
    names = data.blocks[0].names
    kept = set(candidates)
    for part, ranges in fold.ranges().items():
        if part == "train" or not ranges:
            continue
        rows = data.rows.usable & fold.rows(part, data.rows.timestamp)
        kept &= reached_columns(
            data.blocks,
            {column: names[column] for column in kept},
            rows,
            least=MIN_ROWS,
            ready_history_s=data.config.inference.READY_HISTORY_S,
        )
    return [column for column in candidates if column in kept]


def _with_confidence(
    calibration: Mapping[str, Any],
    probabilities: npt.NDArray[np.float64],
    rows: Rows,
    target: Target,
    config: Config,
) -> tuple[dict[str, Any], list[str]]:
    """Add the smallest confidence that the validation part asks for, and say what it rests on.

    ``calibration`` has none yet (0), and the probabilities are those of the validation rows.
    """
    spans = len(np.unique(rows.timestamp // target.horizon_ns))
    warnings = []
    if spans < FEW_LABEL_SPANS:
        warnings.append(
            f"the validation part covers few label spans of time ({spans}): early stopping, "
            "calibration and MIN_CONFIDENCE rest on next to nothing; train on longer captures"
        )
    wanted = config.inference.MIN_CONFIDENCE
    if not isinstance(wanted, str):
        return {**calibration, "min_confidence": float(wanted)}, warnings
    choices = choices_of(allocate_decision(calibration), probabilities)
    choice = choose_confidence(
        probabilities, choices, rows, transaction_cost=target.transaction_cost
    )
    warnings += [choice.warning] if choice.warning else []
    return {**calibration, "min_confidence": choice.min_confidence}, warnings


def _fit_baselines(
    data: TrainingData,
    target: Target,
    train: Part,
    validation: Part,
    prior: list[float],
    unique: npt.NDArray[np.float64],
) -> dict[str, Any]:
    """Fit the simple models on the training part, and their temperatures on the validation part."""
    rows, blocks = data.rows, data.blocks
    label = classify(rows.forward_return, rows.barrier, target)
    last = simple.last_resolved_label(rows.timestamp, rows.segment, rows.label_end, label)
    names = blocks[0].names
    used = simple.logistic_columns(names)
    logistic = None
    if used:
        columns = [names.index(name) for name in used]
        logistic = simple.temper_logistic(
            simple.fit_logistic(gather(blocks, train.chosen, columns), used, train.label),
            (gather(blocks, validation.chosen, columns), validation.label),
            prior,
            unique,
        )
    table = simple.temper_last_label(
        simple.fit_last_label(last[train.chosen], train.label, prior),
        (last[validation.chosen], validation.label),
        prior,
        unique,
    )
    return {"last_label": table, "logistic": logistic}
