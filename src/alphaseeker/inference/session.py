"""One symbol's live stream: a tick in, a signal out, and the state in between."""

from __future__ import annotations

import math
import time
from time import perf_counter_ns
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import StateError
from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.snapshot import SETTINGS, restore_record, snapshot_record
from alphaseeker.inference.realised import withdraw
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.inference.session_calls import decide_tick, take_tick
from alphaseeker.inference.session_memory import SessionMemory
from alphaseeker.inference.session_snapshot import with_answer, without_answer
from alphaseeker.inference.session_step import TIMED
from alphaseeker.inference.signal import REASONS, SIDES, Reason, Side, Signal
from alphaseeker.market.capture_numbers import CaptureNumbers
from alphaseeker.market.gate import Verdict, set_limits
from alphaseeker.market.tick_values import numbers, refusal, whole_nanoseconds

__all__ = ["Session"]

NAN = math.nan
REPEATED = int(Verdict.REPEATED)
_new = tuple.__new__  # a third of the time that the class takes to make one
# What the state of a stream rests on; limits of the gate may change under it.
FITTED_FIELDS = tuple(place for place in SETTINGS if place[0] != "gate")


class Session(SessionMemory):
    """The stream of one symbol.

    Sessions are independent of one another: give each thread its own. Other threads may hand a
    session a new model, reset it or take a snapshot of it at any time, which then is done between
    two ticks.
    A jitted loop of the user's own over ``state`` is for its thread alone.

    Parameters
    ----------
    symbol
        Name of the instrument.
    model
        What serves.
    caching
        Keep the scores while no column crossed a threshold (the answer is the same either way).

    Raises
    ------
    StateError
        NUMBA_DISABLE_JIT is set.
    """

    def __init__(self, symbol: str, model: ServedModel, *, caching: bool = True) -> None:
        super().__init__(symbol, model, caching=caching)
        self.captures = CaptureNumbers()
        self._next: ServedModel | None = None

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
        if self._next is not None:
            self.adopt()
        # The types are looked at here, one by one: a loop over them takes twice the time.
        if not (
            type(bid_price) is float
            and type(ask_price) is float
            and type(bid_volume) is float
            and type(ask_volume) is float
            and type(close) is float
            and type(volume) is float
            and type(buy_volume) is float
            and type(sell_volume) is float
        ):
            bid_price, ask_price, bid_volume, ask_volume, close, volume, buy_volume, sell_volume = (
                numbers(
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
            )
        timestamp = whole_nanoseconds(timestamp_ns)
        values = (
            bid_price,
            ask_price,
            bid_volume,
            ask_volume,
            close,
            volume,
            buy_volume,
            sell_volume,
        )
        mended = False
        if depth is not None or self.lacks(buy_volume, sell_volume):
            mended = self.take_levels(depth, values)
        capture = 0 if session is None else self.captures.number(session)
        signal = self.step(start, timestamp, capture, values)
        if mended:
            self.statistics.count_repaired()
        return signal

    def lacks(self, buy_volume: float, sell_volume: float) -> bool:
        """Return whether a tick without depth may lack what the model reads: then it is checked."""
        if self._reads_depth:
            return True
        return self._reads_sides and (buy_volume != buy_volume or sell_volume != sell_volume)

    def take_levels(self, depth: Any, values: tuple[float, ...]) -> bool:
        """Check what a tick brings of depth and sides, and lay the depth ready for ``step``.

        Returns
        -------
        bool
            The depth was mended.

        Raises
        ------
        DataError
            The depth is malformed, or something is missing that the model reads.
        """
        levels, mended = self.model.check_tick(depth, values[6], values[7])
        count = len(levels)
        if count > 0:
            self._levels[:count] = levels
        # Fields of a structured array are slow to reach: without depth none is.
        if count != self._level_count:
            self._state["level_count"] = self._level_count = count
        return mended

    def stamp(self) -> int:
        """Return the present moment, in ns, on the clock of the stream's own time stamps."""
        return time.time_ns() + self._clock_offset

    def step(self, start: int, timestamp: int, capture: int, values: tuple[float, ...]) -> Signal:
        """Take one tick that the present model has checked.

        Parameters
        ----------
        start
            When it came in, in ns.
        timestamp, capture, values
            Nanoseconds UTC, number of the capture (0 for the present one), and prices and sizes
            in the tick's order.
        """
        if self._custom is not None:
            with self.lock:
                return self._step_with_custom(start, timestamp, capture, values)
        with self.lock:
            verdict, side, reason, ready, p_buy, p_hold, p_sell, confidence = self._answer_tick(
                self._address, start, timestamp, capture, *values
            )
        if verdict < 0:
            raise refusal(verdict, timestamp, values)
        if verdict == REPEATED:
            timestamp = int(self._state["last"]["timestamp"][0])
        return _new(
            Signal,
            (
                timestamp,
                SIDES[side],
                p_buy,
                p_hold,
                p_sell,
                confidence,
                REASONS[reason],
                ready,
            ),
        )

    def _step_with_custom(
        self, start: int, timestamp: int, capture: int, values: tuple[float, ...]
    ) -> Signal:
        begun = perf_counter_ns()
        verdict = take_tick(self._state, timestamp, capture, *values)
        if self._custom is not None and 0 <= verdict < REPEATED:
            own = self._custom.update(self._records, timestamp, values, self._features)
            if own:
                self._state["changed"] = 1
        decide_tick(self._state, timestamp, TIMED, start, begun, perf_counter_ns())
        if verdict < 0:
            raise refusal(verdict, timestamp, values)
        return self._answer()

    @property
    def state(self) -> npt.NDArray[Any]:
        """The session's record, for ``alphaseeker.inference.step``; see ``session_state``.

        A model that was handed over is taken up first.

        Raises
        ------
        StateError
            The model has custom features: they are computed around the step, in ``update``.
        """
        self.adopt()
        if self._custom is not None:
            names = ", ".join(column.name for column in self.model.custom)
            raise StateError(
                f"the model reads custom features ({names}), which a jitted loop's step does not "
                "compute; call update() for every tick, or train without them"
            )
        return self._state

    def note_time(self, timestamp: int, kind: str) -> None:
        """Remember the form of a tick's time stamp, and how its clock stands to this one's."""
        self.timestamp_kind = kind
        self._clock_offset = timestamp - time.time_ns()

    def hold(self, signal: Signal, reason: Reason, *, counted: bool) -> Signal:
        """Turn a signal just given into HOLD for ``reason``.

        ``counted`` says whether it was counted (a repeated tick is not): it moves over then.
        """
        if counted:
            self.statistics.move(signal, reason)
            withdraw(self._state["realised"], signal.timestamp)
        return signal._replace(side=Side.HOLD, reason=reason.text)

    def reset(self) -> None:
        """Forget the stream and the counters; the model stays."""
        with self.lock:
            self._begin()
            self.statistics.clear()
            self.clear_followed()

    def forget_scores(self) -> None:
        """Ask the model anew at the next tick, whatever it said before."""
        self._state["scored"] = 0

    def hand_over(self, model: ServedModel) -> bool:
        """Serve ``model`` from the next tick on; say whether the stream's state will stay.

        It stays where bucket length and all that was fitted for the symbol are the same: then
        every column is what it would have been. Any thread may call this.
        """
        fits = not self.differences(model)
        self._next = model
        return fits

    def differences(self, model: ServedModel) -> list[str]:
        """Return what the stream's state rests on and ``model`` has otherwise; empty: it stays."""
        if not {*model.custom} <= {*self.model.custom}:
            return ["custom features"]
        if model.settings == self.model.settings:
            return []
        wanted = allocate_session(model.settings, self.symbol)
        return [
            field
            for part, field in FITTED_FIELDS
            if self._records[part][field].tobytes() != wanted[part][field].tobytes()
        ]

    def adopt(self) -> None:
        """Take up the model that was handed over, if one was."""
        if self._next is None:
            return
        with self.lock:
            self._adopt()

    def _adopt(self) -> None:
        model = self._next
        if model is None:
            return
        fits = not self.differences(model)
        last = self.last_signal
        self._use(model)
        if self._next is model:  # else there is a newer one, for the next tick
            self._next = None
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
        with self.lock:
            record = snapshot_record(self._records, self.capture, self._custom)
            followed = self.pack_followed()
            return with_answer(record, followed, self.timestamp_kind, self.last_signal)

    def restore(self, snapshot: bytes) -> None:
        """Take up a stream where ``snapshot`` left it: later signals have the same bits.

        Raises
        ------
        StateError
            The bytes are damaged, or come from another version or other settings; the stream is
            as it was.
        """
        record, followed, kind, last = without_answer(snapshot)
        with self.lock:
            self.adopt()
            restore_record(record, self._records, self._custom)
            self.timestamp_kind = kind
            self.resume(last)
            self.unpack_followed(followed)
