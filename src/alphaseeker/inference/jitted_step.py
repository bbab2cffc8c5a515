"""The step of a session for other people's jitted loops."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.inference.judgement import REFUSED
from alphaseeker.inference.session_step import COUNTED, call_session_step
from alphaseeker.market.depth import is_in_order
from alphaseeker.market.tick_values import END_NS, FIRST_NS

__all__ = ["Step", "step"]


class Step(NamedTuple):
    """What ``step`` returns to a jitted loop: a ``Signal`` without objects.

    Attributes
    ----------
    side
        1 BUY, 0 HOLD, -1 SELL.
    p_buy, p_hold, p_sell, confidence
        As in ``Signal``.
    reason
        An ``inference.signal.Reason``; 0 where nothing held the signal back.
    ready
        As in ``Signal``.
    """

    side: int
    p_buy: float
    p_hold: float
    p_sell: float
    confidence: float
    reason: int
    ready: bool


@kernel
def step(
    states: npt.NDArray[Any],
    levels: npt.NDArray[np.float64],
    timestamp: int,
    session: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
) -> Step:
    """Take one tick in and answer it, inside a jitted loop of the user's own.

    Parameters
    ----------
    states
        ``Session.state``: the session goes on with it. The model is the one that the session
        serves when the loop begins.
    levels
        Shape (levels, 4), float64, C-contiguous: depth, best level first, in order;
        ``alphaseeker.inference.NO_LEVELS`` where the model reads none.
    timestamp
        Nanoseconds UTC, a whole number.
    session
        Number of the continuous capture, 0 for the present one.
    bid_price, ask_price, close
        Price units.
    bid_volume, ask_volume, volume, buy_volume, sell_volume
        Size units; the last two NaN where unknown.

    Returns
    -------
    Step
        Where the tick is malformed (by the rules of ``Session.update``; depth out of order is not
        mended here), HOLD with the reason ``Reason.REFUSED``; the state is as it was.

    Notes
    -----
    Signals are counted in the session's statistics, but not timed. Models with custom features
    need ``Session.update``.
    """
    state = states[0]
    lacks = state.reads_sides == 1 and (buy_volume != buy_volume or sell_volume != sell_volume)
    if state.depth_levels > 0 and not is_in_order(levels, state.depth_levels):
        lacks = True
    if lacks or not FIRST_NS <= timestamp < END_NS:
        state.counters.refused += 1
        return Step(0, state.prior[2], state.prior[1], state.prior[0], 0.0, REFUSED, False)
    arguments = (
        states,
        levels,
        COUNTED,
        0,
        timestamp,
        session,
        bid_price,
        ask_price,
        bid_volume,
        ask_volume,
        close,
        volume,
        buy_volume,
        sell_volume,
    )
    verdict = call_session_step(state.step, arguments)
    if verdict < 0:
        return Step(0, state.prior[2], state.prior[1], state.prior[0], 0.0, REFUSED, False)
    last = state.last
    probabilities = last.probabilities
    return Step(
        last.side,
        probabilities[2],
        probabilities[1],
        probabilities[0],
        last.confidence,
        last.reason,
        last.ready == 1,
    )
