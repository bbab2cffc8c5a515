"""Long runs do not drift: after a storm, every column is still what its formula makes of it."""

from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import feature_named

STORM, CALM = 150_000, 12_000
# What is 0 where nothing happened within the window.
OF_WINDOWS = {
    "dynamics.spread_z",
    "dynamics.depth_z",
    "dynamics.quote_rate",
    "flow.ofi",
    "flow.bid_up",
    "momentum.return",
    "momentum.zscore",
    "momentum.efficiency",
    "momentum.slope",
    "volatility.realized",
    "trades.volume_z",
    "trades.signed_ratio",
    "trades.vwap_dev",
    "trades.vpin",
    "liquidity.kyle",
    "liquidity.amihud",
    "liquidity.hasbrouck",
    "liquidity.roll",
    "liquidity.effective_spread",
    "liquidity.price_impact",
    "depth.ofi_level2",
    "depth.integrated_ofi",
    "aggressor.signed_ratio",
    "aggressor.cancel_rate",
}


@pytest.fixture(scope="module")
def storm_and_calm(make_series, with_trades, with_depth):
    """Half an hour of huge sizes and moves, then an hour of small ones, with pauses.

    Had sums carried on what the storm left in their last digits, it would now show: the sizes of
    the calm are a billionth of those before.
    """
    rng = np.random.default_rng(21)
    rows = STORM + CALM
    stormy = np.arange(rows) < STORM
    seconds = np.cumsum(np.where(stormy, 0.012, 0.4) * rng.exponential(1.0, rows))
    step = rng.integers(-40, 41, rows) * stormy + (rng.random(rows) < 0.3) * rng.integers(
        -2, 3, rows
    )
    bid = 5_000_000 + np.cumsum(step)
    spread = np.where(stormy, rng.integers(1, 30, rows), rng.integers(1, 3, rows))
    size = np.round(rng.exponential(2.0, (2, rows)) + 0.01, 3) * np.where(stormy, 1e9, 1.0)
    quotes = make_series(seconds, bid / 100, (bid + spread) / 100, *size)
    deep = with_depth(with_trades(quotes), 5)
    ticks = deep.ticks.copy()
    for field in ("volume", "buy_volume", "sell_volume"):
        ticks[field] *= np.where(stormy, 1e9, 1.0)
    deep.depth[stormy, :, 1::2] *= 1e9
    return replace(deep, ticks=ticks)


def test_after_a_storm_every_column_is_still_its_formula(
    storm_and_calm, everything, run, disagreements
):
    chosen = {**everything, "depth_levels": 5, "ofi_weights": {}, "tick_size": 0.01}
    result = run(storm_and_calm, **chosen)
    assert np.unique(result.segments).tolist() == [1]
    # In the storm, as its last bucket leaves the windows one by one, and long after.
    since = storm_and_calm.ticks["timestamp"] - storm_and_calm.ticks["timestamp"][STORM]
    moments = np.searchsorted(since, np.array([0, 7, 32, 62, 302, 310, 905, 912, 2_500]) * 10**9)
    rows = np.concatenate([[STORM // 2], moments, [len(storm_and_calm) - 1]])
    assert disagreements(storm_and_calm, result, rows, FeatureSettings(**chosen)) == []


def test_after_a_storm_a_market_that_stands_still_is_at_zero(storm_and_calm, everything, run):
    """No remainder: where nothing happens for longer than a window, its sums are exactly 0."""
    rows = STORM
    storm = replace(
        storm_and_calm, ticks=storm_and_calm.ticks[:rows], depth=storm_and_calm.depth[:rows]
    )
    still = np.repeat(storm.ticks[-1:], 1_000)
    still["timestamp"] += np.arange(1, 1_001) * 10**9
    for field in ("volume", "buy_volume", "sell_volume"):
        still[field] = 0.0
    series = replace(
        storm,
        ticks=np.concatenate([storm.ticks, still]),
        depth=np.concatenate([storm.depth, np.repeat(storm.depth[-1:], 1_000, axis=0)]),
        rows=np.arange(rows + 1_000),
    )
    result = run(series, **{**everything, "depth_levels": 5, "ofi_weights": {}})
    left = {}
    for name, value in zip(result.names, result.values[-1].tolist(), strict=True):
        feature = feature_named(name)
        if f"{feature.family}.{feature.signal}" in OF_WINDOWS:
            left[name] = value
    assert len(left) > 80
    assert {name: value for name, value in left.items() if value != 0.0} == {}
