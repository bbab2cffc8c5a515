"""A model made ready to serve: its predictor, its decision numbers and the columns it reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import InferenceConfig
from alphaseeker.errors import ModelError
from alphaseeker.features.batch import column_indices
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES, feature_named, schema_hash
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.declaration import Feature
from alphaseeker.features.inputs import check_sides, live_levels, needed_inputs
from alphaseeker.features.layout import NO_LEVELS
from alphaseeker.features.readiness import required_buckets
from alphaseeker.features.settings import settings_from_plain
from alphaseeker.inference.realised import followed_settings
from alphaseeker.inference.session_state import check_compiler
from alphaseeker.model.adaptive import allocate_adaptive
from alphaseeker.model.artifact import ModelArtifact
from alphaseeker.model.backends import choose_predictor, compile_ahead
from alphaseeker.model.compiler import Progress
from alphaseeker.model.decision import allocate_decision
from alphaseeker.model.predictor import Predictor

__all__ = ["ServedModel", "serve", "serve_again"]


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
    adaptive
        One-element array of ``model.adaptive.ADAPTIVE``, with which a session begins.
    columns
        Shape (k,), int64: positions of the model's columns in the catalogue; see ``custom``.
    custom
        The columns that are not in it, computed by a ``CustomRunner``.
    settings
        Of the feature step, as in training; what no column of the model reads is switched off.
    needed_buckets
        Whole buckets of history before a signal may act.
    depth_levels
        Levels of depth that the model's columns read: every tick must bring them. 0 for none.
    reads_sides
        Whether a column reads the aggressor's side: every tick must then tell it.
    abstain
        The evaluation found no edge, and the configuration does not say to trade all the same.
    """

    artifact: ModelArtifact
    predictor: Predictor
    passed_over: tuple[str, ...]
    decision: npt.NDArray[Any]
    adaptive: npt.NDArray[Any]
    columns: npt.NDArray[np.int64]
    custom: tuple[Feature, ...]
    settings: FeatureSettings
    needed_buckets: int
    depth_levels: int
    reads_sides: bool
    abstain: bool

    @cached_property
    def mark(self) -> bytes:
        """Sixteen bytes that tell models apart: what was counted of one says nothing of another."""
        artifact = self.artifact
        told = (artifact.training.get("created"), artifact.target, artifact.calibration)
        return hashlib.sha256(f"{told}{artifact.model_text}".encode()).digest()[:16]

    def knows(self, symbol: str) -> bool:
        """Say whether the model was trained on ``symbol``; a stream without a name passes."""
        return not symbol or symbol in self.artifact.training.get("symbols", [])

    def check_tick(
        self, depth: Any, buy_volume: float, sell_volume: float
    ) -> tuple[npt.NDArray[np.float64], bool]:
        """Return a live tick's depth for the step, and whether it had to be mended.

        Parameters
        ----------
        depth
            Shape (levels, 4), best level first, or None.
        buy_volume, sell_volume
            NaN where unknown.

        Raises
        ------
        DataError
            The depth is malformed, or something is missing that the columns read.
        """
        if self.reads_sides:
            check_sides(buy_volume, sell_volume, self.artifact.feature_names)
        if depth is None and self.depth_levels == 0:
            return NO_LEVELS, False
        return live_levels(depth, self.depth_levels, self.artifact.feature_names)


