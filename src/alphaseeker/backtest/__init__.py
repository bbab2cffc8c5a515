"""A backtest that is the live code: the session step and the risk step over recorded ticks."""

from __future__ import annotations

from typing import Any

__all__ = ["Backtest", "BacktestResult"]


def __getattr__(name: str) -> Any:
    if name == "Backtest":
        from alphaseeker.backtest.run import Backtest

        return Backtest
    if name == "BacktestResult":
        from alphaseeker.backtest.result import BacktestResult

        return BacktestResult
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
