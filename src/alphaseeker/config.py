"""Every setting: its name, its default, what it may be, and how an override reaches it.

Settings stand in sections. A section is a frozen dataclass whose fields are the public keys; its
defaults are also published as a dictionary (``MODEL_CONFIG`` ...). No key stands in two sections,
so an override may be flat. Overrides come as one flat or nested mapping, a TOML file or keyword
arguments; they are checked once, here at the edge. Scalars of NumPy become plain numbers.

The published dictionaries are where ``load_config`` starts: a default changed there, as by
``RISK_CONFIG["STOP_LOSS_PCT"] = 0.01``, is checked like any override and holds for every
configuration that is loaded afterwards. One already loaded stays as it is.
"""

from __future__ import annotations

import difflib
import math
import os
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from alphaseeker.errors import ConfigError

__all__ = [
    "DATA_CONFIG",
    "FACTOR_CONFIG",
    "FEATURE_CONFIG",
    "INFERENCE_CONFIG",
    "MODEL_CONFIG",
    "MONITORING_CONFIG",
    "RISK_CONFIG",
    "SPLIT_CONFIG",
    "TARGET_CONFIG",
    "Config",
    "DataConfig",
    "FactorConfig",
    "FeatureConfig",
    "InferenceConfig",
    "ModelConfig",
    "MonitoringConfig",
    "RiskConfig",
    "SplitConfig",
    "TargetConfig",
    "load_config",
]

Check = Callable[[Any], str | None]


def _number(
    low: float, high: float = math.inf, *, integer: bool = False, words: tuple[Any, ...] = ()
) -> Check:
    """Allow a finite number in [low, high], or one of ``words``."""
    kind = "a whole number" if integer else "a number"
    allowed = f"{kind} from {low:g}" + (f" to {high:g}" if high < math.inf else " up")
    allowed += "".join(f", or {word!r}" for word in words)

    def check(value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return None if value in words else allowed
        right_type = isinstance(value, int if integer else (int, float))
        if right_type and not isinstance(value, bool) and low <= value <= high:
            # Not isfinite(), which fails on whole numbers beyond any float.
            return None if value <= sys.float_info.max else allowed
        return allowed

    return check


def _one_of(*words: Any) -> Check:
    """Allow exactly these values (of exactly these types)."""
    allowed = "one of " + ", ".join(repr(word) for word in words)

    def check(value: Any) -> str | None:
        return None if any(type(value) is type(w) and value == w for w in words) else allowed

    return check


def _all_or_list(item_type: type) -> Check:
    """Allow the word "all" or a non-empty list of ``item_type``."""
    allowed = f"'all' or a list of {item_type.__name__}"

    def check(value: Any) -> str | None:
        if isinstance(value, str):
            return None if value == "all" else allowed
        good = isinstance(value, (list, tuple)) and len(value) > 0
        return None if good and all(type(item) is item_type for item in value) else allowed

    return check


def _key(default: Any, check: Check) -> Any:
    return field(default=default, metadata={"check": check})


_BOOL = _one_of(True, False)
_FRACTION = _number(0.0, 1.0)
_NOT_NEGATIVE = _number(0.0)


def _plain(value: Any) -> Any:
    """Return scalars of NumPy as plain ones, a copy of a list, anything else as it is."""
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, (np.integer, np.bool_, np.str_)):
        return value.item()
    if type(value) in (list, tuple):
        return type(value)(_plain(item) for item in value)
    return value


