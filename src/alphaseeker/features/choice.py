"""Which columns of the catalogue a user asks for: by name, family, window or grade."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from alphaseeker.errors import ConfigError
from alphaseeker.features.catalogue import FAMILIES, FEATURES, WINDOWS
from alphaseeker.features.declaration import Feature

__all__ = ["GRADES", "Grades", "choose_features"]

Item = TypeVar("Item", bound=Hashable)

# Best first, as ``factors.grade`` gives them.
GRADES = ("AAA", "AA", "A", "B", "C", "D", "E")

Grades = Mapping[str, str] | Sequence[Mapping[str, Any]]
"""A grade by column, or the rows of an evaluation's ``factor_results``."""

BY_NAME = {feature.name: feature for feature in FEATURES}


def choose_features(
    features: Sequence[str] | None = None,
    *,
    families: Sequence[str] | None = None,
    windows: Sequence[float] | None = None,
    grades: Grades | None = None,
    min_grade: str = "B",
    custom: Sequence[Feature] = (),
) -> tuple[str, ...]:
    """Return the names of the columns that pass every filter given.

    Parameters
    ----------
    features
        Names; their order is kept. By default the whole catalogue in its order, and ``custom``.
    families
        Keep the columns of these families.
    windows
        Keep the columns of these windows, in seconds; those without a window in their name stay.
    grades, min_grade
        Keep the columns that ``grades`` gives ``min_grade`` or better.
    custom
        Declarations of columns beside the catalogue's.

    Raises
    ------
    ConfigError
        A name, family, window or grade does not exist or stands twice, or no column is left.
    """
    known = BY_NAME | {feature.name: feature for feature in custom}
    chosen = tuple(known)
    if features is not None:
        chosen = _checked("features", features, known)
    if families is not None:
        every = (*FAMILIES, *{feature.family: None for feature in custom})
        wanted = _checked("families", families, every)
        chosen = tuple(name for name in chosen if known[name].family in wanted)
    if windows is not None:
        own = {window for feature in custom if (window := _window(feature)) is not None}
        lengths = _checked("windows", windows, sorted({*WINDOWS, *own}))
        chosen = tuple(n for n in chosen if _window(known[n]) in (None, *lengths))
    if grades is not None:
        good = _graded(grades, min_grade)
        chosen = tuple(name for name in chosen if name in good)
    if not chosen:
        graded = "" if grades is None else f" and grades from {min_grade} up"
        raise ConfigError(
            f"features {features!r}, families {families!r}, windows {windows!r}{graded} together "
            "leave no column: leave one of them at None"
        )
    return chosen


def _graded(grades: Grades, min_grade: str) -> set[str]:
    """Return the names that ``grades`` gives ``min_grade`` or better."""
    if min_grade not in GRADES:
        raise ConfigError(f"min_grade is {min_grade!r}; it must be one of {', '.join(GRADES)}")
    if isinstance(grades, Mapping):
        given = dict(grades)
    else:
        try:
            given = {row["factor_name"]: row["grade"] for row in grades}
        except (TypeError, KeyError) as error:
            raise ConfigError(
                "grades must be a grade by feature name, or the `factor_results` of an evaluation "
                f"(rows with factor_name and grade); {error!r}"
            ) from error
    unknown = sorted({str(grade) for grade in given.values()} - set(GRADES))
    if unknown:
        raise ConfigError(f"grades holds {unknown[0]!r}; a grade is one of {', '.join(GRADES)}")
    return {name for name, grade in given.items() if GRADES.index(grade) <= GRADES.index(min_grade)}


def _window(feature: Feature) -> float | None:
    """Return the window in the column's name, None where it names none."""
    named = feature.name != f"{feature.family}.{feature.signal}"
    return feature.window_s if named else None


def _checked(key: str, items: Sequence[Item], known: Collection[Item]) -> tuple[Item, ...]:
    if isinstance(items, str) or not isinstance(items, Collection):
        raise ConfigError(f"{key} is {items!r}; it must be a list, such as {[*known][:2]!r}")
    for item in items:
        if item not in known:
            raise ConfigError(
                f"{key} holds {item!r}, which is not in the catalogue of features; the nearest "
                f"is {_nearest(item, known)!r}, `alphaseeker features` lists all"
            )
    if len(set(items)) < len(items):
        twice = next(item for item in items if list(items).count(item) > 1)
        raise ConfigError(f"{key} holds {twice!r} twice; each may stand once")
    return tuple(items)


def _nearest(item: Hashable, known: Collection[Item]) -> Item:
    """Return the number that is nearest to one, and the name that is written most like one."""
    numbers = [one for one in known if isinstance(one, (int, float))]
    if numbers and isinstance(item, (int, float)):
        return min(numbers, key=lambda one: abs(one - item))
    names = {str(one): one for one in known}
    return names[difflib.get_close_matches(str(item), names, n=1, cutoff=0.0)[0]]
