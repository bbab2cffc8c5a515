"""The mixture of forecasters against its formula, and what it promises."""

import numpy as np
import pytest

from alphaseeker._jit import kernel
from alphaseeker.errors import ModelError
from alphaseeker.model.adaptive import (
    DEFAULT_ADAPTATION,
    allocate_adaptive,
    check_adaptation,
    mix_step,
)
from alphaseeker.model.adaptive_labels import note_step, settle_step
from oracles.adaptive import mixture

SECOND = 1_000_000_000
PRIOR = (0.25, 0.35, 0.4)
FIXED = {"kind": "fixed_horizon", "horizon_s": 8.0, "threshold": 3e-4}
BARRIERS = {"kind": "triple_barrier", "horizon_s": 8.0, "take_profit": 6e-4, "stop_loss": 5e-4}


@kernel
def _run(records, timestamp, segment, price, asked, probabilities):
    adaptive = records[0]
    for i in range(len(timestamp)):
        settle_step(adaptive, timestamp[i], segment[i], price[i], i)
        if asked[i]:
            mix_step(adaptive, probabilities[i])
            note_step(adaptive, i)


def stream(rows, *, seed, step_s=1.0, segments=1, spread=1.0):
    """Random walks with gaps between ticks, and probabilities that know a part of what comes."""
    random = np.random.default_rng(seed)
    gaps = random.exponential(step_s, rows) * (random.random(rows) > 0.1)  # some stamps are equal
    timestamp = np.cumsum(np.rint(gaps * 10) * SECOND // 10).astype(np.int64) + SECOND
    price = 100.0 * np.exp(np.cumsum(random.normal(0, 2e-4, rows) * (random.random(rows) > 0.3)))
    segment = np.sort(random.integers(0, segments, rows))
    logits = spread * random.normal(size=(rows, 3)) + np.log(PRIOR)
    given = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return timestamp, segment, price, random.random(rows) > 0.1, given


def answers(data, target, settings=DEFAULT_ADAPTATION, **changed):
    """Run the kernel; return the record and the probabilities."""
    record = allocate_adaptive(settings, prior=PRIOR, target=target, **changed)
    timestamp, segment, price, asked, given = data
    found = given.copy()
    _run(record, timestamp, segment, price, asked, found)
    return record, found


def expected(data, target, settings=DEFAULT_ADAPTATION, **changed):
    """Do the same by the oracle; rows that were not asked keep what was given."""
    timestamp, segment, price, asked, given = data
    rows = [
        {"timestamp": t, "segment": s, "price": p, "given": g if a else None}
        for t, s, p, a, g in zip(
            timestamp.tolist(),
            segment.tolist(),
            price.tolist(),
            asked.tolist(),
            given.tolist(),
            strict=True,
        )
    ]
    plain = {**target, "horizon": round(target["horizon_s"] * SECOND)}
    found = mixture(rows, PRIOR, plain, settings, **changed)
    return np.array([g if f is None else f for g, f in zip(given, found, strict=True)])


@pytest.mark.parametrize("target", [FIXED, BARRIERS], ids=["fixed", "barriers"])
@pytest.mark.parametrize(
    ("step_s", "coarse"), [(0.3, False), (1.0, False), (6.0, False), (12.0, True)]
)
def test_the_steps_do_what_the_formula_says(target, step_s, coarse):
    data = stream(600, seed=1, step_s=step_s, segments=4)
    record, found = answers(data, target, coarse=coarse)
    np.testing.assert_allclose(found, expected(data, target, coarse=coarse), rtol=1e-9, atol=0)
    assert record["learnt"][0] > 50
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)


def test_each_setting_has_its_effect():
    data = stream(400, seed=2)
    plain = answers(data, FIXED)[1]
    for name, value in (("stay", 0.5), ("share", 0.1), ("half_life", 5.0), ("prior_labels", 2.0)):
        settings = {**DEFAULT_ADAPTATION, name: value}
        found = answers(data, FIXED, settings)[1]
        np.testing.assert_allclose(found, expected(data, FIXED, settings), rtol=1e-9)
        assert np.abs(found - plain).max() > 1e-3


def test_no_answer_knows_of_what_comes_later():
    data = stream(300, seed=3)
    whole = answers(data, FIXED)[1]
    timestamp, segment, price, asked, given = data
    for cut in (50, 120, 299):
        other = price.copy()
        other[cut:] *= np.exp(np.linspace(0.0, 0.1, len(price) - cut))
        changed = answers((timestamp, segment, other, asked, given), FIXED)[1]
        assert changed[:cut].tobytes() == whole[:cut].tobytes()


def losses(probabilities, label):
    """Return the mean log loss."""
    return -np.log(probabilities[np.arange(len(label)), label]).mean()


