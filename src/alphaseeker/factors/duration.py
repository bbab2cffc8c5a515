"""Lengths of time as words."""

from __future__ import annotations

__all__ = ["duration"]

_UNITS = ((86_400.0, "days"), (3_600.0, "h"), (60.0, "min"))
_LEAST = 10.0  # of a unit; below, the next smaller one says it, unless it is a whole number of them


def duration(seconds: float) -> str:
    """Return seconds as ``60 s``, ``10 min``, ``2 h`` or ``1 day``, with three digits at most.

    Ten of a unit or a whole number of them (but one of minutes) are told in it.
    """
    if seconds != 60.0:
        for length, unit in _UNITS:
            count = seconds / length
            if count >= _LEAST or (count >= 1.0 and count == round(count)):
                return "1 day" if seconds == 86_400.0 else f"{_plain(count)} {unit}"
    return f"{_plain(seconds)} s"


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 100.0 else f"{value:.3g}"
