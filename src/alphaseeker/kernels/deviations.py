"""Rolling first and second moments of n series, and the product of the first with time.

Sums of raw squares lose every digit when the spread of the values is small beside their size (a
price of 60,000 that moves by 0.1). Here what is summed are deviations d = value - reference from a
value that itself stands inside the window. With m values the mean of d is then at most their range
R, and their variance at least R^2 / (2 m): what the subtraction of the squared mean takes away is
at most 2 m times what it leaves, about three digits of sixteen for 900 buckets.

The two stacks are those of ``windows.py``. While a block grows its slots hold raw values; when it
is full, its last values become the reference, and the suffix sums are built relative to it, as is
the next block. A window that is not yet full again always reaches back to that last value.

Time x is counted in buckets, 0 at the reference: the element at place j of the block before has
x = j - length + 1, those of the present block 1, 2, and so on up to ``positions[w]``, so that after
a step the window holds x = positions[w] - length + 1 to positions[w].

A row of sums is 2 n + 1 wide: the sums of d (n), the sums of d^2 (n), and the sum of x d of series
0.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part

__all__ = [
    "rolling_deviations_reset",
    "rolling_deviations_step",
    "window_score",
    "window_slope",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@part
def rolling_deviations_reset(
    prefix: Floats,
    references: Floats,
    positions: Ints,
    lengths: Ints,
    stagger: int,
    values: Floats,
) -> None:
    """Forget all buckets.

    Parameters
    ----------
    prefix, references
        As in ``rolling_deviations_step``.
    positions, lengths, stagger
        As in ``windows.window_sums_reset``.
    values
        Shape (n,): the values now, the reference of the first block.
    """
    prefix[:] = 0.0
    for w in range(lengths.shape[0]):
        positions[w] = lengths[w] * stagger // 8
        for i in range(values.shape[0]):
            references[w, i] = values[i]


@part
def rolling_deviations_step(
    slots: Floats,
    prefix: Floats,
    references: Floats,
    totals: Floats,
    positions: Ints,
    lengths: Ints,
    offsets: Ints,
    values: Floats,
) -> None:
    """Take in one whole bucket's values and bring every window's sums up to date.

    Parameters
    ----------
    slots
        Shape (sum of the capacities, 2 n + 1): the raw values of the present block in the first n
        columns, ahead of them the suffix sums of the block before.
    prefix
        Shape (windows, 2 n + 1): sums over the present block.
    references
        Shape (windows, n): what the deviations are counted from; changes when a block is full.
    totals
        Shape (windows, 2 n + 1): written; the sums over the last ``lengths[w]`` buckets.
    positions, lengths, offsets
        Shape (windows,), as in ``windows.window_sums_step``.
    values
        Shape (n,): the new bucket's values.
    """
    n = values.shape[0]
    for w in range(lengths.shape[0]):
        length = lengths[w]
        if length == 0:
            continue
        start = offsets[w]
        position = positions[w]
        if position + 1 < length:
            for i in range(n):
                value = values[i]
                deviation = value - references[w, i]
                slots[start + position, i] = value
                prefix[w, i] += deviation
                prefix[w, n + i] += deviation * deviation
            position += 1
            prefix[w, 2 * n] += position * (values[0] - references[w, 0])
            for i in range(2 * n + 1):
                totals[w, i] = slots[start + position, i] + prefix[w, i]
        else:
            # The new values are the reference: their own deviations are 0.
            last = start + position
            for i in range(2 * n + 1):
                slots[last, i] = 0.0
            for i in range(n):
                references[w, i] = values[i]
            for j in range(last - 1, start - 1, -1):
                first = slots[j, 0] - values[0]  # the raw value, before its sum takes the place
                slots[j, 2 * n] = slots[j + 1, 2 * n] + (j - last) * first
                for i in range(n):
                    deviation = slots[j, i] - values[i]
                    slots[j, i] = slots[j + 1, i] + deviation
                    slots[j, n + i] = slots[j + 1, n + i] + deviation * deviation
            for i in range(2 * n + 1):
                totals[w, i] = slots[start, i]
                prefix[w, i] = 0.0
            position = 0
        positions[w] = position


@part
def window_score(
    sum_d: float, sum_squares: float, count_with_present: float, deviation_of_present: float
) -> float:
    """Return (value - mean) / standard deviation of the present value, itself in the window.

    Parameters
    ----------
    sum_d, sum_squares
        Of the whole buckets, from ``totals``.
    count_with_present
        Whole buckets in the window plus one.
    deviation_of_present
        The present value less the window's reference.

    Notes
    -----
    ddof 0. Whether all values are equal is for the caller to know, by counts: rounding may leave
    something of a variance that should be 0. A variance that is 0 here gives 0.
    """
    total = sum_d + deviation_of_present
    squares = sum_squares + deviation_of_present * deviation_of_present
    variance = count_with_present * squares - total * total
    if not variance > 0.0:
        return 0.0
    return (count_with_present * deviation_of_present - total) / math.sqrt(variance)


@part
def window_slope(
    sum_xd: float, sum_d: float, position: int, length: int, deviation_of_present: float
) -> float:
    """Return the slope a bucket of the least-squares line, with the present value joined.

    Parameters
    ----------
    sum_xd, sum_d
        Of the whole buckets, from ``totals``.
    position, length
        The window's ``positions[w]`` and ``lengths[w]``, the latter at least 1.
    deviation_of_present
        The present value less the window's reference; its time is ``position + 1``.

    Notes
    -----
    Times are n = length + 1 whole numbers in a row: their mean is half way, the sum of their
    squared deviations (n^3 - n) / 12.
    """
    now = position + 1.0
    count = length + 1.0
    middle = now - 0.5 * length
    products = sum_xd + now * deviation_of_present - middle * (sum_d + deviation_of_present)
    return products * 12.0 / (count * (count * count - 1.0))
