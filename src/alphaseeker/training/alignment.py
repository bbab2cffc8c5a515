"""Alignment of trades and quotes: volume and last price belong to the row that saw the mid move.

Trades move quotes, so volume goes with the size of the mid's change in the same row, signed volume
and the change of the last price with its direction. A file in which they go with the change of the
next row, or of a later one, was put together with trades stamped early (bars stamped with their
start, a backfilled close) or quotes stamped late. A model trained on it knows the future.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.ranks import average_ranks
from alphaseeker.training.leak_finding import Finding, drawn_correlations, surely_above

__all__ = ["CHECK", "check_alignment"]

CHECK = "alignment"
CELLS = 40
LEADS = 12  # rows that are looked at after a row's own
LEAST_ROWS = 1_000
LEAST_CORRELATION = 0.1
# Of four real captures one reaches 1.15 (a minute's bars of several venues), the others .55. A
# shift by one row makes 1.9 or more of those that were below 1.
TIMES_AS_MUCH = 1.5
# Events are looked at a second time in buckets: trades may be early by more than a row.
ROWS_A_BUCKET = 4

Array = npt.NDArray[np.float64]

ADVICE = (
    "every value must be stamped with the moment at which it was known: a bar with its end, a last "
    "price that was not filled backwards, quotes no older than the row"
)


def check_alignment(
    symbols: Sequence[str], ticks: Sequence[npt.NDArray[Any]], *, bucket_s: float
) -> list[Finding]:
    """Look whether volume and last price go with the mid's change of their own row.

    What counts is all symbols together; a single one that is out of line is named beside it.

    Parameters
    ----------
    symbols
        Names.
    ticks
        Accepted ticks of each, dtype ``TICK``.
    bucket_s
        Seconds; events are also looked at in buckets of this length.
    """
    tables = [_rows_of(one) for one in ticks]
    unit = "row"
    found = _judge(symbols, tables, unit)
    busy = [len(one) > 0 and _rows_a_bucket(one, bucket_s) >= ROWS_A_BUCKET for one in ticks]
    if not any(not finding.passed for finding in found) and all(busy) and busy:
        again = _judge(symbols, [_buckets_of(one, bucket_s) for one in ticks], f"{bucket_s:g} s")
        found += [finding for finding in again if not finding.passed]
    failed = [finding for finding in found if not finding.passed]
    return failed or found[:1]


Pairs = tuple[Array, list[Array]]
"""Values, and what of the mid goes with them: in the same row, and in each of the rows after."""

Table = dict[str, Pairs]


def _rows_of(ticks: npt.NDArray[Any]) -> Table:
    mid = 0.5 * (ticks["bid_price"] + ticks["ask_price"])
    same = np.diff(ticks["session"]) == 0
    volume, close = ticks["volume"], ticks["close"]
    return _table(mid, close, volume, ticks["buy_volume"] - ticks["sell_volume"], same)


def _table(
    mid: Array, close: Array, volume: Array, signed: Array, same: npt.NDArray[np.bool_]
) -> Table:
    """Pair rows with the mid's change up to them, and with those up to the rows that follow."""
    rows = len(mid) - 1 - LEADS
    if rows < 1:
        return {}
    moves = np.where(same, np.diff(np.log(mid)), np.nan)
    changes = np.where(same, np.diff(np.log(close)), np.nan)
    after = [moves[lead : lead + rows] for lead in range(LEADS + 1)]
    sizes = [np.abs(move) for move in after]
    return {
        "volume": (volume[1 : rows + 1], sizes),
        "buy_volume - sell_volume": (_or_nan(signed[1 : rows + 1]), after),
        "close": (_or_nan(changes[:rows]), after),
    }


def _or_nan(values: Array) -> Array:
    """Leave out rows without a trade: they say nothing about sides."""
    return np.where(values == 0.0, np.nan, values)


def _rows_a_bucket(ticks: npt.NDArray[Any], bucket_s: float) -> float:
    steps = np.diff(ticks["timestamp"])[np.diff(ticks["session"]) == 0]
    mean = float(steps.mean()) if len(steps) else 0.0
    return 1e9 * bucket_s / mean if mean > 0.0 else 0.0


