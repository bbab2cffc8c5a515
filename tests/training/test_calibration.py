import numpy as np
import pytest
from scipy.special import softmax

from alphaseeker.config import Config, ModelConfig
from alphaseeker.training.calibration import (
    MIN_DECISIONS,
    choose_confidence,
    fit_temperature,
    uninformed_scores,
)
from alphaseeker.training.dataset import join_blocks
from alphaseeker.training.target import target_from_config

PRIOR = (0.2, 0.5, 0.3)


def outcomes_of(probabilities, seed=0):
    uniform = np.random.default_rng(seed).random((len(probabilities), 1))
    return (uniform > probabilities.cumsum(axis=1)[:, :2]).sum(axis=1).astype(np.int8)


@pytest.mark.parametrize("class_weight", ["balanced", None])
@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
def test_a_model_that_has_learnt_nothing_says_the_prior(class_weight, objective):
    config = ModelConfig(class_weight=class_weight, objective=objective)
    uninformed = uninformed_scores(PRIOR, config)
    scores = np.tile(uninformed, (50, 1))
    label = np.repeat([0, 1, 2], [10, 25, 15]).astype(np.int8)
    temperature, bias = fit_temperature(scores, label, prior=PRIOR, uninformed=uninformed)
    assert softmax(scores[0] / temperature + bias) == pytest.approx(PRIOR)


def test_temperature_and_bias_undo_sharpness_and_class_weights():
    random = np.random.default_rng(1)
    learnt = random.normal(size=(40_000, 3))
    label = outcomes_of(softmax(learnt + np.log(PRIOR), axis=1))
    config = ModelConfig()
    # Twice too sharp, and with the classes balanced away.
    scores = 2.0 * learnt + uninformed_scores(PRIOR, config)
    temperature, bias = fit_temperature(
        scores, label, prior=PRIOR, uninformed=uninformed_scores(PRIOR, config)
    )
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
