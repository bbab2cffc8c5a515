"""Verdict, history and scores to side and reason."""

import numba
import numpy as np
import pytest

from alphaseeker.inference.judgement import judge_rows, judgement_step
from alphaseeker.inference.signal import Reason
from alphaseeker.market.gate import Verdict
from alphaseeker.model.adaptive import allocate_adaptive
from alphaseeker.model.decision import allocate_decision

CALIBRATION = {"temperature": 1.0, "bias": [0.0, 0.0, 0.0], "min_confidence": 0.5}
BUY, HOLD, SELL = [-2.0, 0.0, 2.0], [0.0, 3.0, 0.0], [2.0, 0.0, -2.0]
ADAPTIVE_OFF = allocate_adaptive(None, prior=(0.3, 0.4, 0.3), target={})
CASES = [
    # scores, verdict, seen, abstain -> side, reason, asked
    (BUY, Verdict.ACCEPTED, 10, False, 1, Reason.NONE, True),
    (SELL, Verdict.ACCEPTED, 10, False, -1, Reason.NONE, True),
    (HOLD, Verdict.ACCEPTED, 10, False, 0, Reason.NONE, True),
    ([0.0, 0.0, 0.1], Verdict.ACCEPTED, 10, False, 0, Reason.LOW_CONFIDENCE, True),
    ([np.nan, 0.0, 0.1], Verdict.ACCEPTED, 10, False, 0, Reason.BAD_SCORES, True),
    (BUY, Verdict.ACCEPTED, 10, True, 0, Reason.NO_EDGE, True),
    (BUY, Verdict.ACCEPTED, 9, False, 0, Reason.WARMING_UP, False),
    (BUY, Verdict.NEW_SESSION, 10, False, 1, Reason.NONE, True),
    (BUY, Verdict.LOCKED, 10, False, 0, Reason.LOCKED_BOOK, False),
    (BUY, Verdict.AFTER_GAP, 10, False, 0, Reason.STALE, False),
    (BUY, Verdict.EMPTY_SIDE, 10, False, 0, Reason.EMPTY_SIDE, False),
    (BUY, Verdict.CROSSED_BOOK, 10, False, 0, Reason.CROSSED_BOOK, False),
    (BUY, Verdict.OUT_OF_ORDER, 10, False, 0, Reason.OUT_OF_ORDER, False),
    (BUY, Verdict.PRICE_JUMP, 10, False, 0, Reason.PRICE_JUMP, False),
    (BUY, Verdict.BAD_CLOSE, 10, False, 0, Reason.REFUSED, False),
]


@pytest.mark.parametrize(("scores", "verdict", "seen", "abstain", "side", "reason", "asked"), CASES)
def test_one_row(scores, verdict, seen, abstain, side, reason, asked):
    probabilities = np.zeros(3)
    result = judgement_step(
        allocate_decision(CALIBRATION)[0],
        ADAPTIVE_OFF[0],
        np.array(scores),
        probabilities,
        int(verdict),
        seen,
        10,
        abstain,
    )
    assert result == (side, reason, asked)
    if asked and reason is not Reason.BAD_SCORES:
        assert probabilities.sum() == pytest.approx(1.0)
    if not asked:
        assert (probabilities == 0.0).all()


def test_rows_are_the_rows_one_by_one():
    count = len(CASES)
    sides, reasons = np.zeros(count, np.int8), np.zeros(count, np.int8)
    asked = np.zeros(count, np.bool_)
    for abstain in (False, True):
        chosen = [number for number, case in enumerate(CASES) if case[3] is abstain]
        judge_rows(
            allocate_decision(CALIBRATION),
            ADAPTIVE_OFF,
            np.arange(count),
            np.zeros(count, np.int64),
            np.full(count, 100.0),
            0,
            np.array([case[0] for case in CASES]),
            np.zeros((count, 3)),
            np.array([int(case[1]) for case in CASES], dtype=np.int8),
            np.array([case[2] for case in CASES]),
            10,
            abstain,
            sides,
            reasons,
            asked,
        )
        for number in chosen:
            expected = CASES[number][4:]
            assert (sides[number], reasons[number], asked[number]) == expected


def test_every_verdict_has_an_answer():
    covered = {case[1] for case in CASES} | {Verdict.REPEATED}
    assert {v for v in Verdict if v >= 0} <= covered


@numba.njit
def sides_of(decisions, adaptives, scores):
    total = 0
    for i in range(scores.shape[0]):
        total += judgement_step(decisions[0], adaptives[0], scores[i], np.zeros(3), 0, 1, 0, False)[
            0
        ]
    return total


def test_from_another_jitted_function():
    assert sides_of(allocate_decision(CALIBRATION), ADAPTIVE_OFF, np.array([BUY, BUY, SELL])) == 1
