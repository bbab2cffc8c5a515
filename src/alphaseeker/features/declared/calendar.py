"""Calendar: the time of the day, and the time to the next funding of perpetual futures."""

from __future__ import annotations

from alphaseeker.features.declaration import Signal

__all__ = ["SIGNALS"]

SIGNALS: tuple[Signal, ...] = (
    Signal(
        family="calendar",
        name="hour_sin",
        unit="-1..1",
        formula="sin(2 pi M / 1440), M the whole minutes since midnight UTC",
    ),
    Signal(
        family="calendar",
        name="hour_cos",
        unit="-1..1",
        formula="cos(2 pi M / 1440)",
    ),
    Signal(
        family="calendar",
        name="funding_minutes",
        unit="minutes",
        formula="480 - (M mod 480): minutes to the next 0, 8 or 16 o'clock UTC, 1 to 480",
    ),
)
