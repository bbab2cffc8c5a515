"""Which columns of the catalogue a user asks for: by name, by family, by window."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Hashable, Sequence
from typing import TypeVar

from alphaseeker.errors import ConfigError
from alphaseeker.features.catalogue import FAMILIES, FEATURES, WINDOWS
from alphaseeker.features.declaration import Feature

__all__ = ["choose_features"]

Item = TypeVar("Item", bound=Hashable)

BY_NAME = {feature.name: feature for feature in FEATURES}


def choose_features(
    features: Sequence[str] | None = None,
    *,
    families: Sequence[str] | None = None,
    windows: Sequence[int] | None = None,
) -> tuple[str, ...]:
    """Return the names of the columns that pass every filter given.

    Parameters
    ----------
    features
        Names; their order is kept. By default the whole catalogue, in its order.
    families
        Keep the columns of these families.
    windows
        Keep the columns of these windows, in seconds; those without a window in their name stay.

    Raises
    ------
    ConfigError
        A name, family or window is not in the catalogue or stands twice, or no column is left.
    """
    chosen = tuple(BY_NAME)
    if features is not None:
        chosen = _checked("features", features, BY_NAME)
    if families is not None:
        wanted = _checked("families", families, FAMILIES)
        chosen = tuple(name for name in chosen if BY_NAME[name].family in wanted)
    if windows is not None:
        lengths = _checked("windows", windows, WINDOWS)
        chosen = tuple(n for n in chosen if _window(BY_NAME[n]) in (None, *lengths))
    if not chosen:
        raise ConfigError(
            f"features {features!r}, families {families!r} and windows {windows!r} together leave "
            "no column: leave one of them at None"
        )
    return chosen


def _window(feature: Feature) -> int | None:
    """Return the window in the column's name, None where it names none."""
    named = feature.name != f"{feature.family}.{feature.signal}"
    return feature.window_s if named else None


def _checked(key: str, items: Sequence[Item], known: Collection[Item]) -> tuple[Item, ...]:
    if isinstance(items, str) or not isinstance(items, Collection):
        raise ConfigError(f"{key} is {items!r}; it must be a list, such as {[*known][:2]!r}")
    for item in items:
        if item not in known:
            names = {str(one): one for one in known}
            nearest = difflib.get_close_matches(str(item), names, n=1, cutoff=0.0)
            raise ConfigError(
                f"{key} holds {item!r}, which is not in the catalogue of features; the nearest "
                f"is {names[nearest[0]]!r}, `alphaseeker features` lists all"
            )
    if len(set(items)) < len(items):
        twice = next(item for item in items if list(items).count(item) > 1)
        raise ConfigError(f"{key} holds {twice!r} twice; each may stand once")
    return tuple(items)
