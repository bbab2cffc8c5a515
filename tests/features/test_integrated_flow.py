"""Flow by level from its formula, and its first principal component on flows of a known make."""

import math

import numpy as np
import pytest

from alphaseeker.features.integrated_flow import (
    MIN_BUCKETS,
    fit_integrated_weights,
    level_flows,
)
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.schema import TickSeries

NAN = math.nan
LEVELS = 4


def with_depth(series, depth):
    return TickSeries(symbol=series.symbol, ticks=series.ticks, rows=series.rows, depth=depth)


def rows_of(series, rows):
    return TickSeries(
        symbol=series.symbol,
        ticks=series.ticks[rows],
        rows=series.rows[rows],
        depth=series.depth[rows],
    )


@pytest.fixture
def deep(walk):
    """Return a function: quotes with levels below them that come, go and change their size."""

    def make(rows=1500, seed=0, **fields):
        series = walk(rows, seed=seed, **fields)
        rng = np.random.default_rng(seed + 100)
        depth = np.empty((rows, LEVELS, 4))
        steps = np.cumsum(rng.integers(1, 3, (rows, LEVELS, 2)), axis=1) * 0.01
        depth[:, :, 0] = series.ticks["bid_price"][:, None] - steps[:, :, 0]
        depth[:, :, 2] = series.ticks["ask_price"][:, None] + steps[:, :, 1]
        depth[:, :, 1::2] = rng.exponential(3.0, (rows, LEVELS, 2))
        for side in (0, 2):
            last = rng.integers(2, LEVELS + 1, rows)
            missing = np.arange(LEVELS) >= last[:, None]
            depth[missing, side] = depth[missing, side + 1] = NAN
        return with_depth(series, depth)

    return make


def flow(before, now):
    """Return e of one level: (bid, bid size, ask, ask size) before and now."""
    if any(math.isnan(number) for number in (*before, *now)):
        return 0.0
    b0, B0, a0, A0 = before
    b, B, a, A = now
    return (b >= b0) * B - (b <= b0) * B0 - (a <= a0) * A + (a >= a0) * A0


def flows_by_hand(series, levels):
    ticks = series.ticks
    out = np.zeros((len(ticks), levels))
    for i in range(1, len(ticks)):
        later = ticks["timestamp"][i] - ticks["timestamp"][i - 1]
        if ticks["session"][i] != ticks["session"][i - 1] or later > 900 * 10**9:
            continue
        for level in range(levels):
            before, now = (
                [
                    float(ticks[name][row])
                    for name in ("bid_price", "bid_volume", "ask_price", "ask_volume")
                ]
                if level == 0
                else series.depth[row, level].tolist()
                for row in (i - 1, i)
            )
            out[i, level] = flow(before, now)
    return out


