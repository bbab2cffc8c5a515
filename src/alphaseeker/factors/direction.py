"""Which way a factor is traded: as its blocks before pointed, as far as the bot knew them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["known_directions"]


def known_directions(
    ics: Sequence[npt.NDArray[np.float64]],
    starts: Sequence[npt.NDArray[np.int64]],
    known_at: Sequence[npt.NDArray[np.int64]],
) -> list[npt.NDArray[np.float64]]:
    """Return the sign of the mean IC of all blocks that were known when each block began.

    A block is known once its last forward return is: a horizon after its last row. The block just
    before is therefore left out wherever blocks follow one another.

    Parameters
    ----------
    ics
        For each symbol, shape (b,), float64: IC of each block; NaN where it has none.
    starts
        For each symbol, shape (b,), int64, nanoseconds: when each block begins.
    known_at
        For each symbol, shape (b,), int64, nanoseconds: when each block's IC is known.

    Returns
    -------
    list of numpy.ndarray
        For each symbol, shape (b,), float64: 1.0 long the highest quantile, -1.0 long the lowest,
        NaN before any block was known and where their mean is zero.
    """
    every = np.concatenate([np.empty(0), *ics])
    moments = np.concatenate([np.empty(0, np.int64), *known_at])
    known = np.isfinite(every)
    order = np.argsort(moments[known], kind="stable")
    moments = moments[known][order]
    signs = np.concatenate(([np.nan], np.sign(np.cumsum(every[known][order]))))
    signs[signs == 0.0] = np.nan
    return [signs[np.searchsorted(moments, start, side="right")] for start in starts]
