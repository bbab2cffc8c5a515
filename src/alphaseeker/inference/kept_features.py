"""Features and answers of a session's latest predictions, for whoever wants one explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import StateError
from alphaseeker.inference.session_state import EXPLAINABLE
from alphaseeker.model.decision import N_CLASSES

__all__ = ["KeptFeatures"]

SAME_MOMENT_NS = 1_000  # a time stamp in seconds as a float is no finer


class KeptFeatures:
    """A ring that the session's step writes.

    Parameters
    ----------
    state
        One-element array of ``session_state.SESSION``.
    width
        Columns of the model.
    """

    def __init__(self, state: npt.NDArray[Any], width: int) -> None:
        self._state = state
        self._rows = np.full((EXPLAINABLE, width), np.nan, dtype=np.float32)
        self._stamps = np.zeros(EXPLAINABLE, dtype=np.int64)
        self._answers = np.full((EXPLAINABLE, N_CLASSES), np.nan)
        self.parts = (self._rows, self._stamps, self._answers)

    def begin(self) -> None:
        """Point the state to this ring, which is empty."""
        self._state["kept"] = 0
        self._state["kept_features"] = self._rows.ctypes.data
        self._state["kept_stamps"] = self._stamps.ctypes.data
        self._state["kept_answers"] = self._answers.ctypes.data

    def at(self, timestamp_ns: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """Return copies of the row nearest to a time stamp, within a microsecond, and its answer.

        Of several rows at one time stamp it is the latest. The answer has shape (3,): SELL, HOLD,
        BUY as they were given, after all that the calibration had learnt by then.

        Raises
        ------
        StateError
            There is none.
        """
        count = int(self._state["kept"][0])
        places = [(count - 1 - age) % EXPLAINABLE for age in range(min(count, EXPLAINABLE))]
        distances = [abs(int(self._stamps[place]) - timestamp_ns) for place in places]
        nearest = min(distances, default=SAME_MOMENT_NS + 1)
        if nearest > SAME_MOMENT_NS:
            raise StateError(
                f"no prediction at {timestamp_ns} ns is among the latest {EXPLAINABLE} of this "
                "session; explain a signal before as many more have been given, and only one for "
                "which the model was asked"
            )
        place = places[distances.index(nearest)]
        return self._rows[place].copy(), self._answers[place].copy()
