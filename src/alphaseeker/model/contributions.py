"""What every feature adds to the raw scores of one row: LightGBM's own TreeSHAP.

Shapley values of a tree ensemble by Lundberg, Erion and Lee, Consistent Individualized Feature
Attribution for Tree Ensembles (2018), and Lundberg et al., From Local Explanations to Global
Understanding with Explainable AI for Trees, Nature Machine Intelligence 2 (2020). What is expected
of an unknown row weighs every leaf by the training rows that fell into it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ModelError
from alphaseeker.model.decision import N_CLASSES
from alphaseeker.model.lightgbm_text import validate_model_text

if TYPE_CHECKING:
    import lightgbm

__all__ = ["RELATIVE_TOLERANCE", "contributions"]

RELATIVE_TOLERANCE = 1e-9
"""How far a sum of contributions may lie from the raw score, as a share of their absolute sum."""


@lru_cache(maxsize=1)
def _booster(model_text: str) -> lightgbm.Booster:
    """Return the model as LightGBM reads it; the latest one is kept, reading takes 10 ms or so."""
    import lightgbm

    validate_model_text(model_text, n_classes=N_CLASSES)
    return lightgbm.Booster(model_str=model_text)


def contributions(model_text: str, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return what each feature adds to each raw score of one row.

    Off the hot path: a row takes milliseconds, the first one also loads ``lightgbm``.

    Parameters
    ----------
    model_text
        LightGBM's text model of three classes.
    features
        Shape (k,), float32; NaN is a missing value.

    Returns
    -------
    numpy.ndarray
        Shape (3, k + 1), float64: the classes SELL, HOLD, BUY by the k features, and in the last
        column the score expected of an unknown row. A row sums to the raw score of its class.

    Raises
    ------
    ModelError
        The text is not valid, the row has another length, or a sum of contributions misses the
        raw score by more than ``RELATIVE_TOLERANCE``.
    """
    row = np.asarray(features, dtype=np.float32)
    booster = _booster(model_text)
    if row.shape != (booster.num_feature(),):
        raise ModelError(
            f"features has shape {row.shape}; it must be one row, of shape"
            f" ({booster.num_feature()},)"
        )
    matrix = row[np.newaxis]
    shares = np.asarray(
        booster.predict(matrix, pred_contrib=True, num_threads=1), dtype=np.float64
    ).reshape(N_CLASSES, len(row) + 1)
    scores = np.asarray(booster.predict(matrix, raw_score=True, num_threads=1))[0]
    _check_sums(shares, scores)
    return shares


def _check_sums(shares: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]) -> None:
    """Refuse contributions, shape (3, k + 1), that do not add up to the scores, shape (3,)."""
    missed = np.abs(shares.sum(axis=1) - scores)
    if not (missed <= RELATIVE_TOLERANCE * np.abs(shares).sum(axis=1)).all():
        raise ModelError(
            f"the contributions sum to {shares.sum(axis=1).tolist()} and the raw scores are "
            f"{scores.tolist()} (SELL, HOLD, BUY); they must agree to {RELATIVE_TOLERANCE:g} of the"
            " contributions' absolute sum; train the model again with the installed LightGBM"
        )
