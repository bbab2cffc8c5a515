"""A backtest: ticks a second of the full path, where the time goes, a rule in Python, peers.

    pytest benchmarks/test_backtest.py --benchmark-only -s

A model of the reference size (100 rounds of 3 trees of 31 leaves) reads all columns that need
neither depth nor sides, as in ``test_session.py``. Times are those of the processor, on one core:

- ``full path``: gate, features, forest, calibration, decision, risk and fills, with a latency of
  100 ms. Beside it, from the same ticks, the session's step alone, and risk and fills alone on the
  signals that it gave: the rest is what the loop itself costs.
- ``rule``: the same with a rule written in Python, which is asked about every entry.
- ``peer``: the same signals, sizes and prices in ``backtesting`` (0.6.6), whose fills are at the
  close of a row: no spread, no fee, no latency, all equity in one position. Its trades must be
  ours.
"""

import dataclasses
import statistics
import time
import warnings

import captures
import lightgbm
import numpy as np
import pytest

from alphaseeker.backtest.market import GivenSignals, lay_out
from alphaseeker.backtest.replay import replay
from alphaseeker.backtest.trading import trade_series
from alphaseeker.bench.reference import reference_artifact
from alphaseeker.config import Config
from alphaseeker.features.batch import compute_features
from alphaseeker.features.catalogue import schema_hash
from alphaseeker.features.settings import fit_settings
from alphaseeker.inference.rows import run_rows
from alphaseeker.inference.served_model import serve
from alphaseeker.inference.session import Session
from alphaseeker.market.quality import judge_series
from alphaseeker.market.schema import TICK, TickSeries
from alphaseeker.market.simulator import simulate
from alphaseeker.model.golden import build_golden
from alphaseeker.risk.manager import RiskManager

RUNS = 3
ROWS = 120_000
SIMULATED = "SIMULATED"
MARKETS = [captures.EVENTS, captures.GRID, SIMULATED]
PARAMETERS = {
    "objective": "multiclass",
    "num_class": 3,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "verbosity": -1,
    "num_threads": 2,
    "seed": 1,
}
# Limits that would end the trading of a test for good, and so the work that is measured.
RISK = {
    "MAX_DAILY_LOSS": 1.0,
    "MAX_DRAWDOWN": 1.0,
    "TRANSACTION_COST_PCT": 0.00001,
    "MAX_CONSECUTIVE_LOSSES": None,
    "MAX_ORDERS_PER_MINUTE": None,
    "KELLY_FRACTION": None,
}
CONFIG = Config().override({**RISK, "TRADE_WITHOUT_EDGE": True, "READY_HISTORY_S": 60})


class Ruled(RiskManager):
    """Allows every entry."""

    def allow_entry(self, market_data, signal, proposed):
        return None


