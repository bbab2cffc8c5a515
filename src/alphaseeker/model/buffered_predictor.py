"""What every predictor does around its model: checks, buffers of its own, and its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ModelError
from alphaseeker.model.decision import N_CLASSES
from alphaseeker.model.predictor import BoundPredictor, check_buffer

__all__ = ["BufferedPredictor"]

_Model = TypeVar("_Model")


class BufferedPredictor(ABC, Generic[_Model]):
    """A ``Predictor`` around a loaded model, which is freed when nothing uses it any more.

    Parameters
    ----------
    model
        What ``_bind`` and ``_score_rows`` work on.
    n_features
        Columns k of the model.

    Notes
    -----
    ``predict_row`` uses two buffers of its own and so may run in one thread at a time; give each
    thread its own ``bind``.
    """

    name: str

    def __init__(self, model: _Model, n_features: int) -> None:
        self.n_features = n_features
        self._model: _Model | None = model
        self._features = np.zeros(n_features, dtype=np.float32)
        self._scores = np.zeros(N_CLASSES, dtype=np.float64)
        self._shape = self._features.shape
        self._predict: Callable[[], None] = self.bind(self._features, self._scores)

    @abstractmethod
    def _bind(
        self, model: _Model, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> BoundPredictor:
        """Bind two buffers that are right; what is returned keeps them and the model alive."""

    @abstractmethod
    def _score_rows(
        self, model: _Model, matrix: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> None:
        """Write the scores, shape (n, 3), of a matrix of shape (n, k) and of any layout."""

    def bind(
        self, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> BoundPredictor:
        """Return what predicts from ``features`` into ``scores``, always the same two.

        Parameters
        ----------
        features
            Shape (k,), float32, contiguous: read at each call.
        scores
            Shape (3,), float64, contiguous: the raw scores after each call.

        Returns
        -------
        BoundPredictor
            It keeps both buffers and the model alive, also after ``close``. Different ones may
            run in different threads.

        Raises
        ------
        ModelError
            A buffer of another shape or dtype, or the predictor is closed.
        """
        check_buffer(features, "features", np.float32, self.n_features)
        check_buffer(scores, "scores", np.float64, N_CLASSES)
        if not scores.flags.writeable:
            raise ModelError("scores is read-only; it must be writeable")
        return self._bind(self._open(), features, scores)

    def predict_row(
        self, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> None:
        """Write the raw scores of ``features``, shape (k,) float32, into ``scores``, shape (3,).

        Raises
        ------
        ModelError
            Features of another shape, or the predictor is closed.
        """
        if features.shape != self._shape:
            raise ModelError(f"features has shape {features.shape}; it must be {self._shape}")
        self._features[:] = features
        self._predict()
        scores[:] = self._scores

    def predict_matrix(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the raw scores, shape (n, 3), of the rows of ``matrix``, shape (n, k) float32.

        Raises
        ------
        ModelError
            A matrix of another shape or dtype, or the predictor is closed.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self.n_features or matrix.dtype != np.float32:
            raise ModelError(
                f"the matrix has shape {matrix.shape} and dtype {matrix.dtype}; it must be float32"
                f" of shape (n, {self.n_features})"
            )
        model = self._open()
        scores = np.empty((len(matrix), N_CLASSES), dtype=np.float64)
        self._score_rows(model, matrix, scores)
        return scores

    def close(self) -> None:
        """Free the model, as soon as nothing bound uses it; predicting afterwards raises."""
        self._model = None
        self._predict = _refuse

    def _open(self) -> _Model:
        if self._model is None:
            _refuse()
        return self._model


def _refuse() -> NoReturn:
    raise ModelError("the predictor is closed; load the model again")
