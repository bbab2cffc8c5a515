"""Random sequences of events under random rules: machine, rules and ledger side by side."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from risk_twin import SYMBOLS, Event, Twin, random_config, random_events

symbols = st.sampled_from(SYMBOLS)
intents = st.sampled_from(["SELL", "BUY", "HOLD", "CLOSE_LONG", "CLOSE_SHORT"])
spreads = st.floats(0.01, 5.0)
rates = st.one_of(st.just(math.nan), st.floats(-0.01, 0.01))


class RiskMachine(RuleBasedStateMachine):
    """Each rule is something that happens to a bot; ``Twin`` compares after each."""

    twin: Twin

    @initialize(seed=st.integers(0, 10**6))
    def begin(self, seed: int) -> None:
        self.twin = Twin(random_config(np.random.default_rng(seed)))
        self.quiet("A")

    def quiet(self, symbol: str, **other: Any) -> None:
        quiet = {"wait": 1.0, "move": 0.0, "spread": 1.0, "intent": "HOLD", "strength": 1.0}
        self.twin.take(Event(symbol, **(quiet | other)))

    @rule(symbol=symbols, move=st.floats(-30.0, 30.0), spread=spreads, intent=intents, rate=rates)
    def signal(self, symbol: str, move: float, spread: float, intent: str, rate: float) -> None:
        self.quiet(symbol, move=move, spread=spread, intent=intent, funding_rate=rate)

    @rule(symbol=symbols, intent=intents, share=st.floats(0.0, 1.0), most=st.floats(0.0, 1.0))
    def likely_signal(self, symbol: str, intent: str, share: float, most: float) -> None:
        self.quiet(symbol, intent=intent, p_up=most * share, p_down=most * (1.0 - share))

    @rule(symbol=symbols, move=st.floats(-900.0, 900.0))
    def gap(self, symbol: str, move: float) -> None:
        self.quiet(symbol, move=move)

    @rule(symbol=symbols, spread=st.floats(-50.0, 200.0), intent=intents)
    def odd_book(self, symbol: str, spread: float, intent: str) -> None:
        self.quiet(symbol, spread=spread, intent=intent)

    @rule(symbol=symbols, wait=st.sampled_from([61.0, 901.0, 28_801.0, 86_400.0]), intent=intents)
    def pause(self, symbol: str, wait: float, intent: str) -> None:
        self.quiet(symbol, wait=wait, intent=intent)

    @rule(symbol=symbols, wait=st.floats(-200.0, -0.001), intent=intents)
    def late_quote(self, symbol: str, wait: float, intent: str) -> None:
        self.quiet(symbol, wait=wait, intent=intent)

    @rule(news=st.sampled_from(["same", "old", "deposit", "withdrawal"]))
    def report_of_the_venue(self, news: str) -> None:
        self.quiet("A", news=news)

    @rule(symbol=symbols, intent=intents)
    def drift(self, symbol: str, intent: str) -> None:
        self.quiet(symbol, intent=intent, drift=True)


RiskMachine.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestRiskMachine = RiskMachine.TestCase


@pytest.mark.parametrize("seed", range(4))
def test_random_rules_and_events(seed: int) -> None:
    rng = np.random.default_rng(seed)
    entries = exits = 0
    for _ in range(100):
        twin = Twin(random_config(rng))
        for event in random_events(rng, 25):
            twin.take(event)
        entries += twin.counts["entries checked"]
        exits += twin.counts["CLOSE_POSITION"] + twin.counts["losses checked"]
    assert entries > 50
    assert exits > 30
