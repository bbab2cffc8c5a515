"""Family 2, dynamics: how the book stands against its own recent past."""

from __future__ import annotations

from typing import Any

import numpy as np

from alphaseeker._jit import part
from alphaseeker.features.declared.dynamics import DYNAMICS_WINDOWS, IMBALANCE_HALF_LIVES
from alphaseeker.features.declared.flow import FLOW_WINDOWS
from alphaseeker.features.declared.momentum import MOMENTUM_WINDOWS
from alphaseeker.features.groups import LOG_DEPTH, QUOTES, SIGN_TIME, SPREAD, STACKS
from alphaseeker.features.layout import HALF_LIVES
from alphaseeker.features.output import as_output
from alphaseeker.kernels.deviations import window_score

__all__ = ["series_score", "write_imbalance_averages", "write_persistence", "write_quote_dynamics"]

N_AVERAGES = len(IMBALANCE_HALF_LIVES)
FIRST_FLOW = FLOW_WINDOWS.index(DYNAMICS_WINDOWS[0])
FIRST_DEVIATION = MOMENTUM_WINDOWS.index(DYNAMICS_WINDOWS[0])
SHORT = FLOW_WINDOWS.index(5)
LONG = FLOW_WINDOWS.index(300)
AVERAGE_WINDOWS = tuple(FLOW_WINDOWS.index(h) for h in IMBALANCE_HALF_LIVES)
AVERAGES = tuple(HALF_LIVES.index(h) for h in IMBALANCE_HALF_LIVES)
SQUARES = STACKS["deviations"].channels  # where the sums of squares begin in a row


@part
def series_score(rec: Any, series: int | np.int64, window: int, present: float) -> float:
    """Return the z-score of ``present`` in a window of a series of the deviations.

    Parameters
    ----------
    series
        Its number in ``groups``.
    window
        The window's number in the group, seen in full.
    """
    group = rec.deviations
    length = group.lengths[window]
    deviation = present - group.references[window, series]
    # All bucket ends of the window are equal, and the reference is one of them: told by the bucket
    # of the last change, not by a rounded variance.
    level = rec.state.level_since[series] <= rec.clock.bucket - length
    if level and deviation == 0.0:
        return 0.0
    sums = group.sums[window]
    return window_score(sums[series], sums[SQUARES + series], length + 1, deviation)


@part
def write_quote_dynamics(rec: Any) -> None:
    """Write what changes when the quote changes or a bucket closes."""
    out = rec.out.dynamics
    quote = rec.quote
    group = rec.flow
    partial = group.partial
    seen = rec.clock.seen
    for i in range(rec.flow.count - FIRST_FLOW):
        length = group.lengths[FIRST_FLOW + i]
        if length == 0 or seen < length:
            continue
        window = FIRST_DEVIATION + i
        out.spread_z[i] = as_output(series_score(rec, np.int64(SPREAD), window, quote.spread))
        out.depth_z[i] = as_output(series_score(rec, np.int64(LOG_DEPTH), window, quote.log_depth))
        changes = group.sums[FIRST_FLOW + i, QUOTES] + partial[QUOTES]
        out.quote_rate[i] = as_output(changes * group.rates[FIRST_FLOW + i])
    short = group.lengths[SHORT]
    long = group.lengths[LONG]
    if short > 0 and seen >= long:
        changes = group.sums[LONG, QUOTES] + partial[QUOTES]
        if changes > 0.0:
            recent = group.sums[SHORT, QUOTES] + partial[QUOTES]
            out.quote_rate_ratio = as_output(recent * long / (changes * short))
        else:
            out.quote_rate_ratio = as_output(1.0)


@part
def write_imbalance_averages(rec: Any) -> None:
    """Write the imbalance's averages, and its distance from them."""
    out = rec.out.dynamics
    imbalance = rec.quote.imbalance
    for i in range(N_AVERAGES):
        length = rec.flow.lengths[AVERAGE_WINDOWS[i]]
        if length == 0 or rec.clock.seen < length:
            continue
        average = rec.averages.imbalances[AVERAGES[i]]
        out.imbalance_mean[i] = as_output(average)
        out.imbalance_change[i] = as_output(imbalance - average)


@part
def write_persistence(rec: Any) -> None:
    """Write for how much of the windows one side was the larger."""
    out = rec.out.dynamics
    group = rec.flow
    for i in range(rec.flow.count - FIRST_FLOW):
        length = group.lengths[FIRST_FLOW + i]
        if length == 0 or rec.clock.seen < length:
            continue
        signed = group.sums[FIRST_FLOW + i, SIGN_TIME] + group.partial[SIGN_TIME]
        out.imbalance_persistence[i] = as_output(signed * group.rates[FIRST_FLOW + i])
