"""The predictors there are, and the choice of one that proves itself on the model at hand."""

from __future__ import annotations

from collections.abc import Callable

from alphaseeker.errors import ModelError
from alphaseeker.model.artifact import ModelArtifact
from alphaseeker.model.compiler import Progress
from alphaseeker.model.golden import time_in_turn, verify_golden
from alphaseeker.model.predictor import Predictor

__all__ = ["PREDICTORS", "choose_predictor", "compile_ahead", "compile_predictors"]


def _forest(model_text: str, n_features: int, num_threads: int) -> Predictor:
    from alphaseeker.model.forest_predictor import ForestPredictor

    return ForestPredictor(model_text, n_features, num_threads=num_threads)


def _treelite(model_text: str, n_features: int, num_threads: int) -> Predictor:
    from alphaseeker.model.treelite_predictor import TreelitePredictor

    return TreelitePredictor(model_text, n_features, num_threads=num_threads)


def _lightgbm(model_text: str, n_features: int, num_threads: int) -> Predictor:
    from alphaseeker.model.lightgbm_predictor import LightGBMPredictor

    return LightGBMPredictor(model_text, n_features, num_threads=num_threads)


REFERENCE = "lightgbm"
PREDICTORS: dict[str, Callable[[str, int, int], Predictor]] = {
    "forest": _forest,
    "treelite": _treelite,
    "lightgbm": _lightgbm,
}
"""Makers of predictors from (model text, columns, threads)."""


def choose_predictor(
    artifact: ModelArtifact, *, backend: str = "auto", num_threads: int = 1
) -> tuple[Predictor, list[str]]:
    """Return the fastest predictor that gives the model's golden scores.

    Which one that is depends on the model and on the data: where few columns cross a threshold at
    a tick, ``forest`` goes on from where it stood.

    Parameters
    ----------
    artifact
        The model.
    backend
        A key of ``PREDICTORS``, or ``"auto"`` for the fastest that proves itself, timed here on
        golden rows; LightGBM itself only serves where no other does.
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
    proven: list[tuple[float, Predictor]] = []
    for name in PREDICTORS if backend == "auto" else [backend]:
        if name == REFERENCE and proven:
            break  # the others give its very scores, and are faster
        predictor: Predictor | None = None
        try:
            predictor = PREDICTORS[name](
                artifact.model_text, len(artifact.feature_names), num_threads
            )
            verify_golden(predictor, artifact.golden_features, artifact.golden_scores)
        except (ModelError, OSError, MemoryError) as error:
            if predictor is not None:
                predictor.close()
            passed_over.append(f"{name}: {error}")
        else:
            if backend != "auto":
                return predictor, passed_over
            proven.append((time_in_turn(predictor, artifact.golden_features), predictor))
    if not proven:
        raise ModelError("no predictor can serve the model: " + " | ".join(passed_over))
    proven.sort(key=lambda one: one[0])
    least, fastest = proven[0]
    for spent, slower in proven[1:]:
        passed_over.append(
            f"{slower.name}: right as well, {spent / 1e3:.1f} us a row where {fastest.name} took "
            f"{least / 1e3:.1f}"
        )
        slower.close()
    return fastest, passed_over


def compile_predictors() -> None:
    """Compile, or load from the cache, what every predictor asks for a row with."""
    from alphaseeker.model.forest_step import FOREST_ENTRY
    from alphaseeker.model.lightgbm_predictor import LIGHTGBM_ENTRY
    from alphaseeker.model.treelite_predictor import TREELITE_ENTRY

    for entry in (FOREST_ENTRY, LIGHTGBM_ENTRY, TREELITE_ENTRY):
        entry.address  # noqa: B018


def compile_ahead(
    model_text: str, *, backend: str = "auto", on_progress: Progress | None = None
) -> str | None:
    """Compile the model's library where the backend may want it; return why that failed, if it did.

    Another predictor serves where there is no library, so a failure is nothing but a sentence.

    Parameters
    ----------
    model_text
        LightGBM's text model.
    backend
        As in ``choose_predictor``; nothing is compiled for one that needs no library.
    on_progress
        Called with a stage, steps done and steps in all.
    """
    if backend not in ("auto", "treelite"):
        return None
    from alphaseeker.model.treelite_predictor import build_library

    try:
        build_library(model_text, on_progress=on_progress)
    except ModelError as error:
        return f"the model was not compiled to a library: {error}"
    return None
