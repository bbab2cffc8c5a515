import math

import numpy as np
import pytest

from alphaseeker.factors.direction import known_directions
from alphaseeker.factors.forward_returns import forward_return, label_end
from alphaseeker.factors.measure import measure_information, measure_trading, panel_of
from alphaseeker.factors.portfolio import sharpe
from oracles import factors as oracle

SECOND = 10**9


@pytest.fixture
def panel(make_block, random_walk):
    rng = np.random.default_rng(4)
    segment = np.repeat([0, 1], [2400, 1600])
    block = make_block({"x": rng.standard_normal(4000)}, random_walk(rng, 4000), segment=segment)
    return panel_of(block, horizon_s=10, blocks=20)


def planted(panel, strength):
    noise = np.random.default_rng(7).standard_normal(len(panel.returns))
    signal = np.nan_to_num(panel.returns / panel.volatility)
    return strength * signal + np.sqrt(1 - strength**2) * noise


def test_block_length_is_the_share_of_the_covered_time_or_ten_horizons(panel):
    assert panel.block_ns == (4000 - 2) * SECOND // 20
    assert len(panel.blocks) == 12 + 8
    longer = panel_of(panel.features, horizon_s=60, blocks=20)
    assert longer.block_ns == 600 * SECOND
    assert longer.lags == 59
    assert panel.lags == 9


def test_information_equals_the_oracles(panel):
    factor = planted(panel, 0.3)
    information = measure_information(panel, factor, 5)
    expected = oracle.block_ics(factor, panel.returns, panel.blocks, 10)
    np.testing.assert_allclose(information.ics, expected, rtol=1e-12)
    assert information.pooled == pytest.approx(oracle.spearman(factor, panel.returns))
    assert information.pearson == pytest.approx(oracle.pearson(factor, panel.returns))
    assert information.n_observations == 4000 - 2 * 10
    products = []
    for start, stop in panel.blocks:
        known = np.isfinite(panel.returns[start:stop])
        ranks = [
            oracle.average_ranks(values[start:stop][known]) for values in (factor, panel.returns)
        ]
        left, right = ((rank - rank.mean()) / rank.std() for rank in ranks)
        products.extend(left * right)
    assert (information.newey_west_mean, information.newey_west_error) == pytest.approx(
        oracle.newey_west(np.array(products), 9), rel=1e-9
    )


def test_trading_equals_the_oracles(panel):
    factor, cost = planted(panel, 0.3), 0.0004
    edges = oracle.block_edges(factor, panel.returns, panel.blocks, 5, 10)
    directions = np.ones(len(panel.blocks))
    directions[:3] = math.nan, -1.0, math.nan
    trading = measure_trading(panel, factor, edges, directions=directions, cost=cost)
    side = oracle.quantile_positions(factor, panel.blocks, edges)
    position, directed = side.copy(), np.full(len(side), math.nan)
    for (start, stop), direction in zip(panel.blocks, directions, strict=True):
        position[start:stop] *= direction
        directed[start:stop] = direction * panel.returns[start:stop]
    returns = panel.returns
    half = 0.5 * 0.01 / panel.features.mid
    prevails = oracle.prevailing_row(panel.features.timestamp, panel.features.segment, 10 * SECOND)
    both_sides = np.where(np.isfinite(directed), half + half[prevails], math.nan)
    assert trading.spread_quoted == pytest.approx(oracle.quantile_costs(side, both_sides))
    assert trading.spread == pytest.approx(oracle.quantile_spread(side, directed))
    np.testing.assert_allclose(
        trading.gains,
        oracle.block_gains(position, returns, panel.blocks) / np.nanstd(returns),
        rtol=1e-12,
    )
    held = np.nan_to_num(position * returns)
    square = np.nansum(position**2 * np.isfinite(returns)) * np.nansum(held**2)
    assert trading.past_ic == pytest.approx(held.sum() / np.sqrt(square))
    features = panel.features
    gross, net, turnover = [], [], []
    for start in range(9):
        gains, trades, costs, held_ns = oracle.portfolio_periods(
            position,
            features.mid,
            cost + half,
            panel.end,
            features.timestamp,
            features.segment,
            start * 10 * SECOND // 9,
        )
        a_year = 365 * 86_400 * SECOND * len(gains) / held_ns.sum()
        assert a_year == pytest.approx(365 * 8_640)
        gross.append(sharpe(gains, a_year))
        net.append(sharpe(gains - costs, a_year))
        turnover.append(trades.mean())
    assert len({round(value, 9) for value in gross}) == 9
    assert trading.sharpe == pytest.approx(np.median(gross))
    assert trading.sharpe_net == pytest.approx(np.median(net))
    assert trading.turnover == pytest.approx(np.median(turnover))
    assert trading.sharpe_net < trading.sharpe


def test_direction_mirrors_what_is_held(panel):
    factor = planted(panel, 0.3)
    edges = measure_information(panel, factor, 5).edges
    long, short = (
        measure_trading(panel, factor, edges, directions=np.full(len(panel.blocks), side), cost=0.0)
        for side in (1.0, -1.0)
    )
    for name in ("spread", "past_ic", "sharpe"):
        assert getattr(short, name) == pytest.approx(-getattr(long, name))
    assert short.turnover == long.turnover


def test_what_comes_later_changes_nothing_before(panel):
    factor = planted(panel, 0.1)
    later = np.where(np.arange(4000) < 2000, factor, -3.0 * factor)
    both = []
    for values in (factor, later):
        information = measure_information(panel, values, 5)
        (directions,) = known_directions(
            [information.ics], [panel.block_starts], [panel.block_known_at]
        )
        both.append(
            measure_trading(panel, values, information.edges, directions=directions, cost=0.0)
        )
    before = panel.blocks[:, 1] <= 2000
    np.testing.assert_array_equal(both[0].gains[before], both[1].gains[before])
    assert np.isnan(both[0].gains[:2]).all()
    assert np.isfinite(both[0].gains[2:]).all()
    assert not np.array_equal(both[0].gains[~before], both[1].gains[~before])


def test_segment_shorter_than_half_a_block_has_no_block(make_block, random_walk):
    mid = random_walk(np.random.default_rng(1), 1000)
    segment = np.repeat([0, 1], [900, 100])
    panel = panel_of(make_block({"x": mid}, mid, segment=segment), horizon_s=30, blocks=2)
    assert panel.blocks[:, 1].max() == 900
    expected = forward_return(panel.features.timestamp, mid, segment, 30 * SECOND)
    np.testing.assert_array_equal(panel.returns, expected)
    np.testing.assert_array_equal(
        panel.end, label_end(panel.features.timestamp, segment, 30 * SECOND)
    )
