"""p-values corrected for the number of factors that were tried."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError

__all__ = ["benjamini_hochberg", "bonferroni", "holm"]


def _checked(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1:
        raise DataError(f"p-values have shape {values.shape}; give one row of numbers")
    outside = ~((0.0 <= values) & (values <= 1.0))
    if outside.any():
        raise DataError(f"p-value {values[outside][0]} is not from 0 to 1")
    return values


def bonferroni(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return p-values times their number, at most 1: bounds the chance of any false discovery.

    Parameters
    ----------
    p_values
        Shape (m,), each from 0 to 1.

    Raises
    ------
    DataError
        A number outside 0 to 1, NaN, or another shape.
    """
    values = _checked(p_values)
    return np.minimum(values * len(values), 1.0)


def holm(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return step-down corrected p-values: Bonferroni's bound, never weaker (Holm, 1979).

    Parameters
    ----------
    p_values
        Shape (m,), each from 0 to 1.

    Raises
    ------
    DataError
        A number outside 0 to 1, NaN, or another shape.
    """
    values = _checked(p_values)
    order = np.argsort(values, kind="stable")
    tests_left = np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(values[order] * tests_left)
    return np.minimum(corrected, 1.0)


def benjamini_hochberg(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return step-up corrected p-values: bounds the expected share of false discoveries.

    Source: Benjamini and Hochberg (1995).

    Parameters
    ----------
    p_values
        Shape (m,), each from 0 to 1.

    Raises
    ------
    DataError
        A number outside 0 to 1, NaN, or another shape.
    """
    values = _checked(p_values)
    order = np.argsort(values, kind="stable")[::-1]
    scale = len(values) / np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum.accumulate(values[order] * scale)
    return np.minimum(corrected, 1.0)
