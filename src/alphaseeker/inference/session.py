"""One symbol's live stream: a tick in, a signal out, and the state in between."""

from __future__ import annotations

import math
from time import perf_counter_ns
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.features.layout import allocate_session, feature_vector
from alphaseeker.features.snapshot import restore_record, snapshot_record
from alphaseeker.features.stream import observe
from alphaseeker.inference.judgement import judge_row
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.inference.signal import Reason, Side, Signal
from alphaseeker.inference.statistics import SessionStatistics
from alphaseeker.market.depth import repair_depth, require_levels
from alphaseeker.market.gate import Verdict
from alphaseeker.market.schema import session_code
from alphaseeker.market.tick_values import numbers, refusal, whole_nanoseconds

__all__ = ["Session"]

NAN = math.nan
REPEATED = int(Verdict.REPEATED)
REASONS = tuple(Reason(value).text for value in range(len(Reason)))
SIDES = {int(side): side for side in Side}


class Session:
    """The stream of one symbol.

    Sessions are independent of one another: give each thread its own.

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
        self.timestamp_kind: str | None = None
        self._caching = caching
        self._records = allocate_session(model.settings)
        self._vector = feature_vector(self._records)
        self._codes: dict[Any, int] = {}
        self._capture = 0
        self._scores = np.zeros(3)
        self._probabilities = np.zeros(3)
        self._attach(model)

    def _attach(self, model: ServedModel) -> None:
        self.model = model
        self._columns = model.columns
        self._features = np.full(len(model.columns), NAN, dtype=np.float32)
        self._features_view = self._features.view()
        self._features_view.flags.writeable = False
        self._predict = model.predictor.bind(self._features, self._scores)
        self._scored = False
        prior = model.artifact.class_prior
        self._prior = (prior[2], prior[1], prior[0])
        self._last: Signal | None = None
        self._seen = 0

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
            Of it, by the aggressor; leave out where unknown.
        depth
            Shape (levels, 4): bid price, bid volume, ask price, ask volume. Mended where it is
            unsorted; the columns of this version read the best level only.
        session
            Changes where the stream begins anew; by default it goes on.

        Raises
        ------
        DataError
            A field is no number or out of its range; the state is as it was.
        """
        start = perf_counter_ns()
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
        if depth is not None:
            self.check_depth(depth)
        return self.step(start, timestamp, self.capture(session), values)

    def check_depth(self, depth: Any) -> None:
        """Refuse a snapshot that is not (levels, 4), and count one that had to be mended.

        Raises
        ------
        DataError
            Another shape.
        """
        levels = np.array(depth, dtype=np.float64)
        require_levels(levels, 1)
        if repair_depth(levels):
            self.statistics.depth_repaired += 1

    def capture(self, session: Any) -> int:
        """Return the number of a continuous capture and make it the present one.

        None is the present capture.
        """
        if session is not None:
            code = self._codes.get(session)
            if code is None:
                code = self._codes[session] = session_code(session)
            self._capture = code
        return self._capture

    def step(self, start: int, timestamp: int, session: int, values: tuple[float, ...]) -> Signal:
        """Take one tick whose numbers were checked; ``start`` is when it came in, in ns."""
        read = perf_counter_ns()
        verdict, seen, changed = observe(
            self._records,
            self._vector,
            self._columns,
            self._features,
            timestamp,
            session,
            *values,
        )
        stepped = perf_counter_ns()
        statistics = self.statistics
        if verdict < 0:
            statistics.refused += 1
            raise refusal(verdict, timestamp, values)
        self._seen = seen
        if verdict == REPEATED and self._last is not None:
            statistics.repeated += 1
            return self._last
        model = self.model
        if verdict < REPEATED and seen >= model.needed_buckets:
            if changed or not self._scored or not self._caching:
                self._predict()
                self._scored = True
            else:
                statistics.cache_hits += 1
        elif changed:
            self._scored = False
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

    def hold(self, signal: Signal, reason: Reason) -> Signal:
        """Turn a signal just given into HOLD for ``reason``, and count it so."""
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

    def resume(self, last: Signal | None) -> None:
        """Go on after rows that a kernel stepped through on this session's ``state``."""
        self._features[:] = self._vector[self._columns]
        self._seen = int(self._records["clock"]["seen"][0])
        self._capture = int(self._records["gate"]["last"]["session"][0])
        self._scored = False
        self._last = last

    def swap_model(self, model: ServedModel) -> bool:
        """Serve ``model`` from the next tick on; say whether the state of the stream was kept.

        The state stays where the bucket length and the tick size are the same: then every
        column is what it would have been.
        """
        same = repr(model.settings) == repr(self.model.settings)
        if not same:
            self._records = allocate_session(model.settings)
            self._vector = feature_vector(self._records)
        last = self._last
        self._attach(model)
        if same:
            self.resume(last)
        return same

    def snapshot(self) -> bytes:
        """Return the state of the stream as bytes; see ``restore``."""
        return snapshot_record(self._records, self._capture)

    def restore(self, snapshot: bytes) -> None:
        """Take up a stream where ``snapshot`` left it: later signals have the same bits.

        Raises
        ------
        StateError
            The bytes are damaged, or come from another version or other settings.
        """
        self._capture = restore_record(snapshot, self._records)
        self.resume(None)
