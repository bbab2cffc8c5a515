"""The rows of a fold that are fitted on: labelled, weighed, and checked to be enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config, ModelConfig
from alphaseeker.errors import DataError
from alphaseeker.features.block import FeatureBlock
from alphaseeker.training.dataset import Rows, warm_rows
from alphaseeker.training.folds import Fold
from alphaseeker.training.splits import MIN_ROWS, NANOSECONDS, refuse_short
from alphaseeker.training.target import Target, classify, fit_threshold, require_all_classes
from alphaseeker.training.weights import class_factors, require_class_weights, sample_weights

__all__ = ["Part", "TrainingData", "labelled_parts", "require_labels", "require_rows"]


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What every fold of a training shares.

    Attributes
    ----------
    blocks
        Features of each symbol, all with the same columns.
    rows
        All their rows, labelled.
    target
        Its threshold may be left to be fitted.
    config
        All sections.
    select
        None, "auto" or the names of the columns; see ``training.column_request``.
    """

    blocks: Sequence[FeatureBlock]
    rows: Rows
    target: Target
    config: Config
    select: str | tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """Warm, resolved rows of the training or of the validation part, each of shape (m,).

    Attributes
    ----------
    chosen
        Their numbers over all blocks, int64, rising.
    rows
        The rows.
    label
        int8, by the fitted threshold.
    weight
        float64: what each counts in the fit.
    """

    chosen: npt.NDArray[np.int64]
    rows: Rows
    label: npt.NDArray[np.int8]
    weight: npt.NDArray[np.float64]


def labelled_parts(
    data: TrainingData, fold: Fold, names: Sequence[str]
) -> tuple[Part, Part, Target]:
    """Return training and validation part, and the target with the threshold fitted on the first.

    Parameters
    ----------
    names
        The columns that rows must be warm for.

    Raises
    ------
    DataError
        A part has fewer than 30 rows, or the training part lacks a class or its weight.
    """
    rows, config = data.rows, data.config
    warm = rows.usable & warm_rows(
        data.blocks, names, ready_history_s=config.inference.READY_HISTORY_S
    )
    chosen = [
        np.flatnonzero(warm & fold.rows(part, rows.timestamp)) for part in ("train", "validation")
    ]
    for part, numbers in zip(("train", "validation"), chosen, strict=True):
        require_rows(part, numbers, data)
    outcome = rows.forward_return[chosen[0]]
    target = fit_threshold(data.target, outcome)
    label = classify(rows.forward_return, rows.barrier, target)
    try:
        require_all_classes(label[chosen[0]], outcome, target)
    except DataError as error:
        raise DataError(f"{fold.name}: {error}") from error
    taken = [rows.take(numbers) for numbers in chosen]
    weights = [_row_weights(one, config.model) for one in taken]
    require_class_weights(weights[0], label[chosen[0]])
    factors = np.ones(3)
    if config.model.class_weight is not None:
        factors = class_factors(weights[0], label[chosen[0]])
    train, validation = (
        Part(chosen=numbers, rows=own, label=label[numbers], weight=each * factors[label[numbers]])
        for numbers, own, each in zip(chosen, taken, weights, strict=True)
    )
    return train, validation, target


def _row_weights(rows: Rows, config: ModelConfig) -> npt.NDArray[np.float64]:
    half_life = config.recency_half_life_s
    return sample_weights(
        rows.timestamp,
        rows.label_end,
        rows.symbol,
        unique=config.label_weight is not None,
        half_life_ns=None if half_life is None else 1e9 * half_life,
    )


def require_labels(rows: Rows, target: Target) -> None:
    """Refuse with a DataError rows of which none has a label that the data resolve, and say why."""
    if len(rows) == 0 or (rows.label_end >= 0).any():
        return
    begins = np.flatnonzero(np.diff(rows.segment, prepend=rows.segment[0] - 1))
    ends = np.append(begins[1:], len(rows)) - 1
    longest = float((rows.timestamp[ends] - rows.timestamp[begins]).max()) / NANOSECONDS
    horizon = f"no row has a label: HORIZON_S is {target.horizon_s:g}, "
    if longest < target.horizon_s:
        raise DataError(
            f"{horizon}and the longest session (or stretch without a gap above MAX_GAP_S) lasts "
            f"{longest:g} s: shorten HORIZON_S, or bring longer sessions"
        )
    steps = np.diff(rows.timestamp)[np.diff(rows.segment) == 0]
    raise DataError(
        f"{horizon}and the rows of this grid lie {float(np.median(steps)) / NANOSECONDS:g} s "
        "apart, so that nothing is seen within it: raise HORIZON_S to that at least"
    )


def require_rows(part: str, chosen: npt.NDArray[np.int64], data: TrainingData) -> None:
    """Refuse a part of fewer than 30 usable rows with a DataError that says how much would do."""
    if len(chosen) < MIN_ROWS:
        timestamp = data.rows.timestamp
        raise refuse_short(
            part,
            len(chosen),
            rows=len(timestamp),
            span_ns=int(np.ptp(timestamp)),
            label_span_ns=data.target.horizon_ns,
            config=data.config.split,
        )
