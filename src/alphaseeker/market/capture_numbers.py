"""The numbers of the captures that a live stream names, computed once for each name."""

from __future__ import annotations

from typing import Any

import numpy as np

from alphaseeker.errors import DataError
from alphaseeker.market.schema import session_code

__all__ = ["CaptureNumbers"]

MAX_NAMES = 1_024


class CaptureNumbers:
    """Turns the name of a continuous capture into its number."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}

    def number(self, session: Any) -> int:
        """Return the number of a capture, 0 where it has no name.

        Raises
        ------
        DataError
            The name is neither text nor a whole number.
        """
        if session is None:
            return 0
        if not isinstance(session, (str, int, np.integer)) or isinstance(session, bool):
            raise DataError(f"session is {session!r}; it must be text or a whole number")
        number = self._numbers.get(session)
        if number is None:
            if len(self._numbers) >= MAX_NAMES:
                self._numbers.clear()
            number = self._numbers[session] = session_code(session)
        return number
