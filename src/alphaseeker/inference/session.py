"""One symbol's live stream: a tick in, a signal out, and the state in between."""

from __future__ import annotations

import json
import math
import time
import zlib
from time import perf_counter_ns
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError, StateError
from alphaseeker.features.custom_runner import CustomRunner, custom_runner
from alphaseeker.features.layout import allocate_session, feature_vector
from alphaseeker.features.snapshot import SETTINGS, restore_record, snapshot_record
from alphaseeker.features.stream import copy_features, observe
from alphaseeker.inference.judgement import judge_row
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.inference.signal import Reason, Side, Signal
from alphaseeker.inference.statistics import SessionStatistics
from alphaseeker.market.gate import Verdict, set_limits
from alphaseeker.market.schema import session_code
from alphaseeker.market.tick_values import numbers, refusal, whole_nanoseconds

__all__ = ["REASONS", "SIDES", "Session"]

NAN = math.nan
REPEATED = int(Verdict.REPEATED)
REASONS = tuple(Reason(value).text for value in range(len(Reason)))
SIDES = {int(side): side for side in Side}
# What the state of a stream rests on; limits of the gate may change under it.
FITTED_FIELDS = tuple(place for place in SETTINGS if place[0] != "gate")
KEPT_NAMES = 1_024  # of sessions, whose numbers are not computed again
CHECK_BYTES = 4


