"""A processor without wide registers computes lanes in several instructions, to the same bits."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from alphaseeker.features.batch import step_through
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.market.schema import TickSeries

CODE = """
import sys
import numpy as np
from numba.core.registry import cpu_target
from alphaseeker.features.batch import step_through
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.market.schema import TickSeries

_, name, features = cpu_target.target_context.codegen().magic_tuple()
assert (name, features) == ("generic", ""), "the compiler took another processor"
ticks, depth = np.load(sys.argv[1]), np.load(sys.argv[2])
series = TickSeries(symbol="", ticks=ticks, rows=np.arange(len(ticks)), depth=depth)
settings = FeatureSettings(tick_size=0.01, aggressor=True, depth_levels=depth.shape[1])
np.save(sys.argv[3], step_through(series, settings, np.arange(len(FEATURES)))[0])
"""


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_narrow_registers_give_the_same_bits(deep_walk, tmp_path):
    series = deep_walk(4_000, missing=0.02)
    series = TickSeries(
        symbol="", ticks=series.ticks, rows=np.arange(len(series)), depth=series.depth
    )
    files = [str(tmp_path / name) for name in ("ticks.npy", "depth.npy", "values.npy")]
    np.save(files[0], series.ticks)
    np.save(files[1], series.depth)
    subprocess.run(
        [sys.executable, "-c", CODE, *files],
        env={
            **os.environ,
            "NUMBA_CPU_NAME": "generic",
            "NUMBA_CPU_FEATURES": "",
            "ALPHASEEKER_CACHE_DIR": str(tmp_path / "cache"),
        },
        check=True,
        timeout=1_800,
    )
    settings = FeatureSettings(tick_size=0.01, aggressor=True, depth_levels=series.depth.shape[1])
    here = step_through(series, settings, np.arange(len(FEATURES)))[0]
    there = np.load(files[2])
    assert np.isfinite(here[-1]).mean() > 0.8
    np.testing.assert_array_equal(there.view(np.int32), here.view(np.int32))
