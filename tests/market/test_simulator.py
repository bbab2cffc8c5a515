"""SIMULATED data: clean, realistic, repeatable, and predictable by exactly the stated strength."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest

from alphaseeker.errors import ConfigError
from alphaseeker.market.quality import judge_series
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.simulator import HORIZON_S, simulate, simulate_frame, simulate_market

compiled = pytest.mark.skipif(
    bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="long simulations need the compiled kernels"
)
both_modes = pytest.mark.parametrize("mode", ["grid", "events"])


def mid_of(ticks):
    return 0.5 * (ticks["bid_price"] + ticks["ask_price"])


def forward_returns(ticks, every_s):
    """Indices of the ticks that stand at regular times, and the 60 s mid return from each."""
    seconds = (ticks["timestamp"] - ticks["timestamp"][0]) / 1e9
    times = np.arange(0.0, seconds[-1] - HORIZON_S, every_s)
    now = np.searchsorted(seconds, times, "right") - 1
    then = np.searchsorted(seconds, times + HORIZON_S, "right") - 1
    mid = mid_of(ticks)
    return now, mid[then] / mid[now] - 1.0


def pooled_correlation(strength, mode, observed=None, seeds=24, rows=60_000):
    """Correlation over all seeds, its jackknife standard error, the seeds being the blocks."""
    sums = []
    for seed in range(seeds):
        market = simulate_market(rows, seed=seed, signal_strength=strength, mode=mode)
        now, returns = forward_returns(market.series.ticks, 5.0)
        signal = market.signal if observed is None else observed(market.series.ticks)
        x = signal[now]
        sums.append(((x * returns).sum(), (x * x).sum(), (returns * returns).sum()))
    sums = np.array(sums)

    def correlation(rows):
        product, square, other = rows.sum(axis=0)
        return product / np.sqrt(square * other)

    left_out = [correlation(np.delete(sums, i, axis=0)) for i in range(seeds)]
    error = np.sqrt((seeds - 1) * np.var(left_out))
    return correlation(sums), error


@compiled
@both_modes
@pytest.mark.parametrize("strength", [0.0, 0.1, 0.3, 0.5])
def test_signal_leads_the_mid_by_the_stated_strength(strength, mode):
    measured, error = pooled_correlation(strength, mode)
    assert error < 0.03
    assert abs(measured - strength) < 3.0 * error


def imbalance(ticks):
    return np.log(ticks["bid_volume"] / ticks["ask_volume"])


@compiled
def test_queues_show_the_signal_and_lead_the_mid_only_with_it():
    strong, error = pooled_correlation(0.3, "grid", imbalance)
    assert 0.3 > strong > 0.1 + 3.0 * error
    none, error = pooled_correlation(0.0, "grid", imbalance)
    assert abs(none) < 3.0 * error


@compiled
def test_spread_and_past_returns_say_nothing_without_a_signal():
    def last_move(ticks):
        return np.diff(mid_of(ticks), prepend=ticks["bid_price"][0])

    def spread(ticks):
        width = ticks["ask_price"] - ticks["bid_price"]
        return width - width.mean()

    for observed in (last_move, spread):
        measured, error = pooled_correlation(0.0, "grid", observed)
        assert abs(measured) < 3.0 * error


@both_modes
@pytest.mark.parametrize("strength", [0.0, 0.1, 0.3])
@pytest.mark.parametrize(("tick_size", "price"), [(0.01, 100.0), (0.1, 60_000.0), (0.0005, 2.0)])
def test_the_gate_accepts_every_row(mode, strength, tick_size, price):
    series = simulate(
        2000,
        seed=5,
        mode=mode,
        signal_strength=strength,
        tick_size=tick_size,
        start_price=price,
    )
    _, report = judge_series(series, max_gap_s=900.0, max_jump=0.2)
    assert report.verdicts == {"ACCEPTED": 1999, "NEW_SESSION": 1}
    assert not report.cumulative_volume


@compiled
@both_modes
def test_the_gate_accepts_a_long_simulation(mode):
    series = simulate(300_000, seed=1, mode=mode)
    _, report = judge_series(series, max_gap_s=900.0, max_jump=0.2)
    assert report.verdicts == {"ACCEPTED": 299_999, "NEW_SESSION": 1}
    assert report.warnings() == ()


@compiled
@both_modes
def test_quotes_and_trades_look_like_a_market(mode):
    ticks = simulate(100_000, seed=2, mode=mode).ticks
    spread = np.round((ticks["ask_price"] - ticks["bid_price"]) / 0.01)
    np.testing.assert_allclose(spread * 0.01, ticks["ask_price"] - ticks["bid_price"], atol=1e-9)
    assert spread.min() == 1
    assert 0.75 < np.mean(spread == 1) < 0.97
    # Volatility clusters: squared returns of ten minutes remember those before.
    _, returns = forward_returns(ticks, HORIZON_S)
    squares = returns**2
    assert np.corrcoef(squares[:-1], squares[1:])[0, 1] > 0.1
    # Sizes are autocorrelated and positive.
    size = np.log(ticks["bid_volume"])
    assert np.corrcoef(size[:-1], size[1:])[0, 1] > 0.3
    # Trades hit the quotes of the row before, and their signs persist.
    traded = np.flatnonzero(ticks["volume"] > 0.0)
    before = traded - 1
    at_bid = ticks["close"][traded] == ticks["bid_price"][before]
    at_ask = ticks["close"][traded] == ticks["ask_price"][before]
    assert np.all(at_bid ^ at_ask)
    flow = (ticks["buy_volume"] - ticks["sell_volume"])[traded]
    assert np.mean(flow[1:] * flow[:-1] > 0.0) > 0.52
    total = ticks["buy_volume"] + ticks["sell_volume"]
    np.testing.assert_allclose(ticks["volume"], total, atol=1e-9)
    if mode == "grid":
        assert np.all(np.diff(ticks["timestamp"]) == 1_000_000_000)
    else:
        assert 0.02 < np.mean(np.diff(ticks["timestamp"]) == 0) < 0.1
        one_sided = (ticks["buy_volume"] == 0.0) | (ticks["sell_volume"] == 0.0)
        assert np.all(one_sided)


@compiled
def test_flow_persistence_is_known():
    market = simulate_market(200_000, seed=3)
    assert market.signal_strength == 0.1
    assert market.signal.var() == pytest.approx(1.0, abs=0.1)
    assert np.corrcoef(market.signal[:-60], market.signal[60:])[0, 1] == pytest.approx(0.5, abs=0.1)


@both_modes
def test_a_seed_means_the_same_market(mode):
    first, again = simulate(500, seed=9, mode=mode), simulate(500, seed=9, mode=mode)
    assert first.ticks.tobytes() == again.ticks.tobytes()
    assert first.ticks.tobytes() != simulate(500, seed=10, mode=mode).ticks.tobytes()


def test_the_market_of_a_seed_does_not_change_between_platforms():
    ticks = simulate(200, seed=0).ticks
    whole = np.round(np.stack([ticks["bid_price"], ticks["ask_price"]]) * 100).astype("<i8")
    assert hashlib.sha256(whole.tobytes()).hexdigest()[:16] == "679a011bad44ce31"


@compiled
def test_a_cheap_coarse_instrument_never_reaches_zero():
    ticks = simulate(300_000, seed=4, tick_size=0.01, start_price=1.0, signal_strength=0.0).ticks
    assert ticks["bid_price"].min() > 0.0
    _, report = judge_series(
        simulate(1000, seed=4, tick_size=0.01, start_price=1.0, signal_strength=0.0),
        max_gap_s=900.0,
        max_jump=0.2,
    )
    assert report.refused == 0


def test_everything_says_that_it_is_simulated():
    assert simulate(3, seed=0).symbol == "SIMULATED"
    assert simulate(3, seed=0, symbol="BTCUSDT").symbol == "SIMULATED_BTCUSDT"
    assert simulate(3, seed=0, symbol="SIMULATED2").symbol == "SIMULATED2"
    frame = simulate_frame(3, seed=0, symbol="X")
    assert frame.attrs["simulated"] is True
    assert set(frame["symbol"]) == {"SIMULATED_X"}
    assert set(frame["session"]) == {"SIMULATED"}


def test_frame_holds_the_ticks_in_the_file_schema():
    start_ns = 1_600_000_000_000_000_000
    frame = simulate_frame(50, seed=6, mode="events", start_ns=start_ns)
    ticks = simulate(50, seed=6, mode="events", start_ns=start_ns).ticks
    assert list(frame.columns) == [
        "timestamp",
        "symbol",
        "session",
        "bid_price",
        "ask_price",
        "bid_volume",
        "ask_volume",
        "close",
        "volume",
        "buy_volume",
        "sell_volume",
    ]
    assert str(frame["timestamp"].dtype) == "datetime64[ns]"
    assert frame["timestamp"].astype("int64").iloc[0] == start_ns
    np.testing.assert_array_equal(frame["timestamp"].astype("int64"), ticks["timestamp"])
    np.testing.assert_array_equal(frame["ask_volume"], ticks["ask_volume"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "rows is 0; it must be a whole number from 1 up"),
        ({"rows": 1.5}, "rows is 1.5"),
        ({"seed": -1}, "seed is -1"),
        ({"signal_strength": 0.6}, "signal_strength is 0.6; it must be 0 to 0.5"),
        ({"signal_strength": float("nan")}, "signal_strength is nan"),
        ({"mode": "ticks"}, "mode is 'ticks'; it must be 'grid' or 'events'"),
        ({"tick_size": 0.0}, "tick_size is 0.0"),
        ({"start_price": 0.5}, "start_price is 0.5; it must be at least 100 ticks"),
        ({"start_ns": 0}, "start_ns is 0"),
        ({"depth_levels": 1}, "depth_levels is 1; it must be 0, or a whole number from 2 to 10"),
        ({"depth_levels": 11}, "depth_levels is 11"),
        ({"depth_levels": 2.0}, "depth_levels is 2.0"),
        ({"tick_size": 0.1, "signal_strength": 0.3}, "on a tick of 0.001 of the price"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    with pytest.raises(ConfigError, match=message):
        simulate(**({"rows": 10, "seed": 0} | change))


@both_modes
def test_depth_stands_behind_the_quotes_of_the_same_ticks(mode):
    plain, deep = (simulate(2_000, seed=9, mode=mode, depth_levels=n) for n in (0, 10))
    assert plain.depth is None
    assert deep.ticks.tobytes() == plain.ticks.tobytes()
    depth = deep.depth
    assert depth.shape == (2_000, 10, 4)
    for column, name in enumerate(("bid_price", "bid_volume", "ask_price", "ask_volume")):
        np.testing.assert_array_equal(depth[:, 0, column], deep.ticks[name])
    bid_steps, ask_steps = -np.diff(depth[:, :, 0]), np.diff(depth[:, :, 2])
    for steps in (bid_steps, ask_steps):
        assert steps.min() == pytest.approx(0.01)
        assert 0.02 < np.mean(steps > 0.015) < 0.25  # holes
    assert depth[:, :, 1::2].min() > 0.0
    again = simulate(2_000, seed=9, mode=mode, depth_levels=10).depth
    assert again.tobytes() == depth.tobytes()
    # Nothing is left for the quality gate to mend.
    _, report = judge_series(deep, max_gap_s=900.0, max_jump=0.2)
    assert (report.depth_unsorted, report.depth_duplicated) == (0, 0)


@compiled
def test_sizes_behind_the_touch_lean_with_the_signal_less_and_less():
    market = simulate_market(50_000, seed=2, signal_strength=0.3, depth_levels=4)
    depth = market.series.depth
    leans = np.log(depth[:, 1:, 1] / depth[:, 1:, 3])
    known = [np.corrcoef(leans[:, level], market.signal)[0, 1] for level in range(3)]
    assert known[0] > known[1] > known[2] > 0.02


def test_no_bid_stands_at_zero():
    series = simulate(
        50_000, seed=4, tick_size=0.01, start_price=1.0, signal_strength=0.0, depth_levels=10
    )
    # Levels that would stand below the smallest price are absent, price and size.
    prices, sizes = series.depth[:, :, 0], series.depth[:, :, 1]
    assert not (prices <= 0.0).any()
    np.testing.assert_array_equal(np.isnan(prices), np.isnan(sizes))


def test_a_frame_with_depth_reads_as_it_was():
    frame = simulate_frame(60, seed=6, depth_levels=3)
    series = read_ticks(frame)[0]
    np.testing.assert_array_equal(series.depth, simulate(60, seed=6, depth_levels=3).depth)


def test_single_row():
    ticks = simulate(1, seed=0).ticks
    assert ticks["volume"][0] == 0.0
    assert ticks["close"][0] == mid_of(ticks)[0]
