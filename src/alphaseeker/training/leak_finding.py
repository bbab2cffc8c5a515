"""What a check for leaks says: a finding, and the statistic that several checks rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.training.bootstrap import resample_counts

__all__ = ["SURE", "Finding", "drawn_correlations", "surely_above"]

# Standard errors: hundreds of columns are looked at, and none of them may be accused by chance.
SURE = 4.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check says about one column or about the whole.

    Attributes
    ----------
    check
        Its name.
    passed
        False where it found a leak; True where it found none or could not judge.
    sentence
        What was found and what to do about it, for a person.
    figures
        The plain numbers behind it; ``column`` where it is about one.
    judged
        False where there was too little to judge by: nothing was found, and nothing is cleared.
    """

    check: str
    passed: bool
    sentence: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    judged: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "check": self.check,
            "passed": self.passed,
            "judged": self.judged,
            "sentence": self.sentence,
            "figures": dict(self.figures),
        }


def drawn_correlations(
    left: npt.NDArray[np.float64],
    rights: Sequence[npt.NDArray[np.float64]],
    cell: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return Pearson correlations of ``left`` with each of ``rights``, and the same in draws.

    Whole cells of time are drawn, the same ones for all pairs (see ``bootstrap``). Ranks that are
    handed in stay those of the sample.

    Parameters
    ----------
    left, rights
        Shape (n,), finite.
    cell
        Cell of time of each row, shape (n,), int64, from 0.

    Returns
    -------
    tuple
        Shape (k,), and shape (draws, k); 0 where one side does not vary.
    """
    cells = int(cell.max()) + 1
    draws = np.vstack([np.ones((1, cells)), resample_counts(cells)])

    def drawn(values: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
        return np.asarray(draws @ np.bincount(cell, values, cells))

    rows = np.maximum(drawn(None), 1.0)
    mean = drawn(left) / rows
    variance = drawn(left * left) / rows - mean**2
    found = []
    for right in rights:
        other = drawn(right) / rows
        product = variance * (drawn(right * right) / rows - other**2)
        moved = product > 1e-15
        covariance = drawn(left * right) / rows - mean * other
        found.append(np.where(moved, covariance / np.sqrt(np.where(moved, product, 1.0)), 0.0))
    table = np.column_stack(found)
    return table[0], table[1:]


def surely_above(value: float, draws: npt.NDArray[np.float64]) -> bool:
    """Say whether a statistic lies at least ``SURE`` standard errors of its draws above 0."""
    return bool(value > SURE * float(draws.std()))
