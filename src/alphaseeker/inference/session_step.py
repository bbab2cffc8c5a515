"""One tick to one signal as a single kernel: gate, features, model, calibration, decision.

The same step answers ``Session.update``, steps through files, and runs in other people's jitted
loops: all three give the same bits.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import carray, types

from alphaseeker._address import Entry, foreign, pointer
from alphaseeker._jit import inlined, kernel, part
from alphaseeker.features.chosen import N_FEATURES, copy_chosen
from alphaseeker.features.layout import NO_LEVELS, RECORD
from alphaseeker.features.step import call_step
from alphaseeker.inference.following import follow_step, leave_step
from alphaseeker.inference.judgement import judgement_step
from alphaseeker.inference.latency import TOTAL, count_time
from alphaseeker.inference.session_state import EXPLAINABLE, allocate_state
from alphaseeker.market.gate import Verdict
from alphaseeker.model.adaptive_labels import note_step, settle_step
from alphaseeker.model.decision import N_CLASSES
from alphaseeker.model.predictor import call_predictor

__all__ = [
    "COUNTED",
    "SESSION_STEP",
    "SILENT",
    "TIMED",
    "call_session_step",
    "decide",
    "take",
]

REPEATED = int(Verdict.REPEATED)
ACCEPTED = int(Verdict.ACCEPTED)
NEW_SESSION = int(Verdict.NEW_SESSION)
SILENT, COUNTED, TIMED = 0, 1, 2
# Reading the clock five times costs more than the decision: the stages of every tick are timed
# while there are few, then those of one in sixteen; the total always is.
TIMED_WHOLLY = 1024
TIMED_ONE_IN = 16
MONOTONIC = time.CLOCK_MONOTONIC  # of clock_gettime: the clock of time.perf_counter_ns
NANOSECONDS = 1_000_000_000

_read_clock = foreign(types.int32, types.int32, types.int64)


@part
def _now(state: Any) -> int:
    """Return the moment in ns, 0 where there is no clock."""
    if state.clock == 0:
        return 0
    _read_clock(state.clock, (np.int32(MONOTONIC), state.moment.ctypes.data))
    return int(state.moment[0] * NANOSECONDS + state.moment[1])


@part
def _gather(state: Any) -> None:
    """Copy the model's columns, custom ones left out, and say in the state whether one changed."""
    width = state.width
    bits = carray(pointer(state.vector), (N_FEATURES,), np.uint32)
    columns = carray(pointer(state.columns), (width,), np.uint64)
    features = carray(pointer(state.features), (width,), np.uint32)
    state.changed = 1 if copy_chosen(bits, columns, state.first, features) else 0
    if state.changed == 1:
        state.scored = 0


