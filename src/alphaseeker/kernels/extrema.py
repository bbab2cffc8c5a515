"""Rolling maxima over the last n buckets, for several window lengths and channels.

The same two stacks as ``windows.py``, with the greater value in the place of the sum (van Herk,
1992; Gil and Werman, 1993): each bucket is compared a fixed number of times, whatever its value. A
minimum is the maximum of the negated values.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part
from alphaseeker.kernels.lane_math import larger
from alphaseeker.kernels.lanes import load_four, store

__all__ = ["rolling_maxima_reset", "rolling_maxima_step"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@part
def rolling_maxima_reset(prefix: Floats, positions: Ints, lengths: Ints, stagger: int) -> None:
    """Forget all buckets; arguments as in ``rolling_maxima_step``.

    ``stagger``, 0 to 7, is the eighth of a window at which its first block begins: groups with
    different ones build their suffix maxima at different buckets.
    """
    prefix[:] = -np.inf
    for w in range(lengths.shape[0]):
        positions[w] = lengths[w] * stagger // 8


@part
def rolling_maxima_step(
    slots: Floats,
    prefix: Floats,
    maxima: Floats,
    positions: Ints,
    lengths: Ints,
    offsets: Ints,
    bucket: Floats,
) -> None:
    """Take in one whole bucket and bring every window's maxima up to date.

    Parameters
    ----------
    slots
        Shape (m, 4): a stretch of rows for each window; the buckets of the present block, ahead of
        them the suffix maxima of the one before.
    prefix
        Shape (windows, 4): maxima over the present block, minus infinity where it is empty.
    maxima
        Shape (windows, 4): written; the maxima over the last ``lengths[w]`` buckets.
    positions
        Shape (windows,): buckets in the present block; changed.
    lengths
        Shape (windows,): buckets of each window; one of 0 is passed over.
    offsets
        Shape (windows,): the first row of each window's stretch of ``slots``.
    bucket
        Shape (4,): the new bucket's values, not NaN.
    """
    entering = load_four(bucket, 0)
    for w in range(lengths.shape[0]):
        length = lengths[w]
        if length == 0:
            continue
        start = offsets[w]
        position = positions[w] + 1
        if position < length:
            highest = larger(entering, load_four(prefix, w))
            store(slots, start + position - 1, entering)
            store(prefix, w, highest)
            store(maxima, w, larger(highest, load_four(slots, start + position)))
        else:
            highest = entering
            store(slots, start + length - 1, entering)
            for j in range(start + length - 2, start - 1, -1):
                highest = larger(highest, load_four(slots, j))
                store(slots, j, highest)
            store(maxima, w, highest)
            prefix[w, :] = -np.inf
            position = 0
        positions[w] = position
