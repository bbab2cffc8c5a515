"""What time it is for a quote or a fill: its own time stamp, or the stream's clock without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from alphaseeker.config import InferenceConfig
from alphaseeker.errors import DataError
from alphaseeker.market.number_text import shown
from alphaseeker.market.timestamps import to_nanoseconds

__all__ = ["MAX_AHEAD_NS", "StreamClock"]

# How far ahead of the clock a time stamp may be: the default of INFERENCE_CONFIG's
# MAX_CLOCK_SKEW_S. Beyond it, only a unit or a clock can be wrong; such a time stamp would end
# the trading day early and make every later quote look old.
MAX_AHEAD_NS = round(InferenceConfig().MAX_CLOCK_SKEW_S * 10**9)


class StreamClock:
    """Reads time stamps, and keeps the clock of a stream that leaves some of them out.

    Parameters
    ----------
    clock
        Nanoseconds UTC now: the receive time.
    monotonic
        Nanoseconds of a clock that is never set: what passed since a quote was received.

    Notes
    -----
    A replay's time is not the machine's. A missing time stamp therefore is the last one of its
    symbol (of any symbol, where its own has none) plus the time that passed since that was
    received. Only where nothing was stamped before is it the receive time.
    """

    def __init__(
        self, clock: Callable[[], int], monotonic: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._stamped: dict[str, tuple[int, int]] = {}  # time stamp, monotonic time of receipt
        self._last: tuple[int, int] | None = None

    def read(self, value: Any) -> int | None:
        """Return a time stamp in ns, None where it is missing.

        Raises
        ------
        DataError
            It is no time, or more than ``MAX_AHEAD_NS`` ahead of the clock.
        """
        if value is None:
            return None
        timestamp, _ = to_nanoseconds(value)
        ahead = timestamp - self._clock()
        if ahead > MAX_AHEAD_NS:
            raise DataError(
                f"timestamp is {shown(value)}, {ahead / 1e9:.3f} s ahead of the clock; at most "
                f"{MAX_AHEAD_NS / 1e9:g} s are allowed: check unit, zone and clock, or give the "
                "manager the clock of a replay"
            )
        return timestamp

    def ahead_s(self, timestamp: int) -> float:
        """Return by how many seconds a time is ahead of the clock; below 0 behind it."""
        return (timestamp - self._clock()) * 1e-9

    def now(self, symbol: str | None = None) -> int:
        """Return the time in ns of what comes without a time stamp, for ``symbol`` or for all."""
        stamped = self._last if symbol is None else self._stamped.get(symbol, self._last)
        if stamped is None:
            return self._clock()
        return stamped[0] + self._monotonic() - stamped[1]

    def note(self, symbol: str, timestamp: int) -> None:
        """Take the time stamp of a quote that was received just now, and was in order."""
        self._last = self._stamped[symbol] = (timestamp, self._monotonic())

    def forget(self) -> None:
        """Forget all time stamps: what comes next is another stream."""
        self._stamped.clear()
        self._last = None
