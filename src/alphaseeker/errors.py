"""The errors that alphaseeker raises.

::

    AlphaSeekerError
    ├── DataError     market data that cannot be used (also a ValueError)
    ├── ModelError    a model file or a model that cannot be trusted
    ├── ConfigError   a setting that is unknown or out of range (also a ValueError)
    └── StateError    a call that the present state does not allow

Every message says what was wrong, what was given, what is allowed and what to do.
"""

__all__ = ["AlphaSeekerError", "ConfigError", "DataError", "ModelError", "StateError"]


class AlphaSeekerError(Exception):
    """Base of every error that alphaseeker raises on purpose."""


class DataError(AlphaSeekerError, ValueError):
    """Market data that cannot be used: names the field, the value and what is allowed."""


class ModelError(AlphaSeekerError):
    """A model file or a model that cannot be trusted; a running model keeps serving."""


class ConfigError(AlphaSeekerError, ValueError):
    """A setting that is unknown or out of its range: names the key and the nearest known one."""


class StateError(AlphaSeekerError):
    """A call that the present state does not allow, such as predicting without a model."""
