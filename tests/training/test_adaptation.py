"""Adapted probabilities: of held-back rows as of live ticks, bit for bit."""

import dataclasses

import numba
import numpy as np
import pytest

from alphaseeker.config import Config, InferenceConfig
from alphaseeker.features.batch import compute_features
from alphaseeker.features.settings import settings_from_plain
from alphaseeker.inference import NO_LEVELS, step
from alphaseeker.inference.rows import run_rows
from alphaseeker.inference.served_model import serve
from alphaseeker.inference.session import Session
from alphaseeker.market.readers import read_ticks
from alphaseeker.model.adaptive import DEFAULT_ADAPTATION
from alphaseeker.model.artifact import load_artifact
from alphaseeker.model.decision import allocate_decision, probabilities_of
from alphaseeker.training.adaptation import adapt
from alphaseeker.training.answers import columns_of
from alphaseeker.training.dataset import join_blocks, warm_rows
from alphaseeker.training.fit import raw_scores
from alphaseeker.training.row_matrix import RowMatrix, score_rows
from alphaseeker.training.target import target_from_dict
from ticks import quotes

FIRST = 4_000


def artifact_of(path, **target):
    """Return the small model as if it had been fitted on the first rows, with another label."""
    artifact = load_artifact(path)
    return dataclasses.replace(artifact, target={**artifact.target, **target})


def fitted_until(artifact, moment):
    ranges = {"train": [0, 1], "validation": [1, 2], "test": [moment, moment]}
    return dataclasses.replace(artifact, training={**artifact.training, "ranges": ranges})


@pytest.fixture(scope="module")
def block(trained, market):
    """Features of the small market as the model wants them, with a gap and a second session."""
    artifact = load_artifact(trained[0])
    series = read_ticks(market)[0]
    series.ticks["timestamp"][9_000:] += 3_600 * 1_000_000_000
    return series, compute_features(series, settings=settings_from_plain(artifact.settings, ()))


def held_back(block, artifact, *, first=FIRST):
    """Return row numbers and adapted probabilities from ``first`` on."""
    _, features = block
    target = target_from_dict(artifact.target)
    rows = join_blocks([features], target)
    ready = Config().inference.READY_HISTORY_S
    warm = warm_rows([features], artifact.feature_names, ready_history_s=ready)
    chosen = np.flatnonzero(rows.asked & warm)
    chosen = chosen[chosen >= first]
    matrix = RowMatrix([features], chosen, columns_of([features], artifact.feature_names))
    scores = score_rows(raw_scores(artifact.model_text), matrix)
    plain = probabilities_of(allocate_decision(artifact.calibration), scores)
    adapted = adapt(
        [features],
        chosen,
        plain,
        calibration=artifact.calibration,
        prior=artifact.class_prior,
        target=artifact.target,
        reference=artifact.training["reference"],
    )
    return features.row[chosen] - 1, plain, adapted


BARRIERS = {"kind": "triple_barrier", "threshold": None, "take_profit": 3e-4, "stop_loss": 2e-4}


@pytest.mark.parametrize("target", [{}, {"label_price": "close"}, BARRIERS])
def test_an_evaluation_gives_what_a_session_gives(trained, block, target):
    artifact = artifact_of(trained[0], **target)
    artifact = fitted_until(artifact, int(block[0].ticks["timestamp"][FIRST]))
    rows, plain, adapted = held_back(block, artifact)
    assert np.abs(adapted - plain).max() > 1e-3
    batch = run_rows(Session("SIMULATED", serve(artifact, InferenceConfig())), block[0])
    assert batch.probabilities[rows].tobytes() == adapted.tobytes()
    off = serve(artifact, InferenceConfig(ADAPTIVE_CALIBRATION=False))
    still = run_rows(Session("SIMULATED", off), block[0])
    np.testing.assert_allclose(still.probabilities[rows], plain, rtol=0, atol=1e-12)


def test_live_ticks_a_snapshot_and_rows_of_a_file_give_the_same_bits(trained, block, market):
    artifact = fitted_until(artifact_of(trained[0]), int(block[0].ticks["timestamp"][FIRST]))
    model = serve(artifact, InferenceConfig())
    series = dataclasses.replace(block[0], ticks=block[0].ticks[:9_000], rows=block[0].rows[:9_000])
    batch = run_rows(Session("SIMULATED", model), series).probabilities
    session = Session("SIMULATED", model)
    found = []
    for number, values in enumerate(quotes(market.iloc[:9_000])):
        if number in (FIRST + 500, FIRST + 777):
            other = Session("SIMULATED", model)
            other.restore(session.snapshot())
            session = other
        signal = session.update(*values)
        found.append((signal.p_sell, signal.p_hold, signal.p_buy))
    assert np.array(found).tobytes() == batch.tobytes()
    assert session.memory["adaptive"]["learnt"][0] > 100
    session.reset()
    assert session.memory["adaptive"]["learnt"][0] == 0


def test_a_model_without_the_setting_answers_as_it_always_did(trained, block):
    artifact = artifact_of(trained[0])
    assert artifact.calibration["adaptive"] == DEFAULT_ADAPTATION
    old = {key: value for key, value in artifact.calibration.items() if key != "adaptive"}
    artifact = fitted_until(dataclasses.replace(artifact, calibration=old), 0)
    rows, plain, adapted = held_back(block, artifact)
    assert adapted.tobytes() == plain.tobytes()
    found = run_rows(Session("SIMULATED", serve(artifact, InferenceConfig())), block[0])
    np.testing.assert_allclose(found.probabilities[rows], plain, rtol=0, atol=1e-12)


