"""The whole way from a file to a model and its evaluation: read, gate, compute, train, pack."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from alphaseeker.config import Config
from alphaseeker.errors import ConfigError, DataError
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.features.batch import compute_features
from alphaseeker.features.block import FeatureBlock, FeatureSettings
from alphaseeker.features.catalogue import schema_hash
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.matrix_cache import MatrixCache
from alphaseeker.features.matrix_file import allocate_values, release
from alphaseeker.features.settings import settings_from_plain
from alphaseeker.market.array_file import in_file, trim_memory
from alphaseeker.market.quality import QualityReport
from alphaseeker.model.artifact import ModelArtifact
from alphaseeker.model.backends import choose_predictor
from alphaseeker.training.column_request import check_select, columns_for, read_by_evaluation
from alphaseeker.training.evaluation import evaluate_on
from alphaseeker.training.fitted import (
    FITTED,
    ColumnRefit,
    fit_on_training_part,
    say_where_graded,
)
from alphaseeker.training.judged import MB, Judged, judge_source
from alphaseeker.training.pipeline import Progress, TrainedModel, train_on_blocks
from alphaseeker.training.resume import DEFAULT_MODE, later_rows, naming_the_cut, resume_from

__all__ = [
    "MB",
    "Judged",
    "TrainingRun",
    "blocks_of",
    "evaluate_source",
    "judge_source",
    "train_source",
]

PACKAGES = ("alphaseeker", "numpy", "numba", "lightgbm")
BY_ROW = (
    "values",
    "timestamp",
    "mid",
    "spread",
    "close",
    "segment",
    "history",
    "verdict",
    "row",
)


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """A model ready to be saved, and the results beside it.

    Attributes
    ----------
    artifact
        The model.
    trained
        Its training and evaluation.
    factors
        Grades of the features; empty where there is too little data for them.
    warnings
        What a user should know, one sentence each; those of the data stand first.
    quality
        What the gate counted in the data.
    """

    artifact: ModelArtifact
    trained: TrainedModel
    factors: list[dict[str, Any]]
    warnings: tuple[str, ...]
    quality: QualityReport


def blocks_of(
    judged: Judged,
    settings: FeatureSettings,
    *,
    names: Sequence[str] | None = None,
    memory_limit: float | None = None,
    cache: MatrixCache | None = None,
) -> list[FeatureBlock]:
    """Compute the features of every symbol.

    Parameters
    ----------
    memory_limit
        Bytes of values, of all symbols together, that may stand in memory; those of further
        symbols stand in files. None for no limit.
    cache
        Where features that were computed before may be read; None to compute all.
    """
    blocks = []
    compute = compute_features if cache is None else cache.features
    left = math.inf if memory_limit is None else memory_limit
    for one in judged.series:
        block = compute(
            one, settings=settings, names=names, quality=judged.quality, memory_limit=left
        )
        left -= 0 if in_file(block.values) else block.values.nbytes
        blocks.append(block)
    trim_memory()
    return blocks


def train_source(
    data: Any,
    config: Config,
    *,
    price_col: str = "close",
    on_progress: Progress | None = None,
    custom: Sequence[CustomFeature] = (),
    resume: str | os.PathLike[str] | None = None,
    resume_mode: str = DEFAULT_MODE,
    select: str | Sequence[str] | None = None,
) -> TrainingRun:
    """Train one model on everything in ``data``.

    Parameters
    ----------
    data
        Path, glob, directory or frame; see ``market.readers.read_ticks``.
    config
        All sections.
    price_col
        Column that is read as ``close``.
    on_progress
        Called with a stage, steps done and steps in all.
    custom
        Features of the user's own, computed beside the catalogue's.
    resume, resume_mode
        Model file to go on from, and how: ``refit`` or ``warm``; see ``training.resume``.
    select
        None, "auto" or names of features; see ``training.column_request``.

    Raises
    ------
    DataError
        The data cannot be read, is too bad, or too short.
    ConfigError
        The mode or a feature is unknown, a mode comes without a model to go on from, or a warm
        start is to search or to select.
    ModelError
        The model to go on from cannot be used.
    """
    if resume is None and resume_mode != DEFAULT_MODE:
        raise ConfigError("resume_mode needs resume: name the model to go on from")
    resumed = None
    overridden: tuple[str, ...] = ()
    if resume is not None:
        resumed = resume_from(resume, resume_mode, config, custom)
        overridden, config = resumed.overridden(config), resumed.config(config)
    wanted = check_select(select, custom, resumed)
    report: Callable[[str, int, int], None] = on_progress or (lambda stage, done, total: None)
    report("read", 0, 1)
    judged = judge_source(data, config, price_col=price_col)
    report("read", 1, 1)
    left_out: tuple[str, ...] = ()
    if resumed is not None:
        series, accepted, left_out = later_rows(judged.series, judged.accepted, resumed)
        judged = replace(judged, series=series, accepted=accepted)
    warm = resumed is not None and resumed.start is not None
    names = refit = None
    with naming_the_cut(left_out):
        if resumed is not None and warm:
            # The trees that it goes on from read these columns with these settings.
            settings = resumed.settings
            names = read_by_evaluation(resumed.artifact, settings)
        else:
            fitted, _ = fit_on_training_part(judged.series, judged.accepted, config)
            settings = replace(fitted, custom=tuple(custom))
            names = columns_for(wanted, settings)
        report("features", 0, 1)
        limit = config.data.MATRIX_MEMORY_MB * MB
        cache = MatrixCache(config.inference)
        blocks = blocks_of(judged, settings, names=names, memory_limit=limit, cache=cache)
        report("features", 1, 1)
        if not warm:
            refit = ColumnRefit(judged.series, judged.accepted, blocks, settings, config, cache)
        trained = train_on_blocks(
            blocks,
            config,
            on_progress=on_progress,
            refit_columns=refit,
            resumed=resumed,
            select=wanted,
        )
    settings = settings if refit is None else refit.settings
    training = dict(trained.training)
    if resumed is not None:
        training["resumed_from"] = resumed.record()
    training["created"] = datetime.now(UTC).isoformat(timespec="seconds")
    training["quality"] = judged.quality.as_dict()
    training["price_col"] = price_col
    artifact = ModelArtifact(
        model_text=trained.model_text,
        feature_names=trained.feature_names,
        schema_hash=schema_hash(trained.feature_names, settings.custom_columns),
        label_mapping=trained.label_mapping,
        class_prior=trained.class_prior,
        calibration=trained.calibration,
        settings=settings.to_dict(trained.feature_names),
        target=trained.target,
        training=training,
        metrics=trained.results["evaluation_results"],
        versions={
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
        },
        golden_features=trained.golden_features,
        golden_scores=trained.golden_scores,
    )
    factors, warnings = _grade(_training_rows(blocks, training["fitted_on"], limit), config, report)
    return TrainingRun(
        artifact=artifact,
        trained=trained,
        factors=factors,
        warnings=(
            *judged.quality.warnings(),
            *left_out,
            *overridden,
            *trained.warnings,
            *warnings,
        ),
        quality=judged.quality,
    )


def _grade(
    blocks: list[FeatureBlock], config: Config, report: Progress
) -> tuple[list[dict[str, Any]], list[str]]:
    """Grade the factors on the model's training part; too little data for that costs no model.

    Fitted columns are not graded: all rows here are ones that they were fitted on.
    """
    report("factors", 0, 1)
    trim_memory()
    try:
        results = evaluate_factor_blocks(
            blocks,
            config,
            unknown=FITTED,
            decay=False,
            context=False,
            on_progress=lambda done, total: report("factors", done, total),
        )
    except DataError as error:
        return [], [f"factors are not graded: {error}"]
    graded = list(results["factor_results"])
    say_where_graded(graded, None)
    return graded, []


def _training_rows(
    blocks: Sequence[FeatureBlock], ranges: Sequence[Sequence[int]], memory_limit: float
) -> list[FeatureBlock]:
    """Return the rows of each range as blocks of their own: views where they stand together."""
    found = []
    for block in blocks:
        for start, end in ranges:
            rows = np.flatnonzero((start <= block.timestamp) & (block.timestamp < end))
            if len(rows) == 0:
                continue
            if rows[-1] - rows[0] == len(rows) - 1:
                part = slice(int(rows[0]), int(rows[-1]) + 1)
                found.append(
                    replace(block, **{name: getattr(block, name)[part] for name in BY_ROW})
                )
                continue
            # A session that begins earlier than the one before it ended.
            values = allocate_values(len(rows), len(block.names), memory_limit=memory_limit)
            for column in range(len(block.names)):
                values[:, column] = block.values[rows, column]
                release(values)
                release(block.values)
            arrays = {name: getattr(block, name)[rows] for name in BY_ROW if name != "values"}
            found.append(replace(block, values=values, **arrays))
    return found


def evaluate_source(
    artifact: ModelArtifact,
    data: Any,
    config: Config,
    *,
    price_col: str | None = None,
    custom: Sequence[CustomFeature] = (),
) -> dict[str, Any]:
    """Evaluate a model on the rows of ``data`` that its training never saw.

    Only rows after the last one that anything of the model was fitted on are judged, whatever the
    file holds before: where it was fitted once more on all of its data (REFIT), those after that
    data, else those from the test part of its last fold on. Probabilities are adapted as a session
    would adapt them: not at all where ADAPTIVE_CALIBRATION is off.

    Returns
    -------
    dict
        ``evaluation_results`` as from training, with ``held_back`` beside it: the first moment
        judged, and how many rows lay before and after it; and ``warnings``: those of the data,
        then those of the evaluation.

    Raises
    ------
    DataError
        The data cannot be read, lacks depth or the aggressor's side, which the model reads, or
        holds too few rows after the training part.
    """
    column = price_col or artifact.training.get("price_col", "close")
    if not config.inference.ADAPTIVE_CALIBRATION:
        artifact = replace(artifact, calibration={**artifact.calibration, "adaptive": None})
    judged = judge_source(data, config, price_col=column)
    settings = settings_from_plain(artifact.settings, custom)
    blocks = blocks_of(
        judged,
        settings,
        names=read_by_evaluation(artifact, settings),
        memory_limit=config.data.MATRIX_MEMORY_MB * MB,
        cache=MatrixCache(config.inference),
    )
    from_ns = int(artifact.training["ranges"]["test"][0])
    before = sum(int((block.timestamp < from_ns).sum()) for block in blocks)
    rows = sum(len(block) for block in blocks)
    if before == rows:
        raise DataError(
            f"all {rows} rows lie before {_iso(from_ns)}, up to where the model was fitted: its "
            "evaluation by folds is in the report of the training. Give later data, or train with "
            "REFIT = false, which keeps the last test part out of the model"
        )
    predictor, _ = choose_predictor(artifact, num_threads=config.inference.NUM_THREADS)
    try:
        results = evaluate_on(blocks, artifact, predictor.predict_matrix, from_ns=from_ns)
    finally:
        predictor.close()
    results["warnings"] = [*judged.quality.warnings(), *results["warnings"]]
    results["held_back"] = {
        "from": _iso(from_ns),
        "rows_before": before,
        "rows_after": rows - before,
    }
    return results


def _iso(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat(timespec="seconds")