class _Section:
    """Checks every field on construction."""

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            given = getattr(self, item.name)
            value = _plain(given)
            if value is not given:
                object.__setattr__(self, item.name, value)
            allowed = item.metadata["check"](value)
            if allowed is not None:
                raise ConfigError(f"{item.name} is {value!r}; it must be {allowed}")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(_Section):
    """The LightGBM model."""

    objective: str = _key("multiclass", _one_of("multiclass", "multiclassova"))
    num_class: int = _key(3, _one_of(3))
    random_state: int = _key(42, _number(0, 2**31 - 1, integer=True))
    class_weight: str | None = _key("balanced", _one_of("balanced", None))
    num_leaves: int = _key(31, _number(2, 64, integer=True))
    learning_rate: float = _key(0.1, _number(1e-6, 1.0))
    feature_fraction: float = _key(0.8, _number(0.01, 1.0))
    lambda_l2: float = _key(10.0, _NOT_NEGATIVE)
    num_boost_round: int = _key(300, _number(1, 10_000, integer=True))
    early_stopping_rounds: int = _key(30, _number(1, 10_000, integer=True))
    min_data_in_leaf: int | str = _key("auto", _number(1, 10**9, integer=True, words=("auto",)))
    num_threads: int = _key(0, _number(0, 1024, integer=True))


@dataclass(frozen=True, kw_only=True)
class RiskConfig(_Section):
    """Costs, exits, sizing and limits. Shares of the price or of the equity, not per cent."""

    TAKE_PROFIT_PCT: float = _key(0.004, _number(1e-6, 1.0))
    STOP_LOSS_PCT: float = _key(0.004, _number(1e-6, 1.0))
    custom_stop_loss: float | None = _key(None, _number(1e-6, 1.0, words=(None,)))
    TRANSACTION_COST_PCT: float = _key(0.0005, _number(0.0, 0.1))
    MAKER_COST_PCT: float = _key(0.0002, _number(-0.01, 0.1))
    MAX_POSITION_SIZE: float = _key(1.0, _number(0.0, 100.0))
    RISK_PER_TRADE: float = _key(0.01, _number(0.0, 1.0))
    dynamic_position_sizing: bool = _key(True, _BOOL)
    LOT_SIZE: float = _key(0.0, _NOT_NEGATIVE)
    MIN_NOTIONAL: float = _key(0.0, _NOT_NEGATIVE)
    MAX_DAILY_LOSS: float = _key(0.02, _FRACTION)
    MAX_DRAWDOWN: float = _key(0.1, _FRACTION)
    VOLATILITY_BASED_SL: bool = _key(True, _BOOL)
    VOLATILITY_MULTIPLIER: float = _key(2.0, _number(1e-3, 100.0))
    VOLATILITY_HALF_LIFE_S: float = _key(60.0, _number(1.0, 86_400.0))
    MAX_STOP_LOSS_PCT: float = _key(0.02, _number(1e-6, 1.0))


@dataclass(frozen=True, kw_only=True)
class InferenceConfig(_Section):
    """Live prediction."""

    TARGET_LATENCY_MS: float = _key(500.0, _number(1e-6))
    ENABLE_CACHING: bool = _key(True, _BOOL)
    BATCH_SIZE: int = _key(32, _number(1, 10**7, integer=True))
    BACKEND: str = _key("auto", _one_of("auto", "forest", "treelite", "lightgbm"))
    MIN_CONFIDENCE: float | str = _key("auto", _number(0.0, 1.0, words=("auto",)))
    TRADE_WITHOUT_EDGE: bool = _key(False, _BOOL)
    NUM_THREADS: int = _key(1, _number(1, 1024, integer=True))
    MAX_SESSIONS: int = _key(1000, _number(1, 10**6, integer=True))
    HISTORY_SIZE: int = _key(1000, _number(0, 10**7, integer=True))
    READY_HISTORY_S: int = _key(900, _number(0, 10**6, integer=True))
    MAX_GAP_S: float = _key(900.0, _number(1e-3))
    MAX_AGE_S: float = _key(30.0, _number(1e-3))
    MAX_CLOCK_SKEW_S: float = _key(5.0, _NOT_NEGATIVE)
    MAX_JUMP: float = _key(0.2, _number(1e-6, 1.0))
    UNKNOWN_SYMBOL: str = _key("warn", _one_of("warn", "refuse"))


