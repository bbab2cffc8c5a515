"""Evaluates every factor of the given symbols: measures, corrected significance, grades, report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.factors.blocks import MIN_BLOCK_ROWS
from alphaseeker.factors.context import factor_context
from alphaseeker.factors.duration import duration
from alphaseeker.factors.figures import (
    Blocks,
    blocks_of_panels,
    figures_of,
    gains_of,
)
from alphaseeker.factors.forward_returns import grid_interval
from alphaseeker.factors.grade import MIN_BLOCKS, Evidence, Grade, grade_factor
from alphaseeker.factors.graded_horizon import is_streamed
from alphaseeker.factors.information import MeanTest
from alphaseeker.factors.multiple_tests import benjamini_hochberg, bonferroni, holm
from alphaseeker.factors.panel import HORIZONS_PER_BLOCK, panel_of
from alphaseeker.factors.profile import blocks_in_time, profiles_of
from alphaseeker.factors.report import factor_table
from alphaseeker.factors.sweep import Findings, Sweep
from alphaseeker.factors.threads import threads_of
from alphaseeker.features.block import FeatureBlock

__all__ = ["evaluate_factor_blocks"]

FloatArray = npt.NDArray[np.float64]

_MIN_TESTED_BLOCKS = 2


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
    beside: dict[str, Any]  # what is shown and not graded
    reason: str  # why nothing could be measured, or ""


def evaluate_factor_blocks(
    blocks: Sequence[FeatureBlock],
    config: Config,
    *,
    unknown: Collection[str] = (),
    brought: Sequence[Mapping[str, npt.NDArray[np.floating[Any]]]] | None = None,
    decay: bool = True,
    context: bool = True,
    threads: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Evaluate each column of ``blocks`` as a predictor of the forward return of the mid.

    Up to two million rows of a symbol are measured at once. Longer ones, and those whose values
    stand in a file, are streamed: one chunk of about a million rows (or one block of time) after
    another. What is kept of each is a few numbers a block, so that the memory does not grow with
    the rows; all figures are the same, but for ``ic_pooled``, which is then that of every k-th
    row, 200,000 at most.

    Parameters
    ----------
    blocks
        One or more symbols with the same columns, read one at a time. Values that are not finite
        are left out.
    config
        ``factor`` (FORWARD_S, HORIZONS_S, QUANTILES, BLOCKS, ALPHA), ``risk.TRANSACTION_COST_PCT``
        and ``model.num_threads``.
    unknown
        Names of columns that count as never finite, whatever ``blocks`` hold.
    brought
        For each block further factors by name, the same in all, shapes (n,), of any floating type.
    decay
        Whether to measure at HORIZONS_S, too; without, ``ic_decay`` holds FORWARD_S alone.
    context
        Whether to add what ``context.factor_context`` says of each factor.
    threads
        Factors measured at the same time; ``num_threads`` by default (0: every core).
    on_progress
        Called with (factors done, factors in all), rising; a factor counts as done where all
        factors have been over as large a part of the rows.

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
          ``ic_decay``: for each of FORWARD_S and HORIZONS_S, rising, ``horizon_s``, ``ic``,
          ``ic_t``, ``p_value``, ``return_spread_bp`` (in the directions known at that horizon)
          and ``n_blocks``: 0 where the data are too short or too coarse for it.
          ``rolling_ic``: IC of each of ``blocks``, None where there is none. ``by_symbol``
          (several symbols): ``symbol``, ``ic``, ``ic_t``, ``p_value``, ``n_blocks``.
          ``autocorrelation``, ``cluster``, ``redundant_with`` (a name, or None),
          ``redundant_correlation``, ``ic_by_day``, ``ic_by_regime``, ``sign_share``: see
          ``context.factor_context``.
        - ``top_factors``: the names, best first.
        - ``blocks``: the blocks of FORWARD_S in order of time: ``rolling_ic_start`` (seconds UTC),
          ``symbol``.
        - ``streamed``: whether a symbol was.
        - ``report``: the same as a text table.

    Raises
    ------
    DataError
        No block, nothing to evaluate, blocks with different columns, or data so short or
        coarse that no block of time holds enough forward returns for a single correlation.
    """
    names = _common_names(blocks, brought or [{}] * len(blocks))
    settings = config.factor
    horizons_s = [settings.FORWARD_S]
    if decay:
        horizons_s = list(dict.fromkeys((settings.FORWARD_S, *settings.HORIZONS_S)))
    columns = [
        {**dict(zip(block.names, block.values.T, strict=True)), **more}
        for block, more in zip(blocks, brought or [{}] * len(blocks), strict=True)
        if len(block)
    ]
    panels = [
        panel_of(block, horizons_s=horizons_s, blocks=settings.BLOCKS)
        for block in blocks
        if len(block)
    ]
    sweeps = [
        Sweep(
            panel,
            [None if name in unknown else column for name, column in own.items()],
            quantiles=settings.QUANTILES,
            threads=threads_of(config.model.num_threads if threads is None else threads),
        )
        for panel, own in zip(panels, columns, strict=True)
    ]
    progress = _Progress(len(names), sum(sweep.steps for sweep in sweeps), on_progress)
    findings = [sweep.measure(progress) for sweep in sweeps]
    _require_observations(findings, sum(len(block) for block in blocks), settings.FORWARD_S)
    every = [blocks_of_panels(findings, horizon) for horizon in range(len(horizons_s))]
    directions = [
        every[0].directions([found.ics[0][factor] for found in findings])
        for factor in range(len(names))
    ]
    cost = config.risk.TRANSACTION_COST_PCT
    portfolios = [
        sweep.trade(found.held, [known[place] for known in directions], cost, progress)
        for place, (sweep, found) in enumerate(zip(sweeps, findings, strict=True))
    ]
    symbols = [panel.features.symbol for panel in panels]
    shown = profiles_of(findings, every, horizons_s, symbols)
    measured = []
    for factor, name in enumerate(names):
        own = [traded[factor] for traded in portfolios]
        figures = figures_of(findings, factor, directions[factor], own, cost)
        item = _measure(name, factor, findings, every[0], directions[factor], figures)
        item.beside.update(shown[factor])
        measured.append(item)
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
    tries = sum(each[0] <= settings.ALPHA for each in corrected.values())
    results = [
        _result(item, corrected.get(item.name, (1.0, 1.0, 1.0)), config, tries) for item in measured
    ]
    standing = sorted(range(len(names)), key=lambda place: _standing(results[place]))
    if context:
        described = factor_context(
            panels,
            [sweep.columns for sweep in sweeps],
            [found.ics[0] for found in findings],
            standing=standing,
        )
        for result, more in zip(results, described, strict=True):
            other = more["redundant_with"]
            result.update(more, redundant_with=None if other is None else names[other])
    results = [results[place] for place in standing]
    return {
        "factor_results": results,
        "top_factors": [result["factor_name"] for result in results],
        "blocks": blocks_in_time(every[0], symbols),
        "streamed": any(is_streamed(panel) for panel in panels),
        "report": factor_table(
            results,
            symbols=[block.symbol for block in blocks],
            rows=sum(len(block) for block in blocks),
            n_tested=len(tested),
            config=config,
        ),
    }


