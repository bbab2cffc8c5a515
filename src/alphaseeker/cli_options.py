"""Options that verbs of the command line share, and the settings and engines they stand for."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from alphaseeker.config import Config, load_config
from alphaseeker.engine import AlphaSeekerMLEngine

__all__ = ["config_of", "engine_of", "with_json", "with_price_column", "with_settings"]


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


def engine_of(config_path: Path | None, settings: tuple[str, ...]) -> AlphaSeekerMLEngine:
    """Return an engine with the settings of a file and of ``--set``."""
    return AlphaSeekerMLEngine(config_of(config_path, settings))


def config_of(config_path: Path | None, settings: tuple[str, ...]) -> Config:
    """Return the settings of a file and of ``--set``: a value is TOML, or a bare word.

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
            overrides[key] = value
    return load_config(config_path, overrides)
