"""Runs the custom features of one symbol beside the feature step, in batch and live."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import allocate_record, kernel
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.custom_step import CLOCK, STEP_TICK, take_tick

__all__ = ["NO_MARK", "CustomRunner", "custom_runner"]

MARK_BYTES = 16
NO_MARK = bytes(MARK_BYTES)  # of a stream without custom features


@kernel
def _take_live_tick(
    clocks: npt.NDArray[Any],
    records: npt.NDArray[Any],
    timestamp: int,
    bid_price: float,
    ask_price: float,
    bid_volume: float,
    ask_volume: float,
    close: float,
    volume: float,
    buy_volume: float,
    sell_volume: float,
) -> None:
    """Move the clock on to a tick that the feature step has just accepted."""
    rec = records[0]
    take_tick(
        clocks,
        timestamp,
        bid_price,
        ask_price,
        bid_volume,
        ask_volume,
        close,
        volume,
        buy_volume,
        sell_volume,
        rec.quote.mid,
        rec.clock.segments,
        rec.clock.seen,
    )


class CustomRunner:
    """The custom columns among a choice of columns, and their state for one symbol.

    Parameters
    ----------
    names
        The k columns wanted; those that are custom are this runner's.
    settings
        Hold the declarations.
    """

    def __init__(self, names: Sequence[str], settings: FeatureSettings) -> None:
        self._clocks = allocate_record(CLOCK)
        self._columns: list[tuple[Any, ...]] = []
        declared = []
        for feature in settings.custom:
            for column in feature.columns:
                if column.name in names:
                    record, memory = feature.allocate(
                        float(column.window_s),
                        needed=column.history_buckets(settings.bucket_s) or 0,
                        place=list(names).index(column.name),
                    )
                    self._columns.append((feature.kernels, record, memory))
                    declared.append(column)
        self._declared = tuple(declared)
        text = repr((CLOCK.descr, STEP_TICK.descr, self._declared))
        self.mark = hashlib.sha256(text.encode()).digest()[:MARK_BYTES]

    def update(
        self,
        records: npt.NDArray[Any],
        timestamp: int,
        values: tuple[float, ...],
        features: npt.NDArray[np.float32],
    ) -> bool:
        """Take a tick that the feature step has accepted; say whether a column changed.

        Parameters
        ----------
        records
            The symbol's record after the tick.
        timestamp, values
            The tick's, from ``bid_price`` to ``sell_volume``.
        features
            Shape (k,), float32: the custom columns are written.
        """
        clocks = self._clocks
        _take_live_tick(clocks, records, timestamp, *values)
        changed = False
        for kernels, record, memory in self._columns:
            if kernels.update(clocks, record, memory, features):
                changed = True
        return changed

    def run(
        self,
        ticks: npt.NDArray[Any],
        verdicts: npt.NDArray[np.int8],
        segments: npt.NDArray[np.int64],
        history: npt.NDArray[np.int64],
        mids: npt.NDArray[np.float64],
        values: npt.NDArray[np.float32],
    ) -> None:
        """Take the accepted rows that ``run_ticks`` has stepped through, and fill their columns.

        Parameters
        ----------
        ticks, verdicts, segments, history, mids
            Shape (n,), as ``run_ticks`` read and wrote them.
        values
            Shape (n, k): the custom columns are written.
        """
        begun = self._clocks.copy()
        for kernels, record, memory in self._columns:
            self._clocks[:] = begun  # each column goes through the rows by itself
            kernels.run(
                self._clocks,
                record,
                memory,
                ticks,
                verdicts,
                segments,
                history,
                mids,
                values,
            )

    def fill(self, features: npt.NDArray[np.float32]) -> None:
        """Write the latest values to their places in ``features``, shape (k,)."""
        for _, record, _ in self._columns:
            features[record["place"][0]] = record["value"][0]

    def take_over(self, other: CustomRunner | None) -> bool:
        """Go on with the state of ``other``; say whether it has that of every column here."""
        known = {} if other is None else dict(zip(other._declared, other._columns, strict=True))
        if other is None or not all(column in known for column in self._declared):
            return False
        self._clocks[:] = other._clocks
        for declared, (_, record, memory) in zip(self._declared, self._columns, strict=True):
            _, held, bytes_held = known[declared]
            memory[:] = bytes_held
            record["value"] = held["value"]
        return True

    def state_bytes(self) -> bytes:
        """Return the state; that of the same columns has the same ``mark``."""
        parts = [self._clocks.tobytes()]
        for _, record, memory in self._columns:
            parts += [memory.tobytes(), record["value"].tobytes()]
        return b"".join(parts)

    def restore_bytes(self, raw: bytes) -> None:
        """Take up what ``state_bytes`` of a runner with the same mark returned."""
        self._clocks[:] = np.frombuffer(raw, dtype=CLOCK, count=1)
        start = CLOCK.itemsize
        for _, record, memory in self._columns:
            end = start + len(memory)
            memory[:] = np.frombuffer(raw[start:end], dtype=np.uint8)
            start = end + record["value"].nbytes
            record["value"] = np.frombuffer(raw[end:start], dtype=np.float32)


def custom_runner(names: Sequence[str], settings: FeatureSettings) -> CustomRunner | None:
    """Return a fresh runner, or None where no column of ``names`` is custom."""
    custom = {column.name for column in settings.custom_columns}
    return CustomRunner(names, settings) if custom.intersection(names) else None
