"""Numbers written as text: which are read, missing or ambiguous, and how a cell is quoted."""

from __future__ import annotations

import math
import re
from decimal import Decimal

__all__ = ["MISSING_WORDS", "is_ambiguous", "is_missing", "read_number", "shown"]

MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "nat", "none", "null", "<na>"})

# Three digits after each comma, and a sign that the comma is not the decimal one: a dot after
# it, or a second comma.
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:(?:,\d{3})+\.\d*|(?:,\d{3}){2,})", re.ASCII)
_SHOWN = 120  # characters of a cell that a message quotes
_COMMAS = re.compile(r"[+-]?[\d.]*\d,[\d.,]*", re.ASCII)


def is_missing(value: object) -> bool:
    """Say whether ``value`` stands for no value: None, NaN, NaT or a word such as ``"null"``."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in MISSING_WORDS
    if isinstance(value, Decimal):
        return value.is_nan()  # a signalling one cannot be compared
    try:
        return bool(value != value)  # only NaN and NaT differ from themselves
    except (TypeError, ValueError):  # pandas.NA has no truth value
        return type(value).__name__ == "NAType"


def read_number(text: str) -> float | None:
    """Return the number in a cell, NaN where the cell is empty, None where it is no number.

    Thousands separators are read where nothing else can be meant: ``"1,234.5"``,
    ``"1,234,567"``. Ambiguous ones give None; see ``is_ambiguous``.
    """
    text = text.strip()
    if text.lower() in MISSING_WORDS:
        return math.nan
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    if "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def is_ambiguous(text: str) -> bool:
    """Say whether a cell is a number whose comma may separate thousands or decimals."""
    text = text.strip()
    return _COMMAS.fullmatch(text) is not None and _GROUPED.fullmatch(text) is None


def shown(cell: object) -> str:
    """Return a cell as a message quotes it: its repr, cut where it is long."""
    try:
        text = repr(cell)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return f"{type(cell).__name__} too large to write out"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
