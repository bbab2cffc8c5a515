"""Rolling first and second moments of four series, and the product of the first with time.

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

A row of sums is nine wide: the sums of d (4), the sums of d^2 (4), and the sum of x d of series 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part
from alphaseeker.kernels.lane_math import lower_upper, root, twice, where
from alphaseeker.kernels.lanes import FOUR, broadcast, load_four, load_wide, store

__all__ = [
    "rolling_deviations_reset",
    "rolling_deviations_step",
    "COLUMNS",
    "SERIES",
    "TIME",
    "window_score",
    "window_slope",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


SERIES = FOUR
TIME = 2 * SERIES  # column of the sum of x d
COLUMNS = TIME + 1


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
    positions, lengths
        As in ``rolling_deviations_step``.
    stagger
        Eighths of a window, 0 to 7, at which its first block begins: groups with different ones
        build their suffix sums at different buckets.
    values
        Shape (4,): the values now, the reference of the first block.
    """
    prefix[:] = 0.0
    for w in range(lengths.shape[0]):
        positions[w] = lengths[w] * stagger // 8
        store(references, w, load_four(values, 0))


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
        Shape (m, 9): a stretch of rows for each window; the raw values of the present block in the
        first four columns, ahead of them the suffix sums of the block before.
    prefix
        Shape (windows, 9): sums over the present block.
    references
        Shape (windows, 4): what the deviations are counted from; changes when a block is full.
    totals
        Shape (windows, 9): written; the sums over the last ``lengths[w]`` buckets.
    positions
        Shape (windows,): buckets in the present block; changed.
    lengths
        Shape (windows,): buckets of each window; one of 0 is passed over.
    offsets
        Shape (windows,): the first row of each window's stretch of ``slots``.
    values
        Shape (4,): the new bucket's values.
    """
    entering = twice(load_four(values, 0))
    for w in range(lengths.shape[0]):
        length = lengths[w]
        if length == 0:
            continue
        start = offsets[w]
        position = positions[w]
        if position + 1 < length:
            deviations = entering - twice(load_four(references, w))
            store(slots, start + position, load_four(values, 0))
            sums = load_wide(prefix, w) + lower_upper(deviations, deviations * deviations)
            store(prefix, w, sums)
            position += 1
            prefix[w, TIME] += position * (values[0] - references[w, 0])
            store(totals, w, load_wide(slots, start + position) + sums)
            totals[w, TIME] = slots[start + position, TIME] + prefix[w, TIME]
        else:
            # The new values are the reference: their own deviations are 0.
            last = start + position
            sums = broadcast(0.0)
            by_time = 0.0
            store(slots, last, sums)
            slots[last, TIME] = by_time
            store(references, w, load_four(values, 0))
            for j in range(last - 1, start - 1, -1):
                # The raw values, before their sums take the place.
                by_time += (j - last) * (slots[j, 0] - values[0])
                deviations = twice(load_four(slots, j)) - entering
                sums = sums + lower_upper(deviations, deviations * deviations)
                store(slots, j, sums)
                slots[j, TIME] = by_time
            store(totals, w, sums)
            totals[w, TIME] = by_time
            prefix[w, :] = 0.0
            position = 0
        positions[w] = position


@part
def window_score(sum_d: Any, sum_squares: Any, count_with_present: Any, present: Any) -> Any:
    """Return (value - mean) / standard deviation of the present value, itself in the window.

    Parameters
    ----------
    sum_d, sum_squares
        Of the whole buckets, from ``totals``: eight lanes, a window each, as all that follow.
    count_with_present
        Whole buckets in the window plus one.
    present
        The deviation of the present value: what it is less the window's reference.

    Notes
    -----
    ddof 0. Whether all values are equal is for the caller to know, by counts: rounding may leave
    something of a variance that should be 0. A variance that is 0 here gives 0.
    """
    total = sum_d + present
    squares = sum_squares + present * present
    variance = count_with_present * squares - total * total
    score = (count_with_present * present - total) / root(variance)
    return where(variance > 0.0, score, 0.0)


@part
def window_slope(sum_xd: Any, sum_d: Any, position: Any, length: Any, present: Any) -> Any:
    """Return the slope a bucket of the least-squares line, with the present value joined.

    Parameters
    ----------
    sum_xd, sum_d
        Of the whole buckets, from ``totals``: eight lanes, a window each, as all that follow.
    position, length
        ``positions`` and ``lengths``, the latter at least 1; infinite where there is no window,
        whose slope is NaN.
    present
        The deviation of the present value: what it is less the window's reference; its time is
        ``position + 1``.

    Notes
    -----
    Times are n = length + 1 whole numbers in a row: their mean is half way, the sum of their
    squared deviations (n^3 - n) / 12.
    """
    now = position + 1.0
    count = length + 1.0
    middle = now - 0.5 * length
    products = sum_xd + now * present - middle * (sum_d + present)
    return products * 12.0 / (count * (count * count - 1.0))
