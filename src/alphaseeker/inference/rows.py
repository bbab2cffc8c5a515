"""Signals of many rows in one jitted pass: what updates row by row give, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.features.batch import depth_of, run_ticks
from alphaseeker.inference.judgement import judge_rows
from alphaseeker.inference.session import Session
from alphaseeker.inference.session_calls import answer_rows
from alphaseeker.inference.signal import REASONS, SIDES, Reason, Signal
from alphaseeker.market.gate import Verdict
from alphaseeker.market.schema import TickSeries
from alphaseeker.model.decision import N_CLASSES

__all__ = ["RowSignals", "run_rows"]

CHUNK_ROWS = 65_536  # bounds the memory of the feature matrix
REPEATED = int(Verdict.REPEATED)
ACCEPTED = int(Verdict.ACCEPTED)
NEW_SESSION = int(Verdict.NEW_SESSION)


@dataclass(frozen=True, kw_only=True)
class RowSignals:
    """Signals of n rows of one symbol.

    Attributes
    ----------
    timestamp
        Shape (n,), int64, nanoseconds UTC.
    side, reason, verdict
        Shape (n,), int8: ``signal.Side``, ``signal.Reason``, ``market.gate.Verdict``.
    asked, ready
        Shape (n,), bool: the model was asked; its columns had their history.
    probabilities
        Shape (n, 3), float64, in the order SELL, HOLD, BUY; the class prior where not asked.
    """

    timestamp: npt.NDArray[np.int64]
    side: npt.NDArray[np.int8]
    reason: npt.NDArray[np.int8]
    verdict: npt.NDArray[np.int8]
    asked: npt.NDArray[np.bool_]
    ready: npt.NDArray[np.bool_]
    probabilities: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.timestamp)

    def signal(self, row: int) -> Signal:
        """Return one row's signal."""
        p_sell, p_hold, p_buy = self.probabilities[row].tolist()
        return Signal(
            int(self.timestamp[row]),
            SIDES[int(self.side[row])],
            p_buy,
            p_hold,
            p_sell,
            max(p_buy, p_hold, p_sell) if self.asked[row] else 0.0,
            REASONS[self.reason[row]],
            bool(self.ready[row]),
        )


def run_rows(session: Session, series: TickSeries) -> RowSignals:
    """Take every row of ``series`` into ``session`` and return the signals.

    The series has what the session's model reads (see ``batch_answers.series_of``). A row that a
    live tick would be refused for leaves the state as it was and gets the reason REFUSED; one that
    lacks depth or the aggressor's side is taken as in training.
    """
    with session.lock:
        session.adopt()
        pieces = [
            _run_chunk(session, series, start, min(start + CHUNK_ROWS, len(series)))
            for start in range(0, max(len(series), 1), CHUNK_ROWS)
        ]
    return RowSignals(
        **{
            name: np.concatenate([getattr(piece, name) for piece in pieces])
            for name in RowSignals.__dataclass_fields__
        }
    )


def _run_chunk(session: Session, series: TickSeries, start: int, end: int) -> RowSignals:
    if session.custom is not None:
        return _run_with_custom(session, series, start, end)
    count = end - start
    ticks = series.ticks[start:end]
    depth = depth_of(series, session.model.settings)
    rows = RowSignals(
        timestamp=ticks["timestamp"].copy(),
        side=np.empty(count, dtype=np.int8),
        reason=np.empty(count, dtype=np.int8),
        verdict=np.empty(count, dtype=np.int8),
        asked=np.empty(count, dtype=np.bool_),
        ready=np.empty(count, dtype=np.bool_),
        probabilities=np.empty((count, N_CLASSES)),
    )
    answer_rows(
        session.memory,
        ticks,
        depth[start:end] if depth.shape[1] > 0 else depth,
        rows.verdict,
        rows.side,
        rows.reason,
        rows.asked,
        rows.ready,
        rows.probabilities,
        int(Reason.REFUSED),
    )
    return rows


def _run_with_custom(session: Session, series: TickSeries, start: int, end: int) -> RowSignals:
    """Do the same in three passes: features, custom features, model."""
    model = session.model
    records, vector = session.records
    ticks = _named(series.ticks[start:end], session.capture)
    count = end - start
    values = np.empty((count, len(model.columns)), dtype=np.float32)
    verdicts = np.empty(count, dtype=np.int8)
    segments = np.empty(count, dtype=np.int64)
    seen = np.empty(count, dtype=np.int64)
    mids = np.empty(count)
    depth = depth_of(series, model.settings)
    accepted = int(records["gate"]["accepted"][0])
    run_ticks(
        records,
        vector,
        ticks,
        depth[start:end] if depth.shape[1] > 0 else depth,
        model.columns,
        values,
        verdicts,
        segments,
        seen,
        mids,
    )
    if session.custom is not None:
        session.custom.run(ticks, verdicts, segments, seen, mids, values)

    ready = seen >= model.needed_buckets
    wanted = ready & ((verdicts == ACCEPTED) | (verdicts == NEW_SESSION))
    scores = np.zeros((count, 3))
    if wanted.any():
        scores[wanted] = model.predictor.predict_matrix(np.ascontiguousarray(values[wanted]))
    probabilities = np.empty((count, 3))
    probabilities[:] = model.artifact.class_prior
    sides = np.empty(count, dtype=np.int8)
    reasons = np.empty(count, dtype=np.int8)
    asked = np.empty(count, dtype=np.bool_)
    adaptive = session.memory["adaptive"]
    judge_rows(
        model.decision,
        adaptive,
        np.ascontiguousarray(ticks["timestamp"]),
        segments,
        np.ascontiguousarray(ticks["close"]) if adaptive["by_close"][0] == 1 else mids,
        accepted,
        scores,
        probabilities,
        verdicts,
        seen,
        model.needed_buckets,
        model.abstain,
        sides,
        reasons,
        asked,
    )
    bad = np.isnan(probabilities[:, 0])
    probabilities[bad] = model.artifact.class_prior
    asked[bad] = False
    result = RowSignals(
        timestamp=ticks["timestamp"].copy(),
        side=sides,
        reason=reasons,
        verdict=verdicts,
        asked=asked,
        ready=ready,
        probabilities=probabilities,
    )
    _carry_over(session, result)
    return result


def _named(ticks: npt.NDArray[Any], present: int) -> npt.NDArray[Any]:
    """Let rows that name no session go on in the one before them."""
    codes = ticks["session"]
    if present == 0 and not codes.any():
        return ticks
    named = np.flatnonzero(codes)
    before = np.searchsorted(named, np.arange(len(ticks)), side="right")
    ticks = ticks.copy()
    ticks["session"] = np.concatenate(([present], codes[named]))[before]
    return ticks


def _carry_over(session: Session, rows: RowSignals) -> None:
    """Join the chunk to what the session said before it, and leave the session at its end."""
    last = session.last_signal
    repeated = 0
    while last is not None and repeated < len(rows) and rows.verdict[repeated] == REPEATED:
        rows.side[repeated] = last.side
        rows.reason[repeated] = REASONS.index(last.reason)
        rows.probabilities[repeated] = (last.p_sell, last.p_hold, last.p_buy)
        rows.asked[repeated] = last.confidence > 0.0
        repeated += 1
    given = np.flatnonzero((rows.verdict >= 0) & (rows.verdict != REPEATED))
    session.resume(rows.signal(int(given[-1])) if len(given) else last)
