"""The whole way from a file to a model and its evaluation: read, gate, compute, train, pack."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.features.batch import compute_features
from alphaseeker.features.block import FeatureBlock, FeatureSettings
from alphaseeker.features.catalogue import schema_hash
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.inputs import available_names
from alphaseeker.features.settings import settings_from_plain
from alphaseeker.market.gate import Verdict
from alphaseeker.market.quality import QualityAccumulator, QualityReport, enforce
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.schema import TickSeries
from alphaseeker.model.artifact import ModelArtifact
from alphaseeker.model.backends import choose_predictor
from alphaseeker.training.evaluation import evaluate_on
from alphaseeker.training.fitted import blank_fitted, fit_on_training_part, say_where_graded
from alphaseeker.training.pipeline import Progress, TrainedModel, train_on_blocks

__all__ = ["Judged", "TrainingRun", "blocks_of", "evaluate_source", "judge_source", "train_source"]

REPEATED = int(Verdict.REPEATED)
PACKAGES = ("alphaseeker", "numpy", "numba", "lightgbm")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A source as the quality gate left it.

    Attributes
    ----------
    series
        Every symbol's ticks with the refused rows left out.
    accepted
        By series, shape (n,), bool: the row reaches the features.
    quality
        What the gate counted.
    """

    series: tuple[TickSeries, ...]
    accepted: tuple[Any, ...]
    quality: QualityReport


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """A model ready to be saved, and the results beside it."""

    artifact: ModelArtifact
    trained: TrainedModel
    factors: list[dict[str, Any]]
    warnings: tuple[str, ...]
    quality: QualityReport


def judge_source(data: Any, config: Config, *, price_col: str = "close") -> Judged:
    """Read ``data`` and judge every row.

    Raises
    ------
    DataError
        The source cannot be read, or is worse than DATA_CONFIG allows.
    """
    source = str(data) if isinstance(data, (str, os.PathLike)) else type(data).__name__
    limits = {"max_gap_s": config.inference.MAX_GAP_S, "max_jump": config.inference.MAX_JUMP}
    total = QualityAccumulator(source, **limits)
    series, accepted = [], []
    for one in read_ticks(data, price_col=price_col, chunk_rows=config.data.CHUNK_ROWS):
        verdicts = total.update(one)
        series.append(one)
        accepted.append((verdicts >= 0) & (verdicts < REPEATED))
    quality = total.report()
    enforce(quality, config.data)
    return Judged(
        series=tuple(series),
        accepted=tuple(accepted),
        quality=quality,
    )


def blocks_of(
    judged: Judged, settings: FeatureSettings, *, names: Sequence[str] | None = None
) -> list[FeatureBlock]:
    """Compute the features of every symbol."""
    return [
        compute_features(one, settings=settings, names=names, quality=judged.quality)
        for one in judged.series
    ]


def train_source(
    data: Any,
    config: Config,
    *,
    price_col: str = "close",
    on_progress: Progress | None = None,
    custom: Sequence[CustomFeature] = (),
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

    Raises
    ------
    DataError
        The data cannot be read, is too bad, or too short.
    """
    report: Callable[[str, int, int], None] = on_progress or (lambda stage, done, total: None)
    report("read", 0, 1)
    judged = judge_source(data, config, price_col=price_col)
    report("read", 1, 1)
    fitted, _ = fit_on_training_part(judged.series, judged.accepted, config)
    settings = replace(fitted, custom=tuple(custom))
    report("features", 0, 1)
    blocks = blocks_of(judged, settings)
    report("features", 1, 1)
    trained = train_on_blocks(blocks, config, on_progress=on_progress)
    training = dict(trained.training)
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
    factors, warnings = _grade(
        [_before(block, int(training["ranges"]["train"][1])) for block in blocks], config, report
    )
    return TrainingRun(
        artifact=artifact,
        trained=trained,
        factors=factors,
        warnings=(*trained.warnings, *warnings),
        quality=judged.quality,
    )


def _grade(
    blocks: list[FeatureBlock], config: Config, report: Progress
) -> tuple[list[dict[str, Any]], list[str]]:
    """Grade the factors on the training part; too little data for that costs no model.

    Fitted columns are not graded, which empties them in ``blocks``: all rows here are ones that
    they were fitted on.
    """
    report("factors", 0, 1)
    blank_fitted(blocks, None)
    try:
        results = evaluate_factor_blocks(
            blocks, config, on_progress=lambda done, total: report("factors", done, total)
        )
    except DataError as error:
        return [], [f"factors are not graded: {error}"]
    graded = list(results["factor_results"])
    say_where_graded(graded, None)
    return graded, []


def _before(block: FeatureBlock, end_ns: int) -> FeatureBlock:
    """Return a copy of the rows of ``block`` before ``end_ns``."""
    rows = block.timestamp < end_ns
    arrays = {
        name: getattr(block, name)[rows]
        for name in (
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
    }
    return replace(block, **arrays)


def evaluate_source(
    artifact: ModelArtifact,
    data: Any,
    config: Config,
    *,
    price_col: str | None = None,
    custom: Sequence[CustomFeature] = (),
) -> dict[str, Any]:
    """Evaluate a model on the rows of ``data`` that its training never saw.

    Only rows at or after the start of the model's held-back part are judged, whatever the file
    holds before it.

    Returns
    -------
    dict
        ``evaluation_results`` as from training, with ``held_back`` beside it: the first moment
        judged, and how many rows lay before and after it.

    Raises
    ------
    DataError
        The data cannot be read, lacks depth or the aggressor's side, which the model reads, or
        holds too few rows after the training part.
    """
    column = price_col or artifact.training.get("price_col", "close")
    judged = judge_source(data, config, price_col=column)
    settings = settings_from_plain(artifact.settings, custom)
    blocks = blocks_of(judged, settings, names=_read_by_evaluation(artifact, settings))
    from_ns = int(artifact.training["ranges"]["test"][0])
    before = sum(int((block.timestamp < from_ns).sum()) for block in blocks)
    rows = sum(len(block) for block in blocks)
    if before == rows:
        raise DataError(
            f"all {rows} rows lie before the model's held-back part, which begins at "
            f"{_iso(from_ns)}: the model was trained on that time; give later data"
        )
    predictor, _ = choose_predictor(artifact, num_threads=config.inference.NUM_THREADS)
    try:
        results = evaluate_on(blocks, artifact, predictor.predict_matrix, from_ns=from_ns)
    finally:
        predictor.close()
    results["held_back"] = {
        "from": _iso(from_ns),
        "rows_before": before,
        "rows_after": rows - before,
    }
    return results


def _read_by_evaluation(artifact: ModelArtifact, settings: FeatureSettings) -> tuple[str, ...]:
    """Return the columns of the model, of its baselines, and of the book.

    What else the training data had, the data at hand may lack.
    """
    logistic = artifact.training["baselines"]["logistic"] or {"features": ()}
    book = [name for name in available_names(settings) if name.startswith("book.")]
    return tuple(dict.fromkeys((*artifact.feature_names, *logistic["features"], *book)))


def _iso(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat(timespec="seconds")
