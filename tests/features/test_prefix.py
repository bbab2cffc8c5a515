"""A feature knows its past and nothing else: prefixes, and a future that never came."""

import numpy as np

from alphaseeker.features.batch import compute_features

POINTS = 6
REACH = 20_000


def part(series, rows):
    return type(series)(symbol=series.symbol, ticks=series.ticks[rows], rows=series.rows[rows])


def test_a_prefix_gives_the_bits_of_the_whole(capture):
    rng = np.random.default_rng(3)
    series, run = capture.series[0], capture.runs[0]
    for end in rng.integers(1, min(REACH, len(series)), POINTS):
        block = compute_features(part(series, slice(0, end)), settings=capture.settings)
        accepted = (run.verdicts[:end] >= 0) & (run.verdicts[:end] < 10)
        assert block.values.tobytes() == run.values[:end][accepted].tobytes()


def test_another_future_changes_nothing_before_it(capture, run):
    rng = np.random.default_rng(4)
    series, whole = capture.series[0], capture.runs[0]
    settings = {
        "bucket_s": capture.settings.bucket_s,
        "tick_size": capture.settings.tick_size_of(series.symbol),
    }
    for now in rng.integers(1, min(REACH, len(series)) - 1, POINTS):
        ticks = series.ticks[:REACH].copy()
        future = ticks[now + 1 :]
        for field in ("bid_price", "ask_price", "close"):
            future[field] *= 1.1
        for field in ("bid_volume", "ask_volume", "volume"):
            future[field] = rng.permutation(future[field])
        future["timestamp"] += 10**9
        changed = run(type(series)(symbol="", ticks=ticks, rows=series.rows[:REACH]), **settings)
        assert changed.values[: now + 1].tobytes() == whole.values[: now + 1].tobytes()
        assert changed.verdicts[: now + 1].tobytes() == whole.verdicts[: now + 1].tobytes()
