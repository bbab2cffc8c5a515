"""From a tick to a signal, and what it cost.

``step`` is the whole of it for jitted loops of one's own; it is imported at its first use.
"""

from __future__ import annotations

from typing import Any

__all__ = ["NO_LEVELS", "Reason", "Step", "step"]


def __getattr__(name: str) -> Any:
    if name in ("Step", "step"):
        from alphaseeker.inference import jitted_step

        return getattr(jitted_step, name)
    if name == "NO_LEVELS":
        from alphaseeker.features.layout import NO_LEVELS

        return NO_LEVELS
    if name == "Reason":
        from alphaseeker.inference.signal import Reason

        return Reason
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
