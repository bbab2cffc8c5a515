"""A backtest of an engine: its model, its risk settings and its rule over recorded ticks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alphaseeker.backtest.market import GivenSignals, signals_by_symbol
from alphaseeker.backtest.provenance import check_symbols, of_model, searched_by, seen_in_training
from alphaseeker.backtest.result import BacktestResult
from alphaseeker.backtest.trading import Progress, silent, trade_series
from alphaseeker.backtest.walk_forward import walk_forward
from alphaseeker.config import Config
from alphaseeker.features.custom import CustomFeature
from alphaseeker.inference.batch_answers import series_of
from alphaseeker.inference.rows import RowSignals, run_rows
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.inference.session import Session
from alphaseeker.inference.session_state import check_compiler
from alphaseeker.market.readers import read_ticks
from alphaseeker.risk.manager import RiskManager

__all__ = ["Backtest", "Engine"]

Signals = npt.ArrayLike | Mapping[str, npt.ArrayLike]


class Engine(Protocol):
    """What a backtest needs of an engine."""

    config: Config
    risk_manager: RiskManager

    @property
    def custom(self) -> tuple[CustomFeature, ...]:
        """Custom features."""

    @property
    def served_model(self) -> ServedModel:
        """The model that serves; a StateError where none is loaded."""


class Backtest:
    """Trades recorded ticks as the engine would have traded them live.

    The steps are those of the live path: every row goes through the session's step (gate, features,
    model, calibration, decision) and through the risk machine, in one jitted loop over all symbols
    on one account. Live sessions, the live account and its journal are neither read nor changed.

    Parameters
    ----------
    engine
        Its model, settings and ``risk_manager`` are used; a rule of the manager's own
        (``allow_entry``) is asked about every entry.

    Notes
    -----
    *Fills.* What is decided on a tick fills ``latency_ms`` later, as a taker, at the quote that
    prevails then: the symbol's last one at or before that moment that can be traded on. Where the
    data has levels an order walks them; else the size at the touch fills. The rest of an entry is
    cancelled; the rest of an exit is what the machine orders again at the next tick. A symbol has
    one order in flight at most. An order that is due after the last quote of a session, or in a
    gap of more than MAX_GAP_S, fills at the first quote after it; one that the data ends before
    is given up. With a latency of 0, decisions fill at once at the quote they were taken on, in
    whatever size, as ``manage_risk`` fills on paper.

    *Funding* comes from a column ``funding_rate`` of the data, else from FUNDING_RATE.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(
        self,
        data: Any,
        *,
        price_col: str | None = None,
        latency_ms: float | None = None,
        equity: float | None = None,
        symbol: str | None = None,
        on_progress: Progress | None = None,
    ) -> BacktestResult:
        """Trade the signals of the engine's model.

        Parameters
        ----------
        data
            Path, glob, directory, frame, or list of market data dictionaries.
        price_col
            Column read as ``close``; that of the training by default.
        latency_ms
            From a tick to the fill of what was decided on it; LATENCY_MS by default.
        equity
            At the start; INITIAL_EQUITY by default.
        symbol
            Name for rows that carry none.
        on_progress
            See ``Progress``.

        Raises
        ------
        StateError
            No model is loaded.
        DataError
            The data cannot be read, lacks what the model reads, holds a symbol that UNKNOWN_SYMBOL
            refuses, or more rows are malformed than DATA_CONFIG allows.
        ConfigError
            A latency or an equity out of range.
        """
        report = on_progress or silent
        model, config = self._engine.served_model, self._engine.config
        artifact = model.artifact
        column = price_col or artifact.training.get("price_col", "close")
        report("read", 0, 1)
        series = series_of(data, config.data, model, symbol=symbol, price_col=column)
        series = [one for one in series if len(one)]
        check_symbols(model, series, config.inference.UNKNOWN_SYMBOL)
        report("read", 1, 1)
        sessions = [
            Session(one.symbol, model, caching=config.inference.ENABLE_CACHING) for one in series
        ]
        signals: list[Session] | list[GivenSignals] = sessions
        if model.custom:
            signals = [
                _given(run_rows(session, one))
                for session, one in zip(sessions, series, strict=True)
            ]
        seen, warnings = seen_in_training(artifact, series)
        result = trade_series(
            series,
            signals,
            self._engine.risk_manager,
            config,
            latency_ms=latency_ms,
            equity=equity,
            searched=searched_by(artifact.metrics),
            warnings=(*warnings, *of_model(model, series, self._engine.risk_manager.config)),
            on_progress=report,
        )
        result.metrics["rows_in_training"] = seen
        return result

    def run_signals(
        self,
        data: Any,
        sides: Signals,
        *,
        strengths: Signals | None = None,
        p_up: Signals | None = None,
        p_down: Signals | None = None,
        price_col: str = "close",
        latency_ms: float | None = None,
        equity: float | None = None,
        symbol: str | None = None,
        on_progress: Progress | None = None,
    ) -> BacktestResult:
        """Trade signals of the user's own through the engine's risk settings; no model is needed.

        Parameters
        ----------
        data
            Path, glob, directory or frame.
        sides
            1 BUY, 0 HOLD, -1 SELL: one value a row of the data, in its order, or a mapping of
            symbol to such an array.
        strengths
            Signal strengths in [0, 1], in the same form; 1 by default.
        p_up, p_down
            Calibrated probabilities of BUY and SELL, in the same form; not known by default.
        price_col, latency_ms, equity, symbol, on_progress
            As in ``run``.

        Raises
        ------
        DataError
            The data cannot be read, more rows are malformed than DATA_CONFIG allows, or signals
            do not fit the rows.
        ConfigError
            A latency or an equity out of range.
        StateError
            NUMBA_DISABLE_JIT is set.
        """
        check_compiler()
        report = on_progress or silent
        config = self._engine.config
        report("read", 0, 1)
        rows = config.data.CHUNK_ROWS
        series = read_ticks(data, chunk_rows=rows, symbol=symbol, price_col=price_col)
        series = [one for one in series if len(one)]
        report("read", 1, 1)
        return trade_series(
            series,
            signals_by_symbol(series, sides, strengths, p_up, p_down),
            self._engine.risk_manager,
            config,
            latency_ms=latency_ms,
            equity=equity,
            on_progress=report,
        )

    def walk_forward(
        self,
        data: Any,
        config: Config | Mapping[str, Any] | None = None,
        *,
        select: str | Sequence[str] | None = None,
        price_col: str = "close",
        latency_ms: float | None = None,
        equity: float | None = None,
        on_progress: Progress | None = None,
    ) -> BacktestResult:
        """Train by folds, and trade each fold's model on its test part: profit out of sample.

        See ``backtest.walk_forward``.
        """
        own = self._engine.config
        if isinstance(config, Config):
            own = config
        elif config is not None:
            own = own.override(config)
        return walk_forward(
            data,
            own,
            self._engine.risk_manager,
            custom=self._engine.custom,
            select=select,
            price_col=price_col,
            latency_ms=latency_ms,
            equity=equity,
            on_progress=on_progress or silent,
        )


def _given(rows: RowSignals) -> GivenSignals:
    """Return the signals of a model whose custom features are computed around the step."""
    p_down, p_up = rows.probabilities[:, 0], rows.probabilities[:, 2]
    strengths = np.clip(rows.side * (p_up - p_down), 0.0, 1.0)
    return GivenSignals(sides=rows.side, strengths=strengths, p_up=p_up, p_down=p_down)
