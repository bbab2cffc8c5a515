"""LightGBM's own predictor, called through its C API one row at a time.

``Booster.predict`` spends most of its time on the way to the C library. Here the model is loaded
through the library directly (``lightgbm`` itself, which takes more than a second to import, is
not), the single-row call is prepared once, and a prediction is one foreign call on two fixed
buffers.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numba import carray, types

from alphaseeker._address import foreign, pointer
from alphaseeker._jit import allocate_record, kernel
from alphaseeker.errors import ModelError
from alphaseeker.model.buffered_predictor import BufferedPredictor
from alphaseeker.model.decision import N_CLASSES
from alphaseeker.model.lightgbm_text import validate_model_text
from alphaseeker.model.predictor import BoundPredictor, row_entry

__all__ = ["LightGBMPredictor"]

# Constants of LightGBM's c_api.h.
_FLOAT32 = 0
_RAW_SCORE = 1
_ROW_MAJOR = 1
_ALL_ROUNDS = -1

_CHUNK_ROWS = 65_536

CONTEXT = np.dtype(
    [
        ("predict", np.int64),  # addresses: the C function,
        ("config", np.int64),  # its prepared arguments,
        ("features", np.int64),
        ("scores", np.int64),
        ("length", np.int64, (1,)),  # written by it
    ]
)
_call_library = foreign(types.int32, types.int64, types.int64, types.int64, types.int64)


def _library_path() -> Path:
    """Find LightGBM's shared library where its package looks for it."""
    spec = find_spec("lightgbm")
    if spec is None or spec.origin is None:
        raise ModelError("the package lightgbm is not installed; install it")
    package = Path(spec.origin).parent
    for folder in (package.parent, package / "bin", package / "lib"):
        for name in ("lib_lightgbm.so", "lib_lightgbm.dylib"):
            if (folder / name).is_file():
                return folder / name
    raise ModelError(f"LightGBM's shared library was not found in {package}; reinstall lightgbm")


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_library_path()))
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    # OpenMP's threads do not survive a fork, and a child that waits for them hangs.
    os.register_at_fork(after_in_child=lambda: library.LGBM_SetMaxThreads(1))
    return library


def _check(status: int) -> None:
    if status != 0:
        reason = _library().LGBM_GetLastError().decode(errors="replace")
        raise ModelError(f"LightGBM refused: {reason}; train the model again")


class _Booster:
    """A loaded model, freed when nothing uses it any more."""

    def __init__(self, model_text: str) -> None:
        library = _library()
        self.handle = ctypes.c_void_p()
        rounds = ctypes.c_int()
        text = ctypes.c_char_p(model_text.encode("ascii"))
        _check(
            library.LGBM_BoosterLoadModelFromString(
                text, ctypes.byref(rounds), ctypes.byref(self.handle)
            )
        )
        # At exit a thread may still be predicting: the system frees it.
        weakref.finalize(self, library.LGBM_BoosterFree, self.handle).atexit = False


class _BoundRow:
    """A single-row call on two fixed buffers; it keeps them and the model alive."""

    def __init__(
        self,
        booster: _Booster,
        features: npt.NDArray[np.float32],
        scores: npt.NDArray[np.float64],
    ) -> None:
        library = _library()
        config = ctypes.c_void_p()
        _check(
            library.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster.handle,
                ctypes.c_int(_RAW_SCORE),
                ctypes.c_int(0),
                ctypes.c_int(_ALL_ROUNDS),
                ctypes.c_int(_FLOAT32),
                ctypes.c_int32(features.size),
                ctypes.c_char_p(b"num_threads=1"),
                ctypes.byref(config),
            )
        )
        predict = library.LGBM_BoosterPredictForMatSingleRowFast
        self._record = allocate_record(CONTEXT)
        self._record["predict"] = ctypes.cast(predict, ctypes.c_void_p).value
        self._record["config"] = config.value
        self._record["features"] = features.ctypes.data
        self._record["scores"] = scores.ctypes.data
        self.context: int = self._record.ctypes.data
        self._arguments = (
            config,
            ctypes.c_void_p(features.ctypes.data),
            ctypes.byref(ctypes.c_int64()),
            ctypes.c_void_p(scores.ctypes.data),
        )
        # The finalizer holds its arguments, so the model and the buffers outlive this object.
        weakref.finalize(self, _free_config, config, (booster, features, scores)).atexit = False

    @property
    def entry(self) -> int:
        """Address of the kernel that predicts."""
        return LIGHTGBM_ENTRY.address

    def __call__(self) -> None:
        status = _library().LGBM_BoosterPredictForMatSingleRowFast(*self._arguments)
        if status != 0:
            _check(status)


def _free_config(config: ctypes.c_void_p, _kept: object) -> None:
    _library().LGBM_FastConfigFree(config)


@kernel
def _predict_row(context: int, fresh: int) -> int:
    """Predict one row by LightGBM's C function; ``fresh`` changes nothing."""
    record = carray(pointer(context), (1,), CONTEXT)[0]
    length = record.length
    arguments = (record.config, record.features, length.ctypes.data, record.scores)
    if _call_library(record.predict, arguments) == 0:
        return 1
    scores = carray(pointer(record.scores), (N_CLASSES,), np.float64)
    for place in range(N_CLASSES):
        scores[place] = np.nan
    return -1


LIGHTGBM_ENTRY = row_entry(_predict_row)


class LightGBMPredictor(BufferedPredictor[_Booster]):
    """Raw scores by LightGBM's C API: the reference that every other predictor must equal.

    Parameters
    ----------
    model_text
        LightGBM's text model; validated in full before LightGBM sees it.
    n_features
        Columns the model must have; None takes the number the text states.
    num_threads
        Threads for ``predict_matrix``. A single row always takes one.

    Raises
    ------
    ModelError
        The text is not valid, LightGBM refuses it, or its library is missing.

    Notes
    -----
    NaN is a missing value. The foreign call releases the GIL. In a forked child all of LightGBM
    runs on one thread, so that it cannot wait for threads that the fork left behind. For threads
    see ``BufferedPredictor``.
    """

    name = "lightgbm"

    def __init__(
        self, model_text: str, n_features: int | None = None, *, num_threads: int = 1
    ) -> None:
        shape = validate_model_text(model_text, n_features=n_features)
        self._parameters = b"num_threads=%d" % num_threads
        super().__init__(_Booster(model_text), shape.n_features)

    @property
    def _booster(self) -> _Booster:
        return self._open()

    def _bind(
        self, model: _Booster, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> BoundPredictor:
        return _BoundRow(model, features, scores)

    def _score_rows(
        self, model: _Booster, matrix: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> None:
        predict = _library().LGBM_BoosterPredictForMat
        length = ctypes.c_int64()
        for start in range(0, len(matrix), _CHUNK_ROWS):
            chunk = np.ascontiguousarray(matrix[start : start + _CHUNK_ROWS])
            out = scores[start : start + _CHUNK_ROWS]
            _check(
                predict(
                    model.handle,
                    ctypes.c_void_p(chunk.ctypes.data),
                    ctypes.c_int(_FLOAT32),
                    ctypes.c_int32(len(chunk)),
                    ctypes.c_int32(self.n_features),
                    ctypes.c_int(_ROW_MAJOR),
                    ctypes.c_int(_RAW_SCORE),
                    ctypes.c_int(0),
                    ctypes.c_int(_ALL_ROUNDS),
                    ctypes.c_char_p(self._parameters),
                    ctypes.byref(length),
                    ctypes.c_void_p(out.ctypes.data),
                )
            )
