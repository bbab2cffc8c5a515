"""Rolling covariance and least squares of y on x over the last n buckets, for several windows.

The same two stacks as ``windows.py``, with centred moments in the place of sums: merging two rows
of moments only adds what is positive, so that nothing is left over when a window turns quiet.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.kernels.moments import COUNT, XX, XY, pair_merge, pair_step

__all__ = ["covariance", "rolling_pairs_reset", "rolling_pairs_step", "slope"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@kernel
def rolling_pairs_reset(prefix: Floats, positions: Ints) -> None:
    """Forget all buckets."""
    prefix[:] = 0.0
    positions[:] = 0


@kernel
def rolling_pairs_step(
    slots: Floats,
    prefix: Floats,
    moments: Floats,
    positions: Ints,
    lengths: Ints,
    offsets: Ints,
    x: float,
    y: float,
) -> None:
    """Take in one whole bucket's pair and bring every window's moments up to date.

    Parameters
    ----------
    slots
        Shape (sum of the capacities, 6): see ``windows.window_sums_step``.
    prefix
        Shape (windows, 6): moments of the present block.
    moments
        Shape (windows, 6): written; the moments of the last ``lengths[w]`` pairs.
    positions, lengths, offsets
        Shape (windows,), as in ``windows.window_sums_step``.
    x, y
        The new pair.
    """
    for w in range(lengths.shape[0]):
        length = lengths[w]
        if length == 0:
            continue
        start = offsets[w]
        position = positions[w]
        slots[start + position] = 0.0
        pair_step(slots[start + position], x, y)
        pair_step(prefix[w], x, y)
        position += 1
        if position < length:
            pair_merge(slots[start + position], prefix[w], moments[w])
        else:
            for j in range(start + length - 2, start - 1, -1):
                pair_merge(slots[j], slots[j + 1], slots[j])
            moments[w] = slots[start]
            prefix[w] = 0.0
            position = 0
        positions[w] = position


@kernel
def slope(row: Floats) -> float:
    """Return the least-squares slope of y on x; 0 where x does not vary."""
    return row[XY] / row[XX] if row[XX] > 0.0 else 0.0


@kernel
def covariance(row: Floats) -> float:
    """Return the population covariance (ddof 0); 0 where there is no pair."""
    return row[XY] / row[COUNT] if row[COUNT] > 0.0 else 0.0
