"""The walk-forward backtest: every fold's model trades the test part that it has never seen.

The folds are those of the training: planned, fitted and calibrated by the same code, smallest
confidence included. No model is made on all rows, so that nothing of what is traded was fitted on
what it trades. Between a fold's training part and its test part lies the gap of the training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.backtest.market import GivenSignals
from alphaseeker.backtest.provenance import searched_by
from alphaseeker.backtest.result import BacktestResult
from alphaseeker.backtest.trading import Progress, trade_series
from alphaseeker.config import Config
from alphaseeker.errors import ConfigError
from alphaseeker.features.block import FeatureBlock
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.matrix_cache import MatrixCache
from alphaseeker.market.gate import Verdict
from alphaseeker.market.schema import TickSeries
from alphaseeker.model.decision import allocate_decision, choices_of, probabilities_of
from alphaseeker.risk.manager import RiskManager
from alphaseeker.training.adaptation import adapt
from alphaseeker.training.answers import columns_of
from alphaseeker.training.column_request import check_select, columns_for
from alphaseeker.training.dataset import warm_rows
from alphaseeker.training.fit import raw_scores
from alphaseeker.training.fitted import ColumnRefit, fit_on_training_part
from alphaseeker.training.fold_fit import FoldFit
from alphaseeker.training.pipeline import train_on_blocks
from alphaseeker.training.row_matrix import RowMatrix, score_rows
from alphaseeker.training.run import MB, blocks_of, judge_source
from alphaseeker.training.target import HOLD

__all__ = ["FoldSignals", "walk_forward"]

ASKED = (int(Verdict.ACCEPTED), int(Verdict.NEW_SESSION))
SELL, BUY = 0, 2


class FoldSignals:
    """Signals on the test parts of the folds, by symbol and row of the source.

    An instance is what ``train_on_blocks`` takes as ``on_fold``.

    Parameters
    ----------
    series, accepted
        Ticks of every symbol, and which of their rows the blocks hold.
    blocks
        Their features.
    """

    def __init__(
        self,
        series: Sequence[TickSeries],
        accepted: Sequence[npt.NDArray[np.bool_]],
        blocks: Sequence[FeatureBlock],
    ) -> None:
        self._blocks = blocks
        self._places = [np.flatnonzero(kept) for kept in accepted]
        self._timestamp = np.concatenate([block.timestamp for block in blocks])
        self._asked = np.concatenate([np.isin(block.verdict, ASKED) for block in blocks])
        self._starts = np.cumsum([0, *(len(block) for block in blocks)])
        self.signals = [
            GivenSignals(
                sides=np.zeros(len(one), dtype=np.int8),
                strengths=np.zeros(len(one)),
                p_up=np.full(len(one), np.nan),
                p_down=np.full(len(one), np.nan),
            )
            for one in series
        ]
        self.tests: list[tuple[int, int]] = []

    def __call__(self, fit: FoldFit) -> None:
        """Ask a fold's model about every row of its test part that it would be asked on live."""
        warm = warm_rows(
            self._blocks, fit.feature_names, ready_history_s=fit.training["ready_history_s"]
        )
        tested = fit.fold.rows("test", self._timestamp)
        chosen = np.flatnonzero(tested & warm & self._asked)
        columns = columns_of(self._blocks, fit.feature_names)
        matrix = RowMatrix(self._blocks, chosen, columns)
        scores = score_rows(raw_scores(fit.model_text), matrix)
        decision = allocate_decision(fit.calibration)
        probabilities = adapt(
            self._blocks,
            chosen,
            probabilities_of(decision, scores),
            calibration=fit.calibration,
            prior=fit.class_prior,
            target=fit.target,
            reference=fit.training["reference"],
        )
        choice = choices_of(decision, probabilities)
        # Anything beyond the three classes (low confidence) is a HOLD.
        side = np.where(choice <= BUY, choice - HOLD, 0).astype(np.int8)
        p_up, p_down = probabilities[:, BUY], probabilities[:, SELL]
        strength = np.clip(side * (p_up - p_down), 0.0, 1.0)
        for number, signals in enumerate(self.signals):
            first, last = np.searchsorted(chosen, self._starts[number : number + 2])
            places = self._places[number][chosen[first:last] - self._starts[number]]
            signals.sides[places] = side[first:last]
            signals.strengths[places] = strength[first:last]
            signals.p_up[places] = p_up[first:last]
            signals.p_down[places] = p_down[first:last]
        self.tests.append((fit.fold.test[0][0], fit.fold.test[-1][1]))


