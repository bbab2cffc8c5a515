"""Judge, trade, sum up: from ticks and signals of all symbols to the result."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from alphaseeker.backtest.market import GivenSignals, Market, lay_out
from alphaseeker.backtest.metrics import of_gaps, summarise, why_no_trade
from alphaseeker.backtest.replay import replay
from alphaseeker.backtest.result import BacktestResult, equity_frame, fill_frame, trade_frame
from alphaseeker.backtest.trades import held_over_gaps, trades_of
from alphaseeker.config import Config
from alphaseeker.errors import ConfigError, DataError
from alphaseeker.inference.batch_answers import check_refused
from alphaseeker.inference.session import Session
from alphaseeker.market.quality import check_depth, judge_series
from alphaseeker.market.schema import TickSeries
from alphaseeker.risk.manager import RiskManager

__all__ = ["Progress", "silent", "trade_series"]

logger = logging.getLogger(__name__)

NS_A_MS = 1_000_000
LONGEST_LATENCY_MS = 3_600_000.0

Progress = Callable[[str, int, int], None]
"""Called with a stage ("read", "judge", "trade"), steps done and steps in all."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def trade_series(
    series: Sequence[TickSeries],
    signals: list[Session] | list[GivenSignals],
    manager: RiskManager,
    config: Config,
    *,
    latency_ms: float | None = None,
    equity: float | None = None,
    searched: Mapping[str, float] | None = None,
    warnings: tuple[str, ...] = (),
    on_progress: Progress = silent,
) -> BacktestResult:
    """Judge the rows of all symbols by the gate, trade them, and put the result together.

    Parameters
    ----------
    series, signals
        One of each a symbol, none empty.
    manager
        Its settings and its rule; see ``replay``.
    config
        DATA_CONFIG, BACKTEST_CONFIG and the limits of the gate are used.
    latency_ms, equity
        See ``Backtest.run``.
    searched
        See ``metrics.summarise``.
    warnings
        For the result.
    on_progress
        See ``Progress``.

    Raises
    ------
    DataError
        More rows are malformed than DATA_CONFIG allows, or there are none.
    ConfigError
        A latency or an equity out of range.
    """
    latency = _latency(config.backtest.LATENCY_MS if latency_ms is None else latency_ms)
    initial = _equity(config.backtest.INITIAL_EQUITY if equity is None else equity)
    if not series:
        raise DataError("the data has no rows; give at least one row of market data")
    gap, jump = config.inference.MAX_GAP_S, config.inference.MAX_JUMP
    on_progress("judge", 0, 1)
    judged = [judge_series(one, max_gap_s=gap, max_jump=jump) for one in series]
    verdicts = [found for found, _ in judged]
    for _, report in judged:
        check_depth(report, config.data)
    damaged = [report.damage() for _, report in judged if report.depth_damaged]
    check_refused(list(zip(series, verdicts, strict=True)), config.data)
    if not any((found >= 0).any() for found in verdicts):
        raise DataError("every row of the data is malformed; give at least one that is not")
    market: Market = lay_out(series, signals, verdicts, max_gap_s=gap)
    on_progress("judge", 1, 1)
    done = replay(
        market,
        signals,
        manager,
        equity=initial,
        latency_ns=round(latency * NS_A_MS),
        max_gap_s=gap,
        on_progress=lambda rows, total: on_progress("trade", rows, total),
    )
    trades = trades_of(done.fills, len(market.names))
    metrics = summarise(
        done.control, done.samples, trades, initial=initial, searched=searched or {}
    )
    metrics["symbols"] = list(market.names)
    metrics["start"] = _iso(int(market.times[0]))
    metrics["end"] = _iso(int(market.times[-1]))
    metrics["seconds"] = done.seconds
    metrics["ticks_per_s"] = metrics["ticks"] / done.seconds
    unseen = trades["net_pnl"][held_over_gaps(trades, market.moments, round(gap * 1e9))]
    metrics["held_over_gaps"] = {"trades": len(unseen), "net_pnl": float(unseen.sum())}
    warnings = (*warnings, *why_no_trade(metrics), *of_gaps(metrics, gap))
    for warning in warnings:
        logger.warning("%s", warning)
    return BacktestResult(
        trades=trade_frame(trades, market.names),
        equity=equity_frame(done.samples),
        fills=fill_frame(done.fills, market.names),
        metrics=metrics,
        settings={
            "latency_ms": latency,
            "initial_equity": initial,
            "risk": asdict(manager.config),
            "own_rule": bool(done.control["asks"][0]),
        },
        warnings=(*warnings, *damaged),  # the damaged levels were logged when they were judged
    )


def _latency(value: float) -> float:
    if isinstance(value, bool) or not 0.0 <= value <= LONGEST_LATENCY_MS:
        raise ConfigError(
            f"latency_ms is {value!r}; it must be a number from 0 to {LONGEST_LATENCY_MS:,.0f}"
        )
    return float(value)


def _equity(value: float) -> float:
    if isinstance(value, bool) or not 0.0 < value < 1e30:
        raise ConfigError(f"equity is {value!r}; it must be above 0 and finite")
    return float(value)


def _iso(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat(timespec="seconds")
