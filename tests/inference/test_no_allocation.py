"""The hot path allocates nothing: neither in kernels nor, beyond its answer, in Python."""

import os
import subprocess
import sys

import pytest

TICKS = 200_000  # a leak of one object in a thousand ticks shows

SCRIPT = """
import gc, sys, tracemalloc
import numba, numpy as np, pandas
from numba.core.runtime import rtsys
from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.inference import NO_LEVELS, step
from ticks import quotes

@numba.njit
def replay(state, levels, rows, stamp, count):
    traded = 0
    for i in range(count):
        row = rows[i % rows.shape[0]]
        stamp += 100_000_000
        answer = step(state, levels, stamp, 0, row[0], row[1], row[2], row[3], row[4], row[5],
                      np.nan, np.nan)
        traded += answer.side != 0
    return traded

path, frame, backend, ticks = sys.argv[1:5]
market = pandas.read_parquet(frame)
engine = AlphaSeekerMLEngine(load_config(None, {"BACKEND": backend, "TRADE_WITHOUT_EDGE": True}))
engine.load_model(path)
session = engine.session("SIMULATED")
rows = list(quotes(market))
start = rows[-1][0]
values = np.array([row[1:] for row in rows])
session.update(*rows[0])
counted = []
for turn, count in enumerate((2_000, 2_000, int(ticks))):
    before = rtsys.get_allocation_stats()
    traded = replay(session.state, NO_LEVELS, values, start + turn * 10**15, count)
    counted.append(rtsys.get_allocation_stats().alloc - before.alloc)
# Handing the arrays over allocates a little, once a call.
print(counted[2] - counted[1], traded > 0)

session = engine.session("other")
for row in rows[:2_000]:
    session.update(*row)
gc.collect()
tracemalloc.start()
base = tracemalloc.get_traced_memory()[0]
held = []
for turn in range(4):
    for row in rows[2_000:12_000]:
        session.update(row[0] + (turn + 1) * 10**14, *row[1:])
    gc.collect()
    held.append(tracemalloc.get_traced_memory()[0] - base)
print(max(held) - held[0])
"""


@pytest.mark.parametrize("backend", ["forest", "treelite", "lightgbm"])
def test_memory_stays_as_it_is(trained, market, tmp_path, backend):
    frame = tmp_path / "market.parquet"
    market.to_parquet(frame)
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(trained[0]), str(frame), backend, str(TICKS)],
        capture_output=True,
        text=True,
        timeout=1_800,
        env={**os.environ, "PYTHONPATH": path, "NUMBA_NRT_STATS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kernels, python = done.stdout.strip().splitlines()[-2:]
    assert kernels == "0 True"
    assert int(python) < 2_000  # bytes over 30,000 further ticks
