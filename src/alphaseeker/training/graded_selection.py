"""The best MAX_FEATURES columns: by factor grade, without those that repeat a better one.

Grades are those of ``factors.evaluation`` on rows of the training part, over the label's horizon.
A million rows take half a second a column there, so that a sample is graded: first every k-th row,
as long as rows stay closer than a tenth of the horizon, then stretches of rows spread evenly.

Fitted columns (micro-price, integrated order flow) are not graded: their estimates were made on
these very rows, which would flatter them. Each stands right behind the unfitted column that is made
of the same quotes (weighted mid, order flow of the touch), or last where that one is not there.
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

__all__ = ["GRADED_ROWS", "REDUNDANT", "graded_selection", "grading_sample"]

GRADED_ROWS = 50_000
ROWS_PER_HORIZON = 10
STRETCHES = 40

# Of two columns whose ranks are correlated by more than this, the one of the better grade stays.
REDUNDANT = 0.9


def graded_selection(
    selection: Selection,
    blocks: Sequence[FeatureBlock],
    train: npt.NDArray[np.bool_],
    forward_return: npt.NDArray[np.float64],
    config: Config,
    *,
    horizon_s: float,
) -> Selection:
    """Keep the best MAX_FEATURES columns of ``selection``, in the order that they stand in.

    The best by grade comes first; a column whose rank correlation with one already kept is above
    .9 is passed over. Where the training part is too short to grade, the absolute rank correlation
    with the forward return orders them.

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
    """
    limit = config.feature.MAX_FEATURES
    if limit is None or len(selection.columns) <= limit:
        return selection
    sample, rows = grading_sample(blocks, train, selection.columns, horizon_s=horizon_s)
    symbol = np.repeat(np.arange(len(sample)), [len(block) for block in sample])
    values = np.concatenate([block.values for block in sample])
    graded = config.override({"FORWARD_S": horizon_s})
    by = "grade"
    try:
        results = evaluate_factor_blocks(sample, graded, unknown=FITTED)["factor_results"]
        position = {name: place for place, name in enumerate(selection.names)}
        order = [position[result["factor_name"]] for result in results]
    except DataError:
        by = "absolute rank correlation (too few rows to grade)"
        order = _by_correlation(values, forward_return[rows], symbol)
    order = _fitted_behind(order, selection.names)
    kept = _without_repeats(values, symbol, order, limit)
    left = sorted(kept)
    total = len(selection.columns)
    warning = (
        f"{total - len(left)} of {total} features dropped: below the best {limit} by {by}, or with "
        f"a rank correlation above {REDUNDANT:g} to a better one (MAX_FEATURES)"
    )
    return Selection(
        columns=tuple(selection.columns[place] for place in left),
        names=tuple(selection.names[place] for place in left),
        warnings=(*selection.warnings, warning),
    )


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
