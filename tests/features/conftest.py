"""Captures of real markets, ticks made by hand, and the comparison with the oracle."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.features.batch import step_through
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.settings import fit_settings
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.schema import TICK, TickSeries
from oracles.features import Segment

SECOND = 10**9
START = 1_700_000_100 * SECOND  # the start of a minute
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CAPTURES = (
    "usdm_BTCUSDT_quotes",
    "usdm_BTCUSDT_100ms_depth10",
    "spot_NEXOUSDT_1s",
    "crypto_1m",
)
NAMES = [feature.name for feature in FEATURES]
EVERY = np.arange(len(NAMES))


class Run(NamedTuple):
    """What the batch loop gives for every row of a series."""

    values: np.ndarray
    verdicts: np.ndarray
    segments: np.ndarray
    history: np.ndarray
    mids: np.ndarray


class Capture(NamedTuple):
    name: str
    path: Path
    settings: FeatureSettings
    series: list[TickSeries]
    runs: list[Run]


@lru_cache(maxsize=1)
def load(name):
    path = DATA / f"{name}.parquet"
    series = read_ticks(path)
    settings = fit_settings(series, Config())
    return Capture(
        name, path, settings, series, [Run(*step_through(one, settings, EVERY)) for one in series]
    )


@pytest.fixture(scope="session", params=CAPTURES)
def capture(request):
    if not (DATA / f"{request.param}.parquet").exists():
        pytest.skip(f"the capture shared/data/{request.param}.parquet is absent")
    return load(request.param)


@pytest.fixture(scope="session")
def make_series():
    """Return a function: ticks at the given seconds; every field an array or one number."""

    def make(seconds, bid, ask, bid_volume=3.0, ask_volume=2.0, **fields):
        seconds = np.asarray(seconds, dtype=float)
        ticks = np.zeros(len(seconds), dtype=TICK)
        ticks["timestamp"] = START + np.rint(seconds * SECOND).astype(np.int64)
        ticks["bid_price"], ticks["ask_price"] = bid, ask
        ticks["bid_volume"], ticks["ask_volume"] = bid_volume, ask_volume
        ticks["close"] = ticks["ask_price"]
        ticks["buy_volume"] = ticks["sell_volume"] = np.nan
        symbol = fields.pop("symbol", "TEST")
        for name, value in fields.items():
            ticks[name] = value
        return TickSeries(symbol=symbol, ticks=ticks, rows=np.arange(1, len(ticks) + 1))

    return make


@pytest.fixture(scope="session")
def walk(make_series):
    """Return a function: quotes that move in whole ticks of 0.01, several times a second."""

    def make(rows, seed=0, interval_s=0.4, **fields):
        rng = np.random.default_rng(seed)
        seconds = np.cumsum(rng.exponential(interval_s, rows))
        bid = 10_000 + np.cumsum(rng.integers(-3, 4, rows))
        spread = rng.integers(1, 4, rows)
        size = np.round(rng.exponential(2.0, (2, rows)) + 0.01, 3)
        # One quote in five stands for longer than one tick.
        rows_of_quotes = np.where(rng.random(rows) < 0.2, 0, np.arange(rows))
        standing = np.maximum.accumulate(rows_of_quotes)
        bid, spread, size = bid[standing], spread[standing], size[:, standing]
        close = bid + spread * rng.integers(0, 2, rows)
        return make_series(
            seconds, bid / 100, (bid + spread) / 100, *size, close=close / 100, **fields
        )

    return make


@pytest.fixture(scope="session")
def run():
    """Return a function: every column of a series, for every row."""

    def step(series, **settings):
        chosen = FeatureSettings(**{"tick_size": 0.01, **settings})
        return Run(*step_through(series, chosen, EVERY))

    return step


@pytest.fixture(scope="session")
def disagreements():
    """Return a function that compares rows with the oracle and lists what differs."""

    def compare(series, run, rows, settings):
        """Compare ``rows``, numbers within the accepted ticks of one segment."""
        segment = run.segments[run.verdicts >= 0][0]
        inside = (run.segments == segment) & (run.verdicts >= 0) & (run.verdicts < 10)
        ticks, values = series.ticks[inside], run.values[inside]
        fields = ("timestamp", "bid_price", "ask_price", "bid_volume", "ask_volume", "close")
        oracle = Segment(
            *(ticks[field] for field in fields),
            bucket_s=settings.bucket_s,
            tick_size=settings.tick_size_of(series.symbol),
        )
        found = []
        for row in rows:
            expected = oracle.at(row)
            assert set(expected) == set(NAMES)
            for name, got in zip(NAMES, values[row].astype(float), strict=True):
                value, terms = expected[name]
                # Half a step of float32, and the rounding of the float64 sums.
                allowed = 6e-8 * abs(value) + 1e-9 * (abs(value) + terms) + 1e-35
                same = np.isnan(value) and np.isnan(got)
                if not same and not abs(got - value) <= allowed:
                    found.append(f"{name} at row {row}: {got!r}, oracle {value!r} +- {allowed:.1e}")
        return found

    return compare
