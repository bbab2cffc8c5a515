"""Every column against its formula, on real captures and on markets made by hand."""

import numpy as np
import pytest

from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES

SEGMENTS = 5
RANDOM_ROWS = 25


def sampled_rows(history, bucket_s, rng):
    """Choose the first rows, those around the readiness of every window, and some at random."""
    count = len(history)
    needed = {feature.history_buckets(bucket_s) for feature in FEATURES} - {None}
    ready = np.searchsorted(history, sorted(needed))
    around = np.concatenate([ready + shift for shift in (-1, 0, 1)])
    rows = np.concatenate([np.arange(3), around, rng.integers(0, count, RANDOM_ROWS), [count - 1]])
    return np.unique(rows[(rows >= 0) & (rows < count)])


def single_segments(run):
    """Yield the runs of the segments, each with its rows alone."""
    accepted = (run.verdicts >= 0) & (run.verdicts < 10)
    for segment in np.unique(run.segments[accepted]):
        yield accepted & (run.segments == segment)


def test_every_column_of_the_captures_is_its_formula(capture, disagreements):
    rng = np.random.default_rng(7)
    pieces = [
        (series, run, inside)
        for series, run in zip(capture.series, capture.runs, strict=True)
        for inside in single_segments(run)
    ]
    longest = sorted(pieces, key=lambda piece: -piece[2].sum())[:2]
    others = [pieces[index] for index in rng.permutation(len(pieces))[:SEGMENTS]]
    for series, run, inside in longest + others:
        rows = series.rows[inside]
        part = type(series)(symbol=series.symbol, ticks=series.ticks[inside], rows=rows)
        piece = type(run)(*(column[inside] for column in run))
        rows = sampled_rows(piece.history, capture.settings.bucket_s, rng)
        assert disagreements(part, piece, rows, capture.settings) == []


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


def coarse(make_series):
    """Ticks a minute apart, in buckets of a minute."""
    rng = np.random.default_rng(4)
    bid = 10_000 + np.cumsum(rng.integers(-2, 3, 300))
    return make_series(np.arange(300) * 60.0 + 59, bid / 100, bid / 100 + 0.01)


MARKETS = (quiet, frozen, wider_and_back, locked, one_sided, gaps, burst, coarse)


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.__name__)
def test_every_column_of_a_market_made_by_hand_is_its_formula(
    make_series, run, disagreements, market
):
    series = market(make_series)
    settings = FeatureSettings(tick_size=0.01, bucket_s=60.0 if market is coarse else 1.0)
    result = run(series, bucket_s=settings.bucket_s)
    assert len(np.unique(result.segments)) == 1
    accepted = int(((result.verdicts >= 0) & (result.verdicts < 10)).sum())
    rows = np.unique(np.concatenate([np.arange(12), np.linspace(12, accepted - 1, 50).astype(int)]))
    assert disagreements(series, result, rows, settings) == []


@pytest.mark.parametrize("bucket_s", [1.5, 3.6, 7.0, 30.0])
def test_every_column_is_its_formula_in_buckets_of_any_length(walk, run, disagreements, bucket_s):
    series = walk(1500, interval_s=1.2)
    settings = FeatureSettings(tick_size=0.01, bucket_s=bucket_s)
    result = run(series, bucket_s=bucket_s)
    rows = sampled_rows(result.history, bucket_s, np.random.default_rng(5))
    assert disagreements(series, result, rows, settings) == []
