"""The rule that a session of one symbol is one run of rows.

A new session forgets the market (``alphaseeker.market.gate``). Live ticks come as they come, so a
file whose sessions of one symbol take turns would be learned in another order than it could ever
be served, or begin anew with every row. It is refused, not regrouped.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["HOW_TO_ORDER", "SessionOrder"]

HOW_TO_ORDER = (
    "sort the rows by session, or, where several streams take turns, give each of them a symbol "
    "of its own"
)


class SessionOrder:
    """Follows the sessions of every symbol over all sources of one reading."""

    def __init__(self) -> None:
        self._current: dict[str, int] = {}
        self._over: dict[str, set[int]] = {}

    def returns(self, symbol: str, sessions: npt.NDArray[np.int64]) -> list[int]:
        """Take in the next rows of a symbol and say where a session comes back.

        Parameters
        ----------
        symbol
            Whose rows they are.
        sessions
            Shape (n,): session codes.

        Returns
        -------
        list[int]
            Positions of rows with which a session goes on although another one of the symbol has
            begun since.
        """
        if len(sessions) == 0:
            return []
        current = self._current.get(symbol, int(sessions[0]))
        over = self._over.setdefault(symbol, set())
        returned = []
        for index in np.flatnonzero(np.diff(sessions, prepend=current)).tolist():
            over.add(current)
            current = int(sessions[index])
            if current in over:
                returned.append(index)
        self._current[symbol] = current
        return returned
