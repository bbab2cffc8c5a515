"""Columns made with hindsight: what they know ends where no causal knowledge would end.

A causal column may well be correlated with the past, and with the return that follows. But what it
knows fades over time at the market's pace. It cannot fade at the pace of the table: within one row,
or at the very end of a horizon that somebody chose for a label. So three questions are asked of the
mid's returns over stretches after the row, each a rank correlation with the column:

- ``next row``: is half of the correlation with the return to the horizon gone once the first row's
  share of that return is left out? A close that is already the next trade, a quote of the row
  after, a label off by one do that. On a random walk a column that knows the next second and
  nothing else has 1 / sqrt(60) = .13 with the return of a minute, and 0 a second later. (Rows count
  as time here: of events in one instant, and of rows further apart than a tenth of the horizon, it
  is not asked.)
- ``label's end``: is the second half of the horizon known, and the same stretch after it not?
- ``too good``: is nearly all of the return known, by a column that no quote explains?

And one question of the raw data, ``alignment``: volume, its signed form and the last price move
with the mid's change of their own row. Where they move with that of the next row, they were stamped
a row early, or the quotes a row late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.forward_returns import forward_return
from alphaseeker.features.block import FeatureBlock
from alphaseeker.training.bootstrap import MIN_CELLS, time_cells
from alphaseeker.training.leak_finding import Finding, drawn_correlations, surely_above
from alphaseeker.training.metrics import symbol_ranks

__all__ = ["CHECK", "Outlook", "check_columns", "outlook"]

CHECK = "hindsight"
MOST_ROWS = 200_000
LEAST_ROWS = 1_000

LEAST_IC = 0.1
SKIPPED_SHARE = 0.1  # of the horizon, at most: what is left out must be little of it
LOST_AT_NEXT_ROW = 2.0  # times as much with the next row as without it
LOST_AT_END = 3.0  # times as much before the horizon's end as after it
# On the real captures the best column has .49 (a second on BTC/USDT, imbalance of the best quote).
TOO_GOOD_IC = 0.65
TOO_GOOD_RATIO = 1.5

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Returns of the mid after chosen rows, as ranks, over stretches of time.

    Attributes
    ----------
    chosen
        Row numbers over all blocks, shape (m,), int64.
    symbol, cell
        Of those rows, shape (m,), int64.
    stretches
        By name, the ranks of the returns, shape (m,): ``whole`` is the horizon; ``later`` begins a
        row later, ``second half`` in its middle, ``beyond`` at its end.
    skip_s
        Seconds that ``later`` leaves out.
    """

    chosen: npt.NDArray[np.int64]
    symbol: npt.NDArray[np.int64]
    cell: npt.NDArray[np.int64]
    stretches: dict[str, Array]
    skip_s: float


def outlook(blocks: Sequence[FeatureBlock], horizon_ns: int) -> Outlook | None:
    """Return what follows the rows, or None where the data is too short to judge.

    It is too short with fewer than 20 cells of five horizons, or 1,000 rows.
    """
    spacing = _row_spacing(blocks)
    half = horizon_ns // 2
    ends = {"whole": horizon_ns, "beyond": horizon_ns + half, "half": half, "skip": spacing}
    if spacing > half:
        # Rows so far apart have nothing between them.
        ends = {"whole": horizon_ns, "beyond": 2 * horizon_ns}
    elif not 0 < spacing <= SKIPPED_SHARE * horizon_ns:
        del ends["skip"]
    found = {
        name: np.concatenate([forward_return(b.timestamp, b.mid, b.segment, end) for b in blocks])
        for name, end in ends.items()
    }
    known = np.flatnonzero(np.logical_and.reduce([np.isfinite(r) for r in found.values()]))
    if len(known) < LEAST_ROWS:
        return None
    chosen = known[:: -(-len(known) // MOST_ROWS)]
    times = np.concatenate([block.timestamp for block in blocks])[chosen]
    symbol = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])[chosen]
    cell = time_cells(times, horizon_ns)
    if int(cell.max()) + 1 < MIN_CELLS:
        return None
    taken = {name: values[chosen] for name, values in found.items()}
    returns = {"whole": taken["whole"], "beyond": taken["beyond"] - taken["whole"]}
    if "half" in taken:
        returns["second half"] = taken["whole"] - taken["half"]
    if "skip" in taken:
        returns["later"] = taken["whole"] - taken["skip"]
    return Outlook(
        chosen=chosen,
        symbol=symbol,
        cell=cell,
        stretches={name: symbol_ranks(values, symbol) for name, values in returns.items()},
        skip_s=spacing / 1e9,
    )


def _row_spacing(blocks: Sequence[FeatureBlock]) -> int:
    """Return the median time between rows of a segment that are not of one instant, in ns."""
    steps = []
    for block in blocks:
        step = np.diff(block.timestamp)
        steps.append(step[(np.diff(block.segment) == 0) & (step > 0)])
    every = np.concatenate(steps)
    return int(np.median(every)) if len(every) else 0


