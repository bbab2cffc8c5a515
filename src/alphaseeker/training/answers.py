"""What a model and its baselines say on rows that they have never seen, and how answers are joined.

Each fold has a model, a prior and a threshold of its own: all of that is kept by row, so that the
rows of all folds can be judged as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ModelError
from alphaseeker.features.block import FeatureBlock
from alphaseeker.market.array_file import release, stored_like
from alphaseeker.model.decision import allocate_decision, choices_of, probabilities_of
from alphaseeker.training import baselines as simple
from alphaseeker.training.adaptation import adapt
from alphaseeker.training.dataset import Rows, gather
from alphaseeker.training.importance import HeldSample, sample_places
from alphaseeker.training.metrics import direction_score
from alphaseeker.training.row_matrix import RowMatrix, score_rows
from alphaseeker.training.target import HOLD, classify, target_from_dict

__all__ = ["Answers", "EvaluatedModel", "ScoreMatrix", "answer", "columns_of", "join_answers"]

NEUTRAL = {"temperature": 1.0, "bias": [0.0, 0.0, 0.0], "min_confidence": 0.0}

ScoreMatrix = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]
"""Raw scores, shape (n, 3), of a float32 matrix, shape (n, k)."""


class EvaluatedModel(Protocol):
    """What an evaluation needs of a model: fits of folds, ``TrainedModel``, ``ModelArtifact``."""

    @property
    def model_text(self) -> str:
        """LightGBM's text model."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The k columns in the model's order."""

    @property
    def class_prior(self) -> tuple[float, float, float]:
        """Class shares of the training part."""

    @property
    def calibration(self) -> dict[str, Any]:
        """``temperature``, ``bias`` and ``min_confidence`` among others."""

    @property
    def target(self) -> dict[str, Any]:
        """``Target.to_dict()`` with the fitted threshold."""

    @property
    def training(self) -> dict[str, Any]:
        """``baselines`` and ``ready_history_s`` among others."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Answers on m rows; every array has one value or line a row.

    Attributes
    ----------
    chosen
        int64, rising: numbers of the rows over all blocks.
    rows
        The rows.
    label
        int8: classes by the threshold of the model that was asked.
    prior
        float64, (m, 3): class shares of that model's training part.
    probabilities
        float64, (m, 3), calibrated, and adapted where the model's calibration goes on.
    unadapted
        float64, (m,): p_buy - p_sell of the calibrated probabilities before they were adapted.
    choice
        int8: the most probable class, ties are HOLD.
    side
        int8: +1, -1, 0: what the engine would do, the smallest confidence applied.
    rivals
        Probabilities of each baseline, float64, (m, 3), calibrated and adapted as the model's are;
        the class prior stays what it is.
    book
        The columns of the book by name, float32, (m,).
    """

    chosen: npt.NDArray[np.int64]
    rows: Rows
    label: npt.NDArray[np.int8]
    prior: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]
    unadapted: npt.NDArray[np.float64]
    choice: npt.NDArray[np.int8]
    side: npt.NDArray[np.int8]
    rivals: Mapping[str, npt.NDArray[np.float64]]
    book: Mapping[str, npt.NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.chosen)

    def within(self, start: int, end: int) -> Answers:
        """Return the answers on the rows from ``start`` to before ``end``, nanoseconds."""
        times = self.rows.timestamp
        return self._take(np.flatnonzero((start <= times) & (times < end)))

    def release(self) -> None:
        """Give back the memory through which answers that stand in files were read."""
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Rows):
                arrays = [getattr(value, name.name) for name in fields(value)]
            else:
                arrays = list(value.values()) if isinstance(value, Mapping) else [value]
            for array in arrays:
                if array is not None:
                    release(array)

    def _take(self, places: npt.NDArray[np.int64]) -> Answers:
        changed: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Mapping):
                changed[item.name] = {name: one[places] for name, one in value.items()}
            else:
                changed[item.name] = (
                    value.take(places) if isinstance(value, Rows) else value[places]
                )
        return Answers(**changed)


def columns_of(blocks: Sequence[FeatureBlock], names: Sequence[str]) -> list[int]:
    """Return the numbers of the columns with these names.

    Raises
    ------
    ModelError
        The blocks lack one.
    """
    known = {name: position for position, name in enumerate(blocks[0].names)}
    missing = [name for name in names if name not in known]
    if missing:
        raise ModelError(
            f"the model needs {len(missing)} features that the blocks lack ({missing[0]!r} is the "
            "first): compute the features by the names that the model holds"
        )
    return [known[name] for name in names]


def answer(
    blocks: Sequence[FeatureBlock],
    rows: Rows,
    model: EvaluatedModel,
    score_matrix: ScoreMatrix,
    chosen: npt.NDArray[np.int64],
    *,
    asked: npt.NDArray[np.int64] | None = None,
) -> tuple[Answers, HeldSample]:
    """Ask a model and its baselines about the rows with the numbers ``chosen``.

    Parameters
    ----------
    blocks, rows
        Features of all symbols, and all their rows.
    model
        The model.
    score_matrix
        Its raw scores.
    chosen
        Rising row numbers.
    asked
        Rising numbers of all rows on which the engine would ask, those among them whose label is
        not resolved: they have their place in ``model.adaptive``. None for ``chosen`` alone.

    Returns
    -------
    tuple
        The answers, and a sample of the rows to measure importances on.

    Raises
    ------
    ModelError
        The blocks lack a column of the model.
    """
    target = target_from_dict(model.target)
    columns = columns_of(blocks, model.feature_names)
    label = classify(rows.forward_return, rows.barrier, target)
    free = {**model.calibration, "min_confidence": 0.0}
    adaptive = model.calibration.get("adaptive") is not None
    stream = asked if adaptive and asked is not None else chosen
    own = np.searchsorted(stream, chosen)

    def adapted(calibrated: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return adapt(
            blocks,
            stream,
            calibrated,
            calibration=model.calibration,
            prior=model.class_prior,
            target=model.target,
            reference=model.training.get("reference"),
        )[own]

    last = simple.last_resolved_label(rows.timestamp, rows.segment, rows.label_end, label)
    fitted = model.training["baselines"]
    # What follows the labels for the model does so for them, or beating them would say nothing.
    rivals = {
        "class_prior": simple.prior_probabilities(model.class_prior, len(chosen)),
        "last_label": adapted(simple.last_label_probabilities(last[stream], fitted["last_label"])),
    }
    logistic = fitted["logistic"]
    if logistic is not None:
        read = columns_of(blocks, logistic["features"])
        rivals["logistic"] = adapted(
            simple.logistic_probabilities(gather(blocks, stream, read), logistic)
        )
    matrix = RowMatrix(blocks, stream, columns)
    decision = allocate_decision(free)
    calibrated = probabilities_of(decision, score_rows(score_matrix, matrix))
    probabilities = adapted(calibrated)
    choice = choices_of(decision, probabilities)
    decided = choices_of(allocate_decision(model.calibration), probabilities)
    places = sample_places(len(chosen))
    sample = HeldSample(
        names=model.feature_names,
        matrix=matrix.take(own[places]),
        label=label[chosen[places]],
        score_matrix=score_matrix,
        calibration=free,
    )

    def stored(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        # Those of every fold are there until the last one is fitted.
        return stored_like(values, rows.timestamp)

    book = {
        name: stored(gather(blocks, chosen, [column])[:, 0])
        for column, name in enumerate(blocks[0].names)
        if name.startswith("book.")
    }
    rivals = {name: stored(values) for name, values in rivals.items()}
    return Answers(
        chosen=stored(chosen),
        rows=rows.take(chosen),
        label=label[chosen],
        prior=rivals["class_prior"],
        probabilities=stored(probabilities),
        unadapted=stored(direction_score(calibrated[own])),
        choice=choice,
        # Anything beyond the three classes (low confidence) is a HOLD.
        side=np.where(decided <= 2, decided - HOLD, 0).astype(np.int8),
        rivals=rivals,
        book=book,
    ), sample


def join_answers(parts: Sequence[Answers]) -> Answers:
    """Put the answers of several folds together, in the order of the rows; none may stand twice."""
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.concatenate([part.chosen for part in parts]), kind="stable")
    changed: dict[str, Any] = {}
    for item in fields(Answers):
        values = [getattr(part, item.name) for part in parts]
        if isinstance(values[0], Mapping):
            changed[item.name] = {
                name: np.concatenate([value[name] for value in values])[order] for name in values[0]
            }
        elif isinstance(values[0], Rows):
            changed[item.name] = Rows.join(values).take(order)
        else:
            changed[item.name] = np.concatenate(values)[order]
    return Answers(**changed)
