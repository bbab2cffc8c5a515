import numpy as np
import pytest

from alphaseeker.factors.information import newey_west, pearson
from alphaseeker.factors.measure import (
    HELD,
    MOMENTS,
    OVERLAP,
    SIDES,
    add_moments,
    correlation_of,
    measure_blocks,
    newey_west_of,
)
from alphaseeker.factors.panel import chunks_of, panel_of, ranked_chunk
from oracles import factors as oracle

SECOND = 10**9


@pytest.fixture
def panel(make_block, random_walk):
    rng = np.random.default_rng(4)
    segment = np.repeat([0, 1], [2400, 1600])
    block = make_block({"x": rng.standard_normal(4000)}, random_walk(rng, 4000), segment=segment)
    return panel_of(block, horizons_s=(10.0, 4.0), blocks=20)


def measured(panel, factor, quantiles=5):
    (group,) = panel.groups
    (chunk,) = chunks_of(panel, group, np.inf)
    ranked = ranked_chunk(panel, group, chunk)
    count, horizons = len(group.blocks), len(group.horizons)
    found = {
        "edges": np.full((horizons, 2), np.nan),
        "ics": np.empty((horizons, count)),
        "sides": np.empty((horizons, count, SIDES)),
        "held": np.empty((count, HELD)),
        "overlap": np.zeros(OVERLAP),
        "window": np.zeros(panel.lags + 1),
    }
    found["used"] = measure_blocks(
        factor,
        ranked.returns,
        ranked.round_trip,
        group.blocks,
        ranked.orders,
        ranked.ranks,
        ranked.squares,
        ranked.counts,
        True,
        quantiles,
        *found.values(),
    )
    return ranked, found


def planted(panel, missing=0.0):
    """A factor with ties; where ``missing``, with rows that it does not have."""
    rng = np.random.default_rng(7)
    signal = np.log(np.roll(panel.features.mid, -10) / panel.features.mid)
    factor = np.round(0.3 * signal / signal.std() + rng.standard_normal(4000), 2)
    factor[rng.random(4000) < missing] = np.nan
    return factor.astype(np.float32)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_block_figures_equal_the_oracles(panel, missing):
    factor = planted(panel, missing)
    ranked, found = measured(panel, factor)
    values, blocks = factor.astype(np.float64), panel.blocks
    half = 0.5 * 0.01 / panel.features.mid
    prevails = oracle.prevailing_row(panel.features.timestamp, panel.features.segment, 10 * SECOND)
    costs = np.where(prevails >= 0, half + half[prevails], np.nan)
    np.testing.assert_allclose(ranked.round_trip, costs)
    for place in range(2):
        returns = ranked.returns[place]
        expected = oracle.block_ics(values, returns, blocks, 10)
        np.testing.assert_allclose(found["ics"][place], expected, rtol=1e-12)
        edges = oracle.block_edges(values, returns, blocks, 5, 10)
        position = oracle.quantile_positions(values, blocks, edges)
        for side in (-1, 0, 1):
            for number, (start, stop) in enumerate(blocks):
                inside = position[start:stop] == side
                own = returns[start:stop][inside & np.isfinite(returns[start:stop])]
                assert found["sides"][place, number, 1 + side] == pytest.approx(own.sum())
                assert found["sides"][place, number, 4 + side] == len(own)
                if place == 0:
                    own = costs[start:stop][inside & np.isfinite(costs[start:stop])]
                    assert found["held"][number, 1 + side] == pytest.approx(own.sum())
                    assert found["held"][number, 4 + side] == len(own)
        if place == 0:
            assert np.isnan(found["held"][0, 7:]).all()
            np.testing.assert_array_equal(found["held"][1:, 7:], edges[:-1])
            both = np.isfinite(values) & np.isfinite(returns)
            assert found["used"] == both.sum()
            squares = (np.abs(position) == 1) * np.nan_to_num(returns) ** 2
            assert found["held"][:, 6].sum() == pytest.approx(squares.sum())


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_newey_west_equals_the_oracle_and_the_whole_series(panel, missing):
    factor = planted(panel, missing)
    ranked, found = measured(panel, factor)
    products = []
    for start, stop in panel.blocks:
        known = np.isfinite(ranked.returns[0, start:stop]) & np.isfinite(factor[start:stop])
        ranks = [
            oracle.average_ranks(values[start:stop][known])
            for values in (factor, ranked.returns[0])
        ]
        left, right = ((rank - rank.mean()) / rank.std() for rank in ranks)
        products.extend(left * right)
    series = np.array(products)
    assert panel.lags == 9
    ours = newey_west_of(found["overlap"], found["window"])
    assert ours == pytest.approx(oracle.newey_west(series, 9), rel=1e-9)
    assert ours == pytest.approx(newey_west(series, 9), rel=1e-9)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_moments_of_pieces_are_those_of_the_whole(missing):
    rng = np.random.default_rng(1)
    factor = (50_000.0 + rng.standard_normal(9_000)).astype(np.float32)
    factor[rng.random(9_000) < missing] = np.nan
    returns = 1e-4 * rng.standard_normal(9_000) + 1e-5 * np.nan_to_num(factor - 50_000.0)
    returns[-50:] = np.nan
    moments = np.zeros(MOMENTS)
    for piece in np.array_split(np.arange(9_000), [1, 2, 500, 5_000, 5_003]):
        add_moments(factor[piece], returns[piece], moments)
    expected = oracle.pearson(factor.astype(np.float64), returns)
    assert correlation_of(moments) == pytest.approx(expected, rel=1e-9)
    assert pearson(factor.astype(np.float64), returns) == pytest.approx(expected, rel=1e-9)
    assert moments[10] == np.isfinite(factor).sum()
    assert (moments[11], moments[12]) == (np.nanmin(factor), np.nanmax(factor))


@pytest.mark.parametrize(
    ("factor", "returns"),
    [([], []), ([1.0], [2.0]), ([0.1] * 5, [1.0, 2, 3, 4, 5]), ([1.0, 2, 3, 4, 5], [0.1] * 5)],
)
def test_a_constant_has_no_correlation(factor, returns):
    moments = np.zeros(MOMENTS)
    add_moments(np.array(factor, dtype=np.float32), np.array(returns), moments)
    assert np.isnan(correlation_of(moments))
