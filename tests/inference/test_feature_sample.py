"""The sample of live feature rows: which rows it keeps, and for how long."""

import dataclasses

import numpy as np
import pytest

from alphaseeker.inference.session import Session
from alphaseeker.market.simulator import START_NS, simulate_frame
from ticks import quotes

LATER_NS = START_NS + 10**15


@pytest.fixture
def model(engine):
    """The small model, ready to serve."""
    return engine._pool.model


def test_rows_are_a_fixed_time_apart_and_the_latest(model):
    reference = {**model.artifact.training["reference"], "spacing_s": 7.0, "window_rows": 40}
    training = {**model.artifact.training, "reference": reference}
    artifact = dataclasses.replace(model.artifact, training=training)
    session = Session("SIMULATED", dataclasses.replace(model, artifact=artifact))
    asked = []
    for row in quotes(simulate_frame(1_500, seed=8, start_ns=LATER_NS)):
        signal = session.update(*row)
        if signal.confidence > 0.0:
            asked.append(session.features.copy())
            if len(asked) == 20:
                np.testing.assert_array_equal(session.sampled_features, asked[::7])
    wanted = asked[::7]
    assert len(wanted) > 100
    found = session.sampled_features
    assert found.shape == (40, len(model.columns))
    assert {row.tobytes() for row in found} == {row.tobytes() for row in wanted[-40:]}


def test_a_model_without_a_reference_keeps_none(model):
    training = {k: v for k, v in model.artifact.training.items() if k != "reference"}
    artifact = dataclasses.replace(model.artifact, training=training)
    session = Session("SIMULATED", dataclasses.replace(model, artifact=artifact))
    for row in quotes(simulate_frame(600, seed=8, start_ns=LATER_NS)):
        session.update(*row)
    assert session.sampled_features.shape == (0, len(model.columns))
