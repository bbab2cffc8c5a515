"""The signal of a row: from the session's step, or as it was given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from alphaseeker._address import pointer
from alphaseeker._jit import part
from alphaseeker.inference.session_state import SESSION
from alphaseeker.inference.session_step import SILENT, call_session_step

__all__ = ["levels_of", "signal_of"]


@part
def levels_of(feed: Any, row: int, count: int) -> Any:
    """Return the first ``count`` levels of a row, shape (count, 4)."""
    depth = carray(pointer(feed.depth), (feed.rows, feed.levels, 4), np.float64)
    return depth[row][:count]


@part
def signal_of(feed: Any, tick: Any, row: int) -> tuple[int, int, float, float, float]:
    """Return the gate's verdict, side, strength and both probabilities of a row."""
    if feed.session == 0:
        verdicts = carray(pointer(feed.verdicts), (feed.rows,), np.int8)
        sides = carray(pointer(feed.sides), (feed.rows,), np.int8)
        strengths = carray(pointer(feed.strengths), (feed.rows,), np.float64)
        p_up = carray(pointer(feed.p_up), (feed.rows,), np.float64)
        p_down = carray(pointer(feed.p_down), (feed.rows,), np.float64)
        return int(verdicts[row]), int(sides[row]), strengths[row], p_up[row], p_down[row]
    states = carray(pointer(feed.session), (1,), SESSION)
    arguments = (
        states,
        levels_of(feed, row, feed.read_levels),
        SILENT,
        0,
        tick.timestamp,
        tick.session,
        tick.bid_price,
        tick.ask_price,
        tick.bid_volume,
        tick.ask_volume,
        tick.close,
        tick.volume,
        tick.buy_volume,
        tick.sell_volume,
    )
    verdict = call_session_step(states[0].step, arguments)
    last = states[0].last
    side = last.side
    p_sell, p_buy = last.probabilities[0], last.probabilities[2]
    strength = min(1.0, max(0.0, side * (p_buy - p_sell))) if side != 0 else 0.0
    return verdict, side, strength, p_buy, p_sell
