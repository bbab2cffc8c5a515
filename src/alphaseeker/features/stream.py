"""The features of one symbol, tick by tick: the step of the batch loop, called from Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.batch import column_indices
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.custom_runner import CustomRunner, custom_runner
from alphaseeker.features.inputs import check_sides, live_levels, needed_inputs
from alphaseeker.features.layout import feature_vector
from alphaseeker.features.readiness import required_buckets
from alphaseeker.features.snapshot import restore_record, snapshot_record
from alphaseeker.features.step import call_step
from alphaseeker.market.gate import Verdict
from alphaseeker.market.schema import session_code
from alphaseeker.market.tick_values import numbers, refusal, whole_nanoseconds

__all__ = ["FeatureStream", "copy_features", "observe"]

NAN = math.nan
REPEATED = int(Verdict.REPEATED)


@kernel
def observe(
    records: npt.NDArray[Any],
    vector: npt.NDArray[np.float32],
    levels: npt.NDArray[np.float64],
    columns: npt.NDArray[np.int64],
    features: npt.NDArray[np.float32],
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
) -> tuple[int, int, bool]:
    """Step one tick and copy the chosen columns where it was accepted, custom ones left out.

    Returns
    -------
    tuple[int, int, bool]
        The gate's verdict, the whole buckets behind the tick, and whether any column changed.
    """
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
    changed = False
    if 0 <= verdict < REPEATED:
        for j in range(columns.shape[0]):
            if columns[j] < 0:
                continue
            value = vector[columns[j]]
            if not (value == features[j] or (value != value and features[j] != features[j])):
                changed = True
                features[j] = value
    return verdict, records[0].clock.seen, changed


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
        self._session = 0
        self._values = np.full(len(self.names), NAN, dtype=np.float32)
        self._view = self._values.view()
        self._view.flags.writeable = False

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
            Mended where it is unsorted; leave out where no column reads it.
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
        capture = self._session if session is None else session_code(session)
        if self._reads_sides:
            check_sides(values[6], values[7], self.names)
        levels, _ = live_levels(depth, self._levels, self.names)
        verdict, _, _ = observe(
            self._records,
            self._vector,
            levels,
            self._columns,
            self._values,
            timestamp,
            capture,
            *values,
        )
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
