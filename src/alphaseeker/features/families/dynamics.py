"""Family 2, dynamics: how the book stands against its own recent past."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from alphaseeker._jit import part
from alphaseeker.features.declared.dynamics import DYNAMICS_WINDOWS, IMBALANCE_HALF_LIVES
from alphaseeker.features.declared.momentum import MOMENTUM_WINDOWS
from alphaseeker.features.groups import LOG_DEPTH, QUOTES, SIGN_TIME, SPREAD
from alphaseeker.features.output import as_output
from alphaseeker.features.window_lanes import lane_of, reader, writer
from alphaseeker.kernels.deviations import SERIES, window_score
from alphaseeker.kernels.lane_math import where
from alphaseeker.kernels.lanes import load_wide

__all__ = ["series_score", "write_imbalance_averages", "write_persistence", "write_quote_dynamics"]

SHORT, LONG = lane_of(5), lane_of(300)
_sum = reader(DYNAMICS_WINDOWS)
_write = writer(DYNAMICS_WINDOWS)
_write_average = writer(IMBALANCE_HALF_LIVES)
_deviation = reader(MOMENTUM_WINDOWS)


@part
def series_score(rec: Any, series: int | np.int64, present: float) -> Any:
    """Return the z-scores of ``present`` in every window of a series of the deviations.

    NaN where the window has not been seen in full.

    Parameters
    ----------
    series
        Its number in ``groups``.
    """
    group = rec.deviations
    full = load_wide(group.full, 0)
    sums = group.sums
    deviation = present - _deviation(group.references, series)
    # All bucket ends of the window are equal, and the reference is one of them: told by the bucket
    # of the last change, not by a rounded variance.
    level = full <= float(rec.clock.bucket - rec.state.level_since[series])
    score = window_score(
        _deviation(sums, series), _deviation(sums, SERIES + series), full + 1.0, deviation
    )
    score = where(level & (deviation == 0.0), 0.0, score)
    return where(full <= float(rec.clock.seen), score, math.nan)


@part
def write_quote_dynamics(rec: Any) -> None:
    """Write what changes when the quote changes or a bucket closes."""
    out = rec.out.dynamics
    quote = rec.quote
    group = rec.flow
    partial = group.partial
    _write(out.spread_z, series_score(rec, np.int64(SPREAD), quote.spread))
    _write(out.depth_z, series_score(rec, np.int64(LOG_DEPTH), quote.log_depth))
    changes = _sum(group.sums, QUOTES) + partial[QUOTES]
    ready = load_wide(group.full, 0) <= float(rec.clock.seen)
    _write(out.quote_rate, where(ready, changes * load_wide(group.rates, 0), math.nan))
    short = group.lengths[SHORT]
    long = group.lengths[LONG]
    if short > 0 and rec.clock.seen >= long:
        many = group.sums[LONG, QUOTES] + partial[QUOTES]
        if many > 0.0:
            recent = group.sums[SHORT, QUOTES] + partial[QUOTES]
            out.quote_rate_ratio = as_output(recent * long / (many * short))
        else:
            out.quote_rate_ratio = as_output(1.0)


@part
def write_imbalance_averages(rec: Any) -> None:
    """Write the imbalance's averages, and its distance from them."""
    out = rec.out.dynamics
    ready = load_wide(rec.flow.full, 0) <= float(rec.clock.seen)
    average = where(ready, load_wide(rec.averages.imbalances, 0), math.nan)
    _write_average(out.imbalance_mean, average)
    _write_average(out.imbalance_change, rec.quote.imbalance - average)


@part
def write_persistence(rec: Any) -> None:
    """Write for how much of the windows one side was the larger."""
    group = rec.flow
    ready = load_wide(group.full, 0) <= float(rec.clock.seen)
    signed = _sum(group.sums, SIGN_TIME) + group.partial[SIGN_TIME]
    persistence = where(ready, signed * load_wide(group.rates, 0), math.nan)
    _write(rec.out.dynamics.imbalance_persistence, persistence)
