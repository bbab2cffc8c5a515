"""Trades, metrics and files of a result, from fills with known figures."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from alphaseeker.backtest.metrics import period_returns
from alphaseeker.backtest.state import SAMPLE
from alphaseeker.factors.portfolio import MAX_RATIO
from known_markets import EQUITY, frame, run, walk

FEE = 0.0005


@pytest.fixture(scope="module")
def two_trades():
    """A long that wins and a short that loses, all known in advance."""
    bids = np.array([100.0, 100.0, 100.0, 102.0, 102.0, 102.0, 103.0, 103.0, 103.0, 103.0])
    data = frame(bids, bids + 0.5)
    sides = np.array([1, 0, 0, -1, 0, -1, 0, 1, 0, 0])
    return run(data, sides)


def is_plain(value):
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_plain(item) for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or type(value) in (str, bool, int)


def test_trades_with_known_figures(two_trades):
    one, two = (row for _, row in two_trades.trades.iterrows())
    size = EQUITY / 100.5
    assert (one.side, one.entry_price, one.exit_price) == ("LONG", 100.5, 102.0)
    assert one.gross_pnl == pytest.approx(size * 1.5)
    assert one.fees == pytest.approx(size * (100.5 + 102.0) * FEE)
    assert one.net_pnl == pytest.approx(one.gross_pnl - one.fees)
    assert one.spread_cost == pytest.approx(size * 0.5)
    assert one.holding_s == pytest.approx(3.0)
    short = (EQUITY + one.net_pnl) / 102.0
    assert (two.side, two.entry_price, two.exit_price) == ("SHORT", 102.0, 103.5)
    assert two["size"] == pytest.approx(short)
    assert two.gross_pnl == pytest.approx(-short * 1.5)
    assert two.reason == "OPPOSITE_SIGNAL"


def test_metrics_with_known_figures(two_trades):
    m, trades = two_trades.metrics, two_trades.trades
    net, gross = trades.net_pnl.sum(), trades.gross_pnl.sum()
    notional = (trades["size"] * (trades.entry_price + trades.exit_price)).sum()
    assert m["net_return"] == pytest.approx(net / EQUITY)
    assert m["gross_return"] == pytest.approx(gross / EQUITY)
    assert m["return_before_costs"] == pytest.approx((gross + trades.spread_cost.sum()) / EQUITY)
    assert (m["trades"], m["long_trades"], m["short_trades"], m["hit_rate"]) == (2, 1, 1, 0.5)
    assert m["profit_factor"] == pytest.approx(trades.net_pnl[0] / -trades.net_pnl[1])
    assert m["traded_notional"] == pytest.approx(notional)
    assert m["break_even_cost_bp"] == pytest.approx(1e4 * gross / notional)
    assert m["mean_holding_s"] == pytest.approx(2.5)
    assert m["time_in_market"] == pytest.approx(5 / 9)
    assert m["signals"] == {"SELL": 2, "HOLD": 6, "BUY": 2}
    assert m["exits"] == {"OPPOSITE_SIGNAL": 2}
    assert m["orders"]["orders"] == 4


def test_at_the_break_even_cost_nothing_is_left():
    bids, asks = walk(2_000, seed=8, step=0.05)
    sides = np.sign(np.append(bids[50:], bids[-50:]) - bids)
    settings = {"TRANSACTION_COST_PCT": 0.0}
    free = run(frame(bids, asks), sides, settings=settings, latency_ms=0.0)
    cost = free.metrics["break_even_cost_bp"] / 1e4
    assert cost > 0.0
    settings = {"TRANSACTION_COST_PCT": cost}
    paid = run(frame(bids, asks), sides, settings=settings, latency_ms=0.0)
    # Sizes shrink with the equity, so that it is not exact.
    assert abs(paid.metrics["net_return"]) < 0.05 * free.metrics["net_return"]


def test_everything_is_finite_and_plain_whatever_was_traded(two_trades):
    bids = np.full(200, 100.0)
    never = run(frame(bids, bids + 0.01), np.zeros(200))
    rising = np.linspace(100.0, 150.0, 200)
    always_won = run(frame(rising, rising + 0.01), [1, *[0] * 199])
    for result in (two_trades, never, always_won):
        assert is_plain(result.as_dict())
    assert always_won.metrics["profit_factor"] == MAX_RATIO
    assert never.metrics["sharpe"] == never.metrics["profit_factor"] == 0.0
    assert (len(never.trades), len(never.fills), len(never.equity)) == (0, 0, 5)


@pytest.mark.parametrize("side", [1, -1])
def test_equity_drawdown_and_exposure_are_those_of_every_tick(side):
    count, start, end = 600, 10, 500
    bids, asks = walk(count, seed=6, step=0.05)
    sides = np.zeros(count)
    sides[start], sides[end] = side, -side
    result = run(frame(bids, asks), sides, latency_ms=0.0)
    size = result.trades["size"].iloc[0]
    paid, leave = (asks, bids) if side > 0 else (bids, asks)
    cash = EQUITY - size * paid[start] * FEE
    held = cash + side * size * (leave - paid[start]) - size * leave * FEE
    after = np.full(count, EQUITY)  # each tick
    after[start:end] = held[start:end]
    after[end:] = held[end]
    peak = np.maximum.accumulate(np.maximum(after, EQUITY))
    assert result.metrics["max_drawdown"] == pytest.approx((1.0 - after / peak).max())
    assert (1.0 - after / peak).max() > 1.05 * (1.0 - after[[start, end]] / EQUITY).max()
    # A minute ends with the tick before it.
    at = [0, *range(59, count, 60)]
    assert result.equity.equity.to_numpy() == pytest.approx(after[at])
    assert result.equity.drawdown.to_numpy() == pytest.approx((1.0 - after / peak)[at])
    notional = np.where(after == held, size * leave, 0.0)
    notional[:start] = notional[end:] = 0.0
    assert result.equity.exposure.to_numpy() == pytest.approx((notional / after)[at])
    assert result.metrics["exposure"] == pytest.approx((notional / after)[:-1].mean())


@pytest.mark.parametrize("latency_ms", [0.0, 100.0])
def test_trades_held_over_a_gap_are_counted_and_warned_of(latency_ms):
    seconds = np.concatenate([np.arange(6), 50_000 + np.arange(6)])
    bids = np.repeat([100.0, 120.0], 6)
    data = frame(bids, bids + 0.01, seconds=seconds)
    over = run(data, [0, 1] + [0] * 5 + [-1] + [0] * 4, latency_ms=latency_ms)
    held = over.metrics["held_over_gaps"]
    assert held == {"trades": 1, "net_pnl": pytest.approx(over.metrics["net_pnl"])}
    (warning,) = over.warnings
    assert warning.startswith("GAPS: 1 of 1 trades were held over a gap of more than 900 s")
    within = run(data, [1, 0, -1, 0, 0, 0, 1, 0, -1, 0, 0, 0], latency_ms=latency_ms)
    assert len(within.trades) == 2
    assert within.metrics["held_over_gaps"] == {"trades": 0, "net_pnl": 0.0}
    assert within.warnings == ()


def test_where_nothing_was_traded_a_warning_says_why(two_trades):
    bids = np.full(50, 100.0)
    data = frame(bids, bids + 0.01)
    wide = frame(bids, bids + 3.0)
    cases = [
        (data, np.zeros(50), {}, "none of 50 signals was BUY or SELL"),
        (data, [0] * 49 + [1], {}, "the data ended before 1"),
        (
            wide,
            [1, 1] + [0] * 48,
            {"MAX_SPREAD_PCT": 0.01},
            "2 signals were BUY or SELL, and no entry was made; rejected: 2 by MAX_SPREAD",
        ),
    ]
    for market, sides, settings, says in cases:
        (warning,) = run(market, sides, settings=settings).warnings
        assert warning.startswith("no trade: ")
        assert says in warning
    assert two_trades.warnings == ()


def test_the_longest_period_of_which_there_are_thirty_is_taken():
    def samples(minutes):
        found = np.zeros(minutes, dtype=SAMPLE)
        found["timestamp"] = 60 * 10**9 * (28_401_120 + np.arange(minutes))
        found["equity"] = 100.0 * 1.0001 ** np.arange(minutes)
        return found

    for minutes, seconds in ((20, 60), (1_700, 60), (40 * 60, 3_600), (35 * 1_440, 86_400)):
        returns, period = period_returns(samples(minutes))
        assert period == seconds
        whole = returns[1:-1]
        assert whole == pytest.approx(np.full(len(whole), 1.0001 ** (seconds // 60) - 1.0))
        assert np.prod(1.0 + returns) == pytest.approx(1.0001 ** (minutes - 1))


def test_columns_have_the_same_types_whether_there_are_rows_or_not(two_trades, tmp_path):
    never = run(frame([100.0] * 5, [100.01] * 5), np.zeros(5))
    for name in ("trades", "fills", "equity"):
        empty, full = getattr(never, name), getattr(two_trades, name)
        assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    paths = never.to_parquet(tmp_path)
    assert len(pd.read_parquet(paths["trades"])) == 0
    assert str(two_trades.trades.exit_time.dtype) == "datetime64[ns, UTC]"


def test_frames_and_metrics_come_back_from_the_folder(two_trades, tmp_path):
    paths = two_trades.to_parquet(tmp_path / "out")
    for name in ("trades", "equity", "fills"):
        pd.testing.assert_frame_equal(pd.read_parquet(paths[name]), getattr(two_trades, name))
    told = json.loads(paths["metrics"].read_text())
    assert told["metrics"]["trades"] == 2
    assert told == json.loads(json.dumps(two_trades.as_dict()))
