"""The calendar: the time of day, and how long it is to the next funding of perpetual futures."""

import math

from oracles.features.segment import SECOND

DAY_MINUTES = 24 * 60
FUNDING_MINUTES = 8 * 60


def columns(segment, i):
    minute = int(segment.t[i]) // (60 * SECOND) % DAY_MINUTES
    angle = 2 * math.pi * minute / DAY_MINUTES
    return {
        "calendar.hour_sin": (math.sin(angle), 1.0),
        "calendar.hour_cos": (math.cos(angle), 1.0),
        "calendar.funding_minutes": (float(FUNDING_MINUTES - minute % FUNDING_MINUTES), 0.0),
    }