def weights_by_hand(series, levels, bucket_s=1.0):
    """Return the leading eigenvector of the covariance of the sums, bucket after bucket."""
    flows = flows_by_hand(series, levels)
    sums = {}
    for tick, row in zip(series.ticks, flows, strict=True):
        key = (int(tick["session"]), int(tick["timestamp"]) // round(bucket_s * 1e9))
        sums[key] = sums.get(key, 0.0) + row
    vector = np.linalg.eigh(np.cov(np.array(list(sums.values())).T))[1][:, -1]
    return vector / np.abs(vector).sum() * np.sign(vector.sum())


# ---- flow by level ------------------------------------------------------------------------------


def test_flow_of_the_touch_and_of_a_level_below(make_series):
    # Cont, Kukanov & Stoikov (2014), worked by hand.
    quotes = np.array([(100, 5, 101, 4), (100, 7, 101, 4), (101, 3, 102, 6), (101, 3, 102, 2)])
    quotes = np.vstack([quotes, (100, 8, 102, 2)]).astype(float)
    b, B, a, A = quotes.T
    series = make_series(np.arange(5), b, a, B, A)
    depth = np.full((5, 2, 4), 77.0)  # level 1 of the depth is not read
    depth[:, 1] = quotes[::-1]
    found = level_flows(with_depth(series, depth), 2)
    assert found[:, 0].tolist() == [0, 2, 7, 4, -3]
    assert found[:, 1].tolist() == [0, 3, -4, -7, -2]


def test_flow_of_every_level_is_its_formula(deep):
    session = np.arange(1500) // 400
    series = deep(session=session)
    series.ticks["timestamp"][700:] += 901 * 10**9
    found = level_flows(series, LEVELS)
    np.testing.assert_allclose(found, flows_by_hand(series, LEVELS), rtol=0, atol=1e-12)
    assert (found[[0, 400, 700, 800, 1200]] == 0).all()
    assert (found != 0).mean(axis=0)[[0, 1]].min() > 0.7
    assert 0.0 < (found[:, 3] != 0).mean() < 0.5


def test_a_level_missing_now_or_before_has_no_flow(make_series):
    series = make_series(np.arange(6), 10.0, 10.1)
    depth = np.tile([9.9, 1.0, 10.2, 1.0], (6, 3, 1))
    depth[:, 1, 1] = [1, 2, 4, 8, 16, 32]
    depth[2, 1, 2:] = NAN
    depth[:, 2] = NAN
    found = level_flows(with_depth(series, depth), 5)
    assert found[:, 1].tolist() == [0, 1, 0, 0, 8, 16]
    assert (found[:, [0, 2, 3, 4]] == 0).all()
    assert level_flows(series, 3).shape == (6, 3)


# ---- the weights --------------------------------------------------------------------------------


@pytest.mark.parametrize("bucket_s", [1.0, 5.0])
def test_weights_are_the_first_principal_component(deep, bucket_s):
    series = deep(session=np.arange(1500) // 400)
    found = fit_integrated_weights([series], LEVELS, bucket_s)
    expected = weights_by_hand(series, LEVELS, bucket_s)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert np.abs(found).sum() == pytest.approx(1.0)
    assert sum(found) > 0.0


@pytest.mark.parametrize("loadings", [(0.4, 0.3, 0.2, 0.1), (0.1, 0.5, 0.3, -0.1), (0, 0, 1, 0)])
def test_a_planted_factor_gives_back_its_loadings(make_series, loadings):
    rng = np.random.default_rng(11)
    factor = rng.normal(0.0, 1.0, 4000)
    flows = np.outer(factor, loadings) + rng.normal(0.0, 0.02, (4000, LEVELS))
    # Prices stand still, so that the flow of a level is the change of its bid size.
    bids = 1000.0 + np.cumsum(flows, axis=0)
    series = make_series(np.arange(4000) * 0.25, 10.0, 10.1, bids[:, 0], 1000.0)
    depth = np.empty((4000, LEVELS, 4))
    depth[:, :, 0], depth[:, :, 2] = 10.0 - 0.1 * np.arange(4), 10.1 + 0.1 * np.arange(4)
    depth[:, :, 1], depth[:, :, 3] = bids, 1000.0
    found = fit_integrated_weights([with_depth(series, depth)], LEVELS, 1.0)
    np.testing.assert_allclose(found, np.divide(loadings, np.abs(loadings).sum()), atol=0.01)


def test_no_sum_crosses_a_session(deep):
    first, second = deep(seed=1), deep(seed=2)
    second.ticks["timestamp"] += first.ticks["timestamp"][-1] - second.ticks["timestamp"][0]
    ticks = np.concatenate([first.ticks, second.ticks])
    depth = np.concatenate([first.depth, second.depth])
    rows = np.arange(len(ticks))
    across = fit_integrated_weights(
        [TickSeries(symbol="", ticks=ticks, rows=rows, depth=depth)], 4, 1.0
    )
    ticks["session"][1500:] = 1
    series = TickSeries(symbol="", ticks=ticks, rows=rows, depth=depth)
    apart = fit_integrated_weights([series], LEVELS, 1.0)
    np.testing.assert_allclose(apart, weights_by_hand(series, LEVELS), rtol=1e-10)
    assert np.abs(np.subtract(across, apart)).max() > 1e-6


def test_instruments_of_other_sizes_count_alike(deep):
    first, second = deep(seed=1), deep(seed=2)
    expected = fit_integrated_weights([first, second], LEVELS, 1.0)
    for name in ("bid_volume", "ask_volume"):
        second.ticks[name] *= 1e4
    second.depth[:, :, 1::2] *= 1e4
    found = fit_integrated_weights([first, second], LEVELS, 1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert np.abs(np.subtract(found, fit_integrated_weights([second], LEVELS, 1.0))).max() > 1e-4


def test_missing_levels_have_no_weight_and_broken_rows_do_no_harm(deep):
    series = deep()
    series.depth[:, 2:] = NAN
    found = fit_integrated_weights([series], LEVELS, 1.0)
    assert found[2:] == (0.0, 0.0)
    expected = weights_by_hand(series, 2)
    np.testing.assert_allclose(found[:2], expected, rtol=1e-10)
    series.ticks["bid_volume"][700] = NAN
    series.depth[700] = NAN
    np.testing.assert_allclose(fit_integrated_weights([series], 2, 1.0), expected, atol=0.01)
    everything = rows_of(series, np.full(300, 700))
    assert fit_integrated_weights([everything], 2, 1.0) is None


def test_too_little_data_gives_no_weights(make_series):
    sizes = np.random.default_rng(12).uniform(1, 9, MIN_BUCKETS)
    series = make_series(np.arange(MIN_BUCKETS), 10.0, 10.1, sizes)
    assert fit_integrated_weights([series], 1, 1.0) == (1.0,)
    fewer = TickSeries(symbol="", ticks=series.ticks[1:], rows=series.rows[1:])
    assert fit_integrated_weights([fewer], 1, 1.0) is None
    assert fit_integrated_weights([fewer, fewer], 1, 1.0) == (1.0,)
    assert fit_integrated_weights([], 2, 1.0) is None
    assert (
        fit_integrated_weights([rows_of(with_depth(series, np.zeros((100, 1, 4))), [])], 2, 1.0)
        is None
    )
    still = make_series(np.arange(MIN_BUCKETS), 10.0, 10.1)
    assert fit_integrated_weights([still], 2, 1.0) is None


@pytest.mark.parametrize(
    ("name", "levels"), [("usdm_BTCUSDT_100ms_depth10", 10), ("spot_NEXOUSDT_1s", 5)]
)
def test_all_levels_of_a_capture_flow_together(captures, name, levels):
    (series,) = read_ticks(captures / f"{name}.parquet")
    rows = np.arange(min(len(series), 20_000))
    found = fit_integrated_weights([rows_of(series, rows)], levels, 1.0)
    assert min(found) > 0.0
    np.testing.assert_allclose(found, weights_by_hand(rows_of(series, rows), levels), rtol=1e-6)