class Served:
    """A market, and a model of the reference size on its columns."""

    def __init__(self, name):
        if name == SIMULATED:
            series = simulate(ROWS, seed=1, signal_strength=0.3, mode="events")
            settings = dataclasses.replace(fit_settings([series], CONFIG), aggressor=False)
        else:
            series, settings = captures.load(name)
        self.series = dataclasses.replace(
            series, ticks=series.ticks[:ROWS].copy(), rows=series.rows[:ROWS], depth=None
        )
        block = compute_features(self.series, settings=settings)
        self.columns = len(block.names)
        change = np.roll(block.mid, -60) - block.mid
        label = np.digitize(change, np.quantile(change, (1 / 3, 2 / 3)))
        booster = lightgbm.train(PARAMETERS, lightgbm.Dataset(block.values, label), 100)
        text = booster.model_to_string()
        features, scores = build_golden(text, block.values)
        artifact = dataclasses.replace(
            reference_artifact(rounds=1, config=Config(), rows=4_000),
            model_text=text,
            feature_names=block.names,
            schema_hash=schema_hash(block.names),
            settings=settings.to_dict(block.names),
            golden_features=features,
            golden_scores=scores,
        )
        self.model = serve(artifact, CONFIG.inference)
        self.verdicts = judge_series(self.series, max_gap_s=900.0, max_jump=0.2)[0]

    def given(self):
        """Return the model's signals, and the processor's time a tick that they took, in ns."""
        session = Session(self.series.symbol, self.model)
        start = time.process_time_ns()
        rows = run_rows(session, self.series)
        spent = (time.process_time_ns() - start) / len(self.series)
        p_down, p_up = rows.probabilities[:, 0].copy(), rows.probabilities[:, 2].copy()
        strengths = np.clip(rows.side * (p_up - p_down), 0.0, 1.0)
        signals = GivenSignals(sides=rows.side, strengths=strengths, p_up=p_up, p_down=p_down)
        return signals, spent

    def replayed(self, signals=None, manager=None):
        """Return what a pass left behind, and the processor's time a tick, in ns."""
        signals = [signals or Session(self.series.symbol, self.model)]
        market = lay_out([self.series], signals, [self.verdicts], max_gap_s=900.0)
        start = time.process_time_ns()
        done = replay(
            market,
            signals,
            manager or RiskManager(CONFIG.risk),
            equity=10_000.0,
            latency_ns=100_000_000,
            max_gap_s=900.0,
            on_progress=lambda done, total: None,
        )
        return done, (time.process_time_ns() - start) / len(self.series)


served_markets = {}


@pytest.fixture(params=MARKETS)
def served(request):
    name = request.param
    if name != SIMULATED and not (captures.DATA / f"{name}.parquet").is_file():
        pytest.skip("needs the market captures beside the repository")
    if name not in served_markets:
        served_markets[name] = Served(name)
    return served_markets[name]


def test_full_path(benchmark, served):
    served.replayed()
    spent, alone, rest = [], [], []

    def run():
        spent.append(served.replayed()[1])
        signals, step = served.given()
        alone.append(step)
        rest.append(served.replayed(signals)[1])

    benchmark.pedantic(run, rounds=RUNS, warmup_rounds=0)
    done, _ = served.replayed()
    c = done.control[0]
    whole = min(spent)
    benchmark.extra_info.update(
        ticks=int(c["ticks"]),
        columns=served.columns,
        fills=len(done.fills),
        ns_a_tick=round(whole),
        median_ns=round(statistics.median(spent)),
        ticks_a_second=round(1e9 / whole),
        session_step_ns=round(min(alone)),
        risk_and_fills_ns=round(min(rest)),
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}")


def test_rule_in_python(benchmark, served):
    managers = {"free": RiskManager(CONFIG.risk), "ruled": Ruled(CONFIG.risk)}
    spent = {name: [] for name in managers}
    left = {}

    def run():
        for name, manager in managers.items():
            left[name], ns = served.replayed(manager=manager)
            spent[name].append(ns)

    benchmark.pedantic(run, rounds=RUNS, warmup_rounds=1)
    assert left["free"].fills.tobytes() == left["ruled"].fills.tobytes()
    free, ruled = min(spent["free"]), min(spent["ruled"])
    entered = int((left["ruled"].fills["action"] == 1).sum())
    benchmark.extra_info.update(
        without_ns=round(free),
        with_ns=round(ruled),
        entries=entered,
        ticks_a_second=round(1e9 / ruled),
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}")


# ---- peers --------------------------------------------------------------------------------------

PEER = {
    "RISK_PER_TRADE": 1.0,
    "custom_stop_loss": 0.9,
    "TAKE_PROFIT_PCT": 1.0,
    "MAX_POSITION_SIZE": 1.0,
    "dynamic_position_sizing": False,
    **RISK,
    "TRANSACTION_COST_PCT": 0.0,
    "LOT_SIZE": 1.0,
}
PEER_ROWS = 100_000


