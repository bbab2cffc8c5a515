"""alphaseeker: an order-book tick in, a calibrated signal and a risk decision out.

>>> from alphaseeker import create_ml_engine
>>> engine = create_ml_engine()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import alphaseeker._logging  # noqa: F401  (sets the public logger up)
from alphaseeker.errors import AlphaSeekerError, ConfigError, DataError, ModelError, StateError

if TYPE_CHECKING:
    from alphaseeker.engine import AlphaSeekerMLEngine, create_ml_engine

__all__ = [
    "AlphaSeekerMLEngine",
    "create_ml_engine",
    "AlphaSeekerError",
    "ConfigError",
    "DataError",
    "ModelError",
    "StateError",
    "__version__",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the engine where it is first asked for: the kernels' modules take a moment."""
    if name in ("AlphaSeekerMLEngine", "create_ml_engine"):
        from alphaseeker import engine

        return getattr(engine, name)
    raise AttributeError(f"module 'alphaseeker' has no attribute {name!r}")