def _buckets_of(ticks: npt.NDArray[Any], bucket_s: float) -> Table:
    """Return the same of sums and last values in buckets of time, none of them left out."""
    length = round(1e9 * bucket_s)
    names = ("mid", "close", "volume", "signed", "session")
    parts: dict[str, list[Array]] = {name: [] for name in names}
    starts = np.flatnonzero(np.diff(ticks["session"], prepend=ticks["session"][:1] - 1))
    for number, (first, stop) in enumerate(zip(starts, [*starts[1:], len(ticks)], strict=True)):
        one = ticks[first:stop]
        time = one["timestamp"] - one["timestamp"][0]
        edges = np.arange(length, int(time[-1]) + 1, length)
        last = np.searchsorted(time, edges, side="right")
        parts["mid"].append(0.5 * (one["bid_price"] + one["ask_price"])[last - 1])
        parts["close"].append(one["close"][last - 1])
        signed = one["buy_volume"] - one["sell_volume"]
        for name, flow in (("volume", one["volume"]), ("signed", signed)):
            total = np.concatenate([[0.0], np.cumsum(flow)])
            parts[name].append(np.diff(total[last], prepend=0.0))
        parts["session"].append(np.full(len(edges), float(number)))
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    same = np.diff(joined["session"]) == 0
    return _table(joined["mid"], joined["close"], joined["volume"], joined["signed"], same)


def _judge(symbols: Sequence[str], tables: Sequence[Table], unit: str) -> list[Finding]:
    found, notes, figures = [], [], {}
    for quantity in ("volume", "buy_volume - sell_volume", "close"):
        ranked = [_ranked(table[quantity]) if quantity in table else None for table in tables]
        kept = [item for item in ranked if item is not None]
        if sum(len(values) for values, _ in kept) < LEAST_ROWS:
            continue
        values = np.concatenate([item[0] for item in kept])
        after = [np.concatenate(parts) for parts in zip(*(item[1] for item in kept), strict=True)]
        own, later, lead, early = _correlations(values, after)
        figures[quantity] = {"own": own, "later": later, "later_by": lead}
        if early:
            found.append(_finding(quantity, unit, own, later, lead))
            continue
        alone = [
            symbol
            for symbol, item in zip(symbols, ranked, strict=True)
            if len(symbols) > 1 and item is not None and _leans(*_correlations(*item)[:2])
        ]
        notes += [f"{quantity} of {', '.join(alone)}"] if alone else []
    if found:
        return found
    note = (
        "; but of single symbols these go with a later change rather than their own, so that their "
        f"quotes are old or their trades early: {'; '.join(notes)}"
        if notes
        else ""
    )
    what = "volume and last price go with the mid's change of their own row"
    nothing = "there is too little trading to say whether trades and quotes are of one time"
    return [
        Finding(
            check=CHECK,
            passed=True,
            sentence=(what if figures else nothing) + note,
            figures=figures,
            judged=bool(figures),
        )
    ]


def _finding(quantity: str, unit: str, own: float, later: float, lead: int) -> Finding:
    which = f"the next {unit}" if lead == 1 else f"{lead} times a {unit} later"
    return Finding(
        check=CHECK,
        passed=False,
        sentence=(
            f"{quantity} goes with the mid's change of {which} ({later:+.2f}) more than with that "
            f"of its own {unit} ({own:+.2f}): it was stamped too early, or the quotes too late; "
            f"{ADVICE}"
        ),
        figures={"column": quantity, "own": own, "later": later, "later_by": lead, "unit": unit},
    )


def _leans(own: float, later: float) -> bool:
    return abs(later) >= max(LEAST_CORRELATION, TIMES_AS_MUCH * abs(own))


def _ranked(pairs: Pairs) -> Pairs | None:
    """Return the ranks of one symbol's rows where all is known, around 0."""
    values, after = pairs
    known = np.logical_and.reduce([np.isfinite(one) for one in (values, *after)])
    count = int(known.sum())
    if count < CELLS:
        return None
    ranks = [
        (average_ranks(np.ascontiguousarray(one[known])) - 0.5 * (count + 1)) / count
        for one in (values, *after)
    ]
    return ranks[0], ranks[1:]


def _correlations(values: Array, after: list[Array]) -> tuple[float, float, int, bool]:
    """Return the correlation with the own row's change, and the largest with a later one.

    Beside them stand the number of rows to the later one, and whether it is surely larger by far.
    """
    rows = len(values)
    point, draws = drawn_correlations(values, after, np.arange(rows) * CELLS // rows)
    lead = 1 + int(np.abs(point[1:]).argmax())
    own, later = float(point[0]), float(point[lead])
    drawn = np.abs(draws[:, lead]) - TIMES_AS_MUCH * np.abs(draws[:, 0])
    sure = surely_above(abs(later) - TIMES_AS_MUCH * abs(own), drawn)
    return own, later, lead, sure and _leans(own, later)
