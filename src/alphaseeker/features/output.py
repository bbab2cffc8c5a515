"""Where a single feature leaves float64; a signal of several windows: ``lanes.output_writer``."""

from __future__ import annotations

import numpy as np

from alphaseeker._jit import part
from alphaseeker.kernels.lanes import SMALLEST

__all__ = ["SMALLEST", "as_output"]


@part
def as_output(value: float) -> np.float32:
    """Return ``value`` as float32, with -0.0 and everything up to 1e-35 in size as 0.0."""
    if abs(value) <= SMALLEST:
        return np.float32(0.0)
    return np.float32(value)
