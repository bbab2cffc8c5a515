"""Sums over the last n buckets, for several window lengths and channels, that only ever add.

Adding what enters and subtracting what leaves keeps the rounding error of everything that ever
passed through: sums that should be zero are not, and variances come out negative. Here each window
cuts the stream of buckets into blocks of its own length. The window always is a suffix of the
block before and a prefix of the present one; the prefix is a running sum, the suffix sums are built
in place when a block is full (two stacks; van Herk, 1992; Gil and Werman, 1993). Each bucket is
added a fixed number of times, and a sum of zeros is zero.

The slots need not be cleared on a reset: a window is complete, and may be read, only after as many
buckets as it is long, and by then every slot it uses has been written.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["window_sums_reset", "window_sums_step"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@kernel
def window_sums_reset(prefix: Floats, positions: Ints) -> None:
    """Forget all buckets."""
    prefix[:] = 0.0
    positions[:] = 0


@kernel
def window_sums_step(
    slots: Floats,
    prefix: Floats,
    sums: Floats,
    positions: Ints,
    lengths: Ints,
    offsets: Ints,
    bucket: Floats,
) -> None:
    """Take in one whole bucket and bring every window's sums up to date.

    Parameters
    ----------
    slots
        Shape (sum of the capacities, channels): the buckets of the present block, ahead of them
        the suffix sums of the one before.
    prefix
        Shape (windows, channels): sums over the present block.
    sums
        Shape (windows, channels): written; the sums over the last ``lengths[w]`` buckets.
    positions
        Shape (windows,): buckets in the present block.
    lengths
        Shape (windows,): buckets a window; a window of no bucket is passed over.
    offsets
        Shape (windows,): where a window's slots begin.
    bucket
        Shape (channels,): the new bucket's values.
    """
    channels = bucket.shape[0]
    for w in range(lengths.shape[0]):
        length = lengths[w]
        if length == 0:
            continue
        start = offsets[w]
        position = positions[w]
        for c in range(channels):
            slots[start + position, c] = bucket[c]
            prefix[w, c] += bucket[c]
        position += 1
        if position < length:
            for c in range(channels):
                sums[w, c] = slots[start + position, c] + prefix[w, c]
        else:
            for j in range(start + length - 2, start - 1, -1):
                for c in range(channels):
                    slots[j, c] += slots[j + 1, c]
            for c in range(channels):
                sums[w, c] = slots[start, c]
                prefix[w, c] = 0.0
            position = 0
        positions[w] = position
