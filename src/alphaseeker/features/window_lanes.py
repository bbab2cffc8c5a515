"""A lane is a window: where each window of the catalogue stands among eight numbers side by side.

What the families keep by window lies in the order of ``WINDOWS``, one lane each, so that families
with different windows meet lane by lane; the lanes left over are never ready.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alphaseeker.features.catalogue import WINDOWS
from alphaseeker.kernels.lanes import WIDE, column_reader, output_writer

__all__ = ["lane_of", "reader", "writer"]

if len(WINDOWS) > WIDE:
    raise ImportError(
        f"the catalogue has {len(WINDOWS)} windows, and there are lanes for {WIDE}: declare "
        "the new signal over windows that other signals have"
    )


def lane_of(window: int) -> int:
    """Return the lane of a window given in seconds."""
    return WINDOWS.index(window)


def reader(windows: Sequence[int]) -> Any:
    """Return ``read(matrix, column)``, which fills the lanes of ``windows``."""
    return column_reader([lane_of(window) for window in windows])


def writer(windows: Sequence[int]) -> Any:
    """Return ``write(field, lanes)`` for the outputs of a signal that has these windows."""
    return output_writer([lane_of(window) for window in windows])
