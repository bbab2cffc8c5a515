"""A model made ready to serve: its predictor, its decision numbers and the columns it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import InferenceConfig
from alphaseeker.errors import ModelError
from alphaseeker.features.batch import column_indices
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES, schema_hash
from alphaseeker.features.readiness import required_buckets
from alphaseeker.model.artifact import ModelArtifact
from alphaseeker.model.backends import choose_predictor
from alphaseeker.model.decision import allocate_decision
from alphaseeker.model.predictor import Predictor

__all__ = ["ServedModel", "serve"]


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A verified model and what a session needs of it.

    Attributes
    ----------
    artifact
        As loaded.
    predictor, passed_over
        The predictor that proved itself, and why others were not taken.
    decision
        One-element array of ``model.decision.DECISION``.
    columns
        Shape (k,), int64: positions of the model's columns in the catalogue.
    settings
        Of the feature step, as in training.
    needed_buckets
        Whole buckets of history before a signal may act.
    depth_levels
        Levels of depth that the model's columns read: every tick must bring them.
    abstain
        The evaluation found no edge, and the configuration does not say to trade all the same.
    """

    artifact: ModelArtifact
    predictor: Predictor
    passed_over: tuple[str, ...]
    decision: npt.NDArray[Any]
    columns: npt.NDArray[np.int64]
    settings: FeatureSettings
    needed_buckets: int
    depth_levels: int
    abstain: bool


def serve(artifact: ModelArtifact, config: InferenceConfig) -> ServedModel:
    """Verify ``artifact`` against this engine's features and make it ready.

    Raises
    ------
    ModelError
        A feature is unknown here or means something else, or no predictor reproduces the golden
        scores.
    """
    known = {feature.name for feature in FEATURES}
    unknown = [name for name in artifact.feature_names if name not in known]
    if unknown:
        raise ModelError(
            f"the model needs features that this version does not compute: {', '.join(unknown)}; "
            "install the version it was trained with, or train it again"
        )
    if schema_hash(artifact.feature_names) != artifact.schema_hash:
        raise ModelError(
            "the model's features are declared differently in this version (schema hash differs); "
            "install the version it was trained with, or train it again"
        )
    settings = FeatureSettings(
        bucket_s=artifact.settings["bucket_s"],
        tick_size=artifact.settings["tick_size"],
        max_gap_s=config.MAX_GAP_S,
        max_jump=config.MAX_JUMP,
        tick_sizes=artifact.settings.get("tick_sizes", {}),
    )
    calibration = dict(artifact.calibration)
    if not isinstance(config.MIN_CONFIDENCE, str):
        calibration["min_confidence"] = float(config.MIN_CONFIDENCE)
    predictor, passed_over = choose_predictor(
        artifact, backend=config.BACKEND, num_threads=config.NUM_THREADS
    )
    no_edge = artifact.metrics.get("verdict") == "no edge"
    return ServedModel(
        artifact=artifact,
        predictor=predictor,
        passed_over=tuple(passed_over),
        decision=allocate_decision(calibration),
        columns=column_indices(artifact.feature_names),
        settings=settings,
        needed_buckets=required_buckets(
            artifact.feature_names,
            bucket_s=settings.bucket_s,
            ready_history_s=config.READY_HISTORY_S,
        ),
        depth_levels=artifact.settings.get("depth_levels", 0),
        abstain=no_edge and not config.TRADE_WITHOUT_EDGE,
    )
