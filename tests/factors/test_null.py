"""The command in ``benchmarks`` that grades noise and planted signals, on little data."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr

from alphaseeker.factors.forward_returns import forward_return
from known_factors import SHAPES, Shape, block_of, mid_of, own_past, planted, times

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="hours of rows need compiled kernels"
)
SMALL = {
    "a 1 s grid": Shape(rows=14_400),
    "events": Shape(rows=14_400, step_s=0.9, events=True),
    "1 min bars": Shape(rows=14_400, step_s=60.0),
}


@pytest.fixture(scope="module")
def command():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "factor_null.py"
    spec = importlib.util.spec_from_file_location("factor_null", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("title", SMALL)
def test_noise_is_not_graded_b(command, title):
    said = []
    shapes = {title: SMALL[title]}
    assert command.noise_table(2, said.append, columns=60, shapes=shapes) == []
    assert len(said) == 1 + len(command.KINDS)
    assert all("| 120 |" in line for line in said[1:])


def test_the_price_level_and_its_past_are_not_graded_b(command):
    shapes = {"a 1 s grid": SMALL["a 1 s grid"]}
    assert command.level_table(3, lambda line: None, shapes=shapes) == []
    assert command.past_table(4, lambda line: None, columns=30, shapes=shapes) == []


def test_a_planted_tenth_is_aaa(command):
    said = []
    assert command.planted_table(1, said.append, columns=20) == []
    fast = [line for line in said if "white noise" in line]
    assert sum("| 1 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 100.00% |" in line for line in fast) >= 2


def test_a_figure_that_is_missed_is_told(command, monkeypatch):
    shapes = {"a 1 s grid": SMALL["a 1 s grid"]}
    monkeypatch.setattr(command, "GOOD", list(command.GRADES))
    (first, *_) = command.noise_table(1, lambda line: None, columns=3, shapes=shapes)
    assert first == "noise: a 1 s grid, walk: 100.00% B or better"
    (past,) = command.past_table(1, lambda line: None, columns=2, shapes=shapes)
    assert past == "past: 100.00% of 6 factors B or better"


@pytest.mark.parametrize("kind", ["normal", "heavy", "clustered"])
def test_a_planted_factor_has_the_correlation_that_it_is_said_to_have(kind):
    random = np.random.default_rng(3)
    timestamp = times(random, SMALL["events"])
    mid = mid_of(random, timestamp, kind)
    factor = planted(random, timestamp, mid, 0.3, 60.0, memory=0.5)
    zeros = np.zeros(len(mid), dtype=np.int64)
    returns = forward_return(timestamp, mid, zeros, 60 * 10**9)
    known = np.isfinite(returns)
    assert pearsonr(factor[known], returns[known]).statistic == pytest.approx(0.3, abs=0.05)


def test_shapes_are_what_they_are_called():
    random = np.random.default_rng(4)
    hours = {title: float(np.ptp(times(random, shape))) / 3.6e12 for title, shape in SHAPES.items()}
    assert hours["4 h of a 1 s grid"] == pytest.approx(4, rel=0.01)
    assert hours["16 h of a 1 s grid"] == pytest.approx(16, rel=0.01)
    assert hours["10 h of events, 0.5 s apart"] == pytest.approx(10, rel=0.05)
    assert hours["100 days of 1 min bars"] == pytest.approx(2400, rel=0.01)


def test_what_is_made_of_the_past_knows_nothing_later():
    random = np.random.default_rng(5)
    timestamp = times(random, SMALL["a 1 s grid"])
    mid = mid_of(random, timestamp, "normal")
    whole, cut = own_past(mid, 12), own_past(np.append(mid[:9000], np.full(5400, mid[0])), 12)
    np.testing.assert_array_equal(whole[:9000], cut[:9000])
    block = block_of(timestamp, mid, whole, names=[f"past_{place}" for place in range(12)])
    assert len(block) == 14_400
    assert block.names[0] == "past_0"
