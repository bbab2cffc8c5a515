"""Options that verbs of the command line share, and the settings and engines they stand for."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from alphaseeker.backtest.rules import private_config
from alphaseeker.config import Config, load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import ConfigError
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.frame_feature import FrameFeature

__all__ = [
    "config_of",
    "custom_of",
    "engine_of",
    "select_of",
    "with_json",
    "with_price_column",
    "with_select",
    "with_settings",
]


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--config`` and ``--set``."""
    command = click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one setting."
    )(command)
    return click.option(
        "--config", "config_path", type=click.Path(path_type=Path), help="TOML file of settings."
    )(command)


def with_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def with_price_column(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--price-col``."""
    return click.option(
        "--price-col", default="close", show_default=True, help="Column read as the last price."
    )(command)


def with_select(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--select``."""
    return click.option(
        "--select",
        default="none",
        show_default=True,
        metavar="auto|none|NAME,NAME...",
        help="Features to use: by grade without repeats, all that can be used, or exactly these.",
    )(command)


def engine_of(config_path: Path | None, settings: tuple[str, ...]) -> AlphaSeekerMLEngine:
    """Return an engine with the settings of a file and of ``--set``.

    No verb trades: the journal of a bot that runs on the same file is neither held nor read.
    """
    config = config_of(config_path, settings)
    return AlphaSeekerMLEngine(replace(config, risk=private_config(config.risk)))


def config_of(config_path: Path | None, settings: tuple[str, ...]) -> Config:
    """Return the settings of a file and of ``--set``: a value is TOML, or a bare word.

    The word none stands for None.

    Raises
    ------
    click.BadParameter
        An item is not ``KEY=VALUE``.
    ConfigError
        A key is unknown or a value out of range, or the file cannot be read.
    """
    overrides: dict[str, Any] = {}
    for item in settings:
        key, equals, value = item.partition("=")
        if not equals:
            raise click.BadParameter(f"{item!r} is not KEY=VALUE", param_hint="--set")
        try:
            overrides[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            overrides[key] = None if value.lower() == "none" else value
    return load_config(config_path, overrides)


def select_of(word: str) -> str | list[str] | None:
    """Return what ``--select`` asks for: None for none, "auto", or names that commas part."""
    names = [name.strip() for name in word.split(",") if name.strip()]
    if names == ["none"]:
        return None
    return "auto" if names == ["auto"] else names


def custom_of(sources: Sequence[str]) -> list[CustomFeature | FrameFeature]:
    """Return the custom and frame features that modules hold, each once, by name.

    Parameters
    ----------
    sources
        Names of modules, or paths of Python files, whose code is run.

    Raises
    ------
    ConfigError
        A module cannot be imported, or holds no feature.
    """
    found: dict[str, CustomFeature | FrameFeature] = {}
    for source in sources:
        try:
            module = _module(source)
        except Exception as error:
            raise ConfigError(
                f"--custom {source!r} cannot be imported: {type(error).__name__}: {error}; give "
                "the name of a module or the path of a Python file"
            ) from error
        own = [
            value
            for value in vars(module).values()
            if isinstance(value, (CustomFeature, FrameFeature))
        ]
        if not own:
            raise ConfigError(
                f"--custom {source!r} holds no feature; decorate functions with "
                "alphaseeker.custom_feature or alphaseeker.frame_feature"
            )
        found |= {feature.name: feature for feature in own}
    return list(found.values())


def _module(source: str) -> ModuleType:
    path = Path(source)
    if path.suffix != ".py":
        return importlib.import_module(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {source}")
    module = importlib.util.module_from_spec(spec)
    # Under its name the source of its functions is found.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
