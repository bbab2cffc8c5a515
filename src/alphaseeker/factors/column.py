"""One factor's values as they are measured: float32, a piece at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.features.matrix_file import release

__all__ = ["Column"]

_SAMPLED = 10_000


class Column:
    """A factor of one symbol, whatever it stands in.

    Parameters
    ----------
    values
        Shape (n,), of any floating type, in memory or in a file. Of float64 and wider ones the
        distance from the median of a sample is kept, so that a level of 50,000 leaves its changes
        the digits that they need; ranks and correlations are the same.
    """

    def __init__(self, values: npt.NDArray[np.floating[Any]]) -> None:
        self._values = values
        self._centre = 0.0
        if values.dtype.itemsize > np.dtype(np.float32).itemsize:
            sample = values[:: -(-len(values) // _SAMPLED) or 1]
            sample = sample[np.isfinite(sample)]
            release(values)
            self._centre = float(np.median(sample)) if len(sample) else 0.0

    def taken(self, first: int, stop: int) -> npt.NDArray[np.float32]:
        """Return the rows ``first`` to ``stop - 1``, shape (stop - first,), in one piece."""
        values = self._values[first:stop]
        if self._centre != 0.0:
            values = values - self._centre
        with np.errstate(over="ignore"):  # what float32 cannot hold counts as not finite
            return np.ascontiguousarray(values, dtype=np.float32)

    def release(self) -> None:
        """Give back the memory through which a file was read."""
        release(self._values)
