"""A backtest of a model, and of signals of one's own."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from alphaseeker.backtest import Backtest, BacktestResult
from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import ConfigError, DataError, StateError
from alphaseeker.market.readers import read_ticks
from alphaseeker.market.simulator import START_NS, simulate_frame
from known_markets import frame, run, without_model

# Costs that let the small model trade often.
SETTINGS = {
    "TRADE_WITHOUT_EDGE": True,
    "MIN_CONFIDENCE": 0.0,
    "TRANSACTION_COST_PCT": 0.00002,
    "READY_HISTORY_S": 60,
}
ROWS = 2_500


@pytest.fixture(scope="module")
def later():
    """SIMULATED quotes of a time after the training, with some of all that the gate judges."""
    data = simulate_frame(
        ROWS, seed=21, signal_strength=0.5, start_ns=START_NS + 10 * 86_400 * 10**9
    ).drop(columns=["buy_volume", "sell_volume"])
    data.loc[700, "bid_price"] = data.loc[700, "ask_price"] + 1.0  # crossed
    data.loc[800, "bid_volume"] = 0.0  # an empty side
    data.loc[900] = data.loc[899]  # repeated
    data.loc[1_000, "timestamp"] -= pd.Timedelta(seconds=20)  # out of order
    data.loc[1_100, "close"] = np.nan  # refused
    return data


@pytest.fixture
def engine(trained):
    engine = AlphaSeekerMLEngine(load_config(None, SETTINGS))
    engine.load_model(trained[0])
    return engine


def rows_of(data):
    stamps = data["timestamp"].astype("int64").tolist()
    for stamp, row in zip(stamps, data.to_dict("records"), strict=True):
        yield stamp, {**row, "timestamp": stamp}


def test_nothing_live_is_touched(engine, later):
    engine.predict(next(rows_of(later))[1], replay=True)
    before = engine.risk_manager.state_bytes(), engine.session("SIMULATED").snapshot()
    Backtest(engine).run(later)
    assert (engine.risk_manager.state_bytes(), engine.session("SIMULATED").snapshot()) == before
    assert len(engine.history) == 1


def test_the_session_in_the_loop_says_what_predict_batch_says(engine, later):
    result = Backtest(engine).run(later, latency_ms=0.0)
    answers = engine.predict_batch(later)
    sides = [answer["signal"] for answer in answers if answer["filter_reason"] != "refused"]
    counts = {"SELL": sides.count(-1), "HOLD": sides.count(0), "BUY": sides.count(1)}
    assert result.metrics["signals"] == counts


def test_given_the_models_own_signals_the_trades_are_the_same(engine, later):
    answers = engine.predict_batch(later)
    signals = {
        "strengths": [answer["signal_strength"] for answer in answers],
        "p_up": [answer["probabilities"]["BUY"] for answer in answers],
        "p_down": [answer["probabilities"]["SELL"] for answer in answers],
    }
    sides = [answer["signal"] for answer in answers]
    given = Backtest(engine).run_signals(later, sides, **signals)
    pd.testing.assert_frame_equal(given.trades, Backtest(engine).run(later).trades)


def test_a_model_that_reads_depth_and_sides(deep_engine, deep_market):
    result = Backtest(deep_engine).run(deep_market)
    answers = deep_engine.predict_batch(deep_market)
    sides = [answer["signal"] for answer in answers]
    assert result.metrics["signals"]["BUY"] == sides.count(1)
    assert isinstance(result, BacktestResult)


def test_damaged_depth_is_refused_or_told(deep_engine, deep_market):
    data = deep_market.head(600).copy()
    data.loc[450, "ask_volume_3"] = np.nan
    with pytest.raises(DataError, match="1 of 600 rows have a damaged level of depth"):
        Backtest(deep_engine).run(data)
    with pytest.raises(DataError, match="1 of 600 rows have a damaged level of depth"):
        Backtest(deep_engine).run_signals(data, np.zeros(600))
    deep_engine.update_config({"MAX_BAD_RATIO": 0.01})
    result = Backtest(deep_engine).run_signals(data, np.zeros(600))
    assert "ask_volume_3 is nan" in result.warnings[-1]
    assert Backtest(deep_engine).run(data).metrics["ticks"] == 600


def test_rows_of_the_training_are_counted_and_warned_of(engine, market, later, caplog):
    result = Backtest(engine).run(market)
    assert result.metrics["rows_in_training"] == len(market)
    assert result.warnings[0].startswith(f"IN SAMPLE: {len(market):,} of {len(market):,} rows")
    assert "IN SAMPLE" in caplog.text
    clean = Backtest(engine).run(later)
    assert clean.metrics["rows_in_training"] == 0
    assert not any("IN SAMPLE" in warning for warning in clean.warnings)


def test_other_fees_than_those_of_the_training_are_warned_of(engine, later):
    (warning,) = Backtest(engine).run(later).warnings
    assert warning.startswith(
        "fees differ: 0.0020% a side are paid here, the model was made for 0.05"
    )
    cost = engine.served_model.artifact.target["transaction_cost"]
    engine.risk_manager.configure(replace(engine.config.risk, TRANSACTION_COST_PCT=cost))
    assert not any("fees" in warning for warning in Backtest(engine).run(later).warnings)


def test_a_model_without_an_edge_abstains(trained, later):
    engine = AlphaSeekerMLEngine(load_config(None, {**SETTINGS, "TRADE_WITHOUT_EDGE": False}))
    engine.load_model(trained[0])
    model = engine.served_model
    object.__setattr__(model, "abstain", True)
    result = Backtest(engine).run(later)
    assert result.metrics["trades"] == 0
    assert "abstains" in result.warnings[0]


def test_a_model_that_holds_always_says_so(trained, later):
    engine = AlphaSeekerMLEngine(load_config(None, {**SETTINGS, "MIN_CONFIDENCE": 1.0}))
    engine.load_model(trained[0])
    result = Backtest(engine).run(later)
    assert result.metrics["trades"] == 0
    assert result.warnings[0].startswith("the model holds always")
    assert result.warnings[-1].startswith("no trade: none of 2,499 signals")


def test_a_symbol_that_the_engine_refuses_is_refused_here_too(trained, later):
    engine = AlphaSeekerMLEngine(load_config(None, {**SETTINGS, "UNKNOWN_SYMBOL": "refuse"}))
    engine.load_model(trained[0])
    with pytest.raises(DataError, match="not trained on 'SECOND'"):
        Backtest(engine).run(later.assign(symbol="SECOND"))
    assert Backtest(engine).run(later).metrics["ticks"] == ROWS


def test_every_symbol_has_a_session_of_its_own(engine, later):
    second = later.assign(symbol="SECOND", timestamp=later.timestamp + pd.Timedelta("0.3s"))
    second[["bid_price", "ask_price", "close"]] *= 2.0
    both = pd.concat([later, second])
    result = Backtest(engine).run(both)
    alone = [Backtest(engine).run(one).metrics["signals"] for one in (later, second)]
    assert result.metrics["signals"] == {
        side: alone[0][side] + alone[1][side] for side in ("SELL", "HOLD", "BUY")
    }
    assert set(result.trades.symbol) == {"SIMULATED", "SECOND"}
    assert result.trades.net_pnl.sum() == pytest.approx(result.metrics["net_pnl"], abs=1e-7)
    assert any("not trained on 'SECOND'" in warning for warning in result.warnings)


# ---- settings -----------------------------------------------------------------------------------


def test_LATENCY_MS_is_the_latency_where_none_is_given(engine, later):
    late = engine.config.override({"LATENCY_MS": 2_500.0})
    engine.config = late
    result = Backtest(engine).run(later)
    assert result.settings["latency_ms"] == 2_500.0
    assert ((result.fills.time - result.fills.decided).dt.total_seconds()[:-1] == 2.5).all()


def test_INITIAL_EQUITY_is_the_equity_where_none_is_given(engine, later):
    engine.config = engine.config.override({"INITIAL_EQUITY": 500.0})
    result = Backtest(engine).run(later)
    assert result.metrics["initial_equity"] == result.equity.equity.iloc[0] == 500.0
    assert (result.fills["size"] * result.fills.price).max() < 505.0


# ---- funding ------------------------------------------------------------------------------------


def test_funding_rates_are_read_and_missing_ones_are_not_known(tmp_path):
    data = frame([100.0] * 3, [100.01] * 3)
    data.assign(funding_rate=[0.0001, np.nan, 0.0002]).to_parquet(tmp_path / "b.parquet")
    data.assign(timestamp=data.timestamp - pd.Timedelta("1h")).to_parquet(tmp_path / "a.parquet")
    (series,) = read_ticks(tmp_path)
    expected = [np.nan, np.nan, np.nan, 0.0001, np.nan, 0.0002]
    np.testing.assert_array_equal(series.funding, expected)
    assert read_ticks(data)[0].funding is None


# ---- wrong use ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"latency_ms": -1.0}, "latency_ms is -1.0"),
        ({"latency_ms": float("nan")}, "latency_ms is nan"),
        ({"equity": 0.0}, "equity is 0.0"),
        ({"equity": float("inf")}, "equity is inf"),
    ],
)
def test_a_wrong_setting_says_what_is_allowed(wrong, says):
    with pytest.raises(ConfigError, match=says):
        run(frame([100.0] * 3, [100.01] * 3), [0, 0, 0], **wrong)


@pytest.mark.parametrize(
    ("signals", "says"),
    [
        ({"sides": [0, 0]}, r"shape \(2,\), the data has 3 rows"),
        ({"sides": [0, 2, 0]}, "other values than 1, 0 and -1"),
        ({"sides": {"B": [0, 0, 0]}}, "nothing for 'A'"),
        (
            {"sides": [0, 0, 0], "strengths": [0.0, 2.0, 0.0]},
            "strengths of 'A' must be from 0 to 1",
        ),
        ({"sides": [0, 0, 0], "p_up": [0.1, -1.0, 0.0]}, "p_up of 'A' must be from 0 to 1"),
        ({"sides": [0] * 3, "p_up": [0.9] * 3, "p_down": [0.2] * 3}, "add up to more than 1"),
    ],
)
def test_signals_that_do_not_fit_are_refused(signals, says):
    with pytest.raises(DataError, match=says):
        Backtest(without_model()).run_signals(frame([100.0] * 3, [100.01] * 3), **signals)


def test_signals_of_several_symbols_come_in_the_order_of_the_rows():
    one, two = frame([100.0] * 4, [100.01] * 4), frame([50.0] * 4, [50.01] * 4, symbol="B")
    two["timestamp"] += pd.Timedelta(milliseconds=400)
    data = pd.concat([one, two]).sort_values("timestamp", kind="stable")
    result = run(data, [0, 0, 0, 1, 0, 0, 0, 0], latency_ms=0.0)
    assert result.trades.symbol.tolist() == ["B"]
    assert result.trades.entry_time.iloc[0] == two.timestamp.iloc[1].tz_localize("UTC")


def test_too_many_malformed_rows_are_refused():
    data = frame([100.0] * 10, [100.01] * 10)
    data.loc[3, "bid_price"] = np.nan
    with pytest.raises(DataError, match="1 of 10 rows are malformed"):
        run(data, np.zeros(10))


def test_of_nothing_but_malformed_rows_nothing_can_be_traded():
    data = frame([100.0] * 4, [100.01] * 4).assign(bid_price=np.nan)
    with pytest.raises(DataError, match="every row of the data is malformed"):
        run(data, np.zeros(4), settings={"MAX_BAD_RATIO": 1.0})


def test_without_a_model_there_is_nothing_to_run(later):
    with pytest.raises(StateError, match="no model is loaded"):
        Backtest(AlphaSeekerMLEngine(load_config())).run(later)
