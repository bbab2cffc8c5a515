"""The risk step beside the same rules in plain Python, and ``manage_risk`` from dictionaries.

Run with ``pytest benchmarks/test_risk.py``. Both rows of a group take the same quotes of one
symbol, ten a second on a tick of 0.01, and must agree in every action and in the equity. Time a
step is the time of a row over ``STEPS``; ``test_manage`` is one call.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from alphaseeker.config import RISK_CONFIG, RiskConfig
from alphaseeker.risk.manager import RiskManager
from alphaseeker.risk.state import Action, Intent, allocate_account, allocate_position
from alphaseeker.risk.step import risk_step

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from oracles.risk_rules import RiskRules

START_S = 1_700_006_400
STEPS = 20_000
# Nothing is reached: what is timed is the tick on which nothing happens, as nearly all of them are.
FAR = {"VOLATILITY_BASED_SL": False, "STOP_LOSS_PCT": 0.5, "TAKE_PROFIT_PCT": 0.9}
CASES: dict[str, tuple[dict[str, Any], list[int]]] = {
    "flat": ({}, [0]),
    "in position": (FAR, [1]),
    "a signal on every tick": ({"MAX_ORDERS_PER_MINUTE": None}, [1, 0, -1, 0, 1]),
}


@numba.njit
def _loop(account, position, times, bids, asks, intents, actions):
    for index in range(times.shape[0]):
        equity = account[0].equity if index > 0 else 10_000.0
        quote = (times[index], bids[index], asks[index], 1.0, 1.0)
        actions[index] = risk_step(
            account,
            position,
            quote[0],
            quote[1],
            quote[2],
            quote[3],
            quote[4],
            equity,
            intents[index],
            1.0,
            0.6,
            0.2,
            np.nan,
        )


def quotes(intents: list[int]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    mid = 100.0 * np.exp(np.cumsum(2e-5 * rng.standard_normal(STEPS)))
    bids = np.round(100.0 * mid) / 100.0
    times = START_S * 10**9 + np.arange(STEPS, dtype=np.int64) * 10**8
    return times, bids, bids + 0.01, np.resize(np.array(intents, dtype=np.int64), STEPS)


def ours(config: dict[str, Any], inputs: tuple[np.ndarray, ...]) -> tuple[list[int], float]:
    account, position = allocate_account(RiskConfig(**config)), allocate_position()
    actions = np.empty(STEPS, dtype=np.int64)
    _loop(account, position, *inputs, actions)
    return actions.tolist(), float(account["equity"][0])


def plain(config: dict[str, Any], inputs: tuple[np.ndarray, ...]) -> tuple[list[int], float]:
    rules = RiskRules(RISK_CONFIG | config)
    equity, actions = 10_000.0, []
    for now, bid, ask, intent in zip(*(column.tolist() for column in inputs), strict=True):
        named = rules.step("A", now, bid, ask, equity, Intent(intent).name, 1.0, 0.6, 0.2, math.nan)
        actions.append(int(Action[named[0]]))
        equity = rules.last_equity
    return actions, equity


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("implementation", [ours, plain], ids=["alphaseeker", "plain Python"])
def test_risk_step(benchmark, case, implementation):
    config, intents = CASES[case]
    if implementation is plain and len(intents) > 1:
        pytest.skip("it computes the volatility from all quotes at each entry")
    inputs = quotes(intents)
    benchmark.group = f"risk step, {case}"
    rounds = 30 if implementation is ours else 3
    actions, equity = benchmark.pedantic(
        implementation, args=(config, inputs), rounds=rounds, warmup_rounds=1
    )
    benchmark.extra_info["steps"] = STEPS
    benchmark.extra_info["ns_a_step"] = benchmark.stats.stats.min / STEPS * 1e9
    if len(intents) == 1:
        expected = plain(config, inputs)
        assert actions == expected[0]
        assert equity == pytest.approx(expected[1], rel=1e-9)
    else:
        assert actions.count(Action.OPEN_POSITION) > 0


@pytest.mark.benchmark(group="manage_risk, one call")
@pytest.mark.parametrize("case", ["flat", "in position"])
def test_manage(benchmark, case):
    config, intents = CASES[case]
    _, bids, asks, _ = quotes(intents)
    manager = RiskManager(config)
    signal = {
        "signal": intents[0],
        "signal_label": "BUY" if intents[0] else "HOLD",
        "signal_strength": 1.0,
        "confidence": 0.6,
        "probabilities": {"BUY": 0.6, "HOLD": 0.2, "SELL": 0.2},
        "filter_reason": None,
        "symbol": "BTCUSDT",
    }
    state = {"index": 0, "equity": 10_000.0}

    def call() -> None:
        index = state["index"] = (state["index"] + 1) % STEPS
        market = {
            "symbol": "BTCUSDT",
            "timestamp": START_S + 0.1 * index,
            "bid_price": float(bids[index]),
            "ask_price": float(asks[index]),
            "bid_volume": 1.0,
            "ask_volume": 1.0,
        }
        state["equity"] = manager.manage(market, signal, state["equity"])["risk_status"]["equity"]

    call()
    benchmark.pedantic(call, rounds=5_000, warmup_rounds=200)
    assert manager.position_side("BTCUSDT") == ("LONG" if intents[0] else "FLAT")
