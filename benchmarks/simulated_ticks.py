"""SIMULATED quotes, trades and levels without end: quiet and wild stretches, gaps and jumps.

Prices are whole steps and sizes whole thousandths, so that what is added up from them can be added
up exactly.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from alphaseeker.market.schema import TICK

__all__ = ["LEVELS", "STEPS_A_UNIT", "TICK_SIZE", "SimulatedTicks"]

LEVELS = 10
STEPS_A_UNIT = 10.0
TICK_SIZE = 1 / STEPS_A_UNIT
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND + 123_456_789
CENTRE, FAR = 600_000, 300_000  # steps: prices from 30,000 to 90,000
FROZEN, QUIET, WILD = 0, 1, 2
LONGEST_GAP_S = 850  # below the gap that begins a segment: one record lives through everything

STATE = np.dtype(
    [
        ("timestamp", np.int64),
        ("regime", np.int64),
        ("until", np.int64),
        ("bid", np.int64),  # steps
        ("spread", np.int64),
        ("close", np.float64),
        ("bids", np.float64, (LEVELS,)),
        ("asks", np.float64, (LEVELS,)),
    ]
)


@njit
def seed(number):
    np.random.seed(number)  # noqa: NPY002 - the compiled generator, not NumPy's


@njit
def size():
    return max(1.0, np.floor(np.random.exponential(2_000.0))) / 1_000.0  # noqa: NPY002


@njit
def change_regime(state):
    """Begin another stretch, at times with a gap or a jump ahead of it."""
    if np.random.random() < 0.3:  # noqa: NPY002
        state.timestamp += int(np.random.uniform(2.0, LONGEST_GAP_S) * SECOND)  # noqa: NPY002
    if np.random.random() < 0.3:  # noqa: NPY002
        sign = 1 if np.random.random() * 2 * FAR > state.bid - CENTRE + FAR else -1  # noqa: NPY002
        state.bid += sign * int(np.random.exponential(500.0))  # noqa: NPY002
    state.regime = np.random.randint(0, 3)  # noqa: NPY002
    longest = 240.0 if state.regime == WILD else 1_200.0
    state.until = state.timestamp + int(np.random.uniform(5.0, longest) * SECOND)  # noqa: NPY002


@njit
def fill(states, ticks, depth):
    """Write the next ticks and their levels."""
    state = states[0]
    for i in range(len(ticks)):
        if state.timestamp >= state.until:
            change_regime(state)
        wild = state.regime == WILD
        if np.random.random() > 0.05:  # noqa: NPY002
            pause = 0.012 if wild else 0.25 if state.regime == QUIET else 1.5
            state.timestamp += int(np.random.exponential(pause) * SECOND)  # noqa: NPY002
        what = np.random.random()  # noqa: NPY002
        if state.regime != FROZEN:
            if what < (0.2 if wild else 0.05):
                sign = 1 if np.random.random() < 0.5 else -1  # noqa: NPY002
                state.bid += sign * (np.random.randint(1, 6) if wild else 1)  # noqa: NPY002
                state.spread = np.random.randint(0 if what < 0.001 else 1, 5)  # noqa: NPY002
                for level in range(LEVELS):
                    state.bids[level], state.asks[level] = size(), size()
            elif what < 0.6:
                state.bids[0] = size()
            elif what < 0.9:
                state.asks[0] = size()
            else:
                level = np.random.randint(1, LEVELS)  # noqa: NPY002
                state.bids[level], state.asks[level] = size(), size()
        bid, ask = state.bid, state.bid + state.spread
        tick = ticks[i]
        tick.timestamp = state.timestamp
        tick.session = 0
        tick.bid_price, tick.ask_price = bid / STEPS_A_UNIT, ask / STEPS_A_UNIT
        tick.bid_volume, tick.ask_volume = state.bids[0], state.asks[0]
        tick.volume = tick.buy_volume = tick.sell_volume = 0.0
        if np.random.random() < 0.12:  # noqa: NPY002
            tick.volume = size()
            bought = np.random.random()  # noqa: NPY002
            state.close = (ask if bought < 0.5 else bid) / STEPS_A_UNIT
            if bought < 0.5:
                tick.buy_volume = tick.volume
            else:
                tick.sell_volume = tick.volume
            if what < 0.01:  # an aggressor that is not known, at a price between the quotes
                tick.buy_volume = tick.sell_volume = np.nan
                state.close = (bid + state.spread // 2) / STEPS_A_UNIT
        tick.close = state.close
        for level in range(LEVELS):
            depth[i, level, 0] = (bid - level) / STEPS_A_UNIT
            depth[i, level, 1] = state.bids[level]
            depth[i, level, 2] = (ask + level) / STEPS_A_UNIT
            depth[i, level, 3] = state.asks[level]
        if 0.5 < what < 0.501:  # the deepest level of a side is not known
            depth[i, LEVELS - 1, 2:] = np.nan


class SimulatedTicks:
    """A market that goes on where it stood; the same seed gives the same ticks."""

    def __init__(self, number=1):
        self.states = np.zeros(1, dtype=STATE)
        self.states["timestamp"] = self.states["until"] = START
        self.states["bid"], self.states["spread"] = CENTRE, 1
        self.states["close"] = CENTRE / STEPS_A_UNIT
        self.states["bids"] = self.states["asks"] = 1.0
        seed(number)

    def take(self, count):
        """Return the next ticks, shape (count,), and their depth, shape (count, levels, 4)."""
        ticks, depth = np.zeros(count, dtype=TICK), np.empty((count, LEVELS, 4))
        fill(self.states, ticks, depth)
        return ticks, depth
