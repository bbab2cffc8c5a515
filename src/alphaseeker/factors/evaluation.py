"""Evaluates every factor of the given symbols: measures, corrected significance, grades, report."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.factors.blocks import MIN_BLOCK_ROWS
from alphaseeker.factors.direction import known_directions
from alphaseeker.factors.forward_returns import grid_interval
from alphaseeker.factors.grade import MIN_BLOCKS, Evidence, Grade, grade_factor
from alphaseeker.factors.information import MeanTest, mean_test
from alphaseeker.factors.measure import (
    HORIZONS_PER_BLOCK,
    FloatArray,
    Information,
    IntArray,
    Panel,
    Trading,
    measure_information,
    measure_trading,
    panel_of,
)
from alphaseeker.factors.multiple_tests import benjamini_hochberg, bonferroni, holm
from alphaseeker.factors.report import factor_table
from alphaseeker.features.block import FeatureBlock
from alphaseeker.features.matrix_file import release

__all__ = ["evaluate_factor_blocks"]

_MIN_TESTED_BLOCKS = 2
# Top minus bottom is two trades, and each trade has two sides.
_SIDES_OF_SPREAD = 4
_BASIS_POINTS = 1e4


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """One factor over all symbols, before the correction for the number of factors."""

    name: str
    test: MeanTest  # of the block ICs
    gain: MeanTest  # of the blocks' portfolio gains
    direction: int
    n_observations: int
    n_blocks: int
    figures: dict[str, float]
    reason: str  # why nothing could be measured, or ""


def evaluate_factor_blocks(
    blocks: Sequence[FeatureBlock],
    config: Config,
    *,
    unknown: Collection[str] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Evaluate each column of ``blocks`` as a predictor of the forward return of the mid.

    Parameters
    ----------
    blocks
        One or more symbols with the same columns, read one at a time. Values that are not finite
        are left out.
    config
        ``factor`` (FORWARD_S, QUANTILES, BLOCKS, ALPHA) and ``risk.TRANSACTION_COST_PCT``.
    unknown
        Names of columns that count as never finite, whatever ``blocks`` hold.
    on_progress
        Called with (factors done, factors in all) after each factor.

    Returns
    -------
    dict
        Plain JSON-safe Python, every number finite.

        - ``factor_results``: best total score first; for each factor ``factor_name``, ``grade``,
          ``total_score``, ``score_parts``, ``reason`` (what caps the grade), ``ic`` (mean
          Spearman correlation of the blocks), ``ic_std``, ``ic_ir``, ``ic_t``, ``p_value``,
          ``p_value_bonferroni``, ``p_value_holm``, ``p_value_bh``, ``significant`` (Bonferroni
          at ALPHA, and borne out by trading on the past: ``grade`` has the rule),
          ``newey_west_t``, ``ic_pooled``, ``pearson``, ``direction`` (where the ICs of all blocks
          point: 1 long the highest quantile, -1 long the lowest). All that follows is measured in
          the direction of the blocks before, known when each block began; blocks without any
          before them are left out: ``past_ic``, ``gain_t``, ``return_spread_bp``,
          ``return_spread_net_bp`` (less four sides, two trades in and out: the fee, and half the
          spread quoted at the row traded), ``break_even_cost_bp`` (the fee a side at which the
          net spread is zero; below 0 the quoted spread alone costs more than there is),
          ``return_spread_sigma``, ``sharpe``, ``sharpe_net`` (less fee and half the quoted spread
          on what is traded), ``sortino``, ``calmar``, ``max_drawdown``, ``turnover``
          (mean absolute change of the position a period), ``n_observations``, ``n_blocks``.
          Correlations are means over the blocks of all symbols, portfolio figures means over
          symbols weighted by their blocks.
        - ``top_factors``: the names, best first.
        - ``report``: the same as a text table.

    Raises
    ------
    DataError
        No block, a block without columns, blocks with different columns, or data so short or
        coarse that no block of time holds enough forward returns for a single correlation.
    """
    names = _common_names(blocks)
    settings = config.factor
    panels = [
        panel_of(block, horizon_s=settings.FORWARD_S, blocks=settings.BLOCKS)
        for block in blocks
        if len(block)
    ]
    _require_observations(panels, settings.FORWARD_S)
    groups = _time_groups(panels)
    measured = []
    for column, name in enumerate(names):
        factors = [_factor(panel, None if name in unknown else column) for panel in panels]
        measured.append(_measure(name, factors, panels, groups, config))
        if on_progress is not None:
            on_progress(column + 1, len(names))
    tested = [item for item in measured if not item.reason]
    p_values = [item.test.p_value for item in tested]
    corrected = {
        item.name: (float(a), float(b), float(c))
        for item, a, b, c in zip(
            tested,
            bonferroni(p_values),
            holm(p_values),
            benjamini_hochberg(p_values),
            strict=True,
        )
    }
    results = [
        _result(item, corrected.get(item.name, (1.0, 1.0, 1.0)), config) for item in measured
    ]
    results.sort(key=_standing)
    return {
        "factor_results": results,
        "top_factors": [result["factor_name"] for result in results],
        "report": factor_table(
            results,
            symbols=[block.symbol for block in blocks],
            rows=sum(len(block) for block in blocks),
            n_tested=len(tested),
            config=config,
        ),
    }


