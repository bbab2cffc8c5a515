"""The predictors there are, and the choice of one that proves itself on the model at hand."""

from __future__ import annotations

from collections.abc import Callable

from alphaseeker.errors import ModelError
from alphaseeker.model.artifact import ModelArtifact
from alphaseeker.model.golden import verify_golden
from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
from alphaseeker.model.predictor import Predictor

__all__ = ["PREDICTORS", "choose_predictor"]


def _lightgbm(model_text: str, n_features: int, num_threads: int) -> Predictor:
    return LightGBMPredictor(model_text, n_features, num_threads=num_threads)


PREDICTORS: dict[str, Callable[[str, int, int], Predictor]] = {"lightgbm": _lightgbm}
"""Makers of predictors from (model text, columns, threads), the fastest first."""


def choose_predictor(
    artifact: ModelArtifact, *, backend: str = "auto", num_threads: int = 1
) -> tuple[Predictor, list[str]]:
    """Return the first predictor that gives the model's golden scores.

    Parameters
    ----------
    artifact
        The model.
    backend
        A key of ``PREDICTORS``, or ``"auto"`` for the fastest that proves itself.
    num_threads
        Threads for matrices.

    Returns
    -------
    tuple
        The predictor, and a sentence for each one that was passed over.

    Raises
    ------
    ModelError
        The backend is unknown, or no predictor gives the golden scores.
    """
    if backend != "auto" and backend not in PREDICTORS:
        known = ", ".join(PREDICTORS)
        raise ModelError(f"backend {backend!r} is unknown; it must be auto or one of {known}")
    passed_over: list[str] = []
    for name in PREDICTORS if backend == "auto" else [backend]:
        predictor: Predictor | None = None
        try:
            predictor = PREDICTORS[name](
                artifact.model_text, len(artifact.feature_names), num_threads
            )
            verify_golden(predictor, artifact.golden_features, artifact.golden_scores)
        except ModelError as error:
            if predictor is not None:
                predictor.close()
            passed_over.append(f"{name}: {error}")
        else:
            return predictor, passed_over
    raise ModelError("no predictor can serve the model: " + " | ".join(passed_over))
