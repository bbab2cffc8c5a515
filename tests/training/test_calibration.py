import numpy as np
import pytest
from scipy.special import softmax

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.model.decision import allocate_decision, check_calibration, probabilities_of
from alphaseeker.training.calibration import (
    MIN_DECISIONS,
    choose_confidence,
    fit_calibration,
    fit_temperature,
)
from alphaseeker.training.dataset import join_blocks
from alphaseeker.training.metrics import expected_calibration_error, log_loss_terms
from alphaseeker.training.pipeline import train_on_blocks
from alphaseeker.training.target import target_from_config

PRIOR = (0.2, 0.5, 0.3)


def outcomes_of(probabilities, seed=0):
    uniform = np.random.default_rng(seed).random((len(probabilities), 1))
    return (uniform > probabilities.cumsum(axis=1)[:, :2]).sum(axis=1).astype(np.int8)


@pytest.mark.parametrize("uninformed", [np.log(PRIOR), np.log(np.full(3, 1 / 3)), np.zeros(3)])
def test_a_model_that_has_learnt_nothing_says_the_prior(uninformed):
    scores = np.tile(uninformed, (50, 1))
    label = np.repeat([0, 1, 2], [10, 25, 15]).astype(np.int8)
    temperature, bias = fit_temperature(scores, label, prior=PRIOR, uninformed=uninformed)
    assert softmax(scores[0] / temperature + bias) == pytest.approx(PRIOR)


def test_temperature_and_bias_undo_sharpness_and_class_weights():
    random = np.random.default_rng(1)
    learnt = random.normal(size=(40_000, 3))
    label = outcomes_of(softmax(learnt + np.log(PRIOR), axis=1))
    # Twice too sharp, and with the classes balanced away.
    thirds = np.log(np.full(3, 1 / 3))
    scores = 2.0 * learnt + thirds
    temperature, bias = fit_temperature(scores, label, prior=PRIOR, uninformed=thirds)
    assert temperature == pytest.approx(2.0, rel=0.03)
    calibrated = softmax(scores / temperature + bias, axis=1)
    assert calibrated.mean(axis=0) == pytest.approx(np.bincount(label) / len(label), abs=0.01)


def test_scores_without_any_information_are_silenced():
    random = np.random.default_rng(2)
    scores = random.normal(size=(30_000, 3))
    label = random.choice(3, p=PRIOR, size=30_000).astype(np.int8)
    temperature, bias = fit_temperature(
        scores, label, prior=PRIOR, uninformed=np.log(np.full(3, 1 / 3))
    )
    probabilities = softmax(scores / temperature + bias, axis=1)
    assert temperature > 20.0
    assert np.abs(probabilities - PRIOR).max() < 0.05


def test_scores_are_never_sharpened():
    # A thousand rows of one label span, on which the model happens to be right.
    label = np.repeat([0, 2], 500).astype(np.int8)
    scores = np.zeros((1000, 3))
    scores[np.arange(1000), label] = 1.0
    uninformed = np.log(np.full(3, 1 / 3))
    temperature, bias = fit_temperature(scores, label, prior=PRIOR, uninformed=uninformed)
    assert temperature == 1.0
    assert bias == pytest.approx((np.log(PRIOR) - uninformed).tolist())


# ---- few labels ---------------------------------------------------------------------------------

THIRDS = np.full(3, 1 / 3)


def drawn(rows, strength, noise, random):
    """Scores, classes and true probabilities: a signal of that strength, and noise beside it."""
    signal = strength * random.normal(size=(rows, 3))
    true = softmax(signal, axis=1)
    uniform = random.random((rows, 1))
    label = (uniform > true.cumsum(axis=1)[:, :2]).sum(axis=1).astype(np.int8)
    return signal + noise * random.normal(size=(rows, 3)), label, true


