"""Where a value came from: the file or frame, the row and the column, for error messages."""

from __future__ import annotations

from dataclasses import dataclass

from alphaseeker.errors import DataError

__all__ = ["Origin"]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One file or frame.

    Attributes
    ----------
    name
        The path as it was given, or ``"pandas frame"`` / ``"polars frame"``.
    row_word
        ``"line"`` for text files, whose header is line 1; ``"row"``, counted from 1, elsewhere.
    """

    name: str
    row_word: str

    def error(
        self, message: str, *, row: int | None = None, column: str | None = None
    ) -> DataError:
        """Return a DataError whose message begins with the place."""
        place = self.name
        if row is not None:
            place += f", {self.row_word} {row}"
        if column is not None:
            place += f", column {column!r}"
        return DataError(f"{place}: {message}")
