"""The feature catalogue: every signal declared once, with its unit, windows, formula and source.

Batch columns, streaming slots, the documentation and a model's schema hash all come from this
table. The rows stand in ``declared``, a module per family, in the notation of ``docs/features.md``;
a new signal is a row there and a line in its family's kernel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from alphaseeker.errors import ConfigError
from alphaseeker.features.declaration import Feature, Signal
from alphaseeker.features.declared import (
    aggressor,
    bars,
    book,
    calendar,
    depth,
    dynamics,
    flow,
    liquidity,
    momentum,
    trades,
    volatility,
)

__all__ = ["FAMILIES", "FEATURES", "SIGNALS", "WINDOWS", "feature_named", "schema_hash"]

# Every window and half-life that a column's name may hold, in seconds, in rising order.
WINDOWS = (1, 5, 30, 60, 300, 900)

# Columns stand in this order: what needs depth or the aggressor's side comes last, so that data
# without them have the columns of the others in the same places.
SIGNALS: tuple[Signal, ...] = (
    *book.SIGNALS,
    *dynamics.SIGNALS,
    *flow.SIGNALS,
    *momentum.SIGNALS,
    *volatility.SIGNALS,
    *bars.SIGNALS,
    *trades.SIGNALS,
    *liquidity.SIGNALS,
    *calendar.SIGNALS,
    *depth.SIGNALS,
    *aggressor.SIGNALS,
)

FEATURES: tuple[Feature, ...] = tuple(
    feature for signal in SIGNALS for feature in signal.features()
)
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(signal.family for signal in SIGNALS))

_BY_NAME = {feature.name: feature for feature in FEATURES}


def feature_named(name: str, custom: Sequence[Feature] = ()) -> Feature:
    """Return the declaration of one column of the catalogue or of ``custom``.

    Raises
    ------
    ConfigError
        No column has this name.
    """
    feature = _BY_NAME.get(name) or next((one for one in custom if one.name == name), None)
    if feature is None:
        own = ", ".join(one.name for one in custom) or "none"
        raise ConfigError(
            f"unknown feature {name!r}; `alphaseeker features` lists the {len(FEATURES)} there "
            f"are; custom ones at hand: {own}"
        )
    return feature


def schema_hash(names: Sequence[str], custom: Sequence[Feature] = ()) -> str:
    """Hash the full declarations of ``names`` in order: equal only where every column means the
    same thing, down to its formula (of a custom one, to its source), and stands in the same
    place."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(repr(feature_named(name, custom)).encode())
    return digest.hexdigest()
