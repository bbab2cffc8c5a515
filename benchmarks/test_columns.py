"""A column of ours against the same column in pandas and in polars, all on one thread.

Run with ``pytest benchmarks/test_columns.py``. Ours is the share of the whole loop that a column
takes (time of the loop / number of columns), live and in batch alike; theirs is the column computed
from the seven columns of the capture alone. In the totals theirs are all of them, with everything
shared that can be. Times are of the processor; the loop is measured anew around each family, as
often as each column of theirs.

The captures are a grid of one second and the events of a book. Every column must agree with ours
on nine rows of ten: on the others, rolling sums of a quiet market keep residues in a peer. Columns
that no row of a capture is old enough for cannot be compared: the totals name them as ``unseen``.
"""

import time

import numpy as np
import pandas as pd
import polars as pl
import pytest
from captures import EVENTS, GRID, Loop, load
from columns_in_pandas import IN_PANDAS
from columns_in_polars import IN_POLARS
from market_in_pandas import Market as GridMarket
from market_in_pandas_events import Market as EventMarket
from market_in_polars import Market as PolarsGridMarket
from market_in_polars_events import Market as PolarsEventMarket

from alphaseeker.market.schema import REQUIRED_COLUMNS

RUNS = 6  # of which the quickest counts; of the loop half before a peer's, half after them
FAMILIES = tuple(dict.fromkeys(name.partition(".")[0] for name in IN_PANDAS))
TOLERANCE = 1e-6  # of the largest value of the column


class Pandas:
    """Columns as series of pandas; ``numbers`` makes them comparable, which is not measured."""

    names = tuple(IN_PANDAS)

    def __init__(self, capture, columns, tick_size):
        self.frame, self.tick_size = pd.DataFrame(columns), tick_size
        self.market = GridMarket if capture == GRID else EventMarket

    def column(self, name):
        return IN_PANDAS[name](self.market(self.frame, self.tick_size))

    def numbers(self, column):
        return np.asarray(column, dtype=float)

    def every(self, names):
        market = self.market(self.frame, self.tick_size)
        return [IN_PANDAS[name](market) for name in names]


class Polars:
    """Columns as series of polars; ``numbers`` makes them comparable, which is not measured."""

    names = tuple(IN_POLARS)

    def __init__(self, capture, columns, tick_size):
        self.frame = pl.DataFrame(columns).with_columns(pl.lit(tick_size).alias("tick_size"))
        self.market = PolarsGridMarket if capture == GRID else PolarsEventMarket

    def column(self, name):
        market = self.market(self.frame)
        return market.frame.select(IN_POLARS[name](market)).to_series()

    def numbers(self, column):
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()

    def every(self, names):
        market = self.market(self.frame)
        for w in (60, 300, 900):
            market.bars(w)
        # One query of all of them takes longer.
        return [market.frame.select(IN_POLARS[name](market).alias(name)) for name in names]


PEERS = {"pandas": Pandas, "polars": Polars}


@pytest.fixture(scope="module", params=(GRID, EVENTS))
def loop(request):
    assert pl.thread_pool_size() == 1
    try:
        loop = Loop(*load(request.param))
    except FileNotFoundError:
        pytest.skip(f"the capture shared/data/{request.param}.parquet is absent")
    loop()
    loop.capture = request.param
    return loop


class Peer:
    """A peer on the capture of a loop, and the columns that both give a value."""

    def __init__(self, kind, loop):
        ticks = loop.series.ticks
        columns = {name: np.ascontiguousarray(ticks[name]) for name in REQUIRED_COLUMNS}
        tick_size = loop.settings.tick_size_of(loop.series.symbol)
        self.kind, self.columns = kind, PEERS[kind](loop.capture, columns, tick_size)
        seen = np.isfinite(loop.values).any(axis=0)
        self.unseen = [name for name, known in zip(loop.names, seen, strict=True) if not known]
        self.names = [name for name in self.columns.names if name not in self.unseen]
        self.absent = [name for name in loop.names if name not in self.columns.names]


@pytest.fixture(scope="module", params=PEERS)
def peer(request, loop):
    return Peer(request.param, loop)


def least(function, *arguments, runs=RUNS):
    times = []
    for _ in range(runs):
        start = time.process_time()
        with np.errstate(all="ignore"):
            result = function(*arguments)
        times.append(time.process_time() - start)
    return min(times), result


def assert_agrees(name, ours, theirs):
    given, both = np.isfinite(ours), np.isfinite(ours) & np.isfinite(theirs)
    assert both.sum() > 0.9 * given.sum(), name
    error = np.quantile(np.abs(ours[both] - theirs[both]), 0.9)
    assert error <= TOLERANCE * np.abs(theirs[both]).max(), name


@pytest.mark.parametrize("family", FAMILIES)
def test_family(benchmark, loop, peer, family):
    names = [name for name in peer.names if name.startswith(f"{family}.")]
    before, _ = least(loop, runs=RUNS // 2)
    measured = benchmark.pedantic(
        lambda: {name: least(peer.columns.column, name) for name in names}, rounds=1
    )
    share = min(before, least(loop, runs=RUNS // 2)[0]) / len(loop.names)
    for name, (_, column) in measured.items():
        ours = loop.values[:, loop.names.index(name)]
        assert_agrees(name, ours, peer.columns.numbers(column))
    ratios = {name: round(seconds / share, 1) for name, (seconds, _) in measured.items()}
    benchmark.extra_info.update(
        capture=loop.capture,
        peer=peer.kind,
        family=family,
        ns_a_column=round(share / len(loop.series) * 1e9, 2),
        times=ratios,
        theirs_ns={
            name: round(seconds / len(loop.series) * 1e9, 2)
            for name, (seconds, _) in measured.items()
        },
    )


def test_total(benchmark, loop, peer):
    before, _ = least(loop, runs=RUNS // 2)
    shared, _ = benchmark.pedantic(least, args=(peer.columns.every, peer.names), rounds=1)
    alone = sum(least(peer.columns.column, name)[0] for name in peer.names)
    ours = min(before, least(loop, runs=RUNS // 2)[0]) / len(loop.names) * len(peer.names)
    benchmark.extra_info.update(
        capture=loop.capture,
        peer=peer.kind,
        columns=len(peer.names),
        absent=peer.absent,
        unseen=peer.unseen,
        ours_s=round(ours, 3),
        shared_s=round(shared, 3),
        one_by_one_s=round(alone, 3),
        # Sharing may cost a peer more than it saves.
        times=round(min(shared, alone) / ours, 1),
    )
