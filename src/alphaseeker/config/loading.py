"""All sections together, their published defaults, and how an override reaches them."""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from alphaseeker.config.checks import Section
from alphaseeker.config.sections import (
    BacktestConfig,
    DataConfig,
    FactorConfig,
    FeatureConfig,
    InferenceConfig,
    ModelConfig,
    MonitoringConfig,
    RiskConfig,
    SplitConfig,
    TargetConfig,
)
from alphaseeker.errors import ConfigError

__all__ = [
    "BACKTEST_CONFIG",
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
    "load_config",
]


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
    backtest: BacktestConfig = field(default_factory=BacktestConfig)

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


def _names(section: Section) -> list[str]:
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

    In the file the word "none" stands for None, for which TOML has no word.

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
        settings = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"configuration file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # not UTF-8, not TOML, or a number of too many digits
        raise ConfigError(f"configuration file {path} is not TOML: {error}") from error
    return {key: _with_none(value) for key, value in settings.items()}


def _with_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_none(item) for key, item in value.items()}
    return None if value == "none" else value


MODEL_CONFIG: dict[str, Any] = asdict(ModelConfig())
RISK_CONFIG: dict[str, Any] = asdict(RiskConfig())
INFERENCE_CONFIG: dict[str, Any] = asdict(InferenceConfig())
TARGET_CONFIG: dict[str, Any] = asdict(TargetConfig())
SPLIT_CONFIG: dict[str, Any] = asdict(SplitConfig())
DATA_CONFIG: dict[str, Any] = asdict(DataConfig())
FEATURE_CONFIG: dict[str, Any] = asdict(FeatureConfig())
FACTOR_CONFIG: dict[str, Any] = asdict(FactorConfig())
MONITORING_CONFIG: dict[str, Any] = asdict(MonitoringConfig())
BACKTEST_CONFIG: dict[str, Any] = asdict(BacktestConfig())


def _published() -> dict[str, dict[str, Any]]:
    """Return the dictionaries as the package shows them now: one may have been replaced there."""
    package = sys.modules[__name__.rpartition(".")[0]]
    return {name: getattr(package, f"{name.upper()}_CONFIG") for name in _SECTIONS}
