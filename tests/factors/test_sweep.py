import numpy as np
import pytest

from alphaseeker.factors import graded_horizon, sweep
from alphaseeker.factors.direction import known_directions
from alphaseeker.factors.forward_returns import label_end
from alphaseeker.factors.graded_horizon import is_streamed
from alphaseeker.factors.panel import panel_of
from alphaseeker.factors.portfolio import calmar, max_drawdown, sharpe, sortino
from alphaseeker.factors.sweep import Sweep
from alphaseeker.factors.threads import in_threads, threads_of
from oracles import factors as oracle

SECOND = 10**9
ROWS = 4_000


@pytest.fixture
def block(make_block, random_walk):
    rng = np.random.default_rng(4)
    segment = np.repeat([0, 1], [2400, 1600])
    mid = random_walk(rng, ROWS)
    signal = np.log(np.roll(mid, -10) / mid)
    columns = rng.standard_normal((ROWS, 4))
    columns[:, 0] += 0.3 * signal / signal.std()
    columns[:500, 1] = np.nan
    columns[:, 2] = np.round(columns[:, 2], 1)
    return make_block(columns, mid, segment=segment)


def swept(block, *, columns=(0, 1, 2, 3), threads=1, horizons_s=(10.0, 2.0, 40.0)):
    panel = panel_of(block, horizons_s=horizons_s, blocks=20)
    given = [None if column is None else block.values[:, column] for column in columns]
    both = Sweep(panel, given, quantiles=5, threads=threads)
    steps = []
    found = both.measure(steps.append)
    starts, known_at = panel.starts(panel.groups[0]), panel.known_at(panel.groups[0], 0)
    directions = [known_directions([ics], [starts], [known_at])[0] for ics in found.ics[0]]
    traded = both.trade(found.held, directions, 0.0004, steps.append)
    assert sum(steps) == both.steps
    return found, directions, traded


