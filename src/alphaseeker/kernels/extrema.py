"""Rolling maximum over the last n buckets, for several windows from one monotonic deque.

Of the buckets inside the longest window, only those greater than all later ones can ever be a
maximum; the deque keeps just these, in falling order (Lemire, 2006). Shorter windows read the same
deque from heads of their own, further towards the tail. A minimum is the maximum of the negated
values.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["rolling_maximum_reset", "rolling_maximum_step"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@kernel
def rolling_maximum_reset(heads: Ints, tail: Ints) -> None:
    """Forget all buckets."""
    heads[:] = 0
    tail[0] = 0


@kernel
def rolling_maximum_step(
    values: Floats,
    buckets: Ints,
    heads: Ints,
    tail: Ints,
    maxima: Floats,
    lengths: Ints,
    bucket: int,
    value: float,
) -> None:
    """Take in the value of one whole bucket and bring every window's maximum up to date.

    Parameters
    ----------
    values, buckets
        Shape (capacity,): the deque as a ring; the capacity is a power of two and greater than the
        longest window.
    heads
        Shape (windows,): where each window's maximum stands (counted, not wrapped).
    tail
        Shape (1,): where the next value goes (counted, not wrapped).
    maxima
        Shape (windows,): written; the maximum over the last ``lengths[w]`` buckets.
    lengths
        Shape (windows,), in rising order: buckets a window; one of no bucket is passed over.
    bucket
        Number of the bucket; each is one more than the last.
    value
        Its value, not NaN.
    """
    mask = values.shape[0] - 1
    end = tail[0]
    oldest = heads[heads.shape[0] - 1]
    while end > oldest and values[(end - 1) & mask] <= value:
        end -= 1
    values[end & mask] = value
    buckets[end & mask] = bucket
    tail[0] = end + 1
    for w in range(lengths.shape[0]):
        if lengths[w] == 0:
            continue
        head = min(heads[w], end)
        while buckets[head & mask] <= bucket - lengths[w]:
            head += 1
        heads[w] = head
        maxima[w] = values[head & mask]
