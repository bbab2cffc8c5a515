"""Golden rows: features and the scores that LightGBM gave for them when the model was made.

They are stored in the model file and replayed by every predictor before it serves: a predictor
that does not give the very same raw scores is not used.
"""

from __future__ import annotations

from time import perf_counter_ns

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.errors import ModelError
from alphaseeker.model.decision import N_CLASSES
from alphaseeker.model.lightgbm_text import read_splits, validate_model_text
from alphaseeker.model.predictor import Predictor, call_predictor

__all__ = ["GOLDEN_ROWS", "build_golden", "golden_places", "time_in_turn", "verify_golden"]

GOLDEN_ROWS = 1000
"""Most golden rows of a model."""

_SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1e-35, -1e-35, 3.4e38, -3.4e38],
    dtype=np.float32,
)
RUN_ROWS = 50  # neighbouring rows in a run
TIMED_RUNS = 5
_CHANGED_SHARE = 0.5  # of the features in a changed row


def _changed(
    rows: npt.NDArray[np.float32], splits: list[tuple[int, float]], seed: int
) -> npt.NDArray[np.float32]:
    """Put thresholds, their float32 neighbours and special values into half of the cells."""
    random = np.random.default_rng(seed)
    by_column: dict[int, list[float]] = {}
    for column, threshold in splits:
        by_column.setdefault(column, []).append(threshold)
    for column in range(rows.shape[1]):
        # A threshold is a double midway between values; float32 has it, or it lies between two.
        at = np.clip(np.unique(by_column.get(column, [])), -3.4e38, 3.4e38).astype(np.float32)
        below = np.nextafter(at, np.float32(-np.inf))
        above = np.nextafter(at, np.float32(np.inf))
        near = np.concatenate([at, below, above])
        values = np.concatenate([random.choice(near, 64), _SPECIAL]) if near.size else _SPECIAL
        chosen = random.random(len(rows)) < _CHANGED_SHARE
        rows[chosen, column] = random.choice(values, int(chosen.sum()))
    return rows


def _runs(available: int, wanted: int) -> npt.NDArray[np.int64]:
    """Return the places of runs of neighbouring rows, spread evenly."""
    length = min(RUN_ROWS, available)
    count = -(-wanted // length)
    begins = np.linspace(0, available - length, count).astype(np.int64)
    places: npt.NDArray[np.int64] = (begins[:, None] + np.arange(length)).ravel()[:wanted]
    return places


def golden_places(available: int) -> npt.NDArray[np.int64]:
    """Return which of ``available`` rows ``build_golden`` keeps as they are, shape (500,), int64.

    Given these rows alone it keeps them all, so that the others need not be read.
    """
    return _runs(available, GOLDEN_ROWS // 2)


def build_golden(
    model_text: str, matrix: npt.NDArray[np.float32], *, rows: int = GOLDEN_ROWS, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Choose golden rows and let ``lightgbm.Booster`` score them.

    The first half are short runs of rows in a row, spread evenly over ``matrix``: what live ticks
    look like, for ``time_in_turn``. The other half are rows of it with cells set to thresholds of
    the model, their float32 neighbours, NaN, infinities, signed zeros and subnormal numbers, which
    is where predictors go wrong.

    Parameters
    ----------
    model_text
        LightGBM's text model.
    matrix
        Shape (n, k), float32, n at least 1: rows like those the model will see.
    rows
        Golden rows wanted, at most ``GOLDEN_ROWS``.
    seed
        Seed of the changed rows.

    Returns
    -------
    tuple
        Features, shape (rows, k) float32, and raw scores, shape (rows, 3) float64.

    Raises
    ------
    ModelError
        The model text is not valid, ``matrix`` has no row or the wrong columns, or ``rows`` is
        out of range.
    """
    from lightgbm import Booster

    shape = validate_model_text(model_text)
    if matrix.ndim != 2 or len(matrix) == 0 or matrix.shape[1] != shape.n_features:
        raise ModelError(
            f"golden rows need rows of {shape.n_features} features; the matrix has shape"
            f" {matrix.shape}"
        )
    if not 2 <= rows <= GOLDEN_ROWS:
        raise ModelError(f"rows is {rows}, it must lie in 2..{GOLDEN_ROWS}")
    plain = rows // 2
    features = np.empty((rows, matrix.shape[1]), dtype=np.float32)
    features[:plain] = matrix[_runs(len(matrix), plain)]
    spread = np.linspace(0, len(matrix) - 1, rows - plain).astype(np.int64)
    features[plain:] = _changed(matrix[spread].astype(np.float32), read_splits(model_text), seed)
    booster = Booster(model_str=model_text)
    scores = booster.predict(features, raw_score=True, num_threads=1)
    return features, np.ascontiguousarray(scores, dtype=np.float64)


@kernel
def _bound_rows(
    entry: int,
    context: int,
    rows: npt.NDArray[np.float32],
    buffer: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float64],
    result: npt.NDArray[np.float64],
) -> None:
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            buffer[j] = rows[i, j]
        call_predictor(entry, (context, 0))
        for j in range(scores.shape[0]):
            result[i, j] = scores[j]


def time_in_turn(predictor: Predictor, features: npt.NDArray[np.float32]) -> float:
    """Return what a row costs that follows the one before it in time, in ns.

    Parameters
    ----------
    predictor
        One that has proved itself.
    features
        Golden rows; the first half is timed. In files of another making these rows do not follow
        each other: then this is the cost of rows far apart.
    """
    rows = np.ascontiguousarray(features[: max(1, len(features) // 2)])
    spent = []
    for _ in range(TIMED_RUNS):
        start = perf_counter_ns()
        _predict_in_turn(predictor, rows)
        spent.append(perf_counter_ns() - start)
    return min(spent) / len(rows)


def _predict_in_turn(
    predictor: Predictor, features: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Return the raw scores, shape (n, 3), as a session asks for them: it may keep some."""
    buffer = np.full(features.shape[1], np.nan, dtype=np.float32)
    scores = np.zeros(N_CLASSES)
    bound = predictor.bind(buffer, scores)
    result = np.empty((len(features), N_CLASSES))
    _bound_rows(bound.entry, bound.context, features, buffer, scores, result)
    return result


def verify_golden(
    predictor: Predictor,
    features: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float64],
) -> None:
    """Replay the golden rows: one by one, as a matrix, and in turn as live ticks come.

    Parameters
    ----------
    predictor
        The predictor on trial.
    features, scores
        What ``build_golden`` gave.

    Raises
    ------
    ModelError
        A raw score differs: says for how many rows, and by how much at most.
    """
    by_row = np.empty(scores.shape, dtype=np.float64)
    for row in range(len(features)):
        predictor.predict_row(features[row], by_row[row])
    forms = (
        ("rows", by_row),
        ("matrix", predictor.predict_matrix(features)),
        ("ticks", _predict_in_turn(predictor, features)),
    )
    for form, given in forms:
        differs = (given != scores).any(axis=1)
        if differs.any():
            first = int(np.argmax(differs))
            raise ModelError(
                f"the predictor {predictor.name!r} ({form}) differs from the model's golden scores"
                f" in {int(differs.sum())} of {len(scores)} rows; row {first} gives"
                f" {given[first].tolist()}, it must give {scores[first].tolist()}; train the model"
                " again with the installed version of LightGBM, or get the file again"
            )
