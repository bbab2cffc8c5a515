"""Rolling maxima over the last n buckets, for several window lengths and channels.

The same two stacks as ``windows.py``, with the greater value in the place of the sum (van Herk,
1992; Gil and Werman, 1993): each bucket is compared a fixed number of times, whatever its value. A
minimum is the maximum of the negated values.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part

__all__ = ["rolling_maxima_reset", "rolling_maxima_step"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@part
def rolling_maxima_reset(prefix: Floats, positions: Ints, lengths: Ints, stagger: int) -> None:
    """Forget all buckets; the arguments are those of ``windows.window_sums_reset``."""
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
        Shape (sum of the capacities, channels): the buckets of the present block, ahead of them
        the suffix maxima of the one before.
    prefix
        Shape (windows, channels): maxima over the present block, minus infinity where it is empty.
    maxima
        Shape (windows, channels): written; the maxima over the last ``lengths[w]`` buckets.
    positions, lengths, offsets
        Shape (windows,), as in ``windows.window_sums_step``.
    bucket
        Shape (channels,): the new bucket's values, not NaN.
    """
    channels = bucket.shape[0]
    for w in range(lengths.shape[0]):
        length = lengths[w]
        if length == 0:
            continue
        start = offsets[w]
        position = positions[w]
        for c in range(channels):
            value = bucket[c]
            slots[start + position, c] = value
            highest = prefix[w, c]
            prefix[w, c] = value if value > highest else highest
        position += 1
        if position < length:
            for c in range(channels):
                older = slots[start + position, c]
                newer = prefix[w, c]
                maxima[w, c] = newer if newer > older else older
        else:
            # Channel by channel: the maximum then stays in a register (28 ns a step against 35 row
            # by row, three channels and five windows).
            for c in range(channels):
                highest = bucket[c]
                for j in range(start + length - 2, start - 1, -1):
                    value = slots[j, c]
                    highest = highest if highest > value else value
                    slots[j, c] = highest
                maxima[w, c] = highest
                prefix[w, c] = -np.inf
            position = 0
        positions[w] = position
