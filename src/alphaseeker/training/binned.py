"""LightGBM's data set out of a matrix that is read piece by piece.

LightGBM keeps a byte a cell. What it costs beside that is the sample from which it draws the
bounds of its bins: taken by itself out of a ``lightgbm.Sequence`` it is read row by row and held
three times as float64, 1.1 GB for 200,000 rows of 232 columns. Here the sample is a small data
set of its own, and the large one refers to its bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from alphaseeker.market.array_file import trim_memory
from alphaseeker.training.row_matrix import PIECE_ROWS, RowMatrix

if TYPE_CHECKING:
    import lightgbm

__all__ = ["SAMPLED_ROWS", "binned_dataset"]

# Rows that the bounds of the bins rest on: about 200 a bin.
SAMPLED_ROWS = 50_000

Matrix = npt.NDArray[np.float32]


def binned_dataset(
    matrix: RowMatrix | Matrix,
    label: npt.NDArray[Any],
    weight: npt.NDArray[np.float64] | None,
    names: Sequence[str],
    *,
    params: Mapping[str, Any],
    reference: lightgbm.Dataset | None = None,
    init_score: npt.NDArray[np.float64] | None = None,
) -> lightgbm.Dataset:
    """Return a constructed data set; the values themselves are not kept.

    The same values give the same bins, in memory or in a file, in rows or in columns.

    Parameters
    ----------
    matrix
        Shape (n, k), float32, n at least 1.
    label, weight
        Shape (n,).
    names
        The k column names.
    params
        LightGBM's parameters of the fit; ``max_bin`` and ``seed`` shape the bins.
    reference
        The training part, whose bins a validation part takes over.
    init_score
        Shape (n, classes): scores from which the fit begins.
    """
    import lightgbm

    # Columns that no leaf could part are the fit's to find: it knows the number of rows.
    params = {**params, "bin_construct_sample_cnt": SAMPLED_ROWS, "feature_pre_filter": False}
    if reference is None:
        sample = _sampled(matrix, int(params.get("seed", 0)))
        reference = lightgbm.Dataset(
            sample, np.zeros(len(sample)), feature_name=list(names), params=params
        ).construct()
        del sample
    # Freed pieces of the sample's size would else stand empty beside the bins.
    trim_memory()
    flat = None if init_score is None else np.ascontiguousarray(init_score.T).ravel()
    return lightgbm.Dataset(
        _sequence(matrix),
        label,
        weight=weight,
        init_score=flat,
        reference=reference,
        feature_name=list(names),
        params=params,
    ).construct()


def _sampled(matrix: RowMatrix | Matrix, seed: int) -> Matrix:
    """Return at most ``SAMPLED_ROWS`` rows, drawn without looking at them, in their order."""
    count = len(matrix)
    if count <= SAMPLED_ROWS:
        return np.ascontiguousarray(matrix) if isinstance(matrix, np.ndarray) else matrix.all()
    random = np.random.default_rng(seed)
    numbers = np.sort(random.choice(count, SAMPLED_ROWS, replace=False, shuffle=False))
    return matrix[numbers] if isinstance(matrix, np.ndarray) else matrix.take(numbers)


def _sequence(matrix: RowMatrix | Matrix) -> lightgbm.Sequence:
    """Return the matrix as LightGBM reads it: by slices, from top to bottom."""
    import lightgbm

    class Rows(lightgbm.Sequence):  # type: ignore[misc]
        batch_size = PIECE_ROWS

        def __len__(self) -> int:
            return len(matrix)

        def __getitem__(self, index: Any) -> Any:
            if isinstance(matrix, np.ndarray):
                return np.ascontiguousarray(matrix[index])
            return matrix.read(index.start, index.stop)

    return Rows()
