"""What Ctrl-C and a signal to end do to a long run: it stops, cleans up, and says where it was."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from alphaseeker.console import STAGE_NAMES

__all__ = ["Interrupted", "Terminated", "following_stages", "interrupts"]

Advance = Callable[[str, int, int], None]

STEP_NAMES = {"fit": "round"}


class Terminated(KeyboardInterrupt):
    """SIGTERM, in the form of a Ctrl-C: everything on the way out cleans up in the same manner."""


class Interrupted(Exception):
    """A run was interrupted; the text says where, and what became of its model.

    Attributes
    ----------
    exit_code
        128 and the number of the signal, as shells have it.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def interrupts() -> Iterator[None]:
    """Turn SIGTERM into ``Terminated``; a second one ends the process at once."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def following_stages(advance: Advance, out: Path) -> Iterator[Advance]:
    """Yield ``advance`` with a memory of where the run is.

    Parameters
    ----------
    advance
        Callback of (stage, done, total).
    out
        The model that the run writes.

    Raises
    ------
    Interrupted
        Ctrl-C or SIGTERM came.
    """
    before = _mark(out)
    at = ("", 0, 0)

    def follow(stage: str, done: int, total: int) -> None:
        nonlocal at
        at = (stage, done, total)
        advance(stage, done, total)

    try:
        yield follow
    except KeyboardInterrupt as stop:
        number = signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT
        if _mark(out) != before:
            fate = f"the model is whole in {out}"
        elif before is None:
            fate = "no model was written"
        else:
            fate = f"no model was written, {out} is as it was"
        raise Interrupted(f"interrupted while {_where(*at)}; {fate}", 128 + number) from stop


def _mark(path: Path) -> tuple[int, int] | None:
    """Return what tells one file from the next under a name; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _where(stage: str, done: int, total: int) -> str:
    name = STAGE_NAMES.get(stage, stage) or "starting"
    if total <= 1:
        return name
    return f"{name} ({STEP_NAMES.get(stage, 'step')} {done} of {total})"
