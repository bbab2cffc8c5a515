"""Columns by factor grade, without those that repeat a better one: MAX_FEATURES and ``select``.

Grades are those of ``factors.evaluation`` on rows of the training part, over the label's horizon.
A million rows take half a second a column there, so that a sample is graded: first every k-th row,
as long as rows stay closer than a tenth of the horizon, then stretches of rows spread evenly.

- ``select="auto"`` drops the grades D and E (next to no points, or an order that comes from
  ranking a trend within its own block), then goes from the best grade down and passes over every
  column whose rank correlation with one already kept is above .9. A C stays: it may be short of
  significance among two hundred, and trees may need it beside others. Where fewer than 10 are left,
  the best of the rest join them, and a warning says so.
- MAX_FEATURES, with or without it, ends the same walk at that many columns.

Fitted columns (micro-price, integrated order flow) are not graded: their estimates were made on
these very rows, which would flatter them. Each stands right behind the unfitted column that is made
of the same quotes (weighted mid, order flow of the touch), with its grade, or last where that one
is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.features.block import FeatureBlock
from alphaseeker.training.fitted import FITTED
from alphaseeker.training.metrics import symbol_rank_correlation, symbol_ranks
from alphaseeker.training.selection import Selection

__all__ = ["GRADED_ROWS", "LEAST_SELECTED", "REDUNDANT", "graded_selection", "grading_sample"]

GRADED_ROWS = 50_000
ROWS_PER_HORIZON = 10
STRETCHES = 40

# Of two columns whose ranks are correlated by more than this, the one of the better grade stays.
REDUNDANT = 0.9

# What "auto" drops by grade, and the columns that it keeps whatever they are graded.
DROPPED_GRADES = ("D", "E")
LEAST_SELECTED = 10
_SELECTED = "select = 'auto'"


def graded_selection(
    selection: Selection,
    blocks: Sequence[FeatureBlock],
    train: npt.NDArray[np.bool_],
    forward_return: npt.NDArray[np.float64],
    config: Config,
    *,
    horizon_s: float,
    automatic: bool = False,
) -> Selection:
    """Keep the best columns of ``selection``, in the order that they stand in.

    The best by grade comes first; a column whose rank correlation with one already kept is above
    .9 is passed over. Where the training part is too short to grade, the absolute rank correlation
    with the forward return orders them, and ``automatic`` keeps ``LEAST_SELECTED``.

    Parameters
    ----------
    selection
        Columns of ``blocks`` that can be used.
    train
        Shape (n,): the training rows, over all rows of all blocks.
    forward_return
        Shape (n,), of all rows: NaN where unresolved.
    config
        MAX_FEATURES, FACTOR_CONFIG (but for FORWARD_S) and the transaction cost.
    horizon_s
        Horizon of the label, which the grades are for.
    automatic
        Drop columns by grade, too; else MAX_FEATURES alone says how many go.
    """
    total = len(selection.columns)
    limit = total if config.feature.MAX_FEATURES is None else config.feature.MAX_FEATURES
    if not automatic and total <= limit:
        return selection
    sample, rows = grading_sample(blocks, train, selection.columns, horizon_s=horizon_s)
    symbol = np.repeat(np.arange(len(sample)), [len(block) for block in sample])
    values = np.concatenate([block.values for block in sample])
    order, grades = _graded(sample, selection.names, config, horizon_s)
    by = "grade"
    if not order:
        by = "absolute rank correlation (too few rows to grade)"
        order = _by_correlation(values, forward_return[rows], symbol)
    order = _fitted_behind(order, selection.names)
    good = order
    if automatic:
        good = [p for p in order if grades.get(selection.names[p], "E") not in DROPPED_GRADES]
    kept = _without_repeats(values, symbol, good, limit)
    most = min(LEAST_SELECTED, limit) if automatic else limit
    filled = automatic and len(kept) < most
    if filled:
        kept = _without_repeats(values, symbol, order, most)
    left = sorted(kept)
    names = tuple(selection.names[place] for place in left)
    if not automatic or not grades:
        warning = (
            f"{total - len(left)} of {total} features dropped: below the best {most} by {by}, or "
            f"with a rank correlation above {REDUNDANT:g} to a better one "
            f"({_SELECTED if automatic else 'MAX_FEATURES'})"
        )
    elif filled:
        warning = (
            f"{len(good)} of {total} features are graded better than D on the training rows: the "
            f"best {len(left)} that differ are used all the same, and what they say may be noise "
            f"({_SELECTED})"
        )
    else:
        capped = "" if len(kept) < limit else f", or below the best {limit} (MAX_FEATURES)"
        warning = (
            f"{total - len(left)} of {total} features dropped: {total - len(good)} graded D or E, "
            f"{len(good) - len(left)} with a rank correlation above {REDUNDANT:g} to a better one"
            f"{capped} ({_SELECTED})"
        )
    return Selection(
        columns=tuple(selection.columns[place] for place in left),
        names=names,
        warnings=(*selection.warnings, *([warning] if filled or len(left) < total else [])),
        grades={name: grades[name] for name in names if name in grades},
    )


def _graded(
    sample: Sequence[FeatureBlock], names: Sequence[str], config: Config, horizon_s: float
) -> tuple[list[int], dict[str, str]]:
    """Return the places of the columns, best first, and their grades; nothing where too few rows.

    A fitted column has the grade of the unfitted one that it stands behind.
    """
    try:
        results = evaluate_factor_blocks(
            sample,
            config.override({"FORWARD_S": horizon_s}),
            unknown=FITTED,
            decay=False,
            context=False,
        )["factor_results"]
    except DataError:
        return [], {}
    position = {name: place for place, name in enumerate(names)}
    grades = {result["factor_name"]: result["grade"] for result in results}
    for name in FITTED & set(names):
        grades[name] = grades.get(_unfitted(name), "E")
    return [position[result["factor_name"]] for result in results], grades


def grading_sample(
    blocks: Sequence[FeatureBlock],
    train: npt.NDArray[np.bool_],
    columns: Sequence[int],
    *,
    horizon_s: float,
) -> tuple[list[FeatureBlock], npt.NDArray[np.int64]]:
    """Return about ``GRADED_ROWS`` of the training rows with ``columns``, and their row numbers.

    Rows that do not stand together begin a segment, so that no return runs over a hole.
    """
    total = max(int(train.sum()), 1)
    sample, numbers = [], []
    offset = 0
    for block in blocks:
        own = np.flatnonzero(train[offset : offset + len(block)])
        most = max(GRADED_ROWS * len(own) // total, 1)
        rows, breaks = _thinned(block.timestamp, own, most, horizon_s)
        sample.append(_taken(block, rows, breaks, columns))
        numbers.append(rows + offset)
        offset += len(block)
    return sample, np.concatenate(numbers)


def _thinned(
    timestamp: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    most: int,
    horizon_s: float,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return about ``most`` of ``rows``, and where one does not follow the one before it."""
    step = 1
    if len(rows) > most:
        steps = np.diff(timestamp[rows])
        near = steps[steps <= horizon_s * 1e9]
        apart = float(near.mean()) if len(near) else horizon_s * 1e9
        allowed = horizon_s * 1e9 / ROWS_PER_HORIZON / max(apart, 1.0)
        step = max(1, min(-(-len(rows) // most), int(allowed)))
    place = np.arange(0, len(rows), step)
    if len(place) > most:
        stretch = -(-len(place) // STRETCHES)
        place = place[np.arange(len(place)) % stretch < max(stretch * most // len(place), 1)]
    breaks = np.diff(place, prepend=place[:1]) > step
    taken = rows[place]
    # Rows of the training part itself may have a hole between them.
    hole = np.concatenate(([0], np.cumsum(np.diff(rows) > 1)))[: len(rows)]
    breaks |= np.diff(hole[place], prepend=hole[place[:1]]) > 0
    return taken, breaks


def _taken(
    block: FeatureBlock,
    rows: npt.NDArray[np.int64],
    breaks: npt.NDArray[np.bool_],
    columns: Sequence[int],
) -> FeatureBlock:
    values = np.empty((len(rows), len(columns)), dtype=np.float32)
    for place, column in enumerate(columns):
        values[:, place] = block.values[rows, column]
    segment = block.segment[rows]
    new = np.diff(segment, prepend=segment[:1]) != 0
    arrays = {
        name: getattr(block, name)[rows]
        for name in ("timestamp", "mid", "spread", "close", "history", "verdict", "row")
    }
    return replace(
        block,
        names=tuple(block.names[column] for column in columns),
        values=values,
        segment=np.cumsum(new | breaks).astype(np.int64),
        **arrays,
    )


def _by_correlation(
    values: npt.NDArray[np.float32],
    forward_return: npt.NDArray[np.float64],
    symbol: npt.NDArray[np.int64],
) -> list[int]:
    known = np.isfinite(forward_return)
    found = []
    for column in values.T:
        both = known & np.isfinite(column)
        pair = column[both].astype(np.float64), forward_return[both]
        found.append(abs(symbol_rank_correlation(*pair, symbol[both])) if both.any() else 0.0)
    # Stable: of equals the first in the order of the source stays.
    return [int(place) for place in np.argsort(-np.array(found), kind="stable")]


def _unfitted(name: str) -> str:
    """Return the name of the unfitted column that a fitted one takes its place from."""
    if name == "book.microprice_dev":
        return "book.wap_dev"
    return name.replace("depth.integrated_ofi_", "flow.ofi_")


def _fitted_behind(order: Sequence[int], names: Sequence[str]) -> list[int]:
    """Put each fitted column behind its unfitted one, and those that have none last."""
    fitted = {_unfitted(names[place]): place for place in order if names[place] in FITTED}
    found = []
    for place in order:
        if names[place] in FITTED:
            continue
        found.append(place)
        if names[place] in fitted:
            found.append(fitted.pop(names[place]))
    return [*found, *fitted.values()]


def _without_repeats(
    values: npt.NDArray[np.float32],
    symbol: npt.NDArray[np.int64],
    order: Sequence[int],
    limit: int,
) -> list[int]:
    """Go through the columns in ``order`` and keep ``limit`` of them that differ."""
    kept: list[int] = []
    ranks: list[npt.NDArray[np.float64]] = []
    for place in order:
        if len(kept) == limit:
            break
        own = _standard_ranks(values[:, place], symbol)
        if all(abs(float(own @ other)) <= REDUNDANT for other in ranks):
            kept.append(place)
            ranks.append(own)
    return kept


def _standard_ranks(
    column: npt.NDArray[np.float32], symbol: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return ranks of length 1 around 0; rows without a value stand in the middle."""
    finite = np.isfinite(column)
    ranks = np.zeros(len(column))
    if finite.any():
        ranks[finite] = symbol_ranks(column[finite].astype(np.float64), symbol[finite])
    length = float(np.sqrt(ranks @ ranks))
    return ranks / length if length > 0.0 else ranks