def excess_loss(strength, noise, labels, draws=100):
    """Mean log loss out of sample, less the prior's, of temperatures fitted on few labels."""
    random = np.random.default_rng(5)
    scores, _, true = drawn(5000, strength, noise, random)
    losses = []
    for _ in range(draws):
        few, label, _ = drawn(labels, strength, noise, random)
        temperature, bias = fit_temperature(few, label, prior=THIRDS, uninformed=np.zeros(3))
        said = softmax(scores / temperature + bias, axis=1)
        losses.append(-(true * np.log(said)).sum(axis=1).mean())
    return np.mean(losses) - np.log(3)


def test_noise_that_a_few_labels_agree_with_costs_little():
    # The same fit without a prior: .029, .015 and .0052 nats.
    assert excess_loss(0.0, 1.0, 10) < 0.0025
    assert excess_loss(0.0, 1.0, 20) < 0.0030
    assert excess_loss(0.0, 1.0, 50) < 0.0030


def test_a_signal_is_kept_with_few_labels_and_whole_with_many():
    best = excess_loss(1.0, 1.0, 20_000, draws=2)
    assert best < -0.1
    assert excess_loss(1.0, 1.0, 20) < 0.5 * best
    assert excess_loss(1.0, 1.0, 2000, draws=10) < 0.99 * best


def test_rows_of_one_label_are_worth_one_label():
    random = np.random.default_rng(6)
    scores, label, _ = drawn(40, 1.0, 2.0, random)
    once = fit_temperature(scores, label, prior=PRIOR, uninformed=THIRDS)
    fifty = np.repeat(scores, 50, axis=0), np.repeat(label, 50)
    shared = fit_temperature(
        *fifty, prior=PRIOR, uninformed=THIRDS, weights=np.full(len(fifty[1]), 1 / 50)
    )
    assert shared[0] == pytest.approx(once[0], rel=1e-3)
    counted_fifty_times = fit_temperature(*fifty, prior=PRIOR, uninformed=THIRDS)
    assert counted_fifty_times[0] < 0.8 * once[0]


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_rows_without_weight_say_nothing(method):
    random = np.random.default_rng(7)
    scores, label, _ = drawn(3000, 1.0, 1.0, random)
    kept = np.arange(3000) < 2000
    weights = np.where(kept, random.uniform(0.1, 1.0, 3000), 0.0)
    wrong = np.where(kept, label, 2 - label).astype(np.int8)
    given = {"prior": PRIOR, "uninformed": THIRDS, "method": method}
    found = fit_calibration(scores, wrong, weights=weights, **given)
    expected = fit_calibration(scores[kept], label[kept], weights=weights[kept], **given)
    assert found["temperature"] == pytest.approx(expected["temperature"], rel=1e-4)
    rows = scores[:50]
    said = [
        probabilities_of(allocate_decision({**item, "min_confidence": 0.0}), rows)
        for item in (found, expected)
    ]
    np.testing.assert_allclose(said[0], said[1], rtol=1e-3)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(4), r"shapes \(5, 3\), \(5,\) and \(4,\)"),
        (np.zeros(5), "not all 0"),
        (np.array([1.0, 1.0, 1.0, 1.0, -1.0]), "at least 0"),
        (np.array([1.0, 1.0, 1.0, 1.0, np.nan]), "finite"),
    ],
)
def test_weights_that_say_nothing_are_refused(weights, message):
    label = np.array([0, 1, 2, 1, 0], np.int8)
    with pytest.raises(DataError, match=message):
        fit_temperature(np.zeros((5, 3)), label, prior=PRIOR, uninformed=THIRDS, weights=weights)


# ---- isotonic -----------------------------------------------------------------------------------


def bent(rows, seed):
    """Scores that say no more when they are louder."""
    scores = np.random.default_rng(seed).normal(size=(rows, 3))
    return scores, outcomes_of(softmax(np.tanh(3.0 * scores), axis=1), seed)


