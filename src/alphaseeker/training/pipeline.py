"""Training from feature blocks to everything that a model file needs.

The folds are planned from time stamps alone; each is fitted on its own training and validation
part and judged on its own test part; then the same fit is made once more on all rows, and that is
the model. What a user reads about it are the answers of the folds, pooled and one by one: the same
way of fitting, on rows that it had not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.features.block import FeatureBlock
from alphaseeker.model.golden import build_golden
from alphaseeker.training.answers import Answers, answer, join_answers
from alphaseeker.training.column_request import Select
from alphaseeker.training.dataset import any_warm_rows, fingerprint, join_blocks, warm_rows
from alphaseeker.training.evaluation import Judged, fold_entry, judge_answers, report_of
from alphaseeker.training.fit import raw_scores
from alphaseeker.training.fold_fit import FoldFit, Progress, fit_fold
from alphaseeker.training.fold_parts import TrainingData, require_labels, require_rows
from alphaseeker.training.folds import Fold, Plan, plan_folds
from alphaseeker.training.importance import HeldSample, feature_importance
from alphaseeker.training.resume import Resumed
from alphaseeker.training.selection import candidate_columns
from alphaseeker.training.target import CLASS_NAMES, target_from_config

__all__ = ["Progress", "RefitColumns", "TrainedModel", "train_on_blocks"]

RefitColumns = Callable[[npt.NDArray[np.bool_]], None]
"""Called with the mask of a fit's training rows, over all blocks, before their columns are read: it
rewrites, in place, the columns that rest on what is fitted."""


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A trained model with all that its file holds beside the feature settings.

    Attributes
    ----------
    model_text
        LightGBM's text model.
    feature_names
        The k columns, in order.
    label_mapping
        Class name to class index.
    class_prior
        Class shares of the training part, every row counting the same.
    calibration
        ``temperature``, ``bias``, ``min_confidence`` and what the method adds.
    target
        ``Target.to_dict()``; its ``threshold`` is the fitted one.
    training
        ``ranges`` [start_ns, end_ns] by part of the final fit (its test part is empty, and begins
        after the data, where it was made on all of it), ``fitted_on`` (the training part's own
        ranges), ``fingerprint``, ``symbols``, ``rows`` by
        part ("test": those that the folds judged), ``baselines``, ``ready_history_s``,
        ``best_iteration``, ``num_trees``, ``parameters`` that a search changed, ``scheme``,
        ``folds`` (ranges by part), ``refit`` and ``selection`` (``select`` and ``grades``).
    results
        ``results`` of the public API's ``train_model``, without what the engine adds.
    golden_features, golden_scores
        Rows of the training part and LightGBM's raw scores for them: float32 (m, k) and float64
        (m, 3), m at most 1000.
    warnings
        Sentences that a user should read.
    """

    model_text: str
    feature_names: tuple[str, ...]
    label_mapping: dict[str, int]
    class_prior: tuple[float, float, float]
    calibration: dict[str, Any]
    target: dict[str, Any]
    training: dict[str, Any]
    golden_features: npt.NDArray[np.float32]
    golden_scores: npt.NDArray[np.float64]
    warnings: tuple[str, ...] = ()
    results: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Tested:
    """A fold's model with its answers on the test part."""

    fit: FoldFit
    judged: Judged
    sample: HeldSample


