"""Judging a source: how its quality report is counted, and how bad is too bad.

A report is built from pieces of any length in bounded memory: one gate record per symbol, the
counters, and a histogram of the times between rows.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import DataConfig
from alphaseeker.errors import DataError
from alphaseeker.market.depth import DEPTH_COLUMNS, find_damaged, repair_depth_series
from alphaseeker.market.gate import Verdict, allocate_gate, gate_ticks
from alphaseeker.market.quality_report import BadRow, LateRow, QualityReport
from alphaseeker.market.schema import TICK, TickSeries
from alphaseeker.market.session_order import SessionOrder

__all__ = [
    "BadRow",
    "LateRow",
    "QualityAccumulator",
    "QualityReport",
    "check_depth",
    "enforce",
    "judge_series",
]

logger = logging.getLogger(__name__)

_MAX_LISTED_ROWS = 10
_NANOSECONDS = 1_000_000_000
_LARGEST_DISORDER = 0.01  # share of rows out of order: beyond it, no accident
_BINS = 65 * 32


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
        self._late_rows: list[LateRow] = []
        self._last_rows: dict[str, tuple[int, str]] = {}  # the last accepted row, and its file
        self._order = SessionOrder()
        self._depth_repairs = np.zeros(2, dtype=np.int64)
        self._depth_damaged = 0
        self._damaged_rows: list[BadRow] = []
        self._returned = 0
        self._returned_row: int | None = None
        self._returned_file = ""
        self._span: tuple[()] | tuple[int, int] = ()
        self._longest_gap = 0
        self._interval_counts = np.zeros(_BINS, dtype=np.int64)
        self._interval_sums = np.zeros(_BINS, dtype=np.int64)

    def update(self, series: TickSeries) -> npt.NDArray[np.int8]:
        """Judge the next piece of its symbol and return the verdicts, shape (n,), int8.

        Depth is mended in place: levels out of order are sorted, of a duplicated one the last
        stays, a damaged one is missing with what stands behind it.
        """
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
        accepted = (verdicts >= Verdict.ACCEPTED) & (verdicts <= Verdict.NEW_SESSION)
        returned = self._order.returns(series.symbol, series.ticks["session"])
        if returned and self._returned_row is None:
            self._returned_row = int(series.rows[returned[0]])
            self._returned_file = series.file_of(returned[0])
        self._returned += len(returned)
        self._list_bad_rows(series, verdicts)
        self._mend_depth(series, verdicts)
        self._list_late_rows(series, verdicts, accepted, previous)
        self._measure_time(series.ticks["timestamp"][accepted], verdicts[accepted], previous)
        return verdicts

    def _list_bad_rows(self, series: TickSeries, verdicts: npt.NDArray[np.int8]) -> None:
        room = _MAX_LISTED_ROWS - len(self._bad_rows)
        for index in np.flatnonzero(verdicts < 0)[:room].tolist():
            # The refusals are numbered in the order of the tick's fields.
            name = (TICK.names or ())[-int(verdicts[index]) - 1]
            value = str(series.ticks[name][index])
            place = int(series.rows[index]), name, value, series.file_of(index)
            self._bad_rows.append(BadRow(*place))

    def _mend_depth(self, series: TickSeries, verdicts: npt.NDArray[np.int8]) -> None:
        if series.depth is None:
            return
        cells = np.empty(len(series), dtype=np.int64)
        if find_damaged(series.depth, cells):
            # A refused row has been counted as that.
            damaged = np.flatnonzero((cells >= 0) & (verdicts >= 0))
            self._depth_damaged += len(damaged)
            room = _MAX_LISTED_ROWS - len(self._damaged_rows)
            for index in damaged[:room].tolist():
                level, column = divmod(int(cells[index]), len(DEPTH_COLUMNS))
                name = f"{DEPTH_COLUMNS[column]}_{level + 1}"
                value = str(series.depth[index, level, column])
                place = int(series.rows[index]), name, value, series.file_of(index)
                self._damaged_rows.append(BadRow(*place))
        self._depth_repairs += repair_depth_series(series.depth)

    def _list_late_rows(
        self,
        series: TickSeries,
        verdicts: npt.NDArray[np.int8],
        accepted: npt.NDArray[np.bool_],
        previous: int,
    ) -> None:
        """List rows out of order; ``previous`` is the last time accepted before this piece."""
        times, rows = series.ticks["timestamp"], series.rows
        before = np.flatnonzero(accepted)
        room = _MAX_LISTED_ROWS - len(self._late_rows)
        for index in np.flatnonzero(verdicts == Verdict.OUT_OF_ORDER)[:room].tolist():
            place = int(np.searchsorted(before, index)) - 1
            (row, file), time = self._last_rows.get(series.symbol, (0, "")), previous
            if place >= 0:
                at = int(before[place])
                row, file, time = int(rows[at]), series.file_of(at), int(times[at])
            late = int(rows[index]), int(times[index])
            self._late_rows.append(LateRow(*late, row, time, series.file_of(index), file))
        if len(before):
            last = int(before[-1])
            self._last_rows[series.symbol] = int(rows[last]), series.file_of(last)

    def _measure_time(
        self, times: npt.NDArray[np.int64], codes: npt.NDArray[np.int8], previous: int
    ) -> None:
        """Measure the accepted rows."""
        if len(times) == 0:
            return
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
            late_rows=tuple(self._late_rows),
            locked=total("locked"),
            depth_unsorted=int(self._depth_repairs[0]),
            depth_duplicated=int(self._depth_repairs[1]),
            depth_damaged=self._depth_damaged,
            damaged_rows=tuple(self._damaged_rows),
            returned=self._returned,
            returned_row=self._returned_row,
            returned_file=self._returned_file,
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


def _allowed(data_config: DataConfig) -> tuple[float, str]:
    """Return the share of the rows that may be bad, and the setting that lets more pass."""
    if data_config.ON_BAD_ROW == "raise":
        return 0.0, "set ON_BAD_ROW to 'drop'"
    return data_config.MAX_BAD_RATIO, "raise MAX_BAD_RATIO"


def check_depth(report: QualityReport, data_config: DataConfig) -> None:
    """Refuse a source whose depth is worse than the configuration allows, and log what passes.

    Raises
    ------
    DataError
        Rows with damaged depth where ``ON_BAD_ROW`` is "raise", or more of them, with the refused
        rows, than ``MAX_BAD_RATIO``.
    """
    _refuse_damage(report, data_config)
    if report.depth_damaged:
        logger.warning("%s: %s", report.source or "the data", report.damage())


def _refuse_damage(report: QualityReport, data_config: DataConfig) -> None:
    if not report.depth_damaged:
        return
    name = report.source or "the data"
    allowed, way_out = _allowed(data_config)
    if report.refused + report.depth_damaged > allowed * report.rows:
        raise DataError(
            f"{name}: {report.damage()}; at most {allowed:.3%} of the rows may be damaged or "
            "refused. Mend the cells, leave both empty where a side has no such level, or "
            f"{way_out}"
        )


def enforce(report: QualityReport, data_config: DataConfig) -> None:
    """Refuse a source that is worse than the configuration allows, and log what it warns of.

    Raises
    ------
    DataError
        Refused rows, or rows with damaged depth, where ``ON_BAD_ROW`` is "raise", or more of them
        than ``MAX_BAD_RATIO``; a session that comes back after another one of its symbol has
        begun; more than 1 % of the rows out of time order; no accepted row at all.
    """
    name = report.source or "the data"
    if report.rows == 0:
        raise DataError(f"{name} has no rows; give at least one row of market data")
    more = "; ..." if report.refused > _MAX_LISTED_ROWS else ""
    listed = "; ".join(map(report.place, report.bad_rows)) + more
    allowed, way_out = _allowed(data_config)
    if report.bad_ratio > allowed:
        raise DataError(
            f"{name}: {report.refused} of {report.rows} rows cannot be used ({listed}); at most "
            f"{allowed:.3%} may be dropped. Prices must be positive, sizes zero or more, time "
            f"stamps later than 1970, all finite. Mend the rows, or {way_out}"
        )
    _refuse_damage(report, data_config)
    if report.returned:
        raise DataError(f"{name}: {report.turns()}")
    if report.out_of_order > _LARGEST_DISORDER * report.rows:
        raise DataError(
            f"{name}: {report.disorder()}; at most {_LARGEST_DISORDER:.0%} of the rows may be "
            "dropped for it"
        )
    if report.accepted == 0:
        counts = ", ".join(f"{verdict} {count}" for verdict, count in report.verdicts.items())
        raise DataError(
            f"{name}: none of {report.rows} rows has a usable book ({counts}); at least one row "
            "must have both sides with bid <= ask. Check that the columns are named rightly"
        )
    for warning in report.warnings():
        logger.warning("%s: %s", name, warning)
