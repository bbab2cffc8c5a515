"""What a setting may be, checked once on construction of its section."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
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
    "number",
    "one_of",
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


def all_or_list(item_type: type) -> Check:
    """Allow the word "all" or a non-empty list of ``item_type``."""
    allowed = f"'all' or a list of {item_type.__name__}"

    def check(value: Any) -> str | None:
        if isinstance(value, str):
            return None if value == "all" else allowed
        good = isinstance(value, (list, tuple)) and len(value) > 0
        return None if good and all(type(item) is item_type for item in value) else allowed

    return check


def key(default: Any, check: Check) -> Any:
    return field(default=default, metadata={"check": check})


BOOL = one_of(True, False)
FRACTION = number(0.0, 1.0)
NOT_NEGATIVE = number(0.0)


def plain(value: Any) -> Any:
    """Return scalars of NumPy as plain ones, a copy of a list, anything else as it is."""
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, (np.integer, np.bool_, np.str_)):
        return value.item()
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
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
