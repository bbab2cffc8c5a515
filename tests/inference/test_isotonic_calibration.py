"""A model with isotonic knots serves the same bits in a session, in a batch and as a matrix."""

import dataclasses

import numpy as np
import pytest

from alphaseeker.inference.explanation import explain
from alphaseeker.inference.rows import run_rows
from alphaseeker.inference.served_model import serve
from alphaseeker.inference.session import Session
from alphaseeker.market.readers import read_ticks
from alphaseeker.model.decision import allocate_decision, decide
from alphaseeker.model.isotonic import apply_isotonic
from ticks import quotes

ROWS = 700
KNOTS = {
    "positions": [np.linspace(0.1, 0.6, 64).tolist(), [0.2, 0.5], [0.25, 0.4]],
    "values": [np.linspace(0.15, 0.7, 64).tolist(), [0.2, 0.4], [0.2, 0.6]],
}


@pytest.fixture(scope="module")
def models(trained):
    """The small model as it is, and with knots."""
    from alphaseeker.config import load_config
    from alphaseeker.model.artifact import load_artifact

    config = load_config(None, {"TRADE_WITHOUT_EDGE": True, "MIN_CONFIDENCE": 0.0}).inference
    artifact = load_artifact(trained[0])
    bent = {**artifact.calibration, "isotonic": KNOTS}
    return [
        serve(item, config) for item in (artifact, dataclasses.replace(artifact, calibration=bent))
    ]


def probabilities_of(signals):
    return np.array([(s.p_sell, s.p_hold, s.p_buy) for s in signals])


def test_session_batch_and_matrix_agree_to_the_last_bit(models, market):
    plain, bent = models
    frame = market.head(ROWS)
    session = Session("", bent)
    live, asked = [], []
    for row in quotes(frame):
        live.append(session.update(*row))
        asked.append(session.features.copy())
    columns = [name for name in frame if name not in ("buy_volume", "sell_volume", "session")]
    batch = run_rows(Session("", bent), read_ticks(frame[columns])[0])
    assert [batch.signal(row) for row in range(ROWS)] == live

    ready = [number for number, signal in enumerate(live) if signal.confidence > 0.0]
    assert len(ready) > 100
    scores = bent.predictor.predict_matrix(np.array(asked)[ready])
    matrix, choices = decide(bent.decision, scores)
    found = probabilities_of(live)[ready]
    assert found.tobytes() == matrix.tobytes()
    assert [int(live[number].side) for number in ready] == [
        {0: -1, 2: 1}.get(choice, 0) for choice in choices.tolist()
    ]
    tempered, _ = decide(plain.decision, scores)
    assert found.tobytes() == apply_isotonic(KNOTS, tempered).tobytes()
    assert not np.array_equal(found, tempered)


def test_a_signal_with_knots_is_explained(models, market):
    session = Session("SIMULATED", models[1])
    for row in quotes(market.head(ROWS)):
        signal = session.update(*row)
    found = explain(session, signal)
    scores = np.array([[found["raw_scores"][name] for name in ("SELL", "HOLD", "BUY")]])
    calibration = models[1].artifact.calibration
    assert calibration["isotonic"] == KNOTS
    wanted, _ = decide(allocate_decision(calibration), scores)
    np.testing.assert_allclose(probabilities_of([signal]), wanted, rtol=1e-9)


def test_a_session_takes_knots_over_and_drops_them(models, market):
    plain, bent = models
    frame = list(quotes(market.head(ROWS + 40)))
    session = Session("", plain)
    for row in frame[:ROWS]:
        session.update(*row)
    for model in (bent, plain):
        other = Session("", model)
        for row in frame[:ROWS]:
            other.update(*row)
        session.hand_over(model)
        session.adopt()
        start = ROWS if model is bent else ROWS + 20
        for row in frame[ROWS:start]:
            other.update(*row)
        for row in frame[start : start + 20]:
            assert session.update(*row) == other.update(*row)
