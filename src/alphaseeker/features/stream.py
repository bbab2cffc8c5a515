"""The features of one symbol, tick by tick: the step of the batch loop, called from Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import carray
from numba.core import config as numba_config

from alphaseeker._address import Entry, pointer
from alphaseeker._jit import kernel, part
from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.batch import column_indices
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.chosen import N_FEATURES, copy_chosen, first_of_row
from alphaseeker.features.custom_runner import CustomRunner, custom_runner
from alphaseeker.features.inputs import check_sides, live_levels, needed_inputs
from alphaseeker.features.layout import RECORD, feature_vector
from alphaseeker.features.readiness import required_buckets
from alphaseeker.features.snapshot import restore_record, snapshot_record
from alphaseeker.features.step import call_step
from alphaseeker.market.capture_numbers import CaptureNumbers
from alphaseeker.market.depth import MAX_LEVELS
from alphaseeker.market.gate import Verdict
from alphaseeker.market.tick_values import numbers, refusal, whole_nanoseconds

__all__ = ["FeatureStream", "copy_features"]

NAN = math.nan
REPEATED = int(Verdict.REPEATED)

# The attributes that a copy does not take over: it makes them itself, and has a snapshot's state.
MADE_ANEW = frozenset(
    (
        "_captures",
        "_columns",
        "_custom",
        "_depth",
        "_levels",
        "_needed",
        "_observe",
        "_reads_sides",
        "_records",
        "_session",
        "_values",
        "_vector",
        "_view",
    )
)


@part
def observe(
    records: npt.NDArray[Any],
    vector: npt.NDArray[np.float32],
    depth: npt.NDArray[np.float64],
    bits: npt.NDArray[np.uint32],
    columns: npt.NDArray[np.uint64],
    features: npt.NDArray[np.uint32],
    first: int,
    levels: int,
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
) -> int:
    """Step one tick with the first ``levels`` rows of ``depth``; return the gate's verdict.

    Where it was accepted the chosen columns are copied; see ``chosen.copy_chosen``.
    """
    verdict = call_step(
        records,
        vector,
        depth[:levels],
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
    if 0 <= verdict < REPEATED:
        copy_chosen(bits, columns, first, features)
    return int(verdict)


@kernel
def observe_at(
    records: int,
    vector: int,
    depth: int,
    columns: int,
    features: int,
    width: int,
    first: int,
    levels: int,
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
) -> int:
    """Do what ``observe`` does, with the addresses of the arrays: handing over five costs a µs."""
    return observe(
        carray(pointer(records), (1,), RECORD),
        carray(pointer(vector), (N_FEATURES,), np.float32),
        carray(pointer(depth), (MAX_LEVELS, 4), np.float64),
        carray(pointer(vector), (N_FEATURES,), np.uint32),
        carray(pointer(columns), (width,), np.uint64),
        carray(pointer(features), (width,), np.uint32),
        first,
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


OBSERVE_AT = Entry(observe_at, lambda: (*(0,) * 10, *(0.0,) * 8))


def copy_features(
    vector: npt.NDArray[np.float32],
    columns: npt.NDArray[np.int64],
    custom: CustomRunner | None,
    features: npt.NDArray[np.float32],
) -> None:
    """Copy the latest values of the chosen columns into ``features``, shape (k,)."""
    features[:] = vector[columns]
    if custom is not None:
        custom.fill(features)


class FeatureStream:
    """Features of one symbol, brought up to date by every tick.

    Streams are independent of one another: one per symbol, each in a thread of its own if need be.
    A single one must not be called by two threads at once. A copy or a pickle goes on with memory
    of its own, a pickle only in the version that made it.

    Parameters
    ----------
    symbol
        Name of the instrument.
    names
        The k columns wanted, in order.
    settings
        Bucket length, tick size and gate limits: those of the batch that a model was trained on.
    ready_history_s
        Columns with a longer memory do not hold ``ready`` back.

    Raises
    ------
    ConfigError
        A name is neither in the catalogue nor custom in ``settings``, or a custom step cannot be
        compiled.
    """

    def __init__(
        self,
        symbol: str,
        names: Sequence[str],
        settings: FeatureSettings,
        *,
        ready_history_s: float = 900.0,
    ) -> None:
        self.symbol = symbol
        self.names = tuple(names)
        self.settings = settings
        self._verdict: int | None = None
        self._columns = column_indices(self.names, settings.custom_columns)
        self._custom = custom_runner(self.names, settings)
        needed = needed_inputs(self.names, settings)
        self._reads_sides = "aggressor" in needed
        self._levels = settings.depth_levels if "depth" in needed else 0
        self._records = allocate_session(settings, symbol)
        self._vector = feature_vector(self._records)
        self._needed = required_buckets(
            self.names,
            bucket_s=settings.bucket_s,
            ready_history_s=ready_history_s,
            custom=settings.custom_columns,
        )
        self._ready_history_s = ready_history_s
        self._session = 0
        self._captures = CaptureNumbers()
        self._depth = np.full((MAX_LEVELS, 4), NAN)
        self._values = np.full(len(self.names), NAN, dtype=np.float32)
        self._view = self._values.view()
        self._view.flags.writeable = False
        self._observe = self._observer()

    def _observer(self) -> Callable[..., int]:
        """Return ``observe`` with everything but the tick.

        Addresses keep no array alive: what is returned holds those that it was made of, so that a
        call never outlives them. They are written in place, and never replaced.
        """
        arrays = (self._records, self._vector, self._depth)
        chosen = (self._columns, self._values)
        first = first_of_row(self._columns)
        if numba_config.DISABLE_JIT:
            seen = (
                self._vector.view(np.uint32),
                self._columns.view(np.uint64),
                self._values.view(np.uint32),
            )
            return partial(observe, *arrays, *seen, first)
        places = [array.ctypes.data for array in (*arrays, *chosen)]
        observer = partial(OBSERVE_AT.python, *places, len(self.names), first)
        observer.owners = (*arrays, *chosen)  # type: ignore[attr-defined]
        return observer

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles begin with memory of their own, from a snapshot.

        What a subclass or a user has added goes with them.
        """
        kept = {name: value for name, value in vars(self).items() if name not in MADE_ANEW}
        return {**kept, "snapshot": self.snapshot()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Not that of a subclass, which may take other arguments.
        FeatureStream.__init__(
            self,
            state["symbol"],
            state["names"],
            state["settings"],
            ready_history_s=state["_ready_history_s"],
        )
        self.restore(state["snapshot"])
        vars(self).update((name, value) for name, value in state.items() if name != "snapshot")

    def __repr__(self) -> str:
        return f"FeatureStream({self.symbol!r}, {len(self.names)} features, ready={self.ready})"

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
    ) -> npt.NDArray[np.float32]:
        """Take one tick in and return the features after it.

        Parameters
        ----------
        timestamp_ns
            Nanoseconds since 1970-01-01 UTC.
        bid_price, ask_price, close
            Best quotes and last trade, in price units.
        bid_volume, ask_volume, volume
            Sizes at the quotes, and traded since the previous tick.
        buy_volume, sell_volume
            Of it, by the aggressor; leave out where unknown.
        depth
            Shape (levels, 4): bid price, bid volume, ask price, ask volume, best level first.
            Mended where it is unsorted; leave out where no column reads it. Levels behind the
            tenth are not read.
        session
            Name of the continuous capture: another one than before begins the features anew.

        Returns
        -------
        numpy.ndarray
            Shape (k,), float32, read-only, always the same array: copy what you keep. A tick
            that the gate holds back (``verdict`` says why) leaves it as it was.

        Raises
        ------
        DataError
            A field is no number or out of its range, or depth or the aggressor's side is missing
            and a column reads it; the state is as it was.
        """
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
        capture = self._session if session is None else self._captures.number(session)
        if self._reads_sides:
            check_sides(values[6], values[7], self.names)
        count = 0
        if depth is not None or self._levels > 0:
            levels, _ = live_levels(depth, self._levels, self.names)
            count = len(levels)
            self._depth[:count] = levels
        verdict = self._observe(count, timestamp, capture, *values)
        if verdict < 0:
            raise refusal(verdict, timestamp, values)
        if self._custom is not None and verdict < REPEATED:
            self._custom.update(self._records, timestamp, values, self._values)
        self._session = capture
        self._verdict = verdict
        return self._view

    @property
    def features(self) -> npt.NDArray[np.float32]:
        """The features after the last accepted tick, shape (k,), read-only."""
        return self._view

    @property
    def verdict(self) -> Verdict | None:
        """What the gate said about the last tick that was not refused; None before the first."""
        return None if self._verdict is None else Verdict(self._verdict)

    @property
    def ready(self) -> bool:
        """Whether the present segment has the history that the columns declare.

        Those with a memory above ``ready_history_s`` are not waited for.
        """
        clock = self._records["clock"]
        return bool(clock["segments"][0] > 0 and clock["seen"][0] >= self._needed)

    def snapshot(self) -> bytes:
        """Return the state as bytes; see ``restore``."""
        return snapshot_record(self._records, self._session, self._custom)

    def restore(self, snapshot: bytes) -> None:
        """Go on where ``snapshot`` was taken: all later features have the same bits.

        Raises
        ------
        StateError
            The bytes are damaged, or come from another version, other settings or other custom
            features.
        """
        self._session = restore_record(snapshot, self._records, self._custom)
        copy_features(self._vector, self._columns, self._custom, self._values)
        self._verdict = None
