"""Which columns a model uses; everything here is decided on the training part alone."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from alphaseeker.config import FeatureConfig
from alphaseeker.errors import ConfigError, DataError
from alphaseeker.features.catalogue import FAMILIES

__all__ = ["Selection", "candidate_columns", "select_columns", "unreached_warning"]

WINDOW = re.compile(r"_(\d+)s$")

# A warning about sixty columns names the first of them and counts the others.
NAMES_IN_A_WARNING = 12


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The columns kept, in the order of the source, and a sentence about those that went.

    ``grades`` has the grade of each column kept, on the training rows, where they were graded.
    """

    columns: tuple[int, ...]
    names: tuple[str, ...]
    warnings: tuple[str, ...]
    grades: Mapping[str, str] = field(default_factory=dict)


def candidate_columns(names: Sequence[str], config: FeatureConfig) -> list[int]:
    """Return the columns whose family and window ``config`` admits.

    The family stands before the point of a name, the window at its end (``flow.ofi_60s``). A
    column without a window in its name passes every filter of windows.

    Raises
    ------
    ConfigError
        A family or window is not among the columns (the data may lack what it reads), or none is
        left.
    """
    families = {name: name.partition(".")[0] for name in names}
    windows = {name: _window(name) for name in names}
    chosen = set(names)
    if not isinstance(config.families, str):
        offered = sorted(set(families.values()))
        for family in config.families:
            if family in FAMILIES and family not in offered:
                raise ConfigError(
                    f"families names {family!r}, whose columns the data do not offer: depth needs "
                    "columns such as bid_price_2, aggressor needs buy_volume and sell_volume; "
                    f"offered are {', '.join(offered)}"
                )
            _require_known("families", family, offered)
        chosen &= {name for name in names if families[name] in config.families}
    if not isinstance(config.windows, str):
        for window in config.windows:
            _require_known("windows", window, sorted({w for w in windows.values() if w}))
        chosen &= {name for name in names if windows[name] in (None, *config.windows)}
    if not chosen:
        raise ConfigError(
            f"families {config.families!r} with windows {config.windows!r} leave none of the "
            f"{len(names)} features: allow more families or windows"
        )
    return [position for position, name in enumerate(names) if name in chosen]


def _window(name: str) -> int | None:
    match = WINDOW.search(name)
    return int(match.group(1)) if match else None


def _require_known(key: str, value: str | int, known: Sequence[str | int]) -> None:
    if value in known:
        return
    nearest = difflib.get_close_matches(str(value), [str(k) for k in known], n=1, cutoff=0.0)
    hint = f"; the nearest is {nearest[0]}" if nearest else ""
    raise ConfigError(
        f"{key} names {value!r}, which no feature has; known are "
        f"{', '.join(str(k) for k in known) or 'none'}{hint}"
    )


def select_columns(
    batches: Iterator[tuple[int, npt.NDArray[np.float32]]],
    names: Sequence[str],
    config: FeatureConfig,
) -> Selection:
    """Drop columns that are rarely finite or constant.

    Parameters
    ----------
    batches
        Pairs of column number and that column on the training rows, shape (n,), float32.
    names
        Names of all columns, found by column number.
    config
        MIN_WARM_SHARE.

    Raises
    ------
    DataError
        No column is left.
    """
    kept: list[int] = []
    cold: list[str] = []
    constant: list[str] = []
    for column, values in batches:
        finite = np.isfinite(values)
        share = float(finite.mean())
        seen = values[finite]
        if share < config.MIN_WARM_SHARE:
            cold.append(f"{names[column]} ({100.0 * share:.0f} %)")
        elif len(seen) == 0 or seen.min() == seen.max():
            constant.append(names[column])
        else:
            kept.append(column)
    total = len(kept) + len(cold) + len(constant)
    warnings = []
    if cold:
        warnings.append(
            f"{len(cold)} of {total} features dropped: finite on less than "
            f"{100.0 * config.MIN_WARM_SHARE:g} % of the training rows (MIN_WARM_SHARE): "
            f"{_listed(cold)}"
        )
    if constant:
        warnings.append(
            f"{len(constant)} of {total} features dropped: constant on the training rows: "
            f"{_listed(constant)}"
        )
    if not kept:
        raise DataError(
            f"none of the {total} features can be used: {'; '.join(warnings)}. Train on longer "
            "captures, on shorter windows, or lower MIN_WARM_SHARE"
        )
    return Selection(
        columns=tuple(kept),
        names=tuple(names[column] for column in kept),
        warnings=tuple(warnings),
    )


def unreached_warning(
    candidates: Sequence[int], reached: Sequence[int], names: Sequence[str]
) -> str:
    """Say which candidates are dropped because a later part never sees their history."""
    lost = [names[column] for column in candidates if column not in set(reached)]
    return (
        f"{len(lost)} of {len(candidates)} features dropped: too few rows of the validation or of "
        f"the held-back part have their history: {_listed(lost)}"
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_IN_A_WARNING])
    more = len(names) - NAMES_IN_A_WARNING
    return shown + (f" and {more} more" if more > 0 else "")
