"""The model as machine code: Treelite's C source, compiled, called through its address.

The library is found, or built, in the library cache. A prediction is one call from jitted code
into C: the features are widened to float64 into a buffer of entries, and the trees add their leaf
values to the three scores in LightGBM's own order, so that the sums are equal to the last bit.
"""

from __future__ import annotations

import ctypes
import weakref
from _ctypes import dlclose
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numba import carray, types

from alphaseeker._address import foreign, pointer
from alphaseeker._jit import allocate_record, kernel, part
from alphaseeker.errors import ModelError
from alphaseeker.model.buffered_predictor import BufferedPredictor
from alphaseeker.model.compiler import Progress, compile_library, find_compiler
from alphaseeker.model.decision import N_CLASSES
from alphaseeker.model.library_cache import cached_library, library_name
from alphaseeker.model.lightgbm_text import validate_model_text
from alphaseeker.model.predictor import BoundPredictor, row_entry
from alphaseeker.model.treelite_source import generate_source, source_identity

__all__ = ["TreelitePredictor", "build_library"]

CONTEXT = np.dtype(
    [
        ("predict", np.int64),  # addresses: the C function,
        ("features", np.int64),
        ("entries", np.int64),  # the features as the C function takes them
        ("scores", np.int64),
        ("n_features", np.int64),
    ]
)

_CHUNK_ROWS = 16_384
_RAW_SCORES = 1
# LightGBM takes what is no farther from zero for zero: kZeroThreshold, a float32.
_ZERO = float(np.float32(1e-35))

_call_library = foreign(types.void, types.int64, types.int32, types.int64)


@part
def _score_row(predict: int, n_features: int, features: int, entries: int, scores: int) -> None:
    """Write the raw scores of one row; all but ``n_features`` are addresses."""
    given = carray(pointer(features), (n_features,), np.float32)
    taken = carray(pointer(entries), (n_features,), np.float64)
    sums = carray(pointer(scores), (N_CLASSES,), np.float64)
    for column in range(n_features):
        value = np.float64(given[column])
        taken[column] = 0.0 if abs(value) <= _ZERO else value
    # The C function adds to what it finds.
    for place in range(N_CLASSES):
        sums[place] = 0.0
    _call_library(predict, (entries, np.int32(_RAW_SCORES), scores))


@kernel
def _predict_row(context: int, fresh: int) -> int:
    """Predict one row; ``fresh`` changes nothing."""
    own = carray(pointer(context), (1,), CONTEXT)[0]
    _score_row(own.predict, own.n_features, own.features, own.entries, own.scores)
    return 1


@kernel
def _predict_rows(context: int, n_rows: int) -> None:
    """Predict rows that lie one after the other, the first where the context says."""
    own = carray(pointer(context), (1,), CONTEXT)[0]
    for row in range(n_rows):
        features = own.features + row * own.n_features * 4
        scores = own.scores + row * N_CLASSES * 8
        _score_row(own.predict, own.n_features, features, own.entries, scores)


TREELITE_ENTRY = row_entry(_predict_row)


def build_library(
    model_text: str, *, num_threads: int | None = None, on_progress: Progress | None = None
) -> Path:
    """Return the path of a model's shared library in the cache, built if it is not there.

    Parameters
    ----------
    model_text
        LightGBM's text model; validated in full before a library is built of it.
    num_threads
        Units compiled at once; None means as many as there are processors.
    on_progress
        Called as ``on_progress(stage, done, total)``, stages ``generate``, ``compile`` and
        ``link``; not called where the library is there.

    Raises
    ------
    ModelError
        The model cannot be written as C, there is no compiler or it fails, or the cache folder
        cannot be used.
    """
    compiler = find_compiler()

    def build(output: Path) -> None:
        if on_progress is not None:
            on_progress("generate", 0, 1)
        sources = generate_source(model_text)
        if on_progress is not None:
            on_progress("generate", 1, 1)
        compile_library(sources, output, compiler, num_threads=num_threads, on_progress=on_progress)

    name = library_name([source_identity(model_text), *compiler.identity])
    return cached_library(name, build)


class _Library:
    """A loaded library, unloaded when nothing uses it any more."""

    def __init__(self, path: Path, n_features: int) -> None:
        try:
            library = ctypes.CDLL(str(path))
            address = ctypes.cast(library.predict, ctypes.c_void_p).value
            taken = library.get_num_feature()
        except (OSError, AttributeError) as error:
            raise ModelError(f"the compiled model {path} cannot be loaded: {error}") from error
        if address is None or taken != n_features:
            raise ModelError(
                f"the compiled model {path} takes {taken} features, it must take {n_features};"
                " delete it"
            )
        self.predict: int = address
        # Not at exit: another thread may still be inside.
        weakref.finalize(self, dlclose, library._handle).atexit = False


class _BoundRow:
    """A call on two fixed buffers; it keeps them and the library alive."""

    def __init__(
        self,
        library: _Library,
        features: npt.NDArray[np.float32],
        scores: npt.NDArray[np.float64],
    ) -> None:
        n_features = features.shape[-1]
        entries = np.empty(n_features, dtype=np.float64)
        self._kept = (library, features, scores, entries)
        self._record = allocate_record(CONTEXT)
        self._record["predict"] = library.predict
        self._record["features"] = features.ctypes.data
        self._record["entries"] = entries.ctypes.data
        self._record["scores"] = scores.ctypes.data
        self._record["n_features"] = n_features
        self.entry: int = TREELITE_ENTRY.address
        self.context: int = self._record.ctypes.data

    def __call__(self) -> None:
        TREELITE_ENTRY.python(self.context, 1)


class TreelitePredictor(BufferedPredictor[_Library]):
    """Raw scores by a shared library that was compiled from the model.

    Parameters
    ----------
    model_text
        LightGBM's text model; validated in full.
    n_features
        Columns the model must have; None takes the number the text states.
    num_threads
        Threads for ``predict_matrix``. A single row always takes one; a compilation, done once,
        takes all processors.
    on_progress
        Called as ``on_progress(stage, done, total)`` while a library is built.

    Raises
    ------
    ModelError
        The text is not valid, or the library cannot be built, kept or loaded: says why.

    Notes
    -----
    NaN is a missing value. Compiling takes seconds, once for a model and a compiler; it belongs
    where a model is made or loaded, never on the way of a tick. All calls release the GIL. The
    library holds no state and no threads: a forked child may go on using it. For threads see
    ``BufferedPredictor``.
    """

    name = "treelite"

    def __init__(
        self,
        model_text: str,
        n_features: int | None = None,
        num_threads: int = 1,
        *,
        on_progress: Progress | None = None,
    ) -> None:
        shape = validate_model_text(model_text, n_features=n_features)
        self._num_threads = num_threads
        path = build_library(model_text, on_progress=on_progress)
        super().__init__(_Library(path, shape.n_features), shape.n_features)

    def _bind(
        self, model: _Library, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> BoundPredictor:
        return _BoundRow(model, features, scores)

    def _score_rows(
        self, model: _Library, matrix: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> None:
        def score_chunk(start: int) -> None:
            chunk = np.ascontiguousarray(matrix[start : start + _CHUNK_ROWS])
            bound = _BoundRow(model, chunk, scores[start : start + _CHUNK_ROWS])
            _predict_rows(bound.context, len(chunk))

        starts = range(0, len(matrix), _CHUNK_ROWS)
        if self._num_threads == 1 or len(starts) < 2:
            for start in starts:
                score_chunk(start)
        else:
            with ThreadPoolExecutor(self._num_threads, "treelite") as pool:
                list(pool.map(score_chunk, starts))
