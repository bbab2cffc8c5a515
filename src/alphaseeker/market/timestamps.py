"""Time stamps in any unambiguous form, to nanoseconds since 1970-01-01 UTC.

The unit of a number is read from its magnitude: seconds, milliseconds, microseconds and
nanoseconds of the same date are a factor of 1,000 apart, and the dates that are read
(1973-03-03 to 2261-07-16) span less than that, so no number fits two units. A naive date is UTC.

A float64 holds a present-day time to about 0.25 µs whatever its unit, so floats are rounded to
whole microseconds; integers and ISO strings keep their nanoseconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import DataError
from alphaseeker.market.number_text import is_missing, read_number, shown
from alphaseeker.market.origin import Origin

__all__ = [
    "END_S",
    "FIRST_S",
    "PER_SECOND",
    "SPAN",
    "TIMESTAMP_KINDS",
    "TimestampColumn",
    "to_nanoseconds",
    "unit_of",
]

TIMESTAMP_KINDS = {
    "s": "in seconds",
    "ms": "in milliseconds",
    "us": "in microseconds",
    "ns": "in nanoseconds",
    "naive": "a date without a zone",
    "aware": "a date with a zone",
}

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_UNITS = tuple(PER_SECOND)
FIRST_S, END_S = 100_000_000, 9_200_000_000  # 1973-03-03 .. 2261-07-16, inside int64 ns
SPAN = "dates from 1973-03-03 to 2261-07-16 are read"
_ALLOWED = (
    "give seconds, milliseconds, microseconds or nanoseconds since 1970-01-01 UTC, "
    "an ISO 8601 string such as '2024-07-23T15:39:44.5Z', or a datetime"
)
_EXACT_IN_FLOAT = float(2**53)

_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?"
    r"(Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)


class _OutOfRange(Exception):
    """A time stamp whose form is right and whose value no market can have; never leaves here."""


def unit_of(number: int | float) -> str | None:
    """Return the one unit in which a number is a date that is read; None where there is none."""
    for unit, scale in PER_SECOND.items():
        if FIRST_S * scale <= number < END_S * scale:
            return unit
    return None


def to_nanoseconds(value: object) -> tuple[int, str]:
    """Return one live time stamp in nanoseconds UTC, and its kind.

    Parameters
    ----------
    value
        int, float or Decimal in s, ms, µs or ns; an ISO 8601 string; a datetime, pandas Timestamp
        or ``numpy.datetime64`` (naive means UTC, aware is converted).

    Returns
    -------
    tuple[int, str]
        Nanoseconds since 1970-01-01 UTC, and one of ``TIMESTAMP_KINDS``. A stream whose kind
        changes mixes units or zones.

    Raises
    ------
    DataError
        The value is missing, NaN, zero, negative, a bool, out of range or of no readable form.
    """
    if type(value) is float and FIRST_S <= value < END_S:  # what time.time() gives
        whole = int(value)
        return (whole * 1_000_000 + round((value - whole) * 1_000_000)) * 1_000, "s"
    if is_missing(value):
        raise DataError(f"timestamp is {value!r}, which is no time; {_ALLOWED}")
    try:
        return _read(value)
    except _OutOfRange as error:
        raise DataError(str(error)) from error.__cause__


def _read(value: object) -> tuple[int, str]:
    if isinstance(value, (bool, np.bool_)):
        raise DataError(f"timestamp is {value!r}, a truth value; {_ALLOWED}")
    if isinstance(value, (np.float32, np.float16)):
        raise DataError(
            f"timestamp is {value!r} as {type(value).__name__}, which cannot tell neighbouring "
            "minutes apart; give float64 or int64"
        )
    if isinstance(value, (int, np.integer)):
        return _from_number(int(value))
    if isinstance(value, (float, np.floating)):
        return _from_number(float(value))
    if isinstance(value, Decimal):
        return _from_number(int(value) if _is_whole(value) else float(value))
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, np.datetime64):
        seconds = int(value.astype("datetime64[s]").astype(np.int64))
        _check_span(seconds, value)
        return int(value.astype("datetime64[ns]").astype(np.int64)), "naive"
    if isinstance(value, datetime):
        return _from_datetime(value)
    if isinstance(value, date):
        return _from_datetime(datetime.combine(value, time()))
    raise DataError(f"timestamp is {value!r} of type {type(value).__name__}; {_ALLOWED}")


def _is_whole(value: Decimal) -> bool:
    return value.is_finite() and value.adjusted() < 30 and value == value.to_integral_value()


def _from_number(value: int | float) -> tuple[int, str]:
    unit = unit_of(value)
    if unit is None:
        raise _OutOfRange(f"timestamp is {shown(value)}, which fits no unit ({SPAN}); {_ALLOWED}")
    if isinstance(value, int):
        return value * (PER_SECOND["ns"] // PER_SECOND[unit]), unit
    if unit == "ns":
        return round(value / 1_000) * 1_000, unit
    whole = math.floor(value)
    per_unit = PER_SECOND["us"] // PER_SECOND[unit]
    return (whole * per_unit + round((value - whole) * per_unit)) * 1_000, unit


def _from_text(text: str) -> tuple[int, str]:
    match = _ISO.fullmatch(text.strip())
    if match is None:
        number = read_number(text) is not None
        problem = "a number as text and not ISO 8601" if number else "which is not ISO 8601"
        raise DataError(f"timestamp is {shown(text)}, {problem}; {_ALLOWED}")
    day, hour, minute, second, fraction, zone = match.groups()
    clock = f"{day} {hour or '00'}:{minute or '00'}:{second or '00'}"
    if zone is not None and zone != "Z" and len(zone) == 3:
        zone += ":00"
    try:
        moment = datetime.fromisoformat(clock + (zone or ""))
    except ValueError as error:
        raise DataError(f"timestamp is {text!r}: {error}; {_ALLOWED}") from error
    nanoseconds, kind = _from_datetime(moment)
    return nanoseconds + int((fraction or "0").ljust(9, "0")), kind


def _from_datetime(value: datetime) -> tuple[int, str]:
    aware = value.utcoffset() is not None
    naive = value.replace(tzinfo=None) if not aware else value
    try:
        since = naive - (_EPOCH_UTC if aware else _EPOCH)
    except (OverflowError, ValueError) as error:  # pandas: beyond its int64 nanoseconds
        raise _OutOfRange(f"timestamp is {value!r}, out of range ({SPAN})") from error
    seconds = since.days * 86_400 + since.seconds
    _check_span(seconds, value)
    # A pandas Timedelta carries nanoseconds beside the microseconds of a timedelta.
    below = since.microseconds * 1_000 + int(getattr(since, "nanoseconds", 0))
    return seconds * 1_000_000_000 + below, "aware" if aware else "naive"


def _check_span(seconds: int, value: object) -> None:
    if not FIRST_S <= seconds < END_S:
        raise _OutOfRange(f"timestamp is {value!r}, out of range ({SPAN})")


class TimestampColumn:
    """One column of time stamps, converted block by block and held to one kind throughout.

    A missing cell, and a number or date that no market can have (zero, negative, overflow),
    becomes 0, which the quality gate judges. Anything else that cannot be read is refused.

    Parameters
    ----------
    origin, column
        Named in error messages.
    """

    def __init__(self, origin: Origin, column: str) -> None:
        self._origin = origin
        self._column = column
        self._kind: str | None = None
        self._first_bad: tuple[int, object] | None = None

    def convert(self, values: Any, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return nanoseconds UTC, shape (n,), int64.

        Parameters
        ----------
        values
            A pyarrow array of n values, or a list of n Python objects.
        rows
            Shape (n,): row numbers for error messages.

        Raises
        ------
        DataError
            Another unit or zone rule than the rows before, or a cell that is no time stamp.
        """
        import pyarrow as pa

        if isinstance(values, list):
            return self._cells(values, rows)
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        kind = values.type
        if pa.types.is_null(kind):
            return np.zeros(len(values), dtype=np.int64)
        if pa.types.is_integer(kind):
            return self._numbers(values.fill_null(0).to_numpy(zero_copy_only=False), rows)
        if pa.types.is_float64(kind) or pa.types.is_decimal(kind):
            floats = values.cast(pa.float64()).fill_null(math.nan)
            return self._numbers(floats.to_numpy(zero_copy_only=False), rows)
        if pa.types.is_date(kind):
            values = values.cast(pa.timestamp("s"))
            kind = values.type
        if pa.types.is_timestamp(kind):
            return self._instants(values, rows)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return self._texts(values, rows)
        raise self._origin.error(f"holds {kind} values; {_ALLOWED}", column=self._column)

    def finish(self) -> None:
        """Raise DataError where no cell of the whole column could be read as a time."""
        if self._kind is not None:
            return
        if self._first_bad is None:
            raise self._origin.error(f"holds no time at all; {_ALLOWED}", column=self._column)
        row, value = self._first_bad
        message = f"{shown(value)} fits no unit, nor does any other cell ({SPAN}); {_ALLOWED}"
        raise self._origin.error(message, row=row, column=self._column)

    def _agree(self, kind: str, row: int, value: object) -> None:
        if self._kind is None:
            self._kind = kind
        elif kind != self._kind:
            raise self._origin.error(
                f"{value!r} is {TIMESTAMP_KINDS[kind]}, the rows before it are "
                f"{TIMESTAMP_KINDS[self._kind]}; write the whole column in one unit and format",
                row=row,
                column=self._column,
            )

    def _note_bad(self, row: int, value: object) -> None:
        if self._first_bad is None:
            self._first_bad = (row, value)

    def _numbers(
        self, numbers: npt.NDArray[Any], rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        if self._kind in PER_SECOND:
            scale = PER_SECOND[self._kind]
            if np.all((numbers >= FIRST_S * scale) & (numbers < END_S * scale)):
                return _scaled(numbers, self._kind)
        unit = np.full(len(numbers), -1, dtype=np.int8)
        for index, scale in enumerate(PER_SECOND.values()):
            unit[(numbers >= FIRST_S * scale) & (numbers < END_S * scale)] = index
        unread = np.flatnonzero((unit < 0) & ~np.isnan(numbers))
        if len(unread):
            self._note_bad(int(rows[unread[0]]), numbers[unread[0]].item())
        result = np.zeros(len(numbers), dtype=np.int64)
        readable = np.flatnonzero(unit >= 0)
        if len(readable) == 0:
            return result
        first = readable[0]
        self._agree(_UNITS[unit[first]], int(rows[first]), numbers[first].item())
        changed = readable[unit[readable] != unit[first]]
        if len(changed):
            at = changed[0]
            self._agree(_UNITS[unit[at]], int(rows[at]), numbers[at].item())
        result[readable] = _scaled(numbers[readable], _UNITS[unit[first]])
        return result

    def _instants(self, values: Any, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        import pyarrow as pa

        scale = PER_SECOND[values.type.unit]
        kind = "naive" if values.type.tz is None else "aware"
        numbers = values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        good = (numbers >= FIRST_S * scale) & (numbers < END_S * scale)
        if good.any():
            first = int(np.argmax(good))
            shown = values.slice(first, 1).cast(pa.string())[0].as_py()
            self._agree(kind, int(rows[first]), shown)
        bad = np.flatnonzero(~good)
        if len(bad):
            self._note_bad(int(rows[bad[0]]), int(numbers[bad[0]]))
        result: npt.NDArray[np.int64] = np.where(good, numbers, 0) * (PER_SECOND["ns"] // scale)
        return result

    def _texts(self, values: Any, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        import pyarrow as pa

        numeric, dated = (pa.int64(), pa.float64()), (pa.timestamp("ns"), pa.timestamp("ns", "UTC"))
        targets = numeric + dated if self._kind is None else dated
        if self._kind in PER_SECOND:
            targets = numeric
        for target in targets:
            try:
                converted = values.cast(target)
            except pa.ArrowInvalid:
                continue
            if converted.null_count == len(converted):
                break
            if pa.types.is_timestamp(target):
                return self._instants(converted, rows)
            if target == pa.int64():
                return self._numbers(converted.fill_null(0).to_numpy(zero_copy_only=False), rows)
            floats = converted.fill_null(math.nan).to_numpy(zero_copy_only=False)
            # Whole numbers among them must not lose digits that they hold as text.
            if np.max(floats, initial=0.0, where=~np.isnan(floats)) < _EXACT_IN_FLOAT:
                return self._numbers(floats, rows)
        return self._cells(values.to_pylist(), rows)

    def _cells(self, cells: Sequence[Any], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        result = np.zeros(len(cells), dtype=np.int64)
        for index, cell in enumerate(cells):
            if is_missing(cell):
                continue
            row = int(rows[index])
            try:
                nanoseconds, kind = _read(_number_in(cell) if isinstance(cell, str) else cell)
            except _OutOfRange:
                self._note_bad(row, cell)
                continue
            except DataError as error:
                raise self._origin.error(str(error), row=row, column=self._column) from error
            self._agree(kind, row, cell)
            result[index] = nanoseconds
        return result


def _number_in(text: str) -> int | float | str:
    """Return the number that a cell's text is, or the text."""
    text = text.strip()
    try:
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if "_" not in text else text
    except ValueError:  # no number, or more digits than Python reads
        return text


def _scaled(numbers: npt.NDArray[Any], unit: str) -> npt.NDArray[np.int64]:
    """Convert numbers that all lie in the range of ``unit``, rounding as ``_from_number`` does."""
    scale = PER_SECOND[unit]
    if not np.issubdtype(numbers.dtype, np.floating):
        return numbers.astype(np.int64) * (PER_SECOND["ns"] // scale)
    if unit == "ns":
        return np.rint(numbers / 1_000).astype(np.int64) * 1_000
    whole = np.floor(numbers)
    per_unit = PER_SECOND["us"] // scale
    below = np.rint((numbers - whole) * per_unit).astype(np.int64)
    result: npt.NDArray[np.int64] = (whole.astype(np.int64) * per_unit + below) * 1_000
    return result
