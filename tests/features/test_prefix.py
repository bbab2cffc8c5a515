"""A feature knows its past and nothing else: prefixes, and a future that never came."""

from dataclasses import replace

import numpy as np

from alphaseeker.features.batch import compute_features

POINTS = 6
REACH = 20_000


def test_a_prefix_gives_the_bits_of_the_whole(capture, rows_of):
    rng = np.random.default_rng(3)
    series, run = capture.series[0], capture.runs[0]
    settings = capture.settings
    # Below this, a file counts as one without depth where the first rows are.
    shortest = 2_000 if settings.depth_levels else 1
    for end in rng.integers(shortest, min(REACH, len(series)), POINTS):
        block = compute_features(rows_of(series, slice(0, end)), settings=settings)
        accepted = run.accepted[:end]
        assert block.values.tobytes() == run.values[:end][accepted].tobytes()


def test_another_future_changes_nothing_before_it(capture, rows_of):
    rng = np.random.default_rng(4)
    whole = capture.runs[0]
    reach = rows_of(capture.series[0], slice(0, REACH))
    for now in rng.integers(1, len(reach) - 1, POINTS):
        ticks = reach.ticks.copy()
        depth = None if reach.depth is None else reach.depth.copy()
        future = ticks[now + 1 :]
        for field in ("bid_price", "ask_price", "close"):
            future[field] *= 1.1
        for field in ("bid_volume", "ask_volume", "volume", "buy_volume", "sell_volume"):
            future[field] = rng.permutation(future[field])
        future["timestamp"] += 10**9
        if depth is not None:
            depth[now + 1 :] *= 1.1
        changed = compute_features(
            replace(reach, ticks=ticks, depth=depth), settings=capture.settings
        )
        past = changed.row <= reach.rows[now]
        accepted = whole.accepted[: now + 1]
        assert changed.values[past].tobytes() == whole.values[: now + 1][accepted].tobytes()
        assert changed.verdict[past].tobytes() == whole.verdicts[: now + 1][accepted].tobytes()
