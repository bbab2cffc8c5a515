"""The columns that a stream was asked for, copied out of the features of all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import part
from alphaseeker.features.catalogue import FEATURES

__all__ = ["N_FEATURES", "copy_chosen", "first_of_row"]

N_FEATURES = len(FEATURES)
IN_CATALOGUE = np.uint64(N_FEATURES)


def first_of_row(columns: npt.NDArray[np.int64]) -> int:
    """Return the first of columns that stand in a row, as in the catalogue; -1 where not so."""
    if len(columns) == 0 or columns[0] < 0 or (np.diff(columns) != 1).any():
        return -1
    return int(columns[0])


@part
def copy_chosen(
    bits: npt.NDArray[np.uint32],
    columns: npt.NDArray[np.uint64],
    first: int,
    features: npt.NDArray[np.uint32],
) -> bool:
    """Copy the chosen columns, custom ones left out, and say whether one changed.

    They are compared by their bits: that needs no branch, and NaN equals itself.

    Parameters
    ----------
    bits
        Shape (N_FEATURES,): ``layout.feature_vector``, seen as whole numbers.
    columns
        Shape (k,): places in ``bits``. Custom columns have negative ones, which are beyond all
        others when seen without a sign; an index with one counts from the end, and is looked at
        for that.
    first
        From ``first_of_row``.
    features
        Shape (k,): written; float32 numbers, seen as whole ones.
    """
    differing = np.uint32(0)
    if first >= 0:
        row = bits[first : first + features.shape[0]]
        for j in range(features.shape[0]):
            differing |= row[j] ^ features[j]
            features[j] = row[j]
    else:
        for j in range(features.shape[0]):
            if columns[j] < IN_CATALOGUE:
                differing |= bits[columns[j]] ^ features[j]
                features[j] = bits[columns[j]]
    return bool(differing != 0)
