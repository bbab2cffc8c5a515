"""How much history a choice of columns needs before a signal may rest on them."""

from __future__ import annotations

from collections.abc import Sequence

from alphaseeker.features.catalogue import feature_named
from alphaseeker.features.declaration import Feature

__all__ = ["required_buckets"]


def required_buckets(
    names: Sequence[str],
    *,
    bucket_s: float,
    ready_history_s: float,
    custom: Sequence[Feature] = (),
) -> int:
    """Return the whole buckets after which every column of ``names`` has its history.

    Columns with a longer memory than ``ready_history_s`` (lags ahead of the memory apart) do not
    hold the signal back, nor do those that are never finite with such buckets: they are NaN, live
    exactly as in training.

    Raises
    ------
    ConfigError
        A name is neither in the catalogue nor among the columns of ``custom``.
    """
    needed = 0
    for name in names:
        feature = feature_named(name, custom)
        buckets = feature.history_buckets(bucket_s)
        if buckets is not None and feature.memory_s <= ready_history_s:
            needed = max(needed, buckets)
    return needed
