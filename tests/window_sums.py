"""One group of window sums in a memory of its own, as the tests of the kernel feed it."""

import numba
import numpy as np

from alphaseeker.kernels.windows import (
    LANES,
    LENGTH,
    PARTIAL,
    PLAN_COLUMNS,
    POSITION,
    PREFIX,
    SLOTS,
    TOTAL,
    WIDTH,
    WINDOW_COLUMNS,
    window_sums_ask,
    window_sums_reset,
    window_sums_step,
)

LENGTHS = (0, 1, 2, 5, 60)
FENCE, MARK = 2, 12_345.678  # rows between the arrays, and what stands there


def run(memory, plan, windows, history, out):
    """Feed one group of windows, whose arrays stand at the places of the plan's first row."""
    channels = history.shape[1]
    width, partial, total = plan[0, WIDTH], plan[0, PARTIAL], plan[0, TOTAL]
    for i in range(history.shape[0]):
        for c in range(channels):
            memory[partial + c // LANES, c % LANES] = history[i, c]
        window_sums_ask(memory, plan, windows)
        window_sums_step(memory, plan, windows)
        for w in range(plan.shape[0]):
            for c in range(channels):
                out[i, w, c] = memory[total + w * width + c // LANES, c % LANES]


compiled_run = numba.njit(run)


class Windows:
    """One group of windows in a memory of its own, and the sums after each bucket fed.

    Between the arrays stand numbers that nobody has any business with. The slots begin as NaN, and
    so do the sums: what is read before it was written shows.
    """

    def __init__(self, lengths=LENGTHS, channels=3, stagger=0, run=compiled_run):
        self.lengths = np.array(lengths, dtype=np.int64)
        self.channels = channels
        self.stagger = stagger
        self.run = run
        count, width = len(lengths), -(-channels // LANES)
        # Rows of memory that each array takes.
        sizes = {
            "partial": width,
            "prefix": count * width,
            "sums": count * width,
            "slots": int(self.lengths.sum()) * width,
        }
        places = np.cumsum([FENCE, *(size + FENCE for size in sizes.values())])
        self.memory = np.full((places[-1], LANES), MARK)
        at = dict(zip(sizes, places.tolist(), strict=False))
        for name, size in sizes.items():
            self.memory[at[name] : at[name] + size] = 0.0 if name == "partial" else np.nan
        self.partial = self.memory[at["partial"] : at["partial"] + width].reshape(-1)[:channels]
        self.prefix, self.sums = (
            self.memory[at[name] : at[name] + sizes[name]].reshape(count, -1)[:, :channels]
            for name in ("prefix", "sums")
        )
        self.slots = self.memory[at["slots"] : at["slots"] + sizes["slots"]]
        self.fences = np.concatenate([place + np.arange(-FENCE, 0) for place in places])
        self.plan = np.zeros((count, PLAN_COLUMNS), dtype=np.int64)
        rows = np.arange(count)
        self.plan[:, WIDTH] = width
        self.plan[:, PARTIAL] = at["partial"]
        self.plan[:, PREFIX] = at["prefix"] + rows * width
        self.plan[:, TOTAL] = at["sums"] + rows * width
        self.plan[:, SLOTS] = at["slots"] + (np.cumsum(self.lengths) - self.lengths) * width
        self.windows = np.zeros((count, WINDOW_COLUMNS), dtype=np.int64)
        self.windows[:, LENGTH] = self.lengths
        self.windows[:, POSITION] = -1
        self.begins = self.lengths * stagger // 8
        self.reset()

    @property
    def positions(self):
        return self.windows[:, POSITION]

    def feed(self, history):
        history = np.ascontiguousarray(history, dtype=float)
        out = np.empty((len(history), *self.sums.shape))
        laid_out = self.plan.copy()
        self.run(self.memory, self.plan, self.windows, history, out)
        assert np.all(self.memory[self.fences] == MARK)
        assert np.array_equal(self.plan, laid_out)
        assert np.array_equal(self.windows[:, LENGTH], self.lengths)
        if len(history) > 0:
            assert np.array_equal(self.partial, history[-1])
        return out

    def reset(self):
        window_sums_reset(self.memory, self.plan, self.windows, self.begins)
