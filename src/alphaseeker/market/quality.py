"""The quality report: what the gate said about a file, how it is counted, and what is too much.

A report is built from pieces of any length in bounded memory: one gate record per symbol, the
counters, and a histogram of the times between rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from alphaseeker.config import DataConfig
from alphaseeker.errors import DataError
from alphaseeker.market.gate import Verdict, allocate_gate, gate_ticks
from alphaseeker.market.schema import TICK, TickSeries

__all__ = ["BadRow", "QualityAccumulator", "QualityReport", "enforce", "judge_series"]

_MAX_LISTED_ROWS = 10
_NANOSECONDS = 1_000_000_000
_NOTICED_DISORDER = 0.01  # share of rows out of order above which the report says what to do
_LARGEST_DISORDER = 0.5  # and above which there is no order to speak of
_BINS = 65 * 32
_SUMMED = ("rows", "accepted", "sessions", "locked", "jumps_confirmed", "jumps_dropped")
_REPORTED = (
    "start_ns", "end_ns", "rows", "accepted", "refused", "bad_ratio", "sessions", "gaps",
    "longest_gap_s", "median_interval_s", "mean_interval_s", "duplicates", "repaired", "empty_side",
    "crossed", "locked", "jumps", "jumps_confirmed", "jumps_dropped", "out_of_order",
    "cumulative_volume",
)  # fmt: skip


class BadRow(NamedTuple):
    """One refused row: its number in the source, the field that was wrong and what it held."""

    row: int
    field: str
    value: str

    def __str__(self) -> str:
        return f"line {self.row}: {self.field} is {self.value}"


@dataclass(frozen=True, kw_only=True)
class QualityReport:
    """What the quality gate counted in one source.

    Attributes
    ----------
    source
        Where the rows came from.
    symbols
        Names of the instruments, in order of first appearance.
    rows
        Rows that were judged.
    accepted
        Rows that the features may see.
    start_ns, end_ns
        Earliest and latest accepted time stamp, nanoseconds UTC; None where no row was accepted.
    sessions
        How often a session began, over all symbols.
    verdicts
        Rows by the name of the gate's verdict; verdicts that did not occur are left out.
    bad_rows
        The first ten refused rows.
    locked
        Accepted rows with bid = ask, whatever else was said about them.
    longest_gap_s
        Longest time between two accepted rows of one session, seconds.
    jumps_confirmed, jumps_dropped
        Price jumps that later rows confirmed, and those that they did not.
    cumulative_volume
        True where ``volume`` looks like a running total instead of the volume per row.
    intervals
        Times between accepted rows, gaps and session changes left out, as a histogram:
        bin -> (rows, nanoseconds in total). The bins are 3 % wide.
    """

    source: str = ""
    symbols: tuple[str, ...] = ()
    rows: int = 0
    accepted: int = 0
    start_ns: int | None = None
    end_ns: int | None = None
    sessions: int = 0
    verdicts: Mapping[str, int] = field(default_factory=dict)
    bad_rows: tuple[BadRow, ...] = ()
    locked: int = 0
    longest_gap_s: float = 0.0
    jumps_confirmed: int = 0
    jumps_dropped: int = 0
    cumulative_volume: bool = False
    intervals: Mapping[int, tuple[int, int]] = field(default_factory=dict, repr=False)

    def _count(self, verdict: str) -> int:
        return self.verdicts.get(verdict, 0)

    @property
    def refused(self) -> int:
        """Rows that cannot be used: a field is missing or out of its range."""
        return sum(count for name, count in self.verdicts.items() if name.startswith("BAD_"))

    @property
    def bad_ratio(self) -> float:
        """Share of the rows that were refused, 0.0 where there is no row."""
        return self.refused / self.rows if self.rows else 0.0

    @property
    def gaps(self) -> int:
        """Gaps longer than the limit inside a session."""
        return self._count("AFTER_GAP")

    @property
    def duplicates(self) -> int:
        """Rows that repeat the accepted row before them in every field."""
        return self._count("REPEATED")

    @property
    def repaired(self) -> int:
        """Rows put right without loss: the duplicates, which are ignored."""
        return self.duplicates

    @property
    def empty_side(self) -> int:
        """Rows with no bid or no ask."""
        return self._count("EMPTY_SIDE")

    @property
    def crossed(self) -> int:
        """Rows with bid above ask."""
        return self._count("CROSSED_BOOK")

    @property
    def out_of_order(self) -> int:
        """Rows earlier than the accepted row before them."""
        return self._count("OUT_OF_ORDER")

    @property
    def jumps(self) -> int:
        """Rows held back because the price had jumped."""
        return self._count("PRICE_JUMP")

    @property
    def mean_interval_s(self) -> float:
        """Mean time between accepted rows, gaps left out, seconds; 0.0 without observations."""
        rows = sum(count for count, _ in self.intervals.values())
        total = sum(nanoseconds for _, nanoseconds in self.intervals.values())
        return total / rows / _NANOSECONDS if rows else 0.0

    @property
    def median_interval_s(self) -> float:
        """Median time between accepted rows, gaps left out, seconds; 0.0 without observations.

        Exact where the middle bin holds one value only, as on a grid, else within 3 %.
        """
        rows = sum(count for count, _ in self.intervals.values())
        below = 0
        for _, (count, nanoseconds) in sorted(self.intervals.items()):
            below += count
            if 2 * below >= rows:
                return nanoseconds / count / _NANOSECONDS
        return 0.0

    def merge(self, other: QualityReport) -> QualityReport:
        """Return the report of both sources together; ``other`` comes after ``self``."""
        intervals = dict(self.intervals)
        for key, (count, nanoseconds) in other.intervals.items():
            known = intervals.get(key, (0, 0))
            intervals[key] = (known[0] + count, known[1] + nanoseconds)
        starts = [time for time in (self.start_ns, other.start_ns) if time is not None]
        ends = [time for time in (self.end_ns, other.end_ns) if time is not None]
        summed = {name: getattr(self, name) + getattr(other, name) for name in _SUMMED}
        sources = dict.fromkeys(name for name in (self.source, other.source) if name)
        return QualityReport(
            source=", ".join(sources),
            symbols=tuple(dict.fromkeys(self.symbols + other.symbols)),
            start_ns=min(starts, default=None),
            end_ns=max(ends, default=None),
            verdicts=dict(Counter(self.verdicts) + Counter(other.verdicts)),
            bad_rows=(self.bad_rows + other.bad_rows)[:_MAX_LISTED_ROWS],
            longest_gap_s=max(self.longest_gap_s, other.longest_gap_s),
            cumulative_volume=self.cumulative_volume or other.cumulative_volume,
            intervals=intervals,
            **summed,
        )

    def warnings(self) -> tuple[str, ...]:
        """Return what a user should know and can mend, one sentence each."""
        found = []
        if self.cumulative_volume:
            found.append(
                "volume rises and never falls: it looks like a running total; replace it by its "
                "differences (volume traded since the previous row)"
            )
        if self.rows and self.out_of_order > _NOTICED_DISORDER * self.rows:
            found.append(
                f"{self.out_of_order} of {self.rows} rows are earlier than the row before them "
                "and were dropped; sort the source by timestamp within each session"
            )
        return tuple(found)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that ``json`` can write; counts that are zero are included."""
        values = {name: getattr(self, name) for name in _REPORTED}
        return {
            "source": self.source,
            "symbols": list(self.symbols),
            "start": _iso(self.start_ns),
            "end": _iso(self.end_ns),
            **values,
            "verdicts": dict(self.verdicts),
            "bad_rows": [row._asdict() for row in self.bad_rows],
            "warnings": list(self.warnings()),
        }

    def __str__(self) -> str:
        lines = {
            "source": self.source or "-",
            "symbols": ", ".join(name or "(unnamed)" for name in self.symbols) or "-",
            "rows": f"{self.rows:,}",
            "accepted": f"{self.accepted:,}",
            "refused": f"{self.refused:,} ({self.bad_ratio:.3%})",
            "span": f"{_iso(self.start_ns) or '-'} to {_iso(self.end_ns) or '-'}",
            "sessions": f"{self.sessions:,}",
            "interval": f"median {self.median_interval_s:.6g} s, mean {self.mean_interval_s:.6g} s",
            "gaps": f"{self.gaps:,} over the limit, longest {self.longest_gap_s:.6g} s",
            "duplicates": f"{self.duplicates:,} (ignored)",
            "empty side": f"{self.empty_side:,}",
            "crossed": f"{self.crossed:,}",
            "locked": f"{self.locked:,}",
            "price jumps": f"{self.jumps:,} rows held, {self.jumps_confirmed:,} jumps confirmed, "
            f"{self.jumps_dropped:,} dropped",
            "out of order": f"{self.out_of_order:,}",
            "repaired": f"{self.repaired:,}",
        }
        text = [f"{name:<14}{value}" for name, value in lines.items()]
        text += [f"{'refused row':<14}{row}" for row in self.bad_rows]
        text += [f"{'warning':<14}{sentence}" for sentence in self.warnings()]
        return "\n".join(text)


