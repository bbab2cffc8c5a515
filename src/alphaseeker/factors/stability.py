"""Whether an IC is there every day and in every kind of market, or came from one stretch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import kernel
from alphaseeker.errors import DataError

__all__ = [
    "REGIMES",
    "ic_by_day",
    "ic_by_regime",
    "realised_volatility",
    "sign_shares",
    "volatility_before",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

REGIMES = ("calm", "middle", "wild")

_DAY_NS = 86_400 * 10**9


@kernel
def realised_volatility(
    timestamp: npt.NDArray[np.int64],
    mid: npt.NDArray[np.float64],
    segment: npt.NDArray[np.int64],
    blocks: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return the realised volatility of each block: root of squared returns over the seconds.

    Source: Andersen, Bollerslev, Diebold and Labys (2003), of the returns from row to row.

    Parameters
    ----------
    timestamp
        Shape (n,), int64, nanoseconds.
    mid
        Shape (n,), float64; steps from or to a price that is not above zero are left out.
    segment
        Shape (n,), int64; no step crosses from one number to another.
    blocks
        Shape (b, 2), int64: first row of each block and the row after its last.

    Returns
    -------
    numpy.ndarray
        Shape (b,), float64, a logarithmic return per root second; NaN for a block without a step
        that takes time.
    """
    found = np.full(len(blocks), np.nan)
    for block in range(len(blocks)):
        square = 0.0
        seconds = 0.0
        for row in range(blocks[block, 0] + 1, blocks[block, 1]):
            if segment[row] == segment[row - 1] and mid[row] > 0.0 and mid[row - 1] > 0.0:
                step = math.log(mid[row] / mid[row - 1])
                square += step * step
                seconds += (timestamp[row] - timestamp[row - 1]) * 1e-9
        if seconds > 0.0:
            found[block] = math.sqrt(square / seconds)
    return found


def volatility_before(volatility: npt.ArrayLike) -> FloatArray:
    """Return for each block the volatility of the last block before it that has one.

    That is what a bot knows when the block begins.

    Parameters
    ----------
    volatility
        Shape (b,), of the blocks of one symbol in order of time, as from `realised_volatility`.

    Returns
    -------
    numpy.ndarray
        Shape (b,), float64; NaN where no block before has any.
    """
    values = np.asarray(volatility, dtype=np.float64)
    known = np.where(np.isfinite(values), np.arange(len(values)), -1)
    last = np.maximum.accumulate(known) if len(values) else known
    before = np.concatenate(([-1], last[:-1]))[: len(values)]
    return np.where(before >= 0, values[np.maximum(before, 0)], np.nan)


def ic_by_day(block_ics: npt.ArrayLike, block_starts: npt.ArrayLike) -> list[dict[str, Any]]:
    """Return the mean IC of the blocks that begin on each day, UTC.

    Parameters
    ----------
    block_ics
        Shape (b,): IC of each block, of one or more symbols; blocks with NaN are left out.
    block_starts
        Shape (b,), nanoseconds UTC.

    Returns
    -------
    list of dict
        In order of time: ``day`` (``2024-01-31``), ``ic``, ``n_blocks``. Days without a block
        that has an IC are not in it.

    Raises
    ------
    DataError
        Arrays of different lengths.
    """
    ics, starts = _paired(block_ics, block_starts, "block_starts")
    days, place = np.unique(starts // _DAY_NS, return_inverse=True)
    counts = np.bincount(place, minlength=len(days))
    sums = np.bincount(place, weights=ics, minlength=len(days))
    return [
        {
            "day": str(np.datetime64(int(day), "D")),
            "ic": float(total / count),
            "n_blocks": int(count),
        }
        for day, total, count in zip(days, sums, counts, strict=True)
    ]


def ic_by_regime(
    block_ics: npt.ArrayLike,
    block_volatility: npt.ArrayLike,
    symbol: npt.ArrayLike | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the mean IC of the blocks that began in a calm, a middling and a wild market.

    Parameters
    ----------
    block_ics
        Shape (b,): IC of each block; blocks with NaN are left out.
    block_volatility
        Shape (b,): volatility known when the block began (`volatility_before`), never that of the
        block itself. Blocks with NaN are left out.
    symbol
        Shape (b,): which symbol each block is of. The terciles are those of each symbol's own
        blocks, over the whole of the data: they sort what has been and are no rule for trading.
        None: one symbol.

    Returns
    -------
    dict
        ``calm``, ``middle`` and ``wild``, each with ``ic`` (0.0 without a block) and
        ``n_blocks``.

    Raises
    ------
    DataError
        Arrays of different lengths.
    """
    ics = np.asarray(block_ics, dtype=np.float64)
    volatility = np.asarray(block_volatility, dtype=np.float64)
    group = np.zeros(len(ics), np.int64) if symbol is None else np.asarray(symbol)
    for name, given in (("block_volatility", volatility), ("symbol", group)):
        _require_length(ics, given, name)
    known = np.isfinite(ics) & np.isfinite(volatility)
    regime = np.full(len(ics), -1)
    for name in np.unique(group[known]):
        own = np.flatnonzero(known & (group == name))
        # By place and not by value: equal volatilities would else leave a regime empty.
        order = own[np.argsort(volatility[own], kind="stable")]
        regime[order] = np.arange(len(own)) * len(REGIMES) // len(own)
    found = {}
    for number, name in enumerate(REGIMES):
        inside = ics[regime == number]
        found[name] = {
            "ic": float(np.mean(inside)) if len(inside) else 0.0,
            "n_blocks": len(inside),
        }
    return found


def sign_shares(block_ics: npt.ArrayLike, block_starts: npt.ArrayLike) -> dict[str, float]:
    """Return which part of the blocks, and of the days, points where the mean IC points.

    Parameters, what is left out and errors are those of `ic_by_day`.

    Returns
    -------
    dict
        ``blocks`` and ``days``, each from 0 to 1; 0.0 where there is no IC, and where their mean
        is zero.
    """
    ics, _ = _paired(block_ics, block_starts, "block_starts")
    sign = float(np.sign(np.mean(ics))) if len(ics) else 0.0
    if sign == 0.0:
        return {"blocks": 0.0, "days": 0.0}
    days = np.array([day["ic"] for day in ic_by_day(block_ics, block_starts)])
    return {
        "blocks": float(np.mean(np.sign(ics) == sign)),
        "days": float(np.mean(np.sign(days) == sign)),
    }


def _paired(
    block_ics: npt.ArrayLike, block_starts: npt.ArrayLike, name: str
) -> tuple[FloatArray, IntArray]:
    ics = np.asarray(block_ics, dtype=np.float64)
    starts = np.asarray(block_starts, dtype=np.int64)
    _require_length(ics, starts, name)
    known = np.isfinite(ics)
    return ics[known], starts[known]


def _require_length(ics: FloatArray, other: npt.NDArray[Any], name: str) -> None:
    if len(other) != len(ics):
        raise DataError(
            f"{name} has {len(other)} entries for {len(ics)} block ICs; give one for each block"
        )
