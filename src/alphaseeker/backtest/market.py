"""The rows of all symbols in one order of time, laid out for the loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from alphaseeker.backtest.state import FEED
from alphaseeker.errors import DataError
from alphaseeker.inference.session import Session
from alphaseeker.market.depth import repair_depth_series
from alphaseeker.market.schema import TickSeries

__all__ = ["GivenSignals", "Market", "lay_out", "signals_by_symbol"]

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class GivenSignals:
    """Signals of one symbol's rows that no session gives; every array has shape (n,).

    Attributes
    ----------
    sides
        int8: 1 BUY, 0 HOLD, -1 SELL.
    strengths
        float64, in [0, 1].
    p_up, p_down
        float64: probabilities of BUY and SELL; NaN where they are not known.
    """

    sides: npt.NDArray[np.int8]
    strengths: npt.NDArray[np.float64]
    p_up: npt.NDArray[np.float64]
    p_down: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Market:
    """What the loop runs over.

    Attributes
    ----------
    names
        Of the symbols, by number.
    feeds
        Shape (symbols,), dtype ``FEED``.
    symbols, rows, times
        Shape (n,): the merged order; see ``loop.run_rows``.
    moments
        By symbol: when its rows are known, ns, never falling.
    series
        Of every symbol.
    kept
        Keeps alive what the feeds point to.
    """

    names: tuple[str, ...]
    feeds: npt.NDArray[np.void]
    symbols: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    moments: tuple[npt.NDArray[np.int64], ...]
    series: tuple[TickSeries, ...]
    kept: list[object] = field(repr=False)


def lay_out(
    series: Sequence[TickSeries],
    signals: Sequence[Session | GivenSignals],
    verdicts: Sequence[npt.NDArray[np.int8]],
    *,
    max_gap_s: float,
) -> Market:
    """Merge the rows of all symbols by time.

    A symbol's own rows keep their order, whatever their time stamps say: a late row comes when it
    came. Rows of one moment come in the order of the symbols.

    Parameters
    ----------
    series, signals, verdicts
        One of each a symbol; ``verdicts`` are the gate's, shape (n,). Depth is mended in place.
    max_gap_s
        A longer time to the next row is a gap.
    """
    feeds = np.zeros(len(series), dtype=FEED)
    kept: list[object] = [feeds]

    def address(array: npt.NDArray[np.generic]) -> int:
        held = np.ascontiguousarray(array)
        kept.append(held)
        return int(held.ctypes.data)

    times = []
    for feed, one, signal, judged in zip(feeds, series, signals, verdicts, strict=True):
        feed["ticks"] = address(one.ticks)
        feed["rows"] = len(one)
        if one.depth is not None:
            depth = np.ascontiguousarray(one.depth)
            repair_depth_series(depth)
            feed["levels"] = depth.shape[1]
            feed["depth"] = address(depth)
        if one.funding is not None:
            feed["funding"] = address(one.funding)
        feed["verdicts"] = address(judged)
        feed["last_rows"] = address(_last_rows(one.ticks, judged, max_gap_s))
        if isinstance(signal, Session):
            kept.append(signal)
            feed["session"] = signal.memory.ctypes.data
            feed["read_levels"] = feed["levels"] if signal.model.depth_levels > 0 else 0
        else:
            for name in ("sides", "strengths", "p_up", "p_down"):
                feed[name] = address(getattr(signal, name))
        times.append(_known_at(one.ticks, judged))
    symbols = np.repeat(np.arange(len(series), dtype=np.int32), [len(one) for one in series])
    rows = np.concatenate([np.arange(len(one), dtype=np.int64) for one in series])
    moments = np.concatenate(times)
    if len(series) > 1:
        order = np.argsort(moments, kind="stable")
        symbols, rows, moments = symbols[order], rows[order], moments[order]
    return Market(
        names=tuple(one.symbol for one in series),
        feeds=feeds,
        symbols=symbols,
        rows=rows,
        times=moments,
        moments=tuple(times),
        series=tuple(series),
        kept=kept,
    )


def _known_at(ticks: npt.NDArray[np.void], verdicts: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Return when each row is known: its time stamp, or that of a later one that stands before it.

    A refused row, whose time stamp may be anything, comes with the row before it.
    """
    stamps = np.where(verdicts >= 0, ticks["timestamp"], np.iinfo(np.int64).min)
    known = np.maximum.accumulate(stamps)
    first = np.argmax(verdicts >= 0) if len(verdicts) else 0
    known[: int(first)] = known[int(first)] if len(verdicts) else 0
    return known


