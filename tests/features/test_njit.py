"""The step inside other people's jitted loops, and without the compiler at all."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.layout import allocate_session, feature_vector
from alphaseeker.features.step import feature_step, tick_step

SETTINGS = FeatureSettings(tick_size=0.01)
NAMES = [feature.name for feature in FEATURES]


@numba.njit
def users_loop(records, vector, ticks, column):
    """Add up one column over the accepted ticks, as a strategy would read it."""
    total, accepted = 0.0, 0
    for i in range(ticks.shape[0]):
        t = ticks[i]
        verdict = tick_step(
            records,
            vector,
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
def users_ungated_loop(records, vector, ticks):
    rec = records[0]
    for i in range(ticks.shape[0]):
        t = ticks[i]
        feature_step(
            rec,
            vector,
            t.timestamp,
            t.bid_price,
            t.ask_price,
            t.bid_volume,
            t.ask_volume,
            t.close,
            i == 0,
        )


def test_tick_step_in_a_users_loop(walk, run):
    series = walk(1500)
    records = allocate_session(SETTINGS)
    vector = feature_vector(records)
    column = NAMES.index("book.imbalance")
    total, accepted = users_loop(records, vector, series.ticks, column)
    expected = run(series).values
    assert accepted == 1500
    sums = expected[:, column].astype(float) + expected[:, NAMES.index("book.spread")]
    assert total == pytest.approx(sums.sum(), rel=1e-9)
    assert vector.tobytes() == expected[-1].tobytes()


def test_feature_step_in_a_users_loop(walk, run):
    series = walk(1500)
    records = allocate_session(SETTINGS)
    users_ungated_loop(records, feature_vector(records), series.ticks)
    assert feature_vector(records).tobytes() == run(series).values[-1].tobytes()


WITHOUT_COMPILER = """
import sys
import numpy as np
from alphaseeker.features.batch import step_through
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.stream import FeatureStream
from alphaseeker.market.schema import TickSeries

ticks = np.load(sys.argv[1])
series = TickSeries(symbol="", ticks=ticks, rows=np.arange(len(ticks)))
settings = FeatureSettings(tick_size=0.01)
values = step_through(series, settings, np.arange(len(FEATURES)))[0]
stream = FeatureStream("", [feature.name for feature in FEATURES], settings)
for row, tick in enumerate(ticks[:200].tolist()):
    assert stream.update(*tick[:-1], session=tick[-1]).tobytes() == values[row].tobytes()
other = FeatureStream("", stream.names, settings)
other.restore(stream.snapshot())
assert other.features.tobytes() == stream.features.tobytes()
np.save(sys.argv[2], values)
"""


def test_without_the_compiler_the_values_are_the_same(walk, run, tmp_path):
    series = walk(1300, interval_s=0.8)
    ticks, values = tmp_path / "ticks.npy", tmp_path / "values.npy"
    np.save(ticks, series.ticks)
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-W", "error", "-c", WITHOUT_COMPILER, str(ticks), str(values)]
    subprocess.run(command, env=environment, check=True)
    plain, compiled = np.load(values), run(series).values
    assert np.isfinite(compiled[-1]).all()
    np.testing.assert_array_equal(np.isnan(plain), np.isnan(compiled))
    # The two may call another libm: one step of float32 is allowed.
    steps = np.abs(plain.view(np.int32).astype(np.int64) - compiled.view(np.int32))
    assert steps.max() <= 1
