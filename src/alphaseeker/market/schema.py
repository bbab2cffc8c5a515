"""The tick: one row of the top of the book, and a series of them for one symbol."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["REQUIRED_COLUMNS", "TICK", "FileRun", "TickSeries", "session_code"]

TICK = np.dtype(
    [
        ("timestamp", np.int64),  # nanoseconds since 1970-01-01 UTC
        ("bid_price", np.float64),
        ("ask_price", np.float64),
        ("bid_volume", np.float64),
        ("ask_volume", np.float64),
        ("close", np.float64),  # price of the last trade
        ("volume", np.float64),  # traded since the previous tick
        ("buy_volume", np.float64),  # of it, by aggressive buyers; NaN where unknown
        ("sell_volume", np.float64),  # of it, by aggressive sellers; NaN where unknown
        ("session", np.int64),  # code of the continuous capture; nothing crosses its boundary
    ]
)

REQUIRED_COLUMNS = (
    "timestamp",
    "bid_price",
    "ask_price",
    "bid_volume",
    "ask_volume",
    "close",
    "volume",
)
SESSION_CODE_BYTES = 7  # fits int64; two of a million sessions agree with a chance of 7e-6


def session_code(session: object) -> int:
    """Return the number of a continuous capture from its name alone.

    The same name has the same number in every file, live, and after a restart: 0 where there is
    none. Whole numbers are their own names, whatever their type.
    """
    if session is None or session == "":
        return 0
    if isinstance(session, float) and session.is_integer():
        session = int(session)
    name = hashlib.blake2b(str(session).encode(), digest_size=SESSION_CODE_BYTES)
    return int.from_bytes(name.digest(), "little")


class FileRun(NamedTuple):
    """A run of rows that stood in one file of several.

    Attributes
    ----------
    start
        Position of its first row in the series; it ends where the next run begins.
    number
        Of the file, from 0, in the order of reading.
    name
        Of the file, without its folder.
    """

    start: int
    number: int
    name: str


@dataclass(frozen=True, kw_only=True)
class TickSeries:
    """Ticks of one symbol in the order of the source, not yet judged by the quality gate.

    Attributes
    ----------
    symbol
        Name of the instrument; ``""`` where the source names none.
    ticks
        Shape (n,), dtype ``TICK``. A cell that could not be read is NaN (0 for a time stamp).
    rows
        Shape (n,), int64: line number in a CSV file (the header is line 1), else the row
        number counted from 1.
    depth
        Shape (n, levels, 4), float64: bid price, bid volume, ask price, ask volume by level, best
        first; None where the source has no levels.
    funding
        Shape (n,), float64: rate that longs pay to shorts at the next funding time, a share of the
        notional; NaN where unknown, None where the source has no ``funding_rate``.
    brought
        Shape (n, c), float64: further columns that were asked for; None where none was.
    files
        Runs of the files that the rows stood in, where there were several; the first one begins
        at 0.
    """

    symbol: str
    ticks: npt.NDArray[Any]
    rows: npt.NDArray[np.int64]
    depth: npt.NDArray[np.float64] | None = None
    funding: npt.NDArray[np.float64] | None = None
    brought: npt.NDArray[np.float64] | None = None
    files: tuple[FileRun, ...] = ()

    def __len__(self) -> int:
        return len(self.ticks)

    def file_of(self, position: int) -> str:
        """Return the name of the file that a row stood in; ``""`` where there was one source."""
        if not self.files:
            return ""
        return self.files[bisect_right(self.files, position, key=lambda run: run.start) - 1].name

    def file_numbers(self) -> npt.NDArray[np.int64]:
        """Return the number of every row's file, shape (n,): with ``rows`` it is unique."""
        if not self.files:
            return np.zeros(len(self), dtype=np.int64)
        starts = [run.start for run in self.files]
        lengths = np.diff([*starts, len(self)])
        return np.repeat(np.array([run.number for run in self.files], dtype=np.int64), lengths)

    def piece(self, start: int, stop: int) -> TickSeries:
        """Return the rows from ``start`` up to ``stop``, itself not in it, as views."""
        stop = min(stop, len(self))
        if start == 0 and stop == len(self):
            return self
        return self._taken(
            slice(start, stop), [min(max(run.start, start), stop) - start for run in self.files]
        )

    def chosen(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> TickSeries:
        """Return copies of some rows: those of a mask, or at positions that rise."""
        positions: npt.NDArray[np.int64] = np.arange(len(self))[rows]
        starts = np.searchsorted(positions, [run.start for run in self.files]).tolist()
        return self._taken(positions, starts)

    def _taken(self, rows: slice | npt.NDArray[np.int64], starts: list[int]) -> TickSeries:
        """Return rows, among which the files begin at ``starts``."""
        ticks = self.ticks[rows]
        ends = [*starts, len(ticks)][1:]
        return TickSeries(
            symbol=self.symbol,
            ticks=ticks,
            rows=self.rows[rows],
            depth=None if self.depth is None else self.depth[rows],
            funding=None if self.funding is None else self.funding[rows],
            brought=None if self.brought is None else self.brought[rows],
            files=tuple(
                run._replace(start=start)
                for run, start, end in zip(self.files, starts, ends, strict=True)
                if start < end
            ),
        )
