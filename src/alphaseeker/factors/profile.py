"""What is shown of a factor beside what its grade is made of: horizons, time, symbols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.factors.figures import BASIS_POINTS, Blocks, mean_of, spread_of
from alphaseeker.factors.information import mean_test
from alphaseeker.factors.sweep import Findings

__all__ = ["blocks_in_time", "profiles_of"]

IntArray = npt.NDArray[np.int64]


def profiles_of(
    findings: Sequence[Findings],
    every: Sequence[Blocks],
    horizons_s: Sequence[float],
    symbols: Sequence[str],
) -> list[dict[str, Any]]:
    """Return for each factor ``ic_decay``, ``rolling_ic`` and, of several symbols, ``by_symbol``.

    Parameters
    ----------
    findings, symbols
        Of each symbol.
    every, horizons_s
        Of each horizon, the graded one first.
    """
    order = _in_time(every[0])
    found = []
    for factor in range(len(findings[0].pooled)):
        profile = {
            "ic_decay": _decay(findings, factor, every, horizons_s),
            "rolling_ic": _rolling(findings, factor, order),
        }
        if len(findings) > 1:
            profile["by_symbol"] = _by_symbol(findings, factor, symbols)
        found.append(profile)
    return found


def blocks_in_time(blocks: Blocks, symbols: Sequence[str]) -> dict[str, Any]:
    """Return when each block begins, in seconds UTC, and whose it is, in order of time."""
    order = _in_time(blocks)
    starts = np.concatenate(blocks.starts)[order] / 1e9
    own = np.repeat(np.arange(len(symbols)), [len(start) for start in blocks.starts])[order]
    return {"rolling_ic_start": starts.tolist(), "symbol": [symbols[place] for place in own]}


def _in_time(blocks: Blocks) -> IntArray:
    """Return the order of time of the blocks of all symbols, those put one behind another."""
    return np.argsort(np.concatenate(blocks.starts), kind="stable")


def _rolling(findings: Sequence[Findings], factor: int, order: IntArray) -> list[float | None]:
    ics = np.concatenate([found.ics[0][factor] for found in findings])[order]
    return [None if ic != ic else float(ic) for ic in ics]


def _decay(
    findings: Sequence[Findings],
    factor: int,
    every: Sequence[Blocks],
    horizons_s: Sequence[float],
) -> list[dict[str, Any]]:
    """Return IC and spread at each horizon, in the directions known there.

    Where the data are too short or too coarse for a horizon, everything is 0 (and p 1).
    """
    decay = []
    for horizon_s, horizon in sorted(zip(horizons_s, range(len(every)), strict=True)):
        ics = [found.ics[horizon][factor] for found in findings]
        weights = np.array([np.isfinite(own).sum() for own in ics], np.float64)
        sides = [found.sides[horizon][factor] for found in findings]
        directions = every[horizon].directions(ics)
        spreads = [spread_of(*both) for both in zip(sides, directions, strict=True)]
        test = every[horizon].test(ics)
        decay.append(
            {
                "horizon_s": horizon_s,
                "ic": test.mean,
                "ic_t": test.t,
                "p_value": test.p_value,
                "return_spread_bp": mean_of(spreads, weights) * BASIS_POINTS,
                "n_blocks": int(weights.sum()),
            }
        )
    return decay


def _by_symbol(
    findings: Sequence[Findings], factor: int, symbols: Sequence[str]
) -> list[dict[str, Any]]:
    shown = []
    for symbol, found in zip(symbols, findings, strict=True):
        ics = found.ics[0][factor]
        test = mean_test(ics[np.isfinite(ics)])
        shown.append(
            {
                "symbol": symbol,
                "ic": test.mean,
                "ic_t": test.t,
                "p_value": test.p_value,
                "n_blocks": test.count,
            }
        )
    return shown