@inlined
def take(
    state: Any,
    levels: npt.NDArray[np.float64],
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
) -> None:
    """Judge the tick and bring the model's columns up to date."""
    records = carray(pointer(state.records), (1,), RECORD)
    vector = carray(pointer(state.vector), (N_FEATURES,), np.float32)
    session = state.capture if capture == 0 else capture
    verdict = call_step(
        records,
        vector,
        levels,
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
    state.verdict = verdict
    state.changed = 0
    if 0 <= verdict < REPEATED:
        state.seen = records[0].clock.seen
        state.capture = session
        _gather(state)


@part
def _keep(state: Any, timestamp: int) -> None:
    """Keep the features that the model was asked with, for whoever wants it explained."""
    width = state.width
    features = carray(pointer(state.features), (width,), np.float32)
    rows = carray(pointer(state.kept_features), (EXPLAINABLE, width), np.float32)
    stamps = carray(pointer(state.kept_stamps), (EXPLAINABLE,), np.int64)
    place = state.kept & (EXPLAINABLE - 1)
    for j in range(width):
        rows[place, j] = features[j]
    stamps[place] = timestamp
    state.kept += 1


@part
def _keep_answer(state: Any) -> None:
    """Keep what was answered beside the features that ``_keep`` has kept for the same tick."""
    answers = carray(pointer(state.kept_answers), (EXPLAINABLE, N_CLASSES), np.float64)
    place = (state.kept - 1) & (EXPLAINABLE - 1)
    for j in range(N_CLASSES):
        answers[place, j] = state.last.probabilities[j]


@part
def _ask(state: Any, timestamp: int) -> int:
    """Bring the scores up to date; return 1 where those that stood were good."""
    if state.changed == 1:  # a custom column, beside those that the step has seen to
        state.scored = 0
    hit = 1
    if state.caching == 0 or state.scored == 0:
        whole = 1 if state.caching == 0 else 0
        if call_predictor(state.predict, (state.context, whole)) != 0:
            hit = 0
        state.scored = 1
    _keep(state, timestamp)
    return hit


@part
def _settle(state: Any, timestamp: int) -> None:
    """Let the calibration learn what this tick tells of earlier predictions."""
    rec = carray(pointer(state.records), (1,), RECORD)[0]
    adaptive = state.adaptive
    price = rec.quote.close if adaptive.by_close == 1 else rec.quote.mid
    settle_step(adaptive, timestamp, rec.clock.segments, price, rec.gate.accepted)


@part
def _answer(state: Any, timestamp: int) -> None:
    """Write what the tick led to."""
    answer = state.last
    follows = state.adaptive.active == 1 and 0 <= state.verdict < REPEATED
    if follows:
        _settle(state, timestamp)
    answer.timestamp = timestamp
    answer.ready = 1 if state.seen >= state.needed else 0
    side, reason, asked = judgement_step(
        state.decision,
        state.adaptive,
        carray(pointer(state.scores), (N_CLASSES,), np.float64),
        answer.probabilities,
        state.verdict,
        state.seen,
        state.needed,
        state.abstain == 1,
    )
    known = asked and answer.probabilities[0] == answer.probabilities[0]
    if not known:
        for j in range(N_CLASSES):
            answer.probabilities[j] = state.prior[j]
    largest = max(answer.probabilities[0], answer.probabilities[1], answer.probabilities[2])
    answer.confidence = largest if known else 0.0
    answer.side = side
    answer.reason = reason
    answer.asked = 1 if known else 0
    if asked:
        _keep_answer(state)
    if known and follows:
        rec = carray(pointer(state.records), (1,), RECORD)[0]
        note_step(state.adaptive, rec.gate.accepted)
    state.answers += 1


@part
def _count(state: Any, hit: int) -> None:
    counters = state.counters
    answer = state.last
    counters.cache_hits += hit
    counters.sides[answer.side + 1] += 1
    counters.reasons[answer.reason] += 1
    confidence = answer.confidence
    if confidence > 0.0:
        counters.confidence_count += 1
        counters.confidence_sum += confidence
        counters.confidence_min = min(counters.confidence_min, confidence)
        counters.confidence_max = max(counters.confidence_max, confidence)


@inlined
def decide(state: Any, timestamp: int, mode: int, start: int, begun: int, taken: int) -> None:
    """Answer the tick that ``take`` has taken, and count it."""
    verdict = state.verdict
    if verdict < 0:
        if mode > SILENT:
            state.counters.refused += 1
        return
    if verdict == REPEATED and state.answers > 0:
        if mode > SILENT:
            state.counters.repeated += 1
        return
    hit = 0
    if verdict in (ACCEPTED, NEW_SESSION) and state.seen >= state.needed:
        hit = _ask(state, timestamp)
    elif state.changed == 1:
        state.scored = 0
    scored = _now(state) if begun > 0 else 0
    _answer(state, timestamp)
    if mode > SILENT:
        _count(state, hit)
        if verdict < REPEATED:
            follow_step(state, timestamp)
    else:
        leave_step(state.realised)
    if mode == TIMED and state.clock != 0:
        end = _now(state)
        if begun > 0:
            spent = (begun - start, taken - begun, scored - taken, end - scored)
            for stage in range(len(spent)):
                count_time(state.latency, np.int64(stage), spent[stage])
        count_time(state.latency, np.int64(TOTAL), end - start)


@kernel
def _whole_step(
    states: npt.NDArray[Any],
    levels: npt.NDArray[np.float64],
    mode: int,
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
) -> int:
    """Take a tick in and answer it: the answer stands in ``states[0].last``.

    Parameters
    ----------
    states
        One-element array of ``session_state.SESSION``.
    levels
        Shape (levels, 4), depth; no row where there is none.
    mode
        ``SILENT``, ``COUNTED`` or ``TIMED``.
    start
        When the tick came in, in ns, where it is timed.
    timestamp, capture
        Nanoseconds UTC, and the number of the continuous capture; 0 for the present one.

    Returns
    -------
    int
        The gate's verdict.
    """
    state = states[0]
    begun = 0
    taken = 0
    if mode == TIMED and state.clock != 0:
        given = state.answers
        if given < TIMED_WHOLLY or given % TIMED_ONE_IN == 0:
            begun = _now(state)
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
    if begun > 0:
        taken = _now(state)
    decide(state, timestamp, mode, start, begun, taken)
    return int(state.verdict)


def _samples() -> tuple[Any, ...]:
    return (allocate_state(), NO_LEVELS, 0, 0, 0, 0, *(0.0,) * 8)


SESSION_STEP = Entry(_whole_step, _samples)
call_session_step = SESSION_STEP.call
"""For kernels: ``call_session_step(states[0].step, arguments)``, the arguments in a tuple."""
