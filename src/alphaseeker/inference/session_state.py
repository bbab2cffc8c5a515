"""The record of one live session: where its parts stand in memory, its last answer, its counters.

The step of a session takes one number from Python, the address of this record: what else it needs
stands here, or at the addresses that stand here. Handing over eight arrays instead would cost more
than the model.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from numba.core import config as numba_config

from alphaseeker._jit import source_hash
from alphaseeker.errors import StateError
from alphaseeker.inference.latency import HISTOGRAMS, clear_histograms
from alphaseeker.inference.realised import REALISED, clear_realised
from alphaseeker.inference.signal import Reason
from alphaseeker.market.depth import MAX_LEVELS
from alphaseeker.model.adaptive import ADAPTIVE
from alphaseeker.model.decision import DECISION, N_CLASSES

__all__ = [
    "EXPLAINABLE",
    "SESSION",
    "allocate_state",
    "check_compiler",
    "clear_counters",
    "keep_alive",
    "place_of",
    "words_of",
]

WORD_BYTES = 8
EXPLAINABLE = 64  # latest predictions whose features are kept

ANSWER = np.dtype(
    [
        ("timestamp", np.int64),
        ("side", np.int64),
        ("reason", np.int64),
        ("ready", np.int64),
        ("asked", np.int64),  # 1 where the model was asked
        ("confidence", np.float64),
        ("probabilities", np.float64, (N_CLASSES,)),  # SELL, HOLD, BUY
    ]
)
COUNTERS = np.dtype(
    [
        ("sides", np.int64, (N_CLASSES,)),
        ("reasons", np.int64, (len(Reason),)),
        ("confidence_count", np.int64),
        ("confidence_sum", np.float64),
        ("confidence_min", np.float64),
        ("confidence_max", np.float64),
        ("cache_hits", np.int64),
        ("repeated", np.int64),
        ("refused", np.int64),
        ("depth_repaired", np.int64),
    ]
)
SESSION = np.dtype(
    [
        # addresses
        ("step", np.int64),  # of the compiled step; see ``session_step.SESSION_STEP``
        # As in ``features.layout``: a user's loop on disk must not call another version's step.
        (f"layout_{source_hash()}", np.int64),
        ("records", np.int64),
        ("vector", np.int64),
        ("columns", np.int64),
        ("features", np.int64),
        ("predict", np.int64),
        ("context", np.int64),
        ("scores", np.int64),
        ("kept_features", np.int64),
        ("kept_stamps", np.int64),
        ("kept_answers", np.int64),
        ("sample", np.int64),
        ("clock", np.int64),
        # the model
        ("width", np.int64),  # columns
        ("first", np.int64),  # of columns that stand in a row, as in the catalogue; else -1
        ("needed", np.int64),  # whole buckets of history before a signal may act
        ("depth_levels", np.int64),  # that every tick must bring
        ("reads_sides", np.int64),
        ("abstain", np.int64),
        ("decision", DECISION),
        ("adaptive", ADAPTIVE),
        ("prior", np.float64, (N_CLASSES,)),
        # the stream
        ("caching", np.int64),
        ("scored", np.int64),  # 1 while the scores are those of the features
        ("capture", np.int64),  # number of the continuous capture
        ("seen", np.int64),  # whole buckets behind the last tick
        ("answers", np.int64),  # given since the stream began; 0: there is no last one
        ("kept", np.int64),  # predictions whose features were kept
        ("changed", np.int64),
        ("verdict", np.int64),
        ("last", ANSWER),
        ("level_count", np.int64),
        ("levels", np.float64, (MAX_LEVELS, 4)),  # of the present tick
        ("moment", np.int64, (2,)),  # what the clock writes: seconds and nanoseconds
        ("realised", REALISED),
        ("counters", COUNTERS),
        ("latency", HISTOGRAMS),
    ],
    align=True,
)


@lru_cache(maxsize=1)
def _clock() -> int:
    """Return the address of the C function ``clock_gettime``, 0 where there is none."""
    try:
        function = ctypes.CDLL(None).clock_gettime
    except (OSError, AttributeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class _Memory(ctypes.c_char * SESSION.itemsize):  # type: ignore[misc]
    """The memory of a state, which keeps alive what the state's addresses lead to."""

    kept: tuple[Any, ...] = ()


def keep_alive(state: npt.NDArray[Any], *parts: Any) -> None:
    """Let a state from ``allocate_state`` hold ``parts`` in the place of those it held.

    A user's jitted loop may outlive the session that it took the state from. No part may hold the
    state: arrays are no business of Python's collector of cycles.
    """
    cast(_Memory, state.base).kept = parts


def check_compiler() -> None:
    """Raise ``StateError`` where the compiler is switched off: nothing is served without it."""
    if numba_config.DISABLE_JIT:
        raise StateError(
            "NUMBA_DISABLE_JIT is set, and models are served by compiled code only; unset it, or "
            "use FeatureStream to look into the features"
        )


def allocate_state() -> npt.NDArray[Any]:
    """Return a fresh one-element array of ``SESSION``.

    Raises
    ------
    StateError
        See ``check_compiler``.
    """
    check_compiler()
    memory = _Memory()
    state: npt.NDArray[Any] = np.frombuffer(cast(Any, memory), dtype=SESSION)
    state["clock"] = _clock()
    clear_counters(state)
    clear_realised(state["realised"])
    return state


def words_of(record: npt.NDArray[Any]) -> memoryview:
    """Return a one-element record as int64 words that share its memory.

    Reading a word takes a tenth of the time of ``record["field"][0]``.
    """
    return memoryview(cast(Any, record.view(np.uint8))).cast("q")


def place_of(dtype: np.dtype[Any], *path: str) -> int:
    """Return the place of a field, named by its path, among the words of a record."""
    offset = 0
    for name in path:
        fields: Any = dtype.fields
        dtype, start = fields[name][:2]
        offset += start
    return offset // WORD_BYTES


def clear_counters(state: npt.NDArray[Any]) -> None:
    """Set every counter to zero."""
    counters = state["counters"]
    counters[:] = np.zeros(1, dtype=COUNTERS)
    counters["confidence_min"] = 1.0
    clear_histograms(state["latency"])
