"""Where log lines go: module loggers ``alphaseeker.*`` under the public ``alpha_seeker_ml``.

``logging.getLogger("alpha_seeker_ml").setLevel(logging.DEBUG)`` is all that a user needs; the
library itself adds a ``NullHandler`` and nothing else.
"""

from __future__ import annotations

import logging

from alphaseeker.errors import ConfigError

__all__ = ["PUBLIC_LOGGER", "set_level"]

PUBLIC_LOGGER = logging.getLogger("alpha_seeker_ml")
PUBLIC_LOGGER.addHandler(logging.NullHandler())
logging.getLogger("alphaseeker").parent = PUBLIC_LOGGER


def set_level(level: str | int) -> None:
    """Set the level, and add a stream handler where no handler would show a line.

    Raises
    ------
    ConfigError
        The level is not one of ``logging``.
    """
    try:
        PUBLIC_LOGGER.setLevel(level.upper() if isinstance(level, str) else level)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"log_level is {level!r}; it must be DEBUG, INFO, WARNING, ERROR or CRITICAL"
        ) from error
    shown = [h for h in PUBLIC_LOGGER.handlers if not isinstance(h, logging.NullHandler)]
    if not shown and not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        PUBLIC_LOGGER.addHandler(handler)
