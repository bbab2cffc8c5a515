"""alphaseeker: an order-book tick in, a calibrated signal and a risk decision out.

>>> from alphaseeker import create_ml_engine
>>> engine = create_ml_engine()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import alphaseeker._logging  # noqa: F401  (sets the public logger up)
from alphaseeker.errors import AlphaSeekerError, ConfigError, DataError, ModelError, StateError

if TYPE_CHECKING:
    from alphaseeker.engine import AlphaSeekerMLEngine, create_ml_engine
    from alphaseeker.features.custom import custom_feature
    from alphaseeker.features.frame_feature import frame_feature
    from alphaseeker.training.combinatorial import CombinatorialPurged
    from alphaseeker.training.walk_forward import PurgedWalkForward

__all__ = [
    "AlphaSeekerMLEngine",
    "create_ml_engine",
    "custom_feature",
    "frame_feature",
    "CombinatorialPurged",
    "PurgedWalkForward",
    "AlphaSeekerError",
    "ConfigError",
    "DataError",
    "ModelError",
    "StateError",
    "__version__",
]

__version__ = "0.1.0"


# Where the public names stand that are imported when they are first asked for.
_LAZY = {
    "AlphaSeekerMLEngine": "alphaseeker.engine",
    "create_ml_engine": "alphaseeker.engine",
    "custom_feature": "alphaseeker.features.custom",
    "frame_feature": "alphaseeker.features.frame_feature",
    "CombinatorialPurged": "alphaseeker.training.combinatorial",
    "PurgedWalkForward": "alphaseeker.training.walk_forward",
}


def __getattr__(name: str) -> Any:
    """Import what the kernels' modules are needed for where it is first asked for."""
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'alphaseeker' has no attribute {name!r}")
    return getattr(import_module(module), name)