def _common_names(blocks: Sequence[FeatureBlock]) -> tuple[str, ...]:
    if not blocks:
        raise DataError("there are no feature blocks to evaluate; give at least one symbol")
    names = blocks[0].names
    for block in blocks:
        if block.names != names:
            raise DataError(
                f"symbol {block.symbol!r} has other columns than {blocks[0].symbol!r}; "
                "compute the same features for every symbol"
            )
    if not names:
        raise DataError("there are no factors to evaluate; name at least one column")
    return names


def _require_observations(panels: Sequence[Panel], forward_s: float) -> None:
    """Refuse data of which no factor whatever could be measured."""
    for panel in panels:
        known = np.concatenate(([0], np.cumsum(np.isfinite(panel.returns))))
        if np.any(known[panel.blocks[:, 1]] - known[panel.blocks[:, 0]] >= MIN_BLOCK_ROWS):
            return
    rows = sum(len(panel.features) for panel in panels)
    seconds = max((float(np.ptp(panel.features.timestamp)) for panel in panels), default=0.0) / 1e9
    block_s = HORIZONS_PER_BLOCK * forward_s
    message = (
        f"{rows} rows over {seconds:g} s are too few to evaluate factors over FORWARD_S "
        f"{forward_s:g} s: no block of time has {MIN_BLOCK_ROWS} rows with a forward return. "
        f"A test needs {_MIN_TESTED_BLOCKS} blocks of {block_s:g} s, a grade above C needs "
        f"{MIN_BLOCKS} ({MIN_BLOCKS * block_s:g} s), in sessions of half a block or more: give "
        "more data or a shorter FORWARD_S"
    )
    interval = max((grid_interval(panel.features.timestamp) for panel in panels), default=0.0) / 1e9
    if interval > forward_s:
        message += f"; rows stand {interval:g} s apart, which FORWARD_S must at least be"
    raise DataError(message)