def test_isotonic_bends_what_a_temperature_cannot():
    given = {"prior": THIRDS, "uninformed": np.zeros(3)}
    scores, happened = bent(20_000, 9)
    found = {}
    for method in ("temperature", "isotonic"):
        fitted = fit_calibration(*bent(20_000, 8), method=method, **given)
        assert set(fitted) == {"temperature", "bias", "isotonic"}
        assert (fitted["isotonic"] is None) == (method == "temperature")
        whole = {**fitted, "min_confidence": 0.0}
        check_calibration(whole)
        found[method] = probabilities_of(allocate_decision(whole), scores)
    loss = {name: log_loss_terms(said, happened).mean() for name, said in found.items()}
    assert loss["isotonic"] < loss["temperature"] - 0.002
    error = {name: expected_calibration_error(said, happened) for name, said in found.items()}
    assert error["isotonic"] < 0.7 * error["temperature"]


def test_isotonic_leaves_few_labels_alone():
    given = {"prior": THIRDS, "uninformed": np.zeros(3)}
    scores, label = bent(30, 8)
    plain = fit_calibration(scores, label, method="temperature", **given)
    other = fit_calibration(scores, label, method="isotonic", **given)
    assert (other["temperature"], other["bias"]) == (plain["temperature"], plain["bias"])
    said = [
        probabilities_of(allocate_decision({**item, "min_confidence": 0.0}), scores)
        for item in (plain, other)
    ]
    assert np.abs(said[0] - said[1]).max() < 0.02


def test_the_key_calibration_bends_the_model_it_is_set_for(simulate):
    block = simulate(6000, signal=0.3, seed=1)
    fast = {"HORIZON_S": 10, "num_boost_round": 5, "num_threads": 1}
    plain = train_on_blocks([block], Config().override(fast))
    other = train_on_blocks([block], Config().override({**fast, "calibration": "isotonic"}))
    assert plain.calibration["isotonic"] is None
    assert other.model_text == plain.model_text
    check_calibration(other.calibration)
    assert other.calibration["temperature"] == plain.calibration["temperature"]
    losses = [item.results["evaluation_results"]["log_loss"] for item in (plain, other)]
    assert losses[0] != losses[1]


# ---- the smallest confidence --------------------------------------------------------------------


@pytest.fixture(scope="module")
def market(make_block):
    """Rows on which confident choices are right, and hesitant ones lose by the cost."""
    random = np.random.default_rng(3)
    n = 2000
    step = 0.004 * random.choice([-1.0, 1.0], size=n)
    block = make_block(100 * np.exp(np.concatenate([[0], np.cumsum(step)])))
    target = target_from_config(Config().override({"HORIZON_S": 1}))
    rows = join_blocks([block], target).take(np.arange(n))
    confident = random.random(n) < 0.3
    right = confident | (random.random(n) < 0.5)
    choices = np.where((step > 0) == right, 2, 0).astype(np.int8)
    probabilities = np.full((n, 3), 0.25)
    probabilities[np.arange(n), choices] = np.where(confident, 0.8, 0.5)
    return probabilities, choices, rows


def test_the_threshold_leaves_out_what_does_not_pay(market):
    found = choose_confidence(*market, transaction_cost=0.001)
    assert found.min_confidence == 0.8
    assert found.net_return_bp == pytest.approx(20.0, abs=0.2)
    assert found.trades > 500
    assert found.warning is None


def test_where_nothing_pays_the_engine_holds_and_says_so(market):
    found = choose_confidence(*market, transaction_cost=0.01)
    assert found.min_confidence == 1.0
    assert found.net_return_bp < 0.0
    assert found.warning is not None
    assert "no MIN_CONFIDENCE earns its costs on the validation part" in found.warning
    assert "the engine holds unless MIN_CONFIDENCE is set" in found.warning


def test_too_few_trades_judge_no_threshold(market):
    probabilities, choices, rows = market
    few = MIN_DECISIONS - 1
    found = choose_confidence(
        probabilities[:few], choices[:few], rows.take(np.arange(few)), transaction_cost=0.0
    )
    assert found.min_confidence == 0.0
    assert found.warning is not None
    assert "at most 19 trades" in found.warning
