"""From the gate's verdict and the model's scores to a side and a reason, as one step.

The live path and the batch path both end here, so that a row means the same in either.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel, part
from alphaseeker.inference.signal import REASON_OF_CHOICE, REASON_OF_VERDICT, Reason
from alphaseeker.market.gate import Verdict
from alphaseeker.model.adaptive import mix_step
from alphaseeker.model.adaptive_labels import note_step, settle_step
from alphaseeker.model.decision import Choice, decision_step, probability_step
from alphaseeker.model.isotonic import isotonic_step

__all__ = ["judge_rows", "judgement_step"]

REPEATED = int(Verdict.REPEATED)
ACCEPTED = int(Verdict.ACCEPTED)
NEW_SESSION = int(Verdict.NEW_SESSION)
BUY = int(Choice.BUY)
SELL = int(Choice.SELL)
NONE = int(Reason.NONE)
WARMING_UP = int(Reason.WARMING_UP)
NO_EDGE = int(Reason.NO_EDGE)
REFUSED = int(Reason.REFUSED)

HELD = np.zeros(int(max(Verdict)) + 1, dtype=np.int64)
for _verdict, _reason in REASON_OF_VERDICT.items():
    HELD[_verdict] = int(_reason)
FILTERED = np.zeros(int(max(Choice)) + 1, dtype=np.int64)
for _choice, _why in REASON_OF_CHOICE.items():
    FILTERED[_choice] = int(_why)


@part
def judgement_step(
    decision: Any,
    adaptive: Any,
    scores: npt.NDArray[np.float64],
    probabilities: npt.NDArray[np.float64],
    verdict: int,
    seen: int,
    needed: int,
    abstain: bool,
) -> tuple[int, int, bool]:
    """Return side (-1, 0, 1), reason and whether the model was asked.

    Parameters
    ----------
    decision
        Record of ``model.decision.DECISION``.
    adaptive
        Record of ``model.adaptive.ADAPTIVE``, which has taken the tick in.
    scores
        Shape (3,), raw scores; read only where the model is asked.
    probabilities
        Shape (3,), written where the model is asked.
    verdict
        Of the gate.
    seen, needed
        Whole buckets behind the tick, and those that the model's columns need.
    abstain
        The model showed no edge: never act on it.
    """
    if verdict < 0:
        return 0, REFUSED, False
    if verdict >= REPEATED or verdict not in (ACCEPTED, NEW_SESSION):
        return 0, HELD[verdict], False
    if seen < needed:
        return 0, WARMING_UP, False
    probability_step(decision, scores, probabilities)
    if decision.knot_offsets[3] > 0:
        isotonic_step(
            decision.knot_offsets, decision.knot_positions, decision.knot_values, probabilities
        )
    if adaptive.active == 1:
        mix_step(adaptive, probabilities)
    choice = decision_step(decision, probabilities)
    if abstain:
        return 0, NO_EDGE, True
    if choice == BUY:
        return 1, NONE, True
    if choice == SELL:
        return -1, NONE, True
    return 0, FILTERED[choice], True


@kernel
def judge_rows(
    decisions: npt.NDArray[Any],
    adaptives: npt.NDArray[Any],
    timestamps: npt.NDArray[np.int64],
    segments: npt.NDArray[np.int64],
    prices: npt.NDArray[np.float64],
    accepted: int,
    scores: npt.NDArray[np.float64],
    probabilities: npt.NDArray[np.float64],
    verdicts: npt.NDArray[np.int8],
    seen: npt.NDArray[np.int64],
    needed: int,
    abstain: bool,
    sides: npt.NDArray[np.int8],
    reasons: npt.NDArray[np.int8],
    asked: npt.NDArray[np.bool_],
) -> None:
    """Judge n rows; arrays have shape (n,), scores and probabilities (n, 3).

    A repeated tick takes over what the row before it got.

    Parameters
    ----------
    decisions, adaptives
        One-element arrays; the second goes on from where it stands.
    prices
        That the label is of.
    accepted
        Ticks that reached the features before the first row.
    scores, probabilities, verdicts, seen, needed, abstain
        As ``judgement_step`` takes them.
    sides, reasons, asked
        Written.
    """
    adaptive = adaptives[0]
    for i in range(verdicts.shape[0]):
        if verdicts[i] == REPEATED and i > 0:
            sides[i] = sides[i - 1]
            reasons[i] = reasons[i - 1]
            asked[i] = asked[i - 1]
            probabilities[i] = probabilities[i - 1]
            continue
        # As int64, the type of the live path: int8 would compile the step once more.
        verdict = int(verdicts[i])
        if 0 <= verdict < REPEATED:
            accepted += 1
            if adaptive.active == 1:
                settle_step(adaptive, timestamps[i], segments[i], prices[i], accepted)
        side, reason, model_asked = judgement_step(
            decisions[0], adaptive, scores[i], probabilities[i], verdict, seen[i], needed, abstain
        )
        if model_asked and adaptive.active == 1 and probabilities[i, 0] == probabilities[i, 0]:
            note_step(adaptive, accepted)
        sides[i] = side
        reasons[i] = reason
        asked[i] = model_asked
