"""Calls timed one by one, several ways in turn, and the clock that times them."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Contender", "clock_facts", "quantiles_us", "time_in_turn", "watched_disturbances"]

CLOCK_READS = 20_000
NANOSECONDS_A_MICROSECOND = 1e3


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to a prediction.

    Attributes
    ----------
    call
        What is timed.
    arguments
        Of the calls, in turn, from the first again after the last.
    prepare
        Called with the number of the call before it, outside the time taken.
    """

    call: Callable[..., Any]
    arguments: Sequence[tuple[Any, ...]]
    prepare: Callable[[int], None] | None = None


def time_in_turn(
    contenders: Mapping[str, Contender],
    *,
    calls: int,
    rounds: int,
    on_round: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, npt.NDArray[np.int64]]:
    """Return what every call took, in ns, shape (calls,) for each contender.

    Each contender makes a part of its calls in each round, and who is first changes from round to
    round: what slows the machine for a while slows all of them.

    Parameters
    ----------
    contenders
        By name.
    calls
        Of each contender.
    rounds
        Parts that the calls are cut into; at most ``calls``.
    on_round
        Called with the rounds done and all of them.
    """
    spent = {name: np.empty(calls, dtype=np.int64) for name in contenders}
    bounds = np.linspace(0, calls, rounds + 1).astype(np.int64).tolist()
    names = list(contenders)
    for number in range(rounds):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            _time(contenders[name], spent[name], bounds[number], bounds[number + 1])
        on_round(number + 1, rounds)
    return spent


def _time(contender: Contender, spent: npt.NDArray[np.int64], start: int, end: int) -> None:
    call, arguments, prepare = contender.call, contender.arguments, contender.prepare
    length = len(arguments)
    for number in range(start, end):
        given = arguments[number % length]
        if prepare is not None:
            prepare(number)
        before = perf_counter_ns()
        call(*given)
        spent[number] = perf_counter_ns() - before


@contextmanager
def watched_disturbances() -> Iterator[dict[str, float | int]]:
    """Collect all garbage, then count what holds calls up that is none of their doing.

    Yields
    ------
    dict
        ``full_collections`` of Python's garbage collector and its ``longest_pause_ms``, as they
        happen; ``preempted``, at the end: how often the system took the processor away.
    """
    gc.collect()
    seen: dict[str, float | int] = {"full_collections": 0, "longest_pause_ms": 0.0, "preempted": 0}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    began = perf_counter_ns()

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = perf_counter_ns()
            return
        seen["full_collections"] += info["generation"] == 2
        seen["longest_pause_ms"] = max(seen["longest_pause_ms"], (perf_counter_ns() - began) / 1e6)

    gc.callbacks.append(note)
    try:
        yield seen
    finally:
        gc.callbacks.remove(note)
        seen["preempted"] = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - before


def quantiles_us(spent: npt.NDArray[np.int64]) -> dict[str, float | int]:
    """Return count, mean, p50, p99, p99.9 and max of nanoseconds, in µs.

    A quantile is a time that was measured: the least that the given share does not pass.
    """
    result: dict[str, float | int] = {
        "count": len(spent),
        "mean_us": float(spent.mean()) / NANOSECONDS_A_MICROSECOND,
    }
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)):
        value = float(np.quantile(spent, share, method="inverted_cdf"))
        result[f"{name}_us"] = value / NANOSECONDS_A_MICROSECOND
    return result


def clock_facts() -> dict[str, float | int | str]:
    """Return what the clock says of itself, and what two readings of it in a row differ by.

    Every time measured holds one such difference; none is taken off.
    """
    reads = np.empty(CLOCK_READS, dtype=np.int64)
    for number in range(CLOCK_READS):
        reads[number] = perf_counter_ns()
    pairs = np.empty(CLOCK_READS, dtype=np.int64)
    for number in range(CLOCK_READS):
        before = perf_counter_ns()
        pairs[number] = perf_counter_ns() - before
    steps = np.diff(reads)
    info = time.get_clock_info("perf_counter")
    return {
        "name": info.implementation,
        "stated_resolution_ns": info.resolution * 1e9,
        "least_step_ns": int(steps[steps > 0].min()),
        "overhead_ns": float(np.median(pairs)),
    }
