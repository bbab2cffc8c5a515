"""The quality report: what the gate said about a source, in numbers and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from alphaseeker.market.session_order import HOW_TO_ORDER

__all__ = ["BadRow", "LateRow", "QualityReport"]

_NANOSECONDS = 1_000_000_000
_REPORTED = (
    "start_ns", "end_ns", "rows", "accepted", "refused", "bad_ratio", "sessions", "gaps",
    "longest_gap_s", "median_interval_s", "mean_interval_s", "duplicates", "repaired", "empty_side",
    "crossed", "locked", "jumps", "jumps_confirmed", "jumps_dropped", "out_of_order", "returned",
    "depth_unsorted", "depth_duplicated", "depth_damaged", "cumulative_volume",
)  # fmt: skip

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_WITHOUT_LINES = (".parquet", ".pq", "dataframe")


class BadRow(NamedTuple):
    """One refused row: its number in the source, the field that was wrong and what it held.

    ``file`` is the one that it stands in where the source has several, else ``""``.
    """

    row: int
    field: str
    value: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.row}{_of(self.file)}: {self.field} is {self.value}{self._hint()}"

    def _hint(self) -> str:
        """Say what a value stands for that may not be found in the source."""
        if self.field == "timestamp":
            return " (empty, or no time)" if self.value == "0" else ""
        if self.value == "nan":
            return " (empty, or no number)"
        return " (beyond float32)" if _FLOAT32_MAX < abs(float(self.value)) < math.inf else ""


class LateRow(NamedTuple):
    """One row out of time order, and the accepted row whose time it falls behind.

    The files are those that they stand in where the source has several, else ``""``.
    """

    row: int
    time_ns: int
    behind_row: int
    behind_ns: int
    file: str = ""
    behind_file: str = ""


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
    late_rows
        The first ten rows out of time order.
    locked
        Accepted rows with bid = ask, whatever else was said about them.
    returned, returned_row, returned_file
        How often a session went on after another one of its symbol had begun, and the first row
        of them, with its file where the source has several; such a source is refused.
    longest_gap_s
        Longest time between two accepted rows of one session, seconds.
    jumps_confirmed, jumps_dropped
        Price jumps that later rows confirmed, and those that they did not.
    depth_unsorted, depth_duplicated
        Rows whose depth was mended: levels sorted, and of duplicated levels the last one kept.
    depth_damaged
        Rows, refused ones left out, with a level of depth that is neither sound nor absent: it
        counts as missing, and with it what stands behind it on its side.
    damaged_rows
        The first ten of them.
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
    late_rows: tuple[LateRow, ...] = ()
    locked: int = 0
    returned: int = 0
    returned_row: int | None = None
    returned_file: str = ""
    longest_gap_s: float = 0.0
    jumps_confirmed: int = 0
    jumps_dropped: int = 0
    depth_unsorted: int = 0
    depth_duplicated: int = 0
    depth_damaged: int = 0
    damaged_rows: tuple[BadRow, ...] = ()
    cumulative_volume: bool = False
    intervals: Mapping[int, tuple[int, int]] = field(default_factory=dict, repr=False)

    def _count(self, verdict: str) -> int:
        return self.verdicts.get(verdict, 0)

    @property
    def row_word(self) -> str:
        """What the rows' numbers count: ``"row"`` in frames and Parquet files, else ``"line"``."""
        return self._word("")

    def _word(self, file: str) -> str:
        """Return what the rows' numbers of one file count, or of a source of one."""
        return "row" if (file or self.source).lower().endswith(_WITHOUT_LINES) else "line"

    def place(self, row: BadRow) -> str:
        """Say where a row stands and what is wrong with it."""
        return f"{self._word(row.file)} {row}"

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

    def warnings(self) -> tuple[str, ...]:
        """Return what a user should know and can mend, one sentence each."""
        found = []
        if self.cumulative_volume:
            found.append(
                "volume rises and never falls: it looks like a running total; replace it by its "
                "differences (volume traded since the previous row)"
            )
        if self.returned:
            found.append(self.turns())
        if self.out_of_order:
            found.append(self.disorder())
        if self.depth_damaged:
            found.append(self.damage())
        return tuple(found)

    def damage(self) -> str:
        """Say which rows have damaged levels of depth, and what they count as."""
        listed = "; ".join(map(self.place, self.damaged_rows))
        more = "; ..." if self.depth_damaged > len(self.damaged_rows) else ""
        return (
            f"{self.depth_damaged} of {self.rows} rows have a damaged level of depth ({listed}"
            f"{more}), which counts as missing with what stands behind it on its side"
        )

    def turns(self) -> str:
        """Say where a session comes back, and what to do."""
        return (
            f"sessions of one symbol take turns: {self.returned} times one comes back after "
            f"another has begun, first in {self._word(self.returned_file)} {self.returned_row}"
            f"{_of(self.returned_file)}; {HOW_TO_ORDER}"
        )

    def disorder(self) -> str:
        """Say which rows are out of time order, behind which ones, and what to do."""
        rows_behind: dict[tuple[int, int, str, str], list[LateRow]] = {}
        for late in self.late_rows:
            key = late.behind_row, late.behind_ns, late.behind_file, late.file
            rows_behind.setdefault(key, []).append(late)
        places = []
        for (row, time_ns, behind_file, file), late_rows in rows_behind.items():
            lines = ", ".join(str(late.row) for late in late_rows)
            plural = "s" if len(late_rows) > 1 else ""
            places.append(
                f"{self._word(file)}{plural} {lines}{_of(file)} (from "
                f"{_iso(late_rows[0].time_ns)}) after {self._word(behind_file)} {row}"
                f"{_of(behind_file)} ({_iso(time_ns)})"
            )
        more = "; and more" if self.out_of_order > len(self.late_rows) else ""
        return (
            f"{self.out_of_order} of {self.rows} rows are earlier than an accepted row before "
            f"them and cannot be used: {'; '.join(places)}{more}. Where that row's "
            "time is wrong, mend or drop it; else sort the source by timestamp within each session"
        )

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
            "bad_rows": list(map(_plain, self.bad_rows)),
            "damaged_rows": list(map(_plain, self.damaged_rows)),
            "late_rows": list(map(_plain, self.late_rows)),
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
            "duplicates": f"{self.duplicates:,} (repaired: ignored)",
            "empty side": f"{self.empty_side:,}",
            "crossed": f"{self.crossed:,}",
            "locked": f"{self.locked:,}",
            "price jumps": f"{self.jumps:,} rows held, {self.jumps_confirmed:,} jumps confirmed, "
            f"{self.jumps_dropped:,} dropped",
            "out of order": f"{self.out_of_order:,}",
            "depth": f"{self.depth_unsorted:,} rows sorted, {self.depth_duplicated:,} rows with "
            "duplicated levels (mended: the last stays), "
            f"{self.depth_damaged:,} rows with damaged ones (missing)",
        }
        text = [f"{name:<14}{value}" for name, value in lines.items()]
        text += [f"{'refused row':<14}{self.place(row)}" for row in self.bad_rows]
        text += [f"{'warning':<14}{sentence}" for sentence in self.warnings()]
        return "\n".join(text)


def _of(file: str) -> str:
    """Return the file's name as it follows the number of a row; nothing for none."""
    return f" of {file}" if file else ""


def _plain(row: BadRow | LateRow) -> dict[str, Any]:
    """Return the fields of a row; files only where the source has several."""
    return {name: value for name, value in row._asdict().items() if "file" not in name or value}


def _iso(nanoseconds: int | None) -> str | None:
    """Return the UTC time as ISO text, None for None."""
    return None if nanoseconds is None else f"{np.datetime64(nanoseconds, 'ns')}Z"
