"""One pass over a market on an account of its own: calls the loop, empties its logs, asks rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.backtest.equity_log import SAMPLES_A_TICK
from alphaseeker.backtest.loop import finish, run_rows
from alphaseeker.backtest.market import GivenSignals, Market
from alphaseeker.backtest.rules import EntryRule, has_own_rule, private_config
from alphaseeker.backtest.state import CONTROL, FILL, NEVER, ORDER, SAMPLE, Stop
from alphaseeker.inference.session import Session
from alphaseeker.risk.manager import RiskManager
from alphaseeker.risk.state import allocate_account, allocate_position
from alphaseeker.risk.step import refuse_step

__all__ = ["Replay", "replay"]

ROWS_AT_ONCE = 262_144  # between two reports of progress
LOG_ROWS = 16_384


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What a pass left behind.

    Attributes
    ----------
    control, account
        Shape (1,), dtypes ``state.CONTROL`` and ``risk.state.ACCOUNT``.
    fills, samples
        Dtypes ``state.FILL`` and ``state.SAMPLE``, in time order.
    seconds
        Of the loop, rules included.
    """

    control: npt.NDArray[Any]
    account: npt.NDArray[Any]
    fills: npt.NDArray[Any]
    samples: npt.NDArray[Any]
    seconds: float


class _Log:
    """Records of the loop, taken out of its buffer whenever that is full."""

    def __init__(self, dtype: np.dtype[Any], least: int) -> None:
        self.buffer = np.zeros(LOG_ROWS + least, dtype=dtype)
        self._pieces: list[npt.NDArray[Any]] = []

    def take(self, count: int) -> None:
        self._pieces.append(self.buffer[:count].copy())

    def all(self) -> npt.NDArray[Any]:
        return np.concatenate(self._pieces)


def replay(
    market: Market,
    signals: list[Session] | list[GivenSignals],
    manager: RiskManager,
    *,
    equity: float,
    latency_ns: int,
    max_gap_s: float,
    on_progress: Callable[[int, int], None],
) -> Replay:
    """Trade a market from its first to its last row.

    Parameters
    ----------
    market, signals
        As laid out; the sessions go on from where they stand.
    manager
        Its settings are used, and its ``allow_entry`` where its class has one of its own. The
        manager itself is left as it is.
    equity
        At the start, above 0.
    latency_ns
        From a decision to its fill; 0 fills on paper at the quote of the decision.
    max_gap_s
        A longer time between two rows is no market time.
    on_progress
        Called with rows done and rows in all.
    """
    config = private_config(manager.config)
    count = len(market.names)
    account = allocate_account(config)
    account["equity"] = equity
    account["venue"] = int(latency_ns > 0)
    positions = np.concatenate([allocate_position(config, name) for name in market.names])
    orders = np.zeros(count, dtype=ORDER)
    orders["row"] = -1
    control = np.zeros(1, dtype=CONTROL)
    control["latency"] = latency_ns
    control["longest_gap"] = round(max_gap_s * 1e9)
    control["next_due"] = NEVER
    control["minute"] = -1
    control["peak"] = equity
    rule = None
    if has_own_rule(manager):
        control["asks"] = 1
        by_name = {name: positions[s : s + 1] for s, name in enumerate(market.names)}
        rule = EntryRule(manager, account, by_name)
    fills, samples = _Log(FILL, count + 1), _Log(SAMPLE, SAMPLES_A_TICK)
    rows = len(market.rows)
    if rows:
        samples.buffer[0] = (market.times[0], equity, 0.0, 0.0)
        control["samples"] = 1

    def empty() -> None:
        fills.take(int(control["fills"][0]))
        samples.take(int(control["samples"][0]))
        control["fills"] = control["samples"] = 0

    # Compiled here, the loop's time is its own.
    run_rows(
        control,
        account,
        positions,
        market.feeds,
        orders,
        market.symbols,
        market.rows,
        market.times,
        fills.buffer,
        samples.buffer,
        0,
    )
    finish(control, account, positions, orders, fills.buffer, samples.buffer)
    begin = perf_counter()
    for end in (*range(ROWS_AT_ONCE, rows, ROWS_AT_ONCE), rows):
        while True:
            stop = run_rows(
                control,
                account,
                positions,
                market.feeds,
                orders,
                market.symbols,
                market.rows,
                market.times,
                fills.buffer,
                samples.buffer,
                end,
            )
            if stop == Stop.DONE:
                break
            if stop == Stop.FULL:
                empty()
            elif rule is not None:
                _ask(rule, market, signals, positions, int(control["cursor"][0]))
        on_progress(end, rows)
    empty()
    finish(control, account, positions, orders, fills.buffer, samples.buffer)
    empty()
    return Replay(
        control=control,
        account=account,
        fills=fills.all(),
        samples=samples.all(),
        seconds=perf_counter() - begin,
    )


def _ask(
    rule: EntryRule,
    market: Market,
    signals: list[Session] | list[GivenSignals],
    positions: npt.NDArray[Any],
    cursor: int,
) -> None:
    """Ask the rule about the entry that is proposed, and turn it down where the rule does."""
    number, row = int(market.symbols[cursor]), int(market.rows[cursor])
    signal = signals[number]
    if isinstance(signal, Session):
        last = signal.memory["last"][0]
        p_down, _, p_up = last["probabilities"].tolist()
        strength = min(1.0, max(0.0, int(last["side"]) * (p_up - p_down)))
    else:
        strength = float(signal.strengths[row])
        p_up, p_down = float(signal.p_up[row]), float(signal.p_down[row])
    position = positions[number : number + 1]
    why = rule.refusal(
        market.series[number], row, position, strength=strength, p_up=p_up, p_down=p_down
    )
    if why is not None:
        refuse_step(position)
