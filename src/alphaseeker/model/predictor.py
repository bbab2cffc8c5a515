"""What a predictor is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Predictor"]


class Predictor(Protocol):
    """Computes raw scores, in the class order SELL, HOLD, BUY.

    Attributes
    ----------
    name
        Name of the backend.
    n_features
        Columns k of the model.
    """

    name: str
    n_features: int

    def predict_row(
        self, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> None:
        """Write the raw scores of ``features``, shape (k,), into ``scores``, shape (3,)."""

    def predict_matrix(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the raw scores, shape (n, 3), of a float32 matrix, shape (n, k)."""

    def bind(
        self, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> Callable[[], None]:
        """Return a function that predicts from the one buffer into the other at each call."""

    def close(self) -> None:
        """Free what the predictor holds."""
