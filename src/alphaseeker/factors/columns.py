"""Factors that the user brings: columns beside a price, with or without quotes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config, load_config
from alphaseeker.errors import DataError
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.features.block import FeatureBlock
from alphaseeker.market.array_file import release, stored_like
from alphaseeker.market.gate import Verdict
from alphaseeker.market.quality import QualityReport

__all__ = ["block_without_features", "evaluate_columns"]

_AT_ONCE = 262_144  # rows


def evaluate_columns(
    columns: Mapping[str, npt.ArrayLike],
    *,
    timestamp: npt.ArrayLike,
    price: npt.ArrayLike,
    spread: npt.ArrayLike | None = None,
    session: npt.ArrayLike | None = None,
    symbol: str = "",
    config: Config | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Evaluate arrays as predictors of the forward return of a price.

    Parameters
    ----------
    columns
        By name, shape (n,): numbers, each known at its row's time. A frame will do.
    timestamp
        Shape (n,), int64, nanoseconds UTC, or datetime64; not falling within a session.
    price
        Shape (n,), in price units; rows where it is not above zero have no return.
    spread
        Shape (n,), ask less bid, in price units; 0 without it.
    session
        Shape (n,), whole numbers: no return crosses from one to another; one session without it.
    symbol
        Name of the instrument.
    config
        Settings; the defaults without it.
    on_progress
        As in ``evaluate_factor_blocks``.

    Returns
    -------
    dict
        That of ``evaluate_factor_blocks``, with ``quotes``: whether a spread was given.

    Raises
    ------
    DataError
        An array has another length or holds no numbers, time stamps fall, or there are too few
        rows.
    """
    times = np.asarray(timestamp)
    if times.dtype.kind == "M":
        times = times.astype("datetime64[ns]").astype(np.int64)
    rows = len(times)
    quoted = np.zeros(rows) if spread is None else spread
    sessions = np.zeros(rows, np.int64) if session is None else session
    block = block_without_features(
        symbol,
        _numbers("timestamp", times, rows, np.int64),
        _numbers("price", price, rows, np.float64),
        _numbers("spread", quoted, rows, np.float64),
        _numbers("session", sessions, rows, np.int64),
    )
    brought = {str(name): _numbers(str(name), columns[name], rows, np.float64) for name in columns}
    result = evaluate_factor_blocks(
        [block], config or load_config(), brought=[brought], on_progress=on_progress
    )
    return {**result, "quotes": spread is not None}


def _numbers(name: str, values: npt.ArrayLike, rows: int, dtype: Any) -> npt.NDArray[Any]:
    try:
        array = np.asarray(values)
        found: npt.NDArray[Any] = array.astype(dtype, casting="unsafe", copy=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name!r} does not hold numbers ({error}); convert it first") from error
    if found.shape != (rows,):
        raise DataError(
            f"{name!r} has shape {found.shape}; it must be ({rows},), as there are time stamps"
        )
    return found


def block_without_features(
    symbol: str,
    timestamp: npt.NDArray[np.int64],
    price: npt.NDArray[np.float64],
    spread: npt.NDArray[np.float64],
    session: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64] | None = None,
) -> FeatureBlock:
    """Return rows that hold a price and no column, each session a segment.

    Where the time stamps stand in a file, so does what is made here.

    Raises
    ------
    DataError
        A time stamp falls within a session.
    """
    rows = len(timestamp)
    segment = stored_like(np.zeros(rows, np.int64), timestamp)
    number = 0
    for first in range(1, rows, _AT_ONCE):
        # One row before, which the first one of these follows.
        here = slice(first - 1, first + _AT_ONCE)
        begins = np.diff(session[here]) != 0
        falls = (np.diff(timestamp[here]) < 0) & ~begins
        if falls.any():
            found = first + int(np.argmax(falls))
            raise DataError(
                f"row {found + 1} of {symbol or 'the data'} is earlier than the one before it; "
                "sort the rows by time, or tell sessions apart"
            )
        segment[first : first + _AT_ONCE] = number + np.cumsum(begins)
        number += int(begins.sum())
    for array in (segment, timestamp, session):
        release(array)
    return FeatureBlock(
        symbol=symbol,
        names=(),
        values=np.empty((rows, 0), dtype=np.float32),
        timestamp=timestamp,
        mid=price,
        spread=spread,
        close=price,
        segment=segment,
        history=np.broadcast_to(np.int64(0), rows),
        verdict=np.broadcast_to(np.int8(Verdict.ACCEPTED), rows),
        row=np.broadcast_to(np.int64(0), rows) if row is None else row,
        bucket_s=1.0,
        quality=QualityReport(),
    )