def test_symbols_learn_apart(trained, block):
    artifact = artifact_of(trained[0])
    _, features = block
    rows, plain, adapted = held_back(block, artifact)
    chosen = np.flatnonzero(np.isin(features.row - 1, rows))
    both = adapt(
        [features, features],
        np.concatenate([chosen, chosen + len(features)]),
        np.concatenate([plain, plain]),
        calibration=artifact.calibration,
        prior=artifact.class_prior,
        target=artifact.target,
        reference=artifact.training["reference"],
    )
    assert both.tobytes() == np.concatenate([adapted, adapted]).tobytes()


@numba.njit
def replayed(state, levels, stamps, values):
    """What a loop of the user's own is answered."""
    found = np.empty((len(stamps), 3))
    for i in range(len(stamps)):
        q = values[i]
        answer = step(
            state, levels, stamps[i], 0, q[0], q[1], q[2], q[3], q[4], q[5], np.nan, np.nan
        )
        found[i, 0], found[i, 1], found[i, 2] = answer.p_sell, answer.p_hold, answer.p_buy
    return found


def untidy(market):
    """Ticks that the gate holds, repeats and marks among good ones, and a gap."""
    frame = market.iloc[:5_000].copy()
    every = np.arange(len(frame))
    frame.loc[every % 53 == 7, "ask_price"] = frame["bid_price"] * 0.999  # crossed
    frame.loc[every % 61 == 9, "ask_price"] = frame["bid_price"]  # locked
    frame.loc[every % 67 == 3, "bid_volume"] = 0.0  # a side that is empty
    far = every % 71 == 5  # a jump that nothing confirms
    frame.loc[far, ["bid_price", "ask_price"]] *= 1.5
    stamps = frame["timestamp"].to_numpy().copy()
    stamps[3_000:] += np.timedelta64(2_000, "s")
    stamps[every % 73 == 11] -= np.timedelta64(30, "s")  # late
    stamps[every % 79 == 13] = stamps[np.flatnonzero(every % 79 == 13) - 1]  # at once
    return frame.assign(timestamp=stamps).iloc[np.repeat(every, 1 + (every % 17 == 2))]


@pytest.mark.parametrize("target", [{}, BARRIERS])
def test_ticks_that_the_gate_holds_teach_the_same_everywhere(trained, market, target):
    frame = untidy(market)
    series = read_ticks(frame)[0]
    artifact = artifact_of(trained[0], **target)
    artifact = fitted_until(artifact, int(series.ticks["timestamp"][1_000]))
    features = compute_features(series, settings=settings_from_plain(artifact.settings, ()))
    session = Session("SIMULATED", serve(artifact, InferenceConfig()))
    found = []
    for values in quotes(frame):
        signal = session.update(*values)
        found.append((signal.p_sell, signal.p_hold, signal.p_buy))
    assert session.memory["adaptive"]["learnt"][0] > 100
    batch = run_rows(Session("SIMULATED", serve(artifact, InferenceConfig())), series)
    assert np.array(found).tobytes() == batch.probabilities.tobytes()
    own = Session("SIMULATED", serve(artifact, InferenceConfig()))
    stamps = frame["timestamp"].astype("int64").to_numpy()
    values = np.array([row[1:] for row in quotes(frame)])
    assert replayed(own.state, NO_LEVELS, stamps, values).tobytes() == batch.probabilities.tobytes()
    since = artifact.training["ranges"]["test"][0]
    first = int(np.flatnonzero(features.timestamp >= since)[0])
    rows, _, adapted = held_back((series, features), artifact, first=first)
    assert batch.probabilities[rows].tobytes() == adapted.tobytes()


def test_a_snapshot_of_a_session_that_did_not_adapt_begins_afresh(trained, block, market):
    artifact = fitted_until(artifact_of(trained[0]), 0)
    still = Session("SIMULATED", serve(artifact, InferenceConfig(ADAPTIVE_CALIBRATION=False)))
    session = Session("SIMULATED", serve(artifact, InferenceConfig()))
    for values in quotes(market.iloc[:1_500]):
        still.update(*values)
        session.update(*values)
    adaptive = session.memory["adaptive"]
    assert adaptive["learnt"][0] > 0
    session.restore(still.snapshot())
    assert (adaptive["active"][0], adaptive["learnt"][0]) == (1, 0)
    again = session.snapshot()
    session.restore(again)
    still.restore(again)
    assert still.memory["adaptive"]["active"][0] == 0


def test_what_was_learnt_outlives_other_settings_but_not_its_own(trained, market):
    artifact = fitted_until(artifact_of(trained[0]), 0)
    session = Session("SIMULATED", serve(artifact, InferenceConfig()))
    rows = list(quotes(market.iloc[:1_503]))
    for values in rows[:1_500]:
        session.update(*values)
    adaptive = session.memory["adaptive"]
    learnt = int(adaptive["learnt"][0])
    found = []
    for values, settings in zip(
        rows[1_500:],
        ({"MIN_CONFIDENCE": 0.9}, {"ADAPTIVE_CALIBRATION": False}, {"ADAPTIVE_CALIBRATION": True}),
        strict=True,
    ):
        assert session.hand_over(serve(artifact, InferenceConfig(**settings)))
        session.update(*values)
        found.append((int(adaptive["active"][0]), int(adaptive["learnt"][0])))
    assert found[0][0] == 1
    assert found[0][1] >= learnt > 0
    assert found[1:] == [(0, 0), (1, 0)]
