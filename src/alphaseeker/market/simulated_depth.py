"""The levels behind the best quotes of the simulated market.

Each level of a side has a size of its own, log-normal with a memory, that grows with the distance
from the touch and leans with the flow signal, less and less the deeper it stands. Now and then,
for some seconds, the book has a hole: a level stands a tick further away.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel

__all__ = ["levels_behind"]

_HALF_LIFE_S = 5.0
_LOTS = 5000.0
_GROWTH = 0.2  # of the mean size, a level
_NOISE = 0.6
_SIGNAL = 0.35  # as at the touch
_SIGNAL_LEFT = 0.6  # of it, a level further on
_HOLE = 1.3  # standard deviations: a tenth of the time


@kernel
def levels_behind(
    elapsed: npt.NDArray[np.int64],
    signal: npt.NDArray[np.float64],
    book: npt.NDArray[np.int64],
    shocks: npt.NDArray[np.float64],
    depth: npt.NDArray[np.float64],
) -> None:
    """Fill in all levels, the touch first.

    Parameters
    ----------
    elapsed, signal
        Shape (n,): nanoseconds since the previous row; the flow signal.
    book
        Shape (n, 4): bid and ask in ticks, bid and ask size in lots.
    shocks
        Shape (n, levels - 1, 4): standard normal draws; changed into the state of each level.
    depth
        Shape (n, levels, 4): receives bid price, bid size, ask price, ask size, in ticks and lots.
        NaN where a bid would stand at 0 or below.
    """
    for i in range(depth.shape[0]):
        decay = math.exp(-math.log(2.0) * elapsed[i] * 1e-9 / _HALF_LIFE_S)
        noise = math.sqrt(1.0 - decay * decay)
        for side in range(2):
            outwards = -1 if side == 0 else 1
            price = book[i, side]
            lean = -outwards * _SIGNAL * signal[i]
            depth[i, 0, 2 * side] = price
            depth[i, 0, 2 * side + 1] = book[i, 2 + side]
            for level in range(1, depth.shape[1]):
                state = shocks[i, level - 1]
                if i > 0:
                    before = shocks[i - 1, level - 1]
                    for part in range(2 * side, 2 * side + 2):
                        state[part] = decay * before[part] + noise * state[part]
                price += outwards * (2 if state[2 * side + 1] > _HOLE else 1)
                lean *= _SIGNAL_LEFT
                lots = _LOTS * (1.0 + _GROWTH * level) * math.exp(lean + _NOISE * state[2 * side])
                there = price > 0
                depth[i, level, 2 * side] = price if there else math.nan
                depth[i, level, 2 * side + 1] = max(1.0, float(int(lots))) if there else math.nan