def _iso(nanoseconds: int | None) -> str | None:
    """Return the UTC time as ISO text, None for None."""
    return None if nanoseconds is None else f"{np.datetime64(nanoseconds, 'ns')}Z"


def _interval_bins(nanoseconds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the histogram bin of each interval: 32 to a doubling, bin 0 for no time at all."""
    fraction, exponent = np.frexp(nanoseconds.astype(np.float64))
    bins = exponent.astype(np.int64) * 32 + ((fraction - 0.5) * 64.0).astype(np.int64)
    return np.where(nanoseconds == 0, 0, bins)


class QualityAccumulator:
    """Judges pieces of ticks as they are read, in bounded memory.

    Parameters
    ----------
    source
        Named in the report and in errors.
    max_gap_s, max_jump
        The gate's limits, as in ``alphaseeker.market.gate.set_limits``.
    """

    def __init__(self, source: str = "", *, max_gap_s: float, max_jump: float) -> None:
        self._source = source
        self._limits = {"max_gap_s": max_gap_s, "max_jump": max_jump}
        allocate_gate(**self._limits)  # a limit out of range is an error here, not at the first row
        self._gates: dict[str, npt.NDArray[Any]] = {}
        self._rows = 0
        self._verdicts: dict[str, int] = {}
        self._bad_rows: list[BadRow] = []
        self._span: tuple[()] | tuple[int, int] = ()
        self._longest_gap = 0
        self._interval_counts = np.zeros(_BINS, dtype=np.int64)
        self._interval_sums = np.zeros(_BINS, dtype=np.int64)

    def update(self, series: TickSeries) -> npt.NDArray[np.int8]:
        """Judge the next piece of its symbol and return the verdicts, shape (n,), int8."""
        gate = self._gates.get(series.symbol)
        if gate is None:
            gate = self._gates[series.symbol] = allocate_gate(**self._limits)
        previous = int(gate["last"]["timestamp"][0])
        verdicts = np.empty(len(series), dtype=np.int8)
        gate_ticks(series.ticks, gate, verdicts)
        self._rows += len(series)
        for code, count in zip(*np.unique(verdicts, return_counts=True), strict=True):
            name = Verdict(int(code)).name
            self._verdicts[name] = self._verdicts.get(name, 0) + int(count)
        self._list_bad_rows(series, verdicts)
        self._measure_time(series.ticks["timestamp"], verdicts, previous)
        return verdicts

    def _list_bad_rows(self, series: TickSeries, verdicts: npt.NDArray[np.int8]) -> None:
        room = _MAX_LISTED_ROWS - len(self._bad_rows)
        for index in np.flatnonzero(verdicts < 0)[:room]:
            # The refusals are numbered in the order of the tick's fields.
            name = (TICK.names or ())[-int(verdicts[index]) - 1]
            value = str(series.ticks[name][index])
            self._bad_rows.append(BadRow(int(series.rows[index]), name, value))

    def _measure_time(
        self, timestamp: npt.NDArray[np.int64], verdicts: npt.NDArray[np.int8], previous: int
    ) -> None:
        accepted = (verdicts >= Verdict.ACCEPTED) & (verdicts <= Verdict.NEW_SESSION)
        times = timestamp[accepted]
        if len(times) == 0:
            return
        codes = verdicts[accepted]
        edges = (int(times.min()), int(times.max()), *self._span)
        self._span = (min(edges), max(edges))
        intervals = np.diff(times, prepend=previous)
        inside = intervals[codes != Verdict.NEW_SESSION]
        self._longest_gap = max(self._longest_gap, int(inside.max(initial=0)))
        steady = intervals[codes <= Verdict.LOCKED]
        bins = _interval_bins(steady)
        self._interval_counts += np.bincount(bins, minlength=_BINS)
        np.add.at(self._interval_sums, bins, steady)

    def report(self) -> QualityReport:
        """Return what was counted up to now."""

        def total(counter: str) -> int:
            return sum(int(gate[counter][0]) for gate in self._gates.values())

        return QualityReport(
            source=self._source,
            symbols=tuple(self._gates),
            rows=self._rows,
            accepted=total("accepted"),
            start_ns=self._span[0] if self._span else None,
            end_ns=self._span[1] if self._span else None,
            sessions=total("new_session"),
            verdicts=dict(self._verdicts),
            bad_rows=tuple(self._bad_rows),
            locked=total("locked"),
            longest_gap_s=self._longest_gap / _NANOSECONDS,
            jumps_confirmed=total("jumps_confirmed"),
            jumps_dropped=total("jumps_dropped"),
            cumulative_volume=total("cumulative_volume") > 0,
            intervals={
                int(key): (int(self._interval_counts[key]), int(self._interval_sums[key]))
                for key in np.flatnonzero(self._interval_counts)
            },
        )


def judge_series(
    series: TickSeries, *, max_gap_s: float, max_jump: float, source: str = ""
) -> tuple[npt.NDArray[np.int8], QualityReport]:
    """Judge a whole series; return the verdicts, shape (n,), int8, and the report."""
    accumulator = QualityAccumulator(source, max_gap_s=max_gap_s, max_jump=max_jump)
    return accumulator.update(series), accumulator.report()


def enforce(report: QualityReport, data_config: DataConfig) -> None:
    """Refuse a source that is worse than the configuration allows.

    Raises
    ------
    DataError
        Refused rows where ``ON_BAD_ROW`` is "raise", or more of them than ``MAX_BAD_RATIO``; more
        than half of the rows out of time order; no accepted row at all.
    """
    name = report.source or "the data"
    if report.rows == 0:
        raise DataError(f"{name} has no rows; give at least one row of market data")
    more = "; ..." if report.refused > _MAX_LISTED_ROWS else ""
    listed = "; ".join(str(row) for row in report.bad_rows) + more
    if data_config.ON_BAD_ROW == "raise":
        allowed, way_out = 0.0, "set ON_BAD_ROW to 'drop'"
    else:
        allowed, way_out = data_config.MAX_BAD_RATIO, "raise MAX_BAD_RATIO"
    if report.bad_ratio > allowed:
        raise DataError(
            f"{name}: {report.refused} of {report.rows} rows cannot be used ({listed}); at most "
            f"{allowed:.3%} may be dropped. Prices must be positive, sizes zero or more, time "
            f"stamps later than 1970, all finite. Mend the rows, or {way_out}"
        )
    if report.out_of_order > _LARGEST_DISORDER * report.rows:
        raise DataError(
            f"{name}: {report.out_of_order} of {report.rows} rows are earlier than the row before "
            "them; sort the source by timestamp within each session"
        )
    if report.accepted == 0:
        counts = ", ".join(f"{verdict} {count}" for verdict, count in report.verdicts.items())
        raise DataError(
            f"{name}: none of {report.rows} rows has a usable book ({counts}); at least one row "
            "must have both sides with bid <= ask. Check that the columns are named rightly"
        )
