"""The calendar: the time of day, and the time to the next funding of perpetual contracts."""

from __future__ import annotations

import math
from typing import Any

from alphaseeker._jit import part
from alphaseeker.features.output import as_output

__all__ = ["write_calendar"]

MINUTE_NS = 60_000_000_000
MINUTES_A_DAY = 1440
FUNDING_MINUTES = 480
TURN = 2.0 * math.pi / MINUTES_A_DAY


@part
def write_calendar(rec: Any, timestamp: int) -> None:
    """Write the columns where a new minute has begun."""
    minute = timestamp // MINUTE_NS
    if minute == rec.clock.minute:
        return
    rec.clock.minute = minute
    out = rec.out.calendar
    of_day = minute % MINUTES_A_DAY
    out.hour_sin = as_output(math.sin(of_day * TURN))
    out.hour_cos = as_output(math.cos(of_day * TURN))
    out.funding_minutes = as_output(float(FUNDING_MINUTES - of_day % FUNDING_MINUTES))