def same(left, right):
    for name in ("held", "observations", "pooled"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    for horizon in range(3):
        np.testing.assert_array_equal(left.ics[horizon], right.ics[horizon])
        np.testing.assert_array_equal(left.sides[horizon], right.sides[horizon])


def test_portfolios_equal_the_oracles(block):
    found, directions, traded = swept(block)
    panel = found.panel
    factor = block.values[:, 0].astype(np.float64)
    returns = oracle.forward_return(block.timestamp, block.mid, block.segment, 10 * SECOND)
    edges = oracle.block_edges(factor, returns, panel.blocks, 5, 10)
    position = oracle.quantile_positions(factor, panel.blocks, edges)
    for (start, stop), direction in zip(panel.blocks, directions[0], strict=True):
        position[start:stop] *= direction
    half, end = 0.005 / block.mid, label_end(block.timestamp, block.segment, 10 * SECOND)
    figures = []
    for start in range(9):
        gains, trades, costs, held_ns = oracle.portfolio_periods(
            position,
            block.mid,
            0.0004 + half,
            end,
            block.timestamp,
            block.segment,
            start * 10 * SECOND // 9,
        )
        a_year = 365 * 86_400 * SECOND * len(gains) / held_ns.sum()
        figures.append(
            (
                sharpe(gains, a_year),
                sharpe(gains - costs, a_year),
                sortino(gains, a_year),
                calmar(gains, a_year),
                max_drawdown(gains),
                trades.mean(),
            )
        )
    assert len({round(one[0], 9) for one in figures}) == 9
    own = traded[0]
    ours = own.sharpe, own.sharpe_net, own.sortino, own.calmar, own.max_drawdown, own.turnover
    assert ours == pytest.approx(np.median(figures, axis=0), rel=1e-9)
    assert own.sharpe_net < own.sharpe


def test_pooled_correlation_and_volatility_are_those_of_all_rows(block):
    found, *_ = swept(block)
    returns = oracle.forward_return(block.timestamp, block.mid, block.segment, 10 * SECOND)
    for factor in range(4):
        expected = oracle.spearman(block.values[:, factor].astype(np.float64), returns)
        assert found.pooled[factor] == pytest.approx(expected, rel=1e-12)
    assert found.volatility == pytest.approx(np.nanstd(returns))
    assert found.measurable == (20, 20, 10)


def test_threads_change_nothing(block):
    one, one_way, traded = swept(block)
    two, other_way, also = swept(block, threads=3)
    same(one, two)
    np.testing.assert_array_equal(one_way, other_way)
    assert traded == also


@pytest.mark.parametrize("most", [1, 700, 2_500])
def test_chunks_give_what_the_whole_gives(block, most, monkeypatch):
    whole, _, traded = swept(block)
    assert not is_streamed(whole.panel)
    monkeypatch.setattr(graded_horizon, "WHOLE_ROWS", 1_000)
    monkeypatch.setattr(sweep, "CHUNK_ROWS", most)
    monkeypatch.setattr(graded_horizon, "POOLED_ROWS", ROWS)
    pieces, _, also = swept(block, threads=2)
    assert is_streamed(pieces.panel)
    same(whole, pieces)
    np.testing.assert_allclose(pieces.newey_west, whole.newey_west, rtol=1e-12)
    np.testing.assert_allclose(pieces.moments, whole.moments, rtol=1e-9)
    assert pieces.volatility == pytest.approx(whole.volatility, rel=1e-12)
    assert also == traded


def test_pooled_correlation_of_a_stream_is_that_of_every_so_manieth_row(block, monkeypatch):
    monkeypatch.setattr(graded_horizon, "WHOLE_ROWS", 1_000)
    monkeypatch.setattr(sweep, "CHUNK_ROWS", 900)
    monkeypatch.setattr(graded_horizon, "POOLED_ROWS", 600)
    found, *_ = swept(block)
    returns = oracle.forward_return(block.timestamp, block.mid, block.segment, 10 * SECOND)
    rows = np.arange(0, ROWS, 7)
    for factor in range(4):
        expected = oracle.spearman(block.values[rows, factor].astype(np.float64), returns[rows])
        assert found.pooled[factor] == pytest.approx(expected, rel=1e-12)


def test_what_comes_later_changes_nothing_before(block):
    values = block.values.copy()
    values[2_400:] *= -3.0
    first, known, _ = swept(block)
    changed = type(block)(**{**vars(block), "values": values})
    second, also, _ = swept(changed)
    before = first.panel.blocks[:, 1] <= 2_400
    np.testing.assert_array_equal(first.sides[0][:, before], second.sides[0][:, before])
    for one, other in zip(known, also, strict=True):
        np.testing.assert_array_equal(one[before], other[before])
        assert np.isnan(one[0])


def test_unknown_columns_are_never_read(block):
    found, _, traded = swept(block, columns=(None, 0))
    assert np.isnan(found.ics[0][0]).all()
    assert found.observations.tolist()[0] == 0
    assert traded[0].sharpe == 0.0
    np.testing.assert_array_equal(found.ics[0][1], swept(block)[0].ics[0][0])


def test_threads_are_counted_and_pass_errors_on():
    assert threads_of(3) == 3
    assert threads_of(0) >= 1

    def fail(number):
        if number == 2:
            raise ValueError("two")

    for threads in (1, 2):
        with pytest.raises(ValueError, match="two"):
            in_threads(fail, 4, threads)


@pytest.mark.parametrize("threads", [1, 3])
def test_pooled_ics_of_factors_that_miss_what_others_do_not(make_block, random_walk, threads):
    rng = np.random.default_rng(11)
    mid = random_walk(rng, ROWS)
    values = np.round(rng.standard_normal((ROWS, 24)), 1)  # ties
    values[:300, 1::3] = np.nan
    values[:, 2::6] = np.where(rng.random((ROWS, 4)) < 0.3, np.inf, values[:, 2::6])
    values[:, 3] = np.nan
    block = make_block(values, mid)
    found, *_ = swept(block, columns=(*range(24), None), threads=threads)
    returns = oracle.forward_return(block.timestamp, block.mid, block.segment, 10 * SECOND)
    for factor, pooled in enumerate(found.pooled[:24]):
        wanted = oracle.spearman(block.values[:, factor].astype(np.float64), returns)
        assert pooled == pytest.approx(wanted, abs=1e-12, nan_ok=True)
    assert np.isnan(found.pooled[[3, 24]]).all()
    assert np.isfinite(np.delete(found.pooled, [3, 24])).all()
