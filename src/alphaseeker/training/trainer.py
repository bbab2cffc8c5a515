"""Training and evaluation from the facade: one call from a file to a saved model and its report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alphaseeker.config import Config
from alphaseeker.features.custom import CustomFeature
from alphaseeker.model.artifact import save_artifact
from alphaseeker.model.backends import compile_ahead
from alphaseeker.model.model_file import check_target

if TYPE_CHECKING:
    from alphaseeker.training.pipeline import Progress

__all__ = ["DEFAULT_MODEL_PATH", "Trainer"]

logger = logging.getLogger(__name__)

DEFAULT_MODEL_PATH = Path("models") / "trading_model.joblib"


class Trainer:
    """Trains and evaluates models, for the engine that inherits from it."""

    config: Config
    _pool: Any

    if TYPE_CHECKING:

        @property
        def custom(self) -> tuple[CustomFeature, ...]: ...

        def load_model(self, path: str | Path, *, on_progress: Progress | None = None) -> bool: ...

    def train_model(
        self,
        data: Any,
        price_col: str = "close",
        model_path: str | Path | None = None,
        *,
        on_progress: Progress | None = None,
        resume: str | Path | None = None,
        resume_mode: str = "warm",
        select: str | Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Train a model on ``data``, evaluate it by folds, and save it.

        Where no model serves yet, the new one does; otherwise call ``load_model``. An older file
        at ``model_path`` is kept beside it with its time stamp.

        Parameters
        ----------
        data
            Path (CSV, CSV.gz, Parquet), glob, directory, or pandas / polars frame.
        price_col
            Column read as ``close``.
        model_path
            Where to save it; ``models/trading_model.joblib`` by default.
        on_progress
            Called with a stage, steps done and steps in all.
        resume, resume_mode
            Model file to go on from with later data: ``warm`` adds trees to its own, ``refit``
            trains anew on its columns and target.
        select
            Which features the model may read: None for all that can be used (``MAX_FEATURES`` caps
            them), ``"auto"`` for those of grade C or better on the training part without repeats of
            a better one (in every fold anew), or a list of names for exactly these.

        Returns
        -------
        dict
            ``success, model_path, report_path, results``.

        Raises
        ------
        DataError
            The data cannot be read, is too bad or too short, or lacks a feature of ``select``.
        ConfigError
            ``select`` names an unknown feature, or cannot be had with ``resume``; ``resume_mode``
            is unknown, or comes without ``resume``.
        ModelError
            The model cannot be saved at ``model_path``, which is looked at before anything runs,
            or the one to go on from cannot be used.
        """
        from alphaseeker.training.outcome import save_outcome
        from alphaseeker.training.run import train_source

        target = DEFAULT_MODEL_PATH if model_path is None else model_path
        check_target(target, name="model_path")
        run = train_source(
            data,
            self.config,
            price_col=price_col,
            on_progress=on_progress,
            custom=self.custom,
            resume=resume,
            resume_mode=resume_mode,
            select=select,
        )
        path = save_artifact(run.artifact, target)
        backend = self.config.inference.BACKEND
        failure = compile_ahead(run.artifact.model_text, backend=backend, on_progress=on_progress)
        if self._pool.loaded is None:
            self.load_model(path)
        outcome = save_outcome(run, path, backend=backend, library_failure=failure)
        told = run.quality.warnings()  # in the log since the data were judged
        for warning in outcome["results"]["warnings"]:
            if warning not in told:
                logger.warning("%s", warning)
        return outcome

    def evaluate(self, data: Any, price_col: str | None = None) -> dict[str, Any]:
        """Evaluate the loaded model on the rows of ``data`` after all that it was fitted on.

        Raises
        ------
        DataError
            The data cannot be read, or holds too few such rows.
        """
        from alphaseeker.training.run import evaluate_source

        model = self._pool.model.artifact
        return evaluate_source(model, data, self.config, price_col=price_col, custom=self.custom)