@dataclass(frozen=True, kw_only=True)
class TargetConfig(_Section):
    """What the model learns to predict."""

    KIND: str = _key("fixed_horizon", _one_of("fixed_horizon", "triple_barrier"))
    HORIZON_S: float = _key(60, _number(1e-3, 86_400.0))
    THRESHOLD: float | str = _key("tercile", _number(0.0, 1.0, words=("tercile", "cost")))
    LABEL_PRICE: str = _key("mid", _one_of("mid", "close"))


@dataclass(frozen=True, kw_only=True)
class SplitConfig(_Section):
    """Shares of the rows, in time order: training, validation, held-back test."""

    VALIDATION_FRACTION: float = _key(0.2, _number(0.01, 0.5))
    TEST_FRACTION: float = _key(0.2, _number(0.01, 0.5))
    EMBARGO_S: float = _key(60.0, _NOT_NEGATIVE)


@dataclass(frozen=True, kw_only=True)
class DataConfig(_Section):
    """Reading files and frames."""

    ON_BAD_ROW: str = _key("drop", _one_of("drop", "raise"))
    MAX_BAD_RATIO: float = _key(0.001, _FRACTION)
    BUCKET_S: float | str = _key("auto", _number(1, 900, words=("auto",)))
    CHUNK_ROWS: int = _key(250_000, _number(1, 10**8, integer=True))


@dataclass(frozen=True, kw_only=True)
class FeatureConfig(_Section):
    """Which columns of the catalogue a model may use."""

    families: str | Sequence[str] = _key("all", _all_or_list(str))
    windows: str | Sequence[int] = _key("all", _all_or_list(int))
    MAX_FEATURES: int | None = _key(None, _number(1, 10**6, integer=True, words=(None,)))
    MIN_WARM_SHARE: float = _key(0.5, _FRACTION)
    ROUND_TRIP_NOTIONAL: float = _key(10_000.0, _number(1e-9))


@dataclass(frozen=True, kw_only=True)
class FactorConfig(_Section):
    """Factor evaluation."""

    FORWARD_S: float = _key(60, _number(1e-3, 86_400.0))
    QUANTILES: int = _key(5, _number(2, 100, integer=True))
    BLOCKS: int = _key(40, _number(2, 10_000, integer=True))
    ALPHA: float = _key(0.05, _number(1e-9, 0.5))


@dataclass(frozen=True, kw_only=True)
class MonitoringConfig(_Section):
    """When ``health_check`` warns."""

    MAX_MODEL_AGE_DAYS: float = _key(30.0, _number(1e-6))
    MAX_HELD_SHARE: float = _key(0.05, _FRACTION)


