import numpy as np
import pytest
from scipy.signal import lfilter

from alphaseeker.factors.autocorrelation import SAMPLED_PAIRS, lagged_rows, rank_autocorrelation
from alphaseeker.factors.forward_returns import prevailing_row
from alphaseeker.factors.panel import panel_of
from oracles import factor_statistics as oracle

SECOND = 10**9


def market(random, rows, *, events):
    steps = random.exponential(1.0, rows) if events else np.ones(rows)
    timestamp = (np.cumsum(steps) * SECOND).astype(np.int64)
    return timestamp, np.repeat(np.arange(3), -(-rows // 3))[:rows]


def pairs_of(make_block, timestamp, segment, horizon_s, most=SAMPLED_PAIRS):
    rows = len(timestamp)
    block = make_block({"none": np.ones(rows)}, np.ones(rows), timestamp=timestamp, segment=segment)
    panel = panel_of(block, horizons_s=[float(horizon_s)], blocks=4)
    return lagged_rows(timestamp, panel.segments, panel.coarse[0], horizon_s * SECOND, most)


@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("horizon_s", [1, 7])
def test_equals_the_definition(make_block, events, horizon_s):
    random = np.random.default_rng(3)
    timestamp, segment = market(random, 240, events=events)
    factors = {
        "slow": np.cumsum(random.standard_normal(240)),
        "tied": random.integers(0, 3, 240).astype(float),
        "laden": np.where(random.random(240) < 0.3, np.nan, np.cumsum(random.random(240))),
        "infinite": np.where(random.random(240) < 0.1, np.inf, random.random(240)),
        "constant": np.full(240, 2.0),
        "never": np.full(240, np.nan),
    }
    pairs = pairs_of(make_block, timestamp, segment, horizon_s)
    for factor in factors.values():
        wanted = oracle.rank_autocorrelation(factor, timestamp, segment, horizon_s * SECOND)
        assert rank_autocorrelation(factor, *pairs) == pytest.approx(wanted, abs=1e-12)


def test_memory_of_an_autoregression_is_found_by_time(make_block):
    random = np.random.default_rng(8)
    rows, memory = 60_000, 0.98
    values = lfilter([1.0], [1.0, -memory], random.standard_normal(rows)).astype(np.float32)
    for step_s, horizon_s in ((1, 10), (5, 50)):
        timestamp = np.arange(rows) * step_s * SECOND
        pairs = pairs_of(make_block, timestamp, np.zeros(rows, dtype=np.int64), horizon_s)
        found = rank_autocorrelation(values, *pairs)
        # Of normal data Spearman's correlation is 6 / pi arcsin(r / 2).
        wanted = 6.0 / np.pi * np.arcsin(memory**10 / 2.0)
        assert found == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize("horizon_s", [1, 3, 40, 1000])
@pytest.mark.parametrize("events", [False, True])
def test_the_sample_is_even_and_never_leaves_the_pairs(make_block, events, horizon_s):
    timestamp, segment = market(np.random.default_rng(4), 1000, events=events)
    timestamp = np.delete(timestamp, np.s_[100:900:7])  # holes in the grid
    segment = np.delete(segment, np.s_[100:900:7])
    later = prevailing_row(timestamp, segment, horizon_s * SECOND)
    usable = np.flatnonzero(later >= 0)
    assert (len(usable) == 0) == (horizon_s == 1000)
    for most in (7, 100, 5000):
        rows, after = pairs_of(make_block, timestamp, segment, horizon_s, most)
        step = max(-(-len(usable) // most), 1)
        assert np.array_equal(rows, usable[::step])
        assert np.array_equal(after, later[rows])
    if horizon_s == 1000:
        assert rank_autocorrelation(np.arange(900.0), rows, after) == 0.0
