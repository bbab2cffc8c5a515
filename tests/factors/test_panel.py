import numpy as np
import pytest

from alphaseeker.factors.forward_returns import forward_return, grid_interval, label_end
from alphaseeker.factors.panel import chunks_of, panel_of, ranked_chunk, traded_chunk
from oracles import factors as oracle

SECOND = 10**9


@pytest.fixture
def block(make_block, random_walk):
    """Events and a minute grid with holes, in three segments."""
    rng = np.random.default_rng(4)
    steps = np.concatenate(
        (rng.exponential(3.0, 2_000), 60.0 + 120.0 * (rng.random(600) < 0.1), np.ones(1_400))
    )
    segment = np.repeat([3, 4, 9], [2_000, 600, 1_400])
    timestamp = (np.cumsum(steps) * SECOND).astype(np.int64)
    return make_block(
        {"x": rng.standard_normal(4_000)},
        random_walk(rng, 4_000),
        timestamp=timestamp,
        segment=segment,
    )


def test_block_length_is_the_share_of_the_covered_time_or_ten_horizons(make_block, random_walk):
    rng = np.random.default_rng(4)
    segment = np.repeat([0, 1], [2400, 1600])
    block = make_block({"x": rng.standard_normal(4000)}, random_walk(rng, 4000), segment=segment)
    panel = panel_of(block, horizons_s=(10.0, 60.0, 5.0), blocks=20)
    assert [group.horizons for group in panel.groups] == [(0, 2), (1,)]
    assert panel.groups[0].block_ns == (4000 - 2) * SECOND // 20
    assert len(panel.blocks) == 12 + 8
    assert panel.groups[1].block_ns == 600 * SECOND
    assert panel.lags == 9
    assert panel_of(block, horizons_s=(60.0,), blocks=20).lags == 59
    np.testing.assert_array_equal(panel.starts(panel.groups[0]), panel.blocks[:, 0] * SECOND)
    known = panel.known_at(panel.groups[1], 1)
    assert known[0] == (panel.groups[1].blocks[0, 1] - 1 + 60) * SECOND


def test_segment_shorter_than_half_a_block_has_no_block(make_block, random_walk):
    mid = random_walk(np.random.default_rng(1), 1000)
    segment = np.repeat([0, 1], [900, 100])
    panel = panel_of(make_block({"x": mid}, mid, segment=segment), horizons_s=(30.0,), blocks=2)
    assert panel.blocks[:, 1].max() == 900


@pytest.mark.parametrize("most", [np.inf, 1_000, 1])
def test_returns_of_chunks_are_those_of_the_whole(block, most):
    panel = panel_of(block, horizons_s=(60.0, 30.0, 200.0), blocks=40)
    for group in panel.groups:
        chunks = list(chunks_of(panel, group, most))
        assert chunks[0].first == 0
        assert chunks[-1].stop == len(block)
        assert [one.stop for one in chunks[:-1]] == [one.first for one in chunks[1:]]
        assert sum(len(one.blocks) for one in chunks) == len(group.blocks)
        assert len(chunks) > 2 or most != 1_000
        for place, horizon in enumerate(group.horizons):
            expected = forward_return(
                block.timestamp, block.mid, block.segment, panel.horizons_ns[horizon]
            )
            found = [ranked_chunk(panel, group, one) for one in chunks]
            np.testing.assert_array_equal(
                np.concatenate([one.returns[place] for one in found]), expected
            )
            assert sum(one.counts[place].sum() for one in found) <= np.isfinite(expected).sum()
    ends = label_end(block.timestamp, block.segment, 60 * SECOND)
    for chunk in chunks_of(panel, panel.groups[0], most):
        timestamp, segment, mid, half_spread, end = traded_chunk(panel, chunk)
        rows = slice(chunk.first, chunk.stop)
        own = ends[rows]
        np.testing.assert_array_equal(
            end[: chunk.stop - chunk.first], np.where(own >= 0, own - chunk.first, -1)
        )
        assert len(timestamp) == len(segment) == len(mid) == chunk.reach - chunk.first
        np.testing.assert_allclose(half_spread[: chunk.stop - chunk.first], 0.005 / block.mid[rows])


def test_ranks_are_centred_and_those_of_the_block(block):
    panel = panel_of(block, horizons_s=(60.0,), blocks=40)
    (group,) = panel.groups
    (chunk,) = chunks_of(panel, group, np.inf)
    ranked = ranked_chunk(panel, group, chunk)
    for number, (start, stop) in enumerate(group.blocks):
        returns = ranked.returns[0, start:stop]
        known = np.isfinite(returns)
        assert ranked.counts[0, number] == known.sum()
        expected = oracle.average_ranks(returns[known]) - 0.5 * (known.sum() + 1)
        np.testing.assert_array_equal(ranked.ranks[0, start:stop][known], expected)
        assert np.isnan(ranked.ranks[0, start:stop][~known]).all()
        assert ranked.squares[0, number] == pytest.approx(np.sum(expected**2))


def test_interval_of_a_long_grid_is_counted_out():
    rng = np.random.default_rng(5)
    for rows in (300_001, 300_002):
        steps = 10**9 + rng.integers(-(10**8), 10**8, rows)
        timestamp = np.cumsum(steps)
        assert grid_interval(timestamp) == float(np.median(np.diff(timestamp)))
    assert grid_interval(np.cumsum(rng.exponential(1e9, 300_000).astype(np.int64))) == 0.0
