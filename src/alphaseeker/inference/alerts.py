"""Alerts: what a monitor found beyond its limit, told once when it happens and not again.

An alert stands from the check that finds it to the first one that does not; then it may be told
again. It is told to the logger ``alphaseeker.inference.alerts`` (a warning), to the engine's
``on_alert``, and stands in ``get_performance_stats()["drift"]``.

A check looks at every column and every session: 4.4 ms of one session with 216 columns. So it is
cut into steps, 18 microseconds in the median, of which one is made after a prediction, once
ALERT_EVERY_S have gone by since the last check ended. Every other prediction pays for comparing two
numbers.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

__all__ = ["DRIFT_KINDS", "AlertWatch", "Finding", "OnAlert", "finished"]

logger = logging.getLogger(__name__)

OnAlert = Callable[[dict[str, Any]], None]
Found = TypeVar("Found")

# Kinds that say of the market that it is no longer the one of the training.
DRIFT_KINDS = frozenset({"hit_rate", "rolling_ic", "ic_gap", "feature_psi"})


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A figure beyond its limit.

    Attributes
    ----------
    kind
        ``model_age``, ``hit_rate``, ``rolling_ic``, ``ic_gap``, ``feature_psi``,
        ``model_drawdown`` or ``held_share``.
    name
        Key of MONITORING_CONFIG that sets the limit.
    value, limit
        The figure, and what it must not pass.
    symbol
        Whose figure it is; empty for that of all symbols together.
    sentence
        What is wrong, for a person.
    """

    kind: str
    name: str
    value: float
    limit: float
    symbol: str
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


def finished(steps: Generator[None, None, Found]) -> Found:
    """Make all steps at once and return what they come to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Found = end.value
            return found


class AlertWatch:
    """Knows which alerts stand, and when to look again.

    Any thread may call its methods; an alert is told by the thread whose check found it.

    Attributes
    ----------
    due
        Moment (seconds since 1970) from which ``advance`` has something to do.
    """

    def __init__(self) -> None:
        self.due = 0.0
        self._standing: dict[tuple[str, str], Finding] = {}
        self._of: bytes | None = None
        self._steps: Generator[None, None, tuple[bytes, Sequence[Finding]]] | None = None
        self._lock = threading.RLock()

    @property
    def standing(self) -> list[Finding]:
        """The alerts that the latest check found."""
        return list(self._standing.values())

    @property
    def drifting(self) -> bool:
        """Whether one of them is of ``DRIFT_KINDS``."""
        return any(kind in DRIFT_KINDS for kind, _ in self._standing)

    def take(self, mark: bytes, findings: Sequence[Finding], on_alert: OnAlert | None) -> None:
        """Replace the standing alerts, and tell those that are new.

        Parameters
        ----------
        mark
            Of the model that was looked at: what stood against another one is forgotten.
        findings
            All that is beyond its limit now.
        on_alert
            Called with each new one as a dictionary. What it raises is logged and goes no further:
            a prediction is under way.
        """
        with self._lock:
            before = self._standing if mark == self._of else {}
            self._of = mark
            self._standing = {(one.kind, one.symbol): one for one in findings}
            new = [one for key, one in self._standing.items() if key not in before]
        for one in new:
            logger.warning("%s%s", f"{one.symbol}: " if one.symbol else "", one.sentence)
            if on_alert is not None:
                try:
                    on_alert(one.as_dict())
                except Exception:
                    logger.exception("on_alert failed on %s", one.kind)

    def advance(
        self,
        now: float,
        every_s: float | None,
        begin: Callable[[], Generator[None, None, tuple[bytes, Sequence[Finding]]]],
        on_alert: OnAlert | None,
    ) -> bool:
        """Make one step of the check that is due; return whether it was the last one.

        Parameters
        ----------
        now
            Seconds since 1970.
        every_s
            ALERT_EVERY_S; None: never of itself.
        begin
            Starts a check: a generator that returns the model's mark and the findings.
        on_alert
            See ``take``.
        """
        if not self._lock.acquire(blocking=False):
            return False  # another thread is at it
        try:
            if every_s is None:
                self.due, self._steps = math.inf, None
                return False
            if self.due == 0.0 and every_s > 0.0:  # nothing is known yet
                self.due = now + every_s
                return False
            if self._steps is None:
                self._steps = begin()
            try:
                next(self._steps)
            except StopIteration as end:
                self._steps, self.due = None, now + every_s
                mark, findings = end.value
                self.take(mark, findings, on_alert)
                return True
            except Exception:
                self._steps, self.due = None, now + every_s
                logger.exception("the check for alerts failed; predictions go on")
            return False
        finally:
            self._lock.release()

    def again(self) -> None:
        """Look at the settings anew at the next prediction."""
        with self._lock:
            self.due, self._steps = 0.0, None
