"""Every column against its formula, on real captures and on markets made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES

LONGEST, OTHERS = 2, 4  # segments of a capture that are looked at
ROWS = 12  # of a segment, at random
MINUTE_S = 60.0


def readiness(history, bucket_s):
    """Return the last row without each history that a column needs, and the first one with it."""
    needed = sorted({feature.history_buckets(bucket_s) for feature in FEATURES} - {None})
    ready = np.searchsorted(history, needed)
    return np.concatenate([ready - 1, ready])


def sampled(rows, count):
    return np.unique(rows[(rows >= 0) & (rows < count)])


def pieces_of(capture, rng):
    """Yield the longest segments and some others, each as ticks and what was computed of them."""
    every = [
        (series, run, run.accepted & (run.segments == segment))
        for series, run in zip(capture.series, capture.runs, strict=True)
        for segment in np.unique(run.segments[run.accepted])
    ]
    every.sort(key=lambda piece: -piece[2].sum())
    yield from every[:LONGEST]
    rest = every[LONGEST:]
    yield from (rest[index] for index in rng.permutation(len(rest))[:OTHERS])


def test_every_column_of_the_captures_is_its_formula(capture, rows_of, disagreements):
    rng = np.random.default_rng(7)
    bucket_s = capture.settings.bucket_s
    for series, run, inside in pieces_of(capture, rng):
        piece = run._replace(**{name: getattr(run, name)[inside] for name in run._fields[:-1]})
        count = int(inside.sum())
        chance = np.concatenate([np.arange(3), rng.integers(0, count, ROWS), [count - 1]])
        rows = sampled(np.concatenate([chance, readiness(piece.history, bucket_s)]), count)
        assert disagreements(rows_of(series, inside), piece, rows, capture.settings) == []


def test_every_column_is_its_formula_where_sides_and_depth_are_left_aside(
    plain_capture, rows_of, disagreements
):
    rng = np.random.default_rng(8)
    settings = plain_capture.settings
    series, run, inside = next(pieces_of(plain_capture, rng))
    piece = run._replace(**{name: getattr(run, name)[inside] for name in run._fields[:-1]})
    count = int(inside.sum())
    assert not any(name.startswith(("depth.", "aggressor.")) for name in piece.names)
    # Within the history of most columns, where a row costs the oracle little.
    rows = sampled(
        np.concatenate([rng.integers(0, min(count, 20_000), 2 * ROWS), [count - 1]]), count
    )
    assert disagreements(rows_of(series, inside), piece, rows, settings) == []


# ---- markets made by hand -----------------------------------------------------------------------


def quiet(make_series):
    """Nothing moves but the sizes."""
    rng = np.random.default_rng(1)
    size = rng.integers(1, 9, (2, 400)).astype(float)
    return make_series(np.arange(400) * 0.9, 9.99, 10.01, *size)


def frozen(make_series):
    """Nothing moves at all."""
    return make_series(np.arange(400) + 0.3, 9.99, 10.01)


def wider_and_back(make_series):
    """The spread opens and closes around one mid, whose float differs in the last bit."""
    wide = np.arange(400) % 3 == 0
    return make_series(np.arange(400), np.where(wide, 0.7, 0.8), np.where(wide, 1.0, 0.9))


def locked(make_series):
    """Bid equals ask, and the last trade stands below, on and above it."""
    rows = np.arange(400)
    price = 10.0 + rows // 40 * 0.01
    return make_series(rows, price, price, close=price + (rows % 3 - 1) * 0.01)


def one_sided(make_series):
    """The price rises by a tick a second for five minutes, then falls."""
    rows = np.arange(700)
    price = np.where(rows < 350, 10_000 + rows, 10_700 - rows) / 100
    return make_series(rows, price, price + 0.01)


def gaps(make_series):
    """Half of the ticks follow after one to two hundred empty buckets."""
    rng = np.random.default_rng(2)
    seconds = np.cumsum(np.where(rng.random(300) < 0.5, 0.3, rng.integers(1, 200, 300)))
    bid = 10_000 + np.cumsum(rng.integers(-2, 3, 300))
    return make_series(seconds, bid / 100, bid / 100 + 0.02)


def burst(make_series):
    """Fifty ticks of one time stamp each second."""
    rng = np.random.default_rng(3)
    bid = 10_000 + np.cumsum(rng.integers(-1, 2, 2000))
    return make_series(np.arange(2000) // 50, bid / 100, bid / 100 + 0.01, rng.random(2000) + 0.1)


def flicker(make_series):
    """The mid leaves one price for one second in twenty-three, and nothing else ever happens."""
    rows = np.arange(1400)
    away = rows % 23 == 11
    return make_series(rows, np.where(away, 10.01, 10.0), np.where(away, 10.03, 10.02))


def coarse(make_series):
    """Ticks a minute apart, in buckets of a minute."""
    rng = np.random.default_rng(4)
    bid = 10_000 + np.cumsum(rng.integers(-2, 3, 300))
    return make_series(np.arange(300) * 60.0 + 59, bid / 100, bid / 100 + 0.01)


MARKETS = (quiet, frozen, wider_and_back, locked, one_sided, gaps, burst, flicker, coarse)


def nobody(series):
    """Nobody trades, and what is known of sides says so."""
    ticks = series.ticks.copy()
    ticks["buy_volume"] = ticks["sell_volume"] = 0.0
    return replace(series, ticks=ticks)


def buyers(series):
    """Every tick brings a purchase, larger and larger."""
    ticks = series.ticks.copy()
    ticks["volume"] = ticks["buy_volume"] = 1.0 + np.arange(len(ticks)) % 50
    ticks["sell_volume"] = 0.0
    return replace(series, ticks=ticks)


def sellers(series):
    """Every third tick brings a sale at the bid; now and then it is not said who struck."""
    ticks = series.ticks.copy()
    rows = np.arange(len(ticks))
    ticks["volume"] = np.where(rows % 3 == 0, 2.5, 0.0)
    ticks["close"] = ticks["bid_price"]
    ticks["sell_volume"] = np.where(rows % 33 == 0, np.nan, ticks["volume"])
    ticks["buy_volume"] = np.where(rows % 33 == 3, np.nan, 0.0)
    return replace(series, ticks=ticks)


def cancelling(series):
    """Purchases of 0.1 and 0.2, then a sale of 0.3: nothing on paper, and not in floats."""
    ticks = series.ticks.copy()
    place = np.arange(len(ticks)) % 6
    ticks["volume"] = np.choose(place, [0.1, 0.2, 0.3, 0.0, 0.0, 0.0])
    ticks["buy_volume"] = np.where(place < 2, ticks["volume"], 0.0)
    ticks["sell_volume"] = np.where(place == 2, ticks["volume"], 0.0)
    ticks["close"] = np.where(place < 2, ticks["ask_price"], ticks["bid_price"])
    return replace(series, ticks=ticks)


TRADERS = (nobody, buyers, sellers, cancelling)


def spread_out(count):
    """Choose the first rows and some more, in even steps."""
    return np.unique(np.concatenate([np.arange(8), np.linspace(8, count - 1, 36).astype(int)]))


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.__name__)
def test_every_column_of_a_market_made_by_hand_is_its_formula(
    make_series, with_trades, with_depth, everything, run, disagreements, market
):
    series = with_depth(with_trades(market(make_series)))
    settings = FeatureSettings(**everything, bucket_s=MINUTE_S if market is coarse else 1.0)
    result = run(series, **everything, bucket_s=settings.bucket_s)
    assert len(np.unique(result.segments)) == 1
    rows = spread_out(int(result.accepted.sum()))
    assert disagreements(series, result, rows, settings) == []


@pytest.mark.parametrize("traders", TRADERS, ids=lambda traders: traders.__name__)
@pytest.mark.parametrize("aggressor", [False, True])
@pytest.mark.parametrize("market", [flicker, burst], ids=lambda market: market.__name__)
def test_every_column_is_its_formula_whoever_trades(
    make_series, run, disagreements, traders, aggressor, market
):
    series = traders(market(make_series))
    settings = FeatureSettings(tick_size=0.01, aggressor=aggressor)
    result = run(series, aggressor=aggressor)
    rows = spread_out(int(result.accepted.sum()))
    assert disagreements(series, result, rows, settings) == []


@pytest.mark.parametrize("levels", [2, 3, 7, 10])
def test_every_column_is_its_formula_with_levels_missing(
    deep_walk, with_depth, everything, run, disagreements, levels
):
    chosen = {**everything, "depth_levels": levels, "ofi_weights": {}, "microprices": {}}
    # Asked for are as many levels as the data has, or fewer.
    series = with_depth(deep_walk(1200, seed=levels), max(levels, 5), missing=0.04, seed=levels)
    result = run(series, **chosen)
    rows = spread_out(int(result.accepted.sum()))
    assert np.isnan(result.column("depth.gap")).any()
    assert np.isfinite(result.column("depth.gap")).any()
    assert disagreements(series, result, rows, FeatureSettings(**chosen)) == []


@pytest.mark.parametrize("bucket_s", [1.5, 3.6, 7.0, 30.0])
def test_every_column_is_its_formula_in_buckets_of_any_length(
    deep_walk, everything, run, disagreements, bucket_s
):
    series = deep_walk(1500, interval_s=1.2)
    settings = FeatureSettings(**everything, bucket_s=bucket_s)
    result = run(series, **everything, bucket_s=bucket_s)
    rng = np.random.default_rng(5)
    rows = np.concatenate([readiness(result.history, bucket_s), rng.integers(0, 1500, ROWS)])
    assert disagreements(series, result, sampled(rows, 1500), settings) == []
