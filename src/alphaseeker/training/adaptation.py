"""Calibrated probabilities of held-back rows as the live path would have adapted them.

See ``model.adaptive``. Every symbol begins with what the model was fitted to, at its first row, and
goes through all rows of its block from there on, in the order of time: those that are not asked
about tell prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.factors.forward_returns import is_coarse
from alphaseeker.features.block import FeatureBlock
from alphaseeker.model.adaptive import allocate_adaptive, mix_step
from alphaseeker.model.adaptive_labels import note_step, settle_step

__all__ = ["adapt"]

NANOSECONDS = 1_000_000_000


@kernel
def _adapt_rows(
    records: npt.NDArray[Any],
    timestamp: npt.NDArray[np.int64],
    segment: npt.NDArray[np.int64],
    price: npt.NDArray[np.float64],
    rows: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float64],
) -> None:
    """Go through a block from the first of ``rows`` to the last; probabilities are changed."""
    adaptive = records[0]
    place = 0
    for row in range(rows[0], rows[-1] + 1):
        settle_step(adaptive, timestamp[row], segment[row], price[row], row)
        if rows[place] == row:
            mix_step(adaptive, probabilities[place])
            note_step(adaptive, row)
            place += 1


def adapt(
    blocks: Sequence[FeatureBlock],
    rows: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float64],
    *,
    calibration: Mapping[str, Any],
    prior: Sequence[float],
    target: Mapping[str, Any],
    reference: Mapping[str, Any] | None,
) -> npt.NDArray[np.float64]:
    """Return what a session would answer at the rows, shape (m, 3).

    Parameters
    ----------
    blocks
        Of all symbols.
    rows
        Rising numbers of the rows on which the model is asked, counted over all blocks, shape (m,).
        The first rows of a symbol are those where its session begins.
    probabilities
        Calibrated probabilities of these rows, shape (m, 3); not changed.
    calibration, prior, target, reference
        Of the model, as its file holds them: where ``calibration["adaptive"]`` is absent or None,
        the probabilities stay what they are.
    """
    interval = float((reference or {}).get("grid_interval_s", 0.0))
    coarse = is_coarse(interval, round(float(target["horizon_s"]) * NANOSECONDS))
    adapted = probabilities.copy()
    start = 0
    for block in blocks:
        first, last = np.searchsorted(rows, (start, start + len(block)))
        if last > first:
            record = allocate_adaptive(
                calibration.get("adaptive"), prior=prior, target=target, coarse=coarse
            )
            if record["active"][0] == 0:
                return adapted
            _adapt_rows(
                record,
                block.timestamp,
                block.segment,
                block.close if target.get("label_price") == "close" else block.mid,
                rows[first:last] - start,
                adapted[first:last],
            )
        start += len(block)
    return adapted
