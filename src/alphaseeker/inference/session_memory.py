"""What a session keeps in memory, and where its step finds it."""

from __future__ import annotations

import math
import os
import threading
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.chosen import first_of_row
from alphaseeker.features.custom_runner import CustomRunner, custom_runner
from alphaseeker.features.layout import RECORD, feature_vector
from alphaseeker.features.stream import copy_features
from alphaseeker.inference.feature_sample import FeatureSample
from alphaseeker.inference.kept_features import KeptFeatures
from alphaseeker.inference.realised import (
    abandon,
    clear_realised,
    followed_settings,
    pack_realised,
    unpack_realised,
)
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.inference.session_calls import ANSWER_TICK
from alphaseeker.inference.session_state import (
    SESSION,
    allocate_state,
    keep_alive,
    place_of,
    words_of,
)
from alphaseeker.inference.session_step import SESSION_STEP
from alphaseeker.inference.signal import REASONS, SIDES, Signal
from alphaseeker.inference.statistics import SessionStatistics
from alphaseeker.model.decision import N_CLASSES

__all__ = ["SessionMemory"]

NAN = math.nan
SEEN = place_of(SESSION, "seen")
ANSWERS = place_of(SESSION, "answers")
CUMULATIVE = place_of(RECORD, "gate", "cumulative_volume")


_sessions: weakref.WeakSet[SessionMemory] = weakref.WeakSet()


def _renew_locks() -> None:
    """In a forked child, where the threads that held a lock are not, begin with fresh ones."""
    for session in _sessions:
        session.lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_locks)


