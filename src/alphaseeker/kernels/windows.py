"""Sums over the last n buckets, for several window lengths and channels, that only ever add.

Adding what enters and subtracting what leaves keeps the rounding error of everything that ever
passed through: sums that should be zero are not, and variances come out negative. Here each window
cuts the stream of buckets into blocks of its own length. The window always is a suffix of the
block before and a prefix of the present one; the prefix is a running sum, the suffix sums are built
in place when a block is full (two stacks; van Herk, 1992; Gil and Werman, 1993). Each bucket is
added a fixed number of times, and a sum of zeros is zero.

Many buckets are empty (no trade, no move of the mid: nineteen seconds of twenty on a quiet market).
A window that an empty bucket enters and an empty one leaves keeps its sums, bit for bit: only its
position moves on. Which of the last buckets held anything is kept beside the slots; the rows of the
others are neither written nor read.

The slots need not be cleared on a reset, wherever in its first block a window begins: what lies
before it counts as empty.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part

__all__ = ["LANES", "OCCUPIED", "PLAN_COLUMNS", "window_sums_reset", "window_sums_step"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.uint8]

OCCUPIED = 1024  # flags kept: a power of two, above the longest window

# Channels come in fours: four numbers that are loaded, added and stored as four can be one
# instruction each. It was not found to be faster than loops over the channels, nor slower (400 ns a
# bucket where every group has something new); it is the smaller code.
LANES = 4

# Columns of the plan. Places are rows of ``memory``.
(
    LENGTH,  # buckets; a window of no bucket is passed over
    GROUP,  # windows of one group share their bucket; they stand together
    WIDTH,  # rows that the channels take
    PARTIAL,  # place of the bucket's values
    PREFIX,  # place of the sums over the present block
    TOTAL,  # place of the window's sums, which are written
    SLOTS,  # place of the block's buckets
    CHANGED,  # place of a number that is set to 1 where the sums were written
    CHANGED_LANE,  # its column
    NOTHING,  # place of zeros, as many rows
    BEGIN,  # position at which the first block begins, below the length
    POSITION,  # buckets in the present block; part of the state, as is the next
    SUFFIX,  # place of the sums over what is left of the block before
) = range(13)
PLAN_COLUMNS = 13


@part
def window_sums_reset(memory: Floats, plan: Ints, occupied: Flags) -> None:
    """Forget all buckets; arguments as in ``window_sums_step``."""
    for row in range(plan.shape[0]):
        plan[row, POSITION] = plan[row, BEGIN]
        plan[row, SUFFIX] = plan[row, NOTHING]
        for quad in range(plan[row, WIDTH]):
            for lane in range(LANES):
                memory[plan[row, PREFIX] + quad, lane] = 0.0
    for group in range(occupied.shape[0]):
        for place in range(occupied.shape[1]):
            occupied[group, place] = 0


@part
def _enter(memory: Floats, bucket: int, slot: int, prefix: int, suffix: int, total: int) -> None:
    """Take four channels of a bucket in; the arguments are their places in ``memory``."""
    b0, b1, b2, b3 = memory[bucket, 0], memory[bucket, 1], memory[bucket, 2], memory[bucket, 3]
    p0, p1, p2, p3 = memory[prefix, 0], memory[prefix, 1], memory[prefix, 2], memory[prefix, 3]
    s0, s1, s2, s3 = memory[suffix, 0], memory[suffix, 1], memory[suffix, 2], memory[suffix, 3]
    p0, p1, p2, p3 = p0 + b0, p1 + b1, p2 + b2, p3 + b3
    memory[slot, 0], memory[slot, 1], memory[slot, 2], memory[slot, 3] = b0, b1, b2, b3
    memory[prefix, 0], memory[prefix, 1], memory[prefix, 2], memory[prefix, 3] = p0, p1, p2, p3
    s0, s1, s2, s3 = s0 + p0, s1 + p1, s2 + p2, s3 + p3
    memory[total, 0], memory[total, 1], memory[total, 2], memory[total, 3] = s0, s1, s2, s3


@part
def _add(memory: Floats, first: int, second: int, total: int) -> None:
    """Write the sum of four channels at two places to a third."""
    f0, f1, f2, f3 = memory[first, 0], memory[first, 1], memory[first, 2], memory[first, 3]
    s0, s1, s2, s3 = memory[second, 0], memory[second, 1], memory[second, 2], memory[second, 3]
    f0, f1, f2, f3 = f0 + s0, f1 + s1, f2 + s2, f3 + s3
    memory[total, 0], memory[total, 1], memory[total, 2], memory[total, 3] = f0, f1, f2, f3


@part
def _next_suffix(plan: Ints, row: int, occupied: Flags, number: int) -> int:
    """Return where the sums over what is left of the block before stand, without its first."""
    length = plan[row, LENGTH]
    position = plan[row, POSITION] + 1
    leaving = number - length + 1
    while position < length:
        if occupied[plan[row, GROUP], leaving & (OCCUPIED - 1)] == 1:
            return int(plan[row, SLOTS] + position * plan[row, WIDTH])
        position += 1
        leaving += 1
    return int(plan[row, NOTHING])


@part
def _turn(memory: Floats, plan: Ints, row: int, occupied: Flags, number: int) -> None:
    """Take in the bucket that fills a block, and build the sums from each bucket of it on."""
    width = plan[row, WIDTH]
    slots = plan[row, SLOTS]
    place = slots + plan[row, POSITION] * width
    for quad in range(width):
        for lane in range(LANES):
            memory[place + quad, lane] = memory[plan[row, PARTIAL] + quad, lane]
            memory[plan[row, PREFIX] + quad, lane] = 0.0
    suffix = plan[row, NOTHING]
    while place >= slots:
        if occupied[plan[row, GROUP], number & (OCCUPIED - 1)] == 1:
            for quad in range(width):
                _add(memory, place + quad, suffix + quad, place + quad)
            suffix = place
        place -= width
        number -= 1
    plan[row, SUFFIX] = suffix
    for quad in range(width):
        for lane in range(LANES):
            memory[plan[row, TOTAL] + quad, lane] = memory[suffix + quad, lane]


@part
def window_sums_step(memory: Floats, plan: Ints, occupied: Flags, number: int) -> None:
    """Take in one whole bucket and bring every window's sums up to date.

    Parameters
    ----------
    memory
        Shape (m, LANES): holds, at the places that the plan names, the bucket's values, the sums,
        and the slots: the buckets of the present block, ahead of them the suffix sums of the one
        before.
    plan
        Shape (windows, PLAN_COLUMNS): see the columns' names. Windows with a ``BEGIN`` of their
        own build their suffix sums at different buckets, so that no single bucket pays for all.
    occupied
        Shape (groups, OCCUPIED): 1 for each of the last buckets, by number, that held anything but
        zeros.
    number
        The bucket's number; each is one more than the last.
    """
    group = -1
    held = False
    for row in range(plan.shape[0]):
        length = plan[row, LENGTH]
        if length == 0:
            continue
        width = plan[row, WIDTH]
        bucket = plan[row, PARTIAL]
        if plan[row, GROUP] != group:
            group = plan[row, GROUP]
            held = False
            for quad in range(width):
                for lane in range(LANES):
                    held = held or memory[bucket + quad, lane] != 0.0
            occupied[group, number & (OCCUPIED - 1)] = held
        position = plan[row, POSITION]
        if position + 1 == length:
            _turn(memory, plan, row, occupied, number)
            plan[row, POSITION] = 0
        else:
            leaving = occupied[group, (number - length) & (OCCUPIED - 1)] == 1
            if leaving:
                plan[row, SUFFIX] = _next_suffix(plan, row, occupied, number)
            plan[row, POSITION] = position + 1
            prefix = plan[row, PREFIX]
            suffix = plan[row, SUFFIX]
            total = plan[row, TOTAL]
            if held:
                slot = plan[row, SLOTS] + position * width
                for quad in range(width):
                    _enter(
                        memory,
                        bucket + quad,
                        slot + quad,
                        prefix + quad,
                        suffix + quad,
                        total + quad,
                    )
            elif leaving:
                for quad in range(width):
                    _add(memory, prefix + quad, suffix + quad, total + quad)
            else:
                continue
        memory[plan[row, CHANGED], plan[row, CHANGED_LANE]] = 1.0