def serve(
    artifact: ModelArtifact,
    config: InferenceConfig,
    custom: Sequence[CustomFeature] = (),
    *,
    proven: tuple[Predictor, Sequence[str]] | None = None,
    on_progress: Progress | None = None,
) -> ServedModel:
    """Verify ``artifact`` against this engine's features and make it ready.

    Parameters
    ----------
    artifact, config
        The model, and how it is to be served.
    custom
        The custom features at hand; the model may need some of them.
    proven
        A predictor that serves this model already, and what was said of the others.
    on_progress
        Called with a stage, steps done and steps in all while a library is compiled.

    Raises
    ------
    StateError
        NUMBA_DISABLE_JIT is set: predictors and sessions are compiled code.
    ModelError
        A feature is unknown here, not registered or means something else, the settings are
        damaged, or no predictor reproduces the golden scores.
    """
    check_compiler()
    fitted = settings_from_plain(artifact.settings, custom)
    own = fitted.custom_columns
    known = {feature.name for feature in (*FEATURES, *own)}
    unknown = [name for name in artifact.feature_names if name not in known]
    if unknown:
        raise ModelError(
            f"the model needs features that this version does not compute: {', '.join(unknown)}; "
            "install the version it was trained with, or train it again"
        )
    if schema_hash(artifact.feature_names, own) != artifact.schema_hash:
        raise ModelError(
            "the model's features are declared differently in this version (schema hash differs); "
            "install the version it was trained with, or train it again"
        )
    settings = _settings(artifact.feature_names, fitted, config)
    calibration = dict(artifact.calibration)
    if not isinstance(config.MIN_CONFIDENCE, str):
        calibration["min_confidence"] = float(config.MIN_CONFIDENCE)
    if proven is None and on_progress is not None:
        compile_ahead(artifact.model_text, backend=config.BACKEND, on_progress=on_progress)
    predictor, passed_over = proven or choose_predictor(
        artifact, backend=config.BACKEND, num_threads=config.NUM_THREADS
    )
    no_edge = artifact.metrics.get("verdict") == "no edge"
    return ServedModel(
        artifact=artifact,
        predictor=predictor,
        passed_over=tuple(passed_over),
        decision=allocate_decision(calibration),
        adaptive=_adaptive(artifact, config),
        columns=column_indices(artifact.feature_names, own),
        custom=tuple(column for column in own if column.name in artifact.feature_names),
        settings=settings,
        needed_buckets=required_buckets(
            artifact.feature_names,
            bucket_s=settings.bucket_s,
            ready_history_s=config.READY_HISTORY_S,
            custom=own,
        ),
        depth_levels=settings.depth_levels,
        reads_sides=settings.aggressor,
        abstain=no_edge and not config.TRADE_WITHOUT_EDGE,
    )


def serve_again(
    model: ServedModel,
    before: InferenceConfig,
    after: InferenceConfig,
    custom: Sequence[CustomFeature] = (),
) -> ServedModel:
    """Return the same model under other settings; raises as ``serve`` does.

    Its predictor stays where nothing was set that it depends on.
    """
    same = (before.BACKEND, before.NUM_THREADS) == (after.BACKEND, after.NUM_THREADS)
    proven = (model.predictor, model.passed_over) if same else None
    return serve(model.artifact, after, custom, proven=proven)


def _adaptive(artifact: ModelArtifact, config: InferenceConfig) -> npt.NDArray[Any]:
    """Return what a session begins to adapt with; inactive where it is switched off.

    It learns from where the held-back part begins, as the evaluation does.
    """
    followed = followed_settings(artifact.target, artifact.training)
    held_back = (artifact.training.get("ranges") or {}).get("test")
    return allocate_adaptive(
        artifact.calibration.get("adaptive") if config.ADAPTIVE_CALIBRATION else None,
        prior=artifact.class_prior,
        target=artifact.target,
        coarse=followed["coarse"],
        since=held_back[0] if held_back else followed["since"],
    )


def _settings(
    names: Sequence[str], fitted: FeatureSettings, config: InferenceConfig
) -> FeatureSettings:
    """Return the settings of the training with the limits of ``config``.

    Depth and the aggressor's side stay on only where a column reads them: the step is then
    quicker, and ticks need not bring them.
    """
    needed = needed_inputs(names, fitted)
    deepest = max(feature_named(name, fitted.custom_columns).levels for name in names)
    if deepest > fitted.depth_levels or ("aggressor" in needed and not fitted.aggressor):
        raise ModelError(
            f"the model's features need {deepest} levels of depth and {' and '.join(needed)}, and "
            f"its settings tell of {fitted.depth_levels} levels and aggressor="
            f"{fitted.aggressor}: the file is damaged; train the model again"
        )
    reads_depth = "depth" in needed
    return replace(
        fitted,
        max_gap_s=config.MAX_GAP_S,
        max_jump=config.MAX_JUMP,
        aggressor="aggressor" in needed,
        depth_levels=fitted.depth_levels if reads_depth else 0,
        ofi_weights=fitted.ofi_weights if reads_depth else {},
    )
