"""The sessions of an engine: how many, and symbols that the model does not know."""

import pytest

from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.errors import DataError, StateError
from ticks import tick


def named(symbol, seconds=3):
    return [tick(second, symbol=symbol) for second in range(seconds)]


def test_a_symbol_of_another_market_is_counted_and_warned_of_once(engine, caplog):
    for row in (*named("DOGEUSDT"), *named("SIMULATED"), *named("")):
        engine.predict(row, replay=True)
    for _ in range(2):
        engine.predict_batch(named("DOGEUSDT"))
    assert sum("DOGEUSDT" in record.getMessage() for record in caplog.records) == 1
    counts = engine.get_performance_stats()["inference_performance"]["filter_counts"]
    assert counts["unknown_symbol"] == 3
    message = engine.health_check()["components"]["inference"]["message"]
    assert "1 of symbols that the model was not trained on ('DOGEUSDT')" in message


def test_where_it_is_to_be_refused_it_is_in_every_way(trained):
    engine = AlphaSeekerMLEngine(load_config(None, {"UNKNOWN_SYMBOL": "refuse"}))
    engine.load_model(trained[0])
    rows = named("DOGEUSDT")
    for call in (
        lambda: engine.predict(rows[0], replay=True),
        lambda: engine.predict_batch(rows),
        lambda: list(engine.predict_stream(rows)),
        lambda: engine.warm_up(rows),
        lambda: engine.session("DOGEUSDT"),
    ):
        with pytest.raises(DataError, match=r"'DOGEUSDT' is not among those .*'SIMULATED'"):
            call()
    assert len(engine.predict_batch(named("SIMULATED"))) == 3


def test_a_new_model_is_warned_of_anew(engine, trained, caplog):
    engine.predict_batch(named("DOGEUSDT"))
    engine.load_model(trained[0])
    engine.predict_batch(named("DOGEUSDT"))
    assert sum("DOGEUSDT" in record.getMessage() for record in caplog.records) == 2


def test_a_batch_takes_no_room_of_live_sessions(trained):
    engine = AlphaSeekerMLEngine(load_config(None, {"MAX_SESSIONS": 1}))
    engine.load_model(trained[0])
    engine.predict(tick(0), replay=True)
    rows = [row for symbol in "ABC" for row in named(symbol)]
    assert len(engine.predict_batch(rows)) == 9
    with pytest.raises(StateError, match="MAX_SESSIONS; raise it with update_config"):
        engine.session("A")
    engine.update_config({"MAX_SESSIONS": 2})
    assert engine.session("A").symbol == "A"