def train_on_blocks(
    blocks: Sequence[FeatureBlock],
    config: Config,
    *,
    on_progress: Progress | None = None,
    refit_columns: RefitColumns | None = None,
    resumed: Resumed | None = None,
    select: Select = None,
    on_fold: Callable[[FoldFit], None] | None = None,
) -> TrainedModel:
    """Train one model on the features of all symbols, and evaluate the way it was made by folds.

    Parameters
    ----------
    blocks
        Features of each symbol, all with the same columns.
    config
        All sections; MODEL_CONFIG, TARGET_CONFIG, SPLIT_CONFIG, FEATURE_CONFIG, FACTOR_CONFIG, the
        costs and barriers of RISK_CONFIG, and MIN_CONFIDENCE and READY_HISTORY_S are used here.
    on_progress
        See ``Progress``.
    refit_columns
        See ``RefitColumns``; without it the columns stay as they are.
    resumed
        The model that this one goes on from.
    select
        None, "auto" or the names of the columns; see ``training.column_request``.
    on_fold
        Called with each fold's fit, while the blocks' columns are as that fold reads them.

    Raises
    ------
    DataError
        Too little data for one fold of three parts and the gaps between them, no usable feature,
        or a class that a training part lacks; the message says what would do.
    ConfigError
        A family or window that no feature has.
    """
    target = target_from_config(config)
    data = TrainingData(
        blocks=blocks,
        rows=join_blocks(blocks, target),
        target=target,
        config=config,
        select=select,
    )
    require_labels(data.rows, target)
    plan = _plan(data, resumed)
    fits = len(plan.folds) + config.split.REFIT

    def fitted(fold: Fold, number: int) -> FoldFit:
        report = _within(on_progress, number, fits)
        if refit_columns is not None:
            refit_columns(fold.rows("train", data.rows.timestamp))
        return fit_fold(data, fold, report=report, search_share=1.0 / fits, resumed=resumed)

    tested = []
    for number, fold in enumerate(plan.folds):
        fit = fitted(fold, number)
        tested.append(_test(data, fit))
        if on_fold is not None:
            on_fold(fit)
    final = fitted(plan.final, len(tested)) if config.split.REFIT else tested[-1].fit
    report = _within(on_progress, 0, 1)
    report("evaluate", 0, 1)
    evaluation = report_of(
        _paths(plan, tested, data),
        [_entry(one) for one in tested],
        target,
        importance=feature_importance(
            final.model_text, final.feature_names, [one.sample for one in tested]
        ),
        search=final.search,
    )
    report("evaluate", 1, 1)
    return _with_results(_model(data, plan, final, evaluation), plan, evaluation)


def _within(on_progress: Progress | None, number: int, fits: int) -> Progress:
    """Return a callback that counts the steps of one fit among those of all."""

    def report(stage: str, done: int, total: int) -> None:
        if on_progress is not None:
            on_progress(stage, number * total + done, fits * total)

    return report


def _plan(data: TrainingData, resumed: Resumed | None) -> Plan:
    """Plan the folds; rows count once any column that may be used has its history.

    A warm start uses all of its model's columns, whatever FEATURE_CONFIG says, and a list those
    that it names: all must have it.
    """
    names, ready = data.blocks[0].names, data.config.inference.READY_HISTORY_S
    if resumed is not None and resumed.start is not None:
        warm = warm_rows(data.blocks, resumed.selection(names).names, ready_history_s=ready)
    elif isinstance(data.select, tuple):
        warm = warm_rows(data.blocks, data.select, ready_history_s=ready)
    else:
        candidates = [names[column] for column in candidate_columns(names, data.config.feature)]
        warm = any_warm_rows(data.blocks, candidates, ready_history_s=ready)
    return plan_folds(
        data.rows.timestamp,
        data.rows.segment,
        label_span_ns=data.target.horizon_ns,
        config=data.config.split,
        usable=data.rows.usable & warm,
    )


def _test(data: TrainingData, fit: FoldFit) -> _Tested:
    """Ask a fold's model about its test part; too few warm rows in it are a DataError."""
    rows = data.rows
    warm = warm_rows(
        data.blocks, fit.feature_names, ready_history_s=fit.training["ready_history_s"]
    )
    held = warm & fit.fold.rows("test", rows.timestamp)
    chosen, asked = np.flatnonzero(rows.usable & held), np.flatnonzero(rows.asked & held)
    require_rows("test", chosen, data)
    predict = raw_scores(fit.model_text)
    answers, sample = answer(data.blocks, rows, fit, predict, chosen, asked=asked)
    judged = judge_answers(answers, data.target)
    answers.release()
    return _Tested(fit=fit, judged=judged, sample=sample)