@dataclass(frozen=True, kw_only=True)
class Config:
    """All sections, checked."""

    model: ModelConfig = field(default_factory=ModelConfig)
    risk: RiskConfig = field(default_factory=RiskConfig)
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    target: TargetConfig = field(default_factory=TargetConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    data: DataConfig = field(default_factory=DataConfig)
    feature: FeatureConfig = field(default_factory=FeatureConfig)
    factor: FactorConfig = field(default_factory=FactorConfig)
    monitoring: MonitoringConfig = field(default_factory=MonitoringConfig)

    def override(self, overrides: Mapping[str, Any]) -> Config:
        """Return a copy with ``overrides`` applied.

        Parameters
        ----------
        overrides
            Flat (``{"num_leaves": 15}``), or nested by section under the section's name or its
            published one (``{"risk": {...}}``, ``{"RISK_CONFIG": {...}}``), or both mixed.

        Raises
        ------
        ConfigError
            An unknown key (the message names the nearest known one), or a value out of range.
        """
        if not isinstance(overrides, Mapping):
            raise ConfigError(f"settings are {overrides!r}; they must be a mapping of keys")
        by_section: dict[str, dict[str, Any]] = {}
        for key, value in overrides.items():
            section = _section_of(key)
            if section is not None:
                if not isinstance(value, Mapping):
                    raise ConfigError(f"section {key} is {value!r}; it must be a table of keys")
                known = [item.name for item in fields(getattr(self, section))]
                for name in value:
                    if name not in known:
                        raise ConfigError(_unknown(name, known, f"in section {key}"))
                by_section.setdefault(section, {}).update(value)
                continue
            homes = [s.name for s in fields(self) if key in _names(getattr(self, s.name))]
            if not homes:
                every = [n for s in fields(self) for n in _names(getattr(self, s.name))]
                raise ConfigError(_unknown(key, [*every, *_SECTIONS], ""))
            by_section.setdefault(homes[0], {})[key] = value
        changed = {s: replace(getattr(self, s), **keys) for s, keys in by_section.items()}
        return replace(self, **changed)


_SECTIONS = tuple(item.name for item in fields(Config))


def _names(section: _Section) -> list[str]:
    return [item.name for item in fields(section)]  # type: ignore[arg-type]


def _section_of(key: Any) -> str | None:
    name = str(key).lower().removesuffix("_config")
    return name if name in _SECTIONS else None


def _unknown(key: Any, known: Iterable[str], where: str) -> str:
    def likeness(name: str) -> tuple[float, float]:
        """Compare letters first, then their case: num_threads and NUM_THREADS are two keys."""
        pairs = ((str(key).lower(), name.lower()), (str(key), name))
        letters, case = (difflib.SequenceMatcher(None, a, b).ratio() for a, b in pairs)
        return letters, case

    problem = f"unknown setting {key!r} {where}".rstrip()
    return f"{problem}; the nearest known one is {max(known, key=likeness)}"


def load_config(
    config_path: str | os.PathLike[str] | None = None, overrides: Mapping[str, Any] | None = None
) -> Config:
    """Return the published defaults, overridden by a TOML file and then by ``overrides``.

    Raises
    ------
    ConfigError
        The path is none, the file cannot be read or is not TOML, a key is unknown, or a value is
        out of range, in a published dictionary too.
    """
    try:
        config = Config().override(_published())
    except ConfigError as error:
        raise ConfigError(f"default changed in alphaseeker.config: {error}") from error
    if config_path is not None:
        settings = _read_toml(config_path)
        try:
            config = config.override(settings)
        except ConfigError as error:
            raise ConfigError(f"configuration file {config_path}: {error}") from error
    return config if overrides is None else config.override(overrides)


def _read_toml(config_path: str | os.PathLike[str]) -> dict[str, Any]:
    path = os.fspath(config_path) if isinstance(config_path, (str, os.PathLike)) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise ConfigError(
            f"config_path is {config_path!r}; it must be the path of a TOML file. Settings in a "
            "dictionary are given as config={...}"
        )
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"configuration file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # not UTF-8, not TOML, or a number of too many digits
        raise ConfigError(f"configuration file {path} is not TOML: {error}") from error


MODEL_CONFIG: dict[str, Any] = asdict(ModelConfig())
RISK_CONFIG: dict[str, Any] = asdict(RiskConfig())
INFERENCE_CONFIG: dict[str, Any] = asdict(InferenceConfig())
TARGET_CONFIG: dict[str, Any] = asdict(TargetConfig())
SPLIT_CONFIG: dict[str, Any] = asdict(SplitConfig())
DATA_CONFIG: dict[str, Any] = asdict(DataConfig())
FEATURE_CONFIG: dict[str, Any] = asdict(FeatureConfig())
FACTOR_CONFIG: dict[str, Any] = asdict(FactorConfig())
MONITORING_CONFIG: dict[str, Any] = asdict(MonitoringConfig())


def _published() -> dict[str, dict[str, Any]]:
    return {
        "model": MODEL_CONFIG,
        "risk": RISK_CONFIG,
        "inference": INFERENCE_CONFIG,
        "target": TARGET_CONFIG,
        "split": SPLIT_CONFIG,
        "data": DATA_CONFIG,
        "feature": FEATURE_CONFIG,
        "factor": FACTOR_CONFIG,
        "monitoring": MONITORING_CONFIG,
    }