class Session:
    """The stream of one symbol.

    Sessions are independent of one another: give each thread its own. Other threads may hand a
    session a new model at any time; it is taken up between two ticks.

    Parameters
    ----------
    symbol
        Name of the instrument.
    model
        What serves.
    caching
        Keep the scores while no column changed (the answer is the same either way).
    """

    def __init__(self, symbol: str, model: ServedModel, *, caching: bool = True) -> None:
        self.symbol = symbol
        self.statistics = SessionStatistics()
        self.caching = caching
        self._codes: dict[Any, int] = {}
        self._scores = np.zeros(3)
        self._probabilities = np.zeros(3)
        self._next: ServedModel | None = None
        self._use(model)
        self._begin()

    def _begin(self) -> None:
        """Start the stream from nothing."""
        self._records = allocate_session(self.model.settings, self.symbol)
        self._vector = feature_vector(self._records)
        self._custom = self._fresh_custom()
        self.timestamp_kind: str | None = None
        self._clock_offset = 0
        self._last: Signal | None = None
        self.resume(None)

    def _fresh_custom(self) -> CustomRunner | None:
        return custom_runner(self.model.artifact.feature_names, self.model.settings)

    def _use(self, model: ServedModel) -> None:
        """Serve ``model``; the stream is left as it is."""
        self.model = model
        self._columns = model.columns
        self._features = np.full(len(model.columns), NAN, dtype=np.float32)
        self._features_view = self._features.view()
        self._features_view.flags.writeable = False
        self._predict = model.predictor.bind(self._features, self._scores)
        prior = model.artifact.class_prior
        self._prior = (prior[2], prior[1], prior[0])

    def update(
        self,
        timestamp_ns: int,
        bid_price: float,
        ask_price: float,
        bid_volume: float,
        ask_volume: float,
        close: float,
        volume: float,
        buy_volume: float = NAN,
        sell_volume: float = NAN,
        depth: npt.NDArray[np.float64] | None = None,
        session: int | str | None = None,
    ) -> Signal:
        """Take one tick in and return what it leads to.

        Parameters
        ----------
        timestamp_ns
            Nanoseconds since 1970-01-01 UTC, as an int.
        bid_price, ask_price, close
            Best quotes and last trade, in price units.
        bid_volume, ask_volume, volume
            Sizes at the quotes, and traded since the previous tick.
        buy_volume, sell_volume
            Of it, by the aggressor; may be left out where the model reads neither.
        depth
            Shape (levels, 4): bid price, bid volume, ask price, ask volume, best level first.
            Mended where it is unsorted; may be left out where the model reads none.
        session
            Changes where the stream begins anew; by default it goes on.

        Raises
        ------
        DataError
            A field is no number or out of its range, or the model reads one that is missing; the
            state is as it was.
        """
        start = perf_counter_ns()
        self.adopt()
        values = numbers(
            (
                bid_price,
                ask_price,
                bid_volume,
                ask_volume,
                close,
                volume,
                buy_volume,
                sell_volume,
            )
        )
        timestamp = whole_nanoseconds(timestamp_ns)
        levels, mended = self.model.check_tick(depth, values[6], values[7])
        signal = self.step(start, timestamp, self.capture(session), levels, values)
        self.statistics.depth_repaired += mended
        return signal

    def capture(self, session: Any) -> int:
        """Return the number of a continuous capture; None is the present one.

        Raises
        ------
        DataError
            The name is neither text nor a whole number.
        """
        if session is None:
            return self._capture
        if not isinstance(session, (str, int, np.integer)) or isinstance(session, bool):
            raise DataError(f"session is {session!r}; it must be text or a whole number")
        code = self._codes.get(session)
        if code is None:
            if len(self._codes) >= KEPT_NAMES:
                self._codes.clear()
            code = self._codes[session] = session_code(session)
        return code or self._capture

    def stamp(self) -> int:
        """Return the present moment, in ns, on the clock of the stream's own time stamps."""
        return time.time_ns() + self._clock_offset

    def step(
        self,
        start: int,
        timestamp: int,
        capture: int,
        levels: npt.NDArray[np.float64],
        values: tuple[float, ...],
    ) -> Signal:
        """Take one tick that the present model has checked.

        Parameters
        ----------
        start
            When it came in, in ns.
        timestamp, capture, values
            Nanoseconds UTC, number of the capture, and prices and sizes in the tick's order.
        levels
            From ``ServedModel.check_tick``.
        """
        read = perf_counter_ns()
        verdict, seen, changed = observe(
            self._records,
            self._vector,
            levels,
            self._columns,
            self._features,
            timestamp,
            capture,
            *values,
        )
        stepped = perf_counter_ns()
        statistics = self.statistics
        if verdict < 0:
            statistics.refused += 1
            raise refusal(verdict, timestamp, values)
        self._seen = seen
        if self._custom is not None and verdict < REPEATED:
            own = self._custom.update(self._records, timestamp, values, self._features)
            changed = changed or own
        if verdict == REPEATED and self._last is not None:
            statistics.repeated += 1
            return self._last
        model = self.model
        if verdict < REPEATED:
            self._capture = capture
            if changed:
                self._scored = False
            if seen >= model.needed_buckets:
                if self._scored and self.caching:
                    statistics.cache_hits += 1
                else:
                    self._predict()
                    self._scored = True
        scored = perf_counter_ns()
        side, reason, asked = judge_row(
            model.decision,
            self._scores,
            self._probabilities,
            verdict,
            seen,
            model.needed_buckets,
            model.abstain,
        )
        signal = self._signal(timestamp, side, reason, asked, seen)
        self._last = signal
        statistics.record(signal, reason, start, read, stepped, scored, perf_counter_ns())
        return signal

    def note_time(self, timestamp: int, kind: str) -> None:
        """Remember the form of a tick's time stamp, and how its clock stands to this one's."""
        self.timestamp_kind = kind
        self._clock_offset = timestamp - time.time_ns()

    def _signal(self, timestamp: int, side: int, reason: int, asked: bool, seen: int) -> Signal:
        if asked:
            p_sell, p_hold, p_buy = self._probabilities.tolist()
            if p_sell != p_sell:  # the scores were not finite
                p_buy, p_hold, p_sell = self._prior
                asked = False
        else:
            p_buy, p_hold, p_sell = self._prior
        confidence = max(p_buy, p_hold, p_sell) if asked else 0.0
        ready = seen >= self.model.needed_buckets
        return Signal(
            timestamp, SIDES[side], p_buy, p_hold, p_sell, confidence, REASONS[reason], ready
        )

    def hold(self, signal: Signal, reason: Reason, *, counted: bool) -> Signal:
        """Turn a signal just given into HOLD for ``reason``.

        ``counted`` says whether it was counted (a repeated tick is not): it moves over then.
        """
        if counted:
            self.statistics.move(signal, reason)
        return signal._replace(side=Side.HOLD, reason=reason.text)

    @property
    def features(self) -> npt.NDArray[np.float32]:
        """The model's columns at the last tick that was taken in, shape (k,), read-only view."""
        return self._features_view

    @property
    def last_signal(self) -> Signal | None:
        """The latest signal; None before the first tick."""
        return self._last

    @property
    def warm_up_remaining_s(self) -> float:
        """Seconds of history that the model's columns still need; 0.0 where they are ready."""
        missing = max(0, self.model.needed_buckets - self._seen)
        return missing * self.model.settings.bucket_s

    @property
    def volume_is_cumulative(self) -> bool:
        """Whether the gate has seen a volume that is a running total instead of one per tick."""
        return bool(self._records["gate"]["cumulative_volume"][0])

    @property
    def state(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32]]:
        """The record and its output vector, for kernels that run over many rows."""
        return self._records, self._vector

    @property
    def custom(self) -> CustomRunner | None:
        """What computes the model's custom columns, where it has any."""
        return self._custom

    def resume(self, last: Signal | None) -> None:
        """Go on after rows that a kernel stepped through on this session's ``state``."""
        copy_features(self._vector, self._columns, self._custom, self._features)
        self._seen = int(self._records["clock"]["seen"][0])
        self._capture = int(self._records["gate"]["last"]["session"][0])
        self._scored = False
        self._last = last

    def reset(self) -> None:
        """Forget the stream and the counters; the model stays."""
        self._begin()
        self.statistics.clear()

    def forget_scores(self) -> None:
        """Ask the model anew at the next tick, whatever it said before."""
        self._scored = False

    def hand_over(self, model: ServedModel) -> bool:
        """Serve ``model`` from the next tick on; say whether the stream's state will stay.

        It stays where bucket length and all that was fitted for the symbol are the same: then
        every column is what it would have been. Any thread may call this.
        """
        self._next = model
        return self._fits(model)

    def _fits(self, model: ServedModel) -> bool:
        if not {*model.custom} <= {*self.model.custom}:
            return False
        if model.settings == self.model.settings:
            return True
        wanted = allocate_session(model.settings, self.symbol)
        return all(
            self._records[part][field].tobytes() == wanted[part][field].tobytes()
            for part, field in FITTED_FIELDS
        )

    def adopt(self) -> None:
        """Take up the model that was handed over, if one was."""
        if self._next is None:
            return
        model, self._next = self._next, None
        fits = self._fits(model)
        last = self._last
        self._use(model)
        if not fits:
            self._begin()
            return
        custom, self._custom = self._custom, self._fresh_custom()
        if self._custom is not None:
            self._custom.take_over(custom)
        limits = model.settings
        set_limits(self._records["gate"], max_gap_s=limits.max_gap_s, max_jump=limits.max_jump)
        self.resume(last)

    def snapshot(self) -> bytes:
        """Return the state of the stream as bytes; see ``restore``."""
        words = {"kind": self.timestamp_kind, "last": self._last}
        tail = json.dumps(words).encode()
        size = len(tail).to_bytes(CHECK_BYTES, "little")
        check = zlib.crc32(tail).to_bytes(CHECK_BYTES, "little")
        return snapshot_record(self._records, self._capture, self._custom) + tail + check + size

    def restore(self, snapshot: bytes) -> None:
        """Take up a stream where ``snapshot`` left it: later signals have the same bits.

        Raises
        ------
        StateError
            The bytes are damaged, or come from another version or other settings; the stream is
            as it was.
        """
        end = len(snapshot) - 2 * CHECK_BYTES
        size = int.from_bytes(snapshot[-CHECK_BYTES:], "little")
        tail = snapshot[max(0, end - size) : max(0, end)]
        check = snapshot[max(0, end) : -CHECK_BYTES]
        if len(tail) != size or zlib.crc32(tail).to_bytes(CHECK_BYTES, "little") != check:
            raise StateError(
                "the snapshot is damaged (length or checksum differs); warm up from history"
            )
        self.adopt()
        restore_record(snapshot[: end - size], self._records, self._custom)
        words = json.loads(tail)
        self.timestamp_kind = words["kind"]
        last = words["last"]
        self.resume(None if last is None else Signal(last[0], SIDES[last[1]], *last[2:]))
