"""What a setting may be, checked once on construction of its section."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import field, fields
from typing import Any

import numpy as np

from alphaseeker.errors import ConfigError

__all__ = [
    "BOOL",
    "FRACTION",
    "NOT_NEGATIVE",
    "Check",
    "Section",
    "all_or_list",
    "key",
    "list_of",
    "number",
    "one_of",
    "only",
    "path_or_none",
    "tables",
]

Check = Callable[[Any], str | None]


def number(
    low: float, high: float = math.inf, *, integer: bool = False, words: tuple[Any, ...] = ()
) -> Check:
    """Allow a finite number in [low, high], or one of ``words``."""
    kind = "a whole number" if integer else "a number"
    allowed = f"{kind} from {low:g}" + (f" to {high:g}" if high < math.inf else " up")
    allowed += "".join(f", or {word!r}" for word in words)

    def check(value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return None if value in words else allowed
        right_type = isinstance(value, int if integer else (int, float))
        if right_type and not isinstance(value, bool) and low <= value <= high:
            # Not isfinite(), which fails on whole numbers beyond any float.
            return None if value <= sys.float_info.max else allowed
        return allowed

    return check


def one_of(*words: Any) -> Check:
    """Allow exactly these values (of exactly these types)."""
    allowed = "one of " + ", ".join(repr(word) for word in words)

    def check(value: Any) -> str | None:
        return None if any(type(value) is type(w) and value == w for w in words) else allowed

    return check


def only(word: str, reason: str) -> Check:
    """Allow one word, and say why there is no other."""
    allowed = f"{word!r}: {reason}"

    def check(value: Any) -> str | None:
        return None if type(value) is str and value == word else allowed

    return check


def all_or_list(item_type: type) -> Check:
    """Allow the word "all" or a non-empty list of ``item_type``."""
    allowed = f"'all' or a list of {item_type.__name__}"

    def check(value: Any) -> str | None:
        if isinstance(value, str):
            return None if value == "all" else allowed
        good = isinstance(value, (list, tuple)) and len(value) > 0
        return None if good and all(type(item) is item_type for item in value) else allowed

    return check


def path_or_none(value: Any) -> str | None:
    """Allow the path of a folder as text, or None."""
    good = value is None or (isinstance(value, str) and value != "" and "\0" not in value)
    return None if good else "the path of a folder, or None"


def tables(checks: dict[str, Check]) -> Check:
    """Allow a mapping of names to mappings of some of these keys, each with its check."""
    allowed = f"a mapping of name to a mapping of some of {', '.join(checks)}"

    def check(value: Any) -> str | None:
        if not isinstance(value, Mapping):
            return allowed
        for name, table in value.items():
            known = isinstance(name, str) and isinstance(table, Mapping)
            if not known or not set(table) <= set(checks):
                return allowed
            for item, entry in table.items():
                problem = checks[item](entry)
                if problem is not None:
                    return f"{allowed}, where {item} is {problem}"
        return None

    return check


def list_of(item: Check) -> Check:
    """Allow a list, empty or not, each item of which ``item`` allows."""

    def check(value: Any) -> str | None:
        if not isinstance(value, (list, tuple)):
            return "a list"
        wrong = next(filter(None, map(item, value)), None)
        return None if wrong is None else f"a list, each item {wrong}"

    return check


def key(default: Any, check: Check) -> Any:
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"check": check})
    return field(default=default, metadata={"check": check})


BOOL = one_of(True, False)
FRACTION = number(0.0, 1.0)
NOT_NEGATIVE = number(0.0)


def plain(value: Any) -> Any:
    """Return plain scalars, a path as text, a copy of a list or mapping, else ``value``."""
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, (np.integer, np.bool_, np.str_)):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return value


class Section:
    """Checks every field on construction."""

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            given = getattr(self, item.name)
            value = plain(given)
            if value is not given:
                object.__setattr__(self, item.name, value)
            allowed = item.metadata["check"](value)
            if allowed is not None:
                raise ConfigError(f"{item.name} is {value!r}; it must be {allowed}")