class _Progress:
    """Counts rows of factors, and tells of them as factors."""

    def __init__(
        self, factors: int, steps: int, on_progress: Callable[[int, int], None] | None
    ) -> None:
        self._factors, self._steps, self._tell = factors, max(steps, 1), on_progress
        self._done = self._told = 0

    def __call__(self, rows: int) -> None:
        self._done += rows
        done = self._factors * self._done // self._steps
        while self._tell is not None and self._told < done:
            self._told += 1
            self._tell(self._told, self._factors)


def _common_names(
    blocks: Sequence[FeatureBlock], brought: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    if not blocks:
        raise DataError("there are no feature blocks to evaluate; give at least one symbol")
    names = blocks[0].names
    for block in blocks:
        if block.names != names:
            raise DataError(
                f"symbol {block.symbol!r} has other columns than {blocks[0].symbol!r}; "
                "compute the same features for every symbol"
            )
    names += tuple(brought[0])
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{twice!r} is the name of two factors; rename one of them")
    if not names:
        raise DataError("there are no factors to evaluate; name at least one column")
    return names


def _require_observations(findings: Sequence[Findings], rows: int, forward_s: float) -> None:
    """Refuse data of which no factor whatever could be measured."""
    if any(found.measurable[0] for found in findings):
        return
    times = [found.panel.features.timestamp for found in findings]
    seconds = max((float(np.ptp(own)) for own in times), default=0.0) / 1e9
    block_s = HORIZONS_PER_BLOCK * forward_s
    what = f"{rows:,} rows over {duration(seconds)} are too few to evaluate factors over FORWARD_S "
    what += f"{forward_s:g} s: no block of time has {MIN_BLOCK_ROWS} rows with a forward return. "
    interval = max((grid_interval(own) for own in times), default=0.0) / 1e9
    if interval > forward_s:
        raise DataError(
            f"{what}Rows stand {interval:g} s apart, which FORWARD_S must at least be: set it to "
            f"{interval:g} or more, or give finer data"
        )
    raise DataError(
        f"{what}A test needs {_MIN_TESTED_BLOCKS} blocks of {duration(block_s)}, a grade above C "
        f"needs {MIN_BLOCKS} ({duration(MIN_BLOCKS * block_s)}), in sessions of half a block or "
        "more: give more data or a shorter FORWARD_S"
    )


def _measure(
    name: str,
    factor: int,
    findings: Sequence[Findings],
    blocks: Blocks,
    directions: Sequence[FloatArray],
    figures: dict[str, float],
) -> _Measured:
    ics = [found.ics[0][factor] for found in findings]
    gains = [
        gains_of(found.sides[0][factor], known, found.volatility)
        for found, known in zip(findings, directions, strict=True)
    ]
    test = blocks.test(ics)
    reason = _why_unmeasured(findings, factor, test.count)
    return _Measured(
        name=name,
        test=test,
        gain=blocks.test(gains),
        direction=-1 if test.mean < 0.0 else 1,
        n_observations=sum(int(found.observations[factor]) for found in findings),
        n_blocks=sum(int(np.isfinite(own).sum()) for own in ics),
        figures=dict.fromkeys(figures, 0.0) if reason else figures,
        beside={},
        reason=reason,
    )


def _why_unmeasured(findings: Sequence[Findings], factor: int, blocks: int) -> str:
    if blocks >= _MIN_TESTED_BLOCKS:
        return ""
    if not any(found.volatility > 0.0 for found in findings):
        return "the forward return never varies"
    moments = np.array([found.moments[factor] for found in findings])
    finite = moments[moments[:, 10] > 0.0]
    if len(finite) == 0:
        return "the factor is never finite"
    if np.min(finite[:, 11]) == np.max(finite[:, 12]):
        return "the factor is constant"
    return f"too few observations: {blocks} blocks with a rank correlation"


def _result(
    item: _Measured, corrected: tuple[float, float, float], config: Config, tries: int
) -> dict[str, Any]:
    test, figures = item.test, item.figures
    alpha = config.factor.ALPHA
    grade = _grade(item, corrected[0], alpha, tries)
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
        **item.beside,
    }


def _grade(item: _Measured, p_value: float, alpha: float, tries: int) -> Grade:
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
            gain_tries=tries,
        )
    )


def _standing(result: dict[str, Any]) -> tuple[bool, float, float, float, str]:
    """Best total first; among equal (capped) ones the points before caps, t, and the name.

    What could not be measured comes last.
    """
    return (
        result["n_blocks"] < _MIN_TESTED_BLOCKS,
        -result["total_score"],
        -sum(result["score_parts"].values()),
        -abs(result["ic_t"]),
        result["factor_name"],
    )
