"""The step inside other people's jitted loops, and without the compiler at all."""

import json
import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.layout import feature_vector
from alphaseeker.features.step import feature_step, tick_step

NAMES = [feature.name for feature in FEATURES]


@numba.njit
def users_loop(records, vector, ticks, depth, column):
    """Add up one column over the accepted ticks, as a strategy would read it."""
    total, accepted = 0.0, 0
    for i in range(ticks.shape[0]):
        t = ticks[i]
        verdict = tick_step(
            records,
            vector,
            depth[i],
            t.timestamp,
            t.session,
            t.bid_price,
            t.ask_price,
            t.bid_volume,
            t.ask_volume,
            t.close,
            t.volume,
            t.buy_volume,
            t.sell_volume,
        )
        if 0 <= verdict < 10:
            accepted += 1
            total += vector[column] + records[0].out.book.spread
    return total, accepted


@numba.njit
def users_ungated_loop(records, vector, ticks, depth):
    rec = records[0]
    for i in range(ticks.shape[0]):
        t = ticks[i]
        feature_step(
            rec,
            vector,
            depth[i],
            t.timestamp,
            t.bid_price,
            t.ask_price,
            t.bid_volume,
            t.ask_volume,
            t.close,
            t.volume,
            t.buy_volume,
            t.sell_volume,
            i == 0,
        )


def test_tick_step_in_a_users_loop(deep_walk, everything, run):
    series = deep_walk(1500)
    records = allocate_session(FeatureSettings(**everything))
    vector = feature_vector(records)
    column = NAMES.index("book.imbalance")
    total, accepted = users_loop(records, vector, series.ticks, series.depth, column)
    expected = run(series, **everything).values
    assert accepted == 1500
    sums = expected[:, column].astype(float) + expected[:, NAMES.index("book.spread")]
    assert total == pytest.approx(sums.sum(), rel=1e-9)
    assert vector.tobytes() == expected[-1].tobytes()


def test_feature_step_in_a_users_loop(deep_walk, everything, run):
    series = deep_walk(1500)
    records = allocate_session(FeatureSettings(**everything))
    users_ungated_loop(records, feature_vector(records), series.ticks, series.depth)
    expected = run(series, **everything).values[-1]
    assert feature_vector(records).tobytes() == expected.tobytes()


WITHOUT_COMPILER = """
import json
import sys
import numpy as np
from alphaseeker.features.batch import step_through
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.stream import FeatureStream
from alphaseeker.market.schema import TickSeries

ticks, depth = np.load(sys.argv[1] + "/ticks.npy"), np.load(sys.argv[1] + "/depth.npy")
series = TickSeries(symbol="", ticks=ticks, rows=np.arange(len(ticks)), depth=depth)
settings = FeatureSettings(**json.loads(sys.argv[2]))
values = step_through(series, settings, np.arange(len(FEATURES)))[0]
stream = FeatureStream("", [feature.name for feature in FEATURES], settings)
for row, tick in enumerate(ticks[:200].tolist()):
    got = stream.update(*tick[:-1], depth=depth[row], session=tick[-1])
    assert got.tobytes() == values[row].tobytes()
other = FeatureStream("", stream.names, settings)
other.restore(stream.snapshot())
assert other.features.tobytes() == stream.features.tobytes()
np.save(sys.argv[1] + "/values.npy", values)
"""


def test_without_the_compiler_the_values_are_the_same(deep_walk, everything, run, tmp_path):
    series = deep_walk(1300, interval_s=0.8)
    np.save(tmp_path / "ticks.npy", series.ticks)
    np.save(tmp_path / "depth.npy", series.depth)
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    script = [sys.executable, "-W", "error", "-c", WITHOUT_COMPILER]
    arguments = [str(tmp_path), json.dumps(everything)]
    subprocess.run([*script, *arguments], env=environment, check=True)
    plain, compiled = np.load(tmp_path / "values.npy"), run(series, **everything).values
    known = np.isfinite(compiled)
    assert known[-1].mean() > 0.9
    np.testing.assert_array_equal(np.isnan(plain), ~known)
    # The two may call another libm: the last digits of a logarithm, and of what cancels in it.
    largest = np.where(known, np.abs(compiled), 0.0).max(axis=0)
    allowed = 2e-7 * np.abs(compiled) + 2e-9 * largest
    assert np.all(np.abs(plain - compiled)[known] <= allowed[known])