def walk_forward(
    data: Any,
    config: Config,
    manager: RiskManager,
    *,
    custom: Sequence[CustomFeature] = (),
    select: str | Sequence[str] | None = None,
    price_col: str = "close",
    latency_ms: float | None = None,
    equity: float | None = None,
    on_progress: Progress,
) -> BacktestResult:
    """Train by folds on ``data`` and trade what their models say on their test parts.

    Parameters
    ----------
    data
        Path, glob, directory or frame.
    config
        All sections; the walk-forward folds of SPLIT_CONFIG are traded.
    manager
        Its settings and its rule.
    custom
        Custom features of the model.
    select
        As in ``train_model``.
    price_col, latency_ms, equity
        See ``Backtest.run``.
    on_progress
        Called with the stages of a training and of a backtest.

    Returns
    -------
    BacktestResult
        Of one account that trades all test parts one after the other; ``folds`` holds the metrics
        of each by itself, begun with the initial equity. ``metrics["verdict"]`` is that of the
        evaluation: with "no edge" the engine would abstain, the folds are traded all the same.

    Raises
    ------
    DataError
        The data cannot be read, is too bad or too short, or lacks a feature of ``select``.
    ConfigError
        FOLD_SCHEME is "combinatorial": its test parts are not traded in the order of time; or
        ``select`` names an unknown feature.
    """
    if config.split.FOLD_SCHEME != "walk_forward":
        raise ConfigError(
            f"FOLD_SCHEME is {config.split.FOLD_SCHEME!r}; a walk-forward backtest trades folds in "
            "the order of time: set it to 'walk_forward'"
        )
    config = replace(config, split=replace(config.split, REFIT=False))
    wanted = check_select(select, custom)
    on_progress("read", 0, 1)
    judged = judge_source(data, config, price_col=price_col)
    on_progress("read", 1, 1)
    fitted, _ = fit_on_training_part(judged.series, judged.accepted, config)
    settings = replace(fitted, custom=tuple(custom))
    on_progress("features", 0, 1)
    limit = config.data.MATRIX_MEMORY_MB * MB
    cache = MatrixCache(config.inference)
    names = columns_for(wanted, settings)
    blocks = blocks_of(judged, settings, names=names, memory_limit=limit, cache=cache)
    on_progress("features", 1, 1)
    found = FoldSignals(judged.series, judged.accepted, blocks)
    trained = train_on_blocks(
        blocks,
        config,
        on_progress=on_progress,
        refit_columns=ColumnRefit(judged.series, judged.accepted, blocks, settings, config, cache),
        select=wanted,
        on_fold=found,
    )
    evaluation = trained.results["evaluation_results"]
    warnings = tuple(trained.results["warnings"])
    shared: dict[str, Any] = {
        "latency_ms": latency_ms,
        "equity": equity,
        "searched": searched_by(evaluation),
    }
    folds = []
    for number, (start, end) in enumerate(found.tests, start=1):
        series, signals = _within(judged.series, found.signals, start, end)
        one = trade_series(series, signals, manager, config, **shared)
        folds.append({"fold": number, **one.metrics})
    start, end = found.tests[0][0], found.tests[-1][1]
    series, signals = _within(judged.series, found.signals, start, end)
    result = trade_series(
        series, signals, manager, config, warnings=warnings, on_progress=on_progress, **shared
    )
    result.metrics["verdict"] = evaluation["verdict"]
    result.metrics["rows_in_training"] = 0
    return replace(result, folds=tuple(folds))


def _within(
    series: Sequence[TickSeries], signals: Sequence[GivenSignals], start: int, end: int
) -> tuple[list[TickSeries], list[GivenSignals]]:
    """Return the rows of a range of time, ns, with their signals; symbols without any are left out.

    The first row of a test part may follow on a training part: nothing of that is traded.
    """
    found: list[TickSeries] = []
    given: list[GivenSignals] = []
    for one, signal in zip(series, signals, strict=True):
        stamps = one.ticks["timestamp"]
        rows = np.flatnonzero((start <= stamps) & (stamps < end))
        if len(rows) == 0:
            continue
        found.append(one.chosen(rows))
        given.append(
            GivenSignals(
                sides=signal.sides[rows],
                strengths=signal.strengths[rows],
                p_up=signal.p_up[rows],
                p_down=signal.p_down[rows],
            )
        )
    return found, given