def independent(rows, *, seed, truth, said):
    """Rows a horizon apart whose class follows ``truth`` times the logits, and what is said."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, 3))
    true, given = (np.exp(scale * logits + np.log(PRIOR)) for scale in (truth, said))
    true /= true.sum(axis=1, keepdims=True)
    given /= given.sum(axis=1, keepdims=True)
    label = (random.random(rows)[:, None] > true.cumsum(axis=1)[:, :2]).sum(axis=1)
    # A mid that makes the class: the row's label ends at the next row, half a second later.
    price = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum((label[:-1] - 1.0) * 1e-3)]))
    timestamp = (1 + np.arange(rows)) * 8 * SECOND
    return (timestamp, np.zeros(rows, np.int64), price, np.ones(rows, np.bool_), given), label


@pytest.mark.parametrize(
    ("truth", "said"), [(0.0, 1.5), (1.0, 1.0), (1.5, 0.75), (0.4, 0.8), (0.05, 0.05)]
)
def test_it_costs_no_more_than_the_bound_against_any_forecaster(truth, said):
    rows = 3_000
    data, label = independent(rows, seed=4, truth=truth, said=said)
    found = answers(data, FIXED)[1]
    prior = np.tile(PRIOR, (rows, 1))
    # One label is always open; its cost comes to the bound of a mixture without delay.
    late = 2.0 * np.abs(np.log(data[4] / prior)).max() / rows
    for power in (0.0, 0.25, 0.5, 1.0, 2.0):
        rival = prior * (data[4] / prior) ** power
        rival /= rival.sum(axis=1, keepdims=True)
        weight = (
            DEFAULT_ADAPTATION["stay"] if power == 1.0 else (1 - DEFAULT_ADAPTATION["stay"]) / 9
        )
        allowed = (-np.log(weight)) / rows + DEFAULT_ADAPTATION["share"] + late
        assert losses(found, label) <= losses(rival, label) + allowed


def test_shares_of_hold_are_followed():
    random = np.random.default_rng(5)
    rows = 1_000
    data, _ = independent(rows, seed=5, truth=0.0, said=0.0)
    timestamp, segment, _, asked, given = data
    moves = np.where(random.random(rows) < 0.85, 0.0, np.sign(random.normal(size=rows)) * 1e-3)
    price = 100.0 * np.exp(np.cumsum(moves))
    record, found = answers((timestamp, segment, price, asked, given), FIXED)
    assert found[500:, 1].mean() == pytest.approx(0.85, abs=0.06)
    sides = found[:, 0] / (found[:, 0] + found[:, 2])
    np.testing.assert_allclose(sides, PRIOR[0] / (PRIOR[0] + PRIOR[2]), rtol=1e-12)
    assert record["learnt"][0] > 900


def test_what_was_fitted_on_is_not_noted():
    data = stream(300, seed=6)
    moment = int(data[0][200])
    found = answers(data, FIXED, since=moment)[1]
    assert found[:200].tobytes() == data[4][:200].tobytes()
    assert np.abs(found[220:] - data[4][220:]).max() > 1e-4


def test_scores_without_a_number_stay_what_they_are():
    data = stream(300, seed=7)
    data[4][:] = (np.nan, np.nan, np.nan)
    data[3][:] = False
    data[3][100] = True
    assert np.isnan(answers(data, FIXED)[1][100]).all()


def test_a_class_without_any_probability_may_come():
    data = stream(400, seed=8)
    data[4][:] = (1.0, 0.0, 0.0)
    record, found = answers(data, FIXED)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)
    # Of the forecasters only those of power 0 can have foretold what came.
    assert found[-1, 1] > 0.2
    assert record["learnt"][0] > 100


@pytest.mark.parametrize(
    ("settings", "target", "prior"),
    [
        (None, FIXED, PRIOR),
        (DEFAULT_ADAPTATION, {}, PRIOR),
        (DEFAULT_ADAPTATION, {**FIXED, "threshold": None}, PRIOR),
        (DEFAULT_ADAPTATION, FIXED, (0.0, 0.5, 0.5)),
    ],
)
def test_it_is_off_where_nothing_can_be_followed(settings, target, prior):
    assert allocate_adaptive(settings, prior=prior, target=target)["active"][0] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"stay": 1.0},
        {"share": 0.0},
        {"share": True},
        {"half_life": "long"},
        {"half_life": 10**400},
        {"half_life": float("inf")},
        {"prior_labels": float("nan")},
        {"prior_labels": None},
    ],
)
def test_settings_that_cannot_be_used_are_refused(wrong):
    with pytest.raises(ModelError, match=f"calibration adaptive has {next(iter(wrong))}"):
        check_adaptation({**DEFAULT_ADAPTATION, **wrong})


def test_labels_that_no_time_stamp_ends_are_not_noted():
    data = stream(300, seed=9)
    late = np.iinfo(np.int64).max - data[0][-1]  # the last tick comes at the last moment there is
    record, found = answers((data[0] + late, *data[1:]), FIXED)
    until = int(np.searchsorted(data[0], data[0][-1] - 8 * SECOND, side="right"))
    sooner, expected = answers(data, FIXED)
    assert found[:until].tobytes() == expected[:until].tobytes()
    assert 0 < record["learnt"][0] <= sooner["learnt"][0]
    assert np.isfinite(found).all()


def test_a_million_labels_leave_every_forecaster_a_chance():
    rows = 1_000_000
    data, _ = independent(rows, seed=10, truth=0.0, said=1.5)
    record, found = answers(data, FIXED)
    assert record["learnt"][0] == rows - 2  # the last two ends are not past
    assert record["weights"].sum() == pytest.approx(1.0, rel=1e-12)
    least = DEFAULT_ADAPTATION["share"] * (1.0 - DEFAULT_ADAPTATION["stay"]) / 9
    assert record["weights"].min() >= 0.999 * least
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)
