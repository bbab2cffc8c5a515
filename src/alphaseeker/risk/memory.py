"""All that a risk manager must not forget, in one place that is changed but never replaced."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

__all__ = ["KEPT_EVENTS", "KEPT_FLOWS", "SEEN_FILLS", "Memory"]

SEEN_FILLS = 100_000  # fill ids remembered, to know a fill that comes twice
KEPT_FLOWS = 1_000  # cash flows listed; their total and count are never lost
KEPT_EVENTS = 1_000  # changes by hand and by the venue's word that are listed


@dataclass(kw_only=True)
class Memory:
    """The state of one account.

    Attributes
    ----------
    account
        Shape (1,), dtype ``ACCOUNT``.
    positions
        Records of dtype ``POSITION``, shape (1,), by symbol.
    fills
        Symbol and id of the fills seen, the oldest first.
    cash_flows
        The last ones: ``timestamp`` (ns), ``amount``, ``equity``.
    events
        The last changes of settings, reconciliations and lifted halts: ``timestamp`` (ns),
        ``event`` and what it was.
    """

    account: npt.NDArray[Any]
    positions: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    fills: dict[tuple[str, str], None] = field(default_factory=dict)
    cash_flows: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_FLOWS))
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))

    def remember_fills(self, fills: Iterable[Iterable[str]]) -> None:
        """Remember fills by symbol and id; beyond ``SEEN_FILLS`` the oldest are forgotten."""
        for symbol, identity in fills:
            self.fills[symbol, identity] = None
            if len(self.fills) > SEEN_FILLS:
                del self.fills[next(iter(self.fills))]

    def take(self, other: Memory) -> None:
        """Become equal to ``other``, keeping the account's record and every collection."""
        self.account[:] = other.account
        for mine, theirs in ((self.positions, other.positions), (self.fills, other.fills)):
            mine.clear()
            mine.update(theirs)  # type: ignore[arg-type]
        for kept, given in ((self.cash_flows, other.cash_flows), (self.events, other.events)):
            kept.clear()
            kept.extend(given)
