"""A column of ours against the same column in pandas and in polars, all on one thread.

Run with ``pytest benchmarks/test_columns.py``. Ours is the share of the whole loop that a column
takes (time of the loop / number of columns), live and in batch alike; theirs is the column computed
from the seven columns of the capture alone. In the totals theirs are all of them, with everything
shared that can be. Times are of the processor; the loop is measured anew around each family.

Every column must agree with ours on nine rows of ten: on the others, rolling sums of a quiet market
keep residues in a peer.
"""

import time

import numpy as np
import pandas as pd
import polars as pl
import pytest
from captures import GRID, Loop, load
from columns_in_pandas import IN_PANDAS
from columns_in_polars import IN_POLARS, every_column, one_column
from market_in_pandas import Market

RUNS = 3
FAMILIES = tuple(dict.fromkeys(name.partition(".")[0] for name in IN_PANDAS))
TOLERANCE = 1e-6  # of the largest value of the column


class Pandas:
    names = tuple(IN_PANDAS)

    def __init__(self, columns, tick_size):
        self.frame, self.tick_size = pd.DataFrame(columns), tick_size

    def column(self, name):
        values = np.asarray(IN_PANDAS[name](Market(self.frame, self.tick_size)), dtype=float)
        # A recursion from the second row on has no first one.
        return np.concatenate([np.full(len(self.frame) - len(values), np.nan), values])

    def every(self):
        market = Market(self.frame, self.tick_size)
        return [column(market) for column in IN_PANDAS.values()]


class Polars:
    names = IN_POLARS

    def __init__(self, columns, tick_size):
        frame = pl.DataFrame(columns).with_columns(pl.lit(tick_size).alias("tick_size"))
        self.rows = frame.lazy()

    def column(self, name):
        values = one_column(self.rows, name).collect()[name].cast(pl.Float64)
        return values.fill_null(float("nan")).to_numpy()

    def every(self):
        return every_column(self.rows).collect()


PEERS = {"pandas": Pandas, "polars": Polars}


@pytest.fixture(scope="module")
def loop():
    assert pl.thread_pool_size() == 1
    try:
        loop = Loop(*load(GRID))
    except FileNotFoundError:
        pytest.skip(f"the capture shared/data/{GRID}.parquet is absent")
    loop()
    return loop


@pytest.fixture(scope="module", params=PEERS)
def peer(request, loop):
    ticks = loop.series.ticks
    columns = {name: np.ascontiguousarray(ticks[name]) for name in ticks.dtype.names}
    tick_size = loop.settings.tick_size_of(loop.series.symbol)
    return request.param, PEERS[request.param](columns, tick_size)


def least(function, *arguments, runs=RUNS):
    times = []
    for _ in range(runs):
        start = time.process_time()
        with np.errstate(all="ignore"):
            result = function(*arguments)
        times.append(time.process_time() - start)
    return min(times), result


def assert_agrees(name, ours, theirs):
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert both.any(), name
    error = np.quantile(np.abs(ours[both] - theirs[both]), 0.9)
    assert error <= TOLERANCE * np.abs(theirs[both]).max(), name


@pytest.mark.parametrize("family", FAMILIES)
def test_family(benchmark, loop, peer, family):
    kind, columns = peer
    names = [name for name in columns.names if name.startswith(f"{family}.")]
    before, _ = least(loop)
    measured = benchmark.pedantic(
        lambda: {name: least(columns.column, name) for name in names}, rounds=1
    )
    share = min(before, least(loop)[0]) / len(loop.names)
    for name, (_, theirs) in measured.items():
        assert_agrees(name, loop.values[:, loop.names.index(name)], theirs)
    ratios = {name: round(seconds / share, 1) for name, (seconds, _) in measured.items()}
    benchmark.extra_info.update(
        peer=kind, family=family, ns_a_column=round(share / len(loop.series) * 1e9, 2), times=ratios
    )


def test_total(benchmark, loop, peer):
    kind, columns = peer
    before, _ = least(loop)
    shared, _ = benchmark.pedantic(least, args=(columns.every,), rounds=1)
    alone = sum(least(columns.column, name, runs=1)[0] for name in columns.names)
    ours = min(before, least(loop)[0]) / len(loop.names) * len(columns.names)
    benchmark.extra_info.update(
        peer=kind,
        columns=len(columns.names),
        ours_s=round(ours, 3),
        shared_s=round(shared, 3),
        one_by_one_s=round(alone, 3),
        # Sharing may cost a peer more than it saves.
        times=round(min(shared, alone) / ours, 1),
    )
