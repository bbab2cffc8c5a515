"""The equity over time: its peak, the largest fall from it, a sample a minute, the exposure."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from alphaseeker._jit import part

__all__ = ["SAMPLES_A_TICK", "pass_time", "sample_equity", "watch_equity"]

_MINUTE_NS = 60 * 10**9
SAMPLES_A_TICK = 20  # room that one row may need in the log
_MOST_SAMPLED = SAMPLES_A_TICK - 2


@part
def _exposure(account: npt.NDArray[Any]) -> float:
    a = account[0]
    if a.equity > 0.0:
        return float((a.notional + a.notional_error) / a.equity)
    return 0.0


@part
def watch_equity(control: npt.NDArray[Any], account: npt.NDArray[Any]) -> None:
    """Follow the peak of the equity and the largest fall from it."""
    c = control[0]
    equity = account[0].equity
    if equity > c.peak:
        c.peak = equity
    elif c.peak > 0.0:
        c.max_drawdown = max(c.max_drawdown, 1.0 - equity / c.peak)


@part
def sample_equity(
    control: npt.NDArray[Any], account: npt.NDArray[Any], samples: npt.NDArray[Any], time: int
) -> None:
    """Write the account's equity, as it stands, into the log under ``time``."""
    c = control[0]
    sample = samples[c.samples]
    sample.timestamp = time
    sample.equity = account[0].equity
    sample.drawdown = 1.0 - account[0].equity / c.peak if c.peak > 0.0 else 0.0
    sample.exposure = _exposure(account)
    c.samples += 1


@part
def pass_time(
    control: npt.NDArray[Any], account: npt.NDArray[Any], samples: npt.NDArray[Any], time: int
) -> None:
    """Let time pass up to a row: minutes that end are sampled, exposure adds up.

    A gap is sampled once: it is no market time.
    """
    c = control[0]
    minute = time // _MINUTE_NS
    if c.minute < 0:
        c.minute = minute
        c.time = time
        return
    passed = time - c.time
    if 0 < passed <= c.longest_gap:
        c.watched_ns += passed
        if account[0].open_positions > 0:
            c.held_ns += passed
            c.exposure_ns += passed * _exposure(account)
    if minute > c.minute:
        first = c.minute + 1
        last = minute if passed <= c.longest_gap else first
        for one in range(max(first, last - _MOST_SAMPLED), last + 1):
            sample_equity(control, account, samples, one * _MINUTE_NS)
        c.minute = minute
    c.time = time