def _paths(plan: Plan, tested: Sequence[_Tested], data: TrainingData) -> list[Judged]:
    """Judge every way to put the folds together."""
    if len(tested) == 1:
        return [tested[0].judged]
    paths: list[Judged] = []
    for path in plan.paths:
        parts: list[Answers] = [
            tested[number].judged.answers.within(*part) for number, part in path
        ]
        joined = join_answers([part for part in parts if len(part)])
        paths.append(judge_answers(joined, data.target))
    return paths


def _entry(tested: _Tested) -> dict[str, Any]:
    """Return what the report says of a fold: every metric, and what was fitted."""
    fit = tested.fit
    return {
        **fold_entry(tested.judged),
        "train_size": fit.train_rows,
        "val_size": fit.validation_rows,
        "test_size": len(tested.judged.answers),
        "ranges": _plain_ranges(fit.fold),
        "n_features": len(fit.feature_names),
        "feature_names": list(fit.feature_names),
        "grades": dict(fit.training["selection"]["grades"]),
        "best_iteration": fit.training["best_iteration"],
        "threshold": fit.target["threshold"],
        "min_confidence": fit.calibration["min_confidence"],
        "parameters": dict(fit.training["parameters"]),
        "warnings": list(fit.warnings),
    }


def _plain_ranges(fold: Fold) -> dict[str, list[list[int]]]:
    return {part: [list(one) for one in ranges] for part, ranges in fold.ranges().items()}


def _model(
    data: TrainingData, plan: Plan, final: FoldFit, evaluation: Mapping[str, Any]
) -> TrainedModel:
    """Put together what the model file holds."""
    last = int(data.rows.timestamp.max()) + 1
    ranges = {
        part: [found[0][0], found[-1][1]] if found else [last, last]
        for part, found in final.fold.ranges().items()
    }
    golden_features, golden_scores = build_golden(final.model_text, final.sample)
    return TrainedModel(
        model_text=final.model_text,
        feature_names=final.feature_names,
        label_mapping={name: index for index, name in enumerate(CLASS_NAMES)},
        class_prior=final.class_prior,
        calibration=final.calibration,
        target=final.target,
        training={
            **final.training,
            "ranges": ranges,
            "fitted_on": [list(one) for one in final.fold.train],
            "fingerprint": fingerprint(data.blocks, ranges["test"][0]),
            "symbols": [block.symbol for block in data.blocks],
            "rows": {
                "train": final.train_rows,
                "validation": final.validation_rows,
                "test": evaluation["n_rows"],
            },
            "scheme": plan.scheme,
            "folds": [_plain_ranges(fold) for fold in plan.folds],
            "refit": data.config.split.REFIT,
        },
        golden_features=golden_features,
        golden_scores=golden_scores,
        warnings=final.warnings,
    )


def _with_results(model: TrainedModel, plan: Plan, evaluation: dict[str, Any]) -> TrainedModel:
    """Add the results of the public API, and what a user should be told of them."""
    warnings = [*plan.warnings, *model.warnings, *evaluation.pop("warnings")]
    if evaluation["verdict"] == "no edge":
        warnings.append(
            f"no edge: {evaluation['verdict_reason']}; the engine abstains with this model unless "
            "TRADE_WITHOUT_EDGE is set"
        )
    rows = model.training["rows"]
    folds = [set(fold["feature_names"]) for fold in evaluation["folds"]]
    results = {
        "feature_names": list(model.feature_names),
        "selection": {
            **model.training["selection"],
            "folds": {
                name: sum(name in chosen for chosen in folds)
                for name in sorted(set(model.feature_names).union(*folds))
            },
        },
        "train_size": rows["train"],
        "val_size": rows["validation"],
        "test_size": evaluation["n_rows"],
        "evaluation_results": evaluation,
        "model_info": {
            "status": "trained",
            "n_features": len(model.feature_names),
            "best_iteration": model.training["best_iteration"],
            "num_trees": model.training["num_trees"],
            "label_mapping": dict(model.label_mapping),
            "feature_names": list(model.feature_names),
            "accuracy": evaluation["accuracy"],
        },
        "warnings": warnings,
    }
    return replace(model, results=results, warnings=tuple(warnings))