def closes_and_sides(count):
    """Return prices of a SIMULATED market and signals that change about every fifty rows."""
    series = simulate(count, seed=2, signal_strength=0.3, start_price=10.0, tick_size=0.001)
    close = 0.5 * (series.ticks["bid_price"] + series.ticks["ask_price"])
    rng = np.random.default_rng(2)
    sides = rng.choice([-1, 0, 1], count, p=[0.01, 0.98, 0.01])
    return series.ticks["timestamp"], close, sides


def our_trades(stamps, close, sides):
    """Trade rows without a spread: the quotes of a row lie a hair around its close."""
    ticks = np.zeros(len(close), dtype=TICK)
    ticks["timestamp"] = stamps
    hair = 1e-12 * close
    ticks["bid_price"], ticks["ask_price"] = close - hair, close + hair
    ticks["bid_volume"] = ticks["ask_volume"] = 1e12
    ticks["close"] = close
    ticks["buy_volume"] = ticks["sell_volume"] = np.nan
    series = TickSeries(symbol="", ticks=ticks, rows=np.arange(len(close)))
    unknown = np.full(len(close), np.nan)
    signals = GivenSignals(
        sides=sides.astype(np.int8), strengths=np.ones(len(close)), p_up=unknown, p_down=unknown
    )
    config = Config().override(PEER)
    start = time.process_time()
    result = trade_series(
        [series], [signals], RiskManager(config.risk), config, latency_ms=0.0, equity=10_000.0
    )
    return result.trades, time.process_time() - start


def peer_trades(backtesting, stamps, close, sides):
    """Trade the same in ``backtesting``: market orders at the close of the row of the signal."""
    import pandas as pd

    class Given(backtesting.Strategy):
        def init(self):
            pass

        def next(self):
            side = sides[len(self.data) - 1]
            if side == 0:
                return
            if self.position:
                if self.position.is_long != (side > 0):
                    self.position.close()
                return
            size = int(self.equity / self.data.Close[-1] * (1 + 1e-12))
            if side > 0:
                self.buy(size=size)
            else:
                self.sell(size=size)

    frame = pd.DataFrame(
        {"Open": close, "High": close, "Low": close, "Close": close},
        index=pd.to_datetime(stamps),
    )
    test = backtesting.Backtest(
        frame, Given, cash=10_000.0, trade_on_close=True, finalize_trades=True, margin=0.5
    )
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stats = test.run()
    return stats["_trades"], time.process_time() - start


def test_peer_backtesting(benchmark):
    backtesting = pytest.importorskip(
        "backtesting", reason="needs the peer: pip install backtesting"
    )
    stamps, close, sides = closes_and_sides(PEER_ROWS)
    our_trades(stamps, close, sides)
    ours, theirs = [], []
    found = {}

    def run():
        found["ours"], spent = our_trades(stamps, close, sides)
        ours.append(spent)
        found["theirs"], spent = peer_trades(backtesting, stamps, close, sides)
        theirs.append(spent)

    benchmark.pedantic(run, rounds=3, warmup_rounds=0)
    mine, other = found["ours"], found["theirs"]
    # They close what is open at the end at the next to last row, and list trades by their exits.
    last = min(len(mine), len(other)) - 1
    assert abs(len(mine) - len(other)) <= 1
    assert last > 500
    for name, column in (("entry_price", "EntryPrice"), ("exit_price", "ExitPrice")):
        np.testing.assert_allclose(mine[name][:last], other[column][:last], rtol=1e-9)
    signs = np.where(mine.side == "LONG", 1.0, -1.0)
    np.testing.assert_allclose((signs * mine["size"])[:last], other["Size"][:last], rtol=1e-9)
    benchmark.extra_info.update(
        rows=PEER_ROWS,
        trades=len(mine),
        agreeing=last,
        ours_ticks_a_second=round(PEER_ROWS / min(ours)),
        backtesting_ticks_a_second=round(PEER_ROWS / min(theirs)),
        ratio=round(min(theirs) / min(ours), 1),
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}")
