"""Columns as a source holds them, to the arrays of a block."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.market.layout import Block, Layout
from alphaseeker.market.number_text import is_ambiguous, is_missing, read_number, shown
from alphaseeker.market.origin import Origin
from alphaseeker.market.timestamps import TimestampColumn

__all__ = ["BlockConverter"]

# A pyarrow array, or a list where cells are Python objects of several types.
Column = Any


class BlockConverter:
    """Converts blocks of one source; holds what must agree over the whole of it.

    Parameters
    ----------
    layout, origin
        Of the source.
    text_is_missing
        A cell of text in a numeric column is NaN, for the quality gate to judge (text files);
        otherwise it is refused.
    """

    def __init__(self, layout: Layout, origin: Origin, *, text_is_missing: bool) -> None:
        self._layout = layout
        self._origin = origin
        self._text_is_missing = text_is_missing
        self._timestamps = TimestampColumn(origin, layout.names[layout.positions["timestamp"]])

    def convert(self, columns: Mapping[int, Column], rows: npt.NDArray[np.int64]) -> Block:
        """Return the block held by ``columns``, keyed by their position in the source.

        Raises
        ------
        DataError
            A cell or a column cannot be what its name says; the message names the place.
        """
        positions = self._layout.positions
        timestamp = self._timestamps.convert(columns[positions["timestamp"]], rows)
        numbers: dict[int, npt.NDArray[np.float64]] = {}
        for field in self._layout.numbers:
            position = positions[field]
            if position not in numbers:
                name = self._layout.names[position]
                numbers[position] = self._to_numbers(columns[position], name, rows)
        labels = {}
        for field in self._layout.labels:
            position = positions[field]
            labels[field] = self._to_labels(columns[position], self._layout.names[position], rows)
        return Block(
            rows=rows,
            timestamp=timestamp,
            numbers={field: numbers[positions[field]] for field in self._layout.numbers},
            labels=labels,
            levels=self._layout.levels,
        )

    def finish(self) -> None:
        """Raise DataError where the whole source held no readable time."""
        self._timestamps.finish()

    def _to_numbers(
        self, values: Column, name: str, rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        import pyarrow as pa

        if isinstance(values, list):
            return self._cells(values, name, rows)
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        kind = values.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            try:
                values = values.cast(pa.float64())
            except pa.ArrowInvalid:
                return self._cells(values.to_pylist(), name, rows)
        elif not (
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_decimal(kind)
            or pa.types.is_null(kind)
        ):
            raise self._origin.error(
                f"holds {kind} values where numbers are needed; convert the column to float64",
                column=name,
            )
        values = values.cast(pa.float64(), safe=False)
        result: npt.NDArray[np.float64] = values.fill_null(math.nan).to_numpy(zero_copy_only=False)
        return result

    def _cells(
        self, cells: list[Any], name: str, rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        result = np.full(len(cells), math.nan)
        for index, cell in enumerate(cells):
            if isinstance(cell, str):
                number = read_number(cell)
                if number is not None:
                    result[index] = number
                elif is_ambiguous(cell):
                    raise self._refuse(
                        f"{shown(cell)} may mean thousands or decimals; write 1234.5 or '1,234.5'",
                        name,
                        int(rows[index]),
                    )
                elif not self._text_is_missing:
                    raise self._not_a_number(cell, name, int(rows[index]))
            elif is_missing(cell):
                continue
            elif isinstance(cell, (bool, np.bool_)) or not isinstance(cell, (Real, Decimal)):
                raise self._not_a_number(cell, name, int(rows[index]))
            else:
                try:
                    result[index] = float(cell)
                except OverflowError as error:
                    message = f"{shown(cell)} is beyond any float64; mend the cell"
                    raise self._refuse(message, name, int(rows[index])) from error
        return result

    def _not_a_number(self, cell: object, name: str, row: int) -> Exception:
        message = f"{shown(cell)} ({type(cell).__name__}) stands where a number is needed"
        return self._refuse(f"{message}; convert the column to float64", name, row)

    def _refuse(self, message: str, name: str, row: int) -> Exception:
        return self._origin.error(message, row=row, column=name)

    def _to_labels(self, values: Column, name: str, rows: npt.NDArray[np.int64]) -> Any:
        """Return a pyarrow array of strings without nulls; 1 and 1.0 are both ``"1"``."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if isinstance(values, list):
            try:
                values = pa.array([_label(cell) for cell in values], type=pa.large_string())
            except ValueError as error:
                message = f"holds a name that is no text ({error}); give strings or integers"
                raise self._origin.error(message, column=name) from error
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if pa.types.is_floating(values.type):
            values = values.cast(pa.float64())
            whole = values.cast(pa.int64(), safe=False)
            if pc.all(pc.equal(whole.cast(pa.float64()), values)).as_py() is not False:
                values = whole
        try:
            values = values.cast(pa.large_string())
        except pa.ArrowException as error:
            raise self._origin.error(
                f"holds {values.type} values; give strings or integers", column=name
            ) from error
        values = pc.utf8_trim_whitespace(values)
        absent = pc.fill_null(pc.equal(values, ""), True).to_numpy(zero_copy_only=False)
        if absent.any():
            raise self._refuse(
                "the cell is empty, so the row belongs to nothing; fill it in or drop the row",
                name,
                int(rows[np.argmax(absent)]),
            )
        return values


def _label(cell: object) -> str | None:
    if is_missing(cell) and not isinstance(cell, str):
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
