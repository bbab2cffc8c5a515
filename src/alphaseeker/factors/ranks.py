"""Sort orders and average ranks, fast enough to rank every factor in every block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel, part

__all__ = ["average_ranks", "ranks_in_order", "sort_order", "sort_pairs", "sorted_pairs"]

_DIGIT_BITS = 11
_BUCKETS = 1 << _DIGIT_BITS
_DIGITS = 6  # 6 x 11 bits cover the 64 of a key
_MASK = np.uint64(_BUCKETS - 1)
_SIGN = np.uint64(1 << 63)
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)

# A pair of a float32's key and its place, in one number: the key above, the place below.
_PLACE_BITS = np.uint64(32)
_SIGN_32 = np.uint32(1 << 31)
_ALL_32 = np.uint32(0xFFFF_FFFF)
_NOT_FINITE = np.uint32(0x7F80_0000)
_FEW = 2_000  # up to here four digits of eight bits cost less than three of eleven


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


@part
def sorted_pairs(
    bits: npt.NDArray[np.uint32],
    pairs: npt.NDArray[np.uint64],
    other: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.uint64], int]:
    """Sort the finite numbers among float32 ones, each with its place beside it.

    Parameters
    ----------
    bits
        Shape (n,): float32 numbers, viewed as uint32. -0.0 and 0.0 are equal.
    pairs, other
        Shape (n,) or more: room to work in.
    counts
        Shape (2048,): room to work in.

    Returns
    -------
    pairs
        ``pairs`` or ``other``: by rising number, the number's key in the upper 32 bits and its
        place in the lower ones.
    count
        How many of them are filled.
    """
    count = 0
    for place in range(len(bits)):
        number = bits[place]
        if (number & _NOT_FINITE) == _NOT_FINITE:
            continue
        if number == _SIGN_32:
            number = np.uint32(0)
        key = number ^ _ALL_32 if number & _SIGN_32 else number ^ _SIGN_32
        pairs[count] = (np.uint64(key) << _PLACE_BITS) | np.uint64(place)
        count += 1
    return sort_pairs(pairs, other, counts, count), count


@part
def sort_pairs(
    pairs: npt.NDArray[np.uint64],
    other: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.int64],
    count: int,
) -> npt.NDArray[np.uint64]:
    """Sort the first ``count`` of ``pairs`` by their upper 32 bits: a stable radix sort.

    Returns
    -------
    numpy.ndarray
        ``pairs`` or ``other``, whichever holds the result.
    """
    width = 8 if count <= _FEW else 11
    buckets = 1 << width
    mask = np.uint64(buckets - 1)
    for digit in range(4 if width == 8 else 3):
        shift = np.uint64(32 + digit * width)
        counts[:buckets] = 0
        for item in range(count):
            counts[np.int64((pairs[item] >> shift) & mask)] += 1
        if count == 0 or counts[np.int64((pairs[0] >> shift) & mask)] == count:
            continue
        place = 0
        for bucket in range(buckets):
            held = counts[bucket]
            counts[bucket] = place
            place += held
        for item in range(count):
            home = np.int64((pairs[item] >> shift) & mask)
            other[counts[home]] = pairs[item]
            counts[home] += 1
        pairs, other = other, pairs
    return pairs


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
