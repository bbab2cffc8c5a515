"""Captures of real markets, ticks made by hand, and the comparison with the oracle."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.features.batch import column_indices, step_through
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.inputs import available_names
from alphaseeker.features.settings import fit_settings
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.schema import TICK, TickSeries
from oracles.features import Segment
from oracles.features.comparison import differences

SECOND = 10**9
START = 1_700_000_100 * SECOND  # the start of a minute
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CAPTURES = (
    "usdm_BTCUSDT_quotes",
    "usdm_BTCUSDT_100ms_depth10",
    "spot_NEXOUSDT_1s",
    "crypto_1m",
)
# What the oracle reads of a tick.
FIELDS = (
    "timestamp",
    "bid_price",
    "ask_price",
    "bid_volume",
    "ask_volume",
    "close",
    "volume",
    "buy_volume",
    "sell_volume",
)
LEVELS = 10
# As if they had been fitted: a row for each spread in ticks, a weight for each level.
TABLE = tuple(
    tuple(float(x) for x in spread * np.linspace(-0.4, 0.4, 10)) for spread in (1.0, 1.3, 1.7)
)
WEIGHTS = tuple((np.arange(LEVELS, 0, -1) / np.arange(LEVELS + 1).sum()).tolist())


class Run(NamedTuple):
    """What the batch loop gives for every row of a series."""

    values: np.ndarray
    verdicts: np.ndarray
    segments: np.ndarray
    history: np.ndarray
    mids: np.ndarray
    names: tuple

    @property
    def accepted(self):
        return (self.verdicts >= 0) & (self.verdicts < 10)

    def column(self, name):
        return self.values[:, self.names.index(name)]


class Capture(NamedTuple):
    name: str
    path: Path
    settings: FeatureSettings
    series: list[TickSeries]
    runs: list[Run]


def every_column(series, settings):
    """Return every column that the settings offer, for every row."""
    names = available_names(settings)
    return Run(*step_through(series, settings, column_indices(names)), names)


@lru_cache(maxsize=1)
def load(name, plain):
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"the capture shared/data/{name}.parquet is absent")
    series = read_ticks(path)
    settings = fit_settings(series, Config())
    if plain:
        settings = replace(settings, aggressor=False, depth_levels=0, ofi_weights={})
    runs = [every_column(one, settings) for one in series]
    return Capture(name, path, settings, series, runs)


@pytest.fixture(scope="session", params=CAPTURES)
def capture(request):
    """A capture with every column that it offers: sides and depth where it has them."""
    return load(request.param, False)


@pytest.fixture(scope="session", params=CAPTURES[:-1])  # the last has neither sides nor depth
def plain_capture(request):
    """A capture whose sides and depth are left aside."""
    return load(request.param, True)


@pytest.fixture(scope="session")
def rows_of():
    """Return a function: some rows of a series, with their depth."""

    def choose(series, rows):
        return replace(
            series,
            ticks=series.ticks[rows],
            rows=series.rows[rows],
            depth=None if series.depth is None else series.depth[rows],
        )

    return choose


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
def with_trades():
    """Return a function: the series with trades on some ticks, and who struck."""

    def trade(series, share=0.5, seed=0):
        rng = np.random.default_rng(seed + 1000)
        rows = len(series)
        ticks = series.ticks.copy()
        sides = np.round(rng.exponential(1.5, (2, rows)) + 0.001, 3)
        kind = rng.integers(0, 8, rows)  # one trade in eight struck both sides
        sides[0] *= kind < 4
        sides[1] *= (kind == 0) | (kind >= 4)
        sides *= rng.random(rows) < share
        ticks["buy_volume"], ticks["sell_volume"] = sides
        ticks["volume"] = sides.sum(axis=0)
        # Those who buy pay the ask, those who sell get the bid, and some trade at the mid.
        at = np.where(kind < 4, ticks["ask_price"], ticks["bid_price"])
        mid = np.round((ticks["bid_price"] + ticks["ask_price"]) / 2, 6)
        at = np.where(rng.random(rows) < 0.1, mid, at)
        last = np.maximum.accumulate(np.where(ticks["volume"] > 0, np.arange(rows), 0))
        ticks["close"] = at[last]
        return replace(series, ticks=ticks)

    return trade


@pytest.fixture(scope="session")
def with_depth():
    """Return a function: the series with levels below its quotes, some of them missing."""

    def deepen(series, levels=LEVELS, missing=0.0, seed=0):
        rng = np.random.default_rng(seed + 2000)
        rows = len(series)
        ticks = series.ticks
        # Levels stand for a while: a tick in three changes those below the touch.
        standing = np.maximum.accumulate(np.where(rng.random(rows) < 0.35, np.arange(rows), 0))
        # Off the grid, so that none stands at a whole number of basis points from the mid.
        steps = np.cumsum(rng.integers(1, 4, (rows, levels, 2)), axis=1) * 0.01 + 0.0037
        sizes = np.round(rng.exponential(4.0, (rows, levels, 2)) + 0.01, 3)[standing]
        depth = np.empty((rows, levels, 4))
        depth[:, :, 0] = np.round(ticks["bid_price"][:, None] - steps[standing, :, 0], 6)
        depth[:, :, 2] = np.round(ticks["ask_price"][:, None] + steps[standing, :, 1], 6)
        depth[:, :, 1::2] = sizes
        depth[:, 0, 0], depth[:, 0, 1] = ticks["bid_price"], ticks["bid_volume"]
        depth[:, 0, 2], depth[:, 0, 3] = ticks["ask_price"], ticks["ask_volume"]
        for side in (0, 2):
            poor = rng.random(rows) < missing
            absent = poor[:, None] & (np.arange(levels) >= rng.integers(1, levels, rows)[:, None])
            depth[absent, side] = depth[absent, side + 1] = np.nan
        return replace(series, depth=depth)

    return deepen


@pytest.fixture(scope="session")
def deep_walk(walk, with_trades, with_depth):
    """Return a function: the quotes of ``walk`` with trades, their sides and ten levels."""

    def make(rows, seed=0, missing=0.0, **fields):
        return with_depth(with_trades(walk(rows, seed, **fields), seed=seed), LEVELS, missing, seed)

    return make


@pytest.fixture(scope="session")
def everything():
    """What must be set for a ``deep_walk`` to have every column of the catalogue."""
    return {
        "tick_size": 0.01,
        "aggressor": True,
        "depth_levels": LEVELS,
        "microprices": {"": TABLE},
        "ofi_weights": {"": WEIGHTS},
    }


@pytest.fixture(scope="session")
def run():
    """Return a function: every column that the settings offer, for every row of a series."""

    def step(series, **settings):
        return every_column(series, FeatureSettings(**{"tick_size": 0.01, **settings}))

    return step


@pytest.fixture(scope="session")
def disagreements(rows_of):
    """Return a function that compares rows with the oracle and lists what differs."""

    def compare(series, run, rows, settings):
        """Compare ``rows``, numbers within the accepted ticks of the first segment."""
        segment = run.segments[run.accepted][0]
        inside = run.accepted & (run.segments == segment)
        part, values = rows_of(series, inside), run.values[inside]
        levels = settings.depth_levels
        deep = {"depth": part.depth, "ofi_weights": settings.ofi_weights_of(series.symbol)}
        oracle = Segment(
            *(part.ticks[field] for field in FIELDS),
            bucket_s=settings.bucket_s,
            tick_size=settings.tick_size_of(series.symbol),
            aggressor=settings.aggressor,
            microprice=settings.microprice_of(series.symbol),
            round_trip_notional=settings.round_trip_notional,
            depth_levels=levels,
            **(deep if levels else {}),
        )
        return [line for row in rows for line in differences(oracle, row, run.names, values[row])]

    return compare
