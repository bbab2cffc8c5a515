"""How much history a choice of columns needs before a signal may rest on them."""

from __future__ import annotations

from collections.abc import Sequence

from alphaseeker.features.catalogue import feature_named

__all__ = ["required_buckets"]


def required_buckets(names: Sequence[str], *, bucket_s: float, ready_history_s: float) -> int:
    """Return the whole buckets after which every column of ``names`` has its history.

    Columns with a longer memory than ``ready_history_s`` do not hold the signal back, nor do those
    whose window is shorter than a bucket: they are NaN, live exactly as in training.

    Raises
    ------
    ConfigError
        A name is not in the catalogue.
    """
    needed = 0
    for name in names:
        feature = feature_named(name)
        buckets = feature.history_buckets(bucket_s)
        if buckets is not None and feature.window_s <= ready_history_s:
            needed = max(needed, buckets)
    return needed
