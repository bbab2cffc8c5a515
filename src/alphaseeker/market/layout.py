"""Which column of a source holds which field of a tick, and the block of rows read from them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.market.depth import DEPTH_COLUMNS, MAX_LEVELS
from alphaseeker.market.origin import Origin
from alphaseeker.market.schema import REQUIRED_COLUMNS

__all__ = ["BROUGHT", "Block", "Layout", "find_columns", "normalize_name"]

# Stands before the name of a column that the user brings, which may be that of a field, too.
BROUGHT = "column "

_OPTIONAL_NUMBERS = ("buy_volume", "sell_volume", "funding_rate")
_LABELS = ("session", "symbol")
_LEVEL = re.compile(r"(?:bid|ask)_(?:price|volume)_([1-9]\d?)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where each field stands in a source.

    Attributes
    ----------
    names
        Every column of the source, as it is written there.
    positions
        Field name to position in ``names``. Depth fields are ``bid_price_1`` and so on.
    levels
        Depth levels held, 0 where there are none.
    """

    names: tuple[str, ...]
    positions: Mapping[str, int]
    levels: int

    @property
    def numbers(self) -> tuple[str, ...]:
        """Fields that hold numbers."""
        return tuple(f for f in self.positions if f != "timestamp" and f not in _LABELS)

    @property
    def labels(self) -> tuple[str, ...]:
        """Fields that hold names: ``session`` and ``symbol`` where present."""
        return tuple(f for f in _LABELS if f in self.positions)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some rows of one source, converted.

    Attributes
    ----------
    rows, timestamp
        Shape (n,), int64: row numbers, nanoseconds UTC.
    numbers
        Field to values of shape (n,), float64.
    labels
        Field (``session``, ``symbol``) to a pyarrow array of n strings.
    levels
        Depth levels among ``numbers``.
    """

    rows: npt.NDArray[np.int64]
    timestamp: npt.NDArray[np.int64]
    numbers: Mapping[str, npt.NDArray[np.float64]]
    labels: Mapping[str, Any]
    levels: int


def normalize_name(name: object) -> str:
    """Return a column's name as it is compared: without outer spaces and case."""
    return str(name).strip().lower()


def find_columns(
    names: Sequence[object],
    *,
    price_col: str,
    origin: Origin,
    columns: Sequence[str] = (),
    quotes_needed: bool = True,
) -> Layout:
    """Match a source's columns to the fields of a tick.

    Names are compared without case and outer spaces; columns of no meaning here are ignored.
    Where ``bid_price`` and its like are absent, level 1 of the depth stands for them.

    Parameters
    ----------
    names
        The source's columns, in order.
    price_col
        The column read as ``close``.
    origin
        Named in error messages.
    columns
        Further columns of numbers to read, as fields ``BROUGHT`` and their names.
    quotes_needed
        Otherwise a time stamp and the price are enough.

    Raises
    ------
    DataError
        A required column is missing, a wanted name stands twice, or a depth level is incomplete.
    """
    if price_col is None or price_col == "":
        raise origin.error(
            f"price_col is {price_col!r}; it must be the name of the column to read as close"
        )
    required = REQUIRED_COLUMNS if quotes_needed else ("timestamp", "close")
    written = tuple(str(name) for name in names)
    by_name: dict[str, list[int]] = {}
    for position, name in enumerate(written):
        by_name.setdefault(normalize_name(name), []).append(position)
    levels = _count_levels(by_name, written, origin)
    positions: dict[str, int] = {}
    missing: list[str] = []
    for field in (*REQUIRED_COLUMNS, *_OPTIONAL_NUMBERS, *_LABELS, *_level_fields(levels)):
        wanted = normalize_name(price_col) if field == "close" else field
        if wanted not in by_name and levels > 0 and field in DEPTH_COLUMNS:
            wanted = f"{field}_1"
        found = by_name.get(wanted, [])
        if len(found) > 1:
            twice = " and ".join(repr(written[position]) for position in found)
            raise origin.error(f"columns {twice} are both {wanted!r}; rename or drop one of them")
        if found:
            positions[field] = found[0]
        elif field in required:
            missing.append(wanted)
    if missing:
        raise origin.error(_missing(missing, written, required))
    positions |= _brought(columns, by_name, written, origin)
    return Layout(names=written, positions=positions, levels=levels)


def _brought(
    columns: Sequence[str],
    by_name: Mapping[str, Sequence[int]],
    written: Sequence[str],
    origin: Origin,
) -> dict[str, int]:
    positions = {}
    for column in columns:
        found = by_name.get(normalize_name(column), [])
        if not found:
            raise origin.error(
                f"has no column {_described([column], written)} to evaluate; found: "
                f"{', '.join(map(repr, written))}"
            )
        if len(found) > 1:
            twice = " and ".join(repr(written[position]) for position in found)
            raise origin.error(f"columns {twice} are both {column!r}; rename or drop one of them")
        positions[BROUGHT + column] = found[0]
    return positions


def _level_fields(levels: int) -> list[str]:
    return [f"{name}_{level}" for level in range(1, levels + 1) for name in DEPTH_COLUMNS]


def _count_levels(
    by_name: Mapping[str, Sequence[int]], written: Sequence[str], origin: Origin
) -> int:
    given = [int(match[1]) for match in map(_LEVEL.fullmatch, by_name) if match]
    levels = max((level for level in given if level <= MAX_LEVELS), default=0)
    missing = [field for field in _level_fields(levels) if field not in by_name]
    if missing:
        raise origin.error(
            f"depth reaches level {levels} but is incomplete. "
            f"{_missing(missing, written, REQUIRED_COLUMNS)}"
        )
    return levels


def _described(missing: Sequence[str], written: Sequence[str]) -> str:
    """Return the names, each with the one that is written most like it."""
    folded = {normalize_name(name): name for name in written}
    described = []
    for name in missing:
        nearest = difflib.get_close_matches(name, folded, n=1, cutoff=0.5)
        hint = f" (nearest: {folded[nearest[0]]!r})" if nearest else ""
        described.append(f"{name!r}{hint}")
    return ", ".join(described)


def _missing(missing: Sequence[str], written: Sequence[str], required: Sequence[str]) -> str:
    found = ", ".join(repr(name) for name in written) or "none"
    other = ""
    if len(written) == 1:
        separator = next((mark for mark in (";", "\t", "|") if mark in written[0]), None)
        other = "" if separator is None else f"; cells seem to be separated by {separator!r}"
    bars = ""
    if not {"timestamp", "close"} & set(missing):
        bars = (
            ". Without quotes, columns of your own can be graded: evaluate-factors --column NAME "
            "--only-columns"
        )
    return (
        f"missing columns: {_described(missing, written)}; found: {found}{other}. "
        f"Needed are {', '.join(required)}, separated by commas in text files; "
        f"price_col names the column to read as close{bars}"
    )
