"""Sort orders and average ranks, fast enough to rank every factor in every block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["average_ranks", "ranks_in_order", "sort_order"]

_DIGIT_BITS = 11
_BUCKETS = 1 << _DIGIT_BITS
_DIGITS = 6  # 6 x 11 bits cover the 64 of a key
_MASK = np.uint64(_BUCKETS - 1)
_SIGN = np.uint64(1 << 63)
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@kernel
def sort_order(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the stable ascending order of ``values``: a radix sort of the numbers' bits.

    Digits in which all keys agree are skipped, so that float64 numbers which came from float32
    (whose low 29 bits are zero) cost four passes of the six.

    Parameters
    ----------
    values
        Shape (n,), float64, without NaN. -0.0 and 0.0 are equal.

    Returns
    -------
    numpy.ndarray
        Shape (n,), int64: ``values[order]`` does not decrease.
    """
    rows = len(values)
    # Bits as an unsigned number rise with the value once negatives are inverted and the sign
    # of the others is set. Adding 0.0 turns -0.0 into 0.0.
    keys = (values + 0.0).view(np.uint64)
    counts = np.zeros((_DIGITS, _BUCKETS), np.int64)
    for row in range(rows):
        key = keys[row] ^ _ALL if keys[row] & _SIGN else keys[row] ^ _SIGN
        keys[row] = key
        for digit in range(_DIGITS):
            counts[digit, np.int64((key >> np.uint64(digit * _DIGIT_BITS)) & _MASK)] += 1
    order = np.arange(rows)
    other_order = np.empty(rows, np.int64)
    other_keys = np.empty(rows, np.uint64)
    for digit in range(_DIGITS):
        shift = np.uint64(digit * _DIGIT_BITS)
        count = counts[digit]
        if rows == 0 or count[np.int64((keys[0] >> shift) & _MASK)] == rows:
            continue
        place = 0
        for bucket in range(_BUCKETS):
            size = count[bucket]
            count[bucket] = place
            place += size
        for row in range(rows):
            home = np.int64((keys[row] >> shift) & _MASK)
            other_keys[count[home]] = keys[row]
            other_order[count[home]] = order[row]
            count[home] += 1
        keys, other_keys = other_keys, keys
        order, other_order = other_order, order
    return order


@kernel
def ranks_in_order(
    values: npt.NDArray[np.float64], order: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the average ranks of ``values`` whose sort order is already known.

    Parameters
    ----------
    values
        Shape (n,), float64, without NaN.
    order
        Shape (n,), int64: ``values[order]`` does not decrease.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float64: ranks from 1; equal values share the mean of their places.
    """
    rows = len(order)
    ranks = np.empty(rows)
    first = 0
    while first < rows:
        last = first
        while last + 1 < rows and values[order[last + 1]] == values[order[first]]:
            last += 1
        rank = 0.5 * (first + last) + 1.0
        for place in range(first, last + 1):
            ranks[order[place]] = rank
        first = last + 1
    return ranks


@kernel
def average_ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ranks from 1, equal values sharing the mean of their places.

    Parameters
    ----------
    values
        Shape (n,), float64, without NaN.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float64.
    """
    return ranks_in_order(values, sort_order(values))
