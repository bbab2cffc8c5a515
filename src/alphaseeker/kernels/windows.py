"""Sums over the last n buckets, for several window lengths and channels, that only ever add.

Adding what enters and subtracting what leaves keeps the rounding error of everything that ever
passed through: sums that should be zero are not, and variances come out negative. Here each window
cuts the stream of buckets into blocks of its own length. The window always is a suffix of the
block before and a prefix of the present one; the prefix is a running sum, the suffix sums are built
in place when a block is full (two stacks; van Herk, 1992; Gil and Werman, 1993). Each bucket is
added a fixed number of times, and a sum of zeros is zero.

The slots need not be cleared on a reset, wherever in its first block a window begins: what was
there before has left the sums by the time that the window is full. Until then they mean nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part
from alphaseeker.kernels.lanes import FOUR, load_four, prefetch, store

__all__ = ["LANES", "PLAN_COLUMNS", "window_sums_ask", "window_sums_reset", "window_sums_step"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LANES = FOUR  # channels come in fours, which are loaded, added and stored as one

# Columns of the plan. Places are rows of ``memory``.
(
    WIDTH,  # rows that the channels take
    PARTIAL,  # place of the bucket's values
    PREFIX,  # place of the sums over the present block
    TOTAL,  # place of the window's sums, which are written
    SLOTS,  # place of the block's buckets
) = range(5)
PLAN_COLUMNS = 5
# Columns of the windows, of which every symbol has its own.
(
    LENGTH,  # buckets; a window of no bucket is passed over
    POSITION,  # buckets in the present block; part of the state
) = range(2)
WINDOW_COLUMNS = 2


@part
def window_sums_reset(memory: Floats, plan: Ints, windows: Ints, begins: Ints) -> None:
    """Forget all buckets; arguments as in ``window_sums_step``.

    Windows with different ``begins``, shape (windows,), the positions at which their first blocks
    begin, build their suffix sums at different buckets, so that no single bucket pays for all.
    """
    for row in range(plan.shape[0]):
        windows[row, POSITION] = begins[row]
        for quad in range(plan[row, WIDTH]):
            memory[plan[row, PREFIX] + quad, :] = 0.0


@part
def _turn(memory: Floats, plan: Ints, row: int, length: int) -> None:
    """Take in the bucket that fills a block, and build the sums from each bucket of it on."""
    width = plan[row, WIDTH]
    first = plan[row, SLOTS]
    last = first + (length - 1) * width
    for quad in range(width):
        sums = load_four(memory, plan[row, PARTIAL] + quad)
        store(memory, last + quad, sums)
        for place in range(last - width, first - 1, -width):
            sums = load_four(memory, place + quad) + sums
            store(memory, place + quad, sums)
        store(memory, plan[row, TOTAL] + quad, sums)
        memory[plan[row, PREFIX] + quad, :] = 0.0


@part
def window_sums_ask(memory: Floats, plan: Ints, windows: Ints) -> None:
    """Ask the memory for what ``window_sums_step`` will touch; the arguments are the same.

    The record of one symbol among many comes from far away: asked for at once, its parts come
    together.
    """
    for row in range(windows.shape[0]):
        width = plan[row, WIDTH]
        place = plan[row, SLOTS] + windows[row, POSITION] * width
        prefetch(memory, place)
        prefetch(memory, place + 2 * width - 1)
        prefetch(memory, plan[row, PREFIX])
        prefetch(memory, plan[row, TOTAL])


@part
def window_sums_step(memory: Floats, plan: Ints, windows: Ints) -> None:
    """Take in one whole bucket and bring every window's sums up to date.

    Parameters
    ----------
    memory
        Shape (m, LANES): holds, at the places that the plan names, the bucket's values, the sums,
        and the slots: the buckets of the present block, ahead of them the suffix sums of the one
        before.
    plan
        Shape (windows, PLAN_COLUMNS): see the columns' names; the same for all symbols.
    windows
        Shape (windows, WINDOW_COLUMNS): lengths, and positions, which are written.
    """
    for row in range(windows.shape[0]):
        length = windows[row, LENGTH]
        if length == 0:
            continue
        position = windows[row, POSITION] + 1
        if position == length:
            _turn(memory, plan, row, length)
            windows[row, POSITION] = 0
            continue
        windows[row, POSITION] = position
        width = plan[row, WIDTH]
        bucket = plan[row, PARTIAL]
        prefix = plan[row, PREFIX]
        total = plan[row, TOTAL]
        slot = plan[row, SLOTS] + (position - 1) * width
        for quad in range(width):
            entering = load_four(memory, bucket + quad)
            sums = load_four(memory, prefix + quad) + entering
            store(memory, slot + quad, entering)
            store(memory, prefix + quad, sums)
            store(memory, total + quad, load_four(memory, slot + width + quad) + sums)
