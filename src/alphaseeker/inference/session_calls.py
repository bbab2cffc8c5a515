"""How Python calls the step of a session: for one tick, around custom features, for many rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import carray

from alphaseeker._address import Entry, lent, pointer
from alphaseeker._jit import kernel
from alphaseeker.inference.session_state import SESSION
from alphaseeker.inference.session_step import SILENT, TIMED, call_session_step, decide, take
from alphaseeker.model.decision import N_CLASSES

__all__ = ["ANSWER_TICK", "answer_rows", "answer_tick", "decide_tick", "take_tick"]


@kernel
def answer_tick(
    address: int,
    start: int,
    timestamp: int,
    capture: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
) -> tuple[int, int, int, bool, float, float, float, float]:
    """Answer one timed tick of a session whose state stands at ``address``.

    Depth stands in the state's ``levels``.

    Returns
    -------
    tuple
        Verdict, side, reason, ready, p_buy, p_hold, p_sell, confidence.
    """
    states = carray(pointer(address), (1,), SESSION)
    state = states[0]
    levels = state.levels[: state.level_count]
    arguments = (
        states,
        levels,
        TIMED,
        start,
        timestamp,
        capture,
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
    last = state.last
    p_sell, p_hold, p_buy = last.probabilities[0], last.probabilities[1], last.probabilities[2]
    return (
        verdict,
        last.side,
        last.reason,
        last.ready == 1,
        p_buy,
        p_hold,
        p_sell,
        last.confidence,
    )


ANSWER_TICK = Entry(answer_tick, lambda: (0, 0, 0, 0, *(0.0,) * 8))


@kernel
def take_tick(
    states: npt.NDArray[Any],
    timestamp: int,
    capture: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
) -> int:
    """Take a tick in without an answer, for custom features to follow; return the verdict."""
    state = states[0]
    levels = state.levels[: state.level_count]
    take(
        state,
        levels,
        timestamp,
        capture,
        bid_price,
        ask_price,
        bid_volume,
        ask_volume,
        close,
        volume,
        buy_volume,
        sell_volume,
    )
    return int(state.verdict)


@kernel
def decide_tick(
    states: npt.NDArray[Any], timestamp: int, mode: int, start: int, begun: int, taken: int
) -> None:
    """Answer the tick that ``take_tick`` has taken; moments in ns."""
    decide(states[0], timestamp, mode, start, begun, taken)


@kernel
def answer_rows(
    states: npt.NDArray[Any],
    ticks: npt.NDArray[Any],
    depth: npt.NDArray[np.float64],
    verdicts: npt.NDArray[np.int8],
    sides: npt.NDArray[np.int8],
    reasons: npt.NDArray[np.int8],
    asked: npt.NDArray[np.bool_],
    ready: npt.NDArray[np.bool_],
    probabilities: npt.NDArray[np.float64],
    refused: int,
) -> None:
    """Answer n ticks of a file; they are not counted.

    Parameters
    ----------
    states
        One-element array of ``session_state.SESSION``; the session goes on from where it stands.
    ticks
        Shape (n,), dtype ``market.schema.TICK``.
    depth
        Shape (n, levels, 4), in order; (1, 0, 4) where there are none.
    verdicts, sides, reasons, asked, ready
        Shape (n,), written.
    probabilities
        Shape (n, 3), written: SELL, HOLD, BUY.
    refused
        Reason of a row that the gate refuses; it gets the class prior.
    """
    state = states[0]
    held, given = lent(states), lent(depth)
    last = depth.shape[0] - 1
    for i in range(ticks.shape[0]):
        tick = ticks[i]
        arguments = (
            held,
            given[min(i, last)],
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
        verdict = call_session_step(state.step, arguments)
        verdicts[i] = verdict
        ready[i] = state.seen >= state.needed
        if verdict < 0:
            sides[i] = 0
            reasons[i] = refused
            asked[i] = False
            for j in range(N_CLASSES):
                probabilities[i, j] = state.prior[j]
        else:
            answer = state.last
            sides[i] = answer.side
            reasons[i] = answer.reason
            asked[i] = answer.asked == 1
            for j in range(N_CLASSES):
                probabilities[i, j] = answer.probabilities[j]