def check_columns(
    names: Sequence[str],
    columns: Iterable[npt.NDArray[np.float32]],
    ahead: Outlook,
    *,
    horizon_s: float,
) -> list[Finding]:
    """Ask every column whether it knows what only hindsight can.

    Parameters
    ----------
    names
        The k names; the best of those of the book is what others are compared with.
    columns
        k columns over all rows of all blocks, each of shape (n,); read one at a time.
    ahead
        What follows the rows.
    horizon_s
        For the sentences.

    Returns
    -------
    list of Finding
        One for each column that is accused, or a single one that passed.
    """
    figures = {}
    for name, values in zip(names, columns, strict=True):
        measured = _measure(values[ahead.chosen], ahead)
        if measured is not None:
            figures[name] = measured
    book = max(
        (abs(ic[0]["whole"]) for n, ic in figures.items() if n.startswith("book.")), default=0.0
    )
    found = []
    for name, (point, draws) in figures.items():
        sentence = _accuse(name, point, draws, ahead, book, horizon_s)
        if sentence:
            found.append(
                Finding(
                    check=CHECK,
                    passed=False,
                    sentence=sentence,
                    figures={"column": name, **{f"ic {k}": v for k, v in point.items()}},
                )
            )
    if found:
        return found
    best = max(figures, key=lambda name: abs(figures[name][0]["whole"]), default="")
    known = f"; the best is {best} with IC {figures[best][0]['whole']:+.3f}" if best else ""
    return [
        Finding(
            check=CHECK,
            passed=True,
            sentence=(
                f"none of {len(figures)} columns loses at the next row or at the label's end what "
                f"it knows of the {horizon_s:g} s to come{known}"
            ),
            figures={"columns": len(figures), "rows": len(ahead.chosen)},
            judged=bool(figures),
        )
    ]


def _measure(
    values: npt.NDArray[np.float32], ahead: Outlook
) -> tuple[dict[str, float], dict[str, Array]] | None:
    """Return the rank correlation with every stretch, and the same in draws."""
    finite = np.isfinite(values)
    if int(finite.sum()) < LEAST_ROWS:
        return None
    # Cells in which the column was never seen say nothing, and are not drawn.
    seen, cell = np.unique(ahead.cell[finite], return_inverse=True)
    if len(seen) < MIN_CELLS:
        return None
    own = symbol_ranks(values[finite].astype(np.float64), ahead.symbol[finite])
    rights = [ranks[finite] for ranks in ahead.stretches.values()]
    point, draws = drawn_correlations(own, rights, cell.astype(np.int64))
    return (
        dict(zip(ahead.stretches, point.tolist(), strict=True)),
        dict(zip(ahead.stretches, draws.T, strict=True)),
    )


def _lost(
    point: dict[str, float], draws: dict[str, Array], before: str, after: str, times: float
) -> bool:
    """Say whether surely more than ``times`` as much is known of one stretch as of the other."""
    if before not in point or after not in point or abs(point[before]) < LEAST_IC:
        return False
    excess = abs(point[before]) - times * abs(point[after])
    return surely_above(excess, np.abs(draws[before]) - times * np.abs(draws[after]))


def _accuse(
    name: str,
    point: dict[str, float],
    draws: dict[str, Array],
    ahead: Outlook,
    book: float,
    horizon_s: float,
) -> str:
    """Return the sentence that accuses a column, or nothing."""
    whole = point["whole"]
    if _lost(point, draws, "whole", "later", LOST_AT_NEXT_ROW):
        return (
            f"{name} knows the next row: its IC with the return of {horizon_s:g} s is "
            f"{whole:+.3f}, and {point['later']:+.3f} without the first "
            f"{ahead.skip_s:g} s of it; it holds a price, quote or trade of the row after, or the "
            "label begins a row early: stamp every value with the moment at which it was known"
        )
    if _lost(point, draws, "second half", "beyond", LOST_AT_END):
        return (
            f"{name} knows the label: it has a correlation of {point['second half']:+.3f} with the "
            f"second half of the {horizon_s:g} s to come and {point['beyond']:+.3f} with as long a "
            "stretch after them; no market knows where a label ends: leave out what was computed "
            "from the label or from the price at its end"
        )
    far_apart = "second half" not in point
    sudden = far_apart and _lost(point, draws, "whole", "beyond", LOST_AT_END)
    good = abs(whole) >= TOO_GOOD_IC and abs(whole) >= TOO_GOOD_RATIO * _others(name, book)
    if good and (sudden or not far_apart) and surely_above(abs(whole), draws["whole"]):
        return (
            f"{name} knows too much: its IC with the return of {horizon_s:g} s is {whole:+.3f}, "
            f"the best column of the book has {book:.3f}; look for a price of after the row in it"
        )
    return ""


def _others(name: str, book: float) -> float:
    # A column of the book is not to be excused by itself.
    return 0.0 if name.startswith("book.") else book