def _time_groups(panels: Sequence[Panel]) -> list[IntArray]:
    """Number the blocks so that those of different symbols at the same time share a number."""
    if len(panels) == 1:
        return [np.arange(len(panels[0].blocks), dtype=np.int64)]
    width = max((panel.block_ns for panel in panels), default=1)
    groups = []
    for panel in panels:
        timestamp = panel.features.timestamp
        first, last = timestamp[panel.blocks[:, 0]], timestamp[panel.blocks[:, 1] - 1]
        groups.append((first + (last - first) // 2) // width)
    return groups


def _factor(panel: Panel, column: int | None) -> FloatArray:
    """Return a column of a symbol; NaN throughout for None."""
    if column is None:
        return np.full(len(panel.features), np.nan)
    factor = panel.features.values[:, column].astype(np.float64)
    release(panel.features.values)
    return factor


def _measure(
    name: str,
    factors: Sequence[FloatArray],
    panels: Sequence[Panel],
    groups: Sequence[IntArray],
    config: Config,
) -> _Measured:
    quantiles = config.factor.QUANTILES
    parts = [
        measure_information(panel, factor, quantiles)
        for panel, factor in zip(panels, factors, strict=True)
    ]
    test = _test_blocks([part.ics for part in parts], groups)
    directions = known_directions(
        [part.ics for part in parts],
        [panel.block_starts for panel in panels],
        [panel.block_known_at for panel in panels],
    )
    cost = config.risk.TRANSACTION_COST_PCT
    traded = [
        measure_trading(panel, factor, part.edges, directions=known, cost=cost)
        for panel, factor, part, known in zip(panels, factors, parts, directions, strict=True)
    ]
    figures = _figures(panels, parts, traded, cost)
    reason = _why_unmeasured(panels, factors, test.count)
    return _Measured(
        name=name,
        test=test,
        gain=_test_blocks([trading.gains for trading in traded], groups),
        direction=-1 if test.mean < 0.0 else 1,
        n_observations=sum(part.n_observations for part in parts),
        n_blocks=sum(int(np.isfinite(part.ics).sum()) for part in parts),
        figures=dict.fromkeys(figures, 0.0) if reason else figures,
        reason=reason,
    )


def _test_blocks(values: Sequence[FloatArray], groups: Sequence[IntArray]) -> MeanTest:
    every = np.concatenate([np.empty(0), *values])
    group = np.concatenate([np.empty(0, np.int64), *groups])
    finite = np.isfinite(every)
    return mean_test(every[finite], group[finite])


def _why_unmeasured(panels: Sequence[Panel], factors: Sequence[FloatArray], blocks: int) -> str:
    if blocks >= _MIN_TESTED_BLOCKS:
        return ""
    if not any(panel.volatility > 0.0 for panel in panels):
        return "the forward return never varies"
    values = np.concatenate([np.empty(0), *factors])
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return "the factor is never finite"
    if np.all(values == values[0]):
        return "the factor is constant"
    return f"too few observations: {blocks} blocks with a rank correlation"


def _figures(
    panels: Sequence[Panel],
    parts: Sequence[Information],
    traded: Sequence[Trading],
    cost: float,
) -> dict[str, float]:
    weights = np.array([np.isfinite(part.ics).sum() for part in parts], dtype=np.float64)
    rows = np.array([part.n_observations for part in parts], dtype=np.float64)
    spread = _mean([trading.spread for trading in traded], weights)
    left = spread - _mean([trading.spread_quoted for trading in traded], weights)
    sigmas = [
        trading.spread / panel.volatility if panel.volatility > 0.0 else 0.0
        for trading, panel in zip(traded, panels, strict=True)
    ]
    # Symbols stand beside each other as independent series here; the block test groups them.
    share = rows / rows.sum() if rows.sum() > 0.0 else rows
    errors = np.array([part.newey_west_error for part in parts])
    means = np.array([part.newey_west_mean for part in parts])
    error = math.sqrt(float(np.nansum((share * errors) ** 2)))
    return {
        "newey_west_t": float(share @ means) / error if error > 0.0 else 0.0,
        "ic_pooled": _mean([part.pooled for part in parts], rows),
        "pearson": _mean([part.pearson for part in parts], rows),
        "past_ic": _mean([trading.past_ic for trading in traded], weights),
        "return_spread_bp": spread * _BASIS_POINTS,
        "return_spread_net_bp": (left - _SIDES_OF_SPREAD * cost) * _BASIS_POINTS,
        "break_even_cost_bp": left / _SIDES_OF_SPREAD * _BASIS_POINTS,
        "return_spread_sigma": _mean(sigmas, weights),
        "sharpe": _mean([trading.sharpe for trading in traded], weights),
        "sharpe_net": _mean([trading.sharpe_net for trading in traded], weights),
        "sortino": _mean([trading.sortino for trading in traded], weights),
        "calmar": _mean([trading.calmar for trading in traded], weights),
        "max_drawdown": _mean([trading.max_drawdown for trading in traded], weights),
        "turnover": _mean([trading.turnover for trading in traded], weights),
    }


def _mean(values: Sequence[float], weights: npt.NDArray[np.float64]) -> float:
    """Return the weighted mean of what is finite and has weight; 0 where nothing has."""
    numbers = np.array(values, dtype=np.float64)
    used = np.isfinite(numbers) & (weights > 0.0)
    if not used.any():
        return 0.0
    return float(np.average(numbers[used], weights=weights[used]))


def _result(
    item: _Measured, corrected: tuple[float, float, float], config: Config
) -> dict[str, Any]:
    test, figures = item.test, item.figures
    alpha = config.factor.ALPHA
    grade = _grade(item, corrected[0], alpha)
    return {
        "factor_name": item.name,
        "grade": grade.name,
        "total_score": grade.total,
        "score_parts": grade.parts,
        "reason": item.reason or "; ".join(grade.reasons),
        "ic": test.mean,
        "ic_std": test.std,
        "ic_ir": test.mean / test.std if test.std > 0.0 else 0.0,
        "ic_t": test.t,
        "p_value": test.p_value,
        "p_value_bonferroni": corrected[0],
        "p_value_holm": corrected[1],
        "p_value_bh": corrected[2],
        "significant": corrected[0] <= alpha and grade.confirmed,
        "direction": item.direction,
        "gain_t": item.gain.t,
        **figures,
        "n_observations": item.n_observations,
        "n_blocks": item.n_blocks,
    }


def _grade(item: _Measured, p_value: float, alpha: float) -> Grade:
    if item.reason:
        return grade_factor(None)
    figures = item.figures
    return grade_factor(
        Evidence(
            ic=item.test.mean,
            ic_error=item.test.error,
            p_value=p_value,
            spread_sigma=figures["return_spread_sigma"],
            sharpe=figures["sharpe"],
            sortino=figures["sortino"],
            calmar=figures["calmar"],
            gain_t=item.gain.t,
            gain_p_value=item.gain.p_value,
            past_ic=figures["past_ic"],
            n_blocks=item.test.count,
            alpha=alpha,
        )
    )


def _standing(result: dict[str, Any]) -> tuple[float, float, str]:
    """Best total first; among equal (capped) totals the points before caps, then the name."""
    return (-result["total_score"], -sum(result["score_parts"].values()), result["factor_name"])
