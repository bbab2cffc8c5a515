"""The one place where a feature leaves float64."""

from __future__ import annotations

import numpy as np

from alphaseeker._jit import part

__all__ = ["SMALLEST", "as_output"]

# LightGBM reads |x| <= 1e-35 as zero; flushed here, every predictor sees the same number.
SMALLEST = 1e-35


@part
def as_output(value: float) -> np.float32:
    """Return ``value`` as float32, with -0.0 and everything up to 1e-35 in size as 0.0."""
    if abs(value) <= SMALLEST:
        return np.float32(0.0)
    return np.float32(value)
