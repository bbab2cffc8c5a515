"""Blocks of features made by hand."""

import numpy as np
import pytest

from alphaseeker.features.block import FeatureBlock
from alphaseeker.market.quality import QualityReport

SECOND = 10**9


@pytest.fixture
def make_block():
    """Return a function: columns by name (or a matrix), a mid and, if need be, times."""

    def make(columns, mid, *, timestamp=None, segment=None, symbol="TEST"):
        rows = len(mid)
        if isinstance(columns, dict):
            names, values = tuple(columns), np.column_stack(list(columns.values()))
        else:
            names, values = tuple(f"factor_{j}" for j in range(columns.shape[1])), columns
        zeros = np.zeros(rows, dtype=np.int64)
        return FeatureBlock(
            symbol=symbol,
            names=names,
            values=np.ascontiguousarray(values, dtype=np.float32),
            timestamp=np.arange(rows) * SECOND if timestamp is None else timestamp,
            mid=mid,
            spread=np.full(rows, 0.01),
            close=mid,
            segment=zeros if segment is None else segment,
            history=np.arange(rows),
            verdict=zeros.astype(np.int8),
            row=np.arange(1, rows + 1),
            bucket_s=1.0,
            quality=QualityReport(),
        )

    return make


@pytest.fixture
def random_walk():
    """Return a function: a mid whose steps are independent, normal or with heavy tails."""

    def walk(rng, rows, *, degrees=None, step=1e-4):
        normal = rng.standard_normal(rows)
        steps = normal if degrees is None else rng.standard_t(degrees, rows)
        return 100.0 * np.exp(np.cumsum(step * steps))

    return walk
