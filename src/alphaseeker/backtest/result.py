"""What a backtest returns: trades, equity and fills as frames, and the metrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from alphaseeker.backtest.metrics import reason_name
from alphaseeker.risk.state import Action

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BacktestResult", "equity_frame", "fill_frame", "trade_frame"]

NANOSECONDS = 1e9
SIDES = {1: "LONG", -1: "SHORT"}


@dataclass(frozen=True, kw_only=True)
class BacktestResult:
    """What a backtest came to.

    Attributes
    ----------
    trades
        pandas frame, one row from flat to flat, in the order of the exits: ``symbol, side`` (LONG,
        SHORT), ``size, entry_decided, entry_time, entry_price, exit_decided, exit_time,
        exit_price`` (times UTC; decided is the tick's time), ``gross_pnl`` (at the fills' prices),
        ``fees, funding, net_pnl`` (gross less both), ``spread_cost`` (within gross: fills at other
        prices than the mid), ``entry_reason`` (what bound the size), ``reason`` (of the exit),
        ``exits`` (fills that it took), ``holding_s``. Money where nothing else is said. The net
        PnL of all trades is the change of the equity: what is open at the last row is left there
        at its quote, with the reason END_OF_DATA.
    equity
        pandas frame: ``time`` (the start, ends of UTC minutes with market time, the end),
        ``equity``, ``drawdown`` (share of the peak so far), ``exposure`` (notional over equity).
    fills
        pandas frame, one row a fill: ``time, decided, symbol, side`` (BUY, SELL), ``wanted``,
        ``size, price, mid, fee, position`` (after it, signed), ``action, reason, equity``.
    metrics
        Plain, finite, safe for JSON. Returns are shares of the initial equity: ``net_return``,
        ``gross_return`` (before fees and funding), ``return_before_costs`` (before the spread,
        too). ``sharpe, sortino, calmar`` of returns by ``period_s``, annualised by 365 days of
        market time; ``max_drawdown`` over all ticks. ``turnover`` is what was traded on both sides
        over the mean equity. ``cost_share``: fees, funding and spread over what the winning trades
        earned before them. ``break_even_cost_bp``: fee a side at which nothing is left.
        ``exposure``: mean notional over equity; ``time_in_market``. ``significance``:
        probabilistic and deflated Sharpe. Counts: ``ticks, refused, signals, rejected`` (by
        reason), ``exits`` (by reason), ``orders``, ``held_over_gaps`` (``trades, net_pnl``).
        ``seconds, ticks_per_s`` of the loop.
    settings
        ``latency_ms, initial_equity`` and the settings of the risk rules.
    warnings
        Sentences that a user should read.
    folds
        Of a walk-forward backtest, the metrics of each fold by itself, with ``fold, start, end``.
    """

    trades: pd.DataFrame
    equity: pd.DataFrame
    fills: pd.DataFrame
    metrics: dict[str, Any]
    settings: dict[str, Any]
    warnings: tuple[str, ...] = ()
    folds: tuple[dict[str, Any], ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the frames, plain and safe for JSON."""
        return {
            "metrics": self.metrics,
            "settings": self.settings,
            "warnings": list(self.warnings),
            "folds": list(self.folds),
        }

    def to_parquet(self, folder: str | Path) -> dict[str, Path]:
        """Write ``trades``, ``equity`` and ``fills`` as Parquet and the rest as JSON to a folder.

        Returns
        -------
        dict
            Paths by name: ``trades, equity, fills, metrics``.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        paths = {}
        for name in ("trades", "equity", "fills"):
            paths[name] = place / f"{name}.parquet"
            getattr(self, name).to_parquet(paths[name], index=False)
        paths["metrics"] = place / "metrics.json"
        text = json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n"
        paths["metrics"].write_text(text, encoding="utf-8")
        return paths


def _times(stamps: npt.NDArray[np.int64]) -> Any:
    import pandas as pd

    return pd.to_datetime(stamps, unit="ns", utc=True)


def _words(words: Sequence[str]) -> Any:
    """Return a column of words, whose type does not hang on whether there are any."""
    import pandas as pd

    return pd.Series(words, dtype=str)


def _names(symbols: npt.NDArray[np.int64], names: Sequence[str]) -> Any:
    return _words([names[number] for number in symbols.tolist()])


def _reasons(reasons: npt.NDArray[np.int64]) -> Any:
    return _words([reason_name(reason) for reason in reasons.tolist()])


def trade_frame(trades: npt.NDArray[Any], names: Sequence[str]) -> pd.DataFrame:
    """Return trades, dtype ``trades.TRADE``, as a frame."""
    import pandas as pd

    return pd.DataFrame(
        {
            "symbol": _names(trades["symbol"], names),
            "side": _words([SIDES[side] for side in trades["side"].tolist()]),
            "size": trades["quantity"],
            "entry_decided": _times(trades["entry_decided"]),
            "entry_time": _times(trades["entry_time"]),
            "entry_price": trades["entry_price"],
            "exit_decided": _times(trades["exit_decided"]),
            "exit_time": _times(trades["exit_time"]),
            "exit_price": trades["exit_price"],
            "gross_pnl": trades["gross_pnl"],
            "fees": trades["fees"],
            "funding": trades["funding"],
            "net_pnl": trades["net_pnl"],
            "spread_cost": trades["spread_cost"],
            "entry_reason": _reasons(trades["entry_reason"]),
            "reason": _reasons(trades["exit_reason"]),
            "exits": trades["exits"],
            "holding_s": (trades["exit_time"] - trades["entry_time"]) / NANOSECONDS,
        }
    )


def equity_frame(samples: npt.NDArray[Any]) -> pd.DataFrame:
    """Return samples, dtype ``state.SAMPLE``, as a frame."""
    import pandas as pd

    columns = {name: samples[name] for name in ("equity", "drawdown", "exposure")}
    return pd.DataFrame({"time": _times(samples["timestamp"]), **columns})


def fill_frame(fills: npt.NDArray[Any], names: Sequence[str]) -> pd.DataFrame:
    """Return fills, dtype ``state.FILL``, as a frame."""
    import pandas as pd

    return pd.DataFrame(
        {
            "time": _times(fills["timestamp"]),
            "decided": _times(fills["decided"]),
            "symbol": _names(fills["symbol"], names),
            "side": _words(np.where(fills["quantity"] > 0.0, "BUY", "SELL").tolist()),
            "wanted": np.abs(fills["wanted"]),
            "size": np.abs(fills["quantity"]),
            "price": fills["price"],
            "mid": fills["mid"],
            "fee": fills["fee"],
            "position": fills["position"],
            "action": _words([Action(action).name.lower() for action in fills["action"].tolist()]),
            "reason": _reasons(fills["reason"]),
            "equity": fills["equity"],
        }
    )
