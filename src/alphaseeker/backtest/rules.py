"""A manager's own rule in a backtest: a stand-in that sees the account of the backtest.

Only ``allow_entry`` is asked. The loop stops where the machine proposes an entry, and goes on with
the answer: a rule written in Python costs a call an entry, not a call a tick.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import RiskConfig
from alphaseeker.market.schema import TICK, TickSeries
from alphaseeker.risk.manager import RiskManager
from alphaseeker.risk.report import position_dict, read_report
from alphaseeker.risk.state import Intent

__all__ = ["EntryRule", "has_own_rule", "private_config"]

_TICK_FIELDS = (TICK.names or ())[1:9]
_LABELS = {int(Intent.BUY): "BUY", int(Intent.SELL): "SELL"}


def has_own_rule(manager: RiskManager) -> bool:
    """Return whether the class of ``manager`` overrides ``allow_entry``."""
    return type(manager).allow_entry is not RiskManager.allow_entry


def private_config(config: RiskConfig) -> RiskConfig:
    """Return the settings without what would write to the live account's files."""
    return replace(config, JOURNAL_PATH=None, JOURNAL_REQUIRED=False)


class EntryRule:
    """Asks a copy of a manager about entries.

    What a subclass keeps in attributes of its own is copied, so that a backtest leaves the live
    manager as it is; what cannot be copied is shared.

    Parameters
    ----------
    manager
        The live manager.
    account
        Shape (1,), dtype ``ACCOUNT``, of the backtest.
    positions
        One-element arrays of dtype ``POSITION`` by symbol, of the backtest.
    """

    def __init__(
        self,
        manager: RiskManager,
        account: npt.NDArray[Any],
        positions: Mapping[str, npt.NDArray[Any]],
    ) -> None:
        base = vars(RiskManager(private_config(manager.config)))
        own = {name: _copied(value) for name, value in vars(manager).items() if name not in base}
        self._manager = object.__new__(type(manager))
        vars(self._manager).update(base | own)
        vars(self._manager).update(_account=account, _positions=dict(positions))

    def refusal(
        self,
        series: TickSeries,
        row: int,
        position: npt.NDArray[Any],
        *,
        strength: float,
        p_up: float,
        p_down: float,
    ) -> str | None:
        """Return why the entry that stands in the position's report is refused, None where not.

        The rule gets ``timestamp`` in nanoseconds, and of the signal ``signal``, ``signal_label``,
        ``signal_strength``, ``filter_reason``, ``probabilities`` and ``symbol``.
        """
        tick = series.ticks[row]
        market: dict[str, Any] = {
            "symbol": series.symbol,
            "timestamp": int(tick["timestamp"]),
            **{name: float(tick[name]) for name in _TICK_FIELDS},
        }
        if series.depth is not None:
            market["depth"] = np.array(series.depth[row])
        report = read_report(position)
        known = not (math.isnan(p_up) or math.isnan(p_down))
        signal: dict[str, Any] = {
            "symbol": series.symbol,
            "signal": report.side,
            "signal_label": _LABELS[report.side],
            "signal_strength": strength,
            "filter_reason": None,
        }
        if known:
            hold = max(0.0, 1.0 - p_up - p_down)
            signal["probabilities"] = {"BUY": p_up, "HOLD": hold, "SELL": p_down}
            signal["confidence"] = max(p_up, hold, p_down)
        proposed = {"symbol": series.symbol, **position_dict(report)}
        return self._manager.allow_entry(market, signal, proposed)


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except (TypeError, ValueError, RecursionError):  # locks, files, connections
        return value
