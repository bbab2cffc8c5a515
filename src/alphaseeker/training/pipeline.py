"""Training from feature blocks to everything that a model file needs.

Order of work, each step seeing no more than it may: boundaries from time stamps alone; selection,
threshold, class weights and baselines from the training part; early stopping, temperature and
smallest confidence from the validation part; and last the evaluation on the held-back part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.features.block import FeatureBlock
from alphaseeker.model.decision import allocate_decision, decide
from alphaseeker.model.golden import build_golden
from alphaseeker.training import baselines as simple
from alphaseeker.training.calibration import (
    choose_confidence,
    fit_temperature,
    uninformed_scores,
)
from alphaseeker.training.dataset import Rows, fingerprint, gather, join_blocks, warm_rows
from alphaseeker.training.evaluation import evaluate_on
from alphaseeker.training.fit import fit_model, raw_scores
from alphaseeker.training.selection import (
    Selection,
    candidate_columns,
    select_columns,
    unreached_warning,
)
from alphaseeker.training.splits import MIN_ROWS, TimeSplit, require_rows, split_by_time
from alphaseeker.training.target import (
    CLASS_NAMES,
    NANOSECONDS,
    Target,
    classify,
    fit_threshold,
    require_all_classes,
    target_from_config,
)

__all__ = ["Progress", "TrainedModel", "train_on_blocks"]

# A validation part of fewer label spans of time than this earns a warning.
FEW_LABEL_SPANS = 20

Progress = Callable[[str, int, int], None]
"""Called with the stage ("select", "fit", "calibrate", "evaluate"), steps done and steps in all."""


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
        Class shares of the training part.
    calibration
        ``temperature``, ``bias``, ``min_confidence``.
    target
        ``Target.to_dict()``; its ``threshold`` is the fitted one.
    training
        ``ranges`` [start_ns, end_ns] by part, ``fingerprint``, ``symbols``, ``rows`` by part,
        ``baselines``, ``ready_history_s``, ``best_iteration``, ``num_trees``.
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
class _Part:
    """Warm, resolved rows of one part of the split."""

    chosen: npt.NDArray[np.int64]
    rows: Rows
    label: npt.NDArray[np.int8]


def train_on_blocks(
    blocks: Sequence[FeatureBlock], config: Config, *, on_progress: Progress | None = None
) -> TrainedModel:
    """Train one model on the features of all symbols, and evaluate it on the held-back part.

    Parameters
    ----------
    blocks
        Features of each symbol, all with the same columns.
    config
        All sections; MODEL_CONFIG, TARGET_CONFIG, SPLIT_CONFIG, FEATURE_CONFIG, the costs and
        barriers of RISK_CONFIG, and MIN_CONFIDENCE and READY_HISTORY_S are used here.
    on_progress
        See ``Progress``.

    Raises
    ------
    DataError
        Too little data for three parts and the gaps between them, no usable feature, or a class
        that the training part lacks; the message says what would do.
    ConfigError
        A family or window that no feature has.
    """
    report = on_progress or (lambda stage, done, total: None)
    target = target_from_config(config)
    rows = join_blocks(blocks, target)
    split = split_by_time(rows.timestamp, label_span_ns=target.horizon_ns, config=config.split)
    selection = _select(blocks, rows, split, target, config, report)
    parts, target = _parts(blocks, rows, split, selection, target, config)
    train, validation = parts["train"], parts["validation"]
    prior = np.bincount(train.label, minlength=3) / len(train.label)

    matrix = gather(blocks, train.chosen, selection.columns)
    validation_matrix = gather(blocks, validation.chosen, selection.columns)
    fit = fit_model(
        (matrix, train.label),
        (validation_matrix, validation.label),
        selection.names,
        config.model,
        on_round=lambda done, total: report("fit", done, total),
    )
    golden_features, golden_scores = build_golden(fit.model_text, matrix)

    report("calibrate", 0, 1)
    predict = raw_scores(fit.model_text)
    calibration, calibration_warnings = _calibrate(
        predict(validation_matrix), validation, prior, target, config
    )
    del matrix, validation_matrix
    model = TrainedModel(
        model_text=fit.model_text,
        feature_names=selection.names,
        label_mapping={name: index for index, name in enumerate(CLASS_NAMES)},
        class_prior=(float(prior[0]), float(prior[1]), float(prior[2])),
        calibration=calibration,
        target=target.to_dict(),
        training={
            "ranges": {part: list(bounds) for part, bounds in split.ranges().items()},
            "fingerprint": fingerprint(blocks, split.test[0]),
            "symbols": [block.symbol for block in blocks],
            "rows": {part: len(item.chosen) for part, item in parts.items()},
            "ready_history_s": config.inference.READY_HISTORY_S,
            "baselines": _fit_baselines(blocks, rows, target, parts, prior.tolist()),
            "best_iteration": fit.best_iteration,
            "num_trees": fit.num_trees,
        },
        golden_features=golden_features,
        golden_scores=golden_scores,
        warnings=(*selection.warnings, *calibration_warnings),
    )
    report("evaluate", 0, 1)
    evaluation = evaluate_on(blocks, model, predict, from_ns=split.test[0])
    report("evaluate", 1, 1)
    return _with_results(model, evaluation)


def _select(
    blocks: Sequence[FeatureBlock],
    rows: Rows,
    split: TimeSplit,
    target: Target,
    config: Config,
    report: Progress,
) -> Selection:
    """Choose the columns on the training rows."""
    names = blocks[0].names
    chosen = np.flatnonzero(rows.usable & split.rows("train", rows.timestamp))
    _require_rows("train", chosen, rows, target, config)
    candidates = candidate_columns(names, config.feature)
    reached = [c for c in candidates if _is_reached(blocks, rows, split, names[c], config)]
    warnings: tuple[str, ...] = ()
    # Where none is reached the parts themselves are too short, and are refused as such.
    if reached and len(reached) < len(candidates):
        warnings = (unreached_warning(candidates, reached, names),)
        candidates = reached

    def columns() -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        for done, column in enumerate(candidates):
            report("select", done, len(candidates))
            yield column, gather(blocks, chosen, [column])[:, 0]

    selection = select_columns(
        columns(),
        names,
        rows.forward_return[chosen],
        rows.symbol[chosen],
        config.feature,
    )
    report("select", len(candidates), len(candidates))
    return replace(selection, warnings=(*warnings, *selection.warnings))


def _is_reached(
    blocks: Sequence[FeatureBlock], rows: Rows, split: TimeSplit, name: str, config: Config
) -> bool:
    """Say whether a column's history is seen on enough rows to validate and to evaluate with it.

    It goes by histories alone, which are times: no value of those parts is looked at.
    """
    warm = rows.usable & warm_rows(blocks, [name], ready_history_s=config.inference.READY_HISTORY_S)
    return all(
        int((warm & split.rows(part, rows.timestamp)).sum()) >= MIN_ROWS
        for part in ("validation", "test")
    )


def _parts(
    blocks: Sequence[FeatureBlock],
    rows: Rows,
    split: TimeSplit,
    selection: Selection,
    target: Target,
    config: Config,
) -> tuple[dict[str, _Part], Target]:
    """Take the warm rows of each part and fit the threshold of the classes on the first."""
    warm = warm_rows(blocks, selection.names, ready_history_s=config.inference.READY_HISTORY_S)
    chosen = {
        part: np.flatnonzero(rows.usable & warm & split.rows(part, rows.timestamp))
        for part in split.ranges()
    }
    for part, numbers in chosen.items():
        _require_rows(part, numbers, rows, target, config)
    fitted = fit_threshold(target, rows.forward_return[chosen["train"]])
    label = classify(rows.forward_return, rows.barrier, fitted)
    require_all_classes(label[chosen["train"]], rows.forward_return[chosen["train"]], fitted)
    parts = {
        part: _Part(chosen=numbers, rows=rows.take(numbers), label=label[numbers])
        for part, numbers in chosen.items()
    }
    return parts, fitted


def _require_rows(
    part: str, chosen: npt.NDArray[np.int64], rows: Rows, target: Target, config: Config
) -> None:
    gap = target.horizon_ns + round(config.split.EMBARGO_S * NANOSECONDS)
    require_rows(part, len(chosen), rows.timestamp, gap=gap, config=config.split)


def _calibrate(
    scores: npt.NDArray[np.float64],
    validation: _Part,
    prior: npt.NDArray[np.float64],
    target: Target,
    config: Config,
) -> tuple[dict[str, Any], list[str]]:
    """Fit temperature and smallest confidence on the validation part."""
    spans = len(np.unique(validation.rows.timestamp // target.horizon_ns))
    temperature, bias = fit_temperature(
        scores,
        validation.label,
        prior=prior.tolist(),
        uninformed=uninformed_scores(prior.tolist(), config.model),
    )
    warnings = []
    if spans < FEW_LABEL_SPANS:
        warnings.append(
            f"the validation part covers few label spans of time ({spans}): early stopping, "
            "calibration and MIN_CONFIDENCE rest on next to nothing; train on longer captures"
        )
    calibration: dict[str, Any] = {
        "temperature": temperature,
        "bias": bias,
        "min_confidence": 0.0,
    }
    wanted = config.inference.MIN_CONFIDENCE
    if not isinstance(wanted, str):
        return {**calibration, "min_confidence": float(wanted)}, warnings
    probabilities, choices = decide(allocate_decision(calibration), scores)
    choice = choose_confidence(
        probabilities,
        choices,
        validation.rows,
        transaction_cost=target.transaction_cost,
    )
    warnings += [choice.warning] if choice.warning else []
    return {**calibration, "min_confidence": choice.min_confidence}, warnings


def _fit_baselines(
    blocks: Sequence[FeatureBlock],
    rows: Rows,
    target: Target,
    parts: Mapping[str, _Part],
    prior: list[float],
) -> dict[str, Any]:
    """Fit the simple models on the training part, and their temperatures on the validation part."""
    train, validation = parts["train"], parts["validation"]
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
        )
    table = simple.temper_last_label(
        simple.fit_last_label(last[train.chosen], train.label, prior),
        (last[validation.chosen], validation.label),
        prior,
    )
    return {"last_label": table, "logistic": logistic}


def _with_results(model: TrainedModel, evaluation: dict[str, Any]) -> TrainedModel:
    """Add the results of the public API, and what a user should be told of them."""
    warnings = [*model.warnings, *evaluation.pop("warnings")]
    if evaluation["verdict"] == "no edge":
        warnings.append(
            f"no edge: {evaluation['verdict_reason']}; the engine abstains with this model unless "
            "TRADE_WITHOUT_EDGE is set"
        )
    rows = model.training["rows"]
    results = {
        "feature_names": list(model.feature_names),
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