def _last_rows(
    ticks: npt.NDArray[np.void], verdicts: npt.NDArray[np.int8], max_gap_s: float
) -> npt.NDArray[np.int8]:
    """Mark the rows after which the capture breaks off: its end, another session, or a gap."""
    marks = np.zeros(len(ticks), dtype=np.int8)
    usable = np.flatnonzero(verdicts >= 0)
    if len(usable) == 0:
        return marks
    taken = ticks[usable]
    breaks = np.ones(len(usable), dtype=np.bool_)
    breaks[:-1] = np.diff(taken["session"]) != 0
    breaks[:-1] |= np.diff(taken["timestamp"]) > max_gap_s * NANOSECONDS
    # Held rows may stand between the last quote and the break: all rows behind it count.
    behind = np.cumsum(breaks[::-1])[::-1]
    moments = taken["timestamp"]
    ends = np.flatnonzero(breaks)
    last = moments[ends][len(ends) - behind]
    marks[usable[moments == last]] = 1
    return marks


def signals_by_symbol(
    series: Sequence[TickSeries],
    sides: npt.ArrayLike | Mapping[str, npt.ArrayLike],
    strengths: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None,
    p_up: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None,
    p_down: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None,
) -> list[GivenSignals]:
    """Return a user's own signals by symbol.

    Parameters
    ----------
    sides, strengths, p_up, p_down
        One value a row of the data, in its order; with several symbols, or a source of several
        files, a mapping of symbol to such an array.

    Raises
    ------
    DataError
        A length or a value does not fit.
    """
    found = {
        "sides": _split("sides", sides, series, 0.0),
        "strengths": _split("strengths", strengths, series, 1.0),
        "p_up": _split("p_up", p_up, series, np.nan),
        "p_down": _split("p_down", p_down, series, np.nan),
    }
    signals = []
    for number, one in enumerate(series):
        given = {name: values[number] for name, values in found.items()}
        _check(one.symbol, given)
        signals.append(
            GivenSignals(
                sides=given["sides"].astype(np.int8),
                strengths=given["strengths"],
                p_up=given["p_up"],
                p_down=given["p_down"],
            )
        )
    return signals


def _split(
    name: str,
    given: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None,
    series: Sequence[TickSeries],
    default: float,
) -> list[npt.NDArray[np.float64]]:
    if given is None:
        return [np.full(len(one), default) for one in series]
    if isinstance(given, Mapping):
        missing = [one.symbol for one in series if one.symbol not in given]
        if missing:
            raise DataError(
                f"{name} has nothing for {missing[0]!r}; give one array for each symbol of the data"
            )
        parts = [np.asarray(given[one.symbol], dtype=np.float64) for one in series]
        for one, part in zip(series, parts, strict=True):
            _check_length(f"{name} of {one.symbol!r}", part, len(one))
        return parts
    values = np.asarray(given, dtype=np.float64)
    _check_length(name, values, sum(len(one) for one in series))
    if len(series) == 1:
        return [values]
    numbers = np.concatenate([one.rows for one in series])
    places = np.argsort(np.argsort(numbers, kind="stable"), kind="stable")
    if len(np.unique(numbers)) < len(numbers):
        raise DataError(
            f"{name} is one array, and the rows of the data stand in several files; give a "
            "mapping of symbol to array"
        )
    ends = np.cumsum([len(one) for one in series])[:-1]
    return [values[part] for part in np.split(places, ends)]


def _check_length(name: str, values: npt.NDArray[np.float64], rows: int) -> None:
    if values.shape != (rows,):
        raise DataError(
            f"{name} has shape {values.shape}, the data has {rows} rows; give one value a row"
        )


def _check(symbol: str, given: Mapping[str, npt.NDArray[np.float64]]) -> None:
    whose = f" of {symbol!r}" if symbol else ""
    if not np.isin(given["sides"], (-1.0, 0.0, 1.0)).all():
        raise DataError(f"sides{whose} hold other values than 1, 0 and -1; give BUY as 1, SELL -1")
    strengths = given["strengths"]
    if not ((strengths >= 0.0) & (strengths <= 1.0)).all():
        raise DataError(f"strengths{whose} must be from 0 to 1")
    for name in ("p_up", "p_down"):
        values = given[name]
        if not (np.isnan(values) | ((values >= 0.0) & (values <= 1.0))).all():
            raise DataError(f"{name}{whose} must be from 0 to 1, NaN where it is not known")
    if (given["p_up"] + given["p_down"] > 1.0 + 1e-6).any():
        raise DataError(f"p_up and p_down{whose} add up to more than 1")
