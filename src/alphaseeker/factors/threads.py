"""Work that is done for many factors at the same time: compiled kernels let go of Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["in_threads", "threads_of"]


def threads_of(setting: int) -> int:
    """Return the number of threads: ``setting``, or one for each core we may use where it is 0."""
    if setting:
        return setting
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def in_threads(
    act: Callable[[int], None],
    count: int,
    threads: int,
    on_done: Callable[[], None] = lambda: None,
) -> None:
    """Call ``act`` with 0 to ``count - 1``, and ``on_done`` here after each, in their order."""
    if threads == 1:
        for number in range(count):
            act(number)
            on_done()
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(act, range(count)):
            on_done()
