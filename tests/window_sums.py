"""One group of window sums in a memory of its own, as the tests of the kernel feed it."""

import numba
import numpy as np

from alphaseeker.kernels.windows import (
    BEGIN,
    CHANGED,
    CHANGED_LANE,
    LANES,
    LENGTH,
    NOTHING,
    OCCUPIED,
    PARTIAL,
    PLAN_COLUMNS,
    POSITION,
    PREFIX,
    SLOTS,
    TOTAL,
    WIDTH,
    window_sums_reset,
    window_sums_step,
)

LENGTHS = (0, 1, 2, 5, 60)
FENCE, MARK = 2, 12_345.678  # rows between the arrays, and what stands there


def run(memory, plan, occupied, number, history, out, written):
    """Feed one group of windows, whose arrays stand at the places of the plan's first row."""
    channels = history.shape[1]
    width, partial, total, changed = (
        plan[0, WIDTH],
        plan[0, PARTIAL],
        plan[0, TOTAL],
        plan[0, CHANGED],
    )
    for i in range(history.shape[0]):
        for c in range(channels):
            memory[partial + c // LANES, c % LANES] = history[i, c]
        for w in range(plan.shape[0]):
            memory[changed + w // LANES, w % LANES] = 0.0
        window_sums_step(memory, plan, occupied, number + i)
        for w in range(plan.shape[0]):
            written[i, w] = memory[changed + w // LANES, w % LANES] != 0.0
            for c in range(channels):
                out[i, w, c] = memory[total + w * width + c // LANES, c % LANES]


compiled_run = numba.njit(run)


class Windows:
    """One group of windows in a memory of its own, and the sums after each bucket fed.

    Between the arrays stand numbers that nobody has any business with. The slots begin as NaN:
    what is read before it was written shows. Which windows had their sums written stands in
    ``written`` after ``feed``.
    """

    def __init__(self, lengths=LENGTHS, channels=3, stagger=0, run=compiled_run, number=1_700):
        self.lengths = np.array(lengths, dtype=np.int64)
        self.channels = channels
        self.stagger = stagger
        self.run = run
        self.number = number
        count, width = len(lengths), -(-channels // LANES)
        # Rows of memory that each array takes.
        sizes = {
            "partial": width,
            "prefix": count * width,
            "sums": count * width,
            "changed": -(-count // LANES),
            "slots": int(self.lengths.sum()) * width,
            "nothing": width,
        }
        places = np.cumsum([FENCE, *(size + FENCE for size in sizes.values())])
        self.memory = np.full((places[-1], LANES), MARK)
        at = dict(zip(sizes, places.tolist(), strict=False))
        for name, size in sizes.items():
            begun = name in ("partial", "sums", "nothing")
            self.memory[at[name] : at[name] + size] = 0.0 if begun else np.nan
        self.partial = self.memory[at["partial"] : at["partial"] + width].reshape(-1)[:channels]
        self.prefix, self.sums = (
            self.memory[at[name] : at[name] + sizes[name]].reshape(count, -1)[:, :channels]
            for name in ("prefix", "sums")
        )
        self.changed = self.memory[at["changed"] : at["changed"] + sizes["changed"]].reshape(-1)
        self.nothing = self.memory[at["nothing"] : at["nothing"] + width]
        self.fences = np.concatenate([place + np.arange(-FENCE, 0) for place in places])
        self.plan = np.zeros((count, PLAN_COLUMNS), dtype=np.int64)
        rows = np.arange(count)
        self.plan[:, LENGTH] = self.lengths
        self.plan[:, WIDTH] = width
        self.plan[:, PARTIAL] = at["partial"]
        self.plan[:, PREFIX] = at["prefix"] + rows * width
        self.plan[:, TOTAL] = at["sums"] + rows * width
        self.plan[:, CHANGED] = at["changed"] + rows // LANES
        self.plan[:, CHANGED_LANE] = rows % LANES
        self.plan[:, SLOTS] = at["slots"] + (np.cumsum(self.lengths) - self.lengths) * width
        self.plan[:, NOTHING] = at["nothing"]
        self.plan[:, BEGIN] = self.lengths * stagger // 8
        self.plan[:, POSITION] = -1
        self.occupied = np.ones((1, OCCUPIED), dtype=np.uint8)
        self.reset()

    @property
    def positions(self):
        return self.plan[:, POSITION]

    def feed(self, history):
        history = np.ascontiguousarray(history, dtype=float)
        out = np.empty((len(history), *self.sums.shape))
        self.written = np.empty((len(history), len(self.lengths)), dtype=bool)
        self.run(self.memory, self.plan, self.occupied, self.number, history, out, self.written)
        self.number += len(history)
        assert np.all(self.memory[self.fences] == MARK)
        assert np.all(self.nothing == 0.0)
        return out

    def reset(self):
        window_sums_reset(self.memory, self.plan, self.occupied)