class SessionMemory:
    """The state of one symbol's stream and of the model that it asks.

    Parameters
    ----------
    symbol
        Name of the instrument.
    model
        What serves.
    caching
        Keep the scores while no column crossed a threshold.
    """

    def __init__(self, symbol: str, model: ServedModel, *, caching: bool = True) -> None:
        self.symbol = symbol
        # Held while a kernel is at work, and by whoever changes what it works on.
        self.lock = threading.RLock()
        _sessions.add(self)
        self._state = allocate_state()
        self._state["step"] = SESSION_STEP.address
        self._words = words_of(self._state)
        self._address = self._state.ctypes.data
        self._levels = self._state["levels"][0]
        self._level_count = 0
        self._answer_tick = ANSWER_TICK.python
        self.statistics = SessionStatistics(self._state)
        self.caching = caching
        self._records = allocate_session(model.settings, symbol)
        self._record_words = words_of(self._records)
        self._vector = feature_vector(self._records)
        self._state["records"] = self._records.ctypes.data
        self._state["vector"] = self._vector.ctypes.data
        self._mark = b""
        self._sample = FeatureSample(0, 0)
        self._use(model)
        self._begin()

    def _begin(self) -> None:
        """Start the stream from nothing, in the record that is there."""
        fresh = allocate_session(self.model.settings, self.symbol)
        self._records.view(np.uint8)[:] = fresh.view(np.uint8)
        self._custom = self._fresh_custom()
        self._state["adaptive"] = self.model.adaptive
        self.timestamp_kind: str | None = None
        self._clock_offset = 0
        self.resume(None)

    def _fresh_custom(self) -> CustomRunner | None:
        return custom_runner(self.model.artifact.feature_names, self.model.settings)

    def _use(self, model: ServedModel) -> None:
        """Serve ``model``; the stream is left as it is. Where it cannot, nothing is changed."""
        width = len(model.columns)
        columns = np.ascontiguousarray(model.columns)
        features = np.full(width, NAN, dtype=np.float32)
        scores = np.zeros(N_CLASSES)
        bound = model.predictor.bind(features, scores)
        kept = KeptFeatures(self._state, width)

        followed = followed_settings(model.artifact.target, model.artifact.training)
        goes_on = self._mark == model.mark
        sample = self._sample if goes_on else FeatureSample(width, followed["capacity"])

        parts = (*kept.parts, *sample.parts)
        keep_alive(self._state, self._records, columns, features, scores, bound, *parts)
        self.model = model
        self._mark = model.mark
        self._reads_depth = model.depth_levels > 0
        self._reads_sides = model.reads_sides
        self._columns, self._features = columns, features
        self._kept, self._sample = kept, sample
        self._features_view = features.view()
        self._features_view.flags.writeable = False
        state = self._state
        kept.begin()
        sample.begin(state)
        if not goes_on:
            realised = state["realised"]
            for name, value in followed.items():
                realised[name] = value
            clear_realised(realised)
        state["columns"] = columns.ctypes.data
        state["features"] = features.ctypes.data
        state["scores"] = scores.ctypes.data
        state["predict"] = bound.entry
        state["context"] = bound.context
        state["width"] = width
        state["first"] = first_of_row(columns)
        state["needed"] = model.needed_buckets
        state["depth_levels"] = model.depth_levels
        state["reads_sides"] = model.reads_sides
        state["abstain"] = model.abstain
        state["decision"] = model.decision
        if not goes_on or state["adaptive"]["active"][0] != model.adaptive["active"][0]:
            state["adaptive"] = model.adaptive
        state["prior"] = model.artifact.class_prior

    @property
    def caching(self) -> bool:
        """Whether scores are kept while no column crossed a threshold."""
        return bool(self._state["caching"][0])

    @caching.setter
    def caching(self, caching: bool) -> None:
        self._state["caching"] = caching

    @property
    def features(self) -> npt.NDArray[np.float32]:
        """The model's columns at the last tick that was taken in, shape (k,), read-only view."""
        return self._features_view

    def features_of(self, timestamp_ns: int) -> npt.NDArray[np.float32]:
        """Return the columns, shape (k,), that the model was asked with at a tick.

        Parameters
        ----------
        timestamp_ns
            Of the tick; the nearest within a microsecond is taken, as seconds in a float are no
            finer. Of ticks of one time stamp it is the last.

        Raises
        ------
        StateError
            It is not among the latest predictions of this model.
        """
        return self._kept.at(timestamp_ns)[0]

    def answer_of(self, timestamp_ns: int) -> npt.NDArray[np.float64]:
        """Return the probabilities, shape (3,), SELL, HOLD, BUY, that were given at a tick.

        Parameters and errors are those of ``features_of``.
        """
        return self._kept.at(timestamp_ns)[1]

    @property
    def last_signal(self) -> Signal | None:
        """The latest signal; None before the first tick."""
        return self._answer() if self._state["answers"][0] > 0 else None

    def _answer(self) -> Signal:
        last = self._state["last"][0]
        p_sell, p_hold, p_buy = last["probabilities"].tolist()
        return Signal(
            int(last["timestamp"]),
            SIDES[int(last["side"])],
            p_buy,
            p_hold,
            p_sell,
            float(last["confidence"]),
            REASONS[last["reason"]],
            bool(last["ready"]),
        )

    @property
    def warm_up_remaining_s(self) -> float:
        """Seconds of history that the model's columns still need; 0.0 where they are ready."""
        model = self.model
        missing = model.needed_buckets - self._words[SEEN]
        return missing * model.settings.bucket_s if missing > 0 else 0.0

    @property
    def volume_is_cumulative(self) -> bool:
        """Whether the gate has seen a volume that is a running total instead of one per tick."""
        return bool(self._record_words[CUMULATIVE])

    @property
    def answers(self) -> int:
        """Signals given since the stream began, repeated ticks aside."""
        return self._words[ANSWERS]

    @property
    def memory(self) -> npt.NDArray[Any]:
        """The session's record as it is; whoever works on it holds ``lock``."""
        return self._state

    @property
    def capture(self) -> int:
        """Number of the present continuous capture."""
        return int(self._state["capture"][0])

    @property
    def records(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32]]:
        """The record of the features and its output, for kernels that run over many rows."""
        return self._records, self._vector

    @property
    def custom(self) -> CustomRunner | None:
        """What computes the model's custom columns, where it has any."""
        return self._custom

    @property
    def sampled_features(self) -> npt.NDArray[np.float32]:
        """A copy of the sampled rows of the model's columns, shape (m, k), in no order."""
        with self.lock:
            sample, sampled = self._sample, int(self._state["realised"]["sampled"][0])
        return sample.rows(sampled)

    def clear_followed(self) -> None:
        """Forget what became of the predictions, and the sampled rows."""
        clear_realised(self._state["realised"])

    def pack_followed(self) -> bytes:
        """Return what became of the predictions, what it taught, and the sampled rows as bytes."""
        state = self._state
        return pack_realised(
            state["realised"], state["adaptive"], self.sampled_features, self.model.mark
        )

    def unpack_followed(self, packed: bytes) -> None:
        """Take up what ``pack_followed`` gave; begin anew where that was of another model."""
        self.clear_followed()
        self._state["adaptive"] = self.model.adaptive
        found = unpack_realised(packed, self.model.mark, len(self._columns))
        if found is not None:
            self._state["realised"] = found[0]
            if found[1]["active"][0] == self.model.adaptive["active"][0]:
                self._state["adaptive"] = found[1]
            self._sample.restore(found[2])

    def resume(self, last: Signal | None) -> None:
        """Go on after rows that a kernel stepped through on this session's ``records``."""
        copy_features(self._vector, self._columns, self._custom, self._features)
        state = self._state
        state["seen"] = self._records["clock"]["seen"]
        state["capture"] = self._records["gate"]["last"]["session"]
        state["scored"] = 0
        abandon(state["realised"])
        state["answers"] = 0 if last is None else max(1, int(state["answers"][0]))
        if last is not None:
            answer = state["last"]
            answer["timestamp"] = last.timestamp
            answer["side"] = last.side
            answer["reason"] = REASONS.index(last.reason)
            answer["ready"] = last.ready
            answer["asked"] = last.confidence > 0.0
            answer["confidence"] = last.confidence
            answer["probabilities"] = (last.p_sell, last.p_hold, last.p_buy)
