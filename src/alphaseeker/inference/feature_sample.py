"""A sample of a session's feature rows, a fixed time apart, for comparison with the training's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FeatureSample"]


class FeatureSample:
    """A ring that the session's step writes.

    Parameters
    ----------
    width
        Columns of the model.
    capacity
        Rows; 0 where the model file has nothing to compare them with.
    """

    def __init__(self, width: int, capacity: int) -> None:
        # Zeros, which the system gives page by page: a session that never fills them costs none.
        self._rows = np.zeros((capacity, width), dtype=np.float32)
        self.parts = (self._rows,)

    def begin(self, state: npt.NDArray[Any]) -> None:
        """Point ``state``, one element of ``session_state.SESSION``, to this ring."""
        state["sample"] = self._rows.ctypes.data

    def held(self, sampled: int) -> int:
        """Return the rows that are there after ``sampled`` were written."""
        return min(sampled, len(self._rows))

    def rows(self, sampled: int) -> npt.NDArray[np.float32]:
        """Return a copy of the rows that are there, in no order.

        A tick that comes meanwhile may change one of them.
        """
        return self._rows[: self.held(sampled)].copy()

    def restore(self, rows: npt.NDArray[np.float32]) -> None:
        """Take over what ``rows`` gave."""
        self._rows[: len(rows)] = rows
