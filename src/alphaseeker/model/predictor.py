"""What a predictor is, and how kernels call one without knowing which it is."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alphaseeker._address import Entry
from alphaseeker.errors import ModelError

__all__ = ["BoundPredictor", "Predictor", "call_predictor", "check_buffer", "row_entry"]


class BoundPredictor(Protocol):
    """A predictor tied to one buffer of features and one of scores; for one thread at a time."""

    @property
    def entry(self) -> int:
        """Address of a kernel ``(context, fresh) -> int``, both int64, made by ``row_entry``.

        It writes the raw scores of the features as they stand and returns 1; 0 where no feature
        crossed a threshold since the last call, so that the scores stand; -1 where it failed, the
        scores then are NaN. ``fresh`` other than 0 asks for the whole way, whatever was kept.
        """

    @property
    def context(self) -> int:
        """Address of what the kernel works on; it lives as long as this object."""

    def __call__(self) -> None:
        """Predict from Python, the whole way; raise ``ModelError`` where that fails."""


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
    ) -> BoundPredictor:
        """Return what predicts from the one buffer, shape (k,), into the other, shape (3,)."""

    def close(self) -> None:
        """Free what the predictor holds, as soon as nothing bound uses it any more."""


def row_entry(kernel: Any) -> Entry:
    """Return the entry of a predictor's kernel ``(context, fresh) -> int``."""
    return Entry(kernel, lambda: (0, 0))


def _unbound(context: int, fresh: int) -> int:
    return -1


call_predictor: Any = row_entry(_unbound).call
"""For kernels: ``call_predictor(entry, (context, fresh))``."""


def check_buffer(array: npt.NDArray[Any], name: str, dtype: type, size: int) -> None:
    """Raise ``ModelError`` unless a buffer can be predicted from, or into."""
    right = array.dtype == dtype and array.shape == (size,) and array.flags.c_contiguous
    if not right:
        raise ModelError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; it must be a contiguous"
            f" {np.dtype(dtype)} array of shape ({size},)"
        )
